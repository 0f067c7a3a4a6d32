#include "coordinator/answer/gate_check.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/human.h"
#include "common/rng.h"
#include "coordinator/answer/figure.h"
#include "coordinator/answer/numeric.h"
#include "coordinator/answer/resample.h"

#define SHARE_NEEDS_MOST 1e9 /* requests */

struct gate_reading {
    double value, lo, hi;
    bool needs_interval; /* the value is an estimate: without an interval it decides nothing */
    bool no_memory;
};

const char *gate_result_name(enum gate_result r)
{
    static const char *const names[] = {"pass", "fail", "inconclusive"};
    return names[r];
}

static void quantile_of_hist(const struct plan_gate *gate, const struct point *p, const struct hist *h,
                             struct gate_reading *r)
{
    double scale = METRICS[gate->metric].scale;
    bool enough = h->count >= samples_needed(gate->q);
    if (isnan(r->value) && enough) r->value = (double)hist_quantile(h, gate->q) / scale;
    if (!stat_independent(gate->metric)) {
        double from = p->cut[gate->metric] ? p->blocks_from_s : -HUGE_VAL;
        uint64_t seed = rng_mix(p->seed, p->stage, p->repeat, (uint64_t)gate->metric);
        if (p->data && !isnan(r->value) &&
            resample_quantile(p->data, gate->metric, from, seed, gate->q, r->value, &r->lo, &r->hi))
            r->no_memory = true;
        r->needs_interval = !isnan(r->lo); /* too little to resample: the value is all there is */
        return;
    }
    uint64_t lo, hi;
    rank_interval(h->count, gate->q, 0.05, &lo, &hi);
    if (!enough || !lo) {
        lo = rank_below(h->count, gate->q, 0.05);
        hi = 0;
    }
    if (lo) r->lo = (double)hist_bucket_low(hist_index(hist_at_rank(h, lo))) / scale;
    if (hi) r->hi = (double)hist_at_rank(h, hi) / scale;
}

/* Reads any percentile, also one that the tables do not print. A sample that is too small gives no value, but its lower
 * bound may still show that the limit is broken. */
static struct gate_reading read_quantile(const struct plan_gate *gate, const struct point *p)
{
    struct gate_reading r = {NAN, NAN, NAN, true, false};
    for (int i = 0; i < POINT_Q; i++) {
        if (fabs(POINT_QS[i] - gate->q) > 1e-9) continue;
        const struct metric_stat *s = &p->metric[gate->metric];
        r = (struct gate_reading){s->q[i], s->q_lo[i], s->q_hi[i], true, false};
    }
    if (!isnan(r.lo)) return r;
    struct hist *left = NULL;
    if (p->cut[gate->metric] && p->data && resample_hist(p->data, gate->metric, p->blocks_from_s, &left))
        r.no_memory = true;
    const struct hist *h = left ? left : p->hist ? p->hist[gate->metric] : NULL;
    if (h && h->count) quantile_of_hist(gate, p, h, &r);
    hist_destroy(&left);
    return r;
}

/* With requests that were cut off a sample has two ends: they may have ended at their age, or never. The value and the
 * lower end go by the first, the upper end by the second. */
static struct gate_reading read_cut(const struct plan_gate *gate, const struct hist *h, const struct hist *cut)
{
    struct gate_reading r = {NAN, NAN, INFINITY, true, false};
    struct hist *all = hist_copy(cut);
    double scale = METRICS[gate->metric].scale;
    uint64_t lo, hi, n = cut->count + (h ? h->count : 0);
    if (all && (!h || hist_merge(all, h) == 0)) {
        if (n >= samples_needed(gate->q)) r.value = (double)hist_quantile(all, gate->q) / scale;
        rank_interval(n, gate->q, 0.05, &lo, &hi);
        if (isnan(r.value) || !lo) lo = rank_below(n, gate->q, 0.05);
        if (lo) r.lo = (double)hist_bucket_low(hist_index(hist_at_rank(all, lo))) / scale;
        if (h && !isnan(r.value) && hi && hi <= h->count) r.hi = (double)hist_at_rank(h, hi) / scale;
    } else
        r.no_memory = true;
    hist_destroy(&all);
    return r;
}

