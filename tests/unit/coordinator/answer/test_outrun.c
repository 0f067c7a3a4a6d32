#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "coordinator/answer/outrun.h"
#include "tests/unit/point_world.h"

/* Answers longer than half of the stage: those due in the window were cut off, and are younger than the ones before,
 * which ended in it. */
static void test_long_answers(void **state)
{
    (void)state;
    struct stage_data s;
    struct agent_data a;
    struct plan plan = plan_of();
    struct point p;
    stage_make(&s, &a);
    hist_destroy(&s.hist[METRIC_E2E]);
    s.counters[COUNTER_WIN_OK] = 0;
    s.counters[COUNTER_WIN_DUE] = s.counters[COUNTER_WIN_DONE] = s.counters[COUNTER_OK] = 32;
    struct hist *cut = s.hist[METRIC_CUT_AGE] = hist_new();
    assert_int_equal(hist_record(cut, INT64_C(35000000000), 32), 0);
    point_compute(&s, &plan, &p);
    assert_true(p.window_cut == 32 && p.window_unanswered == 0 && isnan(p.error_rate));
    assert_int_equal(hist_record(cut, INT64_C(75000000000), 3), 0); /* no answer was that old by the window's end */
    point_compute(&s, &plan, &p);
    assert_int_equal(p.window_unanswered, 3);
    s.counters[COUNTER_OK] = s.counters[COUNTER_WIN_DONE] = 0; /* there was no answer at all */
    point_compute(&s, &plan, &p);
    assert_int_equal(p.window_unanswered, 35);
    stage_done(&s);
}

/* A rate the server does not keep up with: arrivals waited, and too many of them in vain. */
static void test_overrun(void **state)
{
    (void)state;
    struct stage_data s;
    struct agent_data a;
    struct plan plan = plan_of();
    struct point p;
    stage_make(&s, &a);
    s.plan = (struct plan_stage){.kind = LOAD_OPEN,
                                 .max_concurrency = 32,
                                 .rate_from = 100,
                                 .rate_to = 100,
                                 .duration_ns = INT64_C(60000000000),
                                 .warmup_ns = INT64_C(10000000000)};
    s.counters[COUNTER_CAPPED] = 500; /* a burst: all were sent in the end */
    point_compute(&s, &plan, &p);
    assert_false(p.overrun);
    s.counters[COUNTER_DUE] = 1000;
    point_compute(&s, &plan, &p);
    assert_true(p.overrun);
    plan.verdict_achieved = 0.9; /* no breach for this plan; what was offered is what was sent all the same */
    point_compute(&s, &plan, &p);
    assert_false(p.overrun);
    is(p.unsent_share, 1 - (double)s.counters[COUNTER_SENT] / 1000);
    plan.verdict_achieved = plan_of().verdict_achieved;
    s.counters[COUNTER_CAPPED] = 0; /* nobody waited for a slot: not the server's doing */
    point_compute(&s, &plan, &p);
    assert_false(p.overrun);
    s.counters[COUNTER_INFLIGHT_MAX] = a.counters[COUNTER_INFLIGHT_MAX] = 32;
    a.counters[COUNTER_DUE] = 1000;
    point_compute(&s, &plan, &p);
    assert_true(p.overrun);
    stage_done(&s);
}

