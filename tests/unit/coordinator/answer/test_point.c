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

/* Which stages ended with their count, and stand at the load that they asked for. */
static void test_by_count(void **state)
{
    (void)state;
    struct stage_data s;
    struct agent_data a;
    struct plan plan = plan_of();
    struct point p;
    stage_make(&s, &a);
    point_compute(&s, &plan, &p);
    assert_false(p.by_count);
    s.plan.requests = s.counters[COUNTER_DUE] + 1; /* its duration was over first */
    point_compute(&s, &plan, &p);
    assert_false(p.by_count);
    s.plan.requests--;
    point_compute(&s, &plan, &p);
    assert_true(p.by_count);
    s.counters[COUNTER_WIN_FAILED] = 1; /* slots rest after failures */
    point_compute(&s, &plan, &p);
    assert_false(p.by_count);
    s.plan.kind = LOAD_OPEN, s.plan.rate_from = s.plan.rate_to = 10; /* arrivals do not */
    point_compute(&s, &plan, &p);
    assert_true(p.by_count);
    s.plan.rate_from = 1; /* a ramp */
    point_compute(&s, &plan, &p);
    assert_false(p.by_count);
    stage_done(&s);
}

/* A server that stands still in the window and answers everything afterwards: all counts are good, and the mean is of a
 * stop too. */
static void test_stood_still(void **state)
{
    (void)state;
    struct stage_data s;
    struct agent_data a;
    struct plan plan = plan_of();
    struct point p;
    static struct series_row rows[51];
    stage_make(&s, &a);
    s.series = rows;
    s.n_series = 50;
    s.hist[METRIC_TTFT] = hist_new();
    assert_int_equal(hist_record(s.hist[METRIC_TTFT], INT64_C(400000000), 500), 0);
    for (int still = 0; still <= 10; still += 2) {
        for (int i = 0; i < 50; i++) {
            bool none = i >= 20 && i < 20 + still;
            rows[i] = (struct series_row){.agent = -1,
                                          .t_s = 10 + i,
                                          .span_s = 1,
                                          .tokens = none ? 60 * (i == 20) : 1280, /* the last of the second before */
                                          .done = none ? 0 : 10,
                                          .due = none ? 0 : 10,
                                          .in_flight = 32};
        }
        point_compute(&s, &plan, &p);
        assert_int_equal(has_reason(&p, "the server stood still"), still > 2); /* 5 % of the window at least */
    }
    assert_true(has_reason(&p,
                           "stood still: from second 30 on next to nothing came for 10 s of the window's 50 s, with 32 "
                           "requests open"));
    assert_int_equal(p.verdict.aspect[ASPECT_THROUGHPUT], VERDICT_SUSPECT);
    assert_int_equal(p.verdict.aspect[ASPECT_TPOT], VERDICT_VALID);
    for (int i = 20; i < 30; i++)
        rows[i].tokens = 30; /* it has become slow, and something comes all the time */
    point_compute(&s, &plan, &p);
    assert_false(has_reason(&p, "stood still"));
    for (int i = 0; i < 50; i++)
        rows[i].tokens = 1280;
    rows[50] = (struct series_row){.agent = -1, .t_s = 60, .span_s = 0.0003, .tokens = 20, .in_flight = 32};
    s.n_series = 51; /* what is left of the stage is shorter than a token's time, and no rate to measure others by */
    point_compute(&s, &plan, &p);
    assert_false(has_reason(&p, "stood still"));
    s.n_series = 50;
    for (int i = 20; i < 30; i++)
        rows[i].tokens = 0;
    hist_reset(s.hist[METRIC_TTFT]); /* its requests wait for as long as that: it is slow */
    assert_int_equal(hist_record(s.hist[METRIC_TTFT], INT64_C(4000000000), 500), 0);
    point_compute(&s, &plan, &p);
    assert_false(has_reason(&p, "stood still"));
    hist_reset(s.hist[METRIC_TTFT]);
    assert_int_equal(hist_record(s.hist[METRIC_TTFT], INT64_C(400000000), 500), 0);
    s.hist[METRIC_LAG] = hist_new(); /* or the agent was away, and what had come lay in its sockets */
    assert_int_equal(hist_record(s.hist[METRIC_LAG], INT64_C(9000000000), 1), 0);
    point_compute(&s, &plan, &p);
    assert_false(has_reason(&p, "stood still"));
    hist_destroy(&s.hist[METRIC_LAG]);
    for (int i = 0; i < 50; i++)
        rows[i].in_flight = 1; /* one user, whose prompts are 1 to 50 times as long: the longest takes longest */
    s.hist[METRIC_INPUT_TOKENS] = hist_new();
    assert_int_equal(hist_record(s.hist[METRIC_INPUT_TOKENS], 100000, 500), 0);
    point_compute(&s, &plan, &p);
    assert_true(has_reason(&p, "stood still"));
    assert_int_equal(hist_record(s.hist[METRIC_INPUT_TOKENS], 5000000, 1), 0);
    point_compute(&s, &plan, &p);
    assert_false(has_reason(&p, "stood still"));
    for (int i = 0; i < 50; i++)
        rows[i].in_flight = 0; /* nothing was asked */
    point_compute(&s, &plan, &p);
    assert_false(has_reason(&p, "stood still"));
    s.series = NULL;
    s.n_series = 0;
    stage_done(&s);
}

