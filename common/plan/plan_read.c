/* Reading: a tree of nodes into a plan, section by section, by the table of keys. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/args.h"
#include "common/plan/plan_key.h"

enum { NAMES_MAX = 32, PLAN_ARENA_MAX = 16 << 20 };

int read_expected(struct reader *r, const struct node *n, const char *what)
{
    char got[64];
    return node_refuse(n, false, r->e, "expected %s, got %s", what, node_describe(n, got, sizeof got));
}

char *read_keep(struct reader *r, const struct node *n, const char *s)
{
    char *p = arena_text(r->arena, s, strlen(s));
    if (!p) (void)node_refuse(n, false, r->e, "the plan is too large");
    return p;
}

void *read_keep_array(struct reader *r, const struct node *n, size_t count, size_t size)
{
    void *p = arena_array(r->arena, count, size);
    if (!p) (void)node_refuse(n, false, r->e, "the plan is too large");
    return p;
}

static const char *const SECRET_KEYS[] = {"api_key", "apikey", "api-key", "key", "token", "bearer", "secret"};

/* The keys of a stage and of a curve also stand in `load`. */
static bool holds(const char *section, const struct plan_key *k)
{
    bool beside =
        strcmp(section, "load") == 0 && (strcmp(k->section, "stage") == 0 || strcmp(k->section, "curve") == 0);
    return beside || strcmp(k->section, section) == 0;
}

static bool is_name(const char *name, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(names[i], name) == 0) return true;
    return false;
}

/* The names that a section knows, at most NAMES_MAX; some keys of a curve are named as a stage's. */
static size_t names_of(const char *section, const char **ret)
{
    size_t n = 0;
    for (size_t i = 0; i < PLAN_KEYS_N && n < NAMES_MAX; i++)
        if (holds(section, &PLAN_KEYS[i]) && !is_name(PLAN_KEYS[i].name, ret, n)) ret[n++] = PLAN_KEYS[i].name;
    return n;
}

/* Where a key of this name belongs; NULL: nowhere. What a load may say is meant more often than another section's key
 * of the same name. */
static const char *place_of(const char *word)
{
    if (key_find("stage", word)) return "load, or in each of load.stages";
    for (size_t i = 0; i < PLAN_KEYS_N; i++) {
        const struct plan_section *s = key_section(PLAN_KEYS[i].section);
        if (strcmp(PLAN_KEYS[i].name, word) == 0 && s && s->path[0] && s->path[0] != '.') return s->path;
    }
    return NULL;
}

/* "ttft_p99", "tpot.p90": a figure with its percentile, where a key should stand. */
static bool looks_like_gate(const char *word)
{
    for (int m = 0; m < METRIC_N; m++) {
        size_t n = strlen(METRICS[m].name);
        if (strncmp(word, METRICS[m].name, n) == 0 && strchr("._-", word[n])) return true;
    }
    return strncmp(word, "errors", 6) == 0 || strncmp(word, "throughput", 10) == 0;
}

static bool is_secret_key(const char *word)
{
    for (size_t i = 0; i < sizeof SECRET_KEYS / sizeof *SECRET_KEYS; i++)
        if (strcmp(word, SECRET_KEYS[i]) == 0) return true;
    return false;
}

/* "did you mean" for a key: a near name of this section, else the same name where it belongs, else all names there are.
 */
static void hint(const char *section, const char *word, char *buf, size_t size)
{
    const char *names[NAMES_MAX], *place = place_of(word);
    size_t n = names_of(section, names), at = 0;
    const char *near = args_nearest(word, names, n);
    if (place)
        (void)snprintf(buf, size, "it belongs in %s", place);
    else if (strspn(word, "0123456789") == strlen(word)) /* {concurrency: 1,2,4} has the keys 2 and 4 */
        (void)snprintf(buf, size, "a list is written in brackets, such as [1, 2, 4]");
    else if (strcmp(section, "slo") == 0 && looks_like_gate(word))
        (void)snprintf(buf, size, "a gate is one line of slo.run, such as run: [ttft.p99 < 800ms, errors.rate < 1%%]");
    else if (strcmp(section, "target") == 0 && is_secret_key(word))
        (void)snprintf(buf, size, "a key is named, never written down: auth: {bearer: {env: NAME}}");
    else if (near)
        (void)snprintf(buf, size, "did you mean \"%s\"?", near);
    else
        for (size_t i = 0; i < n && at < size; i++) {
            int k = snprintf(buf + at, size - at, "%s%s", i ? ", " : "known here: ", names[i]);
            at += k > 0 ? (size_t)k : 0;
        }
}

