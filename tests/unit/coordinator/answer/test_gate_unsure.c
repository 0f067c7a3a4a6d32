#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/plan/gate.h"
#include "coordinator/answer/gate_check.h"
#include "coordinator/answer/search.h"

static struct gate_outcome judged(const char *text, const struct point *p, struct plan_gate *g)
{
    struct gate_outcome o;
    struct err e;
    if (gate_parse(text, g, &e)) fail_msg("%s", e.text);
    gate_check(g, p, &o);
    return o;
}

/* Of tokens a second, and by turn, nothing is known of requests that hang: where no gate is on errors, nothing else
 * would judge them, as with those that failed. */
static void test_unanswered(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool errors_gated;
        enum gate_result result;
        const char *words;
    } CASES[] = {
        {"tpot.p99 < 50ms", false, GATE_FAIL, "over 50 ms; 200 failed or unanswered requests count as beyond"},
        {"tpot.p99 < 50ms", true, GATE_PASS, "10 ms"},
        {"user_speed.p5 > 20", false, GATE_FAIL, "0 token/s"},
        {"user_speed.p5 > 20", true, GATE_PASS, "100 token/s"},
        {"e2e_first_turn.p99 < 800ms", false, GATE_FAIL, "over 800 ms"},
        {"e2e_first_turn.p99 < 800ms", true, GATE_PASS, "100 ms"},
        {"input_tokens.p99 < 800", false, GATE_PASS, "100 token"},
    };
    static const enum metric OK[] = {METRIC_E2E_FIRST_TURN, METRIC_TPOT, METRIC_USER_SPEED, METRIC_INPUT_TOKENS};
    static const int64_t VALUE[] = {100000000, 10000000, 100000000, 100000};
    struct hist *hist[METRIC_N] = {NULL};
    for (size_t k = 0; k < 4; k++)
        assert_int_equal(hist_record(hist[OK[k]] = hist_new(), VALUE[k], 800), 0);
    struct point p = {.hist = hist, .window_ok = 800, .window_cut = 200, .window_unanswered = 200};
    for (int m = 0; m < METRIC_N; m++)
        stat_compute(hist[m], (enum metric)m, &p.metric[m]);
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct plan_gate g;
        char words[300];
        p.errors_gated = CASES[i].errors_gated;
        struct gate_outcome o = judged(CASES[i].text, &p, &g);
        if (o.result != CASES[i].result) fail_msg("%s: %s", CASES[i].text, gate_result_name(o.result));
        gate_words(&o, &p, words, sizeof words);
        if (!strstr(words, CASES[i].words)) fail_msg("%s: %s", CASES[i].text, words);
    }
    for (size_t k = 0; k < 4; k++)
        hist_destroy(&hist[OK[k]]);
}

/* By turn a wait grows with the stage too, where the rate outran the server. */
static void test_turns_grow(void **state)
{
    (void)state;
    struct hist *hist[METRIC_N] = {NULL};
    hist_record(hist[METRIC_TTFT_LATER_TURNS] = hist_new(), 100000000, 800);
    struct point p = {.hist = hist, .window_ok = 800, .outrun = true};
    struct plan_gate g;
    for (int m = 0; m < METRIC_N; m++)
        stat_compute(hist[m], (enum metric)m, &p.metric[m]);
    assert_int_equal(judged("ttft_later_turns.p99 < 800ms", &p, &g).result, GATE_INCONCLUSIVE);
    p.outrun = false;
    assert_int_equal(judged("ttft_later_turns.p99 < 800ms", &p, &g).result, GATE_PASS);
    hist_destroy(&hist[METRIC_TTFT_LATER_TURNS]);
}

