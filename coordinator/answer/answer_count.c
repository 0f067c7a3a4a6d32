/* What all stages of a run together had: failures, counters, examples, time after the last token. */
#include "coordinator/answer/answer.h"

#include <math.h>

static void failures_compute(const struct point *points, size_t n, struct answer *a)
{
    uint64_t by[COUNTER_N] = {0};
    for (size_t i = 0; i < n; i++) {
        const struct point *p = &points[i];
        a->unanswered += p->window_unanswered;
        a->cut += p->window_cut;
        a->cut_within |= p->metric[METRIC_CUT_TTFT].count > 0;
        a->window_requests += point_due(p);
        a->window_failed += p->window_failed;
        a->requests += p->ledger.ok;
        a->cancelled += p->window_cancelled;
        a->cancelled_early += p->cancelled_early;
        a->window_due += p->window_due;
        if (p->window_unanswered) a->oldest_s = fmax(a->oldest_s, p->oldest_cut_s);
        if (p->window_cut) a->oldest_cut_s = fmax(a->oldest_cut_s, p->oldest_cut_s);
        if (p->window_hung + p->earlier_hung) a->slowest_s = fmax(a->slowest_s, p->slowest_s);
        a->hung += p->window_hung + p->earlier_hung;
        a->earlier += p->earlier_cut;
        if (p->earlier_cut) a->earlier_of += (uint64_t)llround(p->concurrency);
        for (int c = COUNTER_FAILED_FIRST; c <= COUNTER_FAILED_LAST; c++)
            by[c] += p->ledger.failed[c - COUNTER_FAILED_FIRST];
    }
    a->failed_by = COUNTER_FAILED_FIRST;
    for (int c = COUNTER_FAILED_FIRST; c <= COUNTER_FAILED_LAST; c++) {
        a->failed += by[c];
        if (by[c] > by[a->failed_by]) a->failed_by = (enum counter)c;
    }
    a->failed_by_n = by[a->failed_by];
    for (size_t i = 0; i < n && a->failed && !a->failed_first; i++)
        if (points[i].data)
            a->failed_first =
                failure_samples_find(&points[i].data->failures, (enum failure)(a->failed_by - COUNTER_FAILED_FIRST));
    a->requests += a->failed;
    a->bad = a->unanswered ? a->window_failed + a->cut : a->failed;
    a->bad_of = a->unanswered ? a->window_requests : a->requests;
    if (a->failed) failed_at_compute(points, n, FAILED_ENDED, &a->failed_at);
    if (a->unanswered) failed_at_compute(points, n, FAILED_CUT, &a->cut_at);
    if (a->bad) failed_at_compute(points, n, FAILED_BAD, &a->bad_at);
}

static void overrun_compute(const struct point *points, size_t n, struct answer *a)
{
    for (size_t i = 0; i < n; i++)
        if (points[i].overrun && points[i].requested.max_concurrency > a->overrun_cap)
            a->overrun_cap = points[i].requested.max_concurrency;
}

/* An agent under load wakes once in half a millisecond: tokens that come more slowly than this come alone, unless they
 * were sent together. */
#define GATHERED_TPOT_MS 2.0

static void counts_compute(const struct point *points, size_t n, struct answer *a)
{
    uint64_t gathered = 0, events = 0;
    for (size_t i = 0; i < n; i++) {
        if (!points[i].data) continue;
        const uint64_t *c = points[i].data->counters;
        a->answered += c[COUNTER_OK];
        if (points[i].metric[METRIC_TPOT].count && points[i].metric[METRIC_TPOT].q[0] >= GATHERED_TPOT_MS) {
            gathered += c[COUNTER_GATHERED];
            events += c[COUNTER_EVENTS];
        }
        counters_add(a->counters, c);
        for (int k = 0; k < REMARK_N; k++)
            if (!a->remark[k] && points[i].data->remarks.of[k].text[0]) a->remark[k] = &points[i].data->remarks.of[k];
        uint64_t good = c[COUNTER_EVENTS] > c[COUNTER_FAILED_TOKENS] ? c[COUNTER_EVENTS] - c[COUNTER_FAILED_TOKENS] : 0;
        a->events += good;
        if (good) a->events_tokens += c[COUNTER_TOKENS];
        if (!points[i].metric[METRIC_TPOT].count) continue;
        a->events_paced += good;
        a->tokens += c[COUNTER_TOKENS];
        a->tokens_seen += c[COUNTER_TOKENS_SEEN];
    }
    double rest = (double)a->counters[COUNTER_WIN_REST_NS];
    a->rest_share = rest / (rest + (double)a->counters[COUNTER_WIN_INFLIGHT_NS]);
    a->gathered = events ? (double)gathered / (double)events : (double)NAN;
}

/* Time after the last token that throughput pays for: the slot is taken, and no token comes. Of points that are invalid
 * too: it is the server's, and may be why. */
static void after_compute(const struct point *points, size_t n, struct answer *a)
{
    double held = 0, e2e = 0, tail = 0, requests = 0, tails = 0;
    for (size_t i = 0; i < n; i++) {
        const struct metric_stat *h = &points[i].metric[METRIC_HELD], *w = &points[i].metric[METRIC_E2E],
                                 *t = &points[i].metric[METRIC_TAIL];
        if (!h->count || !w->count) continue;
        held += h->mean * (double)h->count;
        e2e += w->mean * (double)h->count;
        requests += (double)h->count;
        if (t->count) tail += t->mean * (double)t->count;
        tails += (double)t->count;
    }
    if (requests > 0) a->after_ms = (held - e2e) / requests;
    if (held > 0) a->after_share = (held - e2e) / held;
    if (tails > 0) a->open_ms = tail / tails;
}

