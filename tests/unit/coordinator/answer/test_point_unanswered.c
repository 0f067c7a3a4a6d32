#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "coordinator/answer/gate_check.h"
#include "tests/unit/point_world.h"

/* Users who went away are no errors, and are not among those that the drain's end cut off. */
static void test_cancelled(void **state)
{
    (void)state;
    struct stage_data s;
    struct agent_data a;
    struct plan plan = plan_of();
    struct point p;
    stage_make(&s, &a);
    struct hist *cut = s.hist[METRIC_CUT_AGE] = hist_new(), *gone = s.hist[METRIC_CANCEL_AGE] = hist_new();
    assert_int_equal(hist_record(cut, INT64_C(30000000000), 40), 0);
    assert_int_equal(hist_record(gone, INT64_C(30000000000), 40), 0);
    s.counters[COUNTER_WIN_CANCELLED_EARLY] = 30, s.counters[COUNTER_WIN_CANCELLED_OVER] = 20;
    point_compute(&s, &plan, &p);
    assert_true(p.window_cancelled == 40 && p.cancelled_early == 30 && p.cancelled_over == 20);
    assert_true(p.window_cut == 0 && p.window_unanswered == 0 && isnan(p.oldest_cut_s));
    is(p.error_rate, 0);
    assert_int_equal(point_limited(&p), 520);
    assert_int_equal(hist_record(cut, INT64_C(20000000000), 6), 0); /* older than the slowest answer … */
    assert_int_equal(hist_record(cut, INT64_C(1000000000), 4), 0);  /* … and younger */
    point_compute(&s, &plan, &p);
    assert_true(p.window_cancelled == 40 && p.window_cut == 10 && p.window_unanswered == 6);
    assert_true(fabs(p.oldest_cut_s - 20) < 0.1);
    hist_reset(gone);
    point_compute(&s, &plan, &p);
    is(p.oldest_cut_s, 30);
    assert_int_equal(p.window_unanswered, 46);
    stage_done(&s);
}

/* A third of the users hang, and are a hundredth of the requests. */
static void test_users(void **state)
{
    (void)state;
    struct stage_data s;
    struct agent_data a;
    struct plan plan = plan_of();
    struct point p;
    stage_make(&s, &a);
    s.hist[METRIC_CUT_AGE] = hist_new(), s.hist[METRIC_FAIL_AGE] = hist_new();
    point_compute(&s, &plan, &p);
    assert_true(p.users.n == 32 && p.users.hung == 0);
    is(p.users.unserved, 0);
    s.counters[COUNTER_WIN_UNSERVED_NS] = UINT64_C(50000000000) * 10;
    assert_int_equal(hist_record(s.hist[METRIC_CUT_AGE], INT64_C(55000000000), 8), 0);
    assert_int_equal(hist_record(s.hist[METRIC_FAIL_AGE], INT64_C(60000000000), 2), 0); /* timed out in the drain */
    assert_int_equal(hist_record(s.hist[METRIC_FAIL_AGE], INT64_C(5000000000), 20), 0); /* one after the other */
    point_compute(&s, &plan, &p);
    assert_true(p.users.hung == 10);
    is(p.users.unserved, 10);
    s.aborted = true; /* Ctrl-C twice: what was cut off then tells nothing */
    point_compute(&s, &plan, &p);
    assert_true(p.users.n == 0 && p.users.hung == 0);
    s.aborted = false;
    s.uncounted[COUNTER_WIN_UNSERVED_NS] = true;
    point_compute(&s, &plan, &p);
    assert_true(p.users.n == 0);
    stage_done(&s);
}

/* Requests of the warm-up that wait through the whole window are no errors of the warm-up's length. */
static void test_hung_since_before(void **state)
{
    (void)state;
    struct stage_data s;
    struct agent_data a;
    struct plan plan = plan_of();
    struct point p;
    stage_make(&s, &a);
    struct hist *cut = s.hist[METRIC_CUT_AGE] = hist_new();
    s.counters[COUNTER_WIN_DONE] = 375; /* 375 ends of 3.2 s in 50 s are 24 in flight; 8 of the 32 hang */
    s.counters[COUNTER_WIN_EARLIER_NS] = UINT64_C(50000000000) * 8;
    point_compute(&s, &plan, &p);
    assert_true(has_reason(&p, "requests of the warm-up took 25 %"));
    assert_int_equal(hist_record(cut, INT64_C(55000000000), 8), 0);
    s.counters[COUNTER_WIN_EARLIER_HUNG] = 8;
    point_compute(&s, &plan, &p);
    assert_false(has_reason(&p, "requests of the warm-up took"));
    assert_false(has_reason(&p, "Little"));
    assert_true(p.window_unanswered == 8 && p.earlier_unanswered == 8 && p.window_cut == 8 && p.earlier_cut == 8);
    assert_true(p.earlier_hung == 8 && p.window_hung == 0); /* no arrivals of the window */
    is(p.error_rate, 8.0 / 508);
    assert_int_equal(point_limited(&p), 508);
    hist_reset(cut); /* others take as long */
    assert_int_equal(hist_record(cut, INT64_C(3000000000), 8), 0);
    point_compute(&s, &plan, &p);
    assert_true(p.window_unanswered == 0 && p.earlier_unanswered == 0 && p.window_cut == 8);
    hist_reset(s.hist[METRIC_E2E]); /* no answer is known, but those of the drain */
    point_compute(&s, &plan, &p);
    assert_int_equal(p.window_unanswered, 0);
    s.counters[COUNTER_OK] = s.counters[COUNTER_WIN_OK] = 0;
    point_compute(&s, &plan, &p);
    assert_true(p.window_unanswered == 8 && p.earlier_unanswered == 8);
    stage_done(&s);
}