/* A stage by count lasts until its last request ends. Where that hangs, the server works for nobody, and stands not. */
static void test_waits_for_hung(void **state)
{
    (void)state;
    struct stage_data s;
    struct agent_data a;
    struct plan plan = plan_of();
    struct point p;
    static struct series_row rows[50];
    stage_make(&s, &a);
    s.series = rows;
    s.n_series = 50;
    s.plan.requests = s.counters[COUNTER_DUE];
    s.hist[METRIC_TTFT] = hist_new(), s.hist[METRIC_FAIL_AGE] = hist_new();
    assert_int_equal(hist_record(s.hist[METRIC_TTFT], INT64_C(400000000), 500), 0);
    for (int i = 0; i < 50; i++)
        rows[i] = (struct series_row){.agent = -1,
                                      .t_s = 10 + i,
                                      .span_s = 1,
                                      .tokens = i < 30 ? 1280 : 0,
                                      .done = i < 30 ? 10 : 0,
                                      .in_flight = i < 30 ? 32 : 2};
    point_compute(&s, &plan, &p);
    assert_true(has_reason(&p, "the server stood still"));
    assert_int_equal(hist_record(s.hist[METRIC_FAIL_AGE], INT64_C(20000000000), 2), 0);
    point_compute(&s, &plan, &p);
    assert_false(has_reason(&p, "the server stood still"));
    assert_true(has_reason(&p, "from second 40 on the stage waited only for 2 requests that hung: 20 s of the window's "
                               "50 s, by which its rates are too low. "));
    s.plan.requests = 0;
    point_compute(&s, &plan, &p);
    assert_true(has_reason(&p, "the server stood still"));
    s.series = NULL;
    s.n_series = 0;
    stage_done(&s);
}

/* An open loop whose window begins before the first answers end: fewer are in flight than the rate will have. */
static void test_early_window(void **state)
{
    (void)state;
    struct stage_data s;
    struct agent_data a;
    struct plan plan = plan_of();
    struct point p;
    stage_make(&s, &a);
    s.plan =
        (struct plan_stage){.kind = LOAD_OPEN, .rate_from = 10, .rate_to = 10, .duration_ns = INT64_C(60000000000)};
    s.counters[COUNTER_MEASURED_NS] = UINT64_C(60000000000);
    s.counters[COUNTER_WIN_DUE] = 600;
    s.counters[COUNTER_WIN_DONE] = 590;
    hist_reset(s.hist[METRIC_E2E]);
    assert_int_equal(hist_record(s.hist[METRIC_E2E], INT64_C(12000000000), 500), 0);
    point_compute(&s, &plan, &p);
    assert_true(has_reason(&p,
                           "the window began 0 s after the first request, and an answer takes 12 s: until then fewer "
                           "were in flight, and the means are too low by about 10 %. Make load.warmup at least"));
    assert_int_equal(p.verdict.aspect[ASPECT_THROUGHPUT], VERDICT_SUSPECT);
    assert_int_equal(p.verdict.aspect[ASPECT_TTFT], VERDICT_VALID);
    s.plan.warmup_ns = INT64_C(10000000000);
    point_compute(&s, &plan, &p);
    assert_false(has_reason(&p, "the window began")); /* 2 s of 60 weigh less than what a load may be off by */
    s.plan.warmup_ns = 0;
    s.plan.rate_to = 20;
    point_compute(&s, &plan, &p);
    assert_false(has_reason(&p, "the window began")); /* a ramp builds up for as long as it lasts */
    s.plan.kind = LOAD_CLOSED;
    point_compute(&s, &plan, &p);
    assert_false(has_reason(&p, "the window began"));
    stage_done(&s);
}

