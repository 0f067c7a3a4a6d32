#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/rng.h"
#include "common/plan/gate.h"
#include "coordinator/answer/gates.h"

static struct plan_gate ttft(double q, enum gate_op op, double ms)
{
    return (struct plan_gate){.text = "ttft",
                              .subject = GATE_METRIC,
                              .metric = METRIC_TTFT,
                              .agg = AGG_QUANTILE,
                              .q = q,
                              .op = op,
                              .value = ms * 1e6};
}

static enum gate_result check(const struct plan_gate *g, const struct point *p, struct gate_outcome *o)
{
    gate_check(g, p, o);
    return o->result;
}

static struct gate_outcome judged(const char *text, const struct point *p, struct plan_gate *g)
{
    struct gate_outcome o;
    struct err e;
    assert_int_equal(gate_parse(text, g, &e), 0);
    gate_check(g, p, &o);
    return o;
}

static void test_quantiles(void **state)
{
    (void)state;
    struct hist *hist[METRIC_N] = {0};
    struct point p = {.hist = hist};
    struct gate_outcome o;
    struct hist *h = hist[METRIC_TTFT] = hist_new();
    for (int i = 1; i <= 1000; i++)
        hist_record(h, i * 1000000, 1); /* 1 … 1,000 ms */
    stat_compute(h, METRIC_TTFT, &p.metric[METRIC_TTFT]);

    struct plan_gate g = ttft(0.9, OP_LT, 950);
    assert_int_equal(check(&g, &p, &o), GATE_PASS);
    assert_true(fabs(o.value - 900) < 1 && o.lo < 900 && o.lo > 870 && o.hi > 900 && o.hi < 930);
    g = ttft(0.9, OP_LT, 850);
    assert_int_equal(check(&g, &p, &o), GATE_FAIL);
    g = ttft(0.9, OP_LT, 905); /* the value holds, its interval does not */
    assert_int_equal(check(&g, &p, &o), GATE_INCONCLUSIVE);
    g = ttft(0.9, OP_GT, 850);
    assert_int_equal(check(&g, &p, &o), GATE_PASS);
    g = ttft(0.75, OP_LT, 800); /* a percentile that no table prints */
    assert_int_equal(check(&g, &p, &o), GATE_PASS);
    assert_true(fabs(o.value - 750) < 1);
    g = ttft(0.999, OP_LT, 5000); /* needs 2,995 samples */
    assert_int_equal(check(&g, &p, &o), GATE_INCONCLUSIVE);
    assert_true(isnan(o.value));
    g = ttft(0.999, OP_LT, 500); /* but half of all samples broke this limit */
    assert_int_equal(check(&g, &p, &o), GATE_FAIL);
    g.agg = AGG_MAX;
    g.value = 1000e6;
    g.op = OP_LE;
    assert_int_equal(check(&g, &p, &o), GATE_PASS);
    g.op = OP_LT;
    assert_int_equal(check(&g, &p, &o), GATE_FAIL);
    g = (struct plan_gate){.subject = GATE_METRIC, .metric = METRIC_E2E, .agg = AGG_MEAN, .op = OP_LT, .value = 1e9};
    stat_compute(NULL, METRIC_E2E, &p.metric[METRIC_E2E]);
    assert_int_equal(check(&g, &p, &o), GATE_INCONCLUSIVE); /* no sample */
    hist_destroy(&h);
}

