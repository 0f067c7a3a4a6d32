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
#include "coordinator/answer/answer.h"

#define POINTS_MAX 40
struct world {
    struct plan plan;
    struct run_data run;
    struct plan_gate gates[2];
    struct point p[POINTS_MAX];
    struct gate_outcome o[2 * POINTS_MAX];
    size_t n;
    struct answer a;
};

/* A server with 64 slots: Amdahl up to them, then a queue; 1 % of noise. */
static double rate_at(double n)
{
    return 120 * fmin(n, 64) / (1 + 0.012 * (fmin(n, 64) - 1));
}

static struct point *add(struct world *w, uint32_t load, double noise)
{
    struct point *p = &w->p[w->n++];
    double x = rate_at(load) * noise;
    *p = (struct point){.stage = (uint32_t)w->n - 1,
                        .requested = {.kind = LOAD_CLOSED, .concurrency = load},
                        .window_s = 30,
                        .concurrency = load,
                        .output_tokens_per_s = x,
                        .output_lo = x * 0.99,
                        .output_hi = x * 1.01,
                        .requests_per_s = x / 100,
                        .window_ok = 1000,
                        .window_good = load <= 32   ? 990
                                       : load <= 64 ? 930
                                                    : 400,
                        .steady = STEADY_YES};
    for (int m = 0; m < METRIC_N; m++)
        stat_compute(NULL, (enum metric)m, &p->metric[m]);
    p->metric[METRIC_E2E].q[0] = load / x * 100 * 1e3; /* Little */
    return p;
}

static void backed(const struct world *w);

static void finish_capacity(struct world *w, double slo_up_to)
{
    w->gates[0] = (struct plan_gate){.text = "ttft.p99 < 800ms"};
    w->gates[1] = (struct plan_gate){.text = "errors.rate < 1%"};
    w->plan.gates = w->gates;
    w->plan.n_gates = 2;
    w->plan.sweep = true;
    w->plan.require = REQUIRE_ANY;
    w->run.plan = &w->plan;
    for (size_t i = 0; i < w->n; i++)
        for (size_t g = 0; g < 2; g++)
            w->o[2 * i + g] = (struct gate_outcome){
                .gate = &w->gates[g],
                .point = (uint32_t)i,
                .result = g == 0 && w->p[i].requested.concurrency > slo_up_to ? GATE_FAIL : GATE_PASS};
    answer_compute(&w->run, w->p, w->n, w->o, 2 * w->n, &w->a);
}

static void finish(struct world *w, double slo_up_to)
{
    finish_capacity(w, slo_up_to);
    backed(w);
}

static void says(const struct world *w, const char *text)
{
    if (!strstr(w->a.text, text)) fail_msg("\"%s\" is not in: %s", text, w->a.text);
}

static void silent(const struct world *w, const char *text)
{
    if (strstr(w->a.text, text)) fail_msg("\"%s\" is in: %s", text, w->a.text);
}

/* Every number in the paragraph is one of the answer's fields, as summary.json has them, rounded as it is printed;
 * gates are quoted. */