static void test_numbers(void **state)
{
    (void)state;
    struct stage_data s;
    struct agent_data a;
    struct plan plan = plan_of();
    struct point p;
    stage_make(&s, &a);
    point_compute(&s, &plan, &p);
    is(p.window_s, 50);
    is(p.output_tokens_per_s, 1280);
    is(p.input_tokens_per_s, 2560);
    is(p.total_tokens_per_s, 3840);
    is(p.concurrency, 32);
    is(p.requests_per_s, 10);
    is(p.arrivals_per_s, 10.2);
    is(p.goodput_per_s, 8);
    is(p.error_rate, 0);
    is(p.littles_law, 1);
    is(p.cost_per_mtok_out, 10.0 / 3600 / 1280 * 1e6);
    is(p.cost_per_mtok_in, 10.0 / 3600 / 2560 * 1e6);
    assert_true(p.ledger.balanced);
    assert_int_equal(p.ledger.aborted, 32);
    assert_int_equal(p.verdict.status, VERDICT_VALID);
    assert_int_equal(p.steady, STEADY_UNKNOWN); /* no series */
    assert_true(isnan(p.output_lo));
    stage_done(&s);
}

static void test_what_is_wrong_is_said(void **state)
{
    (void)state;
    struct stage_data s;
    struct agent_data a[2];
    struct plan plan = plan_of();
    struct point p;
    stage_make(&s, a);
    s.counters[COUNTER_OK]--; /* one request vanished */
    point_compute(&s, &plan, &p);
    assert_false(p.ledger.balanced);
    assert_int_equal(p.verdict.status, VERDICT_INVALID);
    s.lost = 1; /* no: it was a dead agent's */
    s.degraded = true;
    point_compute(&s, &plan, &p);
    assert_true(p.ledger.balanced && p.degraded);
    assert_int_equal(p.verdict.status, VERDICT_SUSPECT);
    assert_non_null(strstr(p.verdict.reason[0], "1 request with it"));
    s.aborted = true;
    point_compute(&s, &plan, &p);
    assert_string_equal(p.verdict.reason[0],
                        "the stage ended before all agents had reported their part; not accounted for: 1 request");
    s.aborted = false;
    stage_done(&s);

    stage_make(&s, a); /* one of two agents stood still, and the load was lower by that: it is named */
    a[0].slots = 16;
    a[0].counters[COUNTER_WIN_INFLIGHT_NS] = UINT64_C(50000000000) * 16;
    a[1] = a[0];
    memcpy(a[1].name, "slow", 5);
    a[1].counters[COUNTER_WIN_INFLIGHT_NS] = UINT64_C(50000000000) * 12;
    s.counters[COUNTER_WIN_INFLIGHT_NS] = UINT64_C(50000000000) * 28;
    s.n_agents = 2;
    point_compute(&s, &plan, &p);
    assert_int_equal(p.verdict.status, VERDICT_INVALID);
    assert_true(has_reason(&p, "28 requests in flight on average, 32 asked for"));
    assert_true(has_reason(&p, "agent slow alone: 12 requests in flight on average, 16 asked for"));
    a[0].counters[COUNTER_WIN_INFLIGHT_NS] = UINT64_C(50000000000) * 12; /* both: that is said once */
    s.counters[COUNTER_WIN_INFLIGHT_NS] = UINT64_C(50000000000) * 24;
    point_compute(&s, &plan, &p);
    assert_false(has_reason(&p, "alone"));
    stage_done(&s);

    stage_make(&s, a);
    s.counters[COUNTER_WIN_DONE] = 300; /* 300 ends of 3.2 s in 50 s are 19 in flight, not 32 */
    point_compute(&s, &plan, &p);
    assert_int_equal(p.verdict.status, VERDICT_SUSPECT);
    assert_non_null(strstr(p.verdict.reason[0], "Little"));
    s.counters[COUNTER_WIN_EARLIER_NS] = UINT64_C(50000000000) * 13; /* 13 of 32 slots were still held from before */
    point_compute(&s, &plan, &p);
    assert_int_equal(p.verdict.status, VERDICT_SUSPECT);
    assert_non_null(strstr(p.verdict.reason[0], "requests of the warm-up took 40.6 % of the time in flight"));
    s.counters[COUNTER_WIN_EARLIER_NS] = UINT64_C(50000000000) / 2; /* too little to be why */
    point_compute(&s, &plan, &p);
    assert_non_null(strstr(p.verdict.reason[0], "Little"));
    s.counters[COUNTER_WIN_EARLIER_NS] = 0;
    struct hist *fail =
        hist_new(); /* some failed after a timeout that is long beside the window: the law says nothing */
    assert_int_equal(hist_record(fail, INT64_C(30000000000), 3), 0);
    s.hist[METRIC_FAIL_TIME] = fail;
    s.counters[COUNTER_WIN_FAILED] = 3;
    point_compute(&s, &plan, &p);
    for (uint32_t i = 0; i < p.verdict.n_reasons; i++)
        assert_null(strstr(p.verdict.reason[i], "Little"));
    hist_destroy(&s.hist[METRIC_FAIL_TIME]);
    s.counters[COUNTER_WIN_FAILED] = 0;
    struct hist *held = hist_new(); /* … but they held their slots for longer than their tokens took */
    assert_non_null(held);
    assert_int_equal(hist_record(held, INT64_C(5333000000), 300), 0);
    s.hist[METRIC_HELD] = held;
    point_compute(&s, &plan, &p);
    assert_true(fabs(p.littles_law - 1) < 0.01);
    assert_int_equal(p.verdict.status, VERDICT_VALID);
    hist_reset(held); /* others, which users took back, held the slots for the rest of the time: nothing is off */
    assert_int_equal(hist_record(held, INT64_C(2600000000), 300), 0);
    point_compute(&s, &plan, &p);
    assert_int_equal(p.verdict.status, VERDICT_SUSPECT);
    s.counters[COUNTER_CANCELLED] = 300;
    s.counters[COUNTER_DUE] += 300;
    point_compute(&s, &plan, &p);
    assert_true(isnan(p.littles_law));
    assert_int_equal(p.verdict.status, VERDICT_VALID);
    stage_done(&s);

    stage_make(&s, a); /* one of two agents held 32 in flight instead of its one; the cluster's mean hides it */
    a[1] = a[0];
    a[1].slots = 1;
    point_compute(&s, &plan, &p);
    assert_int_equal(p.verdict.status, VERDICT_VALID);
    s.n_agents = 2;
    point_compute(&s, &plan, &p);
    assert_int_equal(p.verdict.status, VERDICT_SUSPECT);
    assert_non_null(strstr(p.verdict.reason[0], "agent a alone"));

    struct point_agents pieces = {0}; /* judged one by one: the same verdict */
    struct point glance;
    assert_true(point_judge_agents(&s, &plan, 1, &pieces));
    assert_int_equal(pieces.next, 1);
    assert_int_equal(pieces.part.n_reasons, 0);
    assert_false(point_judge_agents(&s, &plan, 1, &pieces));
    point_glance(&s, &plan, &pieces, &glance);
    assert_memory_equal(&glance.verdict, &p.verdict, sizeof p.verdict);
    assert_true(fabs(glance.output_tokens_per_s - p.output_tokens_per_s) < 1e-9);
    stage_done(&s);
}

