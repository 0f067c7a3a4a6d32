#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "coordinator/answer/early_stop.h"

/* The floors of the rules: with one sample less there is no bound. */
static void test_floors(void **state)
{
    (void)state;
    static const struct {
        double p;
        uint64_t floor;
    } ROWS[] = {{0.5, 11}, {0.75, 24}, {0.8, 31}, {0.9, 64}, {0.95, 130}, {0.97, 219}, {0.99, 662}, {0.999, 6636}};
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        assert_int_equal(early_stop_above(ROWS[i].floor, ROWS[i].p), 1);
        assert_int_equal(early_stop_above(ROWS[i].floor - 1, ROWS[i].p), 0);
    }
    assert_int_equal(early_stop_above(10000, 0.99), 77);
    assert_int_equal(early_stop_above(0, 0.99), 0);
    assert_int_equal(early_stop_above(100, 1), 0);
}

static void test_bound(void **state)
{
    (void)state;
    struct hist *h = hist_new();
    assert_true(isnan(early_stop_bound(NULL, 0.9)));
    for (int64_t i = 1; i <= 63; i++)
        hist_record(h, i * 1000000, 1);
    assert_true(isnan(early_stop_bound(h, 0.9)));
    hist_record(h, 64 * 1000000, 1); /* t = 1: the largest of all */
    assert_true(fabs(early_stop_bound(h, 0.9) / 64e6 - 1) < 0.002);
    hist_destroy(&h);
    h = hist_new();
    for (int64_t i = 1; i <= 10000; i++) /* t = 77: the 77th from the end */
        hist_record(h, i * 1000, 1);
    assert_true(fabs(early_stop_bound(h, 0.99) / 9924e3 - 1) < 0.002);
    hist_destroy(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_floors), cmocka_unit_test(test_bound)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