static void again_compute(const struct plan *plan, struct answer *a)
{
    if (plan->n_workloads != 1 || plan->workloads[0].source != SOURCE_DATASET || plan_has_sessions(plan)) return;
    if (plan->workloads[0].data.found.records == 0) return;
    a->records = (double)plan->workloads[0].data.found.records;
    a->records_sent = (double)a->requests / a->records;
}

#define TRACE_SHORT 0.05 /* of the time asked for, … */
#define TRACE_SHORT_S 2  /* … and so many seconds: a recording that ends sooner is told */

/* When the last request of a stage became due, to the second. */
static double last_due_s(const struct stage_data *s)
{
    double last = 0;
    for (size_t i = 0; i < s->n_series; i++)
        if (s->series[i].agent < 0 && s->series[i].due > 0) last = fmax(last, s->series[i].t_s + s->series[i].span_s);
    return last;
}

static void trace_compute(const struct plan *plan, const struct point *points, size_t n, struct answer *a)
{
    const struct plan_data *d = &plan->workloads[0].data;
    double part = d->to_ns > d->from_ns ? (double)(d->to_ns - d->from_ns) / 1e9 / (d->speed > 0 ? d->speed : 1) : 0;
    for (size_t i = 0; i < n; i++) {
        const struct plan_stage *s = &points[i].requested;
        double asked = s->duration_ns > 0 ? (double)s->duration_ns / 1e9 : part;
        if (s->kind != LOAD_OPEN || s->arrivals != ARRIVALS_RECORDED || !points[i].data) continue;
        bool all = s->requests && s->requests >= d->found.records; /* of the trace, and not fewer as the plan asks */
        double last = last_due_s(points[i].data);
        if (!all || points[i].ledger.due < s->requests || !(last > 0)) continue; /* something else ended it */
        if (asked - last < fmax(TRACE_SHORT_S, TRACE_SHORT * asked)) continue;
        if (a->trace.at)
            a->trace.more++;
        else
            a->trace = (struct short_trace){&points[i], last, asked, s->duration_ns > 0, 0};
    }
}

bool answer_carries(const struct answer *a, const struct point *p)
{
    return a->of_requests ? load_carries_requests(p) : load_carries(p);
}

/* Where no answer has an output token, as with embeddings, a run still has a rate of requests and their time. */
static void tokenless_compute(const struct point *points, size_t n, struct answer *a)
{
    bool tokens = false;
    for (size_t i = 0; i < n; i++) {
        tokens |= load_carries(&points[i]);
        a->of_requests |= load_carries_requests(&points[i]);
    }
    a->of_requests &= !tokens;
    for (size_t i = 0; i < n && a->of_requests; i++) {
        const struct point *p = &points[i];
        bool times = load_tokenless(p); /* else they are those of the stage's length */
        if (!load_carries_requests(p) || p->requests_per_s <= a->tokenless.requests_per_s) continue;
        a->tokenless = (struct answer_tokenless){
            load_on(p, a->axis), p->requests_per_s, times ? p->metric[METRIC_E2E].q[0] : (double)NAN,
            times ? p->metric[METRIC_E2E].q[3] : (double)NAN, plan_stage_is_ramp(&p->requested) ? &p->requested : NULL};
    }
}

static void evidence_compute(const struct point *points, size_t n, struct answer *a)
{
    enum verdict_status worst_used = VERDICT_VALID, worst = VERDICT_VALID;
    for (size_t i = 0; i < n; i++) {
        const struct point *p = &points[i];
        const struct hist *lag = p->hist ? p->hist[METRIC_LAG] : NULL;
        if (lag && lag->count && answer_carries(a, p))
            a->worst_lag_ms = fmax(a->worst_lag_ms, (double)hist_quantile(lag, 0.99) / 1e6);
        if (p->verdict.status > worst) worst = p->verdict.status;
        a->left_invalid += p->verdict.status == VERDICT_INVALID;
        a->left_unsteady += p->verdict.status != VERDICT_INVALID && p->steady == STEADY_NO && !answer_carries(a, p);
        if (answer_carries(a, p)) {
            a->points_used++;
            a->points_suspect += p->verdict.status == VERDICT_SUSPECT;
            if (p->verdict.status > worst_used) worst_used = p->verdict.status;
        }
    }
    a->points_left_out = (uint32_t)n - a->points_used;
    a->worst_verdict = a->points_used ? worst_used : worst;
    if (a->twice.apart.low && a->worst_verdict == VERDICT_VALID) a->worst_verdict = VERDICT_SUSPECT;
}

static void ends_compute(const struct point *points, size_t n, struct answer *a)
{
    for (size_t i = 0; i < n; i++) {
        double asked = load_on(&points[i], AXIS_IN_FLIGHT);
        if (!answer_carries(a, &points[i]) || !load_mostly_ends(&points[i]) || a->ends_load >= asked) continue;
        a->ends_load = asked;
        a->ends_in_flight = points[i].concurrency;
    }
}

void answer_count(const struct plan *plan, const struct point *points, size_t n, struct answer *a)
{
    tokenless_compute(points, n, a);
    evidence_compute(points, n, a);
    ends_compute(points, n, a);
    failures_compute(points, n, a);
    overrun_compute(points, n, a);
    if (plan && plan->n_workloads) again_compute(plan, a);
    if (plan && plan->n_workloads == 1) trace_compute(plan, points, n, a);
    counts_compute(points, n, a);
    after_compute(points, n, a);
}
