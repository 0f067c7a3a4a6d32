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
#include "coordinator/answer/point.h"

/* Log-normal TTFTs whose quantiles are known exactly. */
static double draw_ns(struct rng *r)
{
    return exp(log(200e6) + 0.5 * rng_normal(r));
}
static double truth_ms(double q)
{
    return 200 * exp(0.5 * norm_quantile(q));
}

static void test_coverage(void **state)
{
    (void)state;
    struct rng r;
    int covered[POINT_Q] = {0}, mean_covered = 0;
    struct hist *h = hist_new_dense();
    double mean = 200 * exp(0.125);
    rng_seed(&r, 5);
    for (int trial = 0; trial < 1000; trial++) {
        struct metric_stat s;
        hist_reset(h);
        for (int i = 0; i < 4000; i++)
            assert_int_equal(hist_record(h, (int64_t)draw_ns(&r), 1), 0);
        stat_compute(h, METRIC_TTFT, &s);
        for (int k = 0; k < POINT_Q; k++)
            covered[k] += s.q_lo[k] <= truth_ms(POINT_QS[k]) && truth_ms(POINT_QS[k]) <= s.q_hi[k];
        mean_covered += s.mean_lo <= mean && mean <= s.mean_hi;
    }
    for (int k = 0; k < 4; k++)
        assert_in_range(covered[k], 930, 980);
    assert_in_range(covered[4], 930, 1000); /* p99.9 of 4,000 has few ranks to choose from: it must not cover less */
    assert_in_range(mean_covered, 930, 970);
    hist_destroy(&h);
}

static void test_too_small(void **state)
{
    (void)state;
    struct hist *h = hist_new_dense();
    struct metric_stat s;
    stat_compute(NULL, METRIC_TTFT, &s);
    assert_int_equal(s.count, 0);
    assert_true(isnan(s.mean) && isnan(s.q[0]));
    for (int i = 0; i < 298; i++)
        hist_record(h, (i + 1) * 1000000, 1);
    stat_compute(h, METRIC_TTFT, &s);
    assert_true(!isnan(s.q[2]));
    assert_true(isnan(s.q[3])); /* p99 of 298 */
    hist_record(h, 299000000, 1);
    stat_compute(h, METRIC_TTFT, &s);
    assert_true(!isnan(s.q[3]));
    assert_true(fabs(s.q_hi[3] - 299) < 1e-9); /* the maximum, exactly */
    assert_true(isnan(s.q[4]));
    assert_true(fabs(s.mean - 150) < 1e-9 && fabs(s.min - 1) < 1e-9 && fabs(s.max - 299) < 1e-9);
    /* token gaps: a value, but ranks give no interval */
    stat_compute(h, METRIC_ITL, &s);
    assert_true(!isnan(s.q[3]));
    assert_true(isnan(s.q_lo[3]) && isnan(s.mean_lo));
    hist_destroy(&h);
}

static void test_same_value(void **state)
{
    (void)state;
    struct hist *h = hist_new_dense();
    struct metric_stat s;
    hist_record(h, 20000000, 5000);
    stat_compute(h, METRIC_TPOT, &s);
    for (int k = 0; k < POINT_Q; k++)
        assert_true(fabs(s.q[k] - 20) < 1e-9 && s.q_lo[k] <= 20 && fabs(s.q_hi[k] - 20) < 1e-9);
    hist_destroy(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_coverage), cmocka_unit_test(test_too_small),
                                       cmocka_unit_test(test_same_value)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
