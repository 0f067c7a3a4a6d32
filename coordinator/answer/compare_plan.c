/* What differs between two plans, by the trees of their resolved forms: every key with its path. */
#include <stdio.h>
#include <string.h>

#include "common/plan/node.h"
#include "common/plan/plan_key.h"
#include "coordinator/answer/compare.h"

#define CONTEXT 16 /* bytes that are shown before a difference */

struct diff {
    struct buf *out;
    size_t lines, max;
};

static bool equal(const struct node *a, const struct node *b)
{
    if (!a || !b || a->kind != b->kind || a->n != b->n) return a == b;
    if (node_is_scalar(a)) {
        if (a->kind == NODE_BOOL) return a->flag == b->flag;
        return a->len == b->len && (a->len == 0 || memcmp(a->text, b->text, a->len) == 0);
    }
    for (const struct node *x = a->first; x; x = x->next) {
        const struct node *y = x->key ? node_get(b, x->key) : node_at(b, x->index);
        if (!equal(x, y)) return false;
    }
    return true;
}

/* A value in few words: short lists and mappings as JSON, longer ones by their kind. */
static const char *words(const struct node *n, char *buf, size_t size)
{
    struct buf json = BUF_INIT(NODE_INPUT_MAX);
    if (!n) return "not given";
    (void)node_describe(n, buf, size);
    if (!node_is_scalar(n) && node_to_json(n, false, &json) == 0 && json.len < size)
        (void)memcpy(buf, buf_str(&json), json.len + 1);
    buf_clear(&json);
    return buf;
}

/* Two long texts that begin alike: from a little before where they differ. Of lists that look the same: "another".
 */
static void apart(const struct node *a, const struct node *b, char *was, char *is, size_t size)
{
    struct node x = *a, y = *b;
    size_t same = 0;
    if (a->kind != NODE_TEXT || b->kind != NODE_TEXT) {
        (void)snprintf(is, size, "another");
        return;
    }
    while (same < a->len && same < b->len && a->text[same] == b->text[same])
        same++;
    size_t from = same > CONTEXT ? same - CONTEXT : 0;
    while (from > 0 && ((unsigned char)a->text[from] & 0xc0) == 0x80)
        from--; /* not inside a character */
    x.text += from, x.len -= from, y.text += from, y.len -= from;
    (void)snprintf(was, size, "...");
    (void)snprintf(is, size, "...");
    (void)node_describe(&x, was + 3, size - 3);
    (void)node_describe(&y, is + 3, size - 3);
}

static void line(struct diff *d, const struct node *a, const struct node *b)
{
    char path[256], was[128], is[128];
    if (d->lines++ >= d->max) return;
    const char *x = words(a, was, sizeof was), *y = words(b, is, sizeof is);
    if (a && b && strcmp(x, y) == 0) apart(a, b, was, is, sizeof was);
    (void)buf_printf(d->out, "%s: %s, now %s\n", node_path(a ? a : b, path, sizeof path), x, y);
}

static void walk(struct diff *d, const struct node *a, const struct node *b)
{
    if (equal(a, b)) return;
    bool inside = a && b && a->kind == b->kind && !node_is_scalar(a) && (a->kind == NODE_MAP || a->n == b->n);
    if (!inside) {
        line(d, a, b);
        return;
    }
    for (const struct node *x = a->first; x; x = x->next)
        walk(d, x, x->key ? node_get(b, x->key) : node_at(b, x->index));
    for (const struct node *y = b->first; y && a->kind == NODE_MAP; y = y->next)
        if (!node_get(a, y->key)) walk(d, NULL, y);
}

static struct node *tree_of(const struct plan *p, struct tree *t, struct buf *json, struct err *e)
{
    if (plan_to_json(p, false, json)) {
        err_set(e, ERR_NOMEM, "no memory to compare plans");
        return NULL;
    }
    return node_from_yaml(t, buf_str(json), json->len,
                          e); /* JSON is YAML: kinds and paths come out as they were read */
}

int compare_plans(const struct plan *a, const struct plan *b, size_t max, struct buf *out, struct err *e)
{
    struct buf text[2] = {BUF_INIT(NODE_INPUT_MAX), BUF_INIT(NODE_INPUT_MAX)};
    struct tree t[2] = {{.arena = arena_new(NODE_ARENA_MAX), .file = "plan A"},
                        {.arena = arena_new(NODE_ARENA_MAX), .file = "plan B"}};
    int rc = -1;
    struct node *x = t[0].arena && t[1].arena ? tree_of(a, &t[0], &text[0], e) : NULL,
                *y = x ? tree_of(b, &t[1], &text[1], e) : NULL;
    if (x && y) {
        struct diff d = {.out = out, .max = max};
        walk(&d, x, y);
        if (d.lines > max) (void)buf_printf(out, "and %zu more\n", d.lines - max);
        rc = out->bad ? err_set(e, ERR_NOMEM, "no memory to compare plans") : 0;
    }
    for (int i = 0; i < 2; i++) {
        arena_destroy(&t[i].arena);
        buf_clear(&text[i]);
    }
    return rc;
}
