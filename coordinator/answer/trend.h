/* Does a short series drift, and does it jump? For windows over super-passes (MLPerf Endpoints) and for anything else
 * that is looked at in order. Pure. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#define TREND_MAX 512 /* values; more are refused */

struct trend {
    double s;          /* Mann and Kendall's statistic: pairs that rise less pairs that fall */
    double z, p;       /* p: two-sided, of the null that nothing drifts */
    double correction; /* n / n*: how far autocorrelation widens the variance of S (Hamed & Rao 1998); 1: not at all */
    double slope;      /* Theil and Sen's, per step */
    double change;     /* slope over the whole series, relative to its median */
};
/* False with fewer than 4 values, more than TREND_MAX, or values that are not finite. */
bool trend_compute(const double *x, size_t n, struct trend *ret);

/* Pettitt's test (1979): the place where the series most likely jumps. ret_at: values before the jump. Returns p; 1
 * when there are fewer than 4 values. */
double trend_jump(const double *x, size_t n, size_t *ret_at);
