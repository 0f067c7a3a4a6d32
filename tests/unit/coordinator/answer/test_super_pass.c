#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/rng.h"
#include "coordinator/answer/super_pass.h"
#include "coordinator/answer/trend.h"

/* Worked by hand: S of 1 2 3 4 5 is 10, its variance 5·4·15/18 = 16.67, z = 9 / 4.0825 = 2.2045. */
static void test_mann_kendall(void **state)
{
    (void)state;
    const double rising[] = {1, 2, 3, 4, 5}, ties[] = {1, 1, 2, 2, 3};
    struct trend t;
    assert_true(trend_compute(rising, 5, &t));
    assert_true(fabs(t.s - 10) < 1e-9 && fabs(t.z - 2.2045) < 1e-4 && fabs(t.p - 0.02749) < 1e-4);
    assert_true(fabs(t.slope - 1) < 1e-9 && fabs(t.change - 4.0 / 3) < 1e-9);
    assert_true(trend_compute(ties, 5, &t)); /* S = 8, variance (300 - 2·18) / 18 = 14.67 */
    assert_true(fabs(t.s - 8) < 1e-9 && fabs(t.z - 7 / sqrt(264.0 / 18)) < 1e-9);
    assert_false(trend_compute(rising, 3, &t));
    assert_false(trend_compute((double[]){1, 2, NAN, 4}, 4, &t));
}

/* Independent noise is called a trend in about 5 % of the runs. Of correlated noise (AR 0.7) the plain test calls over
 * a third a trend, the corrected one clearly fewer. */
static void test_correction(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 7);
    int plain = 0, corrected = 0, bare = 0;
    for (int run = 0; run < 600; run++) {
        double x[60], y[60], last = 0;
        struct trend t;
        for (int i = 0; i < 60; i++) {
            x[i] = 100 + rng_normal(&r);
            last = 0.7 * last + rng_normal(&r);
            y[i] = 100 + last;
        }
        assert_true(trend_compute(x, 60, &t));
        plain += t.p < 0.05;
        assert_true(trend_compute(y, 60, &t));
        corrected += t.p < 0.05;
        bare += erfc(fabs(t.z) * sqrt(t.correction) / sqrt(2)) < 0.05;
    }
    assert_in_range(plain, 6, 48);
    assert_true(bare > 120 && corrected < bare * 2 / 3);
}

static void test_pettitt(void **state)
{
    (void)state;
    double x[20];
    size_t at;
    for (int i = 0; i < 20; i++)
        x[i] = (i < 12 ? 10 : 13) + 0.01 * (i % 2);
    assert_true(trend_jump(x, 20, &at) < 0.01);
    assert_int_equal(at, 12);
    for (int i = 0; i < 20; i++)
        x[i] = i % 2 ? 10 : 11;
    assert_true(trend_jump(x, 20, &at) > 0.5);
    assert_true(trend_jump(x, 3, &at) >= 1);
}

static struct super_pass pass[64];

/* Super-passes of 120 s, half a percent of noise. */
static void make(struct rng *r, size_t n, double (*level)(size_t i))
{
    for (size_t i = 0; i < n; i++) {
        double x = level(i) * (1 + 0.005 * rng_normal(r));
        pass[i] = (struct super_pass){120 * (double)i, 120 * (double)i + 119, x, 1.3 * x};
    }
}

static double steady(size_t i)
{
    return i < 2 ? 14 : 20; /* a ramp of two */
}
static double up(size_t i)
{
    return 20 + 2 * (double)i;
}
static double jumps(size_t i)
{
    return i < 23 ? 20 : 26;
}
static double wild(size_t i)
{
    return i % 2 ? 20 : 40;
}

static void test_window(void **state)
{
    (void)state;
    struct rng r;
    struct super_pass_window w;
    rng_seed(&r, 3);
    make(&r, 14, steady);
    super_pass_find(pass, 14, 600, 0.03, &w);
    assert_int_equal(w.status, SUPER_PASS_WINDOWABLE);
    assert_int_equal(w.verdict, SUPER_PASS_STEADY);
    assert_int_equal(w.cropped, 2);
    assert_true(w.begin == 2 && w.end == 14 && fabs(w.seconds - (12 * 120 - 1)) < 1e-9 && w.cov_p50 < 0.03);
    super_pass_find(pass, 14, 6000, 0.03, &w);
    assert_int_equal(w.status, SUPER_PASS_TOO_SHORT);
    assert_true(w.end == 0);
    super_pass_find(pass, 3, 10, 0.03, &w);
    assert_int_equal(w.status, SUPER_PASS_TOO_FEW);

    make(&r, 20, up);
    super_pass_find(pass, 20, 600, 0.03, &w);
    assert_int_equal(w.verdict, SUPER_PASS_DRIFTING_UP);
    make(&r, 28, jumps); /* the first plateau is reported, the second is an anomaly */
    super_pass_find(pass, 28, 600, 0.03, &w);
    assert_int_equal(w.verdict, SUPER_PASS_ANOMALY);
    assert_true(w.begin == 0 && w.end == 23);
    make(&r, 20, wild);
    super_pass_find(pass, 20, 600, 0.03, &w);
    assert_int_equal(w.verdict, SUPER_PASS_NOT_FOUND);
    assert_string_equal(super_pass_verdict_name(w.verdict), "not found");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_mann_kendall), cmocka_unit_test(test_correction),
                                       cmocka_unit_test(test_pettitt), cmocka_unit_test(test_window)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
