/* JSON into a tree, token by token: nothing is allocated for what has not come. */
#include <string.h>

#include "common/json_scan.h"
#include "common/plan/node.h"
#include "common/text.h"

struct walk {
    struct tree *tree;
    struct json json;
    const char *begin;
    bool refused;
    struct err *e;
};

static struct node *refuse(struct walk *w, const char *why)
{
    w->refused = true;
    (void)err_set(w->e, ERR_WIRE, "%s: byte %zu: %s", w->tree->file, (size_t)(w->json.at - w->begin), why);
    return NULL;
}

/* The last key or string as text of the tree; NULL: an error is set. */
static const char *text(struct walk *w, size_t max, const char *what, size_t *ret_len)
{
    char *s = w->json.len <= max ? arena_alloc(w->tree->arena, w->json.len + 1) : NULL;
    if (!s || !json_decode(&w->json, s, ret_len) || !text_valid(s, *ret_len)) {
        (void)refuse(w, what);
        return NULL;
    }
    s[*ret_len] = 0;
    return s;
}

static struct node *scalar(struct walk *w, enum json_token t)
{
    struct node *n = NULL;
    if (t == JSON_TRUE || t == JSON_FALSE) return node_new_bool(w->tree, t == JSON_TRUE);
    n = node_new(w->tree, t == JSON_STRING ? NODE_TEXT : NODE_NULL);
    if (!n || t == JSON_NULL) return n;
    n->text = text(w, NODE_INPUT_MAX, "the text is not plain UTF-8, or too long", &n->len);
    if (!n->text) return NULL;
    if (t == JSON_NUMBER && node_resolve(n)) return refuse(w, "a number is too large");
    return n;
}

static struct node *value(struct walk *w, enum json_token t, unsigned depth)
{
    bool map = t == JSON_OBJECT;
    if (!map && t != JSON_ARRAY) return t == JSON_BAD ? refuse(w, "not JSON") : scalar(w, t);
    if (depth >= NODE_DEPTH_MAX) return refuse(w, "nested too deep");
    struct node *all = node_new(w->tree, map ? NODE_MAP : NODE_SEQ);
    while (all && (t = json_next(&w->json)) != JSON_OBJECT_END && t != JSON_ARRAY_END) {
        const char *key = NULL;
        size_t len = 0;
        if (all->n >= NODE_ENTRIES_MAX) return refuse(w, "a list or mapping has more than 1,024 entries");
        if (t == JSON_KEY) {
            key = text(w, NODE_KEY_MAX, "a key is not text of 1 to 128 bytes", &len);
            if (!key) return NULL;
            if (len == 0) return refuse(w, "a key is not text of 1 to 128 bytes");
            if (node_get(all, key)) return refuse(w, "a key is given twice");
            t = json_next(&w->json);
        }
        struct node *c = value(w, t, depth + 1);
        if (!c) return NULL;
        node_put(w->tree, all, key, c);
    }
    return all;
}

struct node *node_from_json(struct tree *t, const char *text_, size_t n, struct err *e)
{
    struct walk w = {.tree = t, .begin = text_, .e = e};
    json_begin(&w.json, text_, n);
    if (n == 0 || n > NODE_INPUT_MAX) return refuse(&w, n ? "more than 1 MiB" : "empty");
    struct node *root = value(&w, json_next(&w.json), 0);
    if (root && json_next(&w.json) != JSON_END) return refuse(&w, "not JSON");
    if (!root && !w.refused) return refuse(&w, "too much for a plan");
    return root;
}
