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

static void test_whole_answer(void **state)
{
    (void)state;
    static struct world w;
    double truth = rate_at(64);
    sweep(&w, 512, 1);
    w.plan.slo_request_ns[SLO_TTFT] = 1;
    w.plan.gpus = 4;
    w.plan.per_gpu_hour = 2.5;
    w.plan.currency = "USD";
    finish(&w, 40);
    assert_true(w.a.has_plateau && w.a.plateau_reached);
    assert_true(w.a.plateau_lo <= truth && truth <= w.a.plateau_hi && w.a.plateau_hi / w.a.plateau_lo < 1.08);
    assert_true(w.a.knee > 45 && w.a.knee < 64);
    assert_int_equal(w.a.model, FIT_CAPPED);
    assert_true(w.a.has_slo && w.a.slo_load > 31.9 && w.a.slo_load < 32.1 && !w.a.slo_open_end);
    assert_int_equal(w.p[w.a.slo_point].requested.concurrency, 32);
    assert_true(fabs(w.a.latency_per_doubling - 2) < 0.05);
    assert_true(w.a.has_goodput && fabs(w.a.goodput_load - 64) < 0.1 &&
                fabs(w.a.goodput_per_gpu - w.a.goodput_requests_per_s / 4) < 1e-9);
    assert_true(fabs(w.a.cost_plateau - 10.0 / 3600 / w.a.plateau * 1e6) < 1e-9);
    assert_int_equal(w.a.points_left_out, 0);
    says(&w, "Plateau: 4,3");
    says(&w, "(95 %: ");
    says(&w, " concurrent requests on, 0.6");
    says(&w, "USD per million output tokens. Within ttft.p99 < 800ms and errors.rate < 1%: 2,");
    says(&w, " at 32 concurrent requests");
    says(&w, "requests wait: each doubling of the load makes latency 2 × as long.");
    says(&w, "Goodput: ");
    says(&w, "93 % of requests within their limits");
    says(&w, "Valid: the agents were never the limit.");
}

static void test_not_reached(void **state)
{
    (void)state;
    static struct world w;
    sweep(&w, 32, 1);
    finish(&w, 1000);
    assert_true(w.a.has_plateau && !w.a.plateau_reached);
    assert_true(fabs(w.a.plateau / rate_at(32) - 1) < 0.02); /* what was measured, not what a law promises */
    assert_true(w.a.slo_open_end);
    says(&w, "The plateau was not reached: at least 2,");
    says(&w, ": at least 2,");
    silent(&w, "requests wait");
    silent(&w, "Goodput");
    silent(&w, "USD");
}

static void test_left_out(void **state)
{
    (void)state;
    static struct world w;
    sweep(&w, 512, 1);
    verdict_add(&w.p[7].verdict, VERDICT_INVALID, "the agents were late");
    w.p[7].output_tokens_per_s *= 2; /* nobody may believe it */
    w.p[8].steady = STEADY_NO;
    verdict_add(&w.p[2].verdict, VERDICT_SUSPECT, "a clock stepped");
    finish(&w, 40);
    assert_int_equal(w.a.points_left_out, 2);
    assert_true(w.a.plateau < rate_at(64) * 1.1);
    assert_int_equal(w.a.worst_verdict, VERDICT_SUSPECT);
    says(&w, "Suspect, stage 3 (load 4): a clock stepped.");
    says(&w, " 2 of 10 points left out (1 invalid, 1 not steady).");
    w.p[2].verdict = (struct verdict){.status = VERDICT_VALID};
    answered(&w, w.o, 2 * w.n);
    says(&w, "Valid: the agents were not the limit in the points used"); /* in one that is left out they were */
    silent(&w, "never the limit");
    memset(&w, 0, sizeof w);
    add(&w, 4, 1);
    verdict_add(&w.p[0].verdict, VERDICT_INVALID, "all wrong");
    finish(&w, 40);
    assert_true(!w.a.has_plateau && !w.a.has_slo);
    assert_int_equal(w.a.worst_verdict, VERDICT_INVALID);
    silent(&w, "all wrong"); /* the run's headline says it */
    says(&w, "No figure is given: the one point is invalid.");
    silent(&w, "lateau");
    memset(&w, 0, sizeof w);
    finish(&w, 1);
    assert_true(!w.a.has_plateau && !w.a.has_slo);
    assert_true(isnan(w.a.plateau) && isnan(w.a.slo_load));
}

