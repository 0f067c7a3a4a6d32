/* Snapshots that nobody measured, but that look as if somebody had: for bench_cluster. */
#pragma once
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/rng.h"
#include "common/snapshot.h"

enum { MADE_UP_REQUESTS = 30, MADE_UP_TOKENS = 128 };

static inline void made_up_sample(struct snapshot *s, enum metric m, double unit, uint64_t n)
{
    if (!s->hist[m]) s->hist[m] = hist_new();
    double v = unit * METRICS[m].scale;
    if (!s->hist[m] || hist_record(s->hist[m], (int64_t)(v < 1 ? 1 : v), n)) abort();
}

/* A second of an agent that ends so many requests: log-normal times with a tail, as real servers show them. */
static inline struct snapshot *made_up_second(uint64_t seed, uint32_t requests, bool all_metrics)
{
    struct rng r;
    struct snapshot *s = snapshot_new(false);
    if (!s) abort();
    rng_seed(&r, seed);
    for (uint32_t i = 0; i < requests; i++) {
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

/* The k-th snapshot of an agent with so many slots, as if it had measured what the template holds; `last`: what was
 * open has ended too. The histograms are the template's own. `c`: the agent's counters so far. */
static inline void made_up_next(const struct snapshot *template, uint64_t k, uint64_t slots, bool last,
                                uint64_t c[COUNTER_N], struct snapshot *ret)
{
    const uint64_t requests = template->hist[METRIC_TTFT]->count, tokens = requests * MADE_UP_TOKENS,
                   second = 1000000000;
    uint64_t due = last ? 0 : requests + (k == 0 ? slots : 0), ended = last ? slots : requests;
    *ret = *template;
    c[COUNTER_DUE] += due;
    c[COUNTER_SENT] += due;
    c[COUNTER_OK] += ended;
    c[COUNTER_WIN_DUE] += due;
    c[COUNTER_WIN_OK] += ended;
    c[COUNTER_WIN_GOOD] += ended;
    c[COUNTER_WIN_DONE] += ended;
    c[COUNTER_EVENTS] += tokens;
    c[COUNTER_TOKENS] += tokens;
    c[COUNTER_WIN_EVENTS] += tokens;
    c[COUNTER_WIN_TOKENS_MICRO] += UINT64_C(1000000) * tokens;
    c[COUNTER_WIN_INFLIGHT_NS] += last ? 0 : slots * second;
    c[COUNTER_READS] += tokens;
    c[COUNTER_MEASURED_NS] += last ? 0 : second;
    c[COUNTER_CPU_NS] += 50000000;
    c[COUNTER_CPU_MAX_NS] += 50000000;
    c[COUNTER_INFLIGHT_MAX] = slots;
    memcpy(ret->counters, c, sizeof ret->counters);
    ret->from_ns = (int64_t)(k * second);
    ret->to_ns = ret->from_ns + (int64_t)(last ? second / 10 : second);
    ret->in_flight = last ? 0 : slots;
    ret->series_tokens = tokens;
    ret->series_done = ended;
    ret->series_due = due;
    ret->series_inflight_ns = last ? 0 : slots * second;
}
