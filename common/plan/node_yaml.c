/* YAML into a tree, by libyaml's events: nothing is built that was not counted first. Aliases, tags, several documents
 * and keys that are no plain text are refused: a plan needs none of them, and they are how YAML bombs are made. */
#include <yaml.h>

#include <string.h>

#include "common/plan/node.h"
#include "common/text.h"

struct feed {
    struct tree *tree;
    const char *text;
    size_t len;
    yaml_parser_t parser;
    struct err *e;
    struct node *stack[NODE_DEPTH_MAX]; /* open lists and mappings */
    unsigned depth;
    struct node *root;
    /* a mapping's key that waits for its value */
    const char *key;
    uint32_t key_line, key_column;
};

static int refuse(struct feed *f, yaml_mark_t at, const char *why)
{
    struct node here = {.file = f->tree->file,
                        .line = (uint32_t)at.line + 1,
                        .column = (uint32_t)at.column + 1,
                        .key = f->key,
                        .parent = f->depth ? f->stack[f->depth - 1] : NULL};
    if (here.parent && !here.key)
        here = (struct node){.file = here.file,
                             .line = here.line,
                             .column = here.column,
                             .key = here.parent->key,
                             .index = here.parent->index,
                             .parent = here.parent->parent};
    return node_refuse(&here, false, f->e, "%s", why);
}

/* Hangs a value into the open list or mapping, or makes it the root. */
static int place(struct feed *f, struct node *n, const yaml_event_t *ev)
{
    struct node *up = f->depth ? f->stack[f->depth - 1] : NULL;
    if (!n) return refuse(f, ev->start_mark, "the plan is too large");
    n->line = (uint32_t)ev->start_mark.line + 1;
    n->column = (uint32_t)ev->start_mark.column + 1;
    if (!up) {
        f->root = n;
        return 0;
    }
    if (up->kind == NODE_MAP) {
        n->key_line = f->key_line;
        n->key_column = f->key_column;
        node_put(f->tree, up, f->key, n);
        f->key = NULL;
    } else
        node_add(f->tree, up, n);
    return f->tree->failed ? refuse(f, ev->start_mark, "more than 1024 entries in one list or mapping") : 0;
}

static bool awaits_key(const struct feed *f)
{
    return f->depth && f->stack[f->depth - 1]->kind == NODE_MAP && !f->key;
}

static int take_key(struct feed *f, const yaml_event_t *ev, const char *s, size_t n)
{
    if (n == 0 || n > NODE_KEY_MAX) return refuse(f, ev->start_mark, "a key must have 1 to 128 bytes");
    const char *key = arena_text(f->tree->arena, s, n);
    if (!key) return refuse(f, ev->start_mark, "the plan is too large");
    bool twice = node_get(f->stack[f->depth - 1], key) != NULL;
    f->key = key;
    f->key_line = (uint32_t)ev->start_mark.line + 1;
    f->key_column = (uint32_t)ev->start_mark.column + 1;
    return twice ? refuse(f, ev->start_mark, "given twice in the same mapping") : 0;
}

static int take_scalar(struct feed *f, const yaml_event_t *ev)
{
    const char *s = (const char *)ev->data.scalar.value;
    size_t len = ev->data.scalar.length;
    if (ev->data.scalar.tag) return refuse(f, ev->start_mark, "tags (!...) are not used in a plan");
    if (ev->data.scalar.anchor)
        return refuse(f, ev->start_mark, "anchors and aliases are not used in a plan: write the value out");
    if (!text_valid(s, len)) return refuse(f, ev->start_mark, "text with a control character");
    if (awaits_key(f)) return take_key(f, ev, s, len);
    struct node *n = node_new(f->tree, NODE_TEXT);
    if (n) {
        n->text = arena_text(f->tree->arena, s, len);
        n->len = len;
        if (!n->text) n = NULL;
    }
    if (n && ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && node_resolve(n))
        return refuse(f, ev->start_mark, "must be a finite number");
    return place(f, n, ev);
}

