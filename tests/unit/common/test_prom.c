#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "common/prom.h"

static void test_text(void **state)
{
    (void)state;
    struct buf b = BUF_INIT(4096);
    prom_gauge(&b, "agents", "agents that are connected", 4);
    prom_counter(&b, "cpu_seconds_total", "CPU", 1.25);
    prom_family(&b, "info", "gauge", "x");
    prom_sample(&b, "info", "name", "a\"b\\c\nd", (double)NAN);
    assert_string_equal(buf_str(&b), "# HELP plateau_agents agents that are connected\n"
                                     "# TYPE plateau_agents gauge\n"
                                     "plateau_agents 4\n"
                                     "# HELP plateau_cpu_seconds_total CPU\n"
                                     "# TYPE plateau_cpu_seconds_total counter\n"
                                     "plateau_cpu_seconds_total 1.25\n"
                                     "# HELP plateau_info x\n"
                                     "# TYPE plateau_info gauge\n"
                                     "plateau_info{name=\"a\\\"b\\\\c\\nd\"} NaN\n");
    buf_clear(&b);
    static const char *const NAMES[] = {"idle", "load"};
    prom_state(&b, NAMES, 2, 1);
    assert_non_null(strstr(buf_str(&b), "plateau_state{state=\"idle\"} 0\nplateau_state{state=\"load\"} 1\n"));
    buf_clear(&b);
}

/* What Prometheus calls a counter never falls, although a stage begins at zero. */
static void test_totals(void **state)
{
    (void)state;
    struct prom_totals t = {0};
    uint64_t c[COUNTER_N] = {0};
    c[COUNTER_OK] = 5;
    prom_totals_see(&t, c);
    c[COUNTER_OK] = 7;
    c[COUNTER_FAILED_RESET] = 2;
    prom_totals_see(&t, c);
    assert_int_equal(prom_total(&t, COUNTER_OK), 7);
    prom_totals_end(&t);
    assert_int_equal(prom_total(&t, COUNTER_OK), 7);
    memset(c, 0, sizeof c);
    c[COUNTER_OK] = 1;
    prom_totals_see(&t, c);
    assert_int_equal(prom_total(&t, COUNTER_OK), 8);

    struct buf b = BUF_INIT(PROM_PAGE_MAX);
    prom_put_totals(&b, &t);
    assert_false(b.bad);
    assert_non_null(strstr(buf_str(&b), "\nplateau_requests_total{outcome=\"ok\"} 8\n"));
    assert_non_null(strstr(buf_str(&b), "\nplateau_requests_total{outcome=\"reset\"} 2\n"));
    assert_non_null(strstr(buf_str(&b), "\nplateau_stages_total 1\n"));
    buf_clear(&b);
}

static void test_quantile(void **state)
{
    (void)state;
    struct hist *h = hist_new();
    assert_true(isnan(prom_quantile(NULL, 0.5)));
    assert_true(isnan(prom_quantile(h, 0.5)));
    assert_int_equal(hist_record(h, 2000000, 1), 0);
    assert_float_equal(prom_quantile(h, 0.5), 0.002, 1e-9);
    hist_destroy(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_text), cmocka_unit_test(test_totals),
                                       cmocka_unit_test(test_quantile)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
