#include "coordinator/answer/steady.h"

#include <math.h>

#include "coordinator/answer/numeric.h"

#define STILL_SHARE 0.05 /* of the best row: agents report when they wake, so that neighbours share a little */
#define EDGE 0.25        /* a row that reaches over the window's edge by less than this (s) still belongs to it */

#define RAMP_SLOWER                                                                                                    \
    2.0 /* a ramp outruns a server when its answers take so many times as long as in the first half, … */
#define RAMP_SWAMPED 1.5 /* … or so many times, and fewer than half of all requests have ended */
#define QUEUE_GREW 2     /* times the waits of the stage's first answers, … */
#define ENDS_PART 0.3    /* … of such a part of it */
#define LUMPS 0.05       /* of the throughput: so far apart by tokens and by Little's law */
#define CHANCE 3         /* standard deviations of a count */
#define CHANCE_QUEUED 2  /* where waits grew besides */
#define PILED_UP 2.5     /* start-up alone makes it about twice as many in tests of it */
#define FEW_ENDED 5      /* answers of the first half: with fewer it is not known how long one takes */

struct batches {
    size_t n;
    double at[STEADY_BATCHES_MAX], rate[STEADY_BATCHES_MAX], in_flight[STEADY_BATCHES_MAX],
        arrivals[STEADY_BATCHES_MAX]; /* a second */
    size_t n_ttft;
    double ttft_at[STEADY_BATCHES_MAX], ttft[STEADY_BATCHES_MAX];
    double span, due;
};

static bool inside(const struct series_row *r, double from_s, double to_s)
{
    return r->agent < 0 && r->span_s > 0 && r->t_s >= from_s - EDGE && r->t_s + r->span_s <= to_s + EDGE;
}

/* Neighbouring rows are joined into batches of about equal length; a last one that is too short is left out. */
static void batches_make(const struct stage_data *s, double from_s, double to_s, struct batches *b)
{
    size_t rows = 0;
    *b = (struct batches){.n = 0};
    for (size_t i = 0; i < s->n_series; i++) {
        if (!inside(&s->series[i], from_s, to_s)) continue;
        rows += s->series[i].span_s >= EDGE; /* the last row may be of no length */
        b->span += s->series[i].span_s;
        b->due += s->series[i].due;
    }
    if (rows < STEADY_BATCHES_MIN) return;
    size_t want = rows < 2 * STEADY_BATCHES_MIN ? rows : rows / 2; /* pairs of nine rows would be too few */
    if (want > STEADY_BATCHES_MAX) want = STEADY_BATCHES_MAX;
    double length = b->span / (double)want, span = 0, tokens = 0, flight = 0, due = 0, first = 0, ttft = 0, ttft_n = 0;
    for (size_t i = 0; i < s->n_series && b->n < want; i++) {
        const struct series_row *r = &s->series[i];
        if (!inside(r, from_s, to_s)) continue;
        if (span <= 0) first = r->t_s;
        span += r->span_s;
        tokens += r->tokens;
        flight += r->in_flight * r->span_s;
        due += r->due;
        if (!isnan(r->ttft_p50_ms) && r->ttft_p50_ms > 0) {
            ttft += r->ttft_p50_ms;
            ttft_n++;
        }
        if (span < length - 1e-6 && span < length - r->span_s / 2) continue;
        b->at[b->n] = first + span / 2;
        b->rate[b->n] = tokens / span;
        b->in_flight[b->n] = flight / span;
        b->arrivals[b->n] = due / span;
        if (ttft_n > 0) {
            b->ttft_at[b->n_ttft] = first + span / 2;
            b->ttft[b->n_ttft++] = ttft / ttft_n;
        }
        b->n++;
        span = tokens = flight = due = ttft = ttft_n = 0;
    }
}

/* A series drifts when the slope's interval does not cover 0 and the change over the window is not small. */
static bool drifts(const double *x, const double *y, size_t n, double span, double alpha, double *ret_drift)
{
    struct line l;
    if (n < STEADY_BATCHES_MIN || !line_fit(x, y, n, alpha, &l) || !(l.at_mean > 0)) return false;
    double drift = l.slope * span / l.at_mean;
    if (ret_drift) *ret_drift = drift;
    return (l.slope_lo > 0 || l.slope_hi < 0) && fabs(drift) >= STEADY_DRIFT;
}

/* The end of the last row in which something became due, and of the stage. */
static double arrivals_end(const struct stage_data *s, double to_s)
{
    double end = 0;
    for (size_t i = 0; i < s->n_series; i++)
        if (s->series[i].due > 0 && inside(&s->series[i], 0, to_s)) end = s->series[i].t_s + s->series[i].span_s;
    return end;
}

