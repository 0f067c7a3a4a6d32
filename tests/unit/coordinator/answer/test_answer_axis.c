#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/answer_world.h"

/* A ramp from 1 to 50/s is no repeat of a level of 50/s, though both end there. */
static void test_ramp_is_no_repeat(void **state)
{
    (void)state;
    static struct world w;
    memset(&w, 0, sizeof w);
    for (int i = 0; i < 2; i++) {
        struct point *p = add(&w, 50, 1);
        p->requested = (struct plan_stage){.kind = LOAD_OPEN, .rate_from = i ? 50 : 1, .rate_to = 50};
        p->arrivals_per_s = i ? 50 : 25.5;
        p->output_tokens_per_s = i ? 5000 : 2500;
        p->output_lo = p->output_tokens_per_s * 0.99;
        p->output_hi = p->output_tokens_per_s * 1.01;
    }
    finish(&w, 1000);
    assert_true(fabs(w.a.most_tokens_per_s - 5000) < 1e-9 && fabs(w.a.most_load - 50) < 1e-9);
    says(&w, "5,000 output token/s");
    silent(&w, "ramp");
    assert_true(!w.a.most_ramp && !w.a.slo_ramp);
}

/* A ramp's throughput is a mean over all its loads, wherever it stands. */
static void test_ramp_is_a_mean(void **state)
{
    (void)state;
    static struct world w;
    memset(&w, 0, sizeof w);
    w.plan.slo_request_ns[SLO_TTFT] = 1;
    struct point *p = add(&w, 50, 1);
    p->requested = (struct plan_stage){.kind = LOAD_OPEN, .rate_from = 1, .rate_to = 50};
    p->arrivals_per_s = 25.5;
    p->output_tokens_per_s = 2500;
    p->output_lo = p->output_hi = NAN;
    p->window_good = 990;
    finish(&w, 1000);
    says(&w,
         "Within ttft.p99 < 800ms and errors.rate < 1%: at least 2,500 output token/s at 25.5 requests/s on average "
         "of the ramp 1-50/s. ");
    says(&w, "requests/s at 25.5 requests/s on average of the ramp 1-50/s, 99 % of requests within their limits. ");
    says(&w, "Figures of a ramp are means over all its loads, and no one load gave them. ");
    w.plan.n_gates = 0;
    w.plan.slo_request_ns[SLO_TTFT] = 0;
    answered(&w, NULL, 0);
    backed(&w);
    says(&w, "At 25.5 requests/s on average of the ramp 1-50/s: 2,500 output token/s. Figures of a ramp are means");
    for (uint32_t rate = 5; rate <= 10; rate += 5) { /* with others: the maximum is a mean too */
        p = add(&w, rate, 1);
        p->requested = (struct plan_stage){.kind = LOAD_OPEN, .rate_from = rate, .rate_to = rate};
        p->arrivals_per_s = rate;
        p->output_tokens_per_s = 100 * rate;
        p->output_lo = p->output_hi = NAN;
    }
    answered(&w, NULL, 0);
    says(&w, "The plateau was not reached: at least 2,500 output token/s on average of the ramp 1-50/s. Figures of a "
             "ramp are");
    w.n = 1;
    w.p[0].output_tokens_per_s = 0;
    w.p[0].ledger.ok = 600;
    w.p[0].metric[METRIC_E2E].q[0] = 22;
    answered(&w, NULL, 0);
    says(&w, "At 25.5 requests/s on average of the ramp 1-50/s: ");
    says(&w, "e2e p50 22 ms. Figures of a ramp are means");
}

/* Open and closed loop in one plan: one axis with one unit, which both have: requests in flight. */
static void test_mixed_kinds(void **state)
{
    (void)state;
    static struct world w;
    sweep(&w, 128, 1);
    for (uint32_t n = 3; n <= 96; n *= 2) { /* the same server asked by rates; 0.3 of a request per second and slot */
        struct point *p = add(&w, n, 1);
        p->requested = (struct plan_stage){.kind = LOAD_OPEN, .rate_from = 0.3 * n, .rate_to = 0.3 * n};
        p->arrivals_per_s = 0.3 * n;
    }
    finish(&w, 1000);
    assert_true(w.a.plateau_reached && w.a.knee > 50 && w.a.knee < 75);
    assert_true(w.a.latency_dip.share <= 0 && w.a.throughput_dip.share <= 0);
    for (uint32_t i = 0; i < w.a.n_residuals; i++)
        assert_true(fabs(w.a.residual[i].measured / w.a.residual[i].fitted - 1) < 0.1);
    says(&w, "concurrent requests on");
    silent(&w, "requests/s");
}