/* Where what was left out is why the plateau was not seen, its sentence says so. */
static void test_not_reached_for_want_of_points(void **state)
{
    (void)state;
    static struct world w;
    sweep(&w, 512, 1);
    for (size_t i = 6; i < 10; i++) {
        if (i < 9)
            verdict_add(&w.p[i].verdict, VERDICT_INVALID, "the agents were late");
        else
            w.p[i].steady = STEADY_NO;
    }
    finish(&w, 1000);
    assert_true(w.a.has_plateau && !w.a.plateau_reached);
    says(&w, "The plateau was not reached: at least 2,");
    says(&w, ", with 4 of 10 points left out (3 invalid, 1 not steady). ");
    assert_null(strstr(strstr(w.a.text, "left out") + 1, "left out")); /* once */
}

static void test_gates_that_fail(void **state)
{
    (void)state;
    static struct world w;
    sweep(&w, 64, 1);
    finish(&w, 0);
    assert_false(w.a.has_slo);
    says(&w, "No load tried is shown to keep ttft.p99 < 800ms and errors.rate < 1%: 7 fail. ");
    w.a.slo_drifting = 1; /* which the exit status goes by */
    answer_words(&w.plan, w.p, w.n, &w.a);
    says(&w, "No load with a steady window is shown to keep ttft.p99 < 800ms and errors.rate < 1%: 7 fail, kept at 1 "
             "point whose window drifted. ");
    w.a.slo_drifting = 0;
    for (size_t i = 0; i < 4; i++)
        w.o[i].result = GATE_INCONCLUSIVE; /* the first two loads */
    answered(&w, w.o, 2 * w.n);
    backed(&w);
    says(&w, ": 5 fail, 2 undecided. ");
    w.plan.n_gates = 0;
    answered(&w, NULL, 0);
    backed(&w);
    silent(&w, "No load");
    silent(&w, "Within");
}

/* The most within the limits is not the load where they end, unless the next one fails. */
static void test_within(void **state)
{
    (void)state;
    static struct world w;
    sweep(&w, 256, 1);
    w.p[6].output_tokens_per_s = 4700; /* 64: the most by a hair, but 128 and 256 pass too */
    finish(&w, 1000);
    assert_true(w.a.has_slo && fabs(w.a.slo_load - 64) < 0.1 && !w.a.slo_open_end && !w.a.slo_next_fails);
    assert_true(fabs(w.a.slo_passes_to - 256) < 0.1);
    says(&w, "The most within ttft.p99 < 800ms and errors.rate < 1%: 4,700 output token/s");
    says(&w, " at 64 concurrent requests; 256 passes too. ");
    finish(&w, 128);
    assert_true(!w.a.slo_next_fails && fabs(w.a.slo_passes_to - 128) < 0.1);
    finish(&w, 64);
    assert_true(w.a.slo_next_fails && isnan(w.a.slo_passes_to));
    says(&w, ". Within ttft.p99 < 800ms and errors.rate < 1%: 4,700 output token/s");
    silent(&w, "passes too");
    w.o[2 * 7].result = GATE_INCONCLUSIVE; /* 128: neither */
    answered(&w, w.o, 2 * w.n);
    assert_true(!w.a.slo_next_fails && isnan(w.a.slo_passes_to) && !w.a.slo_open_end);
    says(&w, "The most within ");
    w.o[2 * 2].result = GATE_FAIL; /* a load below the answer breaks them: not all up to it is well */
    answered(&w, w.o, 2 * w.n);
    backed(&w);
    assert_true(fabs(w.a.slo_fails_below - 4) < 0.1);
    says(&w, " at 64 concurrent requests, though 4 fails");
    sweep(&w, 32, 1);
    finish(&w, 1000);
    assert_true(isnan(w.a.slo_fails_below));
    assert_true(w.a.slo_open_end && !w.a.slo_next_fails && isnan(w.a.slo_passes_to));
    says(&w, ". Within ttft.p99 < 800ms and errors.rate < 1%: at least 2,");
}

