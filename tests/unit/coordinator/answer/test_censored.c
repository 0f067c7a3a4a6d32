#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/rng.h"
#include "common/plan/gate.h"
#include "coordinator/answer/censored.h"
#include "coordinator/answer/gate_check.h"

#define MS INT64_C(1000000)

static struct hist *hist[METRIC_N];

static void put(enum metric m, int64_t value, uint64_t n)
{
    if (!hist[m]) hist[m] = hist_new();
    assert_int_equal(hist_record(hist[m], value, n), 0);
}

static int clear(void **state)
{
    (void)state;
    for (int m = 0; m < METRIC_N; m++)
        hist_destroy(&hist[m]);
    return 0;
}

static struct point made(void)
{
    struct point p = {.hist = hist, .requested = {.kind = LOAD_CLOSED, .concurrency = 4}, .window_cut = 1};
    for (int m = 0; m < METRIC_N; m++)
        stat_compute(hist[m], (enum metric)m, &p.metric[m]);
    return p;
}

/* The example of the textbooks, 6-MP in leukaemia (Freireich 1963): remissions of 6, 6, 6, 6+, 7, 9+, 10, 10+, 11+, 13,
 * 16, 17+, 19+, 20+, 22, 23, 25+, 32+, 32+, 34+, 35+ weeks. Its median is 23. */
static void test_textbook(void **state)
{
    (void)state;
    static const int64_t ENDED[] = {6, 6, 6, 7, 10, 13, 16, 22, 23},
                         CUT[] = {6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35};
    struct censored c;
    for (size_t i = 0; i < sizeof ENDED / sizeof *ENDED; i++)
        put(METRIC_E2E, ENDED[i] * MS, 1);
    for (size_t i = 0; i < sizeof CUT / sizeof *CUT; i++)
        put(METRIC_CUT_AGE, CUT[i] * MS, 1);
    struct point p = made();
    assert_true(censored_read(&p, METRIC_E2E, &c));
    assert_true(fabs(c.share - 12.0 / 21) < 1e-9);
    assert_true(fabs(c.q[0] - 23) < 0.05);
    assert_true(fabs(c.lo[0] - 16) < 0.05);       /* the 11th of all 21 */
    assert_true(isinf(c.hi[0]));                  /* nine of 21 ended */
    assert_true(isnan(c.q[3]) && isnan(c.lo[3])); /* too few for a p99 */
}

/* Users who leave after a time of their own: the estimate finds the percentile of all, answers alone do not, and the
 * bounds hold it. */
static void test_truth(void **state)
{
    (void)state;
    struct rng r;
    struct hist *all = hist_new();
    struct censored c;
    rng_seed(&r, 7);
    for (int i = 0; i < 20000; i++) {
        int64_t e2e = (int64_t)(1000 * (double)MS * exp(0.8 * rng_normal(&r))),
                leaves = (int64_t)(3000 * (double)MS * rng_exp(&r));
        assert_int_equal(hist_record(all, e2e, 1), 0);
        put(e2e <= leaves ? METRIC_E2E : METRIC_CUT_AGE, e2e <= leaves ? e2e : leaves, 1);
    }
    struct point p = made();
    assert_true(censored_read(&p, METRIC_E2E, &c));
    for (int k = 0; k < 3; k++) {
        double truth = (double)hist_quantile(all, POINT_QS[k]) / 1e6;
        if (!(fabs(c.q[k] / truth - 1) < 0.04 && c.lo[k] <= truth && truth <= c.hi[k] &&
              p.metric[METRIC_E2E].q[k] < 0.9 * truth))
            fail_msg("p%g: %g in %g … %g, truth %g, answers alone %g", 100 * POINT_QS[k], c.q[k], c.lo[k], c.hi[k],
                     truth, p.metric[METRIC_E2E].q[k]);
    }
    hist_destroy(&all);
}

