#include "common/plan/node.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/unpack.h"

struct node *node_new(struct tree *t, enum node_kind kind)
{
    if (t->failed) return NULL;
    struct node *n = t->nodes < NODE_COUNT_MAX ? arena_alloc(t->arena, sizeof *n) : NULL;
    if (!n) {
        t->failed = true;
        return NULL;
    }
    t->nodes++;
    n->kind = kind;
    n->file = t->file;
    n->text = "";
    return n;
}

struct node *node_new_text(struct tree *t, const char *s)
{
    struct node *n = node_new(t, NODE_TEXT);
    if (!n) return NULL;
    n->len = strlen(s);
    n->text = arena_text(t->arena, s, n->len);
    if (n->text) return n;
    t->failed = true;
    return NULL;
}

/* A number keeps the text it is written with, so that messages and text fields see the same for every front end. */
static struct node *with_text(struct tree *t, struct node *n, const char *s)
{
    if (!n) return NULL;
    n->len = strlen(s);
    n->text = arena_text(t->arena, s, n->len);
    if (n->text) return n;
    t->failed = true;
    return NULL;
}

struct node *node_new_whole(struct tree *t, uint64_t v)
{
    char s[32];
    (void)snprintf(s, sizeof s, "%" PRIu64, v);
    struct node *n = with_text(t, node_new(t, NODE_INT), s);
    if (n) {
        n->whole = v;
        n->number = (double)v;
    }
    return n;
}

struct node *node_new_number(struct tree *t, double v)
{
    if (v >= 0 && v < 0x1p53 && v == floor(v)) return node_new_whole(t, (uint64_t)v);
    char s[32];
    struct node *n = with_text(t, node_new(t, NODE_NUMBER), node_number_text(v, s, sizeof s));
    if (n) n->number = v;
    return n;
}

struct node *node_new_bool(struct tree *t, bool v)
{
    struct node *n = with_text(t, node_new(t, NODE_BOOL), v ? "true" : "false");
    if (n) n->flag = v;
    return n;
}

void node_add(struct tree *t, struct node *seq, struct node *child)
{
    if (!seq || !child) return;
    if (seq->n >= NODE_ENTRIES_MAX) {
        t->failed = true;
        return;
    }
    child->parent = seq;
    child->index = seq->n++;
    if (seq->last)
        seq->last->next = child;
    else
        seq->first = child;
    seq->last = child;
}

void node_put(struct tree *t, struct node *map, const char *key, struct node *child)
{
    if (!map || !child) return;
    child->key = key;
    node_add(t, map, child);
}

struct node *node_get(const struct node *map, const char *key)
{
    if (!map || map->kind != NODE_MAP) return NULL;
    for (struct node *c = map->first; c; c = c->next)
        if (strcmp(c->key, key) == 0) return c;
    return NULL;
}

struct node *node_at(const struct node *seq, size_t index)
{
    if (!seq || seq->kind != NODE_SEQ) return NULL;
    for (struct node *c = seq->first; c; c = c->next)
        if (c->index == index) return c;
    return NULL;
}

static int by_key(const void *a, const void *b)
{
    const struct node *const *x = a, *const *y = b;
    return strcmp((*x)->key, (*y)->key);
}

void node_sort(struct node *n)
{
    for (struct node *c = n->first; c; c = c->next)
        node_sort(c);
    if (n->kind != NODE_MAP || n->n < 2 || n->n > NODE_ENTRIES_MAX) return;
    struct node *all[NODE_ENTRIES_MAX];
    size_t count = 0;
    for (struct node *c = n->first; c; c = c->next)
        all[count++] = c;
    qsort(all, count, sizeof *all, by_key);
    for (size_t i = 0; i < count; i++) {
        all[i]->index = i;
        all[i]->next = i + 1 < count ? all[i + 1] : NULL;
    }
    n->first = all[0];
    n->last = all[count - 1];
}

bool node_is_scalar(const struct node *n)
{
    return n->kind != NODE_SEQ && n->kind != NODE_MAP;
}

static bool is_one_of(const char *s, const char *const *words)
{
    for (; *words; words++)
        if (strcmp(s, *words) == 0) return true;
    return false;
}

static size_t digits(const char *s)
{
    size_t n = 0;
    while (s[n] >= '0' && s[n] <= '9')
        n++;
    return n;
}

