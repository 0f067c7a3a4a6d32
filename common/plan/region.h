/* The regions of MLPerf Endpoints' curve (its rules, section 5.5): ranges of concurrency between the smallest and the
 * largest point, a third of the logarithm each. Halves round to even, as the rules' checker does. Pure. */
#pragma once
#include <stdint.h>

enum region { REGION_LOW, REGION_MEDIUM, REGION_HIGH, REGION_MARGIN, REGION_N };
/* Ranges with both ends. A rounding collision leaves a region of one level, or an empty one (to < from). Ultra low, 1
 * to 32, is the same for all. */
struct regions {
    struct {
        uint32_t from, to;
    } at[REGION_N];
};
#define REGION_ULTRA_LOW_MAX 32u
#define REGION_POINTS_MAX 32u

/* 1 <= c_min <= REGION_ULTRA_LOW_MAX < c_max; -1 otherwise. */
int regions_compute(uint32_t c_max, uint32_t c_min, struct regions *ret);

/* Concurrencies of n points (4 to REGION_POINTS_MAX), ascending and different: c_min, one in low, one in medium, c_max,
 * and the rest spread evenly over the logarithm between low and high. Returns how many there are: fewer than n where
 * the ranges do not hold so many; -1 as above. */
int regions_points(uint32_t c_max, uint32_t c_min, uint32_t n, uint32_t *ret);
