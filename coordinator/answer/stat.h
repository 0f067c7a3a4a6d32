/* The numbers of one metric from its histogram: exact count, mean, minimum and maximum; percentiles with their 95 %
 * interval from order statistics. Pure. */
#pragma once
#include <stdint.h>

#include "common/hist.h"
#include "common/metric.h"

#define POINT_Q 5 /* as VERDICT_Q of coordinator/data.h: 0.50 0.90 0.95 0.99 0.999 */
extern const double POINT_QS[POINT_Q];

/* In the metric's own unit; NaN = n/a (the sample cannot carry it). lo/hi: 95 % interval, NaN when none. */
struct metric_stat {
    uint64_t count;
    double mean, min, max, mean_lo, mean_hi;
    double q[POINT_Q], q_lo[POINT_Q], q_hi[POINT_Q];
};

/* h may be NULL: then everything is n/a. */
void stat_compute(const struct hist *h, enum metric m, struct metric_stat *ret);
/* One sample per request? Gaps inside one request depend on each other, so that ranks do not show their certainty
 * (see resample.h). */
bool stat_independent(enum metric m);