/* One stage is no curve, but a number; a rate is spoken of as one; an agent that died is said. */
static void test_single(void **state)
{
    (void)state;
    static struct world w;
    memset(&w, 0, sizeof w);
    add(&w, 16, 1);
    finish(&w, 40);
    silent(&w, "At 16"); /* the sentence about the limits says it */
    finish(&w, 0);
    assert_true(!w.a.has_plateau && w.a.has_most);
    says(&w, "At 16 concurrent requests: 1,627 output token/s (95 %: 1,611–1,643). No load");
    verdict_add(&w.p[0].verdict, VERDICT_SUSPECT, "an agent was lost in this stage");
    w.p[0].degraded = true;
    w.p[0].requested = (struct plan_stage){.kind = LOAD_OPEN, .rate_from = 16, .rate_to = 16};
    w.p[0].arrivals_per_s = 15.7;
    answered(&w, w.o, 2 * w.n);
    backed(&w);
    says(&w, "At 15.7 requests/s: 1,627 output token/s");
    says(&w, "Suspect: an agent was lost in this stage.");
}

static void test_rates(void **state)
{
    (void)state;
    static struct world w;
    sweep(&w, 256, 1);
    for (size_t i = 0; i < w.n; i++) {
        double rate = 0.3 * w.p[i].requested.concurrency;
        w.p[i].requested = (struct plan_stage){.kind = LOAD_OPEN, .rate_from = rate, .rate_to = rate};
        w.p[i].arrivals_per_s = rate;
    }
    finish(&w, 1000);
    says(&w, " requests/s on. ");
    says(&w, " requests/s");
    silent(&w, "concurrent");
}

/* Where arrivals wait in vain at the highest rate, a higher one gives no more: the plateau was seen, though only one
 * load is at the top. */
static void test_overrun(void **state)
{
    (void)state;
    static struct world w;
    for (uint32_t from = 1; from <= 8; from *= 8) { /* seven rates with a law, four without */
        memset(&w, 0, sizeof w);
        for (uint32_t rate = from; rate <= 64; rate *= 2) {
            struct point *p = add(&w, rate, 1);
            double x = rate < 64 ? 100.0 * rate : 6200; /* a line, until the cap */
            p->requested = (struct plan_stage){.kind = LOAD_OPEN, .rate_from = rate, .rate_to = rate};
            p->arrivals_per_s = rate;
            p->output_tokens_per_s = x;
            p->output_lo = x * 0.99;
            p->output_hi = x * 1.01;
        }
        finish(&w, 1000);
        assert_false(w.a.plateau_reached);
        w.p[w.n - 1].overrun = true;
        verdict_add(&w.p[w.n - 1].verdict, VERDICT_SUSPECT, "the server was the limit");
        finish(&w, 1000);
        assert_true(w.a.plateau_reached && fabs(w.a.plateau - 6200) < 1 && fabs(w.a.knee - 64) < 0.1);
        says(&w, "Plateau: 6,200 output token/s");
        silent(&w, "max_concurrency");
        w.p[w.n - 1].requested.max_concurrency = 4; /* by how much a server with more in flight has more nobody knows */
        finish(&w, 1000);
        says(&w, ", with at most 4 requests in flight (load.max_concurrency). ");
        w.p[w.n - 1].requested.max_concurrency = 0;
        finish(&w, 1000);
        says(&w, from == 1 ? "Suspect, stage 7 (load 64/s): the server was the limit"
                           : "Suspect, stage 4 (load 64/s): the server was the limit");
    }
    for (size_t i = 0; i < w.n; i++) { /* all rates are beyond it: where it began was not seen */
        w.p[i].overrun = true;
        w.p[i].output_tokens_per_s = 4000;
    }
    finish(&w, 1000);
    assert_true(w.a.plateau_reached && isnan(w.a.knee));
    says(&w, "Plateau: 4,000 output token/s (95 %: 3,992–4,008). "); /* no "from" */
}

