#include "coordinator/run/stage.h"

#include <stdlib.h>

#include "common/rng.h"

#define NONE UINT32_MAX

static bool shard_is_empty(const struct shard *s)
{
    return s->kind == LOAD_CLOSED ? s->slots == 0 : s->n_own == 0;
}

/* The seed holds the attempt: a prompt sent again would be answered from the server's prefix cache. */
static int split(struct stage *s, const struct plan *plan, struct shard *shards, size_t n, struct agent *const *agents,
                 struct err *e)
{
    uint32_t *weights = calloc(n, sizeof *weights);
    if (!weights) return err_set(e, ERR_NOMEM, "no memory for %zu shards", n);
    for (size_t i = 0; i < n; i++)
        weights[i] = agents[i]->info.weight;
    struct shard whole = {0};
    int rc =
        shard_whole(plan, &s->step.load, seed_mix(plan->seed, s->step.stage, s->step.repeat, s->attempt), &whole, e);
    if (rc == 0) rc = shard_split(&whole, weights, (uint32_t)n, 0, shards, e);
    shard_clear(&whole);
    free(weights);
    return rc;
}

static int populate(struct stage *s, const struct plan *plan, struct agent *const *agents, size_t n, struct err *e)
{
    struct shard *shards = calloc(n, sizeof *shards);
    s->part = calloc(n, sizeof *s->part);
    if (!shards || !s->part) {
        free(shards);
        return err_set(e, ERR_NOMEM, "no memory for %zu agents", n);
    }
    int rc = split(s, plan, shards, n, agents, e);
    if (rc) {
        free(shards);
        return -1;
    }
    for (size_t i = 0; i < n; i++) {
        if (rc || shard_is_empty(&shards[i])) {
            shard_clear(&shards[i]);
            continue;
        }
        struct stage_part *p = &s->part[s->n];
        *p = (struct stage_part){.agent = agents[i], .shard = shards[i]};
        agents[i]->part = (uint32_t)s->n++;
        rc = merge_add_agent(s->merge, agents[i]->number, agents[i]->info.name, agents[i]->info.weight, p->shard.slots,
                             e);
    }
    free(shards);
    return rc;
}

struct stage *stage_new(const struct plan *plan, const struct run_step *step, uint32_t epoch, uint32_t attempt,
                        struct agent *const *agents, size_t n, struct err *e)
{
    struct stage *s = calloc(1, sizeof *s);
    if (!s) {
        (void)err_set(e, ERR_NOMEM, "no memory for a stage");
        return NULL;
    }
    s->step = *step;
    s->epoch = epoch;
    s->attempt = attempt;
    s->merge = merge_new(step->stage, step->repeat, epoch, &step->load);
    if (!s->merge)
        (void)err_set(e, ERR_NOMEM, "no memory for a stage");
    else if (populate(s, plan, agents, n, e) == 0)
        return s;
    stage_destroy(&s);
    return NULL;
}

void stage_destroy(struct stage **s)
{
    if (!*s) return;
    for (size_t i = 0; i < (*s)->n; i++) {
        (*s)->part[i].agent->part = NONE;
        shard_clear(&(*s)->part[i].shard);
    }
    free((*s)->part);
    merge_destroy(&(*s)->merge);
    free(*s);
    *s = NULL;
}

struct stage_part *stage_part_of(const struct stage *s, const struct agent *a)
{
    if (!s || a->part == NONE || a->part >= s->n || s->part[a->part].lost) return NULL;
    return &s->part[a->part];
}

/* Called at each answer of thousands of agents, so the part that was not done the last time is checked first. */
bool stage_has_come(struct stage *s, enum agent_state to)
{
    for (size_t k = 0; k < s->n; k++) {
        size_t i = (s->behind + k) % s->n;
        if (s->part[i].lost || s->part[i].agent->state >= to) continue;
        s->behind = i;
        return false;
    }
    return true;
}

uint64_t stage_most(const struct stage *s)
{
    return s->step.load.kind == LOAD_CLOSED ? s->step.load.concurrency : s->step.load.max_concurrency;
}

void stage_lose(struct stage *s, struct stage_part *p)
{
    if (p->lost || p->done) return; /* nothing of a part that is done is missing */
    p->lost = true;
    s->degraded = true;
    merge_mark_lost(s->merge, p->agent->number);
}

/* Parts come from the registry, so they are ascending by their agents' numbers. */
static const struct stage_part *part_numbered(const struct stage *s, uint32_t number)
{
    size_t lo = 0, hi = s->n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (s->part[mid].agent->number < number)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < s->n && s->part[lo].agent->number == number ? &s->part[lo] : NULL;
}

int stage_finish(struct stage *s, int64_t wall_minus_mono, struct stage_data *ret, struct err *e)
{
    for (size_t i = 0; i < s->n; i++)
        if (!s->part[i].done) stage_lose(s, &s->part[i]);
    if (merge_finish(s->merge, ret, e)) return -1;
    ret->started_wall_ns = s->t0_ns + wall_minus_mono;
    ret->degraded = s->degraded;
    ret->aborted = s->aborted;
    for (size_t k = 0; k < ret->n_agents; k++) {
        const struct stage_part *p = part_numbered(s, ret->agents[k].agent);
        if (!p) continue;
        ret->agents[k].start_skew_ns = p->start_skew_ns;
        ret->agents[k].clock_offset_ns = p->agent->clock.offset_ns;
        ret->agents[k].clock_bound_ns = p->agent->clock.bound_ns;
    }
    return 0;
}
