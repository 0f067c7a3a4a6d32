#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/plan/gate.h"

static void good(void **state)
{
    (void)state;
    static const struct {
        const char *text, *folded;
        struct plan_gate g;
    } ROWS[] = {
        {"ttft.p99 < 800ms",
         "ttft.p99 < 800ms",
         {.subject = GATE_METRIC, .metric = METRIC_TTFT, .agg = AGG_QUANTILE, .q = 0.99, .op = OP_LT, .value = 800e6}},
        {"p99(ttft)<800ms",
         "p99(ttft) < 800ms",
         {.subject = GATE_METRIC, .metric = METRIC_TTFT, .agg = AGG_QUANTILE, .q = 0.99, .op = OP_LT, .value = 800e6}},
        {" e2e.mean  <=  1.5s ",
         "e2e.mean <= 1.5s",
         {.subject = GATE_METRIC, .metric = METRIC_E2E, .agg = AGG_MEAN, .op = OP_LE, .value = 1.5e9}},
        {"itl.p99.9 < 50ms",
         "itl.p99.9 < 50ms",
         {.subject = GATE_METRIC, .metric = METRIC_ITL, .agg = AGG_QUANTILE, .q = 0.999, .op = OP_LT, .value = 50e6}},
        {"itl.p99_9 < 50ms",
         "itl.p99_9 < 50ms",
         {.subject = GATE_METRIC, .metric = METRIC_ITL, .agg = AGG_QUANTILE, .q = 0.999, .op = OP_LT, .value = 50e6}},
        {"tpot.median < 20ms",
         "tpot.median < 20ms",
         {.subject = GATE_METRIC, .metric = METRIC_TPOT, .agg = AGG_QUANTILE, .q = 0.5, .op = OP_LT, .value = 20e6}},
        {"lateness.max < 5ms",
         "lateness.max < 5ms",
         {.subject = GATE_METRIC, .metric = METRIC_LATENESS, .agg = AGG_MAX, .op = OP_LT, .value = 5e6}},
        {"output_tokens.min >= 10",
         "output_tokens.min >= 10",
         {.subject = GATE_METRIC, .metric = METRIC_OUTPUT_TOKENS, .agg = AGG_MIN, .op = OP_GE, .value = 10e3}},
        {"user_speed.p5 > 20",
         "user_speed.p5 > 20",
         {.subject = GATE_METRIC,
          .metric = METRIC_USER_SPEED,
          .agg = AGG_QUANTILE,
          .q = 0.05,
          .op = OP_GT,
          .value = 20e6}},
        {"throughput > 7500", "throughput > 7500", {.subject = GATE_THROUGHPUT, .op = OP_GT, .value = 7500}},
        {"requests.rate >= 12.5",
         "requests.rate >= 12.5",
         {.subject = GATE_REQUESTS_PER_S, .op = OP_GE, .value = 12.5}},
        {"goodput > 3", "goodput > 3", {.subject = GATE_GOODPUT, .op = OP_GT, .value = 3}},
        {"errors.rate < 1%", "errors.rate < 1%", {.subject = GATE_ERROR_RATE, .op = OP_LT, .value = 0.01}},
        {"rate(errors) < 0.02", "rate(errors) < 0.02", {.subject = GATE_ERROR_RATE, .op = OP_LT, .value = 0.02}},
        {"errors.count <= 0", "errors.count <= 0", {.subject = GATE_ERROR_COUNT, .op = OP_LE, .value = 0}},
        {"count(errors) < 5", "count(errors) < 5", {.subject = GATE_ERROR_COUNT, .op = OP_LT, .value = 5}},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct plan_gate g;
        struct err e = {.text = ""};
        char folded[GATE_TEXT_MAX];
        if (gate_parse(ROWS[i].text, &g, &e)) fail_msg("%s: %s", ROWS[i].text, e.text);
        assert_int_equal(g.subject, ROWS[i].g.subject);
        if (g.subject == GATE_METRIC) {
            assert_int_equal(g.metric, ROWS[i].g.metric);
            assert_int_equal(g.agg, ROWS[i].g.agg);
            assert_float_equal((float)g.q, (float)ROWS[i].g.q, 1e-6f);
        }
        assert_int_equal(g.op, ROWS[i].g.op);
        assert_true(g.value == ROWS[i].g.value);
        assert_int_equal(gate_fold(ROWS[i].text, folded), 0);
        assert_string_equal(folded, ROWS[i].folded);
    }
}