/* A limit of requests: more load only brings more refusals, from the first load on or from a later one. */
static void test_refused(void **state)
{
    (void)state;
    static struct world w;
    for (uint32_t limit = 1; limit <= 4; limit *= 4) {
        memset(&w, 0, sizeof w);
        for (uint32_t load = 1; load <= (limit == 1 ? 4 : 32); load *= 2) {
            struct point *p = add(&w, load, 1);
            double x = load == limit ? 30.0 * limit : 27.8 * fmin(load, limit);
            p->output_tokens_per_s = x, p->output_lo = x * 0.9, p->output_hi = x * 1.1;
            p->ledger.ok = 100;
            if (load >= limit) p->ledger.failed[FAILURE_HTTP_429] = 50 * load;
        }
        finish(&w, 1000);
        assert_true(w.a.plateau_reached);
        says(&w, limit == 1 ? "More load gives no more: the server refuses requests (status 429) from 1 concurrent "
                              "request on. "
                            : "the server refuses requests (status 429) from 4 concurrent requests on. ");
        for (size_t i = 0; i < w.n; i++)
            memset(w.p[i].ledger.failed, 0, sizeof w.p[i].ledger.failed);
        finish(&w, 1000);
        silent(&w, "429");
        if (limit == 1) assert_false(w.a.plateau_reached); /* three loads that fall: nothing says why */
        static struct stage_data busy[8];                  /* llama.cpp, TGI and vLLM's router refuse with 503 */
        memset(busy, 0, sizeof busy);
        for (size_t i = 0; i < w.n; i++) {
            uint32_t load = w.p[i].requested.concurrency;
            if (load >= limit)
                w.p[i].ledger.failed[FAILURE_HTTP_5XX] = busy[i].counters[COUNTER_STATUS_503] = 50 * load;
            w.p[i].data = &busy[i];
        }
        finish_capacity(&w, 1000);
        assert_true(w.a.plateau_reached);
        says(&w, "the server refuses requests (status 503) from ");
    }
}

/* One long answer at the end of a stage by count: nothing was at work, and no plateau was seen. */
static void test_mostly_ends(void **state)
{
    (void)state;
    static struct world w;
    static const double FLIGHT[] = {2, 3.24, 3.5, 3.58}, RATE[] = {174, 268, 305, 299};
    for (int tail = 0; tail < 2; tail++) {
        memset(&w, 0, sizeof w);
        for (uint32_t i = 0; i < 4; i++) {
            struct point *p = add(&w, 2u << i, 1);
            p->by_count = true, p->requested.requests = 42;
            p->concurrency = tail ? FLIGHT[i] : 0.9 * (2u << i);
            p->output_tokens_per_s = RATE[i], p->output_lo = RATE[i] * 0.95, p->output_hi = RATE[i] * 1.05;
            p->window_ok = p->ledger.ok = 42;
        }
        finish(&w, 1000);
        assert_int_equal(w.a.plateau_reached, !tail);
        if (tail)
            says(&w,
                 "At load 16 only 3.58 requests were in flight on average: the stage was mostly the wait for its last "
                 "answers");
        else
            silent(&w, "its last answers");
    }
}

/* A rate that was kept up with within the gates is carried, though by chance fewer came than were asked for; requests
 * of a closed loop have an interval. */
static void test_capacity_of_requests(void **state)
{
    (void)state;
    static struct world w;
    static const struct {
        bool open, behind;
        double value;
        enum gate_result result;
    } CASES[] = {{true, false, 20, GATE_PASS},
                 {true, false, 21, GATE_FAIL},
                 {true, true, 20, GATE_INCONCLUSIVE}, /* it did not answer all */
                 {false, false, 19.5, GATE_INCONCLUSIVE},
                 {false, false, 18, GATE_PASS},
                 {false, false, 22, GATE_FAIL}};
    for (size_t k = 0; k < sizeof CASES / sizeof *CASES; k++) {
        memset(&w, 0, sizeof w);
        for (uint32_t i = 0; i < 3; i++) {
            struct point *p = add(&w, 10u << i, 1);
            double came = 9.7 * (1u << i);
            if (CASES[k].open)
                p->requested = (struct plan_stage){.kind = LOAD_OPEN,
                                                   .arrivals = ARRIVALS_POISSON,
                                                   .rate_from = 10u << i,
                                                   .rate_to = 10u << i,
                                                   .concurrency = 10u << i}; /* by which the gates are set */
            p->arrivals_per_s = p->requests_per_s = came;
            p->window_ok = p->window_due = p->window_done = (uint64_t)(came * 30);
            if (CASES[k].behind) p->window_ok = p->window_ok * 9 / 10;
            p->output_tokens_per_s = came * 100, p->output_lo = came * 97, p->output_hi = came * 103;
        }
        w.plan.capacity = (struct plan_capacity){"requests/s", OP_GE, CASES[k].value, true};
        finish_capacity(&w, 20);
        if (w.a.capacity != CASES[k].result) fail_msg("%zu: %d, %s", k, (int)w.a.capacity, w.a.text);
    }
}

/* Slots that rest after refusals are no load: of two loads that came out alike the knee is at the one that was asked
 * for less. */
