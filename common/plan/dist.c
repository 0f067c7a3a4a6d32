#include "common/plan/dist.h"

#include <math.h>

/* One of n, by their weights. */
static size_t choose(const double *weight, size_t n, struct rng *r)
{
    double all = 0;
    for (size_t i = 0; i < n; i++)
        all += weight[i];
    double at = all * rng_double(r);
    for (size_t i = 0; i < n; i++) {
        if (at < weight[i]) return i;
        at -= weight[i];
    }
    return n - 1;
}

static double sample(const struct dist *d, struct rng *r)
{
    switch (d->kind) {
    case DIST_FIXED:
        return d->a;
    case DIST_UNIFORM:
        return d->a + (d->b - d->a) * rng_double(r);
    case DIST_NORMAL:
        return d->a + d->b * rng_normal(r);
    case DIST_LOGNORMAL: {
        /* mean and sd are those of the values; of their logarithms: s2 = ln(1 + sd²/mean²), mu = ln(mean) − s2/2 */
        double s2 = log1p(d->b * d->b / (d->a * d->a));
        return exp(log(d->a) - s2 / 2 + sqrt(s2) * rng_normal(r));
    }
    case DIST_EXPONENTIAL:
        return d->a * rng_exp(r);
    case DIST_CHOICE:
        break;
    }
    return d->n ? d->value[choose(d->weight, d->n, r)] : 0;
}

size_t dist_pair_sample(const struct dist_pairs *d, struct rng *r)
{
    return choose(d->weight, d->n, r);
}

double dist_sample(const struct dist *d, struct rng *r)
{
    double v = sample(d, r);
    if (v < d->min) v = d->min;
    if (d->max > 0 && v > d->max) v = d->max;
    return v;
}

double dist_mean(const struct dist *d)
{
    if (d->kind == DIST_UNIFORM) return (d->a + d->b) / 2;
    if (d->kind != DIST_CHOICE) return d->a;
    double sum = 0, all = 0;
    for (size_t i = 0; i < d->n; i++) {
        sum += d->value[i] * d->weight[i];
        all += d->weight[i];
    }
    return all > 0 ? sum / all : 0;
}
