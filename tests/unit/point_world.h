/* A stage whose every number is known, for the units of points. */
#pragma once
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "coordinator/answer/point.h"

/* A stage of 20 s whose every number is known: 32 in flight, 10 ended a second, each in flight for 3.2 s. */
static inline void stage_make(struct stage_data *s, struct agent_data *a)
{
    *s = (struct stage_data){.stage = 3,
                             .repeat = 1,
                             .plan = {.kind = LOAD_CLOSED,
                                      .concurrency = 32,
                                      .duration_ns = INT64_C(60000000000),
                                      .warmup_ns = INT64_C(10000000000)}};
    uint64_t *c = s->counters;
    c[COUNTER_MEASURED_NS] = UINT64_C(50000000000);
    c[COUNTER_WIN_INFLIGHT_NS] = UINT64_C(50000000000) * 32;
    c[COUNTER_WIN_TOKENS_MICRO] = UINT64_C(50) * 1280 * 1000000;
    c[COUNTER_WIN_INPUT_TOKENS] = 50 * 2560;
    c[COUNTER_WIN_DONE] = c[COUNTER_WIN_OK] = 500;
    c[COUNTER_WIN_DUE] = 510;
    c[COUNTER_EVENTS] = 64000;
    c[COUNTER_WIN_GOOD] = 400;
    c[COUNTER_WIN_FAILED] = 0;
    c[COUNTER_DUE] = 632;
    c[COUNTER_SENT] = 632;
    c[COUNTER_OK] = 600;
    c[COUNTER_ABORTED] = 32;
    s->hist[METRIC_E2E] = hist_new();
    hist_record(s->hist[METRIC_E2E], INT64_C(3200000000), 500);
    *a = (struct agent_data){.name = "a", .slots = 32, .weight = 1};
    memcpy(a->counters, c, sizeof a->counters);
    s->agents = a;
    s->n_agents = 1;
}

static inline void stage_done(struct stage_data *s)
{
    for (int m = 0; m < METRIC_N; m++)
        hist_destroy(&s->hist[m]);
}

static inline struct plan plan_of(void)
{
    return (struct plan){.verdict_lateness_ns = 1000000,
                         .verdict_lag_ns = 1000000,
                         .verdict_achieved = 0.02,
                         .gpus = 4,
                         .per_gpu_hour = 2.5,
                         .currency = "USD"};
}

static inline void is(double got, double want)
{
    assert_true(fabs(got - want) <= 1e-9 * (1 + fabs(want)));
}

static inline bool has_reason(const struct point *p, const char *text)
{
    bool has = false;
    for (uint32_t i = 0; i < p->verdict.n_reasons; i++)
        has |= strstr(p->verdict.reason[i], text) != NULL;
    return has;
}