/* In such a plan each load is named in its own unit, whatever the axis of the figures is. */
static void test_mixed_kinds_named(void **state)
{
    (void)state;
    static struct world w;
    static const struct plan_stage RAMP = {.kind = LOAD_OPEN, .rate_from = 2, .rate_to = 25},
                                   LEVEL = {.kind = LOAD_OPEN, .rate_from = 3, .rate_to = 3};
    static struct plan_stage asked[3];
    static struct run_event gave_up = {.kind = RUN_EVENT_GATE_FAILED};
    sweep(&w, 4, 1);
    w.p[1].requested = LEVEL;
    w.p[2].requested = RAMP;
    verdict_add(&w.p[2].verdict, VERDICT_SUSPECT, "a clock stepped");
    finish(&w, 1000);
    says(&w, "Suspect, stage 3 (load 2-25/s): a clock stepped.");
    w.p[1].steady = STEADY_NO;
    w.p[1].drift = 0.4;
    answered(&w, w.o, 2 * w.n);
    says(&w, " At 3 requests/s output token/s rose by 50 % over the window.");
    w.p[1].requested.steady_ns = INT64_C(5000000000);
    answered(&w, w.o, 2 * w.n);
    says(&w, "was found in stage 2 (load 3/s): ");
    asked[1] = LEVEL;
    asked[2] = RAMP;
    w.plan.stages = asked;
    w.plan.n_stages = 3;
    w.run.events = &gave_up;
    w.run.n_events = 1;
    w.n = 1;
    answered(&w, w.o, 2);
    says(&w, "Not run, since slo.abort_on_fail ended the run: load 3/s, 2-25/s. ");
}

/* Refused at 6/s and served at 96 slots: neither load is below the other. */
static void test_mixed_kinds_refused(void **state)
{
    (void)state;
    static struct world w;
    sweep(&w, 8, 1);
    for (uint32_t rate = 16; rate <= 64; rate *= 2) {
        struct point *p = add(&w, 8, 1);
        p->requested = (struct plan_stage){.kind = LOAD_OPEN, .rate_from = rate, .rate_to = rate};
        p->ledger.ok = 100;
        p->ledger.failed[FAILURE_HTTP_429] = 50;
    }
    finish(&w, 1000);
    assert_true(isnan(w.a.refused_from));
    silent(&w, "from 16 concurrent requests on");
}

/* Lengths that differ bend a curve of token/s; while requests end as fast as they become due, no limit was seen. */
static void test_follows_the_rate(void **state)
{
    (void)state;
    static struct world w;
    sweep(&w, 256, 1);
    for (size_t i = 0; i < w.n; i++) {
        double rate = 0.3 * w.p[i].requested.concurrency;
        w.p[i].requested = (struct plan_stage){.kind = LOAD_OPEN, .rate_from = rate, .rate_to = rate};
        w.p[i].arrivals_per_s = rate;
        w.p[i].requests_per_s = 0.97 * rate;
    }
    finish(&w, 1000);
    assert_false(w.a.plateau_reached);
    says(&w, "The plateau was not reached: at least ");
    struct point *last = &w.p[w.n - 1];
    last->requests_per_s = 0.9 * last->arrivals_per_s;
    finish(&w, 1000);
    assert_true(w.a.plateau_reached);
    last->window_s = 1; /* of 77 requests: the 8 that are missing may be those in flight */
    finish(&w, 1000);
    assert_false(w.a.plateau_reached);
    w.n = 4; /* without a law */
    for (size_t i = 0; i < w.n; i++) {
        w.p[i].output_tokens_per_s = i ? 900 : 450;
        w.p[i].requests_per_s = w.p[i].arrivals_per_s;
    }
    finish(&w, 1000);
    assert_false(w.a.plateau_reached);
    w.plan.search = (struct plan_search){.goal = SEARCH_PLATEAU, .over_rate = true, .from = 0.3, .to = 64};
    w.plan.stages = &w.p[0].requested; /* nor where a search took answers that got shorter for it */
    w.plan.n_stages = 1;
    finish(&w, 1000);
    assert_true(w.a.search.found && !w.a.plateau_reached);
    w.plan.search.goal = SEARCH_NONE;
    w.p[3].overrun = true;
    finish(&w, 1000);
    assert_true(w.a.plateau_reached);
}

