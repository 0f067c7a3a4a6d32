/* Points of a sweep against a server with a plateau, gates and what the answer says of them: shared by the tests of the
 * answer in numbers and in words. */
#pragma once
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/rng.h"
#include "coordinator/answer/answer_text.h"

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
static inline double rate_at(double n)
{
    return 120 * fmin(n, 64) / (1 + 0.012 * (fmin(n, 64) - 1));
}

static inline struct point *add(struct world *w, uint32_t load, double noise)
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

static inline void backed(const struct world *w);

/* The answer again, by these outcomes of gates. */
static inline void answered(struct world *w, const struct gate_outcome *o, size_t n)
{
    struct err e;
    if (answer_compute(&w->run, w->p, w->n, o, n, &w->a, &e)) fail_msg("%s", e.text);
    answer_words(w->run.plan, w->p, w->n, &w->a);
}

static inline void finish_capacity(struct world *w, double slo_up_to)
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
    answered(w, w->o, 2 * w->n);
}

static inline void finish(struct world *w, double slo_up_to)
{
    finish_capacity(w, slo_up_to);
    backed(w);
}

static inline void says(const struct world *w, const char *text)
{
    if (!strstr(w->a.text, text)) fail_msg("\"%s\" is not in: %s", text, w->a.text);
}

static inline void silent(const struct world *w, const char *text)
{
    if (strstr(w->a.text, text)) fail_msg("\"%s\" is in: %s", text, w->a.text);
}

/* Every number in the paragraph is one of the answer's fields, as summary.json has them, rounded as it is printed;
 * gates are quoted. */
static inline void backed(const struct world *w)
{
    const struct answer *a = &w->a;
    const double field[] = {a->plateau,
                            a->plateau_lo,
                            a->plateau_hi,
                            a->knee,
                            ceil(a->knee),
                            a->most_load,
                            a->refused_from,
                            a->most_tokens_per_s,
                            a->most_lo,
                            a->most_hi,
                            (double)a->most_ended,
                            (double)a->slo_ended,
                            a->slo_load,
                            a->slo_tokens_per_s,
                            a->slo_lo,
                            a->slo_hi,
                            a->slo_passes_to,
                            a->slo_fails_below,
                            a->latency_per_doubling,
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
                            100 * ANSWER_ATTAINMENT,
                            100 * a->attained,
                            a->attained_load,
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
                            (double)a->cut,
                            (double)a->earlier,
                            (double)a->earlier_of,
                            (double)a->requests,
                            (double)a->window_requests,
                            100 * (double)a->cut / (double)(a->window_requests ? a->window_requests : 1),
                            100 * (double)a->failed / (double)(a->requests ? a->requests : 1),
                            100 * (double)a->bad / (double)(a->bad_of ? a->bad_of : 1),
                            100 * a->failed_at.least,
                            100 * a->failed_at.most,
                            100 * a->cut_at.least,
                            100 * a->cut_at.most,
                            a->oldest_cut_s,
                            a->slowest_s,
                            (double)a->cancelled,
                            (double)a->cancelled_early,
                            (double)a->window_due,
                            a->length.output.asked,
                            a->length.output.planned,
                            a->length.input.planned,
                            a->records,
                            a->overrun_cap,
                            a->ends_load,
                            a->ends_in_flight,
                            a->records_sent,
                            a->trace.last_s,
                            a->points_suspect - 1.0,
                            a->twice.lengths.low_value,
                            a->twice.lengths.high_value,
                            a->trace.asked_s,
                            a->twice.apart.low_value,
                            a->twice.apart.high_value,
                            a->twice.apart.more,
                            (double)a->stalls.gaps,
                            (double)a->stalls.answers,
                            a->stalls.least_s,
                            a->stalls.longest_s,
                            a->stalls.usual_ms,
                            a->stalls.p99_ms,
                            a->stalls.more,
                            a->twice.interrupted.away_s,
                            round(a->twice.interrupted.away_s / 60),
                            round(a->twice.interrupted.away_s / 3600),
                            a->length.output.got,
                            a->length.input.asked,
                            a->length.input.got,
                            100 * a->hits.possible,
                            100 * a->hits.usage,
                            100 * a->hits.page,
                            a->at_knee.ttft_p50,
                            a->at_knee.ttft_p99,
                            a->at_knee.tpot_p50,
                            a->at_slo.ttft_p50,
                            a->at_slo.ttft_p99,
                            a->at_slo.tpot_p50,
                            a->search.loads,
                            a->rest_share * 100,
                            a->search.runs,
                            a->search.failed_load,
                            a->search.low_load,
                            a->search.kept_from,
                            a->search.load,
                            a->points_left_out - a->left_invalid - a->left_unsteady};
    char text[sizeof a->text];
    (void)snprintf(text, sizeof text, "%s", a->text);
    static const char *const QUOTED[] = {
        "ttft.p99 < 800ms", "errors.rate < 1%", "95 %",     "at p99",   "the p99 of",
        "e2e p50",          "TTFT p50",         "TTFT p99", "TPOT p50", "status 4xx other than 429",
        "status 429",       "http_429"};
    for (size_t k = 0; k < sizeof QUOTED / sizeof *QUOTED; k++)
        for (char *at; (at = strstr(text, QUOTED[k]));)
            memset(at, '_', strlen(QUOTED[k]));
    static const struct {
        const char *before, *ends;
    } NAMES[] = {{" stage ", ")."},     {" stages ", ").;"},  {"(stages ", ").;"},
                 {" the ramp ", " :,"}, {" load ", " ,.;):"}, {" at loads ", ")"}};
    for (size_t k = 0; k < sizeof NAMES / sizeof *NAMES; k++) /* of stages and loads, as they were asked for */
        for (char *at = text; (at = strstr(at, NAMES[k].before));)
            for (at += strlen(NAMES[k].before); *at && !strchr(NAMES[k].ends, *at);)
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

static inline void sweep(struct world *w, uint32_t to, int repeats)
{
    struct rng r;
    rng_seed(&r, 12);
    memset(w, 0, sizeof *w);
    for (int k = 0; k < repeats; k++)
        for (uint32_t load = 1; load <= to; load *= 2)
            add(w, load, exp(0.005 * rng_normal(&r)));
}
