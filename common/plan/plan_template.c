/* An API that the plan itself describes (api: template): the body's places, and the paths, which become one tree so
 * that an event is read once from left to right. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/args.h"
#include "common/json_scan.h"
#include "common/plan/plan_key.h"

enum { PATHS_MAX = 16, STEPS_MAX = 16, PARTS_MAX = 65, ITEM_MAX = 9999 };

static const char *const FILLS[] = {
    [FILL_NOTHING] = "",          [FILL_PROMPT] = "prompt",
    [FILL_MESSAGES] = "messages", [FILL_OUTPUT_TOKENS] = "output_tokens",
    [FILL_MODEL] = "model",
};
enum { FILLS_N = sizeof FILLS / sizeof *FILLS };

/* Where each kind of path is written. */
static const struct {
    const char *section, *key;
} WRITTEN[PLACE_N] = {
    [PLACE_TEXT] = {NULL, "text"},
    [PLACE_REASONING] = {NULL, "reasoning"},
    [PLACE_TOOLS] = {NULL, "tools"},
    [PLACE_INPUT] = {"usage", "input"},
    [PLACE_OUTPUT] = {"usage", "output"},
    [PLACE_CACHED] = {"usage", "cached"},
    [PLACE_THOUGHT] = {"usage", "reasoning"},
    [PLACE_ERROR] = {NULL, "error"},
    [PLACE_FINISH] = {NULL, "finish"},
};

/* ---- the body ---- */

/* The place that begins at p: a name in braces. Its length with them; 0: none. */
static size_t place_length(const char *p)
{
    size_t n = strspn(p + 1, "abcdefghijklmnopqrstuvwxyz_");
    return n > 0 && p[n + 1] == '}' ? n + 2 : 0;
}

static int place_read(struct reader *r, const struct node *n, const char *p, size_t len, struct template_part *ret)
{
    char name[40];
    (void)snprintf(name, sizeof name, "%.*s", (int)len - 2, p + 1);
    for (int i = 1; i < FILLS_N; i++)
        if (strcmp(name, FILLS[i]) == 0) ret->fill = (enum template_fill)i;
    if (ret->fill == FILL_MESSAGES && ret->quoted)
        return node_refuse(n, false, r->e, "{messages} is a list and stands within a string: take the quotes away");
    if (ret->fill != FILL_NOTHING) return 0;
    const char *near = args_nearest(name, FILLS + 1, FILLS_N - 1);
    return node_refuse(
        n, false, r->e, "unknown placeholder {%s}; %s%s%s%s", name,
        near ? "did you mean {" : "known here: ", near ? near : "{prompt}, {messages}, {output_tokens}, {model}",
        near ? "}?" : "", ret->quoted && !near ? ". A brace of the text itself is written \\u007b" : "");
}

static int parts_read(struct reader *r, const struct node *n, struct plan_template *t)
{
    bool quoted = false;
    const char *from = t->body, *p = from;
    t->parts = read_keep_array(r, n, PARTS_MAX, sizeof *t->parts);
    if (!t->parts) return -1;
    for (; *p; p++) {
        size_t len = *p == '{' ? place_length(p) : 0;
        if (quoted && *p == '\\' && p[1])
            p++;
        else if (*p == '"')
            quoted = !quoted;
        if (!len) continue;
        if (t->n_parts + 2 >= PARTS_MAX) return node_refuse(n, false, r->e, "more than 32 placeholders");
        if (p > from) t->parts[t->n_parts++] = (struct template_part){.text = from, .len = (size_t)(p - from)};
        t->parts[t->n_parts].quoted = quoted;
        if (place_read(r, n, p, len, &t->parts[t->n_parts++])) return -1;
        from = p + len;
        p = from - 1;
    }
    if (p > from) t->parts[t->n_parts++] = (struct template_part){.text = from, .len = (size_t)(p - from)};
    return 0;
}

/* The body is JSON when its places are filled in. */
static int body_check(struct reader *r, const struct node *n, const struct plan_template *t)
{
    static const char *const PLAIN[] = {"", "\"x\"", "[]", "1", "\"x\""}, *const QUOTED[] = {"", "x", "", "1", "x"};
    struct buf out __attribute__((cleanup(buf_clear))) = BUF_INIT(1u << 16);
    bool asks = false;
    for (const struct template_part *p = t->parts; p < t->parts + t->n_parts; p++) {
        if (p->fill == FILL_NOTHING)
            (void)buf_put(&out, p->text, p->len);
        else
            (void)buf_puts(&out, (p->quoted ? QUOTED : PLAIN)[p->fill]);
        asks |= p->fill == FILL_PROMPT || p->fill == FILL_MESSAGES;
    }
    if (out.bad) return node_refuse(n, false, r->e, "the plan is too large");
    struct json j;
    json_begin(&j, buf_str(&out), out.len);
    enum json_token k;
    while ((k = json_next(&j)) != JSON_BAD && k != JSON_END)
        ;
    if (k == JSON_BAD && j.at == j.end)
        return node_refuse(n, false, r->e, "is no JSON when its placeholders are filled in: it ends too early");
    if (k == JSON_BAD)
        return node_refuse(n, false, r->e, "is no JSON when its placeholders are filled in, at: %.24s", j.at);
    if (!asks) return node_refuse(n, false, r->e, "needs {prompt} or {messages}: every request would be the same");
    return 0;
}