static void test_refused_knee(void **state)
{
    (void)state;
    static struct world w;
    static const double FLIGHT[] = {2, 4, 7.27, 7.26}, RATE[] = {157, 322, 611, 608};
    memset(&w, 0, sizeof w);
    for (uint32_t i = 0; i < 4; i++) {
        struct point *p = add(&w, 2u << i, 1);
        p->concurrency = FLIGHT[i];
        p->output_tokens_per_s = RATE[i], p->output_lo = RATE[i] * 0.95, p->output_hi = RATE[i] * 1.05;
        p->ledger.ok = 100;
        if (i >= 2) p->ledger.failed[FAILURE_HTTP_429] = i == 2 ? 400 : 1870;
    }
    finish(&w, 1000);
    assert_true(w.a.plateau_reached);
    assert_float_equal(w.a.knee, 7.27, 1e-9);
    assert_float_equal(w.a.at_knee.load, 7.27, 1e-9);
}

/* A search's last loads lie close together: the noise of their windows is more than such a step may grow. */
static void test_refused_close(void **state)
{
    (void)state;
    static struct world w;
    static const uint32_t LOAD[] = {2, 4, 6, 7, 8};
    static const double RATE[] = {168, 335, 500, 495, 500};
    memset(&w, 0, sizeof w);
    for (uint32_t i = 0; i < 5; i++) {
        struct point *p = add(&w, LOAD[i], 1);
        p->concurrency = fmin(LOAD[i], 6.1);
        p->output_tokens_per_s = RATE[i], p->output_lo = RATE[i] * 0.98, p->output_hi = RATE[i] * 1.02;
        p->ledger.ok = 100;
        if (LOAD[i] > 6) p->ledger.failed[FAILURE_HTTP_429] = 200;
    }
    finish(&w, 1000);
    assert_true(w.a.plateau_reached);
    assert_float_equal(w.a.refused_from, 7, 1e-9);
    w.p[4].output_tokens_per_s = 560; /* a step that no noise explains */
    finish(&w, 1000);
    assert_true(isnan(w.a.refused_from));
}

/* Past the knee slots rest after refusals: what is in flight hardly grows, so that no doubling is known. Where loads
 * are refused, the rest of them does not wait. */
static void test_no_doubling(void **state)
{
    (void)state;
    static struct world w;
    for (int refused = 0; refused < 2; refused++) {
        memset(&w, 0, sizeof w);
        for (uint32_t load = 1; load <= 32; load *= 2) {
            struct point *p = add(&w, load, 1);
            double x = 28 * fmin(load, 4);
            p->output_tokens_per_s = x, p->output_lo = x * 0.9, p->output_hi = x * 1.1;
            p->ledger.ok = 100;
            p->metric[METRIC_E2E].q[0] = load <= 4 ? 60 : 60 + load;
            if (refused && load > 4) p->ledger.failed[FAILURE_HTTP_429] = 50 * load;
            if (!refused && load > 4) p->concurrency = 4.5 + load / 100.0;
        }
        finish(&w, 1000);
        assert_true(w.a.plateau_reached && isnan(w.a.latency_per_doubling));
        silent(&w, "requests wait");
    }
}

/* Without a cap the rate that the server cannot keep up with fills it more and more: its window drifts, and its
 * latencies are those of the stage's length. What came out is all the same what the server gives. */
static void test_outrun(void **state)
{
    (void)state;
    static struct world w;
    memset(&w, 0, sizeof w);
    for (uint32_t rate = 10; rate <= 90; rate += 10) {
        struct point *p = add(&w, rate, 1);
        double x = fmin(56.0 * rate, 3080);
        p->requested = (struct plan_stage){.kind = LOAD_OPEN, .rate_from = rate, .rate_to = rate};
        p->arrivals_per_s = rate;
        p->output_tokens_per_s = x;
        p->output_lo = x * 0.99;
        p->output_hi = x * 1.01;
        p->metric[METRIC_E2E].q[0] = 500;
        if (rate <= 55) continue;
        p->steady = STEADY_NO;
        p->metric[METRIC_E2E].q[0] = 9000;
    }
    finish(&w, 1000);
    assert_true(!w.a.plateau_reached && w.a.points_left_out == 4); /* they may drift for another reason */
    for (size_t i = 5; i < w.n; i++)
        w.p[i].overrun = true;
    finish_capacity(&w, 1000);
    assert_true(w.a.plateau_reached && fabs(w.a.plateau - 3080) < 50 && w.a.points_left_out == 0);
    says(&w, "Plateau: 3,080 output token/s");
    says(&w, "requests/s on");
    silent(&w, "requests wait"); /* how much, the stage's length decides */
    silent(&w, "left out");
    assert_true(isnan(w.a.at_knee.e2e_p50) || w.a.at_knee.e2e_p50 < 600);
    assert_true(w.a.slo_load < 51 && !w.a.slo_open_end); /* gates are judged where latencies count */
    w.p[8].verdict.status = VERDICT_INVALID;
    finish(&w, 1000);
    assert_true(w.a.plateau_reached && w.a.left_invalid == 1);
}

