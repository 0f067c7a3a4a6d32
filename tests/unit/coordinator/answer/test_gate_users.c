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

static struct gate_outcome judged(const char *text, const struct point *p, struct plan_gate *g)
{
    struct gate_outcome o;
    struct err e;
    assert_int_equal(gate_parse(text, g, &e), 0);
    gate_check(g, p, &o);
    return o;
}

/* Of 12 users of a closed loop 4 hang: 4 of a thousand requests, and of ten thousand in a longer stage. */
static void test_users_hung(void **state)
{
    (void)state;
    struct hist *hist[METRIC_N] = {0};
    struct point p = {.hist = hist,
                      .window_ok = 996,
                      .window_unanswered = 4,
                      .error_rate = 0.004,
                      .errors_gated = true,
                      .users.n = 12,
                      .users.unserved = 4};
    struct plan_gate g;
    struct gate_outcome o;
    char words[400];
    hist[METRIC_TTFT] = hist_new(), hist[METRIC_CUT_WAIT] = hist_new();
    assert_int_equal(hist_record(hist[METRIC_TTFT], 300000000, 996), 0);
    assert_int_equal(hist_record(hist[METRIC_CUT_WAIT], 20000000000, 4), 0);
    stat_compute(hist[METRIC_TTFT], METRIC_TTFT, &p.metric[METRIC_TTFT]);
    o = judged("errors.rate < 5%", &p, &g); /* they failed one after the other, say */
    assert_int_equal(o.result, GATE_PASS);
    assert_non_null(strstr(gate_words(&o, &p, words, sizeof words), "; such requests took 33.3 % of the users' time"));
    p.users.hung = 4;
    o = judged("errors.rate < 5%", &p, &g);
    assert_true(o.result == GATE_INCONCLUSIVE && o.hung);
    assert_non_null(strstr(gate_words(&o, &p, words, sizeof words),
                           "inconclusive: the requests keep it, but 4 of 12 users got no answer, and in a closed "));
    assert_int_equal(judged("errors.rate < 40%", &p, &g).result, GATE_PASS);
    assert_int_equal(judged("errors.rate < 0.1%", &p, &g).result, GATE_FAIL);
    assert_true(judged("ttft.p95 < 800ms", &p, &g).hung);
    assert_int_equal(judged("ttft.p50 < 800ms", &p, &g).result, GATE_PASS);
    assert_int_equal(judged("ttft.p95 < 30s", &p, &g).result, GATE_PASS); /* nobody waited for so long */
    hist_destroy(&hist[METRIC_TTFT]);
    hist_destroy(&hist[METRIC_CUT_WAIT]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_users_hung)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