/* One of two agents had no request in the window, or none that ended, by chance: that is no fault of its own. Where it
 * should have had many, or where they failed, it is named. */
static void test_small_part(void **state)
{
    (void)state;
    struct stage_data s;
    struct agent_data a[2];
    struct plan plan = plan_of();
    struct point p;
    stage_make(&s, a);
    a[1] = (struct agent_data){.name = "b", .slots = 1, .weight = 1};
    uint64_t *c = a[1].counters;
    c[COUNTER_MEASURED_NS] = UINT64_C(50000000000);
    c[COUNTER_DUE] = c[COUNTER_SENT] = c[COUNTER_OK] = 1;
    s.n_agents = 2;
    for (int k = 0; k < 4; k++) {
        bool open = k < 2;
        s.plan.kind = open ? LOAD_OPEN : LOAD_CLOSED;
        s.plan.rate_from = s.plan.rate_to = 10.2;
        c[COUNTER_WIN_INFLIGHT_NS] = open ? 0 : c[COUNTER_MEASURED_NS];
        c[COUNTER_WIN_DUE] = k == 1 ? 20 : 0;
        hist_reset(s.hist[METRIC_E2E]); /* one slot for 50 s: 16 answers of 3.2 s, or one of 40 */
        assert_int_equal(hist_record(s.hist[METRIC_E2E], k == 3 ? INT64_C(3200000000) : INT64_C(40000000000), 500), 0);
        point_compute(&s, &plan, &p);
        if (has_reason(&p, "agent b alone: nothing was measured") != (k % 2 == 1)) fail_msg("%d", k);
    }
    c[COUNTER_WIN_DUE] = c[COUNTER_WIN_FAILED] = c[COUNTER_FAILED_RESET] = 1;
    s.plan.kind = LOAD_OPEN;
    point_compute(&s, &plan, &p);
    assert_true(has_reason(&p, "agent b alone: nothing was measured"));
    stage_done(&s);
}

