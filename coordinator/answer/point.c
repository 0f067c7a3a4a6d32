#include "coordinator/answer/point.h"

#include <math.h>
#include <stdlib.h>

#include "common/human.h"
#include "common/plan/gate.h"
#include "common/plan/plan_api.h"
#include "common/rng.h"
#include "coordinator/answer/mser.h"
#include "coordinator/answer/outrun.h"
#include "coordinator/answer/resample.h"
#include "coordinator/answer/reuse.h"
#include "coordinator/answer/startup.h"
#include "coordinator/answer/steady.h"

#define LITTLE_OFF 0.15   /* N and X·R may differ by this much (edges of the window) before it is reported */
#define STILL_LEAST_S 1.8 /* a server stands still when nothing comes for so long, … */
#define STILL_PART 0.05   /* … for such a part of the window … */
#define STILL_WAITS 3     /* … and for so many times the usual wait for a first token, … */
#define STILL_HALF                                                                                                     \
    0.5 /* … or the shortest one where it was for so much of the window that what is usual is not known */
#define SENT_IN_TIME 0.01   /* of the shortest wait for a first token … */
#define SENT_IN_TIME_NS 1e6 /* … or this: as the verdict's limits for dispatch */
#define GONE_CHANCE 0.05    /* that failures so many in a row are those that fail all the time */
#define GONE_FAILURES 3     /* a server is gone when so many requests failed after the last answer */
#define HUNG 3              /* times as old as the slowest answer */
#define FEW_ENDS 3          /* where so many are to be expected, none is still chance (5 %) */
#define LITTLE_WINDOWS 10   /* the law says nothing in a window of fewer requests' time */

static void rates_compute(const uint64_t *c, struct point *p)
{
    double w = p->window_s;
    p->output_tokens_per_s = p->input_tokens_per_s = p->total_tokens_per_s = NAN;
    p->concurrency = p->requests_per_s = p->arrivals_per_s = p->goodput_per_s = NAN;
    if (!(w > 0)) return;
    p->output_tokens_per_s = (double)c[COUNTER_WIN_TOKENS_MICRO] / 1e6 / w;
    p->input_tokens_per_s = (double)c[COUNTER_WIN_INPUT_TOKENS] / w;
    p->total_tokens_per_s = p->output_tokens_per_s + p->input_tokens_per_s;
    p->concurrency = (double)c[COUNTER_WIN_INFLIGHT_NS] / 1e9 / w;
    p->requests_per_s = (double)c[COUNTER_WIN_DONE] / w;
    p->arrivals_per_s = (double)c[COUNTER_WIN_DUE] / w;
    p->goodput_per_s = (double)c[COUNTER_WIN_GOOD] / w;
}

static const struct hist *waits(const struct point *p, enum metric m, enum metric of_first, enum metric of_whole)
{
    bool first = m == METRIC_TTFT || m == METRIC_TTFT_DUE || m == METRIC_TTFC,
         whole = m == METRIC_E2E || m == METRIC_E2E_DUE;
    const struct hist *h = !p->hist ? NULL : first ? p->hist[of_first] : whole ? p->hist[of_whole] : NULL;
    return h && h->count ? h : NULL;
}

const struct hist *point_cut(const struct point *p, enum metric m)
{
    return waits(p, m, METRIC_CUT_WAIT, METRIC_CUT_AGE);
}

static const struct hist *first_tokens(const struct point *p)
{
    const struct hist *h = p->hist ? p->hist[METRIC_CUT_TTFT] : NULL;
    return h && h->count ? h : NULL;
}

/* Of requests that were sent when they became due a latency from due is one from sent. */
static bool sent_in_time(const struct point *p, const struct hist *cut)
{
    const struct hist *late = p->hist[METRIC_LATENESS];
    double most = fmax(SENT_IN_TIME_NS, SENT_IN_TIME * (double)cut->min);
    return late && late->count && (double)hist_quantile(late, 0.99) <= most;
}

const struct hist *point_cut_after(const struct point *p, enum metric m)
{
    const struct hist *h = first_tokens(p);
    bool known = h && (m == METRIC_TTFT || (m == METRIC_TTFT_DUE && sent_in_time(p, h)));
    return known ? h : NULL;
}

const struct hist *point_cut_within(const struct point *p, enum metric m)
{
    const struct hist *h = first_tokens(p);
    bool more = h && (m == METRIC_TTFC || (m == METRIC_TTFT_DUE && !sent_in_time(p, h)));
    return more ? h : NULL;
}

