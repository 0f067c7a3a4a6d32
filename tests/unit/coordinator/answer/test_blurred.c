#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/rng.h"
#include "coordinator/answer/stat.h"
#include "tests/unit/verdict_world.h"

/* A healthy stage: 10 slots for 20 s, all answers alike. */
static void world_make(struct world *w)
{
    *w = (struct world){.stage = {.kind = LOAD_CLOSED, .concurrency = 10, .duration_ns = INT64_C(20000000000)},
                        .plan = {.verdict_lateness_ns = 1000000, .verdict_lag_ns = 1000000, .verdict_achieved = 0.02}};
    w->c[COUNTER_MEASURED_NS] = UINT64_C(20000000000);
    w->c[COUNTER_WIN_INFLIGHT_NS] = UINT64_C(200000000000);
    w->c[COUNTER_DUE] = w->c[COUNTER_SENT] = w->c[COUNTER_OK] = 1000;
    w->c[COUNTER_WIN_DUE] = w->c[COUNTER_WIN_OK] = w->c[COUNTER_WIN_DONE] = 1000;
    w->c[COUNTER_READS] = 100000;
    record(w, METRIC_TTFT, 150, 1000);
    record(w, METRIC_TTFT_DUE, 150, 1000);
    record(w, METRIC_TPOT, 20, 1000);
    record(w, METRIC_ITL, 20, 100000);
    record(w, METRIC_E2E, 200, 1000);
}

/* Times that differ, so that a share of wrong ones can move a percentile: 1,000 answers, ttft and tpot from the least
 * to twice that. */
static void spread(struct world *w)
{
    static const enum metric M[] = {METRIC_TTFT, METRIC_TTFT_DUE, METRIC_TPOT, METRIC_ITL};
    for (size_t m = 0; m < sizeof M / sizeof *M; m++) {
        hist_destroy(&w->hist[M[m]]);
        for (int i = 0; i < 1000; i++)
            record(w, M[m], M[m] == METRIC_TTFT || M[m] == METRIC_TTFT_DUE ? 150 + 0.15 * i : 20 + 0.02 * i, 1);
    }
}

/* A percentile is known as far as the samples that may be wrong cannot move it. */
static void test_percentiles(void **state)
{
    (void)state;
    struct world w;
    struct plan_gate gate = {.subject = GATE_METRIC, .metric = METRIC_ITL, .agg = AGG_QUANTILE, .q = 0.5};
    enum { P50, P90, P95, P99 };
    world_make(&w);
    record(&w, METRIC_ITL, 40, 5000);                          /* 95.2 % are 20 ms, the slowest 4.8 % 40 ms */
    w.c[COUNTER_EVENTS] = 105000, w.c[COUNTER_BLURRED] = 1500; /* up to 2.9 % of the gaps */
    judge(&w);
    assert_int_equal(w.v.status, VERDICT_VALID); /* neither the answer nor a gate goes by gaps */
    assert_int_equal(w.v.n_reasons, 1);
    assert_non_null(strstr(w.v.reason[0], "in doubt: itl from p95 on"));
    assert_int_equal(w.v.at[ASPECT_ITL][P50], VERDICT_VALID);
    assert_int_equal(w.v.at[ASPECT_ITL][P90], VERDICT_VALID);
    assert_int_equal(w.v.at[ASPECT_ITL][P95], VERDICT_SUSPECT);
    assert_int_equal(w.v.at[ASPECT_ITL][P99], VERDICT_SUSPECT); /* 1.9 % more might be the slowest of all */
    w.plan.gates = &gate, w.plan.n_gates = 1;
    judge(&w);
    assert_int_equal(w.v.status, VERDICT_VALID); /* a gate on what is known */
    gate.q = 0.93;
    judge(&w);
    assert_int_equal(w.v.status, VERDICT_SUSPECT);
    gate.metric = METRIC_TPOT;
    judge(&w);
    assert_int_equal(w.v.status, VERDICT_VALID);
    gate = (struct plan_gate){.subject = GATE_METRIC, .metric = METRIC_CHUNK_GAP, .agg = AGG_MAX};
    judge(&w);
    assert_int_equal(w.v.status, VERDICT_SUSPECT);
    w.c[COUNTER_BLURRED_FIRST] = 100; /* one answer in ten: all first tokens took 150 ms, and of as many it is known */
    judge(&w);
    for (int k = P50; k <= P99; k++) {
        assert_int_equal(w.v.at[ASPECT_TTFT][k], VERDICT_VALID);
        assert_int_equal(w.v.at[ASPECT_ITL][k], k >= P95 ? VERDICT_SUSPECT : VERDICT_VALID);
    }
    w.c[COUNTER_BLURRED_FIRST] = 600; /* of more than half nothing is known */
    judge(&w);
    assert_int_equal(w.v.at[ASPECT_TTFT][P50], VERDICT_INVALID);
    assert_int_equal(w.v.at[ASPECT_TTFT][P99], VERDICT_VALID);
    assert_int_equal(w.v.status, VERDICT_INVALID);
    world_clear(&w);
}