/* A limit that is kept while the queue grows is kept by the stage's shortness. */
static void test_outrun(void **state)
{
    (void)state;
    struct hist *hist[METRIC_N] = {0};
    struct point p = {.hist = hist};
    struct gate_outcome o;
    char words[200];
    static const enum metric USED[] = {METRIC_TTFT, METRIC_TTFT_DUE, METRIC_TPOT};
    for (size_t i = 0; i < sizeof USED / sizeof *USED; i++) {
        struct hist *h = hist[USED[i]] = hist_new();
        assert_int_equal(hist_record(h, 300000000, 1000), 0);
        stat_compute(h, USED[i], &p.metric[USED[i]]);
    }
    for (int how = 0; how < 3; how++) { /* kept up with; more under a cap; more without one */
        p.overrun = how > 0;
        p.outrun = how == 2;
        struct plan_gate g = ttft(0.9, OP_LT, 950);
        assert_int_equal(check(&g, &p, &o), how == 2 ? GATE_INCONCLUSIVE : GATE_PASS);
        assert_int_equal(o.grows, how == 2);
        if (o.grows)
            assert_non_null(strstr(gate_words(&o, &p, words, sizeof words),
                                   "inconclusive: the server did not keep up with the rate, and this grows with the"));
        g = ttft(0.9, OP_LT, 200);
        assert_int_equal(check(&g, &p, &o), GATE_FAIL); /* a longer stage would not mend it */
        g = ttft(0.9, OP_GT, 200);
        assert_int_equal(check(&g, &p, &o), GATE_PASS);
        g = ttft(0.9, OP_LT, 950);
        g.metric = METRIC_TTFT_DUE;
        assert_int_equal(check(&g, &p, &o), how ? GATE_INCONCLUSIVE : GATE_PASS);
        g.metric = METRIC_TPOT;
        assert_int_equal(check(&g, &p, &o), GATE_PASS);
    }
    for (int m = 0; m < METRIC_N; m++)
        hist_destroy(&hist[m]);
}

/* A server that died: the median request has no first token, however quick those before were. */
static void test_gone(void **state)
{
    (void)state;
    struct hist *hist[METRIC_N] = {0};
    struct point p = {.hist = hist, .window_ok = 400, .window_failed = 600, .error_rate = 0.6, .errors_gated = true};
    struct gate_outcome o;
    struct plan_gate g = ttft(0.5, OP_LT, 950);
    char words[300];
    hist[METRIC_TTFT] = hist_new();
    assert_int_equal(hist_record(hist[METRIC_TTFT], 300000000, 400), 0);
    stat_compute(hist[METRIC_TTFT], METRIC_TTFT, &p.metric[METRIC_TTFT]);
    assert_int_equal(check(&g, &p, &o), GATE_PASS); /* failures have gates of their own */
    p.gone = true;
    assert_int_equal(check(&g, &p, &o), GATE_INCONCLUSIVE);
    gate_words(&o, &p, words, sizeof words);
    assert_non_null(
        strstr(words, "inconclusive: the server was gone before the window's end, and requests that failed"));
    p.window_failed = 300; /* the median is still known */
    assert_int_equal(check(&g, &p, &o), GATE_PASS);
    g = ttft(0.9, OP_LT, 950);
    assert_int_equal(check(&g, &p, &o), GATE_INCONCLUSIVE);
    g = ttft(0.9, OP_LT, 200);
    assert_int_equal(check(&g, &p, &o), GATE_FAIL);
    hist_destroy(&hist[METRIC_TTFT]);
}

static void test_rates(void **state)
{
    (void)state;
    struct point p = {.output_tokens_per_s = 8000,
                      .output_lo = 7800,
                      .output_hi = 8200,
                      .error_rate = 0,
                      .window_ok = 100,
                      .goodput_per_s = 12,
                      .requests_per_s = 15};
    struct gate_outcome o;
    struct plan_gate g = {.subject = GATE_THROUGHPUT, .op = OP_GT, .value = 7500};
    assert_int_equal(check(&g, &p, &o), GATE_PASS);
    g.value = 7900;
    assert_int_equal(check(&g, &p, &o), GATE_INCONCLUSIVE);
    g.value = 8300;
    assert_int_equal(check(&g, &p, &o), GATE_FAIL);
    p.output_lo = p.output_hi = NAN;
    g.value = 7900;
    assert_int_equal(check(&g, &p, &o), GATE_PASS); /* a count of what happened, without an interval */
    g = (struct plan_gate){.subject = GATE_ERROR_RATE, .op = OP_LT, .value = 0.01};
    assert_int_equal(check(&g, &p, &o), GATE_INCONCLUSIVE); /* none of 100 does not prove less than 1 % */
    p.window_ok = 1000;
    assert_int_equal(check(&g, &p, &o), GATE_PASS);
    p.window_failed = 50;
    p.error_rate = 50.0 / 1050;
    assert_int_equal(check(&g, &p, &o), GATE_FAIL);
    g = (struct plan_gate){.subject = GATE_ERROR_COUNT, .op = OP_LE, .value = 50};
    assert_int_equal(check(&g, &p, &o), GATE_PASS);
    g = (struct plan_gate){.subject = GATE_GOODPUT, .op = OP_GE, .value = 12};
    assert_int_equal(check(&g, &p, &o), GATE_PASS);
    g = (struct plan_gate){.subject = GATE_REQUESTS_PER_S, .op = OP_LT, .value = 15};
    assert_int_equal(check(&g, &p, &o), GATE_FAIL);
}