static int open_many(struct feed *f, const yaml_event_t *ev, enum node_kind kind, const yaml_char_t *tag,
                     const yaml_char_t *anchor)
{
    if (tag) return refuse(f, ev->start_mark, "tags (!...) are not used in a plan");
    if (anchor) return refuse(f, ev->start_mark, "anchors and aliases are not used in a plan: write the value out");
    if (awaits_key(f))
        return refuse(f, ev->start_mark, "a key must be plain text (quote values that start with { or [)");
    if (f->depth == NODE_DEPTH_MAX) return refuse(f, ev->start_mark, "nested deeper than 32 levels");
    struct node *n = node_new(f->tree, kind);
    if (place(f, n, ev)) return -1;
    f->stack[f->depth++] = n;
    return 0;
}

static int take(struct feed *f, const yaml_event_t *ev)
{
    switch (ev->type) {
    case YAML_DOCUMENT_START_EVENT:
        return f->root ? refuse(f, ev->start_mark, "more than one document in the file") : 0;
    case YAML_ALIAS_EVENT:
        return refuse(f, ev->start_mark, "anchors and aliases are not used in a plan: write the value out");
    case YAML_SCALAR_EVENT:
        return take_scalar(f, ev);
    case YAML_SEQUENCE_START_EVENT:
        return open_many(f, ev, NODE_SEQ, ev->data.sequence_start.tag, ev->data.sequence_start.anchor);
    case YAML_MAPPING_START_EVENT:
        return open_many(f, ev, NODE_MAP, ev->data.mapping_start.tag, ev->data.mapping_start.anchor);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        f->depth--;
        return 0;
    default:
        return 0;
    }
}

static int syntax(struct feed *f)
{
    const yaml_parser_t *p = &f->parser;
    const char *why = p->problem ? p->problem : "cannot be read";
    if (p->error == YAML_MEMORY_ERROR) return err_set(f->e, ERR_NOMEM, "out of memory while reading %s", f->tree->file);
    if (p->problem_mark.index < f->len && f->text[p->problem_mark.index] == '\t')
        return err_set(f->e, ERR_PLAN, "%s:%zu:%zu: a tab: YAML is indented with spaces", f->tree->file,
                       p->problem_mark.line + 1, p->problem_mark.column + 1);
    if (p->error == YAML_READER_ERROR)
        return err_set(f->e, ERR_PLAN, "%s: not YAML: %s at byte %zu", f->tree->file, why, p->problem_offset);
    return err_set(f->e, ERR_PLAN, "%s:%zu:%zu: not YAML: %s%s%s", f->tree->file, p->problem_mark.line + 1,
                   p->problem_mark.column + 1, why, p->context ? " " : "", p->context ? p->context : "");
}

struct node *node_from_yaml(struct tree *t, const char *text, size_t n, struct err *e)
{
    if (n > NODE_INPUT_MAX) {
        (void)err_set(e, ERR_PLAN, "%s: larger than 1 MiB", t->file);
        return NULL;
    }
    struct feed f = {.tree = t, .text = text, .len = n, .e = e};
    if (!yaml_parser_initialize(&f.parser)) {
        (void)err_set(e, ERR_NOMEM, "out of memory while reading %s", t->file);
        return NULL;
    }
    yaml_parser_set_input_string(&f.parser, (const unsigned char *)text, n);
    bool end = false, bad = false;
    while (!end && !bad) {
        yaml_event_t ev;
        if (!yaml_parser_parse(&f.parser, &ev)) {
            (void)syntax(&f);
            bad = true;
            break;
        }
        end = ev.type == YAML_STREAM_END_EVENT;
        bad = take(&f, &ev) != 0;
        yaml_event_delete(&ev);
    }
    yaml_parser_delete(&f.parser);
    if (!bad && !f.root) (void)err_set(e, ERR_PLAN, "%s: empty", t->file);
    return bad ? NULL : f.root;
}
