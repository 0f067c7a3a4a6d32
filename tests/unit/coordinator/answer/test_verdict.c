#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/clock.h"
#include "coordinator/answer/point.h"
#include "tests/unit/verdict_world.h"

/* A healthy stage: 64 slots for 20 s. */
static void world_make(struct world *w)
{
    *w = (struct world){.stage = {.kind = LOAD_CLOSED,
                                  .concurrency = 64,
                                  .duration_ns = INT64_C(25000000000),
                                  .warmup_ns = INT64_C(5000000000)},
                        .plan = {.verdict_lateness_ns = 1000000, .verdict_lag_ns = 1000000, .verdict_achieved = 0.02}};
    w->c[COUNTER_MEASURED_NS] = UINT64_C(20000000000);
    w->c[COUNTER_WIN_INFLIGHT_NS] = UINT64_C(20000000000) * 635 / 10;
    w->c[COUNTER_DUE] = w->c[COUNTER_SENT] = w->c[COUNTER_OK] = 1250;
    w->c[COUNTER_WIN_DUE] = w->c[COUNTER_WIN_OK] = w->c[COUNTER_WIN_DONE] = 1000;
    w->c[COUNTER_READS] = 100000;
    record(w, METRIC_TTFT, 150, 1000);
    record(w, METRIC_ITL, 20, 100000);
    record(w, METRIC_E2E, 1300, 1000);
    record(w, METRIC_DISPATCH, 0.05, 1000);
    record(w, METRIC_LAG, 0.03, 100000);
}

static void expect(struct world *w, enum verdict_status status, const char *word)
{
    judge(w);
    if (w->v.status != status)
        fail_msg("%s instead of %s: %s", verdict_name(w->v.status), verdict_name(status),
                 w->v.n_reasons ? w->v.reason[0] : "");
    bool said = word == NULL && w->v.n_reasons == 0;
    for (uint32_t i = 0; word && i < w->v.n_reasons; i++)
        said |= strstr(w->v.reason[i], word) != NULL;
    if (!said)
        fail_msg("no reason says \"%s\": %s", word ? word : "nothing", w->v.n_reasons ? w->v.reason[0] : "no reason");
    world_clear(w);
    world_make(w);
}

