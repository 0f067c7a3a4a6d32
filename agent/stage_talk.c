/* Conversations in a stage: which request is whose turn, and what becomes of a conversation when its request has ended.
 *
 * A closed loop has slots without names. Where the load counts sessions, a slot is due again at the very moment of its
 * conversation's next turn, so that the pacer's heap of slots and the heap of those that think have the same times, and
 * the first of one goes with the first of the other. Where it counts requests, a slot is due at once, and takes the
 * conversation whose turn has been due for longest, or begins a new one. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/stage.h"
#include "common/rng.h"

enum { NAME_STREAM = 20 }; /* names of requests that are part of no conversation */

struct talk *stage_talk_due(struct stage *st, int64_t due)
{
    return st->has_talks ? talks_due(&st->talks, due) : NULL;
}

static uint64_t seed_of(const struct stage *st)
{
    return rng_mix(st->shard.seed, NAME_STREAM, st->shard.part, 0);
}

/* Takes the conversation that goes on, or begins one where the request's workload wants it. */
static int choose(struct stage *st, struct request *r)
{
    struct talk *k = r->talk;
    if (r->node) {
        stage_tree_choose(st, r);
        return 0;
    }
    workload_choose(st->workload, r->number, &r->choice);
    const struct plan_workload *w = &st->plan->workloads[k ? k->workload : r->choice.workload];
    if (!k && w->sessions.on) {
        k = r->talk = talks_begin(&st->talks, &w->sessions, seed_of(st));
        if (!k) return -1;
        k->workload = r->choice.workload;
        k->model = r->choice.model;
    }
    if (!k) return 0;
    r->choice.workload = k->workload;
    r->choice.model = k->model;
    return 0;
}

/* What of the prompt an earlier request began with. Of a conversation's next turn the server has counted it, with all
 * that its template adds to each message: its hit rate is of such tokens. */
static void take_repeated(struct request *r, uint32_t repeated)
{
    const struct talk *k = r->talk;
    uint32_t most = r->choice.input_tokens;
    r->stream.prompt_by_usage = k && (k->turn == 1 || k->counted);
    r->stream.prompt_repeated = k && k->turn > 1 && k->counted ? k->counted : repeated < most ? repeated : most;
}

int stage_write_body(struct stage *st, struct request *r, uint64_t number)
{
    struct dialect_request ask;
    r->number = number;
    if (choose(st, r) < 0) return -1;
    uint64_t own = r->talk ? r->talk->number - 1 : r->node ? r->choice.play : number;
    if (workload_ask(st->workload, number, own, &r->choice, &ask) < 0) return -1;
    if (r->talk && talk_turn(r->talk, &ask, &r->choice.input_tokens) < 0) return -1;
    payload_reset(&r->body);
    if (st->dialect.write_body(&st->dialect, &ask, &r->body.text) < 0) return -1;
    r->stream.asked_tokens = dialect_asked(&st->dialect, ask.output_tokens);
    r->stream.prompt_tokens = r->choice.input_tokens;
    r->stream.prompt_beside = ask.beside;
    take_repeated(r, ask.repeated);
    r->stream.prompt_guessed = ask.guessed;
    return 0;
}

int stage_try_body(struct stage *st)
{
    struct corpus_record record;
    struct request *r = st->places[0];
    if (!st->has_trees) return stage_write_body(st, r, 0);
    struct session_tree *k =
        workload_tree(st->workload, 0, &record) < 0 ? NULL : trees_begin(&st->trees, &record, 0, 0, 0);
    if (!k) return -1;
    r->node = k->node;
    int rc = stage_write_body(st, r, 0);
    r->node = NULL;
    trees_restart(&st->trees);
    return rc;
}

uint64_t stage_session(const struct stage *st, const struct request *r)
{
    if (!r->talk && !r->node) return 0;
    uint64_t number = r->talk ? r->talk->number - 1 : r->node->tree->play;
    return number * SHARD_WORKERS + st->shard.part % SHARD_WORKERS + 1;
}