/* Repeats of a load are one load; one that fails a gate once has not passed. */
static void test_repeats(void **state)
{
    (void)state;
    static struct world w;
    sweep(&w, 256, 3);
    finish(&w, 40);
    assert_true(w.a.slo_lo < w.a.slo_tokens_per_s && w.a.slo_tokens_per_s < w.a.slo_hi);
    assert_true(fabs(w.a.slo_load - 32) < 0.1);
    for (size_t i = 0; i < w.n; i++)
        if (w.p[i].requested.concurrency == 32 && w.p[i].stage > 20) w.o[2 * i].result = GATE_FAIL;
    answered(&w, w.o, 2 * w.n);
    assert_true(fabs(w.a.slo_load - 16) < 0.1);
}

static void test_few_points(void **state)
{
    (void)state;
    static struct world w;
    memset(&w, 0, sizeof w);
    add(&w, 16, 1);
    add(&w, 64, 1.01);
    add(&w, 256, 1);
    finish(&w, 40);
    assert_int_equal(w.a.model, FIT_NONE);
    assert_true(w.a.has_plateau && w.a.plateau_reached && fabs(w.a.knee - 64) < 0.1);
    assert_true(fabs(w.a.plateau / rate_at(64) - 1) < 0.02);
}

static void measured(struct world *w, const double *load, const double *tokens_per_s, size_t n)
{
    memset(w, 0, sizeof *w);
    for (size_t i = 0; i < n; i++) {
        struct point *p = add(w, (uint32_t)load[i], 1);
        p->output_tokens_per_s = tokens_per_s[i];
        p->output_lo = tokens_per_s[i] * 0.99;
        p->output_hi = tokens_per_s[i] * 1.01;
    }
    finish(w, 1e9);
}

/* Five points leave AICc only Amdahl's law to judge, which never flattens; a top that is measured flat is one all the
 * same. */
static void test_five_points(void **state)
{
    (void)state;
    static struct world w;
    static const double far[] = {1, 4, 16, 64, 256}, near[] = {1, 4, 16, 64, 128}, x[] = {246, 935, 3188, 7936, 7984};
    const double *loads[] = {far, near};
    for (int i = 0; i < 2; i++) {
        measured(&w, loads[i], x, 5);
        assert_true(w.a.plateau_reached && fabs(w.a.plateau / 7979 - 1) < 0.01);
        assert_true(fabs(w.a.knee - 64) < 0.1);
        says(&w, "Plateau: 7,960 output token/s");
    }
    const double falling[] = {246, 935, 3188, 7936, 6000};
    measured(&w, far, falling, 5); /* more load gave less */
    assert_true(w.a.plateau_reached && fabs(w.a.plateau - 7936) < 0.1 && w.a.fall > 0.2);

    const double amdahl_load[] = {8, 16, 24, 32, 40}, rising[] = {246, 935, 3188, 7936, 9900};
    double amdahl[5];
    for (int i = 0; i < 5; i++)
        amdahl[i] = 100 * amdahl_load[i] / (1 + 0.1 * (amdahl_load[i] - 1)); /* 82 % of its limit at 40 */
    measured(&w, amdahl_load, amdahl, 5);
    assert_true(w.a.has_plateau && !w.a.plateau_reached && isnan(w.a.knee));
    measured(&w, far, rising, 5);
    assert_true(!w.a.plateau_reached && isnan(w.a.knee) && isnan(w.a.knee_hi));
    says(&w, "The plateau was not reached: at least 9,900");
}

/* A curve that no law fits is judged by its top; and while it still rises there is no knee, least of all beyond what
 * was tried. */