static void test_rules(void **state)
{
    (void)state;
    struct world w;
    world_make(&w);
    expect(&w, VERDICT_VALID, NULL);

    w.c[COUNTER_USAGE_REQUESTS] = 1000;
    w.c[COUNTER_CACHED_TOKENS] = 230400;
    w.c[COUNTER_CACHED_AGAIN] = 200000;
    w.hist[METRIC_INPUT_TOKENS] = hist_new();
    assert_int_equal(hist_record(w.hist[METRIC_INPUT_TOKENS], 256000, 1000), 0); /* 256 tokens each */
    expect(&w, VERDICT_SUSPECT, "the server answered 90 % of the input tokens from its prefix cache");

    record(&w, METRIC_DISPATCH, 15, 30); /* 3 % left 15 ms late; the limit is 13 ms, 1 % of a request's time */
    expect(&w, VERDICT_INVALID, "p99 15 ms, limit 13 ms");
    record(&w, METRIC_DISPATCH, 12, 30);
    expect(&w, VERDICT_VALID, NULL);
    record(&w, METRIC_DISPATCH, 15, 5); /* half a percent */
    expect(&w, VERDICT_VALID, NULL);
    w.stage.kind = LOAD_OPEN; /* late against the schedule: 1 % of TTFT */
    record(&w, METRIC_DISPATCH, 5, 30);
    expect(&w, VERDICT_INVALID, "p99 5 ms, limit 1.5 ms");
    hist_destroy(&w.hist[METRIC_DISPATCH]);
    record(&w, METRIC_DISPATCH, 0.05, 40);
    record(&w, METRIC_DISPATCH, 15, 1); /* one of 41 cannot say what p99 is */
    expect(&w, VERDICT_SUSPECT, "worst 15 ms");

    record(&w, METRIC_LAG, 3, 5000); /* with kernel stamps a late read falsifies no time */
    expect(&w, VERDICT_VALID, NULL);
    record(&w, METRIC_LAG, 3, 5000);
    w.c[COUNTER_UNSTAMPED] = 100000;
    expect(&w, VERDICT_INVALID, "lag p99");
    record(&w, METRIC_LAG, 3, 5000);
    w.c[COUNTER_UNSTAMPED] = 10000;
    expect(&w, VERDICT_SUSPECT, "10 % of reads");
    w.c[COUNTER_UNSTAMPED] = 10000;
    expect(&w, VERDICT_VALID, NULL);
    record(&w, METRIC_LAG, 400, 10000); /* 36 ms on average of a request of 1,300 */
    expect(&w, VERDICT_SUSPECT, "the load was lower");

    w.c[COUNTER_EVENTS] = 100000;
    w.c[COUNTER_BLURRED] = 240; /* too few to move p99 */
    expect(&w, VERDICT_VALID, NULL);
    w.c[COUNTER_EVENTS] = 100000;
    w.c[COUNTER_BLURRED] = 3100;
    struct plan_gate gaps = {.subject = GATE_METRIC, .metric = METRIC_ITL, .agg = AGG_QUANTILE, .q = 0.99};
    w.plan.gates = &gaps, w.plan.n_gates = 1;
    expect(&w, VERDICT_SUSPECT, "3.1 % of them were read late and together");
    w.c[COUNTER_EVENTS] = 100000;
    w.c[COUNTER_BLURRED] = 3100; /* neither the answer nor a gate goes by gaps */
    expect(&w, VERDICT_VALID, "3.1 % of them were read late and together");
    w.c[COUNTER_EVENTS] = 100000;
    w.c[COUNTER_BLURRED] = 40000;
    w.plan.gates = &gaps, w.plan.n_gates = 1;
    expect(&w, VERDICT_INVALID, "40 % of them");
    w.c[COUNTER_CPU_NS] = 600000000;
    w.c[COUNTER_RUNQ_NS] = 4000000000; /* 16 % of 25 s, waiting for a neighbour */
    expect(&w, VERDICT_SUSPECT, "waited 4 s for a CPU and had one for 0.6 s");
    w.c[COUNTER_CPU_NS] = 20000000000; /* ten busy workers wait now and then */
    w.c[COUNTER_RUNQ_NS] = 4000000000;
    expect(&w, VERDICT_VALID, NULL);
    w.c[COUNTER_THROTTLED] = 3;
    expect(&w, VERDICT_INVALID, "throttled");
    w.c[COUNTER_DROPPED] = 1;
    expect(&w, VERDICT_INVALID, "dropped");
    w.c[COUNTER_CLOCK_STEPS] = 2;
    expect(&w, VERDICT_SUSPECT, "stepped 2");
    w.c[COUNTER_CPU_MAX_NS] = UINT64_C(24500000000);
    expect(&w, VERDICT_SUSPECT, "98 % of a core");
    w.c[COUNTER_WAITING_BYTES_MAX] = 4000000;
    expect(&w, VERDICT_SUSPECT, "4 MB");

    w.c[COUNTER_INFLIGHT_MAX] = 64;
    expect(&w, VERDICT_VALID, NULL);
    w.c[COUNTER_INFLIGHT_MAX] = 65;
    expect(&w, VERDICT_SUSPECT, "up to 65 requests in flight, the plan allows 64");

    w.c[COUNTER_MEASURED_NS] = 0;
    expect(&w, VERDICT_INVALID, "nothing was measured");
    w.c[COUNTER_WIN_OK] = w.c[COUNTER_WIN_DONE] = 0;
    w.c[COUNTER_WIN_FAILED] = 77;
    expect(&w, VERDICT_INVALID, "77 failed");
    w.c[COUNTER_WIN_OK] = w.c[COUNTER_WIN_DONE] = 0;
    w.c[COUNTER_WIN_FAILED] = 77;
    w.c[COUNTER_FAILED_RESET] = 3;
    w.c[COUNTER_FAILED_HTTP_4XX] = 80;
    judge(&w); /* the answer quotes the server's own words, so no guess stands before them */
    assert_string_equal(w.v.reason[0] + strlen(w.v.reason[0]) - strlen("s: status 4xx other than 429"),
                        "s: status 4xx other than 429");
    expect(&w, VERDICT_INVALID, "77 failed; 80 of the stage's 83 failures: status 4xx other than 429");
    w.c[COUNTER_WIN_OK] = w.c[COUNTER_WIN_DONE] = w.c[COUNTER_OK] = 0;
    w.c[COUNTER_WIN_FAILED] = w.c[COUNTER_FAILED_EMPTY] = 77;
    expect(&w, VERDICT_INVALID, "does the model stop at once");
    w.c[COUNTER_WIN_OK] = w.c[COUNTER_WIN_DONE] = w.c[COUNTER_OK] = 0;
    w.c[COUNTER_WIN_FAILED] = w.c[COUNTER_FAILED_EMPTY] = w.c[COUNTER_FINISH_FILTER] = 77; /* it is known why */
    judge(&w);
    assert_null(strstr(w.v.reason[0], "does the model stop at once"));
    assert_non_null(strstr(w.v.reason[0], "no output token"));
    expect(&w, VERDICT_INVALID, "no output token");
    w.c[COUNTER_WIN_OK] = w.c[COUNTER_WIN_DONE] = 0;
    w.c[COUNTER_WIN_FAILED] = w.c[COUNTER_FAILED_PROXY] = 77;
    expect(&w, VERDICT_INVALID, "the proxy gave no way to the target: are target.proxy and target.proxy_auth right?");
    world_clear(&w);
}