const struct hist *point_failed(const struct point *p, enum metric m)
{
    return waits(p, m, METRIC_FAIL_WAIT, METRIC_FAIL_AGE);
}

bool point_is_of_answers(enum metric m)
{
    switch (m) {
    case METRIC_TPOT:
    case METRIC_TPOT_SUFFIX:
    case METRIC_NORMALIZED:
    case METRIC_USER_SPEED:
    case METRIC_TTFT_FIRST_TURN:
    case METRIC_TTFT_SECOND_TURN:
    case METRIC_TTFT_LATER_TURNS:
    case METRIC_E2E_FIRST_TURN:
    case METRIC_E2E_SECOND_TURN:
    case METRIC_E2E_LATER_TURNS:
        return true;
    default:
        return point_has_waits(m);
    }
}

/* age < 0: all */
static uint64_t older_than(const struct hist *h, int64_t age)
{
    return !h ? 0 : age < 0 ? h->count : h->count - hist_count_at_most(h, age);
}

/* Age of the oldest that the drain's end cut off: the highest bucket with others than cancelled ones. */
static double oldest_cut_s(const struct hist *cut, const struct hist *cancelled)
{
    int64_t most = cut->max, below;
    while ((below = hist_bucket_low(hist_index(most)) - 1) >= 0 &&
           older_than(cut, below) == older_than(cancelled, below))
        most = below;
    return (double)most / 1e9;
}

/* The slowest answer of the stage, ns; -1: there was none. Of those that were due before the window only that they
 * ended by the stage's end is known. */
static int64_t slowest_answer(const struct stage_data *s)
{
    const struct hist *e2e = s->hist[METRIC_E2E];
    if (e2e && e2e->count) return e2e->max;
    return s->counters[COUNTER_OK] ? s->plan.warmup_ns + (int64_t)s->counters[COUNTER_MEASURED_NS] : -1;
}

/* A request that was cut off is slower than its age. When it is older than the slowest answer, it counts as never
 * answered. A younger one might still have ended well. The same holds of one of the warm-up that waited through the
 * whole window; which of them are the older ones is not kept, but they are older than the window is long. One that
 * load.cancel took back is no error, however old. */
static void cut_compute(const struct stage_data *s, struct point *p)
{
    const struct hist *cut = s->hist[METRIC_CUT_AGE], *gone = s->hist[METRIC_CANCEL_AGE];
    int64_t slowest = slowest_answer(s);
    uint64_t earlier = s->counters[COUNTER_WIN_EARLIER_HUNG];
    p->oldest_cut_s = NAN;
    if (!cut) return;
    p->window_cancelled = gone ? gone->count : 0;
    p->cancelled_early = s->counters[COUNTER_WIN_CANCELLED_EARLY];
    p->cancelled_over = s->counters[COUNTER_WIN_CANCELLED_OVER];
    p->window_cut = cut->count - p->window_cancelled;
    p->window_unanswered = older_than(cut, slowest) - older_than(gone, slowest);
    p->earlier_cut = earlier;
    p->earlier_unanswered = p->window_unanswered < earlier ? p->window_unanswered : earlier;
    if (p->window_cut) p->oldest_cut_s = oldest_cut_s(cut, gone);
}

static void ledger_compute(const struct stage_data *s, struct point *p)
{
    const uint64_t *c = s->counters;
    uint64_t sum = c[COUNTER_OK] + c[COUNTER_CANCELLED] + c[COUNTER_ABORTED] + s->lost;
    p->ledger.due = c[COUNTER_DUE];
    p->ledger.ok = c[COUNTER_OK];
    p->ledger.cancelled = c[COUNTER_CANCELLED];
    p->ledger.aborted = c[COUNTER_ABORTED];
    p->ledger.lost = s->lost;
    for (int i = COUNTER_FAILED_FIRST; i <= COUNTER_FAILED_LAST; i++) {
        p->ledger.failed[i - COUNTER_FAILED_FIRST] = c[i];
        sum += c[i];
    }
    p->ledger.balanced = sum == c[COUNTER_DUE];
}