static void test_poor_law(void **state)
{
    (void)state;
    static struct world w;
    static const double load[] = {1, 2, 4, 8, 16, 32, 64}, step[] = {10, 11, 12, 13, 500, 1000, 1010};
    measured(&w, load, step, 7);
    assert_true(w.a.plateau_reached && fabs(w.a.plateau - 1005) < 1);
    sweep(&w, 32, 1);
    finish(&w, 1000);
    assert_int_not_equal(w.a.model, FIT_NONE);
    assert_true(!w.a.plateau_reached && isnan(w.a.knee));
    static const double past[] = {1, 2, 4, 8, 9, 11, 16}, cliff[] = {160, 315, 604, 1147, 115, 115, 166};
    measured(&w, past, cliff, 7); /* a law that smooths it says 291, though 1,147 were measured */
    assert_true(w.a.plateau_reached && fabs(w.a.plateau - 1147) < 1 && fabs(w.a.knee - 8) < 0.1);
    says(&w, "throughput falls by 85.5 %");
    for (size_t i = 0; i < w.n; i++)
        w.p[i].metric[METRIC_E2E].q[0] = 50; /* without a wait, as where the others are refused */
    finish(&w, 1e9);
    says(&w, "Throughput falls by 85.5 % from its maximum to the highest load.");
}

/* A server that serves one request at a time gives the same at any load. */
static void test_flat(void **state)
{
    (void)state;
    static struct world w;
    static const double load[] = {1, 2, 4, 8}, flat[] = {180, 181, 180, 181};
    measured(&w, load, flat, 4);
    assert_true(w.a.plateau_reached && fabs(w.a.plateau - 180.5) < 0.1 && isnan(w.a.knee));
    says(&w, "Plateau: 180 output token/s (95 %: 179–183). Where it begins was not seen: the first load tried gives it "
             "already. ");
    for (size_t i = 0; i < w.n; i++)
        w.p[i].metric[METRIC_E2E].q[0] = 100 * load[i];
    finish(&w, 1e9);
    says(&w, "Requests wait: each doubling of the load makes latency 2 × as long. ");
    static const double near[] = {1, 2, 3, 4}; /* neighbours on any slope look flat … */
    measured(&w, near, flat, 4);
    assert_false(w.a.plateau_reached);
    static const double searched[] = {1, 2, 4, 2}; /* … but a search for a plateau knows why it ended */
    measured(&w, searched, flat, 4);
    assert_false(w.a.plateau_reached);
    w.plan.search = (struct plan_search){.goal = SEARCH_PLATEAU, .from = 1, .to = 64};
    w.plan.stages = &w.p[0].requested;
    w.plan.n_stages = 1;
    finish(&w, 1e9);
    assert_true(w.a.search.found && w.a.plateau_reached);
}

/* A stage that was ended before its time says nothing about the server: a search that was interrupted has what it had
 * before. Where a broken gate ended the stage (slo.abort_on_fail), that is what it says. */
static void test_search_cut(void **state)
{
    (void)state;
    static struct world w;
    static struct plan_gate gate = {.text = "errors.rate < 5%", .subject = GATE_ERROR_RATE, .op = OP_LT, .value = 0.05};
    static struct stage_data cut = {.aborted = true};
    for (int in_window = 0; in_window < 2; in_window++) {
        w.n = 0;
        w.plan = (struct plan){.search = {.goal = SEARCH_SLO, .from = 1, .to = 64}, .gates = &gate, .n_gates = 1};
        w.run = (struct run_data){.plan = &w.plan};
        for (uint32_t load = 1; load <= 8; load *= 2)
            (void)add(&w, load, 1);
        struct point *last = &w.p[3];
        w.plan.stages = &w.p[0].requested;
        w.plan.n_stages = 1;
        last->data = &cut;
        last->window_s = in_window;
        last->window_ok = last->window_done = 0;
        last->window_failed = 100 * (uint64_t)in_window;
        verdict_add(&last->verdict, in_window ? VERDICT_SUSPECT : VERDICT_INVALID, "cut short");
        answered(&w, NULL, 0);
        assert_true(isnan(w.a.search.nothing_load) && isnan(w.a.search.failed_load));
        assert_true(!w.a.search.over && w.a.search.loads == 3 && w.a.search.runs == 3);
        says(&w, "The search was not finished. ");
        silent(&w, "no request due in the window");
        struct run_event event = {.kind = RUN_EVENT_GATE_FAILED, .text = "errors.rate < 5%"};
        w.run.events = &event;
        w.run.n_events = 1;
        answered(&w, NULL, 0);
        assert_true(w.a.search.failed_load > 7.9 && w.a.search.runs == 4);
        says(&w, "The search was not finished; the limits are broken at 8 concurrent requests. ");
        w.run.n_events = 0;
    }
}