/* What a ramp brings by t, and the integral of that from its beginning. */
static double ramp_due(const struct plan_stage *p, double t)
{
    double slope = (p->rate_to - p->rate_from) / ((double)p->duration_ns / 1e9);
    return t > 0 ? p->rate_from * t + slope * t * t / 2 : 0;
}
static double ramp_due_sum(const struct plan_stage *p, double t)
{
    double slope = (p->rate_to - p->rate_from) / ((double)p->duration_ns / 1e9);
    return t > 0 ? p->rate_from * t * t / 2 + slope * t * t * t / 6 : 0;
}

/* In a ramp the requests in flight grow with the rate. By Little's law the first half shows how long an answer takes
 * (the w of whose arrivals as many would have been in flight), and a server that keeps up has no more open at the end
 * than what came in the last w. */
static bool ramp_outran(const struct stage_data *s, double to_s)
{
    const struct plan_stage *p = &s->plan;
    double end = arrivals_end(s, fmin(to_s, (double)p->duration_ns / 1e9)), half = 0, due_half = 0, flight = 0;
    double due = 0, open = 0, lo = 0;
    for (size_t i = 0; i < s->n_series; i++) {
        const struct series_row *r = &s->series[i];
        if (!inside(r, 0, end)) continue;
        due += r->due;
        open += r->due - r->done - r->failed;
        if (r->t_s + r->span_s > end / 2 + EDGE) continue;
        half = r->t_s + r->span_s;
        flight += r->in_flight * r->span_s;
        due_half = due;
    }
    if (!(due_half > 0)) return false;
    double hi = half, wanted = flight * ramp_due(p, half) / due_half; /* as the plan has it, without chance */
    for (int i = 0; i < 50; i++) {
        double w = (lo + hi) / 2;
        if (ramp_due_sum(p, half) - ramp_due_sum(p, half - w) < wanted)
            lo = w;
        else
            hi = w;
    }
    double expected = (ramp_due(p, end) - ramp_due(p, end - hi)) * due / ramp_due(p, end);
    double beyond = open - expected, chance = CHANCE * sqrt(expected + expected * expected / due_half);
    double slower = 2 * open > due ? RAMP_SWAMPED : RAMP_SLOWER;
    return beyond > STEADY_BACKLOG * due && beyond > chance && open > slower * expected;
}

/* Does the rate of a recording rise or fall? Then the figures do so too, as in a ramp. The last answers come when
 * nothing arrives any more. */
static size_t recording_drifts(const struct stage_data *s, const struct batches *b)
{
    size_t n = b->n;
    if (s->plan.kind != LOAD_OPEN || s->plan.arrivals != ARRIVALS_RECORDED) return 0;
    while (n && !(b->arrivals[n - 1] > 0))
        n--;
    return drifts(b->at, b->arrivals, n, b->span, 0.05, NULL) ? n : 0;
}

/* By Little's law the first half of n batches shows how long an answer takes, and a server that keeps up has no more in
 * flight at the end than what came in that time. */
static bool recording_outran(const struct batches *b, size_t n)
{
    double flight = 0, arrivals = 0, open = b->in_flight[n - 1];
    for (size_t i = 0; 2 * i < n; i++) {
        flight += b->in_flight[i];
        arrivals += b->arrivals[i];
    }
    if (!(arrivals > 0)) return false;
    double expected = flight / arrivals * b->arrivals[n - 1], beyond = open - expected;
    return beyond > STEADY_BACKLOG * b->due && beyond > CHANCE * sqrt(expected) && open > RAMP_SLOWER * expected;
}

