/* A stage against the simulator's model in simulated time: what agents and merge would have made of it, in
 * milliseconds. For tests. */
#pragma once
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/rng.h"
#include "coordinator/answer/point.h"
#include "tests/sim/model.h"
#include "tests/unit/trials.h"

struct simload {
    struct sim_model_settings server;
    double output_mean, prompt; /* output: geometric-like around the mean (so that requests do not march in step) */
    double error_rate;          /* share of requests that fail at once */
    double slow;                /* service is slower by this factor (1 = as set); a planted change */
    double noise;               /* from run to run: sd of a factor on the speed of the whole run */
};

struct simload_request {
    int64_t sent, first, last;
    uint32_t output, tokens;
    bool fails;
};

struct simload_run {
    const struct simload *l;
    const struct plan_stage *stage;
    struct sim_model *model;
    struct stage_data *s;
    struct rng rng;
    int64_t from, to; /* the window */
    int64_t flight_at;
    uint32_t in_flight;
    bool closing;
};

static inline void simload_flight(struct simload_run *r, int64_t now, int change)
{
    int64_t a = r->flight_at > r->from ? r->flight_at : r->from, b = now < r->to ? now : r->to;
    if (b > a) r->s->counters[COUNTER_WIN_INFLIGHT_NS] += (uint64_t)(b - a) * r->in_flight;
    r->flight_at = now;
    r->in_flight = (uint32_t)((int)r->in_flight + change);
}

static inline bool simload_inside(const struct simload_run *r, int64_t t)
{
    return t >= r->from && t < r->to;
}

static inline struct series_row *simload_row(struct simload_run *r, int64_t t)
{
    size_t i = (size_t)(t / 1000000000);
    return i < r->s->n_series ? &r->s->series[i] : NULL;
}

static inline void simload_submit(struct simload_run *r, int64_t now)
{
    struct simload_request *q = calloc(1, sizeof *q);
    uint32_t handle;
    uint64_t *c = r->s->counters;
    c[COUNTER_DUE]++;
    c[COUNTER_SENT]++;
    if (simload_inside(r, now)) c[COUNTER_WIN_DUE]++;
    if (simload_row(r, now)) simload_row(r, now)->due++;
    q->sent = now;
    q->output = (uint32_t)fmax(2, floor(r->l->output_mean * (0.5 + rng_double(&r->rng)) + 0.5));
    q->fails = rng_double(&r->rng) < r->l->error_rate;
    if (q->fails) q->output = 1;
    simload_flight(r, now, 1);
    (void)sim_model_submit(r->model, now, q, (uint32_t)r->l->prompt, q->output, &handle);
}

static inline void simload_record(struct hist **h, int64_t v)
{
    if (!*h) *h = hist_new();
    (void)hist_record(*h, v, 1);
}

static inline void simload_end(struct simload_run *r, struct simload_request *q, int64_t now)
{
    uint64_t *c = r->s->counters;
    bool due_inside = simload_inside(r, q->sent);
    simload_flight(r, now, -1);
    if (q->fails) {
        c[COUNTER_FAILED_HTTP_5XX]++;
        if (due_inside) c[COUNTER_WIN_FAILED]++;
    } else {
        c[COUNTER_OK]++;
        if (simload_inside(r, now)) c[COUNTER_WIN_DONE]++;
        if (due_inside) {
            c[COUNTER_WIN_OK]++;
            c[COUNTER_WIN_GOOD]++;
            simload_record(&r->s->hist[METRIC_TTFT], q->first - q->sent);
            simload_record(&r->s->hist[METRIC_TTFT_DUE], q->first - q->sent);
            simload_record(&r->s->hist[METRIC_E2E], now - q->sent);
            simload_record(&r->s->hist[METRIC_TPOT], (now - q->first) / (q->output - 1));
        }
    }
    free(q);
    if (r->stage->kind == LOAD_CLOSED && !r->closing) simload_submit(r, now);
}

static inline void simload_event(void *arg, const struct sim_model_event *e)
{
    struct simload_run *r = arg;
    struct simload_request *q = e->request;
    if (e->token == 0) q->first = e->time;
    q->last = e->time;
    if (!q->fails) {
        if (simload_inside(r, e->time)) {
            r->s->counters[COUNTER_WIN_EVENTS]++;
            r->s->counters[COUNTER_WIN_TOKENS_MICRO] += 1000000;
        }
        if (simload_row(r, e->time)) simload_row(r, e->time)->tokens++;
    }
    if (e->last) simload_end(r, q, e->time);
}

/* Runs a stage; free with stage_data_clear. */
static inline void simload_run(const struct simload *l, const struct plan_stage *stage, uint64_t seed,
                               struct stage_data *ret)
{
    struct simload_run r = {.l = l, .stage = stage, .s = ret, .from = stage->warmup_ns, .to = stage->duration_ns};
    struct sim_model_settings m = l->server;
    double factor = l->slow > 0 ? l->slow : 1;
    rng_seed(&r.rng, seed);
    factor *= exp(l->noise * rng_normal(&r.rng));
    m.seed = rng_u64(&r.rng);
    m.step_base = (int64_t)((double)m.step_base * factor);
    m.step_per_seq = (int64_t)((double)m.step_per_seq * factor);
    m.prefill_rate /= factor;
    r.model = sim_model_new(&m);
    *ret = (struct stage_data){.plan = *stage};
    ret->n_series = (size_t)(stage->duration_ns / 1000000000);
    ret->series = calloc(ret->n_series + 1, sizeof *ret->series);
    for (size_t i = 0; i < ret->n_series; i++)
        ret->series[i] = (struct series_row){.agent = -1, .t_s = (double)i, .span_s = 1, .ttft_p50_ms = NAN};
    ret->counters[COUNTER_MEASURED_NS] = (uint64_t)(r.to - r.from);
    int64_t at = 0;
    if (stage->kind == LOAD_CLOSED) {
        for (uint32_t i = 0; i < stage->concurrency; i++) { /* the slots fill over the first half of the warm-up */
            at = stage->warmup_ns / 2 * i / stage->concurrency;
            sim_model_advance(r.model, at, simload_event, &r);
            simload_submit(&r, at);
        }
    } else {
        for (double t = rng_exp(&r.rng) / stage->rate_from; t * 1e9 < (double)r.to;
             t += rng_exp(&r.rng) / stage->rate_from) {
            at = (int64_t)(t * 1e9);
            sim_model_advance(r.model, at, simload_event, &r);
            simload_submit(&r, at);
        }
    }
    sim_model_advance(r.model, r.to, simload_event, &r);
    simload_flight(&r, r.to, 0);
    r.closing = true;
    sim_model_advance(r.model, INT64_MAX - 1, simload_event, &r); /* the drain */
    sim_model_destroy(&r.model);
}
