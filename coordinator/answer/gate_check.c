#include "coordinator/answer/gate_check.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/human.h"
#include "common/rng.h"
#include "coordinator/answer/figure.h"
#include "coordinator/answer/load_axis.h"
#include "coordinator/answer/numeric.h"
#include "coordinator/answer/resample.h"
#include "coordinator/answer/silence.h"

#define SHARE_NEEDS_MOST 1e9 /* requests */
#define MEAN_NEEDS 2         /* for an interval */

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
    if (!enough || !lo) { /* the end on the side of the many shows a limit broken */
        lo = gate->q < 0.5 ? 0 : rank_below(h->count, gate->q, 0.05);
        hi = gate->q < 0.5 ? rank_above(h->count, gate->q, 0.05) : 0;
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

/* What a limit is held against beside the answers. */
struct beside {
    struct hist *known;     /* the answers' and those of requests cut off afterwards; NULL: the answers' are all */
    const struct hist *cut; /* slower than this; borrowed */
    struct hist *failed;    /* on the wrong side of the limit */
};

static bool is_upper(const struct plan_gate *gate)
{
    return gate->op == OP_LT || gate->op == OP_LE;
}

/* The first value that is over the limit. */
static int64_t just_over(const struct plan_gate *gate)
{
    return hist_bucket_low(hist_index((int64_t)gate->value) + 1);
}

uint64_t gate_failed_over(const struct plan_gate *gate, const struct point *p)
{
    const struct hist *h = is_upper(gate) ? point_failed(p, gate->metric) : NULL;
    if (gate->subject != GATE_METRIC || !point_is_of_answers(gate->metric)) return 0;
    if (!p->errors_gated) return p->window_failed + (point_has_waits(gate->metric) ? 0 : p->window_unanswered);
    return h ? h->count - hist_count_at_most(h, (int64_t)gate->value) : 0;
}

/* Failed requests that count against the limit, each at what it is known to have waited, or just over the limit. NULL:
 * none, or no memory. */
static struct hist *failed_over(const struct plan_gate *gate, const struct point *p, bool *no_memory)
{
    uint64_t all = gate_failed_over(gate, p), older = 0;
    const struct hist *h = is_upper(gate) ? point_failed(p, gate->metric) : NULL;
    struct hist *ret = all ? hist_new() : NULL;
    int rc = all && !ret ? -1 : 0;
    for (uint32_t i = 0; ret && h && rc == 0 && i < h->n; i++) {
        int64_t at = hist_bucket_high(h->lo + i);
        if (!h->counts[i] || h->lo + i <= hist_index((int64_t)gate->value)) continue;
        rc = hist_record(ret, at < h->max ? at : h->max, h->counts[i]);
        older += h->counts[i];
    }
    if (ret && rc == 0 && all > older) rc = hist_record(ret, is_upper(gate) ? just_over(gate) : 0, all - older);
    if (rc) {
        *no_memory = true;
        hist_destroy(&ret);
    }
    return ret;
}

/* With requests that were cut off a sample has two ends: they may have ended at their age, or never. The value and the
 * lower end go by the first, the upper end by the second. Failed ones are over an upper limit. */
static struct gate_reading read_beside(const struct plan_gate *gate, const struct hist *h, const struct beside *b)
{
    struct gate_reading r = {NAN, NAN, is_upper(gate) ? (double)INFINITY : (double)NAN, true, false};
    struct hist *all = hist_new();
    double scale = METRICS[gate->metric].scale;
    uint64_t lo, hi;
    if (!all || (h && hist_merge(all, h)) || (b->cut && hist_merge(all, b->cut)) ||
        (b->failed && hist_merge(all, b->failed))) {
        r.no_memory = true;
        hist_destroy(&all);
        return r;
    }
    int64_t value = hist_quantile(all, gate->q);
    if (all->count >= samples_needed(gate->q)) r.value = hist_index(value) == 0 ? 0 : (double)value / scale;
    rank_interval(all->count, gate->q, 0.05, &lo, &hi);
    if (isnan(r.value) || !lo) lo = rank_below(all->count, gate->q, 0.05);
    if (lo) r.lo = (double)hist_bucket_low(hist_index(hist_at_rank(all, lo))) / scale;
    const struct hist *ends = is_upper(gate) ? h : all;
    if (ends && !isnan(r.value) && hi && hi <= ends->count) r.hi = (double)hist_at_rank(ends, hi) / scale;
    hist_destroy(&all);
    return r;
}

/* Failed requests have their part in a mean, and its interval moves with it. Of those cut off it is at least this. */
static struct gate_reading mean_beside(const struct metric_stat *s, const struct beside *b, double scale)
{
    double n = (double)s->count, sum = s->count ? s->mean * n : 0;
    if (b->known) n = (double)b->known->count, sum = hist_sum(b->known) / scale;
    if (b->cut) n += (double)b->cut->count, sum += hist_sum(b->cut) / scale;
    if (b->failed) n += (double)b->failed->count, sum += hist_sum(b->failed) / scale;
    if (b->cut) return (struct gate_reading){sum / n, sum / n, INFINITY, true, false};
    double moved = sum / n - s->mean;
    return (struct gate_reading){sum / n, s->mean_lo + moved, s->mean_hi + moved, false, false};
}

static double most_of(const struct hist *h)
{
    return h ? (double)h->max : 0;
}

static struct gate_reading aggregate(const struct plan_gate *gate, const struct point *p, const struct beside *b)
{
    const struct metric_stat *s = &p->metric[gate->metric];
    double scale = METRICS[gate->metric].scale;
    bool any = b->cut || b->failed || b->known;
    double least = fmin(s->min, b->known ? (double)b->known->min / scale : HUGE_VAL), most = s->max;
    switch (gate->agg) {
    case AGG_MEAN:
        if (any) return mean_beside(s, b, scale);
        return (struct gate_reading){s->mean, s->mean_lo, s->mean_hi, stat_independent(gate->metric), false};
    case AGG_MIN:
        return (struct gate_reading){b->failed && !is_upper(gate) ? 0 : least, NAN, NAN, false, false};
    case AGG_MAX:
        most = fmax(most, most_of(b->known) / scale); /* fmax passes over NaN */
        if (!is_upper(gate) || !(b->cut || b->failed)) return (struct gate_reading){most, NAN, NAN, false, false};
        most = fmax(most, fmax(most_of(b->cut), most_of(b->failed)) / scale);
        return (struct gate_reading){most, most, INFINITY, true, false};
    case AGG_QUANTILE:
        if (any) return read_beside(gate, b->known ? b->known : p->hist ? p->hist[gate->metric] : NULL, b);
        break;
    }
    return read_quantile(gate, p);
}

/* From due a first token came no later than from sent and the latest that any request was sent: where that is on the
 * same side of the limit, no more has to be known. */
static bool is_decided(const struct plan_gate *gate, const struct point *p, const struct hist *within)
{
    const struct hist *late = p->hist[METRIC_LATENESS];
    int64_t limit = (int64_t)gate->value;
    return gate->metric == METRIC_TTFT_DUE && late && late->count && late->max < limit &&
           hist_count_at_most(within, limit) == hist_count_at_most(within, limit - late->max);
}

/* All that were cut off, and what each is known to be slower than. ret_both: the caller's; NULL where one part is all.
 */
static const struct hist *cut_off(const struct hist *cut, const struct hist *within, struct hist **ret_both,
                                  bool *no_memory)
{
    if (!cut || !within) return cut ? cut : within;
    *ret_both = hist_copy(cut);
    if (!*ret_both || hist_merge(*ret_both, within)) *no_memory = true;
    return *ret_both;
}

/* at_least: the value may be a greater one. */
static struct gate_reading read_metric(const struct plan_gate *gate, const struct point *p, bool *at_least)
{
    bool no_memory = false;
    const struct hist *ok = p->hist ? p->hist[gate->metric] : NULL, *after = point_cut_after(p, gate->metric),
                      *within = point_cut_within(p, gate->metric);
    struct hist *both = NULL;
    if (within && is_decided(gate, p, within)) after = within, within = NULL;
    struct beside b = {.known = after ? hist_copy(after) : NULL,
                       .cut = is_upper(gate) ? cut_off(point_cut(p, gate->metric), within, &both, &no_memory) : NULL,
                       .failed = failed_over(gate, p, &no_memory)};
    if (after && (!b.known || (ok && hist_merge(b.known, ok)))) no_memory = true;
    struct gate_reading r = aggregate(gate, p, &b);
    r.no_memory |= no_memory;
    double v = r.value * METRICS[gate->metric].scale;
    *at_least = is_upper(gate) && ((b.cut && v >= (double)b.cut->min) || (b.failed && v >= (double)b.failed->min) ||
                                   (gate->agg == AGG_MEAN && (b.cut || b.failed)));
    hist_destroy(&b.failed);
    hist_destroy(&b.known);
    hist_destroy(&both);
    return r;
}

static struct gate_reading read_gate(const struct plan_gate *gate, const struct point *p, bool *at_least)
{
    *at_least = false;
    if (gate->subject == GATE_METRIC) return read_metric(gate, p, at_least);
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
    if (!(share >= 0 && share <= 1 && limit > 0 && limit < 1) || share == limit) return NAN;
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

static uint64_t samples_of(const struct point *p, enum metric m)
{
    const struct hist *after = point_cut_after(p, m);
    return p->metric[m].count + (after ? after->count : 0);
}

/* Answers over an upper limit, or under a lower one. */
static double beyond_limit(const struct plan_gate *gate, const struct point *p, bool upper)
{
    const struct hist *h = p->hist ? p->hist[gate->metric] : NULL;
    if (!h) return 0;
    uint64_t under = hist_count_at_most(h, (int64_t)gate->value);
    return (double)(upper ? h->count - under : under);
}

/* Requests that were cut off, where all of them are over an upper limit already: more time would tell no more of them.
 */
static double cut_beyond(const struct plan_gate *gate, const struct point *p)
{
    const struct hist *h[] = {point_cut(p, gate->metric), point_cut_within(p, gate->metric)};
    double n = 0;
    for (size_t i = 0; i < sizeof h / sizeof *h; i++) {
        if (!h[i]) continue;
        if (hist_count_at_most(h[i], (int64_t)gate->value)) return 0;
        n += (double)h[i]->count;
    }
    return n;
}

static void what_decides(const struct plan_gate *gate, const struct point *p, double limit, struct gate_outcome *o)
{
    bool upper = is_upper(gate), errors = gate->subject == GATE_ERROR_RATE;
    bool counted = errors || (gate->subject == GATE_METRIC && stat_independent(gate->metric));
    double had = errors                         ? (double)point_ended(p)
                 : gate->subject == GATE_METRIC ? (double)samples_of(p, gate->metric)
                                                : (double)NAN;
    double least =
        gate->subject != GATE_METRIC || gate->agg != AGG_QUANTILE ? MEAN_NEEDS : (double)samples_needed(gate->q);
    bool quantile = gate->subject == GATE_METRIC && gate->agg == AGG_QUANTILE && counted;
    double over = quantile && upper ? (double)o->failed + cut_beyond(gate, p) : 0;
    had += over;
    /* the share of requests beyond the limit decides: between two groups of latencies an interval's width says nothing
     */
    double beyond = quantile ? beyond_limit(gate, p, upper) + over : 0;
    double factor = errors       ? share_needs(o->value, had, limit) / had
                    : beyond > 0 ? share_needs(beyond / had, had, upper ? 1 - gate->q : gate->q) / had
                                 : larger(o, limit, upper);
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
    bool none = o->gate->subject == GATE_METRIC && samples_of(p, o->gate->metric) == 0;
    char users[HUMAN_THINGS_MAX];
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
    else if (o->hung)
        (void)snprintf(buf, n,
                       ": the requests keep it, but %u of %s got no answer, and in a closed loop they are the fewer "
                       "of the requests the longer the stage is",
                       p->users.hung, human_things(p->users.n, "user", users));
    return invalid || o->never || o->grows || o->gone || none || o->hung;
}

static const char *words_cut(const struct point *p)
{
    if (p->window_cut && p->window_cut == p->earlier_cut)
        return "waited through the whole window leave it open; a longer load.duration would show them";
    return p->window_cut ? "the drain's end cut off leave it open; a longer load.drain would show them"
                         : "load.cancel took back leave it open";
}

/* Why a value has no upper end, where the number of samples is not known that would decide it. */
static const char *words_open(const struct gate_outcome *o, const struct point *p)
{
    if (p->unsent_share > 0) return "requests that waited for load.max_concurrency and were never sent leave it open";
    if (point_cut(p, o->gate->metric) || point_cut_within(p, o->gate->metric)) return NULL;
    return "too few requests, of which some failed";
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
    else if (isinf(o->hi)) {
        const char *open = words_open(o, p);
        PUT(": %s%s", open ? "" : "requests that ", open ? open : words_cut(p));
    }
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
    if (isfinite(o->value)) {
        (void)snprintf(buf, n, "%s%s", o->bound ? o->bound : "",
                       gate_value_words(o->gate, o->value, value, sizeof value));
        return buf;
    }
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

/* Failed requests that the value counts. Returns the words' length. */
static size_t words_failed(const struct gate_outcome *o, const struct point *p, bool follows, char *buf, size_t n)
{
    char failed[HUMAN_THINGS_MAX];
    size_t at = 0;
    const char *thing = o->failed > p->window_failed ? "failed or unanswered request" : "failed request";
    const char *count = o->failed == 1 ? "counts as beyond the limit" : "count as beyond the limit";
    if (o->failed)
        PUT("%s%s %s", follows ? "; " : "", human_things((double)o->failed, thing, failed),
            p->errors_gated ? "had waited longer than the limit" : count);
    return at;
}

/* A share of the requests that is kept, and a share of the users of a closed loop that is not. */
static size_t words_users(const struct gate_outcome *o, const struct point *p, char *buf, size_t n)
{
    char share[HUMAN_MAX];
    double unserved = p->users.unserved / p->users.n;
    bool told = o->result == GATE_PASS && o->gate->subject == GATE_ERROR_RATE && unserved > o->gate->value;
    if (!told) return 0;
    return (size_t)snprintf(buf, n, "; such requests took %s of the users' time", human_percent(unserved, share));
}

/* Which requests the value is of, where that is not plain. Returns the words' length. */
static size_t words_counted(const struct gate_outcome *o, const struct point *p, bool follows, char *buf, size_t n)
{
    char cut[HUMAN_THINGS_MAX];
    size_t at = 0;
    if (o->together) PUT("%skept by all runs of this load together", follows ? "; " : "");
    if (o->result == GATE_PASS && from_sent(o->gate, p)) PUT("; the wait for load.max_concurrency is not in it");
    const struct hist *after = o->gate->subject == GATE_METRIC ? point_cut_after(p, o->gate->metric) : NULL;
    if (after)
        PUT("%swith %s cut off after the first token", at || follows ? "; " : "",
            human_things((double)after->count, "request", cut));
    return at < n ? at + words_failed(o, p, at || follows, buf + at, n - at) : at;
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
    if (at < n) at += words_counted(o, p, at > 0, buf + at, n - at);
    if (at < n) at += words_users(o, p, buf + at, n - at);
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
    case METRIC_SESSION_TIME: /* the turns' waits are in it */
        return p->outrun || p->overrun;
    case METRIC_TTFT:
    case METRIC_TTFC:
    case METRIC_E2E:
    case METRIC_NORMALIZED:
    case METRIC_TTFT_FIRST_TURN:
    case METRIC_TTFT_SECOND_TURN:
    case METRIC_TTFT_LATER_TURNS:
    case METRIC_E2E_FIRST_TURN:
    case METRIC_E2E_SECOND_TURN:
    case METRIC_E2E_LATER_TURNS:
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

bool gate_users_hung(const struct plan_gate *gate, const struct point *p)
{
    bool errors = gate->subject == GATE_ERROR_RATE;
    bool share = errors || (gate->subject == GATE_METRIC && gate->agg == AGG_QUANTILE);
    double hung = p->users.hung;
    if (!share || !is_upper(gate) || !(hung > 0)) return false;
    if (!errors) { /* those that are known to be over the limit */
        const struct hist *cut = point_cut(p, gate->metric);
        uint64_t over = cut ? cut->count - hist_count_at_most(cut, (int64_t)gate->value) : 0;
        hung = fmin(hung, (double)(over + gate_failed_over(gate, p)));
    }
    return hung > (errors ? gate->value : 1 - gate->q) * p->users.n;
}

/* The value lies among requests of which nothing is known but that they count as over the limit. */
static bool is_just_over(const struct plan_gate *gate, const struct point *p, double value)
{
    return gate->subject == GATE_METRIC && is_upper(gate) && !p->errors_gated && gate_failed_over(gate, p) &&
           isfinite(value) && hist_index((int64_t)(value * METRICS[gate->metric].scale)) == hist_index(just_over(gate));
}

void gate_check(const struct plan_gate *gate, const struct point *p, struct gate_outcome *ret)
{
    bool at_least;
    struct gate_reading r = read_gate(gate, p, &at_least);
    double limit = gate->subject == GATE_METRIC ? gate->value / METRICS[gate->metric].scale : gate->value;
    bool upper = is_upper(gate);
    double far_end = upper ? r.hi : r.lo, near_end = upper ? r.lo : r.hi;
    *ret = (struct gate_outcome){.gate = gate,
                                 .value = r.value,
                                 .lo = r.lo,
                                 .hi = r.hi,
                                 .no_memory = r.no_memory,
                                 .bound = at_least ? "at least " : NULL,
                                 .failed = gate_failed_over(gate, p),
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
    if (is_just_over(gate, p, r.value)) ret->bound = "over ", ret->value = limit;
    if (ret->result == GATE_INCONCLUSIVE) what_decides(gate, p, limit, ret);
    ret->grows = ret->result == GATE_PASS && upper && grows_with_stage(gate, p);
    ret->gone = ret->result == GATE_PASS && upper && lies_beyond(gate, p);
    ret->hung = ret->result == GATE_PASS && gate_users_hung(gate, p);
    if (ret->grows || ret->gone || ret->hung) ret->result = GATE_INCONCLUSIVE;
}

bool gate_is_clear(const struct gate_outcome *o, const struct point *p)
{
    const struct metric_stat *e2e = &p->metric[METRIC_E2E];
    bool good = o->gate->subject == GATE_GOODPUT;
    if (o->result == GATE_INCONCLUSIVE) return false;
    if (!good && o->gate->subject != GATE_REQUESTS_PER_S) return true;
    if (!e2e->count) return p->window_failed > 0;
    double half = norm_quantile(0.975) * load_noise(p, good ? p->window_good : p->window_done);
    return fabs(o->value - o->gate->value) > o->value * half && p->window_s * 1e3 >= STAGE_ANSWERS * e2e->mean;
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