static void bad(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } ROWS[] = {
        {"", "expected METRIC OPERATOR VALUE with <, <=, > or >=, such as \"ttft.p99 < 800ms\", got \"\""},
        {"ttft.p99", "expected METRIC OPERATOR VALUE"},
        {"ttft.p99 == 800ms", "expected METRIC OPERATOR VALUE"},
        {"< 5", "expected METRIC OPERATOR VALUE"},
        {"throughput >", "expected METRIC OPERATOR VALUE"},
        {"tttf.p99 < 1s", "unknown metric \"tttf\"; did you mean \"ttft\"?"},
        {"thruput > 5", "unknown metric \"thruput\"; did you mean \"throughput\"?"},
        {"zzzzzzzz.p99 < 1s", "unknown metric \"zzzzzzzz\"; expected throughput"},
        {"ttft < 1s", "ttft needs a statistic, such as ttft.p99 or ttft.mean"},
        {"ttft.p100 < 1s", "unknown statistic \"p100\""},
        {"ttft.p0 < 1s", "unknown statistic \"p0\""},
        {"ttft.p < 1s", "unknown statistic \"p\""},
        {"ttft.p9x < 1s", "unknown statistic \"p9x\""},
        {"ttft.avrg < 1s", "unknown statistic \"avrg\""},
        {"ttft.p99 < 800", "ttft is a time: expected a value such as 800ms, got \"800\""},
        {"ttft.p99 < -1s", "ttft is a time"},
        {"throughput > nan", "expected a number, got \"nan\""},
        {"throughput > 0x10", "expected a number, got \"0x10\""},
        {"throughput > 1e999", "expected a number, got \"1e999\""},
        {"throughput > 5%", "expected a number, got \"5%\""},
        {"errors.rate < 150%", "a rate of errors is at most 100%, got 150%"},
        {"errors.rate < 5ms", "expected a number such as 1% or 0.01, got \"5ms\""},
        {"errors.rat < 1%", "unknown metric \"errors\"; did you mean \"errors.rate\"?"},
        {"ttft.p99 < 800ms > 5", "ttft is a time"},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct plan_gate g;
        struct err e = {.text = ""};
        if (gate_parse(ROWS[i].text, &g, &e) == 0) fail_msg("\"%s\" was accepted", ROWS[i].text);
        if (strncmp(e.text, ROWS[i].says, strlen(ROWS[i].says)) != 0) fail_msg("\"%s\" says: %s", ROWS[i].text, e.text);
    }
}

static void too_long(void **state)
{
    (void)state;
    char text[1000];
    struct plan_gate g;
    memset(text, ' ', sizeof text);
    text[sizeof text - 1] = 0;
    memcpy(text, "throughput > 1", 14);
    assert_int_equal(gate_parse(text, &g, NULL), -1);
    assert_int_equal(gate_fold(text, text + 500), -1);
}

static void test_capacity(void **state)
{
    (void)state;
    struct plan_capacity c;
    struct err e;
    char folded[GATE_TEXT_MAX];
    assert_int_equal(gate_capacity_parse("  >=  5000   token/s ", &c, folded, &e), 0);
    assert_true(c.op == OP_GE && c.value > 4999 && c.value < 5001 && !c.requests);
    assert_string_equal(folded, ">= 5000 token/s");
    assert_int_equal(gate_capacity_parse(">1.5 requests/s", &c, folded, &e), 0);
    assert_true(c.op == OP_GT && c.requests);
    static const char *const BAD[] = {"",
                                      "5000 token/s",
                                      "< 5000 token/s",
                                      ">= token/s",
                                      ">= 5000",
                                      ">= 5000 ms",
                                      ">= -1 token/s",
                                      ">= 1e999 token/s",
                                      ">= 0 token/s",
                                      ">= 5 token/s or so",
                                      ">= nan token/s"};
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++)
        if (gate_capacity_parse(BAD[i], &c, folded, &e) == 0) fail_msg("%s was taken", BAD[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_capacity), cmocka_unit_test(good), cmocka_unit_test(bad),
                                       cmocka_unit_test(too_long)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
