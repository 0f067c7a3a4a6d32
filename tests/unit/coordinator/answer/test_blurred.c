#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_percentiles), cmocka_unit_test(test_figures)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