static struct gate_reading read_metric(const struct plan_gate *gate, const struct point *p)
{
    const struct metric_stat *s = &p->metric[gate->metric];
    const struct hist *cut = point_cut(p, gate->metric);
    double n = cut ? (double)(s->count + cut->count) : 0, scale = METRICS[gate->metric].scale;
    switch (gate->agg) {
    case AGG_MEAN:
        if (cut) { /* the mean is at least this */
            double sum = (s->count ? s->mean * (double)s->count : 0) + hist_sum(cut) / scale;
            return (struct gate_reading){sum / n, sum / n, INFINITY, true, false};
        }
        return (struct gate_reading){s->mean, s->mean_lo, s->mean_hi, false, false};
    case AGG_MIN:
        return (struct gate_reading){s->min, NAN, NAN, false, false};
    case AGG_MAX:
        if (cut) {
            double least = fmax(s->max, (double)cut->max / scale); /* fmax passes over NaN */
            return (struct gate_reading){least, least, INFINITY, true, false};
        }
        return (struct gate_reading){s->max, NAN, NAN, false, false};
    case AGG_QUANTILE:
        if (cut) return read_cut(gate, p->hist[gate->metric], cut);
        break;
    }
    return read_quantile(gate, p);
}

static struct gate_reading read_gate(const struct plan_gate *gate, const struct point *p)
{
    if (gate->subject == GATE_METRIC) return read_metric(gate, p);
    struct reading r = figure_read(p, figure_of_gate(gate->subject));
    return (struct gate_reading){r.value, r.lo, r.hi, false, false};
}

static bool holds(enum gate_op op, double v, double limit)
{
    switch (op) {
    case OP_LT:
        return v < limit;
    case OP_LE:
        return v <= limit;
    case OP_GT:
        return v > limit;
    case OP_GE:
        return v >= limit;
    }
    return false;
}

/* How much larger a sample would have to be for its interval to clear the limit: widths shrink with the root. */
static double larger(const struct gate_outcome *o, double limit, bool upper)
{
    double far_end = upper ? o->hi : o->lo, room = fabs(limit - o->value);
    return isfinite(far_end) && room > 0 ? pow(fabs(far_end - o->value) / room, 2) : (double)NAN;
}

/* Is a share that is seen in n requests clear of the limit? */
static bool is_clear(double share, double n, double limit)
{
    double k = share * n;
    return share < limit ? beta_quantile(k + 1, n - k, 0.975) < limit : beta_quantile(k, n - k + 1, 0.025) > limit;
}

/* Requests after which a share of errors is clear of the limit, if it stays what it is; NAN: too many to tell. */
static double share_needs(double share, double had, double limit)
{
    double few = had, n = 2 * had;
    if (!(share >= 0 && share < 1 && limit > 0 && limit < 1) || share == limit) return NAN;
    while (!is_clear(share, n, limit)) {
        if (n > SHARE_NEEDS_MOST) return NAN;
        few = n;
        n *= 2;
    }
    while (n - few > 1) {
        double mid = (few + n) / 2;
        if (is_clear(share, mid, limit))
            n = mid;
        else
            few = mid;
    }
    return n;
}

static void what_decides(const struct plan_gate *gate, const struct point *p, double limit, struct gate_outcome *o)
{
    bool upper = gate->op == OP_LT || gate->op == OP_LE, errors = gate->subject == GATE_ERROR_RATE;
    bool counted = errors || (gate->subject == GATE_METRIC && stat_independent(gate->metric));
    double had = errors                         ? (double)point_ended(p)
                 : gate->subject == GATE_METRIC ? (double)p->metric[gate->metric].count
                                                : (double)NAN;
    double least = gate->subject == GATE_METRIC && gate->agg == AGG_QUANTILE ? (double)samples_needed(gate->q) : 0;
    double factor = errors ? share_needs(o->value, had, limit) / had : larger(o, limit, upper);
    if (had > 0 && had < least) factor = fmax(least / had, factor); /* fmax passes over NaN */
    if (!(factor > 1)) return;
    if (counted && had > 0) {
        o->had = had;
        o->needs = ceil(had * factor);
    }
    if (p->window_s > 0) o->needs_s = p->window_s * factor;
}