/* A stage that is hardly longer than its answers says so, and how long it should be. */
static void test_short(void **state)
{
    (void)state;
    struct world w;
    world_make(&w);
    w.c[COUNTER_MEASURED_NS] = UINT64_C(2000000000);
    w.c[COUNTER_WIN_INFLIGHT_NS] = UINT64_C(2000000000) * 60;
    expect(&w, VERDICT_INVALID,
           "60 requests in flight on average, 64 asked for: the window of 2 s is as long as 1.54 answers. Make "
           "load.duration at least 9 s");
    w.c[COUNTER_WIN_INFLIGHT_NS] = UINT64_C(20000000000) * 60;
    judge(&w);
    assert_string_equal(w.v.reason[0], "60 requests in flight on average, 64 asked for");
    world_clear(&w);
}

/* Answers that came within the warm-up were not longer than the stage: what came after them never came. */
static void test_stalled(void **state)
{
    (void)state;
    struct world w;
    world_make(&w);
    memset(w.c, 0, sizeof w.c);
    w.c[COUNTER_MEASURED_NS] = UINT64_C(20000000000);
    w.c[COUNTER_DUE] = w.c[COUNTER_SENT] = 80;
    w.c[COUNTER_OK] = 16;
    w.c[COUNTER_ABORTED] = 64;
    expect(&w, VERDICT_INVALID,
           "the server stopped answering. 16 ended ok before the window and none in it; the drain's end cut off 64 "
           "requests, which held all slots");
    memset(w.c, 0, sizeof w.c); /* tokens came all the time: nobody has stopped */
    w.c[COUNTER_MEASURED_NS] = UINT64_C(20000000000);
    w.c[COUNTER_DUE] = w.c[COUNTER_SENT] = 80;
    w.c[COUNTER_OK] = 16;
    w.c[COUNTER_ABORTED] = 64;
    w.c[COUNTER_WIN_EVENTS] = 640;
    expect(&w, VERDICT_INVALID,
           "answers came to no end. 16 ended ok before the window; in it 640 token events came, and no answer ended");
    memset(w.c, 0, sizeof w.c); /* the same, and what was open ended in the drain */
    w.c[COUNTER_MEASURED_NS] = UINT64_C(20000000000);
    w.c[COUNTER_DUE] = w.c[COUNTER_SENT] = w.c[COUNTER_OK] = 200;
    expect(&w, VERDICT_INVALID,
           "the server stood still. 136 ended ok before the window and none in it; those that were open ended in the "
           "drain");
    memset(w.c, 0, sizeof w.c); /* a window that is shorter than the wait for the first token */
    w.c[COUNTER_MEASURED_NS] = UINT64_C(300000000);
    w.c[COUNTER_DUE] = w.c[COUNTER_SENT] = w.c[COUNTER_OK] = w.c[COUNTER_WIN_DUE] = w.c[COUNTER_WIN_OK] = 64;
    expect(&w, VERDICT_INVALID,
           "answers take longer than the stage. None ended within its window and none failed; those due in it ended in "
           "its drain");
    memset(w.c, 0, sizeof w.c);
    w.c[COUNTER_MEASURED_NS] = UINT64_C(300000000);
    w.c[COUNTER_DUE] = w.c[COUNTER_SENT] = w.c[COUNTER_OK] = w.c[COUNTER_WIN_DUE] = w.c[COUNTER_WIN_OK] = 64;
    w.c[COUNTER_RETRIES] = 8; /* what took so long were waits as well */
    expect(&w, VERDICT_INVALID,
           "answers, with the waits before 8 attempts that load.retries made again, take longer than the stage");
    memset(w.c, 0, sizeof w.c); /* every request was refused, with a Retry-After */
    w.c[COUNTER_MEASURED_NS] = UINT64_C(20000000000);
    w.c[COUNTER_DUE] = w.c[COUNTER_SENT] = w.c[COUNTER_ABORTED] = w.c[COUNTER_RETRIES_CUT] = 64;
    w.c[COUNTER_RETRIES] = 70;
    w.c[COUNTER_RETRIED_FIRST + FAILURE_HTTP_429] = 69, w.c[COUNTER_RETRIED_FIRST + FAILURE_RESET] = 1;
    expect(&w, VERDICT_INVALID,
           "64 requests still waited to be sent again when the drain ended, and none ended ok in the window (69 of 70 "
           "failed attempts: status 429).");
    memset(w.c, 0, sizeof w.c); /* conversations: users think for longer than the window */
    w.c[COUNTER_MEASURED_NS] = UINT64_C(20000000000);
    w.c[COUNTER_DUE] = w.c[COUNTER_SENT] = w.c[COUNTER_OK] = 64;
    w.c[COUNTER_WIN_THINK_NS] = UINT64_C(20000000000) * 60;
    expect(&w, VERDICT_INVALID, "users thought through the window, and none asked in it (64 requests before it)");
    memset(w.c, 0, sizeof w.c); /* answers of 8 s fall beside a window of 5 s after a warm-up of 10 s */
    w.stage.warmup_ns = INT64_C(10000000000);
    w.c[COUNTER_MEASURED_NS] = UINT64_C(5000000000);
    w.c[COUNTER_DUE] = w.c[COUNTER_SENT] = 128;
    w.c[COUNTER_OK] = w.c[COUNTER_ABORTED] = 64;
    expect(&w, VERDICT_INVALID, "answers take longer than the stage");
    memset(w.c, 0, sizeof w.c); /* an open loop */
    w.stage = (struct plan_stage){.kind = LOAD_OPEN,
                                  .rate_from = 10,
                                  .rate_to = 10,
                                  .duration_ns = INT64_C(25000000000),
                                  .warmup_ns = INT64_C(5000000000)};
    w.c[COUNTER_MEASURED_NS] = UINT64_C(20000000000);
    w.c[COUNTER_DUE] = w.c[COUNTER_SENT] = 250;
    w.c[COUNTER_WIN_DUE] = 200;
    w.c[COUNTER_OK] = 49;
    w.c[COUNTER_ABORTED] = 201;
    expect(
        &w, VERDICT_INVALID,
        "the server stopped answering. 49 ended ok of those due before the window, and none of 200 requests due in it");
    memset(w.c, 0, sizeof w.c);
    w.c[COUNTER_MEASURED_NS] = UINT64_C(20000000000);
    w.c[COUNTER_DUE] = w.c[COUNTER_SENT] = w.c[COUNTER_ABORTED] = 64;
    expect(&w, VERDICT_INVALID, "answers take longer than the stage");
    world_clear(&w);
}