/* Each figure is judged by what the evidence falsifies of it. */
static void test_figures(void **state)
{
    (void)state;
    struct world w;
    world_make(&w);
    static const struct {
        uint64_t blurred, first; /* of 1,000 */
        enum verdict_status itl, ttft, tpot;
    } BLURS[] = {
        {8, 4, VERDICT_SUSPECT, VERDICT_VALID, VERDICT_VALID},  /* gaps are not known, all else is */
        {98, 5, VERDICT_INVALID, VERDICT_VALID, VERDICT_VALID}, /* an agent stopped for 50 ms between first tokens */
        {98, 50, VERDICT_INVALID, VERDICT_SUSPECT, VERDICT_SUSPECT},    /* the same, as one in twenty came */
        {974, 900, VERDICT_INVALID, VERDICT_INVALID, VERDICT_INVALID}}; /* behind two neighbours: TPOT 0 */
    spread(&w);
    for (size_t i = 0; i < sizeof BLURS / sizeof *BLURS; i++) {
        w.c[COUNTER_EVENTS] = 1000, w.c[COUNTER_BLURRED] = BLURS[i].blurred;
        w.c[COUNTER_BLURRED_FIRST] = BLURS[i].first;
        judge(&w);
        assert_int_equal(w.v.n_reasons, 1);
        assert_int_equal(w.v.aspect[ASPECT_ITL], BLURS[i].itl);
        assert_int_equal(w.v.aspect[ASPECT_TTFT], BLURS[i].ttft);
        assert_int_equal(w.v.aspect[ASPECT_DUE], BLURS[i].ttft);
        assert_int_equal(w.v.aspect[ASPECT_TPOT], BLURS[i].tpot);
        assert_int_equal(w.v.aspect[ASPECT_E2E], VERDICT_VALID); /* the last token has its stamp */
        assert_int_equal(w.v.aspect[ASPECT_THROUGHPUT], VERDICT_VALID);
        assert_int_equal(w.v.status, BLURS[i].ttft); /* no gate is on gaps */
    }
    world_clear(&w);
}

/* Token gaps as they were, and what agents say of them. */
struct gaps {
    struct world w;
    struct hist *truth;
};

static void gaps_make(struct gaps *g)
{
    world_make(&g->w);
    hist_destroy(&g->w.hist[METRIC_ITL]);
    g->truth = hist_new();
}

static void gaps_clear(struct gaps *g)
{
    world_clear(&g->w);
    hist_destroy(&g->truth);
}

/* `n` reads in time: one token each. */
static void in_time(struct gaps *g, double ms, uint64_t n)
{
    record(&g->w, METRIC_ITL, ms, n);
    assert_int_equal(hist_record(g->truth, (int64_t)(ms * 1e6), n), 0);
    g->w.c[COUNTER_EVENTS] += n;
}

/* A late read of n tokens that came after these gaps. */
static void late(struct gaps *g, const double *ms, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++) {
        sum += ms[i];
        assert_int_equal(hist_record(g->truth, (int64_t)(ms[i] * 1e6), 1), 0);
    }
    for (int i = 0; i < n; i++) {
        record(&g->w, METRIC_ITL, i ? 0 : sum, 1);
        record(&g->w, METRIC_ITL_BLURRED, i ? 0 : sum, 1);
        record(&g->w, METRIC_ITL_LEAST, i ? 0 : sum / n, 1);
        record(&g->w, METRIC_ITL_MOST, sum / (i + 1), 1);
    }
    g->w.c[COUNTER_EVENTS] += (uint64_t)n;
    g->w.c[COUNTER_BLURRED] += (uint64_t)n - 1;
    g->w.c[COUNTER_BLURRED_BOUND] += (uint64_t)n - 1;
}

/* Is percentile k of the gaps called valid? Then it is what it was. */
static bool gaps_valid(struct gaps *g, int k)
{
    judge(&g->w);
    if (g->w.v.at[ASPECT_ITL][k] != VERDICT_VALID) return false;
    double got = (double)hist_quantile(g->w.hist[METRIC_ITL], POINT_QS[k]),
           was = (double)hist_quantile(g->truth, POINT_QS[k]);
    if (got > 1.013 * was + 22000 || got < 0.987 * was - 22000) /* a bucket is 0.1 % wide */
        fail_msg("p%g is called valid: %g ms, and was %g ms", 100 * POINT_QS[k], got / 1e6, was / 1e6);
    return true;
}