const char *gate_unit(const struct plan_gate *gate)
{
    const char *unit =
        gate->subject == GATE_METRIC ? METRICS[gate->metric].unit : FIGURES[figure_of_gate(gate->subject)].unit;
    return strcmp(unit, "1/s") == 0 ? "requests/s" : unit;
}

const char *gate_value_words(const struct plan_gate *gate, double v, char *buf, size_t n)
{
    char number[HUMAN_MAX];
    if (gate->subject == GATE_ERROR_RATE)
        (void)snprintf(buf, n, "%s", human_percent(v, number));
    else
        (void)snprintf(buf, n, "%s%s%s", human_number(v, number), isfinite(v) ? " " : "",
                       isfinite(v) ? gate_unit(gate) : "");
    return buf;
}

#define PUT(...) at += at < n ? (size_t)snprintf(buf + at, n - at, __VA_ARGS__) : 0
/* No further sample would decide it: why. */
static bool words_hopeless(const struct gate_outcome *o, const struct point *p, char *buf, size_t n)
{
    bool invalid = p->verdict.status == VERDICT_INVALID;
    bool none = o->gate->subject == GATE_METRIC && p->metric[o->gate->metric].count == 0;
    if (invalid)
        (void)snprintf(buf, n, ": the point is invalid");
    else if (o->never)
        (void)snprintf(buf, n, ": %s", o->never);
    else if (o->grows)
        (void)snprintf(buf, n,
                       ": the server did not keep up with the rate, and this grows with the length of the stage");
    else if (o->gone)
        (void)snprintf(buf, n, ": the server was gone before the window's end, and requests that failed are not in it");
    else if (none)
        (void)snprintf(buf, n, ": there is no sample of %s", METRICS[o->gate->metric].name);
    return invalid || o->never || o->grows || o->gone || none;
}

/* What would decide it. */
static void words_undecided(const struct gate_outcome *o, const struct point *p, char *buf, size_t n)
{
    char needs[HUMAN_THINGS_MAX], q[HUMAN_MAX], had[HUMAN_MAX], seconds[HUMAN_MAX];
    size_t at = 0;
    buf[0] = '\0';
    if (words_hopeless(o, p, buf, n)) return;
    if (isfinite(o->needs) && o->gate->agg == AGG_QUANTILE && o->gate->subject == GATE_METRIC)
        PUT(": p%s needs %s, had %s", human_plain(100 * o->gate->q, q), human_things(o->needs, "request", needs),
            human_number(o->had, had));
    else if (isfinite(o->needs))
        PUT(": it needs about %s, had %s", human_things(o->needs, "request", needs), human_number(o->had, had));
    else if (isinf(o->hi) && p->unsent_share > 0)
        PUT(": requests that waited for load.max_concurrency and were never sent leave it open");
    else if (isinf(o->hi))
        PUT(": requests that the drain's end cut off leave it open; a longer load.drain would show them");
    if (isfinite(o->needs_s))
        PUT("%s about %s s at this load", isfinite(o->needs) ? ":" : ": it needs",
            human_number(ceil(o->needs_s), seconds));
}

/* Too few samples for a value: what is known of it may still break the limit. */
static bool is_bound(const struct gate_outcome *o)
{
    return !isfinite(o->value) && o->result == GATE_FAIL && (isfinite(o->lo) || isfinite(o->hi));
}

const char *gate_reading_words(const struct gate_outcome *o, char *buf, size_t n)
{
    char value[HUMAN_MAX + 16];
    buf[0] = '\0';
    if (isfinite(o->value)) return gate_value_words(o->gate, o->value, buf, n);
    if (is_bound(o))
        (void)snprintf(buf, n, "%s %s", isfinite(o->lo) ? "at least" : "at most",
                       gate_value_words(o->gate, isfinite(o->lo) ? o->lo : o->hi, value, sizeof value));
    return buf;
}

/* Under a cap that the rate was too much for, a latency from sent leaves out most of what a user waits. */
static bool from_sent(const struct plan_gate *gate, const struct point *p)
{
    bool whole = gate->metric == METRIC_TTFT || gate->metric == METRIC_TTFC || gate->metric == METRIC_E2E ||
                 gate->metric == METRIC_NORMALIZED;
    return gate->subject == GATE_METRIC && whole && p->unsent_share > 0;
}