static int template_body_read(struct reader *r, const struct plan_key *k, const struct node *n, void *at)
{
    (void)k;
    return scalar_read_text(r, n, "the request's JSON as text, in quotes", at);
}
static struct node *template_body_write(struct tree *t, const struct plan_key *k, const void *at)
{
    const char *s = *(const char *const *)at;
    (void)k;
    return s ? node_new_text(t, s) : NULL;
}
const struct key_type KEY_TEMPLATE_BODY = {"text", "\"type\": \"string\", \"minLength\": 1", template_body_read,
                                           template_body_write};

/* ---- paths ---- */

static int paths_read(struct reader *r, const struct plan_key *k, const struct node *n, void *at)
{
    struct plan_paths *p = at;
    bool list = n->kind == NODE_SEQ;
    (void)k;
    if (list && (n->n == 0 || n->n > PATHS_MAX))
        return node_refuse(n, false, r->e, "expected 1 to %d paths, got %zu", PATHS_MAX, n->n);
    if (!list && n->kind != NODE_TEXT)
        return read_expected(r, n, "a path such as choices[].delta.content, or a list of them");
    p->n = list ? n->n : 1;
    p->path = read_keep_array(r, n, p->n, sizeof *p->path);
    if (!p->path) return -1;
    if (!list) return scalar_read_text(r, n, "a path", p->path);
    for (const struct node *c = n->first; c; c = c->next)
        if (scalar_read_text(r, c, "a path", &p->path[c->index])) return -1;
    return 0;
}
static struct node *paths_write(struct tree *t, const struct plan_key *k, const void *at)
{
    const struct plan_paths *p = at;
    (void)k;
    if (p->n == 0) return NULL;
    if (p->n == 1) return node_new_text(t, p->path[0]);
    struct node *all = node_new(t, NODE_SEQ);
    for (size_t i = 0; i < p->n; i++)
        node_add(t, all, node_new_text(t, p->path[i]));
    return all;
}
const struct key_type KEY_PATHS = {"path, or list of them",
                                   "\"oneOf\": [{\"type\": \"string\"}, {\"type\": \"array\", \"minItems\": 1, "
                                   "\"items\": {\"type\": \"string\"}}]",
                                   paths_read, paths_write};

/* One step of a path: a name, or an item of a list. Returns what follows it; NULL: no step. */
static const char *step_read(const char *p, bool begins, struct template_step *ret)
{
    *ret = (struct template_step){.item = TEMPLATE_EACH};
    if (*p == '[') {
        size_t digits = strspn(p + 1, "0123456789");
        if (p[digits + 1] != ']' || digits > 4) return NULL;
        if (digits > 0) ret->item = (uint32_t)strtoul(p + 1, NULL, 10);
        return p + digits + 2;
    }
    if (!begins && *p++ != '.') return NULL;
    ret->name = p;
    ret->len = strcspn(p, ".[]");
    return ret->len > 0 ? p + ret->len : NULL;
}

static bool same_step(const struct template_step *a, const struct template_step *b)
{
    if (!a->name || !b->name) return !a->name && !b->name && a->item == b->item;
    return a->len == b->len && memcmp(a->name, b->name, a->len) == 0;
}

/* The step below `up`, made if it is not there; what does not go together is refused. */
static struct template_step *step_below(struct reader *r, const struct node *n, struct template_step *up,
                                        const struct template_step *want)
{
    struct template_step **link = &up->first;
    for (; *link; link = &(*link)->next) {
        if (same_step(*link, want)) return *link;
        if (!(*link)->name == !want->name &&
            (want->name || ((*link)->item != TEMPLATE_EACH && want->item != TEMPLATE_EACH)))
            continue;
        (void)node_refuse(
            n, false, r->e,
            want->name || (*link)->name
                ? "another path reads a list here, and this one names in an object, or the other way round"
                : "one path takes each item of a list with [], another one only some");
        return NULL;
    }
    if (up->places) {
        (void)node_refuse(n, false, r->e, "another path already takes all that stands here");
        return NULL;
    }
    *link = read_keep_array(r, n, 1, sizeof **link);
    if (*link) **link = *want;
    return *link;
}

static int path_add(struct reader *r, const struct node *n, const char *path, unsigned places, struct plan_template *t)
{
    struct template_step *at = t->steps, want;
    int steps = 0;
    for (const char *p = path; *p; steps++) {
        p = step_read(p, p == path, &want);
        if (!p)
            return node_refuse(n, false, r->e,
                               "is no path: names with dots between them, [] for each item of a list, [0] for its "
                               "first, such as choices[].delta.content");
        if (steps == 0 && !want.name && t->framing != TEMPLATE_WHOLE)
            return node_refuse(n, false, r->e, "a path into an event begins with a name: an event is a JSON object");
        if (steps == STEPS_MAX) return node_refuse(n, false, r->e, "has more than %d steps", STEPS_MAX);
        at = step_below(r, n, at, &want);
        if (!at) return -1;
    }
    if (at->first) return node_refuse(n, false, r->e, "another path leads into what stands here");
    unsigned both = at->places | places;
    if (at->places && both != (1u << PLACE_FINISH | TEMPLATE_ENDS))
        return node_refuse(n, false, r->e, "the same path is given twice");
    at->places = both;
    return 0;
}

