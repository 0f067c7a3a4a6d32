/* Intervals of metrics whose samples depend on each other (token gaps): a block bootstrap over what was recorded second by second.
 *
 * The unit that is drawn is a second with the blocks of all its agents, since all agents see the same server in the same second; and
 * runs of 1.5 n^(1/3) neighbouring seconds are drawn together (Künsch 1989, "The jackknife and the bootstrap for general stationary
 * observations"), since a slow second is seldom alone. Pure, seeded. */
#pragma once
#include "coordinator/point.h"

#define RESAMPLE_LEAST 8 /* seconds; with fewer there is no interval */

/* Fills mean_lo … q_hi of `io` (computed from the merged histogram before) for METRIC_ITL, METRIC_CHUNK_GAP or METRIC_TTFT. Percentiles that
 * are n/a stay so. */
void resample_stat(const struct stage_data *s, enum metric m, uint64_t seed, struct stat *io);
