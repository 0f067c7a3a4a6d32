/* The plan's front door on the coordinator: a YAML file, and what the command line sets in it. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/plan/plan_key.h"

enum { SET_PATH_MAX = 200 };

struct setting {
    struct tree *tree;
    struct node *at;  /* where the walk stands */
    const char *file; /* "--set load.duration" */
    struct err *e;
};

static int refuse_set(struct setting *s, const char *why)
{
    return err_set(s->e, ERR_PLAN, "%s: %s", s->file, why);
}

/* A mapping to hold a key: one that is there, or one made of nothing. */
static int be_mapping(struct setting *s)
{
    if (s->at->kind == NODE_NULL) {
        s->at->kind = NODE_MAP;
        s->at->text = "";
        s->at->len = 0;
    }
    if (s->at->kind == NODE_MAP) return 0;
    char path[160], why[240];
    (void)snprintf(why, sizeof why, "%s is not a mapping: it has no keys", node_path(s->at, path, sizeof path));
    return refuse_set(s, why);
}

static int step_key(struct setting *s, const char *key, size_t n)
{
    if (n == 0 || n > NODE_KEY_MAX) return refuse_set(s, "a key in the path is empty or too long");
    if (be_mapping(s)) return -1;
    char *name = arena_text(s->tree->arena, key, n);
    if (!name) return refuse_set(s, "the plan is too large");
    struct node *next = node_get(s->at, name);
    if (!next) {
        next = node_new(s->tree, NODE_NULL);
        if (next) next->file = s->file;
        node_put(s->tree, s->at, name, next);
        if (s->tree->failed) return refuse_set(s, "the plan is too large");
    }
    s->at = next;
    return 0;
}

static int step_index(struct setting *s, const char **text)
{
    char *end, why[240], path[160];
    errno = 0;
    unsigned long i = **text >= '0' && **text <= '9' ? strtoul(*text, &end, 10) : 0;
    if (errno || !(**text >= '0' && **text <= '9') || *end != ']')
        return refuse_set(s, "expected a number in [ ], counted from 0");
    node_path(s->at, path, sizeof path);
    if (s->at->kind != NODE_SEQ) {
        (void)snprintf(why, sizeof why, "%s is not a list", path);
        return refuse_set(s, why);
    }
    if (!node_at(s->at, i)) {
        (void)snprintf(why, sizeof why, "%s has %zu entries, counted from 0", path, s->at->n);
        return refuse_set(s, why);
    }
    s->at = node_at(s->at, i);
    *text = end + 1;
    return 0;
}

static int walk(struct setting *s, const char *path)
{
    for (bool first = true; *path; first = false) {
        if (*path == '[') {
            path++;
            if (step_index(s, &path)) return -1;
            continue;
        }
        if (!first && *path++ != '.') return refuse_set(s, "expected a dot or [number] in the path");
        size_t n = strcspn(path, ".[");
        if (step_key(s, path, n)) return -1;
        path += n;
    }
    return 0;
}

/* The value's own lines are those of the command line: the message names the option instead. */
static void rename_place(struct node *n, const char *file)
{
    n->file = file;
    n->line = n->key_line = 0;
    for (struct node *c = n->first; c; c = c->next)
        rename_place(c, file);
}

/* `load.concurrency=1,2,4` is typed more easily than its list; no other value of these keys has a comma. */
static const char *as_list(struct tree *t, const char *path, const char *value)
{
    bool load = strcmp(path, "load.concurrency") == 0 || strcmp(path, "load.rate") == 0;
    size_t n = strlen(value);
    if (!load || !strchr(value, ',') || strpbrk(value, "[]{}\"'")) return value;
    char *list = arena_array(t->arena, n + 3, 1);
    if (list) (void)snprintf(list, n + 3, "[%s]", value);
    return list;
}