/* A server that refuses what is over its limit: slots rest after failures, up to 1 s each, and few requests fail. */
static void test_rests(void **state)
{
    (void)state;
    struct world w;
    world_make(&w);
    for (uint64_t failed = 70; failed <= 90; failed += 20) { /* they explain so many seconds at most */
        w.stage = (struct plan_stage){.kind = LOAD_CLOSED, .concurrency = 64, .duration_ns = INT64_C(20000000000)};
        w.c[COUNTER_WIN_INFLIGHT_NS] = w.c[COUNTER_MEASURED_NS] * 60; /* 4 slots of 64 are idle: 80 s in all */
        w.plan.verdict_achieved = 0.05;
        w.c[COUNTER_WIN_DONE] = 10000;
        w.c[COUNTER_WIN_FAILED] = w.c[COUNTER_FAILED_HTTP_5XX] = failed;
        expect(&w, failed < 80 ? VERDICT_INVALID : VERDICT_SUSPECT,
               failed < 80 ? "60 requests in flight on average, 64 asked for"
                           : "60 requests in flight on average, 64 asked for, while requests failed");
    }
    world_clear(&w);
}

/* An answer that is quick and comes in the warm-up is not longer than the stage. */
static void test_none_in_window(void **state)
{
    (void)state;
    struct world w;
    world_make(&w);
    memset(w.c, 0, sizeof w.c);
    w.stage = (struct plan_stage){.kind = LOAD_OPEN,
                                  .rate_from = 0.3,
                                  .rate_to = 0.3,
                                  .duration_ns = INT64_C(3000000000),
                                  .warmup_ns = INT64_C(1000000000)};
    w.c[COUNTER_MEASURED_NS] = UINT64_C(2000000000);
    w.c[COUNTER_DUE] = w.c[COUNTER_SENT] = w.c[COUNTER_OK] = 1;
    judge(&w);
    assert_string_equal(w.v.reason[0],
                        "nothing was measured: no request became due in the window (1 due before it). At this rate 0.6 "
                        "are to be expected in it. Make load.duration longer");
    w.c[COUNTER_WIN_DONE] = 1; /* its last tokens fell into the window, and say nothing of the rate */
    judge(&w);
    assert_int_equal(w.v.status, VERDICT_INVALID);
    assert_non_null(strstr(w.v.reason[0], "no request became due in the window (1 due before it). At this rate 0.6 "));
    w.c[COUNTER_WIN_DONE] = 0;
    w.stage.arrivals = ARRIVALS_RECORDED; /* when the next row comes, the rate does not say */
    judge(&w);
    assert_string_equal(w.v.reason[0], "nothing was measured: no request became due in the window (1 due before it)");
    w.c[COUNTER_OK] = 0, w.c[COUNTER_FAILED_RESET] = 1;
    expect(&w, VERDICT_INVALID, "no request became due in the window (1 due before it); 1 of the stage's 1 failure: ");
    world_clear(&w);
}

/* Where nothing was measured, the load and the lateness of what failed are no news; what is wrong with the agents'
 * machines is. */