/* Little's law (Little 1961): requests in flight = rate of ends × time in flight. Failed ones were in flight too. */
static double littles_law(const struct stage_data *s, const struct point *p)
{
    const struct hist *held = s->hist[METRIC_HELD], *fail = s->hist[METRIC_FAIL_TIME];
    if (!held || !held->count) held = s->hist[METRIC_E2E]; /* a run of an older version */
    if (!held || !held->count || !(p->concurrency > 0)) return NAN;
    if (s->counters[COUNTER_CANCELLED]) return NAN; /* how long those were in flight is not kept */
    double x = p->requests_per_s * hist_mean(held) / 1e9;
    if (fail && fail->count) x += (double)p->window_failed / p->window_s * hist_mean(fail) / 1e9;
    return x / p->concurrency;
}

/* Opens the histograms that a verdict needs. They are used again for the next agent. False: no memory. */
static bool agent_hists(const struct agent_data *a, struct hist *hist[METRIC_N])
{
    static const enum metric KINDS[] = {METRIC_TTFT, METRIC_ITL, METRIC_E2E, METRIC_DISPATCH, METRIC_LAG};
    bool enough = true;
    struct err e = {0};
    for (size_t i = 0; i < sizeof KINDS / sizeof *KINDS; i++) {
        struct hist **h = &hist[KINDS[i]];
        if (*h) hist_reset(*h);
        if (!a->hist[KINDS[i]].n) continue;
        if (!*h && !(*h = hist_new())) {
            enough = false;
        } else if (packed_hist_add_to(&a->hist[KINDS[i]], *h, &e)) {
            hist_destroy(h); /* none, rather than half of one */
            enough &= e.code != ERR_NOMEM;
        }
    }
    return enough;
}

/* What is invalid of one agent's part is in doubt for the cluster. */
static void doubt_as(struct verdict *v, const struct verdict *alone)
{
    for (int a = 0; a < ASPECT_N; a++) {
        if (alone->aspect[a] == VERDICT_INVALID) v->aspect[a] = VERDICT_SUSPECT;
        for (int k = 0; k < POINT_Q; k++)
            if (alone->at[a][k] == VERDICT_INVALID) v->at[a][k] = VERDICT_SUSPECT;
    }
}

/* Was its part too small for an answer? Nothing failed, and by chance none was due in the window, or none ended. */
static bool is_too_small(const struct agent_data *a, const struct stage_data *s)
{
    const uint64_t *c = a->counters;
    const struct hist *e2e = s->hist[METRIC_E2E];
    if (c[COUNTER_WIN_OK] + c[COUNTER_WIN_DONE] + c[COUNTER_WIN_FAILED] + counters_failed(c) > 0) return false;
    double ends = s->plan.kind == LOAD_OPEN ? (double)c[COUNTER_WIN_DUE]
                  : e2e && e2e->count > 0   ? (double)c[COUNTER_WIN_INFLIGHT_NS] / hist_mean(e2e)
                                            : HUGE_VAL;
    return ends < FEW_ENDS;
}

bool point_judge_agents(const struct stage_data *s, const struct plan *plan, size_t most, struct point_agents *io)
{
    struct hist *hist[METRIC_N] = {NULL};
    if (s->n_agents <= 1) return false;
    for (; io->next < s->n_agents && most > 0; io->next++, most--) {
        const struct agent_data *a = &s->agents[io->next];
        struct plan_stage part = s->plan;
        struct verdict alone;
        part.concurrency = (uint32_t)a->slots;
        part.max_concurrency = part.max_concurrency && a->slots ? (uint32_t)a->slots : part.max_concurrency;
        part.rate_from = part.rate_to = 0; /* its share of the arrivals is not known here; sent against due is enough */
        part.requests = part.requests ? part.requests : part.kind == LOAD_OPEN;
        if (a->lost || (part.kind == LOAD_CLOSED && a->slots == 0) || a->counters[COUNTER_DUE] == 0) continue;
        if (is_too_small(a, s)) continue;
        if (!agent_hists(a, hist)) io->no_memory = true;
        verdict_compute(a->counters, hist, &part, plan, s->aborted, &alone);
        if (alone.status != VERDICT_INVALID) continue;
        io->invalid++;
        doubt_as(&io->part, &alone);
        verdict_part(&io->part, "agent %.40s alone: %.140s", a->name, alone.n_reasons ? alone.reason[0] : "invalid");
    }
    for (int k = 0; k < METRIC_N; k++)
        hist_destroy(&hist[k]);
    return io->next < s->n_agents;
}