/* A gate whose limit is the true quantile must not be decided more often than the interval allows. */
static void test_decides_seldom_at_the_limit(void **state)
{
    (void)state;
    struct rng r;
    int decided = 0;
    struct plan_gate g = ttft(0.95, OP_LT, -100 * log(0.05));
    rng_seed(&r, 8);
    for (int t = 0; t < 1000; t++) {
        struct hist *hist[METRIC_N] = {0};
        struct point p = {.hist = hist};
        struct gate_outcome o;
        struct hist *h = hist[METRIC_TTFT] = hist_new();
        for (int i = 0; i < 500; i++)
            hist_record(h, (int64_t)(100e6 * rng_exp(&r)), 1);
        stat_compute(h, METRIC_TTFT, &p.metric[METRIC_TTFT]);
        decided += check(&g, &p, &o) != GATE_INCONCLUSIVE;
        hist_destroy(&h);
    }
    assert_in_range(decided, 20, 70);
}

/* One in five requests hangs until the drain's end cuts it off: the other four are quick, and no limit below the age is
 * kept. */
static void test_cut_off(void **state)
{
    (void)state;
    struct hist *hist[METRIC_N] = {NULL};
    hist[METRIC_TTFT] = hist_new(), hist[METRIC_CUT_WAIT] = hist_new();
    hist_record(hist[METRIC_TTFT], 100 * 1000000, 800);
    hist_record(hist[METRIC_CUT_WAIT], INT64_C(30000) * 1000000, 200);
    struct point p = {.hist = hist, .window_ok = 800, .window_cut = 200, .window_unanswered = 200, .error_rate = 0.2};
    struct gate_outcome o;
    for (int m = 0; m < METRIC_N; m++)
        stat_compute(hist[m], (enum metric)m, &p.metric[m]);
    static const struct {
        const char *text;
        enum gate_result result;
    } CASES[] = {{"ttft.p99 < 800ms", GATE_FAIL},        {"ttft.p90 < 800ms", GATE_FAIL},
                 {"ttft.p50 < 800ms", GATE_PASS},       /* four in five are known */
                 {"ttft.p99 < 40s", GATE_INCONCLUSIVE}, /* how slow they would have been nobody knows */
                 {"ttft.max < 800ms", GATE_FAIL},        {"ttft.max < 40s", GATE_INCONCLUSIVE},
                 {"ttft.mean < 800ms", GATE_FAIL}, /* 6,080 ms at least */
                 {"ttft.mean < 10s", GATE_INCONCLUSIVE}, {"ttft.min < 800ms", GATE_PASS},
                 {"errors.rate < 1%", GATE_FAIL},        {"errors.count < 100", GATE_FAIL}};
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct plan_gate g;
        struct err e;
        assert_int_equal(gate_parse(CASES[i].text, &g, &e), 0);
        gate_check(&g, &p, &o);
        if (o.result != CASES[i].result) fail_msg("%s: %s", CASES[i].text, gate_result_name(o.result));
    }
    char words[300];
    struct plan_gate g;
    o = judged("ttft.p50 < 800ms", &p, &g);
    assert_null(strstr(gate_words(&o, &p, words, sizeof words), "load.max_concurrency"));
    p.unsent_share = 0.2; /* what was cut off was never sent */
    gate_words(&o, &p, words, sizeof words);
    assert_non_null(strstr(words, "100 ms); the wait for load.max_concurrency is not in it"));
    o = judged("ttft.max < 40s", &p, &g);
    gate_words(&o, &p, words, sizeof words);
    assert_non_null(strstr(words, "inconclusive: requests that waited for load.max_concurrency and were never sent"));
    p.unsent_share = 0, p.window_cut = 0, p.window_cancelled = 200; /* their users went away */
    gate_words(&o, &p, words, sizeof words);
    assert_non_null(strstr(words, "inconclusive: requests that load.cancel took back leave it open"));
    p.hist = NULL;
    hist_destroy(&hist[METRIC_TTFT]);
    hist_destroy(&hist[METRIC_CUT_WAIT]);
}