int read_section_names(struct reader *r, const struct node *map, const char *section)
{
    if (map->kind != NODE_MAP) return read_expected(r, map, "a mapping of keys");
    for (const struct node *c = map->first; c; c = c->next) {
        const struct plan_key *k = key_find(section, c->key);
        if (!k && strcmp(section, "load") == 0) k = key_find("stage", c->key);
        if (!k && strcmp(section, "load") == 0) k = key_find("curve", c->key);
        if (k && k->flags & KEY_LATER) return node_refuse(c, true, r->e, "known, but not built in this version");
        if (k) continue;
        char near[400];
        hint(section, c->key, near, sizeof near);
        return node_refuse(c, true, r->e, "unknown key; %s", near);
    }
    return 0;
}

/* The default of a row, as if it stood in the plan. */
static int read_standard(struct reader *r, const struct plan_key *k, const struct node *map, void *at)
{
    struct node n = {.text = k->standard, .len = strlen(k->standard), .key = k->name, .file = "default"};
    char quoted[64];
    if (k->standard[0] == '"') {
        (void)snprintf(quoted, sizeof quoted, "%.*s", (int)(n.len - 2), k->standard + 1);
        n.text = quoted;
        n.len -= 2;
        n.kind = NODE_TEXT;
    } else if (node_resolve(&n))
        return node_refuse(map, false, r->e, "the default of %s is not a value", k->name);
    if (map) n.line = map->line, n.column = map->column, n.file = map->file;
    return k->type->read(r, k, &n, at);
}

static int needs(struct reader *r, const struct plan_key *k, const struct node *map)
{
    if (k->type == &KEY_VERSION)
        return node_refuse(map, false, r->e, "needs \"plan: 1\" to say which version of the format it is");
    return node_refuse(map, false, r->e, "needs \"%s\" (%s), such as %s: %s", k->name, k->what, k->name, k->example);
}

int read_key(struct reader *r, const struct plan_key *k, const struct node *map, const struct node *n, void *base)
{
    void *at = k->offset == SIZE_MAX ? NULL : (char *)base + k->offset;
    if (k->flags & (KEY_LATER | KEY_ELSEWHERE)) return 0;
    if (n) return k->type->read(r, k, n, at);
    if (k->flags & KEY_REQUIRED) return needs(r, k, map);
    if (k->flags & KEY_OPTIONAL) return 0;
    if (k->flags & KEY_TOLD || k->type == &KEY_SECTION) return k->type->read(r, k, NULL, at);
    if (k->standard[0]) return read_standard(r, k, map, at);
    return 0;
}

int read_section(struct reader *r, const struct node *map, const char *section, void *base)
{
    if (map && read_section_names(r, map, section)) return -1;
    for (size_t i = 0; i < PLAN_KEYS_N; i++) {
        const struct plan_key *k = &PLAN_KEYS[i];
        if (strcmp(k->section, section) == 0 && read_key(r, k, map, map ? node_get(map, k->name) : NULL, base))
            return -1;
    }
    const struct plan_section *s = key_section(section);
    return s && s->check && map ? s->check(r, map, base) : 0;
}

struct plan *plan_from_node(const struct node *root, struct err *e)
{
    struct reader r = {.arena = arena_new(PLAN_ARENA_MAX), .e = e};
    struct plan *p = arena_alloc(r.arena, sizeof *p);
    if (!p) {
        (void)err_set(e, ERR_NOMEM, "out of memory while reading the plan");
        arena_destroy(&r.arena);
        return NULL;
    }
    p->arena = r.arena;
    if (read_section(&r, root, "", p)) plan_destroy(&p);
    return p;
}

void plan_destroy(struct plan **p)
{
    if (!p || !*p) return;
    struct arena *a = (*p)->arena; /* the plan itself lies in it */
    *p = NULL;
    arena_destroy(&a);
}

struct plan *plan_from_json(const char *text, size_t n, struct err *e)
{
    struct tree t = {.arena = arena_new(NODE_ARENA_MAX), .file = "plan from the coordinator"};
    struct node *root = node_from_json(&t, text, n, e);
    struct plan *p = root ? plan_from_node(root, e) : NULL;
    arena_destroy(&t.arena);
    return p;
}
