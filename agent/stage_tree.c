/* Session trees in a stage. A slot of the closed loop is a lane: it holds one tree from its first request until the
 * last has ended, and then takes the next. The pacer knows lanes only; requests begin when those that they wait for
 * have ended, and any number of them may be in flight in a lane. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/stage.h"
#include "common/rng.h"

enum { START_STREAM = 21, TREE_NAMES };

/* Where in its tree a lane begins. */
static double share_of(const struct stage *st, uint64_t number)
{
    struct rng rng;
    if (st->plan->workloads[0].data.start != START_RANDOM || number >= st->shard.slots) return 0;
    rng_seed(&rng, rng_mix(st->shard.seed, START_STREAM, st->shard.part, number));
    return rng_double(&rng);
}

/* Until when it does no more than warm the cache. */
static int64_t hold_of(const struct stage *st, double share)
{
    return share > 0 && st->plan->workloads[0].data.barrier ? st->rec.window_from : 0;
}

int stage_tree_begin(struct stage *st, const struct pacer_item *item)
{
    struct corpus_record record;
    stage_flight_to(st, item->due);
    if (workload_tree(st->workload, item->number, &record) < 0) return -1;
    double share = share_of(st, item->number);
    struct session_tree *k = trees_begin(&st->trees, &record, share, hold_of(st, share), item->due);
    if (!k) return -1;
    k->play = item->number;
    st->rec.snap->counters[COUNTER_SESSIONS]++;
    return 0;
}

bool stage_tree_due(struct stage *st, int64_t now, struct pacer_item *ret, struct tree_node **ret_node)
{
    if (st->closed || st->n_open >= st->cap || trees_next(&st->trees) > now) return false;
    int64_t due = trees_next(&st->trees);
    if (due >= st->pacer.end) return false;
    *ret_node = trees_due(&st->trees, now);
    *ret = (struct pacer_item){.due = due, .free = due, .number = st->tree_requests++};
    recorder_due(&st->rec, due);
    return true;
}

void stage_tree_choose(const struct stage *st, struct request *r)
{
    struct tree_node_data d;
    corpus_tree_node(&r->node->tree->data, r->node->index, &d);
    size_t models = st->plan->target.n_models;
    r->choice = (struct workload_choice){.model = models ? d.model % (uint32_t)models : 0,
                                         .node = r->node->index,
                                         .play = r->node->tree->play,
                                         .shared = trees_tell(r->node)};
    r->stream.turn = d.turn;
}

void stage_tree_send(struct stage *st, struct request *r)
{
    struct session_tree *k = r->node->tree;
    struct tree_node_data d;
    if (!k->placed) /* trees are spread evenly; places have the addresses of the trees that they served last */
        k->address = st->n_usable ? st->usable[st->next_usable++ % st->n_usable] : r->transfer.address;
    k->placed = true;
    r->transfer.address = k->address;
    if (!st->names) return;
    corpus_tree_node(&k->data, r->node->index, &d);
    (void)snprintf(r->session, sizeof r->session, "%016" PRIx64,
                   rng_mix(rng_mix(st->shard.seed, TREE_NAMES, st->shard.part, k->play), TREE_NAMES, d.thread, 0));
    r->transfer.session = r->session;
}

void stage_tree_ended(struct stage *st, struct tree_node *n, const struct stream *s, enum counter outcome, int64_t at,
                      int64_t rest)
{
    struct session_tree *k = n->tree;
    struct stream_tokens tokens;
    if (s) {
        stream_count(s, &tokens);
        session_sum_add(&k->sum, &tokens);
    }
    k->ok += outcome == COUNTER_OK;
    k->failed |= outcome != COUNTER_OK;
    bool warmed = k->warming > 0,
         over = outcome != COUNTER_ABORTED && trees_ended(&st->trees, n, at, outcome == COUNTER_OK ? 0 : rest);
    if (warmed && k->warming == 0 && k->hold && at > k->hold) st->rec.snap->counters[COUNTER_LANES_LATE]++;
    if (!over) return;
    st->rec.snap->counters[k->failed ? COUNTER_SESSIONS_BROKEN : COUNTER_SESSIONS_DONE]++;
    if (!k->failed && k->ok == k->data.n) recorder_session(&st->rec, k->data.n, &k->sum, k->began_due, at);
    trees_drop(&st->trees, k);
    pacer_freed(&st->pacer, at, rest);
}