static void test_nothing_ok(void **state)
{
    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        struct world w;
        world_make(&w);
        if (kind)
            w.stage = (struct plan_stage){.kind = LOAD_OPEN,
                                          .max_concurrency = 8,
                                          .rate_from = 500,
                                          .rate_to = 500,
                                          .duration_ns = INT64_C(25000000000),
                                          .warmup_ns = INT64_C(5000000000)};
        w.c[COUNTER_WIN_OK] = w.c[COUNTER_WIN_DONE] = 0;
        w.c[COUNTER_WIN_DUE] = 1000;
        w.c[COUNTER_WIN_FAILED] = 77;
        w.c[COUNTER_FAILED_RESET] = 80;
        w.c[COUNTER_FAILED_TLS] = 10;
        w.c[COUNTER_SENT] = 800;
        w.c[COUNTER_WIN_INFLIGHT_NS] = UINT64_C(20000000000) / 25; /* 0.04 in flight */
        w.c[COUNTER_EVENTS] = 10;
        w.c[COUNTER_BLURRED] = 5;
        record(&w, METRIC_DISPATCH, 50, 1000);
        record(&w, METRIC_LAG, 400, 50000);
        judge(&w);
        assert_int_equal(w.v.status, VERDICT_INVALID);
        assert_int_equal(w.v.n_reasons, 1);
        w.c[COUNTER_THROTTLED] = 3;
        w.c[COUNTER_DROPPED] = 2;
        judge(&w);
        assert_int_equal(w.v.n_reasons, 3);
        assert_non_null(strstr(w.v.reason[0],
                               "nothing was measured: of 1,000 requests due in the window none ended ok, 77 failed; 80 "
                               "of the stage's 90 failures: connection broke"));
        assert_non_null(strstr(w.v.reason[1], "2 records dropped"));
        assert_non_null(strstr(w.v.reason[2], "throttled"));
        for (int m = 0; m < METRIC_N; m++)
            hist_destroy(&w.hist[m]);
    }
}

/* A server that dies: older requests had ended in the window, all that became due in it failed. That is no "suspect,
 * 167 token/s". */
static void test_dies(void **state)
{
    (void)state;
    struct world w;
    world_make(&w);
    w.c[COUNTER_WIN_DUE] = 28, w.c[COUNTER_WIN_OK] = 0, w.c[COUNTER_WIN_FAILED] = 28, w.c[COUNTER_WIN_DONE] = 4;
    w.c[COUNTER_FAILED_CONNECT] = 31;
    expect(&w, VERDICT_INVALID,
           "nothing was measured: of 28 requests due in the window none ended ok, 28 failed; 31 of the stage's 31 "
           "failures: "
           "connection refused or unreachable");
    world_clear(&w);
}

/* Answers that are longer than the stage: that is said, and how long it should be. */
static void test_too_short(void **state)
{
    (void)state;
    struct world w;
    world_make(&w);
    world_clear(&w);
    w.stage.duration_ns = INT64_C(10000000000), w.stage.warmup_ns = INT64_C(2000000000);
    w.c[COUNTER_WIN_OK] = w.c[COUNTER_WIN_DONE] = w.c[COUNTER_WIN_FAILED] = 0;
    w.c[COUNTER_OK] = 0, w.c[COUNTER_DUE] = w.c[COUNTER_SENT] = w.c[COUNTER_WIN_DUE] = 64; /* one round of the slots */
    w.c[COUNTER_ABORTED] = 64;
    w.c[COUNTER_EVENTS] = 6400; /* they had begun */
    record(&w, METRIC_CUT_AGE, 15000, 64);
    judge(&w);
    assert_int_equal(w.v.status, VERDICT_INVALID);
    assert_non_null(strstr(w.v.reason[0], "answers take longer than the stage"));
    assert_non_null(strstr(w.v.reason[0], "64 were still open when the drain ended. Make load.duration at least 47 s"));
    w.c[COUNTER_MEASURED_NS] = 0; /* a stage by count that ends within its warm-up */
    w.stage.duration_ns = 0, w.stage.requests = 40, w.c[COUNTER_DUE] = 40;
    judge(&w);
    assert_non_null(
        strstr(w.v.reason[0], "all of 40 requests had ended when the warm-up of 2 s was over. Raise requests"));
    hist_destroy(&w.hist[METRIC_CUT_AGE]);
}

