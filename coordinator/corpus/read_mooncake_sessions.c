/* Sessions in the form of Mooncake's trace, as AIPerf and Dynamo write and play them: lines of one session_id are its
 * turns, in order; a line without one is a session by itself.
 *
 *   {"session_id": "a", "input_length": 1100, "output_length": 70, "hash_ids": [0, 1, 9], "timestamp": 0}
 *   {"session_id": "a", "input_length": 600, "output_length": 5, "hash_ids": [10, 11], "delay": 2500.5}
 *
 * - A turn's input_length is what is new in it: its prompt is all that was said before, with the answers, and then
 *   that. Two kinds of line hold the whole prompt instead: one that says so ("context_mode":
 *   "message_array_with_responses"), and one that begins with the same hash id as the turn before.
 * - `delay` (ms) passes after the answer before. Without it, the times of two lines do, where both have one.
 * - Hash ids are of blocks of 512 tokens, the last of which may not be full; they mean the same text in the whole file.
 *   What is new need not begin where a block does, so that prompts are cut into smaller ones: an eighth of a block has
 *   an id of its own. Answers, and turns without ids, get ids of their own. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/corpus/format.h"
#include "coordinator/corpus/read_number.h"
#include "coordinator/corpus/tree_draft.h"

enum { BLOCK = 512, PART = 64, PARTS = BLOCK / PART };
#define ID_MAX (UINT32_C(1) << 28) /* ids of parts lie below 2^31, those made up above */

struct turn {
    double input, output, ms, delay_ms;
    bool has_input, has_output, has_ids, whole;
    uint32_t ids_at, n_ids; /* as they stand in the file, of the draft's blocks */
};

struct reading {
    struct tree_draft *t;
    struct draft *d;
    struct turn was;      /* the turn before */
    double tokens;        /* of its prompt */
    uint32_t first_id;    /* of the latest turn that had ids */
    uint32_t own, own_at; /* ids made up: own_at + own on */
};

enum draft_result mooncake_sessions_split(const char *text, size_t n, uint64_t line, struct bundles *g, struct draft *d)
{
    return bundles_add_line(g, "session_id", true, line, text, n, d);
}

static const char *read_ids(struct json *j, struct draft *d, struct turn *u)
{
    struct draft_ids ids;
    const char *wrong = draft_ids(d, j, ID_MAX, &ids);
    u->has_ids = ids.there;
    u->ids_at = ids.at;
    u->n_ids = ids.n;
    return wrong;
}

/* What the line has instead of lengths, or beside them, and would change what is played. */
static const char *foreign_member(const struct json *j)
{
    if (JSON_IS(j, "text_input") || JSON_IS(j, "messages") || JSON_IS(j, "payload"))
        return "it holds a prompt's text, and this format is lengths and hash ids";
    return JSON_IS(j, "wait_for") ? "\"wait_for\" is not read: turns follow one another by \"delay\"" : NULL;
}

static const char *read_turn(const struct bundle_part *part, struct draft *d, struct turn *u)
{
    struct json j;
    *u = (struct turn){.ms = NAN, .delay_ms = NAN};
    json_begin(&j, part->text, part->n);
    (void)json_next(&j);
    while (json_next(&j) == JSON_KEY) {
        const char *wrong = NULL, *foreign = foreign_member(&j);
        if (JSON_IS(&j, "input_length"))
            u->has_input = read_json_number(&j, &u->input);
        else if (JSON_IS(&j, "output_length"))
            u->has_output = read_json_number(&j, &u->output);
        else if (JSON_IS(&j, "timestamp"))
            (void)read_json_number(&j, &u->ms);
        else if (JSON_IS(&j, "delay"))
            (void)read_json_number(&j, &u->delay_ms);
        else if (JSON_IS(&j, "hash_ids"))
            wrong = read_ids(&j, d, u);
        else if (JSON_IS(&j, "context_mode"))
            u->whole = json_enter(&j, JSON_STRING) && JSON_IS(&j, "message_array_with_responses");
        else if (foreign)
            wrong = json_enter(&j, JSON_NULL) ? NULL : foreign;
        else
            (void)json_skip(&j);
        if (wrong) return wrong;
    }
    if (!u->has_input) return "\"input_length\" is missing, or not a number";
    if (!u->has_output) return "\"output_length\" is missing, or not a number";
    if (!(u->input >= 0 && u->input <= 1e8 && u->output >= 0 && u->output <= 1e8))
        return "lengths below 0 or above 100 million tokens cannot be";
    if (u->delay_ms < 0) return "a \"delay\" below 0 cannot be";
    if (u->has_ids && u->n_ids != (uint32_t)ceil(u->input / BLOCK))
        return "the number of its hash ids is not that of its blocks of 512 tokens";
    return NULL;
}

