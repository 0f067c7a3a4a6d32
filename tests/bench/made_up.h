/* Snapshots that nobody measured, but that look as if somebody had: for bench_cluster. */
#pragma once
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "common/rng.h"
#include "common/snapshot.h"

enum { MADE_UP_REQUESTS = 30, MADE_UP_TOKENS = 128 };

static inline void made_up_sample(struct snapshot *s, enum metric m, double unit, uint64_t n)
{
    if (!s->hist[m]) s->hist[m] = hist_new();
    double v = unit * METRICS[m].scale;
    if (!s->hist[m] || hist_record(s->hist[m], (int64_t)(v < 1 ? 1 : v), n)) abort();
}

/* A second of an agent that ends MADE_UP_REQUESTS requests: log-normal times with a tail, as real servers show them. */
static inline struct snapshot *made_up_second(uint64_t seed, bool all_metrics)
{
    struct rng r;
    struct snapshot *s = snapshot_new(false);
    if (!s) abort();
    rng_seed(&r, seed);
    for (int i = 0; i < MADE_UP_REQUESTS; i++) {
        double ttft = 180 * exp(0.45 * rng_normal(&r)), tpot = 12 * exp(0.08 * rng_normal(&r)),
               late = 0.05 * rng_exp(&r);
        made_up_sample(s, METRIC_TTFT, ttft, 1);
        made_up_sample(s, METRIC_TPOT, tpot, 1);
        made_up_sample(s, METRIC_E2E, ttft + tpot * (MADE_UP_TOKENS - 1), 1);
        for (int k = 1; k < MADE_UP_TOKENS; k++) {
            double gap = tpot * exp(0.15 * rng_normal(&r)) + (rng_below(&r, 100) == 0 ? 20 * rng_exp(&r) : 0);
            made_up_sample(s, METRIC_ITL, gap, 1);
            if (!all_metrics) continue;
            made_up_sample(s, METRIC_CHUNK_GAP, gap, 1);
            made_up_sample(s, METRIC_LAG, 0.03 + 0.05 * rng_exp(&r), 1);
        }
        if (!all_metrics) continue;
        made_up_sample(s, METRIC_TTFT_DUE, ttft + late, 1);
        made_up_sample(s, METRIC_TTFC, ttft, 1);
        made_up_sample(s, METRIC_E2E_DUE, ttft + tpot * (MADE_UP_TOKENS - 1) + late, 1);
        made_up_sample(s, METRIC_NORMALIZED, ttft / MADE_UP_TOKENS + tpot, 1);
        made_up_sample(s, METRIC_TOKENS_PER_EVENT, 1, 1);
        made_up_sample(s, METRIC_INPUT_TOKENS, 256, 1);
        made_up_sample(s, METRIC_OUTPUT_TOKENS, MADE_UP_TOKENS, 1);
        made_up_sample(s, METRIC_USER_SPEED, 1000 / tpot, 1);
        made_up_sample(s, METRIC_LATENESS, late, 1);
        made_up_sample(s, METRIC_DISPATCH, late, 1);
    }
    return s;
}