static int set_one(struct tree *t, struct node *root, const char *pair, struct err *e)
{
    const char *eq = strchr(pair, '=');
    if (!eq || eq == pair || eq - pair > SET_PATH_MAX)
        return err_set(e, ERR_USAGE, "--set: expected path=value, such as load.duration=5s");
    char file[SET_PATH_MAX + 8], path[SET_PATH_MAX + 1];
    (void)snprintf(path, sizeof path, "%.*s", (int)(eq - pair), pair);
    (void)snprintf(file, sizeof file, "--set %s", path);
    struct setting s = {.tree = t, .at = root, .e = e, .file = arena_text(t->arena, file, strlen(file))};
    if (!s.file) return err_set(e, ERR_NOMEM, "out of memory for --set");
    if (walk(&s, path)) return -1;
    const char *outer = t->file, *value = as_list(t, path, eq + 1);
    if (!value) return err_set(e, ERR_NOMEM, "out of memory for --set");
    t->file = s.file;
    struct node *v = node_from_yaml(t, value, strlen(value), e);
    t->file = outer;
    if (!v) return -1;
    rename_place(v, s.file);
    struct node keep = *s.at; /* the place in the tree stays, the value is replaced */
    *s.at = *v;
    s.at->parent = keep.parent, s.at->next = keep.next, s.at->key = keep.key, s.at->index = keep.index;
    for (struct node *c = s.at->first; c; c = c->next)
        c->parent = s.at;
    return 0;
}

/* ---- all mistakes at once ---- */

enum { MISTAKES_MAX = 20 };

/* Where a mistake stood, and what is done about it so that the next one is found. */
struct mistake {
    uint32_t line, column;
    enum { TAKE_OUT, RENAME, FILL } how;
    char key[NODE_KEY_MAX + 1],
        value[200]; /* the key taken out, the one that was meant, or the missing one and its value */
    char text[sizeof((struct err *)0)->text];
};

static struct node *node_placed(struct node *n, const struct mistake *m, bool by_key)
{
    if (by_key ? n->key_line == m->line && n->key_column == m->column : n->line == m->line && n->column == m->column)
        return n;
    for (struct node *c = n->first; c; c = c->next) {
        struct node *found = node_placed(c, m, by_key);
        if (found) return found;
    }
    return NULL;
}

static void unlink_child(struct node *n)
{
    struct node **link = &n->parent->first, *before = NULL;
    while (*link && *link != n) {
        before = *link;
        link = &(*link)->next;
    }
    *link = n->next;
    if (n->parent->last == n) n->parent->last = before;
    n->parent->n--;
}

static bool is_gate(const struct node *n)
{
    return n && n->parent && n->parent->kind == NODE_SEQ && n->parent->key && strcmp(n->parent->key, "run") == 0;
}

/* A mistyped key becomes the one that was meant, a missing one gets its example; any other entry of a mapping that
 * holds a mistake is taken out, as if it had not been written. A list goes whole: without one of its entries the others
 * would be counted anew, and later messages would name wrong places. Only a gate becomes one that is right, since
 * people write several. */
static bool work_round(struct tree *t, struct node *root, struct mistake *m)
{
    struct err e;
    if (m->how == FILL) {
        struct node *map = node_placed(root, m, false), *v = node_from_yaml(t, m->value, strlen(m->value), &e);
        if (!map || map->kind != NODE_MAP || !v || node_get(map, m->key)) return false;
        node_put(t, map, m->key, v);
        return !t->failed;
    }
    struct node *n = node_placed(root, m, true);
    if (!n) n = node_placed(root, m, false);
    if (is_gate(n)) {
        static const char RIGHT[] = "errors.rate < 1%";
        n->kind = NODE_TEXT, n->text = RIGHT, n->len = sizeof RIGHT - 1;
        return true;
    }
    while (n && n->parent && n->parent->kind != NODE_MAP)
        n = n->parent;
    if (!n || !n->parent) return false;
    if (m->how == RENAME && !node_get(n->parent, m->key)) {
        n->key = m->key;
        return true;
    }
    while (n->parent->n == 1 && n->parent->parent && n->parent->parent->kind == NODE_MAP)
        n = n->parent; /* what would be empty goes too */
    if (m->how == TAKE_OUT) (void)snprintf(m->key, sizeof m->key, "%s", n->key);
    unlink_child(n);
    return true;
}

