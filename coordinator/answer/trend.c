#include "coordinator/answer/trend.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/answer/numeric.h"

#define SIGNIFICANT 1.959963984540054 /* autocorrelations of the ranks beyond this / sqrt(n) count */

static int sign(double d)
{
    return (d > 0) - (d < 0);
}

/* Mean rank of each value: ties share theirs. */
static void ranks(const double *x, size_t n, double *ret)
{
    for (size_t i = 0; i < n; i++) {
        size_t below = 0, same = 0;
        for (size_t j = 0; j < n; j++) {
            below += x[j] < x[i];
            same += !(x[j] < x[i]) && !(x[j] > x[i]);
        }
        ret[i] = (double)below + ((double)same + 1) / 2;
    }
}

/* Median of the slopes of all pairs. */
static double sen_slope(const double *x, size_t n)
{
    double *all = calloc(n * (n - 1) / 2, sizeof *all), slope = NAN;
    size_t k = 0;
    if (!all) return NAN;
    for (size_t i = 0; i < n; i++)
        for (size_t j = i + 1; j < n; j++)
            all[k++] = (x[j] - x[i]) / (double)(j - i);
    slope = quantile_of(all, k, 0.5);
    free(all);
    return slope;
}

/* n / n* from the autocorrelation of the ranks of what is left without the trend. */
static double hamed_rao(const double *x, size_t n, double slope)
{
    double rest[TREND_MAX], rank[TREND_MAX], var = 0, sum = 0, dn = (double)n, mean = (dn + 1) / 2;
    for (size_t i = 0; i < n; i++)
        rest[i] = x[i] - slope * (double)i;
    ranks(rest, n, rank);
    for (size_t i = 0; i < n; i++)
        var += (rank[i] - mean) * (rank[i] - mean);
    for (size_t lag = 1; lag + 2 < n && var > 0; lag++) {
        double c = 0, left = (double)(n - lag);
        for (size_t i = 0; i + lag < n; i++)
            c += (rank[i] - mean) * (rank[i + lag] - mean);
        c /= var;
        if (fabs(c) > SIGNIFICANT / sqrt(dn)) sum += left * (left - 1) * (left - 2) * c;
    }
    double factor = 1 + 2 * sum / (dn * (dn - 1) * (dn - 2));
    return factor > 1 ? factor : 1; /* a negative correlation does not count as more certain than independence */
}

bool trend_compute(const double *x, size_t n, struct trend *ret)
{
    double ties = 0, dn = (double)n, sorted[TREND_MAX];
    *ret = (struct trend){.z = NAN, .p = NAN, .correction = NAN, .slope = NAN, .change = NAN};
    if (n < 4 || n > TREND_MAX) return false;
    for (size_t i = 0; i < n; i++)
        if (!isfinite(x[i])) return false;
    for (size_t i = 0; i < n; i++)
        for (size_t j = i + 1; j < n; j++)
            ret->s += sign(x[j] - x[i]);
    for (size_t i = 0; i < n; i++) { /* each value brings its share of its group of ties */
        double same = 0;
        for (size_t j = 0; j < n; j++)
            same += !(x[j] < x[i]) && !(x[j] > x[i]);
        ties += (same - 1) * (2 * same + 5);
    }
    ret->slope = sen_slope(x, n);
    ret->correction = hamed_rao(x, n, ret->slope);
    double var = (dn * (dn - 1) * (2 * dn + 5) - ties) / 18 * ret->correction;
    ret->z = var > 0 ? (ret->s - sign(ret->s)) / sqrt(var) : 0;
    ret->p = erfc(fabs(ret->z) / sqrt(2));
    memcpy(sorted, x, n * sizeof *x);
    double median = quantile_of(sorted, n, 0.5);
    if (fabs(median) > 0) ret->change = ret->slope * (dn - 1) / median;
    return true;
}

double trend_jump(const double *x, size_t n, size_t *ret_at)
{
    double most = 0, dn = (double)n, u = 0;
    *ret_at = 0;
    if (n < 4) return 1;
    for (size_t t = 0; t + 1 < n; t++) {
        for (size_t j = 0; j < n; j++)
            u += sign(x[t] - x[j]);
        if (fabs(u) > most) {
            most = fabs(u);
            *ret_at = t + 1;
        }
    }
    return fmin(1, 2 * exp(-6 * most * most / (dn * dn * dn + dn * dn)));
}
