#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "coordinator/term.h"

static void figures(struct run_progress *p, struct attempt *s, struct hist *ttft, bool huge)
{
    *s = (struct attempt){.t0_ns = 1,
                          .step.load = {.kind = LOAD_CLOSED, .concurrency = 64, .duration_ns = 30 * NS_PER_S}};
    *p = (struct run_progress){.state = RUN_LOAD, .attempt = s, .elapsed_ns = 15 * NS_PER_S};
    p->live.ttft = p->live.itl = ttft;
    p->live.in_flight = huge ? UINT64_MAX : 64;
    p->live.tokens_per_s = huge ? 1e14 : 4510;
    p->live.counters[COUNTER_DUE] = huge ? UINT64_MAX : 1298;
    p->live.counters[COUNTER_OK] = huge ? UINT64_MAX : 1234;
    p->live.counters[COUNTER_FAILED_FIRST] = huge ? 1ull << 60 : 0;
}

/* Whatever the figures and the width: never wider, and never empty. */
static void test_never_wraps(void **state)
{
    (void)state;
    struct hist *h = hist_new();
    struct run_progress p;
    struct attempt s;
    char line[400];
    for (int i = 0; i < 1000; i++)
        assert_int_equal(hist_record(h, 62 * NS_PER_MS, 1), 0);
    for (int huge = 0; huge < 2; huge++)
        for (unsigned width = 20; width <= 250; width++)
            for (int st = RUN_GATHER; st < RUN_STATE_N; st++) {
                figures(&p, &s, h, huge);
                p.state = (enum run_state)st;
                p.endpoint = "tcp://[2001:db8::1234:5678]:65535";
                p.agents_wanted = huge ? UINT32_MAX : 2;
                term_line(&p, huge ? UINT64_MAX : 3, huge ? UINT64_MAX : 9, width, line, sizeof line);
                assert_true(strlen(line) <= width);
                assert_true(line[0]);
                if (st != RUN_LOAD) continue;
                s.step.load = (struct plan_stage){.kind = LOAD_OPEN, .rate_from = 1e-3, .rate_to = 123456.789};
                term_line(&p, 3, 0, width, line, sizeof line);
                assert_true(strlen(line) <= width);
            }
    hist_destroy(&h);
}

/* Half a command is none: a log has the whole hint, however long its names are; a row of a terminal leaves it out. */
static void test_hint(void **state)
{
    (void)state;
    static const char HINT[] =
        "kubectl --namespace load-testing-of-the-inference-platform get pods --selector "
        "app.kubernetes.io/instance=nightly-regression-of-llama,app.kubernetes.io/component=agent --output wide";
    char line[700];
    struct run_progress p = {.state = RUN_GATHER, .agents_wanted = 2, .agents_hint = HINT};
    term_line(&p, 1, 1, 160, line, sizeof line);
    assert_non_null(strstr(line, HINT));
    p.one_row = true;
    term_line(&p, 1, 1, 160, line, sizeof line);
    assert_string_equal(line, "waiting for agents: 0 of 2");
}

/* The line that stays: what matters most comes first, and it does not wrap either. */
static void test_stage_line(void **state)
{
    (void)state;
    struct stage_data s = {.plan = {.kind = LOAD_CLOSED, .concurrency = 64, .duration_ns = 30 * NS_PER_S}};
    struct plan plan = {.verdict_achieved = 0.02};
    struct point p;
    char line[400];
    s.counters[COUNTER_MEASURED_NS] = 30 * NS_PER_S;
    s.counters[COUNTER_WIN_TOKENS_MICRO] = UINT64_C(220260000000);
    s.counters[COUNTER_DUE] = 8308;
    s.counters[COUNTER_FAILED_FIRST] = 4748;
    point_compute(&s, &plan, &p);
    for (unsigned width = 10; width <= 200; width++) {
        term_stage_line(&s, &p, width, line, sizeof line);
        assert_true(line[0] && strlen(line) <= width);
    }
    term_stage_line(&s, &p, 60, line, sizeof line);
    assert_string_equal(line, "load 64:      7,342 token/s  invalid  4,748/8,308 failed");
    s.counters[COUNTER_FAILED_FIRST] = 0; /* a line that is right has columns, whatever its load */
    s.plan.concurrency = 8;
    point_compute(&s, &plan, &p);
    term_stage_line(&s, &p, 100, line, sizeof line);
    assert_string_equal(line, "load 8:       7,342 token/s  invalid  ttft p50      n/a  p99      n/a  0/8,308 failed");
}

/* Bars from the smallest to the largest, a column each; what is not valid is a dot; nothing is drawn of one value or of
 * none. */
static void test_curve(void **state)
{
    (void)state;
    char text[200];
    term_curve((const double[]){0, 100, 50, NAN, 99.9, 12.4, 12.6}, 7, text, sizeof text);
    assert_string_equal(text, "\u2581\u2588\u2585\u00b7\u2588\u2581\u2582");
    term_curve((const double[]){5}, 1, text, sizeof text);
    assert_string_equal(text, "");
    term_curve((const double[]){NAN, 0}, 2, text, sizeof text);
    assert_string_equal(text, "");
    term_curve((const double[]){1, 2, 3}, 3, text, 7); /* no room for the third: whole characters only */
    assert_string_equal(text, "\u2583\u2586");
}

static void test_what_fits_at_80(void **state)
{
    (void)state;
    struct hist *h = hist_new();
    struct run_progress p;
    struct attempt s;
    char line[400];
    for (int i = 0; i < 250; i++)
        assert_int_equal(hist_record(h, 62 * NS_PER_MS, 1), 0);
    figures(&p, &s, h, false);
    term_line(&p, 3, 9, 79, line, sizeof line);
    assert_string_equal(line, "stage 3/9  load 64  [######------] 15/30 s  4,510 token/s  1,234 ok  0 failed");
    p.live.counters[COUNTER_DUE] = 0; /* no agent has reported yet: nobody knows what is in flight */
    term_line(&p, 3, 9, 200, line, sizeof line);
    assert_null(strstr(line, "in flight"));
    assert_null(strstr(line, "token/s"));
    p.live.counters[COUNTER_DUE] = 1298;
    term_line(&p, 3, 9, 200, line, sizeof line);
    assert_non_null(strstr(line, "ttft p50 62 ms"));
    assert_non_null(strstr(line, "64 in flight"));
    assert_null(strstr(line, "p99")); /* 250 samples do not carry it */
    p.left_ns = 195 * NS_PER_S;
    term_line(&p, 3, 9, 79, line, sizeof line);
    assert_string_equal(line, "stage 3/9  load 64  [######------] 15/30 s  4,510 token/s  3 min left  1,234 ok");
    term_line(&p, 1, 1, 200, line, sizeof line);
    assert_null(strstr(line, "left")); /* of one stage the bar says it */
    p.live.counters[COUNTER_FAILED_FIRST] = 7;
    term_line(&p, 3, 9, 79, line, sizeof line);
    assert_non_null(strstr(line, "7 failed")); /* before what is less urgent */
    hist_destroy(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_never_wraps), cmocka_unit_test(test_hint),
                                       cmocka_unit_test(test_stage_line), cmocka_unit_test(test_curve),
                                       cmocka_unit_test(test_what_fits_at_80)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
