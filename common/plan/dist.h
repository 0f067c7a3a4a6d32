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
    const char *file; /* of a choice: where its values stand (histogram); n is 0 until that was read */
};

/* Two lengths that belong together; owned by the plan. */
struct dist_pairs {
    double *input, *output, *weight;
    size_t n;         /* 0: there are none */
    const char *file; /* as above */
};
/* The number of one, by their weights; n > 0. */
size_t dist_pair_sample(const struct dist_pairs *d, struct rng *r);

double dist_sample(const struct dist *d, struct rng *r);
double dist_mean(const struct dist *d); /* of the unclamped distribution */