/* Of an invalid point the agents are named when they are few: then they are why. */
static void add_agents(const struct point_agents *agents, size_t n_agents, struct point *p)
{
    bool few = 2 * agents->invalid <= n_agents;
    struct verdict *v = &p->verdict;
    p->no_memory |= agents->no_memory;
    for (int a = 0; a < ASPECT_N; a++) {
        if (v->aspect[a] == VERDICT_VALID) v->aspect[a] = agents->part.aspect[a];
        for (int k = 0; k < POINT_Q; k++)
            if (v->at[a][k] == VERDICT_VALID) v->at[a][k] = agents->part.at[a][k];
    }
    for (uint32_t i = 0; i < agents->part.n_reasons && (few || v->status != VERDICT_INVALID); i++)
        verdict_part(v, "%s", agents->part.reason[i]);
}

static void judge(const struct stage_data *s, const struct plan *plan, const struct point_agents *agents,
                  struct point *p)
{
    verdict_compute(s->counters, s->hist, &s->plan, plan, s->aborted, &p->verdict);
    add_agents(agents, s->n_agents, p);
    char things[HUMAN_THINGS_MAX];
    (void)human_things((double)s->lost, "request", things);
    bool lost = s->lost > 0;
    for (size_t i = 0; i < s->n_agents; i++)
        lost |= s->agents[i].lost;
    if (s->degraded && !lost)
        verdict_doubt(&p->verdict, DOUBT_AGENT_LOST, VERDICT_SUSPECT,
                      "an agent ended its part of the stage before its time");
    else if (s->degraded && s->aborted) /* agents that were at work when the user ended the run at once are not dead */
        verdict_doubt(&p->verdict, DOUBT_AGENT_LOST, VERDICT_SUSPECT,
                      "the stage ended before all agents had reported their part; not accounted for: %s", things);
    else if (s->degraded)
        verdict_doubt(&p->verdict, DOUBT_AGENT_LOST, VERDICT_SUSPECT, "an agent was lost in this stage: %s with it",
                      things);
    if (s->aborted) verdict_doubt(&p->verdict, DOUBT_CUT_SHORT, VERDICT_SUSPECT, "the stage was cut short");
    if (!p->ledger.balanced)
        verdict_add(&p->verdict, s->degraded || s->aborted ? VERDICT_SUSPECT : VERDICT_INVALID,
                    "the loss ledger does not balance");
}

static void check_little(const struct stage_data *s, struct point *p)
{
    const struct hist *e2e = s->hist[METRIC_E2E];
    char n[HUMAN_MAX];
    const struct hist *fail = s->hist[METRIC_FAIL_TIME];
    double longest = e2e && e2e->count ? hist_mean(e2e) : HUGE_VAL; /* a failed one may have been open for longer */
    if (fail && fail->count) longest = fmax(longest, hist_mean(fail));
    bool long_enough = p->window_s * 1e9 > LITTLE_WINDOWS * longest;
    double flight = (double)s->counters[COUNTER_WIN_INFLIGHT_NS];
    double earlier = flight > 0 ? (double)s->counters[COUNTER_WIN_EARLIER_NS] / flight : 0;
    /* those that waited through the whole window ended at no rate: the law is of the others, and no longer warm-up
     * leaves them out */
    double hung = flight > 0 ? (double)s->counters[COUNTER_WIN_EARLIER_HUNG] * p->window_s * 1e9 / flight : 0;
    double law = p->littles_law + hung;
    bool off = long_enough && fabs(p->littles_law - 1) > LITTLE_OFF && fabs(law - 1) > LITTLE_OFF;
    earlier = fmax(0, earlier - hung);
    if (off && law < 1 && fabs(law + earlier - 1) <= LITTLE_OFF)
        verdict_doubt(&p->verdict, DOUBT_LITTLE, VERDICT_SUSPECT,
                      "requests of the warm-up took %s of the time in flight in the window, and longer than those that "
                      "began in it. A longer load.warmup leaves them out",
                      human_percent(earlier, n));
    else if (steady_in_lumps(p->output_tokens_per_s, p->output_by_law, p->window_ok))
        verdict_doubt(
            &p->verdict, DOUBT_LITTLE, VERDICT_SUSPECT,
            "by the requests in flight and their times it was %s output token/s: tokens come in lumps, few in "
            "the window. A longer stage has more",
            human_number(p->output_by_law, n));
    else if (off)
        verdict_doubt(&p->verdict, DOUBT_LITTLE, VERDICT_SUSPECT,
                      "Little's law is off: rate x time in flight is %s of the requests in flight",
                      human_number(p->littles_law, n));
}