/* A count of requests, or a recorded day: the stage lasts until the last answer, and its window tells of no queue. */
static void test_outrun_by_count(void **state)
{
    (void)state;
    struct stage_data s;
    struct agent_data a;
    struct plan plan = plan_of();
    struct point p;
    static struct series_row rows[60];
    stage_make(&s, &a);
    s.plan = (struct plan_stage){.kind = LOAD_OPEN, .rate_from = 40, .rate_to = 40, .requests = 600};
    s.counters[COUNTER_DUE] = s.counters[COUNTER_SENT] = s.counters[COUNTER_OK] = 600;
    s.counters[COUNTER_WIN_DUE] = s.counters[COUNTER_WIN_OK] = s.counters[COUNTER_WIN_DONE] = 600;
    s.counters[COUNTER_ABORTED] = 0;
    for (int i = 0; i < 60; i++) /* all came in 15 s, and 10/s ended */
        rows[i] = (struct series_row){.agent = -1, .t_s = i, .span_s = 1, .due = i < 15 ? 40 : 0, .done = 10};
    s.series = rows;
    s.n_series = 60;
    s.hist[METRIC_TTFT] = hist_new();
    assert_int_equal(hist_record(s.hist[METRIC_TTFT], INT64_C(100000000), 20), 0);
    assert_int_equal(hist_record(s.hist[METRIC_TTFT], INT64_C(9000000000), 580), 0);
    point_compute(&s, &plan, &p);
    assert_true(p.outrun && p.verdict.status == VERDICT_SUSPECT);
    assert_true(has_reason(&p, "450 of 600 requests due in the window had not ended when the last became due: the "
                               "server did not keep up with the rate"));
    for (int i = 0; i < 60; i++)
        rows[i].ttft_p50_ms = 9000; /* prompts of which some are short: the others waited as long from the start */
    point_compute(&s, &plan, &p);
    assert_false(p.outrun);
    for (int i = 0; i < 60; i++)
        rows[i].ttft_p50_ms = 100 + 200 * i;
    point_compute(&s, &plan, &p);
    assert_true(p.outrun);
    struct hist *ttft = s.hist[METRIC_TTFT];
    s.hist[METRIC_TTFT] = NULL; /* whole answers: what is open grows to the last arrival, … */
    hist_reset(s.hist[METRIC_E2E]);
    assert_int_equal(hist_record(s.hist[METRIC_E2E], INT64_C(500000000), 20), 0);
    assert_int_equal(hist_record(s.hist[METRIC_E2E], INT64_C(9000000000), 580), 0);
    point_compute(&s, &plan, &p);
    assert_true(p.outrun);
    for (int i = 0; i < 60; i++) /* … or has been as much for long: answers take 3 s, and some less */
        rows[i].done = i < 3 || i > 17 ? 0 : 40;
    point_compute(&s, &plan, &p);
    assert_false(p.outrun);
    s.hist[METRIC_TTFT] = ttft;
    for (int i = 0; i < 60; i++)
        rows[i].done = i < 15 ? 39 : i == 15 ? 15 : 0; /* those of the last moments */
    point_compute(&s, &plan, &p);
    assert_false(p.outrun);
    for (int i = 0; i < 60; i++)
        rows[i].done = i >= 45 ? 40 : 0; /* answers of 30 s, and nobody waited for a first token */
    hist_reset(s.hist[METRIC_TTFT]);
    assert_int_equal(hist_record(s.hist[METRIC_TTFT], INT64_C(100000000), 600), 0);
    point_compute(&s, &plan, &p);
    assert_false(p.outrun);
    stage_done(&s);
}

/* The same without a cap: nobody waits on the client's side, requests in flight grow instead. */
static void test_outrun(void **state)
{
    (void)state;
    struct stage_data s;
    struct agent_data a;
    struct plan plan = plan_of();
    struct point p;
    static struct series_row rows[50];
    stage_make(&s, &a);
    s.plan = (struct plan_stage){.kind = LOAD_OPEN,
                                 .rate_from = 20,
                                 .rate_to = 20,
                                 .duration_ns = INT64_C(60000000000),
                                 .warmup_ns = INT64_C(10000000000)};
    s.counters[COUNTER_WIN_DUE] = 1000; /* 20/s came, 10/s ended */
    for (int i = 0; i < 50; i++)
        rows[i] = (struct series_row){
            .agent = -1, .t_s = 10 + i, .span_s = 1, .due = 20, .tokens = 1280, .in_flight = 32 + 10.0 * i};
    s.series = rows;
    s.n_series = 50;
    point_compute(&s, &plan, &p);
    assert_int_equal(p.steady, STEADY_NO);
    assert_true(p.overrun && p.unsent_share <= 0);
    assert_int_equal(p.verdict.status, VERDICT_SUSPECT);
    assert_non_null(strstr(p.verdict.reason[0], "500 of 1,000 requests due in the window had not ended when it did"));
    hist_reset(s.hist[METRIC_E2E]); /* answers of 12 s, and a warm-up of 10 s: it may be start-up … */
    assert_int_equal(hist_record(s.hist[METRIC_E2E], INT64_C(12000000000), 500), 0);
    point_compute(&s, &plan, &p);
    assert_true(has_reason(&p, "did not keep up with the rate, or load.warmup is too short for its answers"));
    s.hist[METRIC_TTFT] = hist_new(); /* … but for a queue */
    assert_int_equal(hist_record(s.hist[METRIC_TTFT], INT64_C(100000000), 1), 0);
    assert_int_equal(hist_record(s.hist[METRIC_TTFT], INT64_C(9000000000), 499), 0);
    point_compute(&s, &plan, &p);
    assert_true(has_reason(&p, "did not keep up with the rate") && !has_reason(&p, "load.warmup"));
    hist_reset(s.hist[METRIC_E2E]);
    assert_int_equal(hist_record(s.hist[METRIC_E2E], INT64_C(3200000000), 500), 0);
    for (int i = 0; i < 50; i++)
        rows[i].in_flight = 64;
    point_compute(&s, &plan, &p);
    assert_false(p.overrun); /* nothing grows: the rest were due before */
    assert_null(strstr(p.verdict.n_reasons ? p.verdict.reason[0] : "", "had not ended"));
    s.n_series = 3; /* too short a stage to see whether they grow: then the counts say it */
    point_compute(&s, &plan, &p);
    assert_true(!p.overrun && p.outrun && p.verdict.status == VERDICT_SUSPECT);
    assert_non_null(strstr(p.verdict.reason[0], "the server did not keep up"));
    s.hist[METRIC_CUT_AGE] = hist_new(), s.hist[METRIC_CANCEL_AGE] = hist_new();
    assert_int_equal(hist_record(s.hist[METRIC_CUT_AGE], INT64_C(1000000000), 500), 0);
    assert_int_equal(hist_record(s.hist[METRIC_CANCEL_AGE], INT64_C(1000000000), 500), 0);
    point_compute(&s, &plan, &p); /* their users went away: nobody waits */
    assert_false(p.outrun);
    hist_reset(s.hist[METRIC_CUT_AGE]), hist_reset(s.hist[METRIC_CANCEL_AGE]);
    s.counters[COUNTER_WIN_FAILED] = 500; /* refused at once: they have ended */
    point_compute(&s, &plan, &p);
    assert_false(p.outrun);
    rows[2].t_s = 60, rows[2].failed = 490; /* they were open until the drain */
    point_compute(&s, &plan, &p);
    assert_true(p.outrun);
    rows[2].t_s = 12, rows[2].failed = 0;
    s.counters[COUNTER_WIN_FAILED] = 0;
    s.counters[COUNTER_WIN_DUE] = 560; /* as chance would have it */
    point_compute(&s, &plan, &p);
    assert_null(strstr(p.verdict.n_reasons ? p.verdict.reason[0] : "", "had not ended"));
    s.series = NULL;
    s.n_series = 0;
    stage_done(&s);
}