/* Three in five requests fail: `slow` of them by a timeout after 2 s, the others at once. */
static void test_failed(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t slow;
        bool errors_gated;
        enum gate_result result;
        const char *words;
    } CASES[] = {
        {"ttft.p99 < 800ms", 600, true, GATE_FAIL, "at least 2,000 ms; 600 failed requests had waited longer"},
        {"ttft.p50 < 800ms", 600, true, GATE_FAIL, "at least 2,000 ms"},
        {"ttft.p30 < 800ms", 600, true, GATE_PASS, "100 ms"},
        {"ttft.p99 < 5s", 600, true, GATE_PASS, "100 ms"}, /* nobody knows, and errors.rate judges them */
        {"e2e.p99 < 800ms", 600, true, GATE_FAIL, "at least 2,000 ms"},
        {"ttft.p99 < 800ms", 0, true, GATE_PASS, "100 ms"},
        {"ttft.p99 < 800ms", 0, false, GATE_FAIL, "over 800 ms; 600 failed requests count as beyond the limit"},
        {"ttft.p99 <= 800ms", 0, false, GATE_FAIL, "over 800 ms"},
        {"ttft.p99 < 5s", 600, false, GATE_FAIL, "over 5,000 ms"},
        {"ttft.p99 < 800ms", 300, false, GATE_FAIL, "at least 2,000 ms; 600 failed requests"},
        {"tpot.p99 < 50ms", 600, false, GATE_FAIL, "over 50 ms"},
        {"tpot.p99 < 50ms", 600, true, GATE_PASS, "10 ms"},
        {"user_speed.p5 > 20", 0, false, GATE_FAIL, "0 token/s"},
        {"user_speed.p5 > 20", 0, true, GATE_PASS, "100 token/s"},
        {"ttft.max < 800ms", 600, true, GATE_FAIL, "at least 2,000 ms"},
        {"ttft.max < 800ms", 0, true, GATE_PASS, "100 ms"},
        {"ttft.max <= 800ms", 0, false, GATE_FAIL, "over 800 ms"},
        {"ttft.mean < 800ms", 600, true, GATE_FAIL, "at least 1,240 ms"},
        {"ttft.mean < 5s", 600, true, GATE_PASS, "100 ms"},
        {"input_tokens.p99 < 800", 600, false, GATE_PASS, "100 token"}, /* no latency */
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct hist *hist[METRIC_N] = {NULL};
        static const enum metric OK[] = {METRIC_TTFT, METRIC_E2E, METRIC_TPOT, METRIC_USER_SPEED, METRIC_INPUT_TOKENS},
                                 FAILED[] = {METRIC_FAIL_AGE, METRIC_FAIL_WAIT};
        static const int64_t VALUE[] = {100000000, 100000000, 10000000, 100000000, 100000};
        for (size_t k = 0; k < 5; k++)
            assert_int_equal(hist_record(hist[OK[k]] = hist_new(), VALUE[k], 400), 0);
        for (size_t k = 0; k < 2; k++) {
            struct hist *h = hist[FAILED[k]] = hist_new();
            if (CASES[i].slow) assert_int_equal(hist_record(h, INT64_C(2000000000), CASES[i].slow), 0);
            if (CASES[i].slow < 600) assert_int_equal(hist_record(h, 1000000, 600 - CASES[i].slow), 0);
        }
        struct point p = {.hist = hist,
                          .window_ok = 400,
                          .window_failed = 600,
                          .error_rate = 0.6,
                          .errors_gated = CASES[i].errors_gated};
        for (int m = 0; m < METRIC_N; m++)
            stat_compute(hist[m], (enum metric)m, &p.metric[m]);
        char words[300];
        struct plan_gate g;
        struct gate_outcome o = judged(CASES[i].text, &p, &g);
        gate_words(&o, &p, words, sizeof words);
        if (o.result != CASES[i].result || strncmp(words, CASES[i].words, strlen(CASES[i].words)) != 0)
            fail_msg("%zu: %s: %s, %s", i, CASES[i].text, gate_result_name(o.result), words);
        for (int m = 0; m < METRIC_N; m++)
            hist_destroy(&hist[m]);
    }
}

