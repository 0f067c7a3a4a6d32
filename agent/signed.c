#include "agent/signed.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* A search may lengthen a trial that is hard to decide by at most this factor. */
#define SEARCH_LONGEST 8

int signed_accept(struct signed_plan *s, const void *envelope, size_t n, const char *hash, const char *run_id,
                  int64_t wall_ns, struct err *e)
{
    s->n = 0;
    if (!s->key) return 0;
    if (sign_check(s->key, envelope, n, hash, run_id, s->agent, wall_ns, e)) return -1;
    memcpy(s->envelope, envelope, n); /* sign_check has bounded it */
    s->n = n;
    (void)snprintf(s->hash, sizeof s->hash, "%s", hash);
    (void)snprintf(s->run_id, sizeof s->run_id, "%s", run_id);
    return 0;
}

/* The maximum load that a plan asks of its cluster in one stage, over all stages and those of a search. */
static struct plan_stage stage_at_most(const struct plan *p, const struct plan_stage *s)
{
    struct plan_stage stage = *s;
    if (p->search.goal == SEARCH_NONE) return stage;
    stage.duration_ns *= SEARCH_LONGEST;
    stage.requests *= SEARCH_LONGEST;
    stage.kind = p->search.over_rate ? LOAD_OPEN : LOAD_CLOSED;
    if (p->search.over_rate)
        stage.rate_from = stage.rate_to = p->search.to;
    else
        stage.concurrency = (uint32_t)p->search.to;
    return stage;
}

static bool ends_in_time(const struct plan_stage *stage, const struct shard *s)
{
    bool by_time = stage->duration_ns && s->duration_ns && s->duration_ns <= stage->duration_ns;
    bool by_count = stage->requests && s->requests_all && s->requests_all <= stage->requests;
    if (stage->duration_ns && !by_time) return false;
    return !stage->requests || by_count;
}

static bool within(const struct plan_stage *stage, const struct shard *s)
{
    if (s->kind != stage->kind || !ends_in_time(stage, s)) return false;
    if (s->kind == LOAD_CLOSED) return s->slots_all <= stage->concurrency;
    double most = stage->rate_from > stage->rate_to ? stage->rate_from : stage->rate_to;
    /* the rate of a trace follows from its corpus, whose hash is signed */
    if (stage->arrivals == ARRIVALS_RECORDED && s->arrivals == ARRIVALS_RECORDED) most = HUGE_VAL;
    if (s->rate_from > most || s->rate_to > most) return false;
    return !stage->max_concurrency || (s->slots_all && s->slots_all <= stage->max_concurrency);
}

int signed_check_shard(const struct signed_plan *s, const struct plan *p, const struct shard *shard, int64_t wall_ns,
                       struct err *e)
{
    if (!s->key) return 0;
    if (!p || s->n == 0) return err_set(e, ERR_REFUSED, "a stage came before a signed plan");
    if (sign_check(s->key, s->envelope, s->n, s->hash, s->run_id, s->agent, wall_ns, e)) return -1;
    for (size_t i = 0; i < p->n_stages; i++) {
        struct plan_stage stage = stage_at_most(p, &p->stages[i]);
        if (within(&stage, shard)) return 0;
    }
    return err_set(e, ERR_REFUSED, "the stage is not one of the signed plan");
}