/* The sum of a late read's gaps is known, and limits each of them. */
static void test_limits(void **state)
{
    (void)state;
    struct gaps g;
    enum { P50, P90, P95, P99 };
    gaps_make(&g); /* an even server, half of whose tokens are read in pairs: the median can be nothing else */
    in_time(&g, 10, 5000);
    for (int i = 0; i < 2500; i++)
        late(&g, (double[]){10, 10}, 2);
    assert_true(gaps_valid(&g, P50));
    assert_false(gaps_valid(&g, P99)); /* each pair may have been 20 and 0 */
    assert_int_equal(g.w.v.at[ASPECT_ITL][P99], VERDICT_INVALID);
    g.w.c[COUNTER_BLURRED_BOUND] = 0; /* as agents before limits: by count nothing is known of any */
    for (int m = METRIC_ITL_BLURRED; m <= METRIC_ITL_MOST; m++)
        hist_destroy(&g.w.hist[m]);
    assert_false(gaps_valid(&g, P50));
    gaps_clear(&g);
    gaps_make(&g); /* the same of an uneven one: which gaps the pairs had nobody knows */
    for (int i = 0; i < 5000; i++)
        in_time(&g, 5 + 0.002 * i, 1);
    for (int i = 0; i < 2500; i++)
        late(&g, (double[]){5, 19}, 2);
    assert_false(gaps_valid(&g, P50));
    gaps_clear(&g);
    gaps_make(&g); /* one pause, a token held back in each of 50 streams: the p99 is the same however the pairs were */
    in_time(&g, 10, 10000);
    for (int i = 0; i < 50; i++)
        late(&g, (double[]){10, 10}, 2);
    assert_true(gaps_valid(&g, P99));
    gaps_clear(&g);
    gaps_make(&g); /* as few next to a server's own slow tokens, 0.9 %, move it from one to the other */
    in_time(&g, 10, 9910);
    in_time(&g, 50, 90);
    for (int i = 0; i < 20; i++)
        late(&g, (double[]){10, 50}, 2);
    assert_false(gaps_valid(&g, P99));
    assert_true(gaps_valid(&g, P95));
    gaps_clear(&g);
    gaps_make(&g); /* starved: tokens that came right after others may have waited as well */
    in_time(&g, 1, 10000);
    late(&g, (double[]){1, 1}, 2);
    g.w.c[COUNTER_GATHERED] = 9000;
    assert_true(gaps_valid(&g, P50));
    g.w.c[COUNTER_RUNQ_NS] = 4000000000;
    assert_false(gaps_valid(&g, P50));
    g.w.c[COUNTER_GATHERED] = 0;
    assert_true(gaps_valid(&g, P50));
    gaps_clear(&g);
}

/* Whatever the gaps of late reads were, a percentile that is called valid is right: even and jittery servers, few and
 * many tokens a read, all of a read's time in one gap or in all. */
static void test_limits_hold(void **state)
{
    (void)state;
    struct rng rng;
    int called = 0, at_all = 0;
    rng_seed(&rng, 7);
    for (int trial = 0; trial < 400; trial++) {
        struct gaps g;
        double jitter = (double[]){0, 0.01, 0.3, 3}[trial % 4], part = (double[]){0.001, 0.01, 0.1, 0.5}[trial / 4 % 4];
        int form = trial / 16 % 4, most = 2 + trial % 7;
        gaps_make(&g);
        for (int i = 0; i < 2000;) {
            double gap[8];
            int n = rng_double(&rng) < part ? 2 + (int)(rng_double(&rng) * (most - 1)) : 1;
            double sum = 0;
            for (int j = 0; j < n; j++)
                sum += gap[j] = 10 * (1 + jitter * rng_double(&rng));
            for (int j = 0; j < n && n > 1 && form;
                 j++) /* one gap, at either end, or one that halves again and again */
                gap[j] = form == 3 ? sum / (double)(2 << j) : j == (form == 1 ? 0 : n - 1) ? sum : 0;
            if (n == 1)
                in_time(&g, gap[0], 1);
            else
                late(&g, gap, n);
            i += n;
        }
        for (int k = 0; k < POINT_Q - 1; k++, at_all++)
            called += gaps_valid(&g, k);
        gaps_clear(&g);
    }
    assert_true(called > at_all / 3); /* and many are called so */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_percentiles), cmocka_unit_test(test_figures),
                                       cmocka_unit_test(test_limits), cmocka_unit_test(test_limits_hold)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