/* Answers that the drain's end cut off after their first token, which is known. */
static void test_cut_after(void **state)
{
    (void)state;
    struct hist *hist[METRIC_N] = {NULL};
    hist[METRIC_TTFT] = hist_new(), hist[METRIC_CUT_TTFT] = hist_new(), hist[METRIC_CUT_AGE] = hist_new();
    assert_int_equal(hist_record(hist[METRIC_TTFT], 100000000, 400), 0);
    assert_int_equal(hist_record(hist[METRIC_CUT_TTFT], 900000000, 600), 0);
    assert_int_equal(hist_record(hist[METRIC_CUT_AGE], INT64_C(30000000000), 600), 0);
    struct point p = {.hist = hist, .window_ok = 400, .window_cut = 600, .errors_gated = true};
    for (int m = 0; m < METRIC_N; m++)
        stat_compute(hist[m], (enum metric)m, &p.metric[m]);
    static const struct {
        const char *text;
        enum gate_result result;
        const char *words;
    } CASES[] = {
        {"ttft.p80 < 500ms", GATE_FAIL,
         "900 ms (95 %: 900 ms to 900 ms); with 600 requests cut off after the first token"},
        {"ttft.p80 < 1s", GATE_PASS, "900 ms"},
        {"ttft.p30 < 500ms", GATE_PASS, "100 ms"},
        {"ttft.max < 500ms", GATE_FAIL, "900 ms"},
        {"ttft.min < 200ms", GATE_PASS, "100 ms"},
        {"ttft.mean < 500ms", GATE_FAIL, "580 ms"},
        {"e2e.p80 < 500ms", GATE_FAIL, "at least 30,000 ms"},
        /* sent when they were due */
        {"ttft_due.p80 < 500ms", GATE_FAIL, "900 ms"},
        {"ttft_due.p80 < 1s", GATE_PASS, "900 ms"},
        /* the first content is no earlier than the first token, and may be any later */
        {"ttfc.p80 < 500ms", GATE_FAIL, "at least 900 ms"},
        {"ttfc.p80 < 1s", GATE_INCONCLUSIVE, "at least 900 ms; inconclusive: requests that the drain's end cut off"}};
    hist[METRIC_E2E] = hist_copy(hist[METRIC_TTFT]);
    hist[METRIC_TTFT_DUE] = hist_copy(hist[METRIC_TTFT]);
    hist[METRIC_TTFC] = hist_copy(hist[METRIC_TTFT]);
    hist[METRIC_LATENESS] = hist_new();
    assert_int_equal(hist_record(hist[METRIC_LATENESS], 100000, 1000), 0);
    for (int m = 0; m < METRIC_N; m++)
        stat_compute(hist[m], (enum metric)m, &p.metric[m]);
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        char words[300];
        struct plan_gate g;
        struct gate_outcome o = judged(CASES[i].text, &p, &g);
        gate_words(&o, &p, words, sizeof words);
        if (o.result != CASES[i].result || strncmp(words, CASES[i].words, strlen(CASES[i].words)) != 0)
            fail_msg("%s: %s, %s", CASES[i].text, gate_result_name(o.result), words);
    }
    struct plan_gate g; /* sent late by up to 300 ms: from due the first tokens came after 900 to 1,200 ms */
    assert_int_equal(hist_record(hist[METRIC_LATENESS], 300000000, 1000), 0);
    assert_int_equal(judged("ttft_due.p80 < 500ms", &p, &g).result, GATE_FAIL);
    assert_int_equal(judged("ttft_due.p80 < 1s", &p, &g).result, GATE_INCONCLUSIVE);
    assert_int_equal(judged("ttft_due.p80 < 1300ms", &p, &g).result, GATE_PASS);
    for (int m = 0; m < METRIC_N; m++)
        hist_destroy(&hist[m]);
}