/* Of the requests open at the window's end, those that hang: the drain's end cut them off, or they failed in it, when
 * they were far older than any answer. What waits in a queue is about as old as what was answered last. */
static void hung_compute(const struct stage_data *s, double to_s, struct point *p)
{
    const struct hist *e2e = s->hist[METRIC_E2E];
    p->slowest_s = e2e && e2e->count ? (double)e2e->max / 1e9 : (double)NAN;
    if (!(p->slowest_s > 0)) return;
    int64_t old = HUNG * e2e->max;
    uint64_t failed = older_than(s->hist[METRIC_FAIL_AGE], old);
    double late = (double)s->counters[COUNTER_WIN_FAILED] - outrun_failed_in_time(s, to_s);
    uint64_t cut = older_than(s->hist[METRIC_CUT_AGE], old) - older_than(s->hist[METRIC_CANCEL_AGE], old);
    p->earlier_hung = (uint64_t)fmin((double)cut, (double)s->counters[COUNTER_WIN_EARLIER_HUNG]);
    p->window_hung = cut - p->earlier_hung + (uint64_t)fmin((double)failed, late);
}

/* A stage by count ends with its last request, and those that hang end with a timeout long after all others. */
static bool waits_for_hung(const struct stage_data *s, double still_to_s, double to_s, double open, struct point *p)
{
    bool all = s->plan.requests && s->counters[COUNTER_DUE] >= s->plan.requests;
    double hung =
        p->slowest_s > 0 ? (double)older_than(s->hist[METRIC_FAIL_AGE], (int64_t)(HUNG * 1e9 * p->slowest_s)) : 0;
    return all && still_to_s >= to_s - 1 && hung > 0 && open < hung + 0.5;
}

/* Of a stage whose window is over nothing else tells that it stopped in between: what was open ends well afterwards. */
static bool stood_still(const struct stage_data *s, double from_s, double to_s, struct point *p)
{
    const struct metric_stat *ttft = &p->metric[METRIC_TTFT], *lag = &p->metric[METRIC_LAG];
    double at = 0, open = 0, still = steady_still(s, from_s, to_s, &at, &open);
    double wait = ttft->count ? ttft->q[0] : p->metric[METRIC_E2E].q[0], least = ttft->count ? ttft->min : wait;
    /* one request alone may wait for its first token as long as its prompt takes: that is its ttft */
    const struct metric_stat *in = &p->metric[METRIC_INPUT_TOKENS];
    if (open < 1.5 && in->q[0] > 0) wait *= fmax(1, in->max / in->q[0]);
    bool half = still >= STILL_HALF * p->window_s && still * 1e3 > STILL_WAITS * least;
    char n[3][HUMAN_MAX], t[HUMAN_THINGS_MAX];
    if (still < fmax(STILL_LEAST_S, STILL_PART * p->window_s) || lag->max > still * 1e3 / 2) return false;
    if (!half && !(still * 1e3 > STILL_WAITS * wait)) return false;
    (void)human_things(fmax(1, round(open)), "request", t);
    if (waits_for_hung(s, at + still, to_s, open, p)) {
        verdict_doubt(&p->verdict, DOUBT_STOOD_STILL, VERDICT_SUSPECT,
                      "from second %s on the stage waited only for %s that hung: %s s of the window's %s s, by which "
                      "its rates are too low. Lower target.timeouts, or a load.duration, end it sooner",
                      human_number(at, n[0]), t, human_number(still, n[1]), human_number(p->window_s, n[2]));
        return true;
    }
    verdict_doubt(&p->verdict, DOUBT_STOOD_STILL, VERDICT_SUSPECT,
                  STILL_WORDS " from second %s on next to nothing came for %s s of the window's %s s, with %s open",
                  human_number(at, n[0]), human_number(still, n[1]), human_number(p->window_s, n[2]), t);
    return true;
}

