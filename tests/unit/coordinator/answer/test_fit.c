#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>

#include "common/rng.h"
#include "coordinator/answer/fit.h"
#include "tests/unit/trials.h"

struct truth {
    const char *name;
    enum fit_model model;
    double p[3], limit;
};
/* Gunther's own example of a retrograde system; Amdahl; a batching server; a sharp and a soft saturation. */
static const struct truth TRUTHS[] = {
    {"usl with a peak", FIT_USL, {995.6, 0.02671, 0.000769}, 0},
    {"amdahl", FIT_USL, {100, 0.2, 0}, 500},
    {"capped", FIT_CAPPED, {120, 0.02, 2500}, 2500},
    {"sharp saturation", FIT_SATURATION, {5000, 40, 8}, 5000},
    {"soft saturation", FIT_SATURATION, {5000, 40, 2}, 5000},
};
static const double LOADS[] = {1, 2, 4, 8, 16, 32, 48, 64, 96, 128, 192, 256};
#define N_LOADS (sizeof LOADS / sizeof *LOADS)

static double at(const struct truth *t, double n)
{
    const struct fit f = {.model = t->model, .param = {t->p[0], t->p[1], t->p[2]}};
    return fit_at(&f, n);
}

static double limit_of(const struct truth *t)
{
    double most = 0;
    if (t->limit > 0) return t->limit;
    for (double n = 1; n < 1000; n += 0.1)
        most = fmax(most, at(t, n));
    return most;
}

static void test_perfect_data(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof TRUTHS / sizeof *TRUTHS; k++) {
        const struct truth *t = &TRUTHS[k];
        double x[N_LOADS];
        struct fit f;
        for (size_t i = 0; i < N_LOADS; i++)
            x[i] = at(t, LOADS[i]);
        fit_curve(LOADS, x, N_LOADS, 1, &f);
        if (f.model == FIT_NONE || f.rms > 0.005 || fabs(f.limit / limit_of(t) - 1) > 0.01)
            fail_msg("%s: %s, rms %g, limit %g of %g", t->name, fit_model_name(f.model), f.rms, f.limit, limit_of(t));
        assert_true(fabs(fit_at(&f, f.knee) / f.limit - 0.95) < 0.01 || f.model == FIT_CAPPED);
        assert_true(fit_at(&f, f.knee * 0.99) < 0.951 * f.limit);
    }
    struct fit f; /* and the law itself is found where it differs from the others */
    double x[N_LOADS];
    for (size_t i = 0; i < N_LOADS; i++)
        x[i] = at(&TRUTHS[0], LOADS[i]);
    fit_curve(LOADS, x, N_LOADS, 1, &f);
    assert_int_equal(f.model, FIT_USL);
    assert_true(fabs(f.param[1] / 0.02671 - 1) < 0.01 && fabs(f.param[2] / 0.000769 - 1) < 0.01);
    assert_string_equal(fit_param_name(f.model, 2), "kappa");
}

/* With noise the limit's interval covers the truth about as often as it says. */
static void test_coverage(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof TRUTHS / sizeof *TRUTHS; k++) {
        const struct truth *t = &TRUTHS[k];
        int covered = 0, near = 0, n = trials(200, 200, 10);
        double width = 0;
        struct rng r;
        rng_seed(&r, 17);
        for (int trial = 0; trial < n; trial++) {
            double x[2 * N_LOADS], load[2 * N_LOADS];
            struct fit f;
            for (size_t i = 0; i < 2 * N_LOADS; i++) { /* two repeats of each load */
                load[i] = LOADS[i / 2];
                x[i] = at(t, load[i]) * exp(0.02 * rng_normal(&r));
            }
            fit_curve(load, x, 2 * N_LOADS, (uint64_t)trial, &f);
            assert_int_not_equal(f.model, FIT_NONE);
            covered += f.limit_lo <= limit_of(t) && limit_of(t) <= f.limit_hi;
            near += fabs(f.limit / limit_of(t) - 1) < 0.1;
            width += (f.limit_hi - f.limit_lo) / 2 / f.limit / n;
        }
        printf("%s: limit covered in %d of %d, within 10 %% in %d, mean half width %.1f %%\n", t->name, covered, n,
               near, 100 * width);
        assert_true(covered >= n * 88 / 100);
        assert_true(near >= n * 90 / 100);
    }
}

static void test_too_little(void **state)
{
    (void)state;
    struct fit f;
    const double load[] = {1, 2, 4, 8, 16, 32}, x[] = {10, 20, 38, 70, 100, 110}, same[] = {8, 8, 8, 8, 8, 8},
                 zero[] = {0, 1, 2, 3, 4, 5};
    fit_curve(load, x, 5, 1, &f); /* too few for the AICc of laws with three parameters: one law is no choice */
    assert_int_equal(f.model, FIT_NONE);
    assert_true(isnan(f.limit) && isnan(fit_at(&f, 3)));
    fit_curve(same, x, 6, 1, &f);
    assert_int_equal(f.model, FIT_NONE);
    fit_curve(zero, zero, 6, 1, &f);
    assert_int_equal(f.model, FIT_NONE);
    fit_curve(load, x, 6, 1, &f);
    assert_int_not_equal(f.model, FIT_NONE);
    assert_true(f.limit_lo < f.limit && f.limit < f.limit_hi);
    struct fit again;
    fit_curve(load, x, 6, 1, &again); /* the same seed, the same answer */
    assert_true(fabs(f.limit_lo - again.limit_lo) < 1e-12 && fabs(f.limit_hi - again.limit_hi) < 1e-12);
}

/* A line that never bends: the limit is far beyond anything measured, and the caller sees it by the knee. */
static void test_no_bend(void **state)
{
    (void)state;
    struct fit f;
    double load[7], x[7];
    for (int i = 0; i < 7; i++) {
        load[i] = exp2(i);
        x[i] = 50 * load[i];
    }
    fit_curve(load, x, 7, 1, &f);
    assert_int_not_equal(f.model, FIT_NONE);
    assert_true(f.knee > 55 || !isfinite(f.knee));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_perfect_data), cmocka_unit_test(test_coverage),
                                       cmocka_unit_test(test_too_little), cmocka_unit_test(test_no_bend)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