static void test_decide(void **state)
{
    (void)state;
    struct plan_gate gate[2] = {{0}};
    struct plan plan = {.gates = gate, .n_gates = 2};
    struct point p[3] = {{0}};
    struct gate_outcome o[6];
    for (uint32_t i = 0; i < 6; i++)
        o[i] = (struct gate_outcome){.gate = &gate[i % 2], .point = i / 2, .result = GATE_PASS};
    for (uint32_t i = 0; i < 3; i++)
        p[i].requested.concurrency = i + 1;
    assert_int_equal(gates_decide(&plan, p, 3, o, 6, NULL), GATE_PASS);
    o[3].result = GATE_INCONCLUSIVE;
    assert_int_equal(gates_decide(&plan, p, 3, o, 6, NULL), GATE_INCONCLUSIVE);
    o[4].result = GATE_FAIL;
    assert_int_equal(gates_decide(&plan, p, 3, o, 6, NULL), GATE_FAIL);
    plan.require = REQUIRE_ANY; /* a sweep asks: is there a load within the limits? */
    assert_int_equal(gates_decide(&plan, p, 3, o, 6, NULL), GATE_PASS);
    p[0].verdict.status = VERDICT_INVALID; /* not by a point that was the client's */
    assert_int_equal(gates_decide(&plan, p, 3, o, 6, NULL), GATE_INCONCLUSIVE);
    o[2].result = o[5].result = GATE_FAIL;
    assert_int_equal(gates_decide(&plan, p, 3, o, 6, NULL), GATE_FAIL);
    p[1].verdict.status = p[2].verdict.status = VERDICT_INVALID;
    assert_int_equal(gates_decide(&plan, p, 3, o, 6, NULL), GATE_INCONCLUSIVE);
    plan.n_gates = 0;
    assert_int_equal(gates_decide(&plan, p, 3, o, 0, NULL), GATE_PASS);
}

/* One run of three that keeps the gates is luck, not a load that keeps them. */
static void test_repeats(void **state)
{
    (void)state;
    struct plan_gate gate = {0};
    struct plan plan = {.gates = &gate, .n_gates = 1, .require = REQUIRE_ANY};
    struct point p[4] = {{0}};
    struct gate_outcome o[4];
    for (uint32_t i = 0; i < 4; i++) {
        p[i] = (struct point){.requested.concurrency = i < 3 ? 8 : 16,
                              .window_s = 10,
                              .output_tokens_per_s = 100,
                              .concurrency = 8,
                              .steady = STEADY_YES};
        o[i] = (struct gate_outcome){.gate = &gate, .point = i, .result = i ? GATE_FAIL : GATE_PASS};
    }
    assert_int_equal(gates_decide(&plan, p, 4, o, 4, NULL), GATE_FAIL);
    o[3].result = GATE_INCONCLUSIVE;
    assert_int_equal(gates_decide(&plan, p, 4, o, 4, NULL), GATE_INCONCLUSIVE);
    assert_int_equal(gates_run(p, 4, o, 4, 2), 0); /* the one that passes */
    o[0].result = o[1].result = GATE_INCONCLUSIVE;
    o[2].result = GATE_PASS;
    assert_int_equal(gates_decide(&plan, p, 4, o, 4, NULL), GATE_PASS);
    assert_int_equal(gates_run(p, 4, o, 4, 0), 2);
    o[2].result = GATE_FAIL;
    p[1].window_s = 20;
    assert_int_equal(gates_run(p, 4, o, 4, 0), 1); /* of two that break none, the longer one */
    assert_int_equal(gates_run(p, 4, o, 4, 3), 3);
}

