/* Agents' session trees as kv-cache-tester records them ("Weka traces"): one JSON object for each tree, `requests` in
 * order. `n` and `s` are requests (whole answers and streams, which are sent as the plan says), `subagent` holds those
 * of a sub-agent. Seen in 710 files of the public corpus:
 *
 * - Times are seconds. `t` is the beginning (often whole seconds), `api_time` how long the answer took (missing from
 * one in eleven), `think_time` the pause before.
 * - A sub-agent's own times begin at 0. Its `t` is when it ended, `duration_ms` how long it took; files of others have
 *   times of the whole tree there: those that are not before the request that started it are taken for such.
 * - The next request waits for a sub-agent unless its `status` is async_launched.
 * - `hash_ids` are blocks of `block_size` tokens; a last one that is not full has none. They mean the same text within
 *   one file (`hash_id_scope` local).
 * - `out` is 0 in some. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/fingerprint.h"
#include "coordinator/corpus/format.h"
#include "coordinator/corpus/read_number.h"
#include "coordinator/corpus/tree_draft.h"

enum { DEPTH_MAX = 8, BLOCK_DEFAULT = 64 };

struct weka {
    struct json j;
    struct draft *d;
    struct tree_draft *t;
    double block;
    bool local;
    uint64_t id;
    uint32_t request; /* of the file, from 1: for messages */
};

/* An element of a list of requests. */
struct entry {
    struct tree_request r;
    double ms, api_s;
    bool subagent, background, has_type, has_time, has_in, has_out;
    struct json inner; /* of a sub-agent: where its list begins */
    bool has_inner;
};

/* What is joined by the next request of the same list. */
struct joins {
    uint32_t thread[256];
    uint32_t n;
};

static bool wrong(struct weka *w, const char *what)
{
    (void)draft_broken(w->d, "request %u: %s", w->request, what);
    return false;
}

static bool ids_next(struct weka *w, struct entry *e)
{
    struct draft_ids ids;
    const char *what = draft_ids(w->d, &w->j, UINT64_C(1) << 32, &ids);
    e->r.ids_at = ids.at;
    e->r.n_ids = ids.n;
    return !what || (what != w->d->why && wrong(w, what));
}

/* Which member it is; its value is read. */
static bool member(struct weka *w, struct entry *e)
{
    struct json *j = &w->j;
    if (JSON_IS(j, "t")) return (e->has_time = read_json_number(j, &e->r.start_s)) || true;
    if (JSON_IS(j, "in")) return (e->has_in = read_json_number(j, &e->r.input)) || true;
    if (JSON_IS(j, "out")) return (e->has_out = read_json_number(j, &e->r.output)) || true;
    if (JSON_IS(j, "api_time")) return read_json_number(j, &e->api_s) || (e->api_s = NAN, true);
    if (JSON_IS(j, "think_time")) return read_json_number(j, &e->r.think_s) || (e->r.think_s = NAN, true);
    if (JSON_IS(j, "duration_ms")) return read_json_number(j, &e->ms) || (e->ms = NAN, true);
    if (JSON_IS(j, "hash_ids")) return ids_next(w, e);
    if (JSON_IS(j, "model")) {
        if (json_enter(j, JSON_STRING)) e->r.model = tree_draft_model(w->t, j->text, j->len);
        return true;
    }
    if (JSON_IS(j, "type")) {
        e->has_type = json_enter(j, JSON_STRING);
        e->subagent = e->has_type && JSON_IS(j, "subagent");
        return true;
    }
    if (JSON_IS(j, "status")) {
        e->background = json_enter(j, JSON_STRING) && JSON_IS(j, "async_launched");
        return true;
    }
    if (JSON_IS(j, "requests")) {
        e->inner = *j;
        e->has_inner = true;
    }
    (void)json_skip(j); /* what is broken stays so, and ends the caller's loop */
    return true;
}

/* `left`: sub-agents at its end, which no request of the list waits for. */
static bool read_list(struct weka *w, uint32_t thread, uint32_t depth, double shift, struct joins *left);

static bool join(struct weka *w, struct joins *to, uint32_t thread)
{
    if (to->n == sizeof to->thread / sizeof *to->thread) return wrong(w, "too many sub-agents are joined");
    to->thread[to->n++] = thread;
    return true;
}

/* The beginning of the first request of a list. */
static double first_time(struct json j)
{
    double s = NAN;
    enum json_token t;
    if (json_next(&j) != JSON_ARRAY || json_next(&j) != JSON_OBJECT) return NAN;
    while ((t = json_next(&j)) == JSON_KEY) {
        if (JSON_IS(&j, "t")) return read_json_number(&j, &s) ? s : (double)NAN;
        if (json_skip(&j) < 0) return NAN;
    }
    return NAN;
}