/* 24/s at even distances, and a server that ends 20/s: in 4 s no more than 16 are open beyond those at work, fewer than
 * chance would have where arrivals had any. */
static void test_outrun_constant(void **state)
{
    (void)state;
    struct stage_data s;
    struct agent_data a;
    struct plan plan = plan_of();
    struct point p;
    stage_make(&s, &a);
    static struct series_row rows[] = {
        {.agent = -1, .t_s = 0, .span_s = 1, .due = 24, .done = 15, .in_flight = 5.6, .ttft_p50_ms = 207},
        {.agent = -1, .t_s = 1, .span_s = 1, .due = 24, .done = 20, .in_flight = 10.1, .ttft_p50_ms = 315},
        {.agent = -1, .t_s = 2, .span_s = 1, .due = 24, .done = 20, .in_flight = 14.4, .ttft_p50_ms = 493},
        {.agent = -1, .t_s = 3, .span_s = 1, .due = 24, .done = 20, .in_flight = 18.6, .ttft_p50_ms = 671},
        {.agent = -1, .t_s = 4, .span_s = 1, .done = 21, .in_flight = 11, .ttft_p50_ms = 851}};
    s.plan = (struct plan_stage){.kind = LOAD_OPEN, .rate_from = 24, .rate_to = 24, .duration_ns = INT64_C(4000000000)};
    s.series = rows;
    s.n_series = 5;
    s.counters[COUNTER_MEASURED_NS] = UINT64_C(4000000000);
    s.counters[COUNTER_DUE] = s.counters[COUNTER_SENT] = s.counters[COUNTER_OK] = 96;
    s.counters[COUNTER_ABORTED] = 0;
    s.counters[COUNTER_WIN_DUE] = 96;
    s.counters[COUNTER_WIN_DONE] = 75;
    s.hist[METRIC_TTFT] = hist_new();
    for (int i = 0; i < 96; i++)
        assert_int_equal(hist_record(s.hist[METRIC_TTFT], INT64_C(100000000) + i * INT64_C(8000000), 1), 0);
    point_compute(&s, &plan, &p);
    assert_true(p.overrun && p.outrun && p.steady == STEADY_NO && p.verdict.status == VERDICT_SUSPECT);
    assert_true(has_reason(&p, "21 of 96 requests due in the window had not ended when it did: the server did not keep "
                               "up with the rate"));
    s.plan.requests = 96; /* the same by count: the window ends with the last answer */
    s.plan.duration_ns = 0;
    s.counters[COUNTER_MEASURED_NS] = UINT64_C(5000000000);
    s.counters[COUNTER_WIN_DONE] = 96;
    point_compute(&s, &plan, &p);
    assert_true(p.outrun && has_reason(&p, "21 of 96 requests due in the window had not ended when the last became "));
    s.plan.arrivals = ARRIVALS_POISSON; /* that may be chance */
    point_compute(&s, &plan, &p);
    assert_false(p.outrun);
    s.series = NULL;
    s.n_series = 0;
    stage_done(&s);
}

/* 1/s to 30/s in 8 s, and answers of 450 ms: 13 are in flight at its end by design. A server that ends 5/s is outrun.
 */
