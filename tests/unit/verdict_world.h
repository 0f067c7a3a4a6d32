/* Evidence of a stage, and what is made of it, for the units of verdicts. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "coordinator/answer/verdict.h"

struct world {
    uint64_t c[COUNTER_N];
    struct hist *hist[METRIC_N];
    struct plan_stage stage;
    struct plan plan;
    struct verdict v;
    bool cut; /* the stage was ended before its time */
};

static inline void record(struct world *w, enum metric m, double ms, uint64_t n)
{
    if (!w->hist[m]) w->hist[m] = hist_new();
    assert_int_equal(hist_record(w->hist[m], (int64_t)(ms * 1e6), n), 0);
}

static inline void judge(struct world *w)
{
    verdict_compute(w->c, w->hist, &w->stage, &w->plan, w->cut, &w->v);
}

static inline void world_clear(struct world *w)
{
    for (int m = 0; m < METRIC_N; m++)
        hist_destroy(&w->hist[m]);
}
