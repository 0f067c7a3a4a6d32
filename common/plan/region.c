#include "common/plan/region.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

int regions_compute(uint32_t c_max, uint32_t c_min, struct regions *ret)
{
    if (c_min < 1 || c_min > REGION_ULTRA_LOW_MAX || c_max <= REGION_ULTRA_LOW_MAX || c_max > INT32_MAX / 2) return -1;
    double third = log2((double)c_max - (double)c_min) / 3;
    uint32_t low = (uint32_t)nearbyint((double)c_min + exp2(third)), /* the default mode: halves to even */
        medium = (uint32_t)nearbyint((double)c_min + exp2(2 * third));
    ret->at[REGION_LOW].from = c_min + 1, ret->at[REGION_LOW].to = low;
    ret->at[REGION_MEDIUM].from = low + 1, ret->at[REGION_MEDIUM].to = medium;
    ret->at[REGION_HIGH].from = medium + 1, ret->at[REGION_HIGH].to = c_max;
    ret->at[REGION_MARGIN].from = c_max + 1, ret->at[REGION_MARGIN].to = (uint32_t)ceil(1.10 * (double)c_max);
    return 0;
}

static int ascending(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* The middle of a range on the logarithm. */
static uint32_t middle(const struct regions *r, enum region k)
{
    return (uint32_t)nearbyint(sqrt((double)r->at[k].from * (double)r->at[k].to));
}

static bool has(const uint32_t *v, uint32_t n, uint32_t x)
{
    for (uint32_t i = 0; i < n; i++)
        if (v[i] == x) return true;
    return false;
}

/* The level that is furthest, on the logarithm, from those that are there. */
static uint32_t widest_gap(const uint32_t *v, uint32_t n)
{
    double best = 0;
    uint32_t level = 0;
    for (uint32_t i = 0; i + 1 < n; i++) {
        double gap = log((double)v[i + 1] / (double)v[i]);
        uint32_t mid = (uint32_t)nearbyint(sqrt((double)v[i] * (double)v[i + 1]));
        if (gap <= best || mid <= v[i] || mid >= v[i + 1]) continue;
        best = gap;
        level = mid;
    }
    return level;
}

int regions_points(uint32_t c_max, uint32_t c_min, uint32_t n, uint32_t *ret)
{
    struct regions r;
    uint32_t k = 0;
    if (n < 4 || n > REGION_POINTS_MAX || regions_compute(c_max, c_min, &r)) return -1;
    const uint32_t needed[] = {c_min, middle(&r, REGION_LOW), middle(&r, REGION_MEDIUM), c_max};
    for (size_t i = 0; i < 4; i++)
        if (!has(ret, k, needed[i])) ret[k++] = needed[i];
    qsort(ret, k, sizeof *ret, ascending);
    while (k < n) {
        uint32_t level = widest_gap(ret, k);
        if (level == 0) break;
        ret[k++] = level;
        qsort(ret, k, sizeof *ret, ascending);
    }
    return (int)k;
}