/* A sub-agent: `last` is the latest request of the list that it stands in. */
static bool take_subagent(struct weka *w, const struct entry *e, uint32_t last, uint32_t depth, double shift,
                          struct joins *joins)
{
    if (!e->has_inner) return wrong(w, "a sub-agent without \"requests\"");
    if (depth == DEPTH_MAX) return wrong(w, "sub-agents lie too deep in one another");
    double inner = first_time(e->inner), marker = e->r.start_s + shift;
    if (isnan(inner)) return true; /* it sent nothing */
    double before = last == TREE_NONE ? 0 : w->t->request[last].start_s;
    bool absolute = inner > 0 && inner + shift >= before;
    double begun = isnan(e->ms) || e->ms < 0 ? marker : marker - e->ms / 1e3;
    uint32_t thread = tree_draft_thread(w->t, last);
    if (thread == TREE_NONE) return wrong(w, "there are too many sub-agents");
    struct json outer = w->j;
    w->j = e->inner;
    struct joins left = {.n = 0};
    if (!read_list(w, thread, depth + 1, absolute ? shift : begun, &left)) return false;
    w->j = outer;
    if (e->background) return true;
    for (uint32_t i = 0; i < left.n; i++) /* it is not over before those are */
        if (!join(w, joins, left.thread[i])) return false;
    return join(w, joins, thread);
}

static bool take_request(struct weka *w, const struct entry *e, uint32_t thread, double shift, struct joins *joins)
{
    if (!e->has_time) return wrong(w, "\"t\" is missing, or not a number");
    if (!e->has_in) return wrong(w, "\"in\" is missing, or not a number");
    if (!e->has_out) return wrong(w, "\"out\" is missing, or not a number");
    struct tree_request *r = tree_draft_add(w->t);
    if (!r) return wrong(w, "the tree has too many requests");
    uint32_t join_at = r->join_at;
    *r = e->r;
    r->join_at = join_at;
    r->thread = thread;
    r->start_s += shift;
    r->end_s = isnan(e->api_s) || e->api_s < 0 ? (double)NAN : r->start_s + e->api_s;
    for (uint32_t i = 0; i < joins->n; i++)
        if (!tree_draft_join(w->t, r, joins->thread[i])) return wrong(w, "too many sub-agents are joined");
    joins->n = 0;
    return true;
}

static bool read_list(struct weka *w, uint32_t thread, uint32_t depth, double shift, struct joins *left)
{
    enum json_token t;
    uint32_t last = TREE_NONE;
    if (json_next(&w->j) != JSON_ARRAY) return wrong(w, "\"requests\" is not a list");
    while ((t = json_next(&w->j)) == JSON_OBJECT) {
        struct entry e = {.r = {.end_s = NAN, .think_s = NAN}, .ms = NAN, .api_s = NAN};
        w->request++;
        while ((t = json_next(&w->j)) == JSON_KEY)
            if (!member(w, &e)) return false;
        if (t != JSON_OBJECT_END) return wrong(w, "here it is no longer JSON");
        if (!e.has_type) return wrong(w, "\"type\" is missing, or not a word");
        if (e.subagent ? !take_subagent(w, &e, last, depth, shift, left) : !take_request(w, &e, thread, shift, left))
            return false;
        if (!e.subagent) last = w->t->n - 1;
    }
    return t == JSON_ARRAY_END || wrong(w, "here it is no longer JSON");
}

static bool head_member(struct weka *w, bool *ret_requests)
{
    struct json *j = &w->j;
    if (JSON_IS(j, "block_size"))
        return read_json_number(j, &w->block) || (draft_broken(w->d, "\"block_size\" is not a number"), false);
    if (JSON_IS(j, "hash_id_scope")) {
        w->local = !(json_enter(j, JSON_STRING) && JSON_IS(j, "global"));
        return true;
    }
    if (JSON_IS(j, "id")) {
        if (!json_enter(j, JSON_STRING)) return true;
        w->id = fingerprint_bytes(FINGERPRINT_INIT, j->text, j->len);
        return true;
    }
    if (JSON_IS(j, "requests")) {
        uint32_t root = tree_draft_thread(w->t, TREE_NONE);
        *ret_requests = true;
        struct joins left = {.n = 0};
        return root != TREE_NONE && read_list(w, root, 0, 0, &left);
    }
    (void)json_skip(j);
    return true;
}

enum draft_result weka_read(const struct plan_data *p, const char *text, size_t n, struct draft *d)
{
    struct weka w = {.d = d, .block = BLOCK_DEFAULT, .local = true, .id = 1};
    enum json_token t;
    bool requests = false;
    if (!(w.t = tree_draft_of(d))) return draft_broken(d, "there is no memory for it");
    json_begin(&w.j, text, n);
    if (json_next(&w.j) != JSON_OBJECT) return draft_broken(d, "it is not a JSON object");
    while ((t = json_next(&w.j)) == JSON_KEY)
        if (!head_member(&w, &requests)) return DRAFT_BROKEN;
    if (t != JSON_OBJECT_END || json_next(&w.j) != JSON_END) return draft_broken(d, "it is not JSON");
    if (!requests) return draft_broken(d, "\"requests\" is missing: one JSON object for each tree is wanted");
    if (!(w.block >= 1 && w.block <= 65536)) return draft_broken(d, "a \"block_size\" of %g cannot be", w.block);
    return tree_draft_finish(w.t, p, (uint32_t)w.block, true, w.local ? w.id | 1 : 0, d);
}