/* ---- the end ---- */

static const char *const ENDS[] = {
    [TEMPLATE_END_DATA] = "data", [TEMPLATE_END_EVENT] = "event", [TEMPLATE_END_PATH] = "finish"};

static int template_end_read(struct reader *r, const struct plan_key *k, const struct node *n, void *at)
{
    static const char WANT[] = "{data: \"[DONE]\"}, {event: NAME}, {finish: PATH} or close";
    struct plan_template *t = at;
    (void)k;
    if (!n) return 0; /* template_check decides */
    t->end = TEMPLATE_END_CLOSE;
    if (n->kind == NODE_TEXT && strcmp(n->text, "close") == 0) return 0;
    if (n->kind != NODE_MAP || n->n != 1) return read_expected(r, n, WANT);
    for (t->end = TEMPLATE_END_DATA; t->end <= TEMPLATE_END_PATH; t->end++)
        if (strcmp(n->first->key, ENDS[t->end]) == 0)
            return scalar_read_text(r, n->first, t->end == TEMPLATE_END_PATH ? "a path" : "text", &t->end_text);
    return node_refuse(n->first, true, r->e, "expected %s", WANT);
}
static struct node *template_end_write(struct tree *tr, const struct plan_key *k, const void *at)
{
    const struct plan_template *t = at;
    (void)k;
    if (t->end == TEMPLATE_END_NONE) return NULL;
    if (t->end == TEMPLATE_END_CLOSE) return node_new_text(tr, "close");
    struct node *map = node_new(tr, NODE_MAP);
    node_put(tr, map, ENDS[t->end], node_new_text(tr, t->end_text));
    return map;
}
const struct key_type KEY_TEMPLATE_END = {
    "close, or {data}, {event} or {finish}",
    "\"oneOf\": [{\"const\": \"close\"}, {\"type\": \"object\", \"minProperties\": 1, \"maxProperties\": 1, "
    "\"additionalProperties\": false, \"properties\": {\"data\": {\"type\": \"string\"}, \"event\": {\"type\": "
    "\"string\"}, \"finish\": {\"type\": \"string\"}}}]",
    template_end_read, template_end_write};

static int end_check(struct reader *r, const struct node *map, struct plan_template *t)
{
    const struct node *n = node_get(map, "end");
    if (t->framing == TEMPLATE_WHOLE && t->end == TEMPLATE_END_NONE) t->end = TEMPLATE_END_CLOSE;
    if (t->end == TEMPLATE_END_NONE)
        return node_refuse(map, false, r->e,
                           "needs \"end\", what ends a stream: {data: \"[DONE]\"}, {event: NAME}, {finish: PATH}, or "
                           "close for the body's end");
    if (t->framing == TEMPLATE_WHOLE && t->end != TEMPLATE_END_CLOSE)
        return node_refuse(n, false, r->e, "with framing: json the answer ends with its body");
    if (t->framing == TEMPLATE_LINES && t->end == TEMPLATE_END_EVENT)
        return node_refuse(n, false, r->e,
                           "with framing: ndjson events have no names: use {finish: PATH} or {data: …}");
    return t->end == TEMPLATE_END_PATH ? path_add(r, n->first, t->end_text, TEMPLATE_ENDS, t) : 0;
}

/* ---- the section ---- */

int template_check(struct reader *r, const struct node *map, void *base)
{
    struct plan_template *t = &((struct plan_target *)base)->template;
    if (parts_read(r, node_get(map, "body"), t) || body_check(r, node_get(map, "body"), t)) return -1;
    t->steps = read_keep_array(r, map, 1, sizeof *t->steps);
    if (!t->steps) return -1;
    for (unsigned place = 0; place < PLACE_N; place++) {
        const struct node *from = WRITTEN[place].section ? node_get(map, WRITTEN[place].section) : map;
        const struct node *n = node_get(from, WRITTEN[place].key);
        for (size_t i = 0; i < t->paths[place].n; i++)
            if (path_add(r, n->kind == NODE_SEQ ? node_at(n, i) : n, t->paths[place].path[i], 1u << place, t))
                return -1;
    }
    return end_check(r, map, t);
}

static int template_read(struct reader *r, const struct plan_key *k, const struct node *n, void *at)
{
    return read_section(r, n, k->sub, at);
}
static struct node *template_write(struct tree *t, const struct plan_key *k, const void *at)
{
    const struct plan_target *target = at;
    return target->template.body ? write_section(t, k->sub, target, 0) : NULL;
}
const struct key_type KEY_TEMPLATE = {"mapping", NULL, template_read, template_write};