static void test_falls(void **state)
{
    (void)state;
    static struct world w;
    sweep(&w, 256, 1);
    for (size_t i = 7; i < 9; i++) {
        double f = i == 7 ? 0.9 : 0.7;
        w.p[i].output_tokens_per_s *= f;
        w.p[i].output_lo *= f;
        w.p[i].output_hi *= f;
    }
    finish(&w, 40);
    assert_true(w.a.fall > 0.25 && w.a.fall < 0.35);
}

/* A point against the direction of the curve is pointed at; the law's distance from each point is given. */
static void test_monotone(void **state)
{
    (void)state;
    static struct world w;
    sweep(&w, 256, 1);
    finish(&w, 40);
    assert_true(w.a.throughput_dip.share <= 0 && w.a.latency_dip.share <= 0);
    assert_null(strstr(w.a.text, "Look twice"));
    assert_int_equal(w.a.n_residuals, 9);
    for (uint32_t i = 0; i < w.a.n_residuals; i++)
        assert_true(fabs(w.a.residual[i].measured / w.a.residual[i].fitted - 1) < 0.1);

    sweep(&w, 256, 1);
    w.p[4].output_tokens_per_s *= 0.4, w.p[4].output_lo *= 0.4, w.p[4].output_hi *= 0.4;
    w.p[6].metric[METRIC_E2E].q[0] = w.p[5].metric[METRIC_E2E].q[0] * 0.8;
    finish(&w, 40);
    assert_true(fabs(w.a.throughput_dip.from_load - w.p[3].concurrency) < 1e-9 &&
                fabs(w.a.throughput_dip.to_load - w.p[4].concurrency) < 1e-9);
    assert_true(w.a.throughput_dip.share > 0.05);
    assert_true(fabs(w.a.latency_dip.to_load - w.p[6].concurrency) < 1e-9 && fabs(w.a.latency_dip.share - 0.2) < 0.05);
    assert_non_null(strstr(w.a.text, "Look twice: throughput falls by"));
    w.p[5].metric[METRIC_E2E].q_lo[0] = w.p[5].metric[METRIC_E2E].q[0] * 0.75; /* of answers of 0.3 to 2 s: chance */
    w.p[6].metric[METRIC_E2E].q_hi[0] = w.p[6].metric[METRIC_E2E].q[0] * 1.25;
    finish(&w, 40);
    assert_true(w.a.latency_dip.share <= 0);
    w.p[5].metric[METRIC_E2E].q_lo[0] = w.p[5].metric[METRIC_E2E].q[0] * 0.95;
    w.p[6].metric[METRIC_E2E].q_hi[0] = w.p[6].metric[METRIC_E2E].q[0] * 1.05;
    finish(&w, 40);
    assert_true(w.a.latency_dip.share > 0.1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_whole_answer),
                                       cmocka_unit_test(test_not_reached),
                                       cmocka_unit_test(test_left_out),
                                       cmocka_unit_test(test_not_reached_for_want_of_points),
                                       cmocka_unit_test(test_gates_that_fail),
                                       cmocka_unit_test(test_within),
                                       cmocka_unit_test(test_single),
                                       cmocka_unit_test(test_rates),
                                       cmocka_unit_test(test_overrun),
                                       cmocka_unit_test(test_refused),
                                       cmocka_unit_test(test_refused_knee),
                                       cmocka_unit_test(test_capacity_of_requests),
                                       cmocka_unit_test(test_mostly_ends),
                                       cmocka_unit_test(test_refused_close),
                                       cmocka_unit_test(test_no_doubling),
                                       cmocka_unit_test(test_outrun),
                                       cmocka_unit_test(test_repeats),
                                       cmocka_unit_test(test_few_points),
                                       cmocka_unit_test(test_five_points),
                                       cmocka_unit_test(test_poor_law),
                                       cmocka_unit_test(test_flat),
                                       cmocka_unit_test(test_falls),
                                       cmocka_unit_test(test_search_cut),
                                       cmocka_unit_test(test_monotone)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
