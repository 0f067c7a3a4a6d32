/* Intervals of metrics whose samples depend on each other (token gaps): a block bootstrap over what was recorded second
 * by second.
 *
 * The unit that is drawn is a second with the blocks of all its agents, since all agents see the same server in the
 * same second; and runs of 1.5 n^(1/3) neighbouring seconds are drawn together (Künsch 1989, "The jackknife and the
 * bootstrap for general stationary observations"), since a slow second is seldom alone. Pure, seeded. */
#pragma once
#include "coordinator/answer/stat.h"
#include "coordinator/data.h"

#define RESAMPLE_LEAST 8 /* seconds; with fewer there is no interval */

/* Blocks hold METRIC_ITL, METRIC_CHUNK_GAP and METRIC_TTFT. Only those that begin at from_s (of the stage) or later are
 * looked at. -1: no memory.
 *
 * Fills mean_lo … q_hi of `io` (computed from the merged histogram before). Percentiles that are n/a stay so. */
int resample_stat(const struct stage_data *s, enum metric m, double from_s, uint64_t seed, struct metric_stat *io);
/* The 95 % interval of any quantile whose value is known; NaN when there is too little. In the metric's unit. */
int resample_quantile(const struct stage_data *s, enum metric m, double from_s, uint64_t seed, double q, double value,
                      double *ret_lo, double *ret_hi);
/* All blocks from then on as one histogram, the caller's; NULL when they hold nothing of it. */
int resample_hist(const struct stage_data *s, enum metric m, double from_s, struct hist **ret);