/* Answers came, and for a while failures alone: what came beside them says nothing of what users had then. */
static void was_gone(const struct stage_data *s, double from_s, double to_s, struct point *p)
{
    double last = from_s, done = 0, failed = 0, all = 0, wait = p->metric[METRIC_E2E].q[0] / 1e3;
    double least = fmax(STILL_LEAST_S, STILL_PART * p->window_s);
    struct {
        double from, to, failed;
    } most = {0};
    char n[2][HUMAN_MAX], t[HUMAN_THINGS_MAX];
    for (size_t i = 0; i < s->n_series; i++) {
        const struct series_row *r = &s->series[i];
        if (r->agent >= 0 || r->t_s < from_s - 0.5 || r->t_s >= to_s - 0.5) continue;
        if (r->done > 0) last = r->t_s + r->span_s;
        done += r->done;
        all += r->failed;
        failed = r->done > 0 ? 0 : failed + r->failed;
        double to = r->t_s + r->span_s >= to_s - 0.5 ? to_s : r->t_s + r->span_s;
        if (failed < GONE_FAILURES || to - last <= most.to - most.from) continue;
        most.from = last, most.to = to, most.failed = failed;
    }
    double gone = most.to - most.from;
    if (!(done > 0) || !(gone > 0) || gone < least || gone <= STILL_WAITS * wait) return;
    double usual = (all - most.failed + 1) / (done + all - most.failed + 2); /* share that fails else (Laplace) */
    if (pow(usual, most.failed) * (done + all) > GONE_CHANCE) return;
    p->gone = most.to >= to_s;
    if (p->gone)
        verdict_doubt(&p->verdict, DOUBT_STOOD_STILL, VERDICT_SUSPECT,
                      "nothing ended ok from second %s on: %s failed until the window's end, %s s later",
                      human_number(most.from, n[0]), human_things(most.failed, "request", t), human_number(gone, n[1]));
    else
        verdict_doubt(&p->verdict, DOUBT_STOOD_STILL, VERDICT_SUSPECT,
                      "nothing ended ok from second %s to %s: %s failed then", human_number(most.from, n[0]),
                      human_number(most.to, n[1]), human_things(most.failed, "request", t));
}

static void cost_compute(const struct plan *plan, struct point *p)
{
    p->cost_per_mtok_out = p->cost_per_mtok_in = NAN;
    if (!plan->currency) return;
    double per_s = plan->gpus * plan->per_gpu_hour / 3600;
    if (p->output_tokens_per_s > 0) p->cost_per_mtok_out = per_s / p->output_tokens_per_s * 1e6;
    if (p->input_tokens_per_s > 0) p->cost_per_mtok_in = per_s / p->input_tokens_per_s * 1e6;
}

/* `warmup: auto` cuts what MSER-5 finds in the cluster's tokens per second.
 * - Rates are those of the rows after the cut, with the tokens per event of the whole window.
 * - TTFT and token gaps are kept by the second in blocks. They are made anew from the blocks after the cut; a request's
 *   TTFT stands in the second in which it ended.
 * - Other latencies keep all requests of the window, since their histograms have no time axis. */
static void warmup_cut(const struct stage_data *s, double from_s, double to_s, struct point *p)
{
    double *rate = calloc(s->n_series + 1, sizeof *rate), span = 0, tokens = 0, done = 0, due = 0, flight = 0;
    size_t *row = calloc(s->n_series + 1, sizeof *row), n = 0;
    for (size_t i = 0; rate && row && i < s->n_series; i++) {
        const struct series_row *r = &s->series[i];
        if (r->agent >= 0 || !(r->span_s > 0) || r->t_s < from_s - 0.5 || r->t_s + r->span_s > to_s + 0.5) continue;
        rate[n] = r->tokens / r->span_s;
        row[n++] = i;
    }
    if (!rate || !row) p->no_memory = true;
    size_t cut = rate && row ? mser5_cut(rate, n) : 0;
    for (size_t i = cut; cut && i < n; i++) {
        const struct series_row *r = &s->series[row[i]];
        span += r->span_s;
        tokens += r->tokens;
        done += r->done;
        due += r->due;
        flight += r->in_flight * r->span_s;
    }
    double events = (double)s->counters[COUNTER_WIN_EVENTS];
    if (cut && cut == n) p->steady = STEADY_NO; /* all of it looks like start-up */
    if (span > 0 && events > 0) {
        p->warmup_cut_s = s->series[row[cut]].t_s - s->series[row[0]].t_s;
        p->output_tokens_per_s = tokens / span * (double)s->counters[COUNTER_WIN_TOKENS_MICRO] / 1e6 / events;
        p->requests_per_s = done / span;
        p->arrivals_per_s = due / span;
        p->concurrency = flight / span;
        p->total_tokens_per_s = p->output_tokens_per_s + p->input_tokens_per_s;
    }
    free(rate);
    free(row);
}

