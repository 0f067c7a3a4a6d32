#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/rng.h"
#include "coordinator/answer/numeric.h"

#define near(a, b, eps) assert_true(fabs((a) - (b)) <= (eps))

static void test_known_values(void **state)
{
    (void)state;
    near(norm_quantile(0.975), 1.959963984540054, 1e-12);
    near(norm_quantile(0.5), 0, 1e-15);
    near(norm_quantile(1e-9), -5.997807015007687, 1e-9);
    near(norm_cdf(1.959963984540054), 0.975, 1e-12);
    /* tables of Student's t */
    near(t_quantile(0.975, 1), 12.706204736432095, 1e-6);
    near(t_quantile(0.975, 4), 2.7764451051977987, 1e-8);
    near(t_quantile(0.025, 10), -2.2281388519649385, 1e-8);
    near(t_quantile(0.975, 1e6), 1.9599663, 1e-5);
    /* I_x(a, b) of whole numbers is a binomial sum */
    near(beta_inc(2, 3, 0.4), 0.5248, 1e-12);
    near(beta_inc(0.5, 0.5, 0.5), 0.5, 1e-12);
    near(beta_quantile(2, 3, 0.5248), 0.4, 1e-9);
}

static void test_binomial(void **state)
{
    (void)state;
    /* against the plain sum */
    for (uint64_t n = 1; n <= 60; n += 7) {
        double sum = 0, p = 0.37, term = pow(1 - p, (double)n);
        for (uint64_t k = 0; k <= n; k++) {
            sum += term;
            near(binom_cdf(k, n, p), k == n ? 1 : sum, 1e-11);
            term *= (double)(n - k) / (double)(k + 1) * p / (1 - p);
        }
    }
    near(binom_cdf(9900, 10000, 0.99), 0.5 + 0.5 * 0.0798 / 2, 0.02);
    /* the exact form and the normal one meet where one takes over */
    near(binom_cdf(9999000 - 500, 9999000, 0.9999), binom_cdf(10000002 - 500, 10000002, 0.9999), 0.01);
}

/* The definition itself: enclosing with at least 1 - alpha, and no rank nearer would do. */
static void test_ranks(void **state)
{
    (void)state;
    const double qs[] = {0.1, 0.5, 0.9, 0.99};
    const uint64_t ns[] = {6, 10, 59, 299, 300, 368, 1000, 25000};
    for (size_t i = 0; i < 4; i++)
        for (size_t j = 0; j < 8; j++) {
            uint64_t n = ns[j], lo, hi;
            double q = qs[i];
            rank_interval(n, q, 0.05, &lo, &hi);
            if (!lo || !hi) {
                assert_true(pow(q, (double)n) + pow(1 - q, (double)n) > 0.05 || n < samples_needed(q) || q < 0.5);
                continue;
            }
            assert_true(lo <= hi && hi <= n);
            double cover = binom_cdf(hi - 1, n, q) - (lo > 0 ? binom_cdf(lo - 1, n, q) : 0);
            assert_true(cover >= 0.95 - 1e-12);
            uint64_t a = rank_above(n, q, 0.025);
            if (a > 1) assert_true(binom_cdf(a - 2, n, q) < 0.975);
        }
    uint64_t lo, hi;
    rank_interval(299, 0.99, 0.05, &lo, &hi); /* p99 of 299 samples: the maximum is its upper end, just */
    assert_int_equal(hi, 299);
    assert_true(lo > 0);
    rank_interval(298, 0.99, 0.05, &lo, &hi);
    assert_int_equal(hi, 0);
}

static void test_samples_needed(void **state)
{
    (void)state;
    assert_int_equal(samples_needed(0.99), 299);
    assert_int_equal(samples_needed(0.999), 2995);
    assert_int_equal(samples_needed(0.5), 5);
    assert_int_equal(samples_needed(0.01), 299); /* as for the other end */
    assert_int_equal(samples_needed(0.1), samples_needed(0.9));
}

static void test_share(void **state)
{
    (void)state;
    double lo, hi;
    share_interval(0, 100, 0.05, &lo, &hi);
    near(lo, 0, 0);
    near(hi, 0.0362166, 1e-6); /* 1 - 0.025^(1/100) */
    share_interval(10, 100, 0.05, &lo, &hi);
    near(lo, 0.0490047, 1e-6); /* Clopper & Pearson's tables */
    near(hi, 0.1762226, 1e-6);
    share_interval(100, 100, 0.05, &lo, &hi);
    near(hi, 1, 0);
}

static void test_line(void **state)
{
    (void)state;
    struct rng r;
    int covered = 0;
    double x[15], y[15];
    struct line l;
    rng_seed(&r, 11);
    for (int trial = 0; trial < 1000; trial++) {
        for (int i = 0; i < 15; i++) {
            x[i] = i;
            y[i] = 100 - 0.7 * i + 5 * rng_normal(&r);
        }
        assert_true(line_fit(x, y, 15, 0.05, &l));
        covered += l.slope_lo <= -0.7 && -0.7 <= l.slope_hi;
    }
    assert_in_range(covered, 930, 970);
    assert_false(line_fit(x, y, 2, 0.05, &l));
    for (int i = 0; i < 15; i++)
        x[i] = 3;
    assert_false(line_fit(x, y, 15, 0.05, &l));
}

static void test_quantile_of(void **state)
{
    (void)state;
    double v[] = {5, 1, 3, 2, 4};
    near(quantile_of(v, 5, 0.5), 3, 0);
    near(quantile_of(v, 5, 0.125), 1.5, 1e-12);
    near(quantile_of(v, 5, 1), 5, 0);
    assert_true(isnan(quantile_of(v, 0, 0.5)));
    assert_true(isnan(sd_of(v, 1)));
    near(sd_of(v, 5), 1.5811388300841898, 1e-12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_values),   cmocka_unit_test(test_binomial), cmocka_unit_test(test_ranks),
        cmocka_unit_test(test_samples_needed), cmocka_unit_test(test_share),    cmocka_unit_test(test_line),
        cmocka_unit_test(test_quantile_of),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