static void test_ramp(void **state)
{
    (void)state;
    static const double DUE[8] = {2, 6, 10, 13, 17, 20, 24, 27}, DONE[8] = {0, 4, 9, 11, 15, 19, 22, 26};
    struct stage_data s;
    struct agent_data a;
    struct plan plan = plan_of();
    struct point p;
    static struct series_row rows[8];
    stage_make(&s, &a);
    s.plan = (struct plan_stage){
        .kind = LOAD_OPEN, .rate_from = 1, .rate_to = 30, .warmup_auto = true, .duration_ns = INT64_C(8000000000)};
    s.counters[COUNTER_MEASURED_NS] = UINT64_C(8000000000);
    s.counters[COUNTER_WIN_DUE] = 119;
    s.series = rows;
    s.n_series = 8;
    for (int slow = 0; slow < 2; slow++) {
        double open = 0, all = 0;
        for (int i = 0; i < 8; i++) {
            double done = slow ? fmin(5, DONE[i]) : DONE[i], before = open;
            open += DUE[i] - done;
            all += done;
            rows[i] = (struct series_row){-1, i, 1, 40 * done, done, 0, DUE[i], (before + open) / 2, 0, 0, 0, 0};
        }
        s.counters[COUNTER_WIN_DONE] = (uint64_t)all;
        for (size_t n = slow ? 8 : 4; n <= 8; n += 4) { /* with fewer rows than batches too */
            s.n_series = n;
            point_compute(&s, &plan, &p);
            assert_true(p.overrun == slow && p.outrun == slow);
            assert_true(p.steady == (slow ? STEADY_NO : STEADY_UNKNOWN) && isnan(p.drift));
            assert_true(has_reason(&p, "did not keep up with the rate") == slow);
            is(p.warmup_cut_s, 0); /* all of a ramp looks like start-up */
        }
    }
    assert_true(has_reason(&p, "85 of 119 requests due in the window had not ended when it did"));
    s.series = NULL;
    s.n_series = 0;
    stage_done(&s);
}

/* 15/s before a server that ends 10/s, and refuses what would wait for more than 2 s: little is open, waits grew from
 * the start to the window's end, and no longer warm-up helps. */
static void test_outrun_refused(void **state)
{
    (void)state;
    struct stage_data s;
    struct agent_data a;
    struct plan plan = plan_of();
    struct point p;
    stage_make(&s, &a);
    static struct series_row rows[7];
    for (int i = 0; i < 7; i++)
        rows[i] = (struct series_row){.agent = -1,
                                      .t_s = i,
                                      .span_s = 1,
                                      .due = 15,
                                      .done = 10,
                                      .failed = i < 3 ? 0 : 6,
                                      .in_flight = fmin(5 * i + 3, 19),
                                      .ttft_p50_ms = fmin(300 * i + 100, 1800)};
    s.plan = (struct plan_stage){.kind = LOAD_OPEN,
                                 .arrivals = ARRIVALS_POISSON,
                                 .rate_from = 15,
                                 .rate_to = 15,
                                 .duration_ns = INT64_C(7000000000),
                                 .warmup_ns = INT64_C(700000000)};
    s.series = rows;
    s.n_series = 7;
    s.counters[COUNTER_MEASURED_NS] = UINT64_C(6300000000);
    s.counters[COUNTER_DUE] = s.counters[COUNTER_SENT] = 105;
    s.counters[COUNTER_WIN_DUE] = 95;
    s.counters[COUNTER_WIN_DONE] = 60;
    s.counters[COUNTER_WIN_FAILED] = 24;
    s.hist[METRIC_TTFT] = hist_new();
    hist_reset(s.hist[METRIC_E2E]);
    for (int i = 0; i < 60; i++) {
        assert_int_equal(hist_record(s.hist[METRIC_TTFT], INT64_C(5000000) + i * INT64_C(45000000), 1), 0);
        assert_int_equal(hist_record(s.hist[METRIC_E2E], INT64_C(80000000) + i * INT64_C(45000000), 1), 0);
    }
    point_compute(&s, &plan, &p);
    assert_true(p.outrun &&
                has_reason(&p, "of 95 requests due in the window 24 failed while waits grew, and 11 had not "
                               "ended when it did: the server did not keep up with the rate"));
    assert_false(has_reason(&p, "Make load.warmup"));
    for (int i = 0; i < 7; i++)
        rows[i].ttft_p50_ms = 1800; /* prompts that differ, and failures */
    point_compute(&s, &plan, &p);
    assert_false(p.outrun);
    s.series = NULL;
    s.n_series = 0;
    stage_done(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_long_answers),    cmocka_unit_test(test_overrun),
                                       cmocka_unit_test(test_outrun_by_count), cmocka_unit_test(test_outrun),
                                       cmocka_unit_test(test_outrun_constant), cmocka_unit_test(test_ramp),
                                       cmocka_unit_test(test_outrun_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