static void metrics_compute(const struct stage_data *s, bool intervals, struct point *p)
{
    static const enum metric IN_BLOCKS[] = {METRIC_TTFT, METRIC_ITL, METRIC_CHUNK_GAP};
    for (int m = 0; m < METRIC_N; m++)
        stat_compute(s->hist[m], (enum metric)m, &p->metric[m]);
    for (int i = 0; i < 3; i++) {
        enum metric m = IN_BLOCKS[i];
        struct hist *left = NULL;
        if (p->warmup_cut_s > 0 && resample_hist(s, m, p->blocks_from_s, &left)) p->no_memory = true;
        p->cut[m] = left != NULL;
        if (left) stat_compute(left, m, &p->metric[m]);
        hist_destroy(&left);
        if (!intervals || stat_independent(m)) continue;
        double from_s = p->cut[m] ? p->blocks_from_s : -HUGE_VAL;
        if (resample_stat(s, m, from_s, rng_mix(p->seed, s->stage, s->repeat, m), &p->metric[m])) p->no_memory = true;
    }
}

/* Requests that somebody else has there. The page is a sample now and then, so a few more than ours are nobody's. A
 * request for several choices stands there as several. */
static double server_others(const struct server_stage *w, const struct plan *plan, double ours)
{
    double there = w->mean[SERVER_RUNNING] + w->mean[SERVER_WAITING];
    if (isnan(there) || plan_body_number(plan->target.body, "n") > 1) return NAN;
    return there > 1.25 * ours + 2 ? there - ours : 0;
}

static void server_compute(const struct stage_data *s, const struct plan *plan, double from_s, double to_s,
                           struct point *p)
{
    struct point_server *v = &p->server;
    struct server_stage all;
    *v = (struct point_server){.queue_ms = NAN, .queue_share = NAN, .tokens = NAN, .client_tokens = NAN, .others = NAN};
    server_stage_compute(s->server, s->n_server, from_s, to_s, &v->window);
    v->any = v->window.samples > 0;
    if (!v->any) return;
    server_stage_compute(s->server, s->n_server, s->server[0].t_s, s->server[s->n_server - 1].t_s, &all);
    v->restarted = v->window.restarted;
    v->several = v->window.several || all.several;
    if (v->several) {
        server_stage_forget(&v->window);
        return;
    }
    double waiting = v->window.mean[SERVER_WAITING];
    v->queue_ms = !isnan(v->window.queue_ms) ? v->window.queue_ms
                  : p->requests_per_s > 0    ? 1e3 * waiting / p->requests_per_s
                                             : (double)NAN;
    v->others = server_others(&v->window, plan, p->concurrency);
    if (v->others > 0) v->queue_ms = NAN; /* whose wait it is cannot be told */
    if (p->metric[METRIC_TTFT].mean > 0) v->queue_share = v->queue_ms / p->metric[METRIC_TTFT].mean;
    double end = (double)(s->ended_wall_ns - s->started_wall_ns) / 1e9;
    if (s->ended_wall_ns == 0 || s->server[0].t_s > 0 || s->server[s->n_server - 1].t_s < end) return;
    v->restarted |= all.restarted;
    v->tokens = all.delta[SERVER_GENERATION_TOKENS];
    v->client_tokens = (double)(s->counters[COUNTER_TOKENS] + s->counters[COUNTER_FAILED_TOKENS]);
}

/* Not where the load is another than the one asked for: a ramp, slots that rest after failures, a user who thinks. */
static bool by_count(const struct stage_data *s, const struct plan *plan, const struct point *p)
{
    if (!s->plan.requests || s->counters[COUNTER_DUE] < s->plan.requests) return false;
    if (s->plan.kind == LOAD_OPEN) return !plan_stage_is_ramp(&s->plan);
    return !plan_has_sessions(plan) && !plan_has_trees(plan) && point_errors(p) == 0;
}