/* Two groups of latencies, most of them 51 ms and some 2,500: the interval reaches from one to the other, and the share
 * beyond the limit is what decides, below and above. So many decide it as are named, and half as many do not. */
static void test_two_groups(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t fast, slow;
    } CASES[] = {{"ttft.p90 < 300ms", 107, 5}, {"ttft.p90 < 300ms", 214, 17}, {"ttft.p90 > 300ms", 100, 13}};
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct hist *hist[METRIC_N] = {NULL};
        struct point p = {.hist = hist, .window_s = 6, .window_ok = CASES[i].fast + CASES[i].slow};
        struct plan_gate g;
        double had = (double)p.window_ok, needs = had;
        for (int enough = -1; enough < 2; enough++) {
            double times = enough < 0 ? 1 : (enough ? 1.2 : 0.6) * needs / had;
            hist[METRIC_TTFT] = hist_new();
            hist_record(hist[METRIC_TTFT], 51000000, (uint64_t)round((double)CASES[i].fast * times));
            hist_record(hist[METRIC_TTFT], INT64_C(2500000000), (uint64_t)round((double)CASES[i].slow * times));
            stat_compute(hist[METRIC_TTFT], METRIC_TTFT, &p.metric[METRIC_TTFT]);
            struct gate_outcome o = judged(CASES[i].text, &p, &g);
            if ((o.result == GATE_INCONCLUSIVE) != (enough < 1)) fail_msg("case %zu, %d: %d", i, enough, (int)o.result);
            needs = enough < 0 ? o.needs : needs;
            hist_destroy(&hist[METRIC_TTFT]);
        }
        if (!(needs > had && needs < 20 * had)) fail_msg("case %zu: %g of %g", i, needs, had);
    }
}