/* What a search found is no load that breaks the limits, though no run of it carries a figure; nor is one that the
 * agents could not offer. */
static void test_search_drifted(void **state)
{
    (void)state;
    static struct world w;
    static struct plan_gate gate = {.text = "errors.rate < 5%", .subject = GATE_ERROR_RATE, .op = OP_LT, .value = 0.05};
    static const uint32_t loads[] = {1, 2, 4, 4}, beyond[] = {1, 2, 4, 4, 4, 3, 3};
    memset(&w, 0, sizeof w);
    for (size_t i = 0; i < 4; i++)
        add(&w, loads[i], 1)->steady = loads[i] == 4 ? STEADY_NO : STEADY_YES;
    w.plan = (struct plan){.search = {.goal = SEARCH_SLO, .from = 1, .to = 4},
                           .gates = &gate,
                           .n_gates = 1,
                           .capacity = {.text = ">= 400 token/s", .value = 400, .op = OP_GE},
                           .stages = &w.p[0].requested,
                           .n_stages = 1};
    w.run = (struct run_data){.plan = &w.plan};
    answered(&w, NULL, 0);
    assert_true(w.a.search.found && w.a.search.confirmed && !w.a.has_slo);
    says(&w, "The search found 4 concurrent requests: ");
    says(&w, "slo.capacity >= 400 token/s is not decided; the windows of the load that the search found drifted. ");
    silent(&w, "No load tried");
    memset(w.p, 0, sizeof w.p);
    w.n = 0;
    for (size_t i = 0; i < 7; i++)
        if (add(&w, beyond[i], 1)->requested.concurrency == 4)
            verdict_add(&w.p[i].verdict, VERDICT_INVALID, "too late");
    w.plan.search.to = 64;
    answered(&w, NULL, 0);
    assert_true(w.a.search.confirmed && w.a.search.client_limited);
    assert_true(isnan(w.a.search.failed_load)); /* what was never offered broke nothing */
    silent(&w, "fails");
}

/* What a ramp gave on average is no step of the curve: it neither passes nor fails as a load, and no neighbour falls
 * from it. */
static void test_ramp_among_levels(void **state)
{
    (void)state;
    static struct world w;
    static const double from[] = {10, 1, 30}, to[] = {10, 50, 30}, e2e[] = {100, 900, 200};
    memset(&w, 0, sizeof w);
    for (size_t i = 0; i < 3; i++) {
        struct point *p = add(&w, (uint32_t)to[i], 1);
        p->requested = (struct plan_stage){
            .kind = LOAD_OPEN, .rate_from = from[i], .rate_to = to[i], .concurrency = (uint32_t)to[i]};
        p->arrivals_per_s = (from[i] + to[i]) / 2;
        p->output_tokens_per_s = 100 * p->arrivals_per_s;
        p->output_lo = p->output_hi = NAN;
        p->metric[METRIC_E2E].q[0] = e2e[i];
    }
    w.p[1].output_tokens_per_s = 500; /* some of its requests were cut */
    finish(&w, 30);                   /* it breaks a gate at its end */
    says(&w, "at least 3,000 output token/s at 30 requests/s. ");
    silent(&w, "25.5");
    silent(&w, "Look twice");
    finish(&w, 10);
    says(&w, "1,000 output token/s at 10 requests/s. ");
    assert_true(w.a.slo_next_fails);
    w.p[2].requested.concurrency = 10;
    finish(&w, 10);
    assert_false(w.a.slo_next_fails);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ramp_is_no_repeat), cmocka_unit_test(test_ramp_is_a_mean),
        cmocka_unit_test(test_ramp_among_levels), cmocka_unit_test(test_follows_the_rate),
        cmocka_unit_test(test_mixed_kinds),       cmocka_unit_test(test_mixed_kinds_named),
        cmocka_unit_test(test_search_drifted),    cmocka_unit_test(test_mixed_kinds_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