/* `warmup: auto`: 20 s at half the speed, then 40 s at full speed. What blocks hold is of the part after the cut; the
 * rest says so. */
static void test_warmup_auto(void **state)
{
    (void)state;
    struct stage_data s = {
        .plan = {.kind = LOAD_CLOSED, .concurrency = 1, .duration_ns = INT64_C(60000000000), .warmup_auto = true}};
    struct plan plan = plan_of();
    struct point p;
    s.counters[COUNTER_MEASURED_NS] = UINT64_C(60000000000);
    s.series = calloc(60, sizeof *s.series);
    s.blocks = calloc(60, sizeof *s.blocks);
    s.n_series = s.n_blocks = 60;
    static const enum metric KINDS[] = {METRIC_TTFT, METRIC_ITL, METRIC_E2E};
    for (int k = 0; k < 3; k++)
        s.hist[KINDS[k]] = hist_new();
    for (int t = 0; t < 60; t++) {
        int64_t slow = t < 20 ? 2 : 1;
        double tokens = (double)(100 / slow) + (t % 3); /* not all alike */
        s.series[t] = (struct series_row){.agent = -1,
                                          .t_s = t,
                                          .span_s = 1,
                                          .tokens = tokens,
                                          .done = 10,
                                          .due = 10,
                                          .in_flight = 1,
                                          .ttft_p50_ms = NAN};
        s.blocks[t] = (struct block){.t_s = t, .span_s = 1, .tokens = tokens, .itl = hist_new(), .ttft = hist_new()};
        assert_int_equal(hist_record(s.blocks[t].itl, slow * 10000000, 90), 0);
        assert_int_equal(hist_record(s.blocks[t].ttft, slow * 50000000, 10), 0);
        assert_int_equal(hist_merge(s.hist[METRIC_ITL], s.blocks[t].itl), 0);
        assert_int_equal(hist_merge(s.hist[METRIC_TTFT], s.blocks[t].ttft), 0);
        assert_int_equal(hist_record(s.hist[METRIC_E2E], slow * 100000000, 10), 0);
        s.counters[COUNTER_WIN_EVENTS] += (uint64_t)tokens;
        s.counters[COUNTER_WIN_TOKENS_MICRO] += (uint64_t)tokens * 1000000;
    }
    point_compute(&s, &plan, &p);
    is(p.warmup_cut_s, 20);
    is(p.output_tokens_per_s, 101.025);
    assert_true(p.cut[METRIC_TTFT] && p.cut[METRIC_ITL] && !p.cut[METRIC_E2E]);
    assert_int_equal(p.metric[METRIC_ITL].count, 40 * 90);
    assert_true(fabs(p.metric[METRIC_ITL].max - 10) < 0.01 && fabs(p.metric[METRIC_ITL].mean_hi - 10) < 0.05);
    assert_int_equal(p.metric[METRIC_TTFT].count, 400);
    assert_true(fabs(p.metric[METRIC_TTFT].q[3] - 50) < 0.1); /* p99: nothing of the start is left */
    assert_int_equal(p.metric[METRIC_E2E].count, 600);
    assert_true(fabs(p.metric[METRIC_E2E].q[3] - 200) < 0.2); /* the whole window, and cut[] says so */
    struct plan_gate g = {.text = "ttft.p97.5 < 60ms",
                          .subject = GATE_METRIC,
                          .metric = METRIC_TTFT,
                          .agg = AGG_QUANTILE,
                          .q = 0.975,
                          .op = OP_LT,
                          .value = 60e6};
    struct gate_outcome o;
    gate_check(&g, &p, &o); /* a percentile no table prints is of the same part */
    assert_int_equal(o.result, GATE_PASS);
    g.metric = METRIC_ITL;
    g.value = 11e6;
    gate_check(&g, &p, &o);
    assert_int_equal(o.result, GATE_PASS);
    s.plan.warmup_auto = false;
    point_compute(&s, &plan, &p);
    assert_true(!p.cut[METRIC_TTFT] && p.metric[METRIC_TTFT].count == 600);
    gate_check(&g, &p, &o);
    assert_int_equal(o.result, GATE_FAIL);
    stage_data_clear(&s);
}