/* A stage that was ended before an answer had: that is why, and not the answers, the rate or the requests. */
static void test_cut_short(void **state)
{
    (void)state;
    struct world w;
    world_make(&w);
    world_clear(&w);
    w.cut = true;
    memset(w.c, 0, sizeof w.c);
    w.stage.duration_ns = INT64_C(10000000000), w.stage.warmup_ns = INT64_C(2000000000);
    w.c[COUNTER_OK] = w.c[COUNTER_DUE] = w.c[COUNTER_SENT] = 24; /* those from before, ended in the drain */
    w.c[COUNTER_MEASURED_NS] = UINT64_C(400000000);
    static const char WORDS[] = "nothing was measured: the stage was cut short 0.4 s into its window of 8 s, and no "
                                "request due in it had ended by then";
    judge(&w);
    assert_int_equal(w.v.status, VERDICT_INVALID);
    assert_string_equal(w.v.reason[0], WORDS);
    w.c[COUNTER_OK] = 0, w.c[COUNTER_ABORTED] = 24; /* not one byte had come */
    judge(&w);
    assert_string_equal(w.v.reason[0], WORDS);
    w.c[COUNTER_MEASURED_NS] = UINT64_C(7900000000); /* the window was kept, and only the drain cut short */
    judge(&w);
    assert_non_null(strstr(w.v.reason[0], "not one byte of an answer came"));
    w.c[COUNTER_MEASURED_NS] = UINT64_C(400000000);
    w.c[COUNTER_ABORTED] = 0, w.c[COUNTER_FAILED_CONNECT] = w.c[COUNTER_WIN_FAILED] = w.c[COUNTER_WIN_DUE] = 24;
    judge(&w); /* it all failed: that is worse */
    assert_non_null(strstr(w.v.reason[0], "of 24 requests due in the window none ended ok, 24 failed"));
    w.c[COUNTER_FAILED_CONNECT] = w.c[COUNTER_WIN_FAILED] = w.c[COUNTER_WIN_DUE] = 0, w.c[COUNTER_OK] = 24;
    w.c[COUNTER_MEASURED_NS] = 0;
    judge(&w);
    assert_string_equal(w.v.reason[0], "nothing was measured: the stage was cut short before its window began");
    w.stage.requests = 40; /* nor did its requests end within the warm-up */
    judge(&w);
    assert_string_equal(w.v.reason[0], "nothing was measured: the stage was cut short before its window began");
    w.c[COUNTER_MEASURED_NS] = UINT64_C(400000000), w.stage.duration_ns = 0;
    judge(&w);
    assert_string_equal(w.v.reason[0], "nothing was measured: the stage was cut short 0.4 s into its window, and no "
                                       "request due in it had ended by then");
    w.stage =
        (struct plan_stage){.kind = LOAD_OPEN, .rate_from = 0.1, .rate_to = 0.1, .duration_ns = INT64_C(60000000000)};
    w.c[COUNTER_OK] = w.c[COUNTER_DUE] = w.c[COUNTER_SENT] = 0;
    judge(&w); /* the rate is not to blame */
    assert_string_equal(w.v.reason[0], "nothing was measured: the stage was cut short 0.4 s into its window of 60 s, "
                                       "and no request due in it had ended by then");
}

/* Without a cap in the plan it was the agents' own limit that arrivals waited for. */
static void test_agents_cap(void **state)
{
    (void)state;
    struct world w;
    world_make(&w);
    w.stage =
        (struct plan_stage){.kind = LOAD_OPEN, .rate_from = 500, .rate_to = 500, .duration_ns = INT64_C(25000000000)};
    w.c[COUNTER_DUE] = w.c[COUNTER_WIN_DUE] = 10000, w.c[COUNTER_SENT] = 9990, w.c[COUNTER_CAPPED] = 4000;
    expect(&w, VERDICT_INVALID,
           "the agents were the limit: 4,010 of 10,000 arrivals waited for a free connection of theirs");
    world_clear(&w);
}

/* Answers of one token have no gaps: a late read is held against the time to the first token. */
static void test_one_token(void **state)
{
    (void)state;
    struct world w;
    world_make(&w);
    hist_destroy(&w.hist[METRIC_ITL]);
    w.c[COUNTER_UNSTAMPED] = w.c[COUNTER_READS];
    record(&w, METRIC_LAG, 3, 10000);
    record(&w, METRIC_TTFT, 400, 1000000);
    expect(&w, VERDICT_VALID, NULL);
    world_clear(&w);
}

/* Each figure has a verdict of its own: what is in doubt is what the evidence falsifies. */
static void test_figures(void **state)
{
    (void)state;
    struct world w;
    world_make(&w);
    w.c[COUNTER_CPU_NS] = 600000000,
    w.c[COUNTER_RUNQ_NS] = 4000000000; /* what a wait for a CPU falsifies is seen elsewhere */
    judge(&w);
    assert_int_equal(w.v.aspect[ASPECT_LOAD], VERDICT_SUSPECT);
    assert_int_equal(w.v.aspect[ASPECT_TTFT], VERDICT_VALID);
    assert_int_equal(w.v.aspect[ASPECT_TPOT], VERDICT_VALID);
    assert_int_equal(w.v.aspect[ASPECT_ITL], VERDICT_SUSPECT); /* no late read was seen: all may have hidden */
    w.c[COUNTER_EVENTS] = 100000, w.c[COUNTER_BLURRED] = w.c[COUNTER_BLURRED_BOUND] = 20;
    judge(&w);
    assert_int_equal(w.v.aspect[ASPECT_ITL], VERDICT_VALID); /* those that were seen are judged one by one */
    w.c[COUNTER_CPU_NS] = w.c[COUNTER_RUNQ_NS] = w.c[COUNTER_BLURRED] = w.c[COUNTER_BLURRED_BOUND] = 0;
    record(&w, METRIC_DISPATCH, 500, 1000);
    judge(&w);
    for (int a = 0; a < ASPECT_N; a++)
        assert_int_equal(w.v.aspect[a], a == ASPECT_LOAD || a == ASPECT_DUE ? VERDICT_INVALID : VERDICT_VALID);
    w.c[COUNTER_DROPPED] = 1;
    judge(&w);
    for (int a = 0; a < ASPECT_N; a++)
        assert_int_equal(w.v.aspect[a], VERDICT_INVALID);
    world_clear(&w);
}