bool steady_piled_up(const struct stage_data *s, double to_s, double hung)
{
    double end = arrivals_end(s, to_s), due = 0, ended = 0, flight = 0, half_due = 0, half_ended = 0, rate = 0,
           ends = 0, most = 0;
    bool waits = false, poisson = s->plan.arrivals == ARRIVALS_POISSON;
    for (size_t i = 0; i < s->n_series; i++) {
        const struct series_row *r = &s->series[i];
        waits |= r->agent < 0 && r->ttft_p50_ms > 0;
        if (!inside(r, 0, end)) continue;
        due += r->due;
        ended += r->done + r->failed;
        if (r->span_s >= 2 * EDGE) { /* a last row may be short */
            most = fmax(most, ends);
            ends = (r->done + r->failed) / r->span_s;
            rate = r->due / r->span_s;
        }
        if (r->t_s + r->span_s > end / 2 + EDGE) continue;
        flight += r->in_flight * r->span_s;
        half_due = due;
        half_ended = ended;
    }
    if (s->plan.kind != LOAD_OPEN || s->plan.max_concurrency || s->plan.arrivals == ARRIVALS_GAMMA) return false;
    if (half_ended < FEW_ENDED || !(half_due > 0) || !(flight > 0)) return false;
    if (ends > most + sqrt(most) / 2) return false; /* ever more end: it is start-up, with answers that differ */
    rate = s->plan.arrivals == ARRIVALS_RECORDED ? fmax(rate, due / end) : due / end;
    if (fmax(ends, most) + sqrt(rate) / 2 > rate) return false; /* it kept up in some second */
    double expected = flight / half_due * rate, chance = CHANCE * sqrt(expected);
    double open = due - ended - hung - (double)s->counters[COUNTER_CANCELLED], beyond = open - expected;
    if (poisson) chance = fmax(chance, CHANCE_QUEUED * sqrt(due));
    if (poisson && ended >= s->plan.rate_from * end * (1 - STEADY_BACKLOG)) return false; /* more came than usual */
    if (waits && !steady_waits_grew(s)) return false;
    return beyond > STEADY_BACKLOG * due && beyond > chance && open > PILED_UP * expected;
}

void steady_compute(const struct stage_data *s, double from_s, double to_s, double hung, struct steadiness *ret)
{
    struct batches b;
    *ret = (struct steadiness){.steady = STEADY_UNKNOWN, .drift = NAN, .half_width = NAN};
    batches_make(s, from_s, to_s, &b);
    ret->batches = b.n;
    if (plan_stage_is_ramp(&s->plan)) {
        ret->backlog = ramp_outran(s, to_s);
        ret->steady = ret->backlog ? STEADY_NO : STEADY_UNKNOWN;
        return;
    }
    if (b.n < STEADY_BATCHES_MIN) {
        bool counted = s->plan.requests && s->counters[COUNTER_DUE] >= s->plan.requests; /* it ends with its answers */
        ret->backlog = !counted && steady_piled_up(s, to_s, hung);
        ret->steady = ret->backlog ? STEADY_NO : STEADY_UNKNOWN;
        return;
    }
    size_t moving = recording_drifts(s, &b);
    if (moving) {
        ret->backlog = recording_outran(&b, moving);
        ret->steady = ret->backlog ? STEADY_NO : STEADY_UNKNOWN;
        return;
    }
    double mean = mean_of(b.rate, b.n), dn = (double)b.n;
    if (!(mean > 0)) return;
    ret->half_width = t_quantile(0.975, dn - 1) * sd_of(b.rate, b.n) / sqrt(dn) / mean;
    bool open = s->plan.kind == LOAD_OPEN, bad = false;
    double alpha = open ? 0.05 / 3 : 0.05 / 2; /* 95 % over all tests together, not for each (Bonferroni) */
    bad |= drifts(b.at, b.rate, b.n, b.span, alpha, &ret->drift);
    bad |= drifts(b.ttft_at, b.ttft, b.n_ttft, b.span, alpha, NULL);
    struct line l;
    if (open && b.due > 0 && line_fit(b.at, b.in_flight, b.n, alpha, &l))
        ret->backlog = l.slope_lo > 0 && l.slope > (STEADY_BACKLOG * b.due + hung) / b.span;
    ret->steady = bad || ret->backlog ? STEADY_NO : STEADY_YES;
}

double steady_by_law(const struct stage_data *s, double in_flight)
{
    const uint64_t *c = s->counters;
    const struct hist *held = s->hist[METRIC_HELD], *tokens = s->hist[METRIC_OUTPUT_TOKENS];
    if (!held || !held->count) held = s->hist[METRIC_E2E]; /* a run of an older version */
    if (!held || !held->count || !tokens || !tokens->count || !(in_flight > 0)) return NAN;
    if (c[COUNTER_WIN_FAILED] || c[COUNTER_CANCELLED] || c[COUNTER_ABORTED] || plan_stage_is_ramp(&s->plan)) return NAN;
    return in_flight * hist_mean(tokens) / METRICS[METRIC_OUTPUT_TOKENS].scale / (hist_mean(held) / 1e9);
}

bool steady_in_lumps(double tokens_per_s, double by_law, uint64_t requests)
{
    return tokens_per_s > 0 &&
           fabs(by_law / tokens_per_s - 1) > fmax(LUMPS, 1 / sqrt((double)requests)); /* not of NaN */
}