static void test_empty(void **state)
{
    (void)state;
    struct stage_data s = {.plan = {.kind = LOAD_CLOSED, .concurrency = 1}};
    struct plan plan = plan_of();
    struct point p;
    plan.currency = NULL;
    point_compute(&s, &plan, &p);
    assert_true(isnan(p.output_tokens_per_s) && isnan(p.error_rate) && isnan(p.littles_law) &&
                isnan(p.cost_per_mtok_out));
    assert_int_equal(p.verdict.status, VERDICT_INVALID);
    assert_true(p.ledger.balanced);
}

/* The server's page: a queue that is ours, requests that are not, and counters that begin anew. */
static void test_server_page(void **state)
{
    (void)state;
    struct agent_data a;
    struct stage_data s;
    struct plan plan = plan_of();
    struct point p;
    struct server_sample page[3] = {{.server = "vllm"}, {.server = "vllm"}, {.server = "vllm"}};
    stage_make(&s, &a);
    s.hist[METRIC_TTFT] = hist_new();
    hist_record(s.hist[METRIC_TTFT], INT64_C(1600000000), 500);
    for (int i = 0; i < 3; i++) {
        for (int f = 0; f < SERVER_FIELD_N; f++)
            page[i].value[f] = NAN;
        page[i].t_s = 30 * i;
        page[i].value[SERVER_RUNNING] = 16;
        page[i].value[SERVER_WAITING] = 16;
        page[i].value[SERVER_GENERATION_TOKENS] = 1000 * i;
    }
    s.server = page;
    s.n_server = 3;
    s.started_wall_ns = INT64_C(1000000000000);
    s.ended_wall_ns = INT64_C(1060000000000);
    point_compute(&s, &plan, &p);
    is(p.server.others, 0);
    is(p.server.queue_ms, 1600);
    assert_true(p.server.queue_share > 0.9 && !p.server.restarted);
    is(p.server.tokens, 2000);
    for (int i = 0; i < 3; i++)
        page[i].value[SERVER_WAITING] = 50; /* 66 are there, 32 of them ours */
    page[2].value[SERVER_GENERATION_TOKENS] = 300;
    point_compute(&s, &plan, &p);
    is(p.server.others, 34);
    assert_true(isnan(p.server.queue_ms) && isnan(p.server.queue_share) && p.server.restarted);
    is(p.server.tokens, 1300);
    page[2].value[SERVER_GENERATION_TOKENS] = 5000; /* of another server: there at once */
    page[1].value[SERVER_GENERATION_TOKENS] = 10;
    page[0].value[SERVER_GENERATION_TOKENS] = 4900;
    point_compute(&s, &plan, &p);
    assert_true(p.server.any && p.server.several && !p.server.restarted && isnan(p.server.tokens));
    assert_true(isnan(p.server.others) && isnan(p.server.window.mean[SERVER_RUNNING]));
    page[0].value[SERVER_GENERATION_TOKENS] = 0;
    plan.target.body = "{\"n\":2}"; /* each of ours stands there twice */
    point_compute(&s, &plan, &p);
    assert_true(isnan(p.server.others) && p.server.queue_share > 0.9);
    stage_done(&s);
}