static void backed(const struct world *w)
{
    const struct answer *a = &w->a;
    const double field[] = {a->plateau,
                            a->plateau_lo,
                            a->plateau_hi,
                            a->knee,
                            ceil(a->knee),
                            a->most_load,
                            a->most_tokens_per_s,
                            a->most_lo,
                            a->most_hi,
                            a->slo_load,
                            a->slo_tokens_per_s,
                            a->slo_lo,
                            a->slo_hi,
                            a->slo_passes_to,
                            a->latency_per_doubling - 1,
                            100 * a->fall,
                            100 * a->throughput_dip.share,
                            a->throughput_dip.from_load,
                            a->throughput_dip.to_load,
                            100 * a->latency_dip.share,
                            a->latency_dip.from_load,
                            a->latency_dip.to_load,
                            a->goodput_requests_per_s,
                            a->goodput_per_gpu,
                            a->goodput_load,
                            100 * a->goodput_attainment,
                            a->cost_plateau,
                            a->cost_slo,
                            a->cost_most,
                            a->worst_lag_ms,
                            a->points_left_out,
                            a->left_invalid,
                            a->left_unsteady,
                            a->points_left_out + a->points_used,
                            a->slo_failed,
                            a->slo_undecided,
                            (double)a->failed,
                            (double)a->failed_by_n,
                            (double)a->unanswered,
                            (double)a->requests,
                            100 * (double)a->failed / (double)(a->requests ? a->requests : 1),
                            100 * (double)a->unanswered / (double)(a->requests ? a->requests : 1),
                            100 * (double)(a->failed + a->unanswered) / (double)(a->requests ? a->requests : 1),
                            a->oldest_s,
                            a->output.asked,
                            a->output.got,
                            a->input.asked,
                            a->input.got,
                            a->at_knee.ttft_p50,
                            a->at_knee.ttft_p99,
                            a->at_knee.tpot_p50,
                            a->at_slo.ttft_p50,
                            a->at_slo.ttft_p99,
                            a->at_slo.tpot_p50,
                            a->search.loads,
                            a->search.runs,
                            a->search.failed_load,
                            a->search.load,
                            a->points_left_out - a->left_invalid - a->left_unsteady};
    char text[sizeof a->text];
    (void)snprintf(text, sizeof text, "%s", a->text);
    static const char *const QUOTED[] = {"ttft.p99 < 800ms", "errors.rate < 1%", "95 %",
                                         "at p99",           "e2e p50",          "TTFT p50",
                                         "TTFT p99",         "TPOT p50",         "status 4xx other than 429"};
    for (size_t k = 0; k < sizeof QUOTED / sizeof *QUOTED; k++)
        for (char *at; (at = strstr(text, QUOTED[k]));)
            memset(at, '_', strlen(QUOTED[k]));
    for (char *at = text; (at = strstr(at, ", stage "));) /* "stage 3 (load 4)" names a point */
        while (*at && *at != ')')
            *at++ = '_';
    for (const char *at = text; *at;) {
        char number[32];
        size_t n = 0, after = 0;
        bool point = false;
        if (*at < '0' || *at > '9') {
            at++;
            continue;
        }
        for (; (*at >= '0' && *at <= '9') || ((*at == ',' || *at == '.') && at[1] >= '0' && at[1] <= '9'); at++) {
            if (*at == ',') continue;
            after += point;
            point |= *at == '.';
            number[n++] = *at;
            assert_true(n + 1 < sizeof number);
        }
        number[n] = 0;
        double v = strtod(number, NULL), slack = 0.5001 * pow(10, -(double)after);
        bool found = false;
        for (size_t k = 0; k < sizeof field / sizeof *field; k++)
            found |= fabs(field[k] - v) <= slack;
        if (!found) fail_msg("%s stands in no field: %s", number, a->text);
    }
}

static void sweep(struct world *w, uint32_t to, int repeats)
{
    struct rng r;
    rng_seed(&r, 12);
    memset(w, 0, sizeof *w);
    for (int k = 0; k < repeats; k++)
        for (uint32_t load = 1; load <= to; load *= 2)
            add(w, load, exp(0.005 * rng_normal(&r)));
}

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
    says(&w, "requests wait: each doubling adds 1 × latency.");
    says(&w, "Goodput: ");
    says(&w, "93 % of requests within their limits");
    says(&w, "Valid: the agents were never the limit (worst loop lag 0 ms at p99).");
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
    answer_compute(&w.run, w.p, w.n, w.o, 2 * w.n, &w.a);
    says(&w, "Valid: the agents were not the limit in the points used"); /* in one that is left out they were */
    silent(&w, "never the limit");
    memset(&w, 0, sizeof w);
    add(&w, 4, 1);
    verdict_add(&w.p[0].verdict, VERDICT_INVALID, "all wrong");
    finish(&w, 40);
    assert_true(!w.a.has_plateau && !w.a.has_slo);
    assert_int_equal(w.a.worst_verdict, VERDICT_INVALID);
    says(&w, "Invalid: all wrong.");
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
    for (size_t i = 0; i < 4; i++)
        w.o[i].result = GATE_INCONCLUSIVE; /* the first two loads */
    answer_compute(&w.run, w.p, w.n, w.o, 2 * w.n, &w.a);
    backed(&w);
    says(&w, ": 5 fail, 2 undecided. ");
    w.plan.n_gates = 0;
    answer_compute(&w.run, w.p, w.n, NULL, 0, &w.a);
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
    answer_compute(&w.run, w.p, w.n, w.o, 2 * w.n, &w.a);
    assert_true(!w.a.slo_next_fails && isnan(w.a.slo_passes_to) && !w.a.slo_open_end);
    says(&w, "The most within ");
    sweep(&w, 32, 1);
    finish(&w, 1000);
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
    answer_compute(&w.run, w.p, w.n, w.o, 2 * w.n, &w.a);
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