/* The part at `i` of what stands in the line. */
static uint32_t part_id(const struct reading *r, const struct turn *u, uint32_t i)
{
    return r->d->blocks[u->ids_at + i / PARTS] * PARTS + i % PARTS;
}

/* The ids of a prompt of `tokens`: those of the prompt before, of its answer, of what is new. */
static bool put_ids(struct reading *r, struct tree_request *q, const struct turn *u, bool whole, uint32_t before)
{
    const struct tree_request *b = before == TREE_NONE || whole ? NULL : &r->t->request[before];
    uint32_t full = (uint32_t)(q->input / PART), kept = b ? b->n_ids : 0, given = 0;
    if (u->has_ids) given = whole ? full : (uint32_t)ceil(u->input / PART);
    if (whole && !u->has_ids) full = 0; /* nothing is known of it: it shares nothing */
    if (given > full - kept) given = full - kept;
    q->ids_at = r->d->record.n_blocks;
    q->n_ids = full;
    for (uint32_t i = 0; i < kept; i++)
        if (!draft_block(r->d, r->d->blocks[b->ids_at + i])) return false;
    for (uint32_t i = kept; i < full - given; i++)
        if (!draft_block(r->d, UINT32_C(1) << 31 | (r->own_at + r->own++))) return false;
    for (uint32_t i = 0; i < given; i++)
        if (!draft_block(r->d, part_id(r, u, i))) return false;
    return true;
}

static const char *add_turn(struct reading *r, const struct turn *u)
{
    bool first = r->t->n == 0;
    bool whole = first || u->whole || (u->n_ids && r->d->blocks[u->ids_at] == r->first_id);
    uint32_t before = first ? TREE_NONE : r->t->n - 1;
    double wait_ms = !isnan(u->delay_ms) && !first ? u->delay_ms : first ? 0 : u->ms - r->was.ms;
    if (isnan(wait_ms)) wait_ms = 0;
    if (wait_ms < 0) return "its time lies before that of the turn above";
    double start = first ? 0 : r->t->request[before].end_s + wait_ms / 1e3;
    struct tree_request *q = tree_draft_add(r->t);
    if (!q) return "the session has too many requests";
    if (u->n_ids) r->first_id = r->d->blocks[u->ids_at];
    q->start_s = q->end_s = start; /* the answer's own time is not recorded: what counts is the wait after it */
    r->tokens = q->input = whole ? u->input : r->tokens + r->was.output + u->input;
    q->output = u->output;
    if (q->input > 1e8) return "with all that was said before, its prompt has more than 100 million tokens";
    if (!put_ids(r, q, u, whole, before)) return r->d->why;
    r->was = *u;
    return NULL;
}

enum draft_result mooncake_sessions_group(const struct plan_data *p, const struct bundle_part *part, size_t n,
                                          struct draft *d)
{
    struct reading r = {
        .t = tree_draft_of(d), .d = d, .first_id = UINT32_MAX, .own_at = (uint32_t)part->key & 0x3fffffff};
    if (!r.t) return draft_broken(d, "there is no memory for it");
    (void)tree_draft_thread(r.t, TREE_NONE);
    for (size_t i = 0; i < n; i++) {
        struct turn u;
        const char *wrong = read_turn(&part[i], d, &u);
        if (!wrong) wrong = add_turn(&r, &u);
        if (!wrong) continue;
        d->line = part[i].line;
        return wrong == d->why ? DRAFT_BROKEN : draft_broken(d, "%s", wrong);
    }
    return tree_draft_finish(r.t, p, PART, true, 0, d);
}