/* A server that dies in the window: nothing ends ok any more, and what fails, fails at once. */
static void test_gone(void **state)
{
    (void)state;
    struct stage_data s;
    struct agent_data a;
    struct plan plan = plan_of();
    struct point p;
    static struct series_row rows[50];
    stage_make(&s, &a);
    s.series = rows;
    s.n_series = 50;
    for (int dies = 20; dies <= 50; dies += 10) {
        for (int i = 0; i < 50; i++)
            rows[i] = (struct series_row){.agent = -1,
                                          .t_s = 10 + i,
                                          .span_s = 1,
                                          .tokens = i < dies ? 1280 : 0,
                                          .done = i < dies ? 10 : 0,
                                          .failed = i < dies ? 1 : 20,
                                          .due = 20,
                                          .in_flight = 32};
        point_compute(&s, &plan, &p);
        assert_int_equal(p.gone, dies < 50);
        if (dies == 20)
            assert_true(has_reason(
                &p, "nothing ended ok from second 30 on: 600 requests failed until the window's end, 30 s later"));
    }
    rows[48].done = rows[49].done = 0; /* the last answers are still on their way */
    point_compute(&s, &plan, &p);
    assert_false(p.gone);
    for (int i = 20; i < 35; i++) /* it came back */
        rows[i].done = 0, rows[i].failed = 20;
    point_compute(&s, &plan, &p);
    assert_false(p.gone);
    assert_true(has_reason(&p, "nothing ended ok from second 30 to 45: 300 requests failed then"));
    for (int i = 0; i < 50; i++) /* one a second, of which as many fail all the time: so many in a row are chance */
        rows[i].done = i % 12 == 0, rows[i].failed = rows[i].done > 0 ? 0 : 1;
    point_compute(&s, &plan, &p);
    assert_false(has_reason(&p, "nothing ended ok"));
    assert_false(p.gone);
    for (int i = 0; i < 50; i++) /* hardly any failed before */
        rows[i].done = i<39, rows[i].failed = rows[i].done> 0 ? 0 : 1;
    point_compute(&s, &plan, &p);
    assert_true(p.gone);
    s.series = NULL;
    s.n_series = 0;
    stage_done(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_server_page),    cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_by_count),       cmocka_unit_test(test_stood_still),
        cmocka_unit_test(test_waits_for_hung), cmocka_unit_test(test_gone),
        cmocka_unit_test(test_early_window),   cmocka_unit_test(test_what_is_wrong_is_said),
        cmocka_unit_test(test_small_part),     cmocka_unit_test(test_warmup_auto),
        cmocka_unit_test(test_empty)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