/* All that ended failed, and that is too few to decide: how many would is told. And words begin with no stop. */
static void test_words_of_few(void **state)
{
    (void)state;
    struct hist *hist[METRIC_N] = {NULL};
    struct point p = {.hist = hist, .window_failed = 2, .error_rate = 1, .window_s = 10, .errors_gated = true};
    struct plan_gate g;
    char words[300];
    for (int m = 0; m < METRIC_N; m++)
        stat_compute(hist[m], (enum metric)m, &p.metric[m]);
    struct gate_outcome o = judged("errors.rate < 50%", &p, &g);
    assert_int_equal(o.result, GATE_INCONCLUSIVE);
    gate_words(&o, &p, words, sizeof words);
    if (!strstr(words, "inconclusive: it needs about 6 requests, had 2")) fail_msg("%s", words);
    hist_record(hist[METRIC_CUT_TTFT] = hist_new(), 100000000, 2);
    o = judged("ttft.p50 < 800ms", &p, &g);
    gate_words(&o, &p, words, sizeof words);
    if (strncmp(words, "with 2 requests cut off after the first token; inconclusive: p50 needs", 70) != 0)
        fail_msg("%s", words);
    hist_destroy(&hist[METRIC_CUT_TTFT]);
}

/* A mean of one request has no interval. */
static void test_mean_of_one(void **state)
{
    (void)state;
    struct hist *hist[METRIC_N] = {NULL};
    struct point p = {.hist = hist, .window_ok = 1, .window_s = 10};
    struct plan_gate g;
    char words[300];
    hist_record(hist[METRIC_TTFT] = hist_new(), 100000000, 1);
    stat_compute(hist[METRIC_TTFT], METRIC_TTFT, &p.metric[METRIC_TTFT]);
    struct gate_outcome o = judged("ttft.mean < 800ms", &p, &g);
    assert_int_equal(o.result, GATE_INCONCLUSIVE);
    assert_string_equal(gate_words(&o, &p, words, sizeof words),
                        "100 ms; inconclusive: it needs about 2 requests, had 1: about 20 s at this load");
    hist_record(hist[METRIC_TTFT], 110000000, 1);
    stat_compute(hist[METRIC_TTFT], METRIC_TTFT, &p.metric[METRIC_TTFT]);
    assert_int_equal(judged("ttft.mean < 800ms", &p, &g).result, GATE_PASS);
    hist_destroy(&hist[METRIC_TTFT]);
}

/* While the first answers are on their way no rate of requests is kept or broken for good. */
static void test_is_clear(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double window_s;
        uint64_t done, failed;
        bool clear;
    } CASES[] = {{"requests.rate > 0.3", 5, 0, 0, false},   {"requests.rate > 0.3", 5, 0, 3, true},
                 {"requests.rate > 0.3", 10, 2, 0, false},  {"requests.rate > 0.3", 100, 28, 0, false},
                 {"requests.rate > 0.3", 100, 10, 0, true}, {"goodput > 0.3", 100, 10, 0, true},
                 {"goodput > 0.3", 10, 0, 0, false},        {"errors.count < 3", 5, 0, 3, true},
                 {"requests.rate > 0.3", 100, 50, 0, true}, {"requests.rate > 0.3", 100, 31, 0, false},
                 {"requests.rate > 0.3", 10, 4, 0, false}};
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct hist *hist[METRIC_N] = {NULL};
        struct point p = {.hist = hist,
                          .requested = {.kind = LOAD_CLOSED, .concurrency = 4},
                          .window_s = CASES[i].window_s,
                          .window_done = CASES[i].done,
                          .window_good = CASES[i].done,
                          .window_failed = CASES[i].failed,
                          .requests_per_s = (double)CASES[i].done / CASES[i].window_s,
                          .goodput_per_s = (double)CASES[i].done / CASES[i].window_s};
        struct plan_gate g;
        if (CASES[i].done) hist_record(hist[METRIC_E2E] = hist_new(), INT64_C(8000000000), CASES[i].done);
        for (int m = 0; m < METRIC_N; m++)
            stat_compute(hist[m], (enum metric)m, &p.metric[m]);
        struct gate_outcome o = judged(CASES[i].text, &p, &g);
        if (gate_is_clear(&o, &p) != CASES[i].clear) fail_msg("%zu: %s", i, CASES[i].text);
        struct plan plan = {.gates = &g, .n_gates = 1}; /* nor does duration: auto end a stage by it */
        assert_int_equal(search_enough(&p, &plan), CASES[i].clear);
        hist_destroy(&hist[METRIC_E2E]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_unanswered), cmocka_unit_test(test_turns_grow),
                                       cmocka_unit_test(test_words_of_few), cmocka_unit_test(test_mean_of_one),
                                       cmocka_unit_test(test_is_clear)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
