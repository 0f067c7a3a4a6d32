/* A distribution of lengths or times, as a plan writes it. Values are doubles in the unit of the field (tokens, ns). */
#pragma once
#include <stddef.h>

#include "common/rng.h"

enum dist_kind { DIST_FIXED, DIST_UNIFORM, DIST_NORMAL, DIST_LOGNORMAL, DIST_EXPONENTIAL, DIST_CHOICE };

struct dist {
    enum dist_kind kind;
    double a, b;     /* fixed: a · uniform: [a, b] · normal, lognormal: mean a, sd b (of the values, not of their
                        logarithms) · exponential: mean a */
    double min, max; /* every sample is clamped to this; max 0 = no limit */
    /* choice: `n` values with weights; owned by the plan */
    double *value, *weight;
    size_t n;
};

double dist_sample(const struct dist *d, struct rng *r);
double dist_mean(const struct dist *d); /* of the unclamped distribution */