static void test_closed_loop(void **state)
{
    (void)state;
    struct world w;
    world_make(&w);
    w.c[COUNTER_WIN_INFLIGHT_NS] = UINT64_C(20000000000) * 60;
    expect(&w, VERDICT_INVALID, "60 requests in flight on average, 64 asked for");
    w.c[COUNTER_WIN_INFLIGHT_NS] = UINT64_C(20000000000) * 60;
    w.c[COUNTER_WIN_FAILED] = 300; /* refused connections free their slot at once */
    expect(&w, VERDICT_SUSPECT, "while requests failed and plateau waited after failures");
    w.c[COUNTER_WIN_INFLIGHT_NS] = UINT64_C(20000000000) * 40;
    w.stage.requests = 1000; /* the tail of a count runs empty by design */
    expect(&w, VERDICT_VALID, NULL);
    world_clear(&w);
}

static void test_open_loop(void **state)
{
    (void)state;
    struct world w;
    world_make(&w);
#define OPEN                                                                                                           \
    w.stage = (struct plan_stage){.kind = LOAD_OPEN,                                                                   \
                                  .max_concurrency = 512,                                                              \
                                  .rate_from = 50,                                                                     \
                                  .rate_to = 50,                                                                       \
                                  .duration_ns = INT64_C(25000000000),                                                 \
                                  .warmup_ns = INT64_C(5000000000),                                                    \
                                  .arrivals = ARRIVALS_POISSON}
    OPEN;
    expect(&w, VERDICT_VALID, NULL);
    OPEN;
    w.c[COUNTER_SENT] = 1200;
    expect(&w, VERDICT_INVALID, "only 1,200 of 1,250");
    OPEN;
    w.c[COUNTER_SENT] = 1200;
    w.c[COUNTER_CAPPED] = 100; /* the cap was the plan's: the server is slow, the clients are not */
    expect(
        &w, VERDICT_SUSPECT,
        "the server did not keep up with the rate at load.max_concurrency (512): 150 of 1,250 arrivals waited there, "
        "50 of them in vain");
    OPEN;
    w.c[COUNTER_CAPPED] = 100; /* all were sent in the end */
    expect(&w, VERDICT_SUSPECT,
           "at times as many were in flight as load.max_concurrency (512): 100 of 1,250 arrivals waited there");
    OPEN;
    w.c[COUNTER_SENT] = w.c[COUNTER_INFLIGHT_MAX] = 512; /* none ended, so that none of those who waited was sent */
    expect(&w, VERDICT_SUSPECT, "738 of 1,250 arrivals waited there, 738 of them in vain");
    OPEN;
    w.c[COUNTER_SENT] = 511;
    w.c[COUNTER_INFLIGHT_MAX] = 511;
    expect(&w, VERDICT_INVALID, "only 511 of 1,250 requests that became due went out");
    OPEN;
    w.c[COUNTER_WIN_DUE] = 920; /* 2.5 sigma of a Poisson count: chance */
    expect(&w, VERDICT_VALID, NULL);
    OPEN;
    w.c[COUNTER_WIN_DUE] = 800;
    expect(&w, VERDICT_INVALID, "800 arrivals");
    OPEN;
    w.stage.arrivals = ARRIVALS_CONSTANT;
    w.c[COUNTER_WIN_DUE] = 920;
    expect(&w, VERDICT_INVALID, "920 arrivals");
    OPEN;
    w.stage.rate_from = 0; /* a ramp from 0 to 100: 60 a second on average after the warm-up */
    w.stage.rate_to = 100;
    w.c[COUNTER_WIN_DUE] = 1200;
    expect(&w, VERDICT_VALID, NULL);
#undef OPEN
    world_clear(&w);
}

/* Usage that cannot be right is not taken in silence. */
static void test_usage(void **state)
{
    (void)state;
    struct world w;
    world_make(&w);
    w.c[COUNTER_OK] = 1000;
    w.c[COUNTER_USAGE_DOUBTED] = 10;
    judge(&w);
    assert_int_equal(w.v.status, VERDICT_VALID);
    w.c[COUNTER_USAGE_DOUBTED] = 1000;
    judge(&w);
    assert_int_equal(w.v.status, VERDICT_SUSPECT);
    assert_int_equal(strncmp(w.v.reason[0], "the server's usage cannot be right in 1,000 of 1,000 requests", 60), 0);
    w.c[COUNTER_USAGE_DOUBTED] = 0;
    w.c[COUNTER_USAGE_OVER] = 990;
    w.c[COUNTER_USAGE_OVER_MOST] = 512;
    judge(&w);
    assert_int_equal(w.v.aspect[ASPECT_THROUGHPUT], VERDICT_SUSPECT);
    assert_non_null(strstr(w.v.reason[0],
                           "the usage of 990 of 1,000 requests is doubtful, and token/s, TPOT and lengths "
                           "rest on it: it counts up to 512 output tokens, "));
    char what[160];
    uint64_t c[COUNTER_N] = {[COUNTER_USAGE_DOUBTED_IN] = 90000, [COUNTER_USAGE_DOUBTED_CACHED] = 41};
    assert_string_equal(verdict_usage_words(c, what, sizeof what),
                        "up to 90,000 input tokens for one prompt, 41 cached tokens for one prompt");
    world_clear(&w);
}