void steady_interval(double tokens_per_s, double half_width, double by_law, uint64_t requests, double *ret_lo,
                     double *ret_hi)
{
    *ret_lo = tokens_per_s * (half_width > 1 ? 0 : 1 - half_width);
    *ret_hi = tokens_per_s * (1 + half_width);
    if (!steady_in_lumps(tokens_per_s, by_law, requests)) return;
    double half = fabs(tokens_per_s - by_law);
    *ret_lo = fmax(0, fmin(*ret_lo, tokens_per_s - half)); /* which pass over NaN */
    *ret_hi = fmax(*ret_hi, tokens_per_s + half);
}

/* What came of the answers in a row: tokens, or, of an API without, answers. */
static double came(const struct stage_data *s, const struct series_row *r)
{
    return (s->counters[COUNTER_EVENTS] ? r->tokens : r->done) + r->failed;
}

static double best_row(const struct stage_data *s, double from_s, double to_s)
{
    double best = 0;
    for (size_t i = 0; i < s->n_series; i++) /* the last row may be of no length, and one token in it is no rate */
        if (inside(&s->series[i], from_s, to_s) && s->series[i].span_s >= EDGE)
            best = fmax(best, came(s, &s->series[i]) / s->series[i].span_s);
    return best;
}

enum row { ROW_FULL, ROW_LOW, ROW_EMPTY }; /* low: it has no more than its neighbour's share */
static enum row row_of(const struct stage_data *s, const struct series_row *r, double best)
{
    double n = came(s, r);
    if (r->in_flight <= 0 || n > STILL_SHARE * best * r->span_s) return ROW_FULL;
    return n > 0 ? ROW_LOW : ROW_EMPTY;
}

double steady_still(const struct stage_data *s, double from_s, double to_s, double *ret_at_s, double *ret_open)
{
    double best = best_row(s, from_s, to_s), longest = 0, span = 0, began = 0, open = 0, before = 0;
    for (size_t i = 0; i < s->n_series; i++) {
        const struct series_row *r = &s->series[i];
        if (!inside(r, from_s, to_s)) continue;
        enum row row = row_of(s, r, best);
        if (row == ROW_EMPTY && span <= 0) {
            began = r->t_s - before;
            span = before;
            open = 0;
        }
        if (row == ROW_EMPTY) open = fmax(open, r->in_flight);
        if (row == ROW_EMPTY || (row == ROW_LOW && span > 0)) span += r->span_s;
        if (span > longest) {
            longest = span;
            *ret_at_s = began;
            *ret_open = open;
        }
        if (row != ROW_EMPTY) span = 0;
        before = row == ROW_LOW ? r->span_s : 0;
    }
    return longest;
}

/* The end of the last row in which something became due. */
static double last_due(const struct stage_data *s)
{
    double last = 0;
    for (size_t i = 0; i < s->n_series; i++)
        if (s->series[i].agent < 0 && s->series[i].due > 0) last = s->series[i].t_s;
    return last;
}

double steady_open_at_last(const struct stage_data *s)
{
    double open = 0, last = last_due(s);
    for (size_t i = 0; i < s->n_series; i++)
        if (s->series[i].agent < 0 && s->series[i].t_s <= last)
            open += s->series[i].due - s->series[i].done - s->series[i].failed;
    return open;
}

bool steady_times_grew(const struct stage_data *s)
{
    double at_once = 0, open[2] = {0}, ended[2] = {0}, last = last_due(s);
    for (size_t i = 0; i < s->n_series; i++) {
        const struct series_row *r = &s->series[i];
        bool late = r->t_s > (1 - ENDS_PART) * last;
        if (r->agent >= 0 || r->t_s > last) continue;
        at_once += r->due - r->done - r->failed;
        if (!late && r->t_s > ENDS_PART * last) continue;
        open[late] += at_once;
        ended[late] += r->done + r->failed;
    }
    return ended[0] > 0 && open[1] * ended[0] > QUEUE_GREW * open[0] * ended[1];
}

bool steady_waits_grew(const struct stage_data *s)
{
    double sum[2] = {0}, n[2] = {0}, end = 0;
    for (size_t i = 0; i < s->n_series; i++)
        if (s->series[i].agent < 0 && s->series[i].ttft_p50_ms > 0) end = s->series[i].t_s;
    for (size_t i = 0; i < s->n_series; i++) {
        const struct series_row *r = &s->series[i];
        bool late = r->t_s > (1 - ENDS_PART) * end;
        if (r->agent >= 0 || !(r->ttft_p50_ms > 0) || (!late && r->t_s > ENDS_PART * end)) continue;
        sum[late] += r->ttft_p50_ms;
        n[late]++;
    }
    return n[0] == 0 || n[1] == 0 || sum[1] / n[1] > QUEUE_GREW * sum[0] / n[0];
}