/* From "FILE:LINE:COLUMN: path: …". False: nothing can be done about it. */
static bool mistake_read(const char *file, const char *text, struct mistake *m)
{
    size_t n = strlen(file);
    const char *meant = strstr(text, "unknown key; did you mean \""), *needs = strstr(text, ": needs \""),
               *such = needs ? strstr(needs, ", such as ") : NULL;
    (void)snprintf(m->text, sizeof m->text, "%s", text);
    if (meant && sscanf(meant, "unknown key; did you mean \"%128[^\"]", m->key) == 1) m->how = RENAME;
    if (needs) m->how = FILL;
    if (needs && !(such && sscanf(such, ", such as %128[a-z_]: %199[^\n]", m->key, m->value) == 2)) return false;
    return strncmp(text, file, n) == 0 && sscanf(text + n, ":%" SCNu32 ":%" SCNu32 ":", &m->line, &m->column) == 2;
}

/* A complaint that a key is missing, which was taken out for a mistake of its own. */
static bool is_consequence(const struct mistake *now, const struct mistake *m, size_t n)
{
    char quoted[NODE_KEY_MAX + 4];
    for (size_t i = 0; i < n; i++) {
        (void)snprintf(quoted, sizeof quoted, "\"%s\"", m[i].key);
        if (now->how == FILL && m[i].how == TAKE_OUT && strstr(now->text, quoted)) return true;
    }
    return false;
}

size_t plan_mistakes(const char *file, const char *yaml, size_t n, const char *const *set, size_t n_set,
                     struct buf *out)
{
    struct mistake m[MISTAKES_MAX] = {0};
    size_t found = 0, shown = 0;
    for (bool more = true; more && found < MISTAKES_MAX; found++) {
        struct tree t = {.arena = arena_new(NODE_ARENA_MAX), .file = file};
        struct err e = {0};
        struct node *root = node_from_yaml(&t, yaml, n, &e);
        int bad = root ? 0 : -1;
        for (size_t i = 0; !bad && i < n_set; i++)
            bad = set_one(&t, root, set[i], &e);
        for (size_t i = 0; !bad && i < found; i++)
            more &= work_round(&t, root, &m[i]);
        struct plan *p = bad || !more ? NULL : plan_from_node(root, &e);
        more &= !p && e.code && !(found && strcmp(m[found - 1].text, e.text) == 0);
        if (more) {
            bool known = mistake_read(file, e.text, &m[found]);
            bool new = !is_consequence(&m[found], m, found);
            if (new) (void)buf_printf(out, "%s\n", e.text);
            shown += new;
            more = !bad && known;
        }
        plan_destroy(&p);
        arena_destroy(&t.arena);
    }
    return shown;
}

struct plan *plan_load(const char *file, const char *yaml, size_t n, const char *const *set, size_t n_set,
                       struct err *e)
{
    struct tree t = {.arena = arena_new(NODE_ARENA_MAX), .file = file};
    struct node *root = node_from_yaml(&t, yaml, n, e);
    int bad = root ? 0 : -1;
    for (size_t i = 0; !bad && i < n_set; i++)
        bad = set_one(&t, root, set[i], e);
    struct plan *p = bad ? NULL : plan_from_node(root, e);
    arena_destroy(&t.arena);
    return p;
}

struct plan *plan_load_file(const char *path, const char *const *set, size_t n_set, struct err *e)
{
    FILE *f = fopen(path, "rbe");
    if (!f) {
        (void)err_set(e, ERR_PLAN, "%s: cannot be opened: %s", path, strerror(errno));
        return NULL;
    }
    struct plan *p = NULL;
    char *text = malloc(NODE_INPUT_MAX + 1);
    size_t n = text ? fread(text, 1, NODE_INPUT_MAX + 1, f) : 0;
    if (!text)
        (void)err_set(e, ERR_NOMEM, "out of memory while reading %s", path);
    else if (ferror(f))
        (void)err_set(e, ERR_PLAN, "%s: cannot be read: %s", path, strerror(errno));
    else
        p = plan_load(path, text, n, set, n_set, e);
    free(text);
    (void)fclose(f);
    return p;
}