/* One in ten is never answered and the others take 60 ms: requests in flight grow with the stage, and nothing waits for
 * a server that is too slow. */
static void test_hung(void **state)
{
    (void)state;
    struct stage_data s;
    struct agent_data a;
    struct plan plan = plan_of();
    struct point p;
    static struct series_row rows[51];
    stage_make(&s, &a);
    s.plan = (struct plan_stage){.kind = LOAD_OPEN,
                                 .rate_from = 20,
                                 .rate_to = 20,
                                 .duration_ns = INT64_C(60000000000),
                                 .warmup_ns = INT64_C(10000000000)};
    s.counters[COUNTER_WIN_DUE] = 1000;
    s.counters[COUNTER_WIN_OK] = s.counters[COUNTER_WIN_DONE] = s.counters[COUNTER_WIN_GOOD] = 900;
    for (int i = 0; i < 50; i++)
        rows[i] = (struct series_row){
            .agent = -1, .t_s = 10 + i, .span_s = 1, .due = 20, .done = 18, .tokens = 1280, .in_flight = 2 + 2.0 * i};
    s.series = rows;
    s.hist[METRIC_CUT_AGE] = hist_new(), s.hist[METRIC_FAIL_AGE] = hist_new();
    hist_reset(s.hist[METRIC_E2E]);
    assert_int_equal(hist_record(s.hist[METRIC_E2E], INT64_C(60000000), 900), 0);
    for (int i = 0; i < 100; i++)
        assert_int_equal(hist_record(s.hist[METRIC_CUT_AGE], INT64_C(2000000000) + i * INT64_C(500000000), 1), 0);
    for (int short_stage = 0; short_stage < 2; short_stage++) {
        s.n_series = short_stage ? 3 : 50;
        point_compute(&s, &plan, &p);
        assert_int_equal(p.window_hung, 100);
        assert_int_equal(p.window_unanswered, 100); /* errors all the same */
        assert_false(p.overrun || p.outrun || has_reason(&p, "had not ended") || has_reason(&p, "Little"));
        assert_int_equal(p.steady, short_stage ? STEADY_UNKNOWN : STEADY_YES);
        assert_true(fabs(p.slowest_s - 0.06) < 0.001);
        for (int i = 0; i < 100; i++) /* they time out in the drain */
            assert_int_equal(hist_record(s.hist[METRIC_FAIL_AGE], INT64_C(4000000000), 1), 0);
        hist_reset(s.hist[METRIC_CUT_AGE]);
        s.counters[COUNTER_WIN_FAILED] = 100;
        point_compute(&s, &plan, &p);
        assert_int_equal(p.window_hung, 0); /* they failed in the window */
        rows[s.n_series++] = (struct series_row){.agent = -1, .t_s = 60, .span_s = 1, .failed = 100};
        point_compute(&s, &plan, &p);
        assert_true(p.window_hung == 100 && !p.outrun);
        hist_reset(s.hist[METRIC_FAIL_AGE]);
        s.counters[COUNTER_WIN_FAILED] = 0;
        for (int i = 0; i < 100; i++)
            assert_int_equal(hist_record(s.hist[METRIC_CUT_AGE], INT64_C(2000000000) + i * INT64_C(500000000), 1), 0);
    }
    s.n_series = 50; /* ages as answers have them: a queue */
    assert_int_equal(hist_record(s.hist[METRIC_E2E], INT64_C(20000000000), 1), 0);
    point_compute(&s, &plan, &p);
    assert_true(p.window_hung == 0 && p.overrun && p.outrun && p.steady == STEADY_NO);
    s.series = NULL;
    s.n_series = 0;
    stage_done(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cancelled), cmocka_unit_test(test_users),
                                       cmocka_unit_test(test_hung_since_before), cmocka_unit_test(test_hung)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