/* An inconclusive gate says what would decide it; every value is in the gate's own unit. */
static void test_words(void **state)
{
    (void)state;
    struct hist *hist[METRIC_N] = {NULL};
    char words[300];
    hist[METRIC_TTFT] = hist_new();
    for (int i = 0; i < 14; i++)
        hist_record(hist[METRIC_TTFT], (100 + i) * 1000000, 1);
    struct point p = {.hist = hist, .window_s = 5.15, .window_ok = 14};
    struct plan_gate g;
    for (int m = 0; m < METRIC_N; m++)
        stat_compute(hist[m], (enum metric)m, &p.metric[m]);
    struct gate_outcome o = judged("ttft.p99 < 800ms", &p, &g);
    assert_int_equal(o.result, GATE_INCONCLUSIVE);
    assert_true(o.needs > 298 && o.needs < 300 && o.had > 13 && o.had < 15);
    assert_string_equal(gate_words(&o, &p, words, sizeof words),
                        "inconclusive: p99 needs 299 requests, had 14: about 110 s at this load");
    o = judged("ttft.p99 < 20ms", &p, &g); /* too few for a p99, and all of them are over the limit */
    assert_int_equal(o.result, GATE_FAIL);
    assert_true(isnan(o.value));
    assert_int_equal(strncmp(gate_words(&o, &p, words, sizeof words), "at least 1", 10), 0);
    o = judged("ttft.p1 > 20ms", &p, &g); /* too few for a p1, too */
    assert_int_equal(o.result, GATE_INCONCLUSIVE);
    assert_string_equal(gate_words(&o, &p, words, sizeof words),
                        "inconclusive: p1 needs 299 requests, had 14: about 110 s at this load");
    o = judged("ttft.p1 > 800ms", &p, &g); /* all of them are under the limit */
    assert_int_equal(o.result, GATE_FAIL);
    assert_true(isnan(o.value));
    assert_int_equal(strncmp(gate_words(&o, &p, words, sizeof words), "at most 1", 9), 0);
    o = judged("ttft.p99 < 800ms", &p, &g);
    verdict_add(&p.verdict, VERDICT_INVALID, "late");
    assert_string_equal(gate_words(&o, &p, words, sizeof words), "inconclusive: the point is invalid");
    p.verdict = (struct verdict){0};

    p.window_ok = 59193, p.window_failed = 2000, p.error_rate = 2000.0 / 61193;
    o = judged("errors.rate < 1%", &p, &g);
    assert_int_equal(o.result, GATE_FAIL);
    gate_words(&o, &p, words, sizeof words);
    assert_non_null(strstr(words, "3.27 % (95 %: 3.13 % to 3.41 %)"));
    p.window_ok = 1000, p.window_failed = 8, p.error_rate = 8.0 / 1008; /* on the good side, but not clear of chance */
    o = judged("errors.rate < 1%", &p, &g);
    assert_int_equal(o.result, GATE_INCONCLUSIVE);
    assert_true(o.needs > 4000 && o.needs < 40000);
    /* so many decide it, and not fewer, if the share stays what it was */
    static const struct {
        const char *text;
        uint64_t ok, failed;
    } shares[] = {{"errors.rate < 1%", 70, 0},
                  {"errors.rate < 1%", 1000, 8},
                  {"errors.rate <= 1%", 95, 2},
                  {"errors.rate > 1%", 480, 10}};
    for (size_t i = 0; i < sizeof shares / sizeof *shares; i++) {
        double had = (double)(shares[i].ok + shares[i].failed), share = (double)shares[i].failed / had;
        p.window_ok = shares[i].ok, p.window_failed = shares[i].failed, p.error_rate = share;
        o = judged(shares[i].text, &p, &g);
        assert_int_equal(o.result, GATE_INCONCLUSIVE);
        double needs = ceil(o.needs);
        for (int enough = 0; enough < 2; enough++) {
            double n = (enough ? 1.1 : 0.9) * needs;
            p.window_failed = (uint64_t)round(share * n);
            n = p.window_failed ? round((double)p.window_failed / share) : floor(n);
            p.window_ok = (uint64_t)n - p.window_failed;
            p.error_rate = (double)p.window_failed / n;
            if ((judged(shares[i].text, &p, &g).result != GATE_INCONCLUSIVE) != enough)
                fail_msg("%s: %g needed, and %g are %s", shares[i].text, needs, n, enough ? "too few" : "enough");
        }
    }
    p.output_tokens_per_s = 56500, p.output_lo = 56000, p.output_hi = 57000;
    o = judged("throughput > 50000", &p, &g);
    assert_string_equal(gate_words(&o, &p, words, sizeof words),
                        "56,500 token/s (95 %: 56,000 token/s to 57,000 token/s)");
    hist_destroy(&hist[METRIC_TTFT]);
}

static void test_rule(void **state)
{
    (void)state;
    struct plan plan = {.require = REQUIRE_ANY};
    assert_true(gates_any(&plan));
    assert_string_equal(gates_rule(&plan), "one load that keeps every gate is enough (slo.require: any)");
    plan.require = REQUIRE_ALL;
    assert_string_equal(gates_rule(&plan), "every load must keep every gate (slo.require: all)");
    plan.search.goal = SEARCH_SLO;
    assert_true(gates_any(&plan));
    assert_string_equal(gates_rule(&plan), "the load that the search found must keep every gate");
    plan.search.goal = SEARCH_PLATEAU; /* does not look at gates, and the plateau is seldom within them */
    assert_true(gates_any(&plan));
    assert_string_equal(gates_rule(&plan), "one load that keeps every gate is enough (slo.require: any)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_words),
                                       cmocka_unit_test(test_rule),
                                       cmocka_unit_test(test_quantiles),
                                       cmocka_unit_test(test_rates),
                                       cmocka_unit_test(test_outrun),
                                       cmocka_unit_test(test_gone),
                                       cmocka_unit_test(test_decides_seldom_at_the_limit),
                                       cmocka_unit_test(test_decide),
                                       cmocka_unit_test(test_repeats),
                                       cmocka_unit_test(test_two_groups),
                                       cmocka_unit_test(test_cut_off),
                                       cmocka_unit_test(test_failed),
                                       cmocka_unit_test(test_cut_after)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