/* 1.27/s where 1/s was asked for is chance in six seconds; how many were expected is known beside what came. */
static void test_expected(void **state)
{
    (void)state;
    uint64_t c[COUNTER_N] = {[COUNTER_MEASURED_NS] = UINT64_C(5500000000), [COUNTER_WIN_DUE] = 7};
    struct plan_stage p = {.kind = LOAD_OPEN,
                           .arrivals = ARRIVALS_POISSON,
                           .rate_from = 1,
                           .rate_to = 1,
                           .duration_ns = 6 * NS_PER_S,
                           .warmup_ns = NS_PER_S / 2};
    assert_true(fabs(verdict_expected(c, &p) - 5.5) < 1e-9);
    p.rate_to = 3; /* a ramp: its mean over the window, which begins after the warm-up */
    assert_true(fabs(verdict_expected(c, &p) - 5.5 * (1 + (0.5 + 6) / 6)) < 1e-6);
    c[COUNTER_MEASURED_NS] = UINT64_C(2500000000); /* it was cut short at second 3 */
    assert_true(fabs(verdict_expected(c, &p) - 2.5 * (1 + (0.5 + 3) / 6)) < 1e-6);
    p.arrivals = ARRIVALS_RECORDED;
    assert_true(isnan(verdict_expected(c, &p)));
    p = (struct plan_stage){.kind = LOAD_CLOSED, .concurrency = 4, .duration_ns = 6 * NS_PER_S};
    assert_true(isnan(verdict_expected(c, &p)));
}

/* Where nothing was asked, or the plan took it back, answers are not called slow. */
static void test_nothing_asked(void **state)
{
    (void)state;
    struct verdict v;
    struct plan plan = {0};
    struct hist *hist[METRIC_N] = {NULL};
    uint64_t c[COUNTER_N] = {[COUNTER_MEASURED_NS] = UINT64_C(2700000000)};
    struct plan_stage p = {
        .kind = LOAD_OPEN, .arrivals = ARRIVALS_POISSON, .rate_from = 0.1, .rate_to = 0.1, .duration_ns = 3 * NS_PER_S};
    verdict_compute(c, hist, &p, &plan, false, &v);
    assert_non_null(strstr(v.reason[0], "no request became due; at this rate 0.27 are to be expected"));
    c[COUNTER_DUE] = c[COUNTER_SENT] = c[COUNTER_CANCELLED] = 40;
    verdict_compute(c, hist, &p, &plan, false, &v);
    assert_non_null(strstr(v.reason[0], "load.cancel took back all of 40 requests"));
    c[COUNTER_DUE] = c[COUNTER_SENT] = 50, c[COUNTER_OK] = 10; /* which were due in the warm-up */
    c[COUNTER_WIN_DUE] = 40;
    hist[METRIC_CANCEL_AGE] = hist_new();
    assert_int_equal(hist_record(hist[METRIC_CANCEL_AGE], NS_PER_S, 40), 0);
    verdict_compute(c, hist, &p, &plan, false, &v);
    assert_non_null(strstr(v.reason[0], "load.cancel took back all of 40 requests due in the window"));
    hist_destroy(&hist[METRIC_CANCEL_AGE]);
}

static void test_many_reasons(void **state)
{
    (void)state;
    struct verdict v = {0};
    for (int i = 0; i < 20; i++)
        verdict_add(&v, i == 19 ? VERDICT_INVALID : VERDICT_SUSPECT, "reason %d", i);
    assert_int_equal(v.n_reasons, VERDICT_REASONS);
    assert_int_equal(v.status, VERDICT_INVALID);
    assert_string_equal(v.reason[0], "reason 19"); /* the worst comes first, and is never the one that is dropped */
    assert_int_equal(v.weight[0], VERDICT_INVALID);
    assert_string_equal(v.reason[1], "reason 0");
    assert_int_equal(v.weight[1], VERDICT_SUSPECT);
    assert_string_equal(v.reason[7], "reason 6");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules),     cmocka_unit_test(test_expected),    cmocka_unit_test(test_nothing_asked),
        cmocka_unit_test(test_short),     cmocka_unit_test(test_stalled),     cmocka_unit_test(test_none_in_window),
        cmocka_unit_test(test_rests),     cmocka_unit_test(test_nothing_ok),  cmocka_unit_test(test_closed_loop),
        cmocka_unit_test(test_figures),   cmocka_unit_test(test_dies),        cmocka_unit_test(test_too_short),
        cmocka_unit_test(test_cut_short), cmocka_unit_test(test_agents_cap),  cmocka_unit_test(test_one_token),
        cmocka_unit_test(test_open_loop),

        cmocka_unit_test(test_usage),     cmocka_unit_test(test_many_reasons)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
