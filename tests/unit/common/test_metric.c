#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/hist.h"
#include "common/metric.h"

static void test_table(void **state)
{
    (void)state;
    for (int i = 0; i < METRIC_N; i++) {
        const struct metric_row *m = &METRICS[i];
        assert_true(strlen(m->name) && strlen(m->unit) && strlen(m->per) && strlen(m->formula) && m->scale > 0);
        assert_int_equal(metric_find(m->name), i);
        if (strcmp(m->unit, "ms") == 0) assert_true(m->scale == 1e6); /* times are stored in ns */
    }
    assert_int_equal(metric_find("no_such"), METRIC_N);
    assert_int_equal(metric_find(""), METRIC_N);
    assert_true(METRICS[METRIC_TTFT].window && !METRICS[METRIC_LAG].window && !METRICS[METRIC_FAIL_TIME].window);
}

/* The scale of counts is chosen so that whole numbers of tokens have buckets of their own up to 1,048 at least, and 0.1
 * % above. */
static void test_counts_are_exact(void **state)
{
    (void)state;
    double scale = METRICS[METRIC_OUTPUT_TOKENS].scale;
    for (int64_t n = 1; n < 1048; n++)
        assert_true(hist_index((int64_t)((double)n * scale)) < hist_index((int64_t)((double)(n + 1) * scale)));
    int64_t v = (int64_t)(100000 * scale);
    assert_true((double)(hist_bucket_high(hist_index(v)) - v) <= 1e-3 * (double)v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_table), cmocka_unit_test(test_counts_are_exact)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
