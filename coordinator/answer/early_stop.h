/* Early stopping (MLPerf's term): a value that the true percentile lies below with 99 % confidence, from the order
 * statistics of n samples: sorted[n - t] (counted from 0), t the maximum number of samples above with
 * P(Bin(n, 1 - p) <= t) < 0.01. Nothing is known under a floor of samples: p50 11, p90 64, p95 130, p99 662. Pure. */
#pragma once
#include "common/hist.h"

#define EARLY_STOP_CONFIDENCE 0.99

/* t; 0: too few samples. p within (0, 1). */
uint64_t early_stop_above(uint64_t n, double p);
/* The bound, in the histogram's own scale; NaN: too few samples. h may be NULL. */
double early_stop_bound(const struct hist *h, double p);
