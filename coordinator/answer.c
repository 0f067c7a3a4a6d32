#include "coordinator/answer.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define KNEE 0.95
#define FLAT_PER_DOUBLING 0.05 /* a doubling of the load that adds less than this has reached the plateau */

/* A point that may carry a headline: the client was not the limit, and it was not seen to drift. */
static bool usable(const struct point *p)
{
    return p->verdict.status != VERDICT_INVALID && p->steady != STEADY_NO && p->output_tokens_per_s > 0 && p->concurrency > 0;
}

static double load_of(const struct point *p) { return p->requested.kind == LOAD_OPEN ? p->arrivals_per_s : p->concurrency; }
static const char *load_unit(const struct point *p) { return p->requested.kind == LOAD_OPEN ? "requests/s" : "concurrent requests"; }

static const struct point *best_of(const struct point *points, size_t n)
{
    const struct point *best = NULL;
    for (size_t i = 0; i < n; i++)
        if (usable(&points[i]) && (!best || points[i].output_tokens_per_s > best->output_tokens_per_s)) best = &points[i];
    return best;
}

static void plateau_compute(const struct point *points, size_t n, struct answer *a)
{
    const struct point *best = best_of(points, n), *knee = NULL, *last = NULL, *power = NULL;
    size_t used = 0;
    double power_best = 0;
    for (size_t i = 0; i < n; i++) {
        const struct point *p = &points[i];
        if (!usable(p)) continue;
        used++;
        if (!last || load_of(p) > load_of(last)) last = p;
        if (p->output_tokens_per_s >= KNEE * best->output_tokens_per_s && (!knee || load_of(p) < load_of(knee))) knee = p;
        double e2e = p->metric[METRIC_E2E].mean;
        if (e2e > 0 && p->output_tokens_per_s / e2e > power_best) {
            power_best = p->output_tokens_per_s / e2e;
            power = p;
        }
    }
    if (used < 3 || !best || !knee || !last) return;
    a->has_plateau = true;
    a->plateau = best->output_tokens_per_s;
    a->plateau_lo = best->output_lo;
    a->plateau_hi = best->output_hi;
    a->knee = load_of(knee);
    a->power_load = power ? load_of(power) : (double)NAN;
    a->plateau_reached = load_of(last) >= 1.5 * load_of(knee);
    double a50 = knee->metric[METRIC_E2E].q[0], b50 = last->metric[METRIC_E2E].q[0], doublings = log2(load_of(last) / load_of(knee));
    a->latency_per_doubling = doublings > 0.5 && a50 > 0 ? pow(b50 / a50, 1 / doublings) : (double)NAN;
}

static bool passes(size_t point, const struct gate_outcome *gates, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (gates[i].point == point && gates[i].result != GATE_PASS) return false;
    return n > 0;
}

static void slo_compute(const struct point *points, size_t n, const struct gate_outcome *gates, size_t n_gates, struct answer *a)
{
    const struct point *best = NULL;
    for (size_t i = 0; i < n; i++) {
        if (!usable(&points[i]) || !passes(i, gates, n_gates)) continue;
        if (best && points[i].output_tokens_per_s <= best->output_tokens_per_s) continue;
        best = &points[i];
        a->slo_point = (uint32_t)i;
    }
    if (!best) return;
    a->has_slo = true;
    a->slo_load = load_of(best);
    a->slo_tokens_per_s = best->output_tokens_per_s;
    a->slo_lo = best->output_lo;
    a->slo_hi = best->output_hi;
}

/* Appends; what does not fit is cut. */
__attribute__((format(printf, 2, 3))) static void say(struct answer *a, const char *fmt, ...)
{
    size_t n = strlen(a->text);
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(a->text + n, sizeof a->text - n, fmt, ap);
    va_end(ap);
}

/* 7,940 */
static const char *grouped(double v, char *buf, size_t n)
{
    char raw[32];
    snprintf(raw, sizeof raw, v < 100 ? "%.1f" : "%.0f", v);
    size_t whole = strcspn(raw, "."), out = 0;
    for (size_t i = 0; raw[i] && out + 2 < n; i++) {
        if (i > 0 && i < whole && (whole - i) % 3 == 0) buf[out++] = ',';
        buf[out++] = raw[i];
    }
    buf[out] = '\0';
    return buf;
}

static void say_rate(struct answer *a, double v, double lo, double hi)
{
    char b[3][40];
    say(a, "%s output token/s", grouped(v, b[0], sizeof b[0]));
    if (!isnan(lo) && !isnan(hi)) say(a, " (95 %%: %s–%s)", grouped(lo, b[1], sizeof b[1]), grouped(hi, b[2], sizeof b[2]));
}

static void words(const struct run_data *run, const struct point *points, size_t n, struct answer *a)
{
    char b[40];
    const char *unit = n ? load_unit(&points[0]) : "";
    if (a->has_plateau) {
        say(a, a->plateau_reached ? "Plateau: " : "Plateau not reached: at least ");
        say_rate(a, a->plateau, a->plateau_lo, a->plateau_hi);
        say(a, " from %s %s on. ", grouped(a->knee, b, sizeof b), unit);
    }
    if (a->has_slo) {
        say(a, "Within ");
        for (size_t i = 0; run && run->plan && i < run->plan->n_gates; i++) say(a, "%s%s", i ? " and " : "", run->plan->gates[i].text);
        say(a, ": ");
        say_rate(a, a->slo_tokens_per_s, a->slo_lo, a->slo_hi);
        say(a, " at %s %s. ", grouped(a->slo_load, b, sizeof b), unit);
    }
    if (a->has_plateau && a->plateau_reached && !isnan(a->latency_per_doubling))
        say(a, "Past %s, requests wait: each doubling multiplies latency by %.1f. ", grouped(a->knee, b, sizeof b), a->latency_per_doubling);
    if (a->worst_verdict == VERDICT_VALID && n > 0)
        say(a, "Valid: the agents were never the limit (worst loop lag %.2g ms at p99).", a->worst_lag_ms);
    for (size_t i = 0; i < n && a->worst_verdict != VERDICT_VALID; i++) {
        const struct verdict *v = &points[i].verdict;
        if (v->status != a->worst_verdict || !v->n_reasons) continue;
        say(a, "%c%s: %s.", verdict_name(v->status)[0] - 'a' + 'A', verdict_name(v->status) + 1, v->reason[0]);
        break;
    }
}

void answer_compute(const struct run_data *run, const struct point *points, size_t n, const struct gate_outcome *gates, size_t n_gates, struct answer *ret)
{
    *ret = (struct answer){.plateau = NAN, .plateau_lo = NAN, .plateau_hi = NAN, .knee = NAN, .power_load = NAN, .rms_residual = NAN,
                           .slo_load = NAN, .slo_tokens_per_s = NAN, .slo_lo = NAN, .slo_hi = NAN, .latency_per_doubling = NAN};
    for (int i = 0; i < 3; i++) ret->param[i] = ret->param_lo[i] = ret->param_hi[i] = NAN;
    for (size_t i = 0; i < n; i++) {
        const struct hist *lag = points[i].hist ? points[i].hist[METRIC_LAG] : NULL;
        if (points[i].verdict.status > ret->worst_verdict) ret->worst_verdict = points[i].verdict.status;
        if (lag && lag->count) ret->worst_lag_ms = fmax(ret->worst_lag_ms, (double)hist_quantile(lag, 0.99) / 1e6);
    }
    plateau_compute(points, n, ret);
    slo_compute(points, n, gates, n_gates, ret);
    words(run, points, n, ret);
}