static void compute(const struct stage_data *s, const struct plan *plan, const struct point_agents *agents,
                    bool intervals, struct point *ret)
{
    const uint64_t *c = s->counters;
    *ret = (struct point){.stage = s->stage,
                          .repeat = s->repeat,
                          .requested = s->plan,
                          .degraded = s->degraded,
                          .offline = plan->curve.kind != CURVE_NONE && plan_stage_is_batch(&s->plan),
                          .hist = s->hist,
                          .data = s,
                          .seed = plan->seed};
    ret->errors_gated = gates_bound_errors(plan);
    ret->window_s = (double)c[COUNTER_MEASURED_NS] / 1e9;
    ret->window_due = c[COUNTER_WIN_DUE];
    ret->window_ok = c[COUNTER_WIN_OK];
    ret->window_failed = c[COUNTER_WIN_FAILED];
    ret->window_good = c[COUNTER_WIN_GOOD];
    ret->window_done = c[COUNTER_WIN_DONE];
    rates_compute(c, ret);
    cut_compute(s, ret);
    uint64_t ended = point_ended(ret);
    ret->error_rate = ended ? (double)point_errors(ret) / (double)ended : (double)NAN;
    ledger_compute(s, ret);
    ret->by_count = by_count(s, plan, ret);
    if (outrun_waited_in_vain(s)) ret->unsent_share = 1 - (double)c[COUNTER_SENT] / (double)c[COUNTER_DUE];

    struct steadiness st;
    double from = (double)s->plan.warmup_ns / 1e9, to = from + ret->window_s;
    bool ramp = plan_stage_is_ramp(&s->plan); /* all of which looks like start-up */
    if (s->plan.warmup_auto && !ramp) warmup_cut(s, from, to, ret);
    if (plan->target.whole && c[COUNTER_OK] && !c[COUNTER_TOKENS] && c[COUNTER_USAGE_NONE] + c[COUNTER_USAGE_DOUBTED])
        ret->output_tokens_per_s = ret->total_tokens_per_s = NAN; /* nobody knows how many they are */
    ret->blocks_from_s = from + ret->warmup_cut_s;
    metrics_compute(s, intervals, ret);
    hung_compute(s, to, ret);
    users_compute(s, plan, ret->window_unanswered, ret->slowest_s, &ret->users);
    steady_compute(s, from + ret->warmup_cut_s, to, (double)ret->window_hung, &st);
    if (ret->steady != STEADY_NO) ret->steady = st.steady;
    steady_pass_of(s, plan, &ret->passes);
    ret->no_memory |= ret->passes.no_memory;
    struct outrun_window window = {ret->window_s,           to,
                                   ret->arrivals_per_s,     ret->requests_per_s,
                                   ret->window_cancelled,   ret->window_hung,
                                   ret->by_count,           &ret->metric[METRIC_TTFT],
                                   &ret->metric[METRIC_E2E]};
    ret->overrun = outrun_look(s, &st, plan, &window);
    ret->drift = st.drift;
    ret->output_by_law = ret->overrun ? (double)NAN : steady_by_law(s, ret->concurrency);
    steady_interval(ret->output_tokens_per_s, st.half_width, ret->output_by_law, ret->window_ok, &ret->output_lo,
                    &ret->output_hi);
    ret->littles_law = littles_law(s, ret);
    cost_compute(plan, ret);
    bool counted = !s->uncounted[COUNTER_REPEATED_TOKENS];
    ret->prefix_possible = counted ? reuse_possible(c, plan) : (double)NAN;
    ret->prefix_by_usage = counted ? reuse_measured(c) : (double)NAN;
    server_compute(s, plan, from + ret->warmup_cut_s, to, ret);
    judge(s, plan, agents, ret);
    ret->still = stood_still(s, from, to, ret);
    ret->outrun = outrun_tell(s, &st, plan, &window, ret->overrun, &ret->verdict);
    if (!ret->outrun) outrun_early_window(s, plan, &window, &ret->verdict);
    if (!ret->still && !ret->outrun)
        ret->no_memory |= startup_tell(s, plan, ret->blocks_from_s, to, &ret->steady, &ret->verdict) != 0;
    if (!ret->still && !ret->window_hung) check_little(s, ret); /* which would be off for that reason */
    was_gone(s, from, to, ret);
}

void point_compute(const struct stage_data *s, const struct plan *plan, struct point *ret)
{
    struct point_agents agents = {0};
    (void)point_judge_agents(s, plan, SIZE_MAX, &agents);
    point_judged(s, plan, &agents, ret);
}

void point_judged(const struct stage_data *s, const struct plan *plan, const struct point_agents *agents,
                  struct point *ret)
{
    compute(s, plan, agents, true, ret);
}

void point_glance(const struct stage_data *s, const struct plan *plan, const struct point_agents *agents,
                  struct point *ret)
{
    compute(s, plan, agents, false, ret);
}