static void test_none(void **state)
{
    (void)state;
    struct censored c;
    put(METRIC_TTFT, 100 * MS, 1000);
    struct point p = made();
    assert_false(censored_read(&p, METRIC_TTFT, &c));
    assert_false(censored_read(&p, METRIC_E2E, &c));
    put(METRIC_CUT_TTFT, 200 * MS, 1000); /* cut off later, and known: no bound is open */
    assert_true(censored_read(&p, METRIC_TTFT, &c));
    for (int k = 1; k < 4; k++)
        assert_true(fabs(c.q[k] - 200) < 0.3 && fabs(c.lo[k] - 200) < 0.3 && fabs(c.hi[k] - 200) < 0.3);
    assert_true(fabs(c.q[0] - 100) < 0.3);
    /* from due it is known where requests were sent in time; ttfc comes later */
    put(METRIC_TTFT_DUE, 100 * MS, 1000);
    put(METRIC_TTFC, 100 * MS, 1000);
    put(METRIC_LATENESS, MS, 2000);
    assert_true(censored_read(&p, METRIC_TTFT_DUE, &c) && isfinite(c.hi[3]));
    assert_true(censored_read(&p, METRIC_TTFC, &c) && isinf(c.hi[3]) && isnan(c.q[3]) && fabs(c.lo[3] - 200) < 0.3);
    put(METRIC_LATENESS, 50 * MS, 10); /* a few: as the verdict has it, by p99 */
    assert_true(censored_read(&p, METRIC_TTFT_DUE, &c) && isfinite(c.hi[3]));
    put(METRIC_LATENESS, 50 * MS, 90);
    assert_true(censored_read(&p, METRIC_TTFT_DUE, &c) && isinf(c.hi[3]) && fabs(c.lo[3] - 200) < 0.3);
}

static void test_words(void **state)
{
    (void)state;
    char words[CENSORED_WORDS];
    put(METRIC_TTFT, 100 * MS, 990);
    put(METRIC_E2E, 1000 * MS, 990);
    put(METRIC_CUT_AGE, 40000 * MS, 5);
    put(METRIC_CUT_WAIT, 40000 * MS, 5);
    struct point p = made();
    assert_string_equal(censored_words(&p, 1, words), ""); /* half a percent */
    put(METRIC_CUT_AGE, 40000 * MS, 85);
    put(METRIC_CUT_WAIT, 40000 * MS, 5);
    put(METRIC_CUT_TTFT, 300 * MS, 80);
    p = made();
    assert_string_equal(
        censored_words(&p, 1, words),
        "With the 8.33 % of the requests at load 4 that were cut off, TTFT p99 is about 300 ms (100 ms without "
        "them), e2e p99 is at least 40,000 ms (1,000 ms without them). ");
    for (int k = 0; k < POINT_Q; k++) /* where nothing moves there is nothing to tell */
        p.metric[METRIC_TTFT].q[k] = k < 2 ? 100 : 300;
    assert_null(strstr(censored_words(&p, 1, words), "TTFT"));
    p = made();
    p.window_cancelled = 90, p.window_cut = 0;
    assert_non_null(strstr(censored_words(&p, 1, words), "that were cancelled, TTFT"));
    p.verdict.status = VERDICT_INVALID;
    assert_string_equal(censored_words(&p, 1, words), "");
}

/* 3 of 83 hang: where all are over the limit, a longer drain would show no more, and the number of requests decides. */
static void test_gate(void **state)
{
    (void)state;
    static const struct {
        const char *gate, *words;
    } CASES[] = {{"ttft.p90 < 800ms", "100 ms; inconclusive: p90 needs 87 requests, had 83"},
                 {"ttft.p90 < 40s",
                  "100 ms; inconclusive: requests that the drain's end cut off leave it open; a longer "
                  "load.drain would show them"}}; /* which is above their age */
    put(METRIC_TTFT, 100 * MS, 80);
    put(METRIC_CUT_WAIT, 30000 * MS, 3);
    struct point p = made();
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct plan_gate g;
        struct gate_outcome o;
        struct err e;
        char words[300];
        assert_int_equal(gate_parse(CASES[i].gate, &g, &e), 0);
        gate_check(&g, &p, &o);
        assert_string_equal(gate_words(&o, &p, words, sizeof words), CASES[i].words);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_textbook, clear), cmocka_unit_test_teardown(test_truth, clear),
        cmocka_unit_test_teardown(test_none, clear), cmocka_unit_test_teardown(test_words, clear),
        cmocka_unit_test_teardown(test_gate, clear)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
