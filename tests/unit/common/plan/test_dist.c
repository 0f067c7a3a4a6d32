/* Distributions against their own mathematics: moments of many samples, within five standard errors of the truth. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/plan/dist.h"

enum { N = 200000 };

static void moments(const struct dist *d, uint64_t seed, double *ret_mean, double *ret_sd)
{
    struct rng r;
    rng_seed(&r, seed);
    double sum = 0, squares = 0;
    for (int i = 0; i < N; i++) {
        double v = dist_sample(d, &r);
        sum += v;
        squares += v * v;
    }
    *ret_mean = sum / N;
    *ret_sd = sqrt(squares / N - *ret_mean * *ret_mean);
}

static double value[] = {128, 256, 1024}, weight[] = {1, 2, 1};

static void moments_are_true(void **state)
{
    (void)state;
    static const struct {
        struct dist d;
        double mean, sd;
    } ROWS[] = {
        {{.kind = DIST_FIXED, .a = 512}, 512, 0},
        {{.kind = DIST_UNIFORM, .a = 10, .b = 110}, 60, 28.867513},
        {{.kind = DIST_NORMAL, .a = 500, .b = 50}, 500, 50},
        {{.kind = DIST_LOGNORMAL, .a = 512, .b = 200}, 512, 200},
        {{.kind = DIST_EXPONENTIAL, .a = 40}, 40, 40},
        {{.kind = DIST_CHOICE, .value = value, .weight = weight, .n = 3}, 416, 353.135954},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        double mean, sd;
        moments(&ROWS[i].d, 7 + i, &mean, &sd);
        if (fabs(mean - ROWS[i].mean) > 5 * ROWS[i].sd / sqrt(N) + 1e-9)
            fail_msg("kind %zu: mean %g, true %g", i, mean, ROWS[i].mean);
        if (fabs(sd - ROWS[i].sd) > 0.03 * ROWS[i].sd + 1e-3) fail_msg("kind %zu: sd %g, true %g", i, sd, ROWS[i].sd);
        assert_true(fabs(dist_mean(&ROWS[i].d) - ROWS[i].mean) < 1e-9);
    }
}

static void samples_keep_to_their_limits(void **state)
{
    (void)state;
    const struct dist d = {.kind = DIST_NORMAL, .a = 100, .b = 100, .min = 50, .max = 150};
    struct rng r;
    rng_seed(&r, 3);
    size_t low = 0, high = 0;
    for (int i = 0; i < N; i++) {
        double v = dist_sample(&d, &r);
        assert_true(v >= 50 && v <= 150);
        low += v <= 50;
        high += v >= 150;
    }
    /* P(X < mean - sd/2) = 0.3085 on either side */
    assert_true(fabs((double)low / N - 0.3085) < 0.006 && fabs((double)high / N - 0.3085) < 0.006);
    assert_true(fabs(dist_mean(&d) - 100) < 1e-9); /* of the distribution without its limits */
}

static void choices_come_by_weight(void **state)
{
    (void)state;
    const struct dist d = {.kind = DIST_CHOICE, .value = value, .weight = weight, .n = 3};
    struct rng r;
    rng_seed(&r, 11);
    size_t seen[3] = {0};
    for (int i = 0; i < N; i++) {
        double v = dist_sample(&d, &r);
        seen[v < 200 ? 0 : v < 500 ? 1 : 2]++;
    }
    for (int i = 0; i < 3; i++)
        assert_true(fabs((double)seen[i] / N - weight[i] / 4) < 0.006);
}

static void the_same_seed_is_the_same_sample(void **state)
{
    (void)state;
    const struct dist d = {.kind = DIST_LOGNORMAL, .a = 300, .b = 100};
    struct rng a, b;
    rng_seed(&a, 5);
    rng_seed(&b, 5);
    for (int i = 0; i < 1000; i++) {
        double x = dist_sample(&d, &a), y = dist_sample(&d, &b);
        assert_memory_equal(&x, &y, sizeof x);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moments_are_true), cmocka_unit_test(samples_keep_to_their_limits),
        cmocka_unit_test(choices_come_by_weight), cmocka_unit_test(the_same_seed_is_the_same_sample)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
