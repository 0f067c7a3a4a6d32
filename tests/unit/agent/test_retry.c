#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/retry.h"

static const struct plan_retries PLAN = {.max = 2,
                                         .budget = 0.1,
                                         .wait_ns = 100,
                                         .status = {429, 503},
                                         .n_status = 2,
                                         .labels = UINT32_C(1) << FAILURE_RESET};

static void test_which(void **state)
{
    (void)state;
    uint64_t c[COUNTER_N] = {[COUNTER_SENT] = 1000};
    assert_int_equal(retry_ask(&PLAN, COUNTER_FAILED_HTTP_429, 429, 1, c), RETRY_YES);
    assert_int_equal(retry_ask(&PLAN, COUNTER_FAILED_HTTP_5XX, 503, 2, c), RETRY_YES);
    assert_int_equal(retry_ask(&PLAN, COUNTER_FAILED_HTTP_5XX, 503, 3, c), RETRY_NO); /* it had its three tries */
    assert_int_equal(retry_ask(&PLAN, COUNTER_FAILED_HTTP_5XX, 500, 1, c), RETRY_NO);
    assert_int_equal(retry_ask(&PLAN, COUNTER_FAILED_RESET, 0, 1, c), RETRY_YES);
    assert_int_equal(retry_ask(&PLAN, COUNTER_FAILED_CONNECT, 0, 1, c), RETRY_NO);
    assert_int_equal(retry_ask(&PLAN, COUNTER_OK, 200, 1, c), RETRY_NO);
    assert_int_equal(retry_ask(&PLAN, COUNTER_ABORTED, 429, 1, c), RETRY_NO);
    assert_int_equal(retry_ask(&PLAN, COUNTER_CANCELLED, 503, 1, c), RETRY_NO);
}

static void test_budget(void **state)
{
    (void)state;
    uint64_t c[COUNTER_N] = {[COUNTER_SENT] = 1};
    assert_int_equal(retry_ask(&PLAN, COUNTER_FAILED_RESET, 0, 1, c), RETRY_YES); /* one is free */
    c[COUNTER_RETRIES] = 1;
    assert_int_equal(retry_ask(&PLAN, COUNTER_FAILED_RESET, 0, 1, c), RETRY_DENIED);
    c[COUNTER_SENT] = 10;
    assert_int_equal(retry_ask(&PLAN, COUNTER_FAILED_RESET, 0, 1, c), RETRY_YES);
    c[COUNTER_RETRIES] = 2;
    assert_int_equal(retry_ask(&PLAN, COUNTER_FAILED_RESET, 0, 1, c), RETRY_DENIED);
    assert_int_equal(retry_ask(&PLAN, COUNTER_FAILED_CONNECT, 0, 1, c), RETRY_NO); /* not denied: not asked for */
}

static void test_wait(void **state)
{
    (void)state;
    assert_int_equal(retry_wait(&PLAN, 1), 100);
    assert_int_equal(retry_wait(&PLAN, 2), 200);
    assert_int_equal(retry_wait(&PLAN, 5), 1600);
    assert_int_equal(retry_wait(&PLAN, 100), 102400); /* it does not grow for ever */
}

static int64_t after(const char *value)
{
    return retry_after(value, strlen(value), 784111777); /* Sun, 06 Nov 1994 08:49:37 GMT, the example of RFC 9110 */
}

static void test_after(void **state)
{
    (void)state;
    static const char *const NEITHER[] = {"",
                                          " ",
                                          "-5",
                                          "1.5",
                                          "1e3",
                                          "soon",
                                          "12 s",
                                          "Sun, 06 Nov 1994",
                                          "Sun, 06 Nov 1994 08:49:37 GMT, and more",
                                          "0x10",
                                          "99999999999999999999999999999999999999999999"};
    assert_int_equal(after("0"), 0);
    assert_int_equal(after("120"), 120 * INT64_C(1000000000));
    assert_int_equal(after(" 7\t"), 7 * INT64_C(1000000000));
    assert_int_equal(after("99999999999999999999"), 86400 * INT64_C(1000000000)); /* a day is as good as never */
    assert_int_equal(after("Sun, 06 Nov 1994 08:49:47 GMT"), 10 * INT64_C(1000000000));
    assert_int_equal(after("Sunday, 06-Nov-94 08:49:38 GMT"), INT64_C(1000000000));
    assert_int_equal(after("Sun Nov  6 08:49:39 1994"), 2 * INT64_C(1000000000));
    assert_int_equal(after("Sun, 06 Nov 1994 08:00:00 GMT"), 0); /* it is over */
    for (size_t i = 0; i < sizeof NEITHER / sizeof *NEITHER; i++)
        if (after(NEITHER[i]) != -1) fail_msg("\"%s\" is taken for a Retry-After", NEITHER[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_which), cmocka_unit_test(test_budget),
                                       cmocka_unit_test(test_wait), cmocka_unit_test(test_after)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
