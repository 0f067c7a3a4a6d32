/* Coding agents' sessions as TraceLab publishes them: a line for each request, which it calls a round; a session's
 * lines may lie anywhere in the file.
 *
 * - The tokens of a prompt are input_tokens_total; the first prefix_tokens of them came from the cache. So blocks are
 *   made up: those within the prefix are the ones of the request before, the others are new. A prefix that reaches
 *   beyond that request's prompt held its answer too, of which nothing is known: that part is new.
 * - output_tokens hold reasoning_output_tokens.
 * - A request began with the last event that went into it (user_message, tool_result; several tools may answer) and
 *   ended with the last that came out of it. A line with none of these has no place in time.
 * - round_index and the times may disagree: the times count. Lines that have both in common are kept.
 * - Sub-agents are sessions of their own, and nothing says whose they are: they are played on their own. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/fingerprint.h"
#include "coordinator/corpus/format.h"
#include "coordinator/corpus/read_number.h"
#include "coordinator/corpus/tree_draft.h"

enum { BLOCK = 64 };

struct round {
    double input, prefix, output, index;
    int64_t began, ended; /* ns */
    bool has_input, has_output, began_known, ended_known;
    const char *model;
    size_t model_n;
    const char *text; /* the line: order of the file */
    uint64_t line;
};

enum draft_result tracelab_split(const char *text, size_t n, uint64_t line, struct bundles *g, struct draft *d)
{
    return bundles_add_line(g, "session_id", false, line, text, n, d);
}

static bool later(int64_t *at, bool *known, int64_t ns)
{
    if (!*known || ns > *at) *at = ns;
    return *known = true;
}

/* One event; false: its time is none. What is broken otherwise stays so, and ends the callers' loops. */
static bool read_event(struct json *j, struct round *r, int64_t *first_out)
{
    enum json_token t;
    bool in = false, out = false, known = false;
    int64_t ns = 0;
    while ((t = json_next(j)) == JSON_KEY) {
        if (JSON_IS(j, "event_type")) {
            if (!json_enter(j, JSON_STRING)) continue;
            in = JSON_IS(j, "user_message") || JSON_IS(j, "tool_result");
            out = JSON_IS(j, "text") || JSON_IS(j, "reasoning") || JSON_IS(j, "tool_call");
        } else if (JSON_IS(j, "timestamp")) {
            if (!json_enter(j, JSON_STRING)) continue;
            if (!read_timestamp(j->text, j->len, &ns)) return false;
            known = true;
        } else {
            (void)json_skip(j);
        }
    }
    if (!known) return true;
    if (in) (void)later(&r->began, &r->began_known, ns);
    if (out && (!r->ended_known || ns < *first_out)) *first_out = ns;
    if (out) (void)later(&r->ended, &r->ended_known, ns);
    return true;
}

static bool read_events(struct json *j, struct round *r)
{
    enum json_token t = json_next(j);
    int64_t first_out = 0;
    if (t != JSON_ARRAY) {
        (void)json_leave(j, t);
        return true;
    }
    while ((t = json_next(j)) == JSON_OBJECT)
        if (!read_event(j, r, &first_out)) return false;
    if (!r->began_known && r->ended_known) { /* nothing says what went in: it began with its first word */
        r->began = first_out;
        r->began_known = true;
    }
    return t == JSON_ARRAY_END || json_leave(j, t) == 0;
}

static const char *read_round(const struct bundle_part *part, struct round *r)
{
    struct json j;
    *r = (struct round){.text = part->text, .line = part->line};
    json_begin(&j, part->text, part->n);
    (void)json_next(&j);
    while (json_next(&j) == JSON_KEY) {
        if (JSON_IS(&j, "input_tokens_total"))
            r->has_input = read_json_number(&j, &r->input);
        else if (JSON_IS(&j, "output_tokens"))
            r->has_output = read_json_number(&j, &r->output);
        else if (JSON_IS(&j, "prefix_tokens"))
            (void)read_json_number(&j, &r->prefix);
        else if (JSON_IS(&j, "round_index"))
            (void)read_json_number(&j, &r->index);
        else if (JSON_IS(&j, "model")) {
            if (!json_enter(&j, JSON_STRING)) continue;
            r->model = j.text;
            r->model_n = j.len;
        } else if (JSON_IS(&j, "timing_events")) {
            if (!read_events(&j, r)) return "a \"timestamp\" is no time such as 2026-06-01T05:40:20.151Z";
        } else
            (void)json_skip(&j);
    }
    if (!r->has_input) return "\"input_tokens_total\" is missing, or not a number";
    if (!r->has_output) return "\"output_tokens\" is missing, or not a number";
    if (!r->began_known) return "no event in \"timing_events\" says when it was sent or answered";
    if (r->ended_known && r->ended < r->began) r->ended = r->began;
    return NULL;
}

static int by_time(const void *a, const void *b)
{
    const struct round *x = a, *y = b;
    if (x->began != y->began) return x->began < y->began ? -1 : 1;
    if (x->index < y->index || x->index > y->index) return x->index < y->index ? -1 : 1;
    return x->text < y->text ? -1 : x->text > y->text;
}

static bool add_round(struct tree_draft *t, struct draft *d, const struct round *r, uint32_t thread, int64_t origin)
{
    uint32_t before = t->n ? t->n - 1 : TREE_NONE;
    struct tree_request *q = tree_draft_add(t);
    if (!q) return (void)draft_broken(d, "the session has too many requests"), false;
    q->thread = thread;
    q->start_s = (double)(r->began - origin) / NS_PER_S;
    if (r->ended_known) q->end_s = (double)(r->ended - origin) / NS_PER_S;
    q->input = r->input;
    q->output = r->output;
    if (r->model) q->model = tree_draft_model(t, r->model, r->model_n);
    return tree_draft_prompt(t, d, q, before, r->prefix, BLOCK);
}

enum draft_result tracelab_group(const struct plan_data *p, const struct bundle_part *part, size_t n, struct draft *d)
{
    struct tree_draft *t = tree_draft_of(d);
    struct round *round = t ? malloc(n * sizeof *round) : NULL;
    if (!round) return draft_broken(d, "there is no memory for it");
    enum draft_result result = DRAFT_REQUEST;
    for (size_t i = 0; i < n && result == DRAFT_REQUEST; i++) {
        const char *wrong = read_round(&part[i], &round[i]);
        if (!wrong) continue;
        d->line = part[i].line;
        result = draft_broken(d, "%s", wrong);
    }
    if (result == DRAFT_REQUEST) {
        uint32_t thread = tree_draft_thread(t, TREE_NONE);
        qsort(round, n, sizeof *round, by_time);
        for (size_t i = 0; i < n && result == DRAFT_REQUEST; i++)
            if (!add_round(t, d, &round[i], thread, round[0].began)) result = DRAFT_BROKEN;
    }
    free(round);
    return result == DRAFT_REQUEST ? tree_draft_finish(t, p, BLOCK, true, part->key | 1, d) : result;
}
