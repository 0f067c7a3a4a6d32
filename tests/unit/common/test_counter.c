#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/counter.h"

static void test_table(void **state)
{
    (void)state;
    for (int i = 0; i < COUNTER_N; i++) {
        assert_true(strlen(COUNTERS[i].name) && strlen(COUNTERS[i].meaning));
        for (int j = 0; j < i; j++)
            assert_string_not_equal(COUNTERS[i].name, COUNTERS[j].name);
    }
    assert_string_equal(COUNTERS[COUNTER_FAILED_FIRST].name, "dns");
    assert_string_equal(COUNTERS[COUNTER_FAILED_LAST].name, "refused");
    assert_int_equal(COUNTER_FAILED_LAST + 1, COUNTER_CANCELLED);
    for (int i = 0; i < FAILURE_N; i++) {
        assert_string_equal(FAILURES[i].name, COUNTERS[COUNTER_FAILED_FIRST + i].name);
        assert_string_equal(FAILURES[i].meaning, COUNTERS[COUNTER_FAILED_FIRST + i].meaning);
        assert_true(counter_is_failure((enum counter)(COUNTER_FAILED_FIRST + i)));
    }
    assert_false(counter_is_failure(COUNTER_OK) || counter_is_failure(COUNTER_CANCELLED));
}

static void test_add(void **state)
{
    (void)state;
    uint64_t total[COUNTER_N], part[COUNTER_N];
    for (int greater = 0; greater < 2; greater++) {
        for (int i = 0; i < COUNTER_N; i++) {
            total[i] = 100 + (uint64_t)i;
            part[i] = greater ? 1000 : 10;
        }
        counters_add(total, part);
        for (int i = 0; i < COUNTER_N; i++) {
            uint64_t was = 100 + (uint64_t)i;
            int takes_maximum = i == COUNTER_CPU_MAX_NS || i == COUNTER_WAITING_BYTES_MAX || i == COUNTER_MEASURED_NS ||
                                i == COUNTER_USAGE_OVER_MOST ||
                                (i >= COUNTER_USAGE_DOUBTED_OUT && i <= COUNTER_USAGE_DOUBTED_CACHED);
            if (takes_maximum)
                assert_int_equal(total[i], greater ? 1000 : was);
            else
                assert_int_equal(total[i], was + part[i]);
        }
    }
}

static void test_failed(void **state)
{
    (void)state;
    uint64_t c[COUNTER_N] = {0};
    c[COUNTER_FAILED_DNS] = 1;
    c[COUNTER_FAILED_HTTP_429] = 10;
    c[COUNTER_FAILED_REFUSED] = 100;
    c[COUNTER_OK] = c[COUNTER_CANCELLED] = c[COUNTER_ABORTED] = c[COUNTER_WIN_FAILED] = 5000;
    assert_int_equal(counters_failed(c), 111);
}

static void test_statuses(void **state)
{
    (void)state;
    assert_int_equal(counter_of_status(FAILURE_HTTP_5XX, 503), COUNTER_STATUS_503);
    assert_int_equal(counter_of_status(FAILURE_HTTP_5XX, 599), COUNTER_STATUS_OTHER_5XX);
    assert_int_equal(counter_of_status(FAILURE_HTTP_5XX, 102), COUNTER_STATUS_OTHER_5XX);
    assert_int_equal(counter_of_status(FAILURE_HTTP_4XX, 418), COUNTER_STATUS_OTHER_4XX);
    assert_int_equal(counter_of_status(FAILURE_HTTP_3XX, 308), COUNTER_STATUS_308);
    assert_int_equal(counter_of_status(FAILURE_HTTP_429, 429), COUNTER_N); /* its label has no other */
    assert_int_equal(counter_of_status(FAILURE_TRUNCATED, 503), COUNTER_N);
    for (int i = 0; i < COUNTER_STATUSES_N; i++)
        assert_int_equal(counter_of_status(COUNTER_STATUSES[i].label, COUNTER_STATUSES[i].status),
                         COUNTER_STATUSES[i].counter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_table), cmocka_unit_test(test_add),
                                       cmocka_unit_test(test_failed), cmocka_unit_test(test_statuses)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