/* [-+]? digits [. digits] [e [-+] digits], with a digit somewhere before the exponent and no leading zero. */
static bool is_number(const char *s, bool *ret_whole)
{
    if (*s == '-' || *s == '+') s++;
    size_t before = digits(s), after = 0;
    if (before > 1 && s[0] == '0') return false;
    s += before;
    *ret_whole = *s == 0;
    if (*s == '.') {
        after = digits(++s);
        s += after;
    }
    if (before + after == 0) return false;
    if (*s == 'e' || *s == 'E') {
        s++;
        if (*s == '-' || *s == '+') s++;
        size_t n = digits(s);
        if (n == 0) return false;
        s += n;
    }
    return *s == 0;
}

int node_resolve(struct node *n)
{
    static const char *const NOTHING[] = {"", "~", "null", "Null", "NULL", NULL};
    static const char *const YES[] = {"true", "True", "TRUE", NULL}, *const NO[] = {"false", "False", "FALSE", NULL};
    static const char *const ENDLESS[] = {".nan",  ".NaN",  ".NAN",  ".inf",  ".Inf",  ".INF", "+.inf",
                                          "+.Inf", "+.INF", "-.inf", "-.Inf", "-.INF", NULL};
    const char *s = n->text;
    bool whole = false;
    n->kind = NODE_TEXT;
    if (is_one_of(s, ENDLESS)) return -1;
    if (is_one_of(s, NOTHING))
        n->kind = NODE_NULL;
    else if (is_one_of(s, YES) || is_one_of(s, NO)) {
        n->kind = NODE_BOOL;
        n->flag = is_one_of(s, YES);
    } else if (is_number(s, &whole)) {
        n->number = strtod(s, NULL);
        if (!isfinite(n->number)) return -1;
        n->kind = NODE_NUMBER;
        errno = 0;
        uint64_t v = whole ? strtoull(s + (*s == '-' || *s == '+'), NULL, 10) : 0;
        if (whole && !errno) {
            n->kind = NODE_INT;
            n->whole = v;
            n->negative = *s == '-' && v;
        }
    }
    return 0;
}

char *node_path(const struct node *n, char *buf, size_t size)
{
    const struct node *up[NODE_DEPTH_MAX + 1];
    size_t depth = 0, at = 0;
    for (; n && n->parent && depth <= NODE_DEPTH_MAX; n = n->parent)
        up[depth++] = n;
    if (size) buf[0] = 0;
    while (depth-- && at < size) {
        const struct node *c = up[depth];
        int k = c->key ? snprintf(buf + at, size - at, "%s%s", at ? "." : "", c->key)
                       : snprintf(buf + at, size - at, "[%zu]", c->index);
        at += k > 0 ? (size_t)k : 0;
    }
    return buf;
}

char *node_describe(const struct node *n, char *buf, size_t size)
{
    switch (n->kind) {
    case NODE_NULL:
        (void)snprintf(buf, size, "nothing");
        return buf;
    case NODE_SEQ:
        (void)snprintf(buf, size, "a list");
        return buf;
    case NODE_MAP:
        (void)snprintf(buf, size, "a mapping");
        return buf;
    case NODE_BOOL:
    case NODE_INT:
    case NODE_NUMBER:
        (void)snprintf(buf, size, "%.40s", n->text);
        return buf;
    case NODE_TEXT:
        break;
    }
    size_t cut = n->len < 40 ? n->len : 40;
    while (cut < n->len && cut > 0 && ((unsigned char)n->text[cut] & 0xc0) == 0x80)
        cut--; /* not inside a character */
    (void)snprintf(buf, size, "\"%.*s%s\"", (int)cut, n->text, cut < n->len ? "..." : "");
    for (char *c = buf; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f) *c = '?';
    return buf;
}

int node_refuse(const struct node *n, bool at_key, struct err *e, const char *fmt, ...)
{
    char path[160], text[400], place[160];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    uint32_t line = at_key && n->key_line ? n->key_line : n->line,
             column = at_key && n->key_line ? n->key_column : n->column;
    if (line)
        (void)snprintf(place, sizeof place, "%.120s:%" PRIu32 ":%" PRIu32, n->file, line, column);
    else
        (void)snprintf(place, sizeof place, "%.150s", n->file);
    node_path(n, path, sizeof path);
    size_t tail = strlen(path), whole = strlen(place);
    if (!line && tail < whole && strcmp(place + whole - tail, path) == 0)
        path[0] = 0; /* "--set PATH" says it already */
    return err_set(e, ERR_PLAN, "%s: %s%s%s", place, path, path[0] ? ": " : "", text);
}

char *node_number_text(double v, char *buf, size_t size)
{
    for (int digit = 15; digit <= 17; digit++) {
        (void)snprintf(buf, size, "%.*g", digit, v);
        if (strtod(buf, NULL) == v) break;
    }
    return buf;
}