const char *gate_words(const struct gate_outcome *o, const struct point *p, char *buf, size_t n)
{
    char value[HUMAN_MAX + 24], lo[HUMAN_MAX + 16], hi[HUMAN_MAX + 16];
    size_t at = 0;
    buf[0] = '\0';
    PUT("%s", gate_reading_words(o, value, sizeof value));
    if (isfinite(o->lo) && isfinite(o->hi))
        PUT(" (95 %%: %s to %s)", gate_value_words(o->gate, o->lo, lo, sizeof lo),
            gate_value_words(o->gate, o->hi, hi, sizeof hi));
    if (o->result == GATE_PASS && from_sent(o->gate, p)) PUT("; the wait for load.max_concurrency is not in it");
    if (o->result != GATE_INCONCLUSIVE) return buf;
    PUT("%sinconclusive", at ? "; " : "");
    if (at < n) words_undecided(o, p, buf + at, n - at);
    return buf;
}
#undef PUT

/* At a rate that the server does not keep up with, requests wait ever longer: at the server, or, under a cap, before
 * they are sent. */
static bool grows_with_stage(const struct plan_gate *gate, const struct point *p)
{
    if (gate->subject != GATE_METRIC) return false;
    switch (gate->metric) {
    case METRIC_TTFT_DUE:
    case METRIC_E2E_DUE:
        return p->outrun || p->overrun;
    case METRIC_TTFT:
    case METRIC_TTFC:
    case METRIC_E2E:
    case METRIC_NORMALIZED:
        return p->outrun;
    default:
        return false;
    }
}

/* The server was gone, and with it the requests among which the gated value would lie. */
static bool lies_beyond(const struct plan_gate *gate, const struct point *p)
{
    bool latency = gate->subject == GATE_METRIC && gate->agg != AGG_MIN;
    double beyond = gate->agg == AGG_QUANTILE ? (1 - gate->q) * (double)point_ended(p) : 0;
    return latency && p->gone && (double)point_errors(p) > beyond;
}

void gate_check(const struct plan_gate *gate, const struct point *p, struct gate_outcome *ret)
{
    struct gate_reading r = read_gate(gate, p);
    double limit = gate->subject == GATE_METRIC ? gate->value / METRICS[gate->metric].scale : gate->value;
    bool upper = gate->op == OP_LT || gate->op == OP_LE; /* the limit is an upper one */
    double far_end = upper ? r.hi : r.lo, near_end = upper ? r.lo : r.hi;
    *ret = (struct gate_outcome){.gate = gate,
                                 .value = r.value,
                                 .lo = r.lo,
                                 .hi = r.hi,
                                 .no_memory = r.no_memory,
                                 .result = GATE_INCONCLUSIVE,
                                 .needs = NAN,
                                 .had = NAN,
                                 .needs_s = NAN};
    if (!isnan(near_end) && !holds(gate->op, near_end, limit))
        ret->result = GATE_FAIL;
    else if (isnan(r.value))
        ret->result = GATE_INCONCLUSIVE;
    else if (!isnan(far_end))
        ret->result = holds(gate->op, far_end, limit) ? GATE_PASS : GATE_INCONCLUSIVE;
    else if (!r.needs_interval)
        ret->result = holds(gate->op, r.value, limit) ? GATE_PASS : GATE_FAIL;
    if (ret->result == GATE_INCONCLUSIVE) what_decides(gate, p, limit, ret);
    ret->grows = ret->result == GATE_PASS && upper && grows_with_stage(gate, p);
    ret->gone = ret->result == GATE_PASS && upper && lies_beyond(gate, p);
    if (ret->grows || ret->gone) ret->result = GATE_INCONCLUSIVE;
}

enum gate_result gates_at_point(uint32_t point, const struct gate_outcome *gates, size_t n)
{
    enum gate_result all = n ? GATE_PASS : GATE_INCONCLUSIVE;
    for (size_t i = 0; i < n; i++) {
        if (gates[i].point != point || gates[i].result == GATE_PASS) continue;
        if (gates[i].result == GATE_FAIL) return GATE_FAIL;
        all = GATE_INCONCLUSIVE;
    }
    return all;
}
