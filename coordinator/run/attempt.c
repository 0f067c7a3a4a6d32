#include "coordinator/run/attempt.h"

#include <stdlib.h>

#include "common/rng.h"

#define NONE UINT32_MAX

static bool shard_is_empty(const struct shard *s)
{
    return s->kind == LOAD_CLOSED ? s->slots == 0 : s->n_turns == 0;
}

/* The seed holds the attempt: a prompt sent again would be answered from the server's prefix cache. */
static int split(struct attempt *t, const struct plan *plan, struct shard *shards, size_t n,
                 struct agent *const *agents, struct err *e)
{
    uint32_t *weights = calloc(n, sizeof *weights);
    if (!weights) return err_set(e, ERR_NOMEM, "no memory for %zu shards", n);
    for (size_t i = 0; i < n; i++)
        weights[i] = agents[i]->info.weight;
    struct shard whole = {0};
    int rc = shard_whole(plan, &t->step.load, rng_mix(plan->seed, t->step.stage, t->step.repeat, t->tries), &whole, e);
    whole.before = t->step.before;
    if (rc == 0) rc = shard_split(&whole, weights, (uint32_t)n, 0, shards, e);
    shard_clear(&whole);
    free(weights);
    return rc;
}

static int populate(struct attempt *t, const struct plan *plan, struct agent *const *agents, size_t n, struct err *e)
{
    struct shard *shards = calloc(n, sizeof *shards);
    t->part = calloc(n, sizeof *t->part);
    if (!shards || !t->part) {
        free(shards);
        return err_set(e, ERR_NOMEM, "no memory for %zu agents", n);
    }
    int rc = split(t, plan, shards, n, agents, e);
    if (rc) {
        free(shards);
        return -1;
    }
    for (size_t i = 0; i < n; i++) {
        if (rc || shard_is_empty(&shards[i])) {
            shard_clear(&shards[i]);
            continue;
        }
        struct attempt_part *p = &t->part[t->n];
        *p = (struct attempt_part){.agent = agents[i], .shard = shards[i]};
        agents[i]->part = (uint32_t)t->n++;
        rc = merge_add_agent(t->merge, agents[i]->number, agents[i]->info.name, agents[i]->info.weight, p->shard.slots,
                             e);
    }
    free(shards);
    return rc;
}

struct attempt *attempt_new(const struct plan *plan, const struct run_step *step, uint32_t epoch, uint32_t tries,
                            struct agent *const *agents, size_t n, struct err *e)
{
    struct attempt *t = calloc(1, sizeof *t);
    if (!t) {
        (void)err_set(e, ERR_NOMEM, "no memory for a stage");
        return NULL;
    }
    t->step = *step;
    t->epoch = epoch;
    t->tries = tries;
    t->merge = merge_new(step->stage, step->repeat, epoch, &step->load);
    if (!t->merge)
        (void)err_set(e, ERR_NOMEM, "no memory for a stage");
    else if (populate(t, plan, agents, n, e) == 0) {
        t->ack_every = t->n > ATTEMPT_MANY ? 2 : 1;
        return t;
    }
    attempt_destroy(&t);
    return NULL;
}

void attempt_destroy(struct attempt **t)
{
    if (!*t) return;
    for (size_t i = 0; i < (*t)->n; i++) {
        (*t)->part[i].agent->part = NONE;
        shard_clear(&(*t)->part[i].shard);
    }
    free((*t)->part);
    merge_destroy(&(*t)->merge);
    free(*t);
    *t = NULL;
}

struct attempt_part *attempt_part_of(const struct attempt *t, const struct agent *a)
{
    if (!t || a->part == NONE || a->part >= t->n || t->part[a->part].lost) return NULL;
    return &t->part[a->part];
}

/* Called at each answer of thousands of agents, so the part that was not done the last time is checked first. */
bool attempt_has_come(struct attempt *t, enum agent_state to)
{
    for (size_t k = 0; k < t->n; k++) {
        size_t i = (t->laggard + k) % t->n;
        if (t->part[i].lost || t->part[i].agent->state >= to) continue;
        t->laggard = i;
        return false;
    }
    return true;
}

uint64_t attempt_most(const struct attempt *t)
{
    return t->step.load.kind == LOAD_CLOSED ? t->step.load.concurrency : t->step.load.max_concurrency;
}

int64_t attempt_delay(const struct attempt *t)
{
    int64_t longest = 0;
    for (size_t i = 0; i < t->n; i++)
        if (t->part[i].agent->clock.delay_ns > longest) longest = t->part[i].agent->clock.delay_ns;
    return longest;
}

void attempt_terms(const struct attempt *t, uint32_t *ret_streams, uint64_t *ret_connections, const char **ret_http)
{
    *ret_streams = 0;
    *ret_connections = 0;
    *ret_http = "";
    for (size_t i = 0; i < t->n; i++) {
        const struct attempt_part *p = &t->part[i];
        *ret_connections += p->connections;
        if (p->streams && (!*ret_streams || p->streams < *ret_streams)) *ret_streams = p->streams;
        if (p->http[0]) *ret_http = p->http;
    }
}

void attempt_lose(struct attempt *t, struct attempt_part *p)
{
    if (p->lost || p->done) return; /* nothing of a part that is done is missing */
    p->lost = true;
    t->degraded = true;
    merge_mark_lost(t->merge, p->agent->number);
}

/* Parts come from the registry, so they are ascending by their agents' numbers, as those of the result are. */
int attempt_finish(struct attempt *t, int64_t wall_minus_mono, struct stage_data *ret, struct err *e)
{
    for (size_t i = 0; i < t->n; i++)
        if (!t->part[i].done) attempt_lose(t, &t->part[i]);
    if (merge_finish(t->merge, ret, e)) return -1;
    ret->started_wall_ns = t->t0_ns + wall_minus_mono;
    ret->degraded = t->degraded;
    ret->aborted = t->aborted;
    size_t i = 0;
    for (size_t k = 0; k < ret->n_agents; k++) {
        while (i < t->n && t->part[i].agent->number < ret->agents[k].agent)
            i++;
        if (i == t->n || t->part[i].agent->number != ret->agents[k].agent) continue;
        const struct attempt_part *p = &t->part[i];
        ret->agents[k].start_skew_ns = p->start_skew_ns;
        ret->agents[k].clock_offset_ns = p->agent->clock.offset_ns;
        ret->agents[k].clock_bound_ns = p->agent->clock.bound_ns;
    }
    return 0;
}