/* Where arrivals wait in vain at the greatest rate, a greater one gives no more: the plateau was seen, though only one
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
        says(&w, from == 1 ? "Suspect, stage 7 (load 64): the server was the limit"
                           : "Suspect, stage 4 (load 64): the server was the limit");
    }
    for (size_t i = 0; i < w.n; i++) { /* all rates are beyond it: where it began was not seen */
        w.p[i].overrun = true;
        w.p[i].output_tokens_per_s = 4000;
    }
    finish(&w, 1000);
    assert_true(w.a.plateau_reached && isnan(w.a.knee));
    says(&w, "Plateau: 4,000 output token/s (95 %: 3,992–4,008). "); /* no "from" */
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
    answer_compute(&w.run, w.p, w.n, w.o, 2 * w.n, &w.a);
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
}

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

/* Failures are in the answer, with their share and label, and "valid" does not stand alone beside them. */
static void test_failures(void **state)
{
    (void)state;
    static struct world w;
    memset(&w, 0, sizeof w);
    for (uint32_t load = 1; load <= 4; load *= 2) {
        struct point *p = add(&w, load, 1);
        p->ledger.ok = 600;
        p->ledger.failed[COUNTER_FAILED_HTTP_4XX - COUNTER_FAILED_FIRST] = 390;
        p->ledger.failed[COUNTER_FAILED_RESET - COUNTER_FAILED_FIRST] = 10;
    }
    finish(&w, 1000);
    assert_true(w.a.requests == 3000 && w.a.failed == 1200 && w.a.failed_by == COUNTER_FAILED_HTTP_4XX);
    says(&w, "1,200 of 3,000 requests failed (40 %), 1,170 of them by http_4xx: status 4xx other than 429. ");
    says(&w, "Valid: the agents were never the limit (worst loop lag 0 ms at p99), but 40 % of the requests were not "
             "answered "
             "well.");
    for (size_t i = 0; i < w.n; i++) {
        memset(w.p[i].ledger.failed, 0, sizeof w.p[i].ledger.failed);
        w.p[i].window_unanswered = 150;
        w.p[i].metric[METRIC_CUT_AGE].max = 59800;
    }
    finish(&w, 1000);
    says(&w,
         "450 of 2,250 requests were never answered (20 %): the drain's end cut them off, the oldest after 59.8 s. ");
    silent(&w, "failed");
}