void stage_talk_send(struct stage *st, struct request *r)
{
    struct talk *k = r->talk;
    r->transfer.own = 0;
    r->transfer.session = NULL;
    if (r->node) {
        stage_tree_send(st, r);
        return;
    }
    if (st->names) {
        if (k)
            memcpy(r->session, k->name, sizeof r->session);
        else
            (void)snprintf(r->session, sizeof r->session, "%016" PRIx64,
                           rng_mix(st->shard.seed, NAME_STREAM, st->shard.part, r->number + 1));
        r->transfer.session = r->session;
    }
    if (!k) return;
    struct stream *s = &r->stream;
    s->turn = k->turn;
    if (k->turn == 1) {
        k->address = r->transfer.address;
        k->began_due = s->t.due;
        st->rec.snap->counters[COUNTER_SESSIONS]++;
    } else {
        r->transfer.address = k->address;
        r->transfer.own = k->own;
    }
    if (k->plan->recorded || k->turn >= k->turns) return;
    buf_reset(&r->answer);
    r->answer.bad = false;
    s->text = &r->answer;
}

/* All its turns have been answered, or one was not. */
static void end_talk(struct stage *st, struct talk *k, bool whole, int64_t at)
{
    st->rec.snap->counters[whole ? COUNTER_SESSIONS_DONE : COUNTER_SESSIONS_BROKEN]++;
    if (whole) recorder_session(&st->rec, k->turns, &k->sum, k->began_due, at);
    talks_end(&st->talks, k);
}

/* The answer's tokens that go out again with the next turn: those of its visible text. */
static uint32_t tokens_said(const struct request *r, const struct stream_tokens *n)
{
    const struct stream *s = &r->stream;
    if (r->answer.len == 0 || s->events == 0) return 0;
    return (uint32_t)((uint64_t)n->seen * (s->events - s->thoughts) / s->events);
}

int64_t stage_talk_ended(struct stage *st, struct request *r, enum counter outcome, int64_t at, int64_t rest)
{
    struct talk *k = r->talk;
    struct stream_tokens n;
    r->talk = NULL;
    if (!k) return rest;
    stream_count(&r->stream, &n);
    session_sum_add(&k->sum, &n);
    k->own = r->transfer.own;
    if (outcome == COUNTER_ABORTED) { /* neither: the stage ended first */
        talks_end(&st->talks, k);
        return rest;
    }
    bool last = k->turn >= k->turns;
    if (outcome != COUNTER_OK || !talk_answered(k, &r->answer, tokens_said(r, &n))) {
        end_talk(st, k, outcome == COUNTER_OK && last, at);
        return rest;
    }
    if (r->stream.thoughts || r->stream.usage_thought)
        talk_forget(k); /* the thoughts do not go out again: what follows them is not in one piece */
    k->counted = n.input_asked ? 0 : n.input + (k->known - k->sent);
    int64_t think = talk_think(k);
    transport_keep(st->tr, k->own, st->shard.slots + st->tails_max / 2);
    if (k->plan->by_request) {
        talks_wait(&st->talks, k, at + think);
        return rest;
    }
    if (think < rest) think = rest;
    talks_wait(&st->talks, k, at + think);
    st->rec.snap->counters[COUNTER_WIN_THINK_NS] += (uint64_t)stage_in_window(st, at, at + think);
    return think;
}

void stage_talk_stop(struct stage *st, int64_t now)
{
    uint64_t *think = &st->rec.snap->counters[COUNTER_WIN_THINK_NS];
    for (uint32_t i = 0; i < st->talks.thinking.n; i++) {
        const struct talk *k = st->talks.thinking.list[i]->owner;
        if (k->plan->by_request) continue;
        uint64_t rest = (uint64_t)stage_in_window(st, now, k->due.at);
        *think -= rest < *think ? rest : *think;
    }
}