/* Lengths that were not got are said from a tenth on; a chat template's tokens are no fault. */
static void test_lengths(void **state)
{
    (void)state;
    static struct world w;
    struct plan_workload load = {.weight = 1};
    load.output_tokens = (struct dist){.kind = DIST_FIXED, .a = 20};
    load.input_tokens = (struct dist){.kind = DIST_FIXED, .a = 100};
    memset(&w, 0, sizeof w);
    w.plan.workloads = &load;
    w.plan.n_workloads = 1;
    for (uint32_t n = 1; n <= 4; n *= 2) {
        struct point *p = add(&w, n, 1);
        p->metric[METRIC_OUTPUT_TOKENS] = (struct metric_stat){.count = 10, .mean = 5};
        p->metric[METRIC_INPUT_TOKENS] = (struct metric_stat){.count = 10, .mean = 130};
    }
    finish(&w, 1000);
    says(&w, "Answers had 5 tokens on average, 20 were asked for. ");
    silent(&w, "Prompts had");
    for (size_t i = 0; i < w.n; i++) {
        w.p[i].metric[METRIC_OUTPUT_TOKENS].mean = 19;
        w.p[i].metric[METRIC_INPUT_TOKENS].mean = 250;
    }
    finish(&w, 1000);
    silent(&w, "Answers had");
    says(&w, "Prompts had 250 tokens on average, 100 were asked for. ");
}

/* Latency is given where it means something: at the knee and at the limit, not at the top of a flat curve. */
static void test_latency_at(void **state)
{
    (void)state;
    static struct world w;
    sweep(&w, 256, 1);
    for (size_t i = 0; i < w.n; i++) {
        w.p[i].metric[METRIC_TTFT].q[0] = 50 + w.p[i].requested.concurrency;
        w.p[i].metric[METRIC_TTFT].q[3] = 2 * (50 + w.p[i].requested.concurrency);
    }
    finish(&w, 40);
    assert_true(fabs(w.a.at_knee.load - 64) < 1 && fabs(w.a.at_knee.ttft_p50 - 114) < 1e-9);
    assert_true(fabs(w.a.at_slo.load - 32) < 1 && fabs(w.a.at_slo.ttft_p99 - 164) < 1e-9);
}

/* A gate on the answer itself: CI sees a regression of what the endpoint carries. */
static void test_capacity(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum gate_op op;
        double value;
        double slo_up_to;
        enum gate_result result;
    } CASES[] = {{">= 2000 token/s", OP_GE, 2000, 40, GATE_PASS},          /* 2,811 at 32 */
                 {">= 3000 token/s", OP_GE, 3000, 40, GATE_FAIL},          /* 64 fails the gates */
                 {">= 2810 token/s", OP_GE, 2810, 40, GATE_INCONCLUSIVE},  /* within the interval */
                 {">= 9000 token/s", OP_GE, 9000, 1e9, GATE_INCONCLUSIVE}, /* the greatest load tried still passes */
                 {">= 1 token/s", OP_GE, 1, 0, GATE_FAIL}};                /* no load keeps the gates */
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        static struct world w;
        sweep(&w, 256, 1);
        w.plan.capacity = (struct plan_capacity){CASES[i].text, CASES[i].op, CASES[i].value, false};
        w.gates[0] = w.gates[1] = (struct plan_gate){0};
        finish_capacity(&w, CASES[i].slo_up_to);
        if (w.a.capacity != CASES[i].result) fail_msg("%s: %d, %s", CASES[i].text, (int)w.a.capacity, w.a.text);
        says(&w, CASES[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_answer),    cmocka_unit_test(test_not_reached),
        cmocka_unit_test(test_left_out),        cmocka_unit_test(test_not_reached_for_want_of_points),
        cmocka_unit_test(test_gates_that_fail), cmocka_unit_test(test_within),
        cmocka_unit_test(test_single),          cmocka_unit_test(test_rates),
        cmocka_unit_test(test_overrun),         cmocka_unit_test(test_repeats),
        cmocka_unit_test(test_few_points),      cmocka_unit_test(test_five_points),
        cmocka_unit_test(test_poor_law),        cmocka_unit_test(test_falls),
        cmocka_unit_test(test_monotone),        cmocka_unit_test(test_ramp_is_no_repeat),
        cmocka_unit_test(test_mixed_kinds),     cmocka_unit_test(test_failures),
        cmocka_unit_test(test_lengths),         cmocka_unit_test(test_latency_at),
        cmocka_unit_test(test_capacity)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
