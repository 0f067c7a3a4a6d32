#include "coordinator/answer/verdict.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/human.h"
#include "coordinator/answer/blurred.h"
#include "coordinator/answer/numeric.h"
#include "coordinator/answer/reuse.h"
#include "coordinator/answer/silence.h"

#define UNSTAMPED_PROGRAM 0.5      /* above this share of reads, times are the program's own */
#define UNSTAMPED_SUSPECT 0.05     /* first reads of a connection carry no stamp: 1-3 % is usual */
#define CPU_SUSPECT 0.95           /* of one core, by the busiest worker */
#define USAGE_DOUBTED_SUSPECT 0.01 /* of the requests */
#define RUNQ_SUSPECT 0.1           /* of the stage's length, and more than the CPU time */
#define FAILURE_REST_S 1           /* a slot rests for at most so long after a failure (agent/stage.c) */
#define STALLED_ANSWERS 2          /* in a window of so many answers' time one at least should end */
#define WAITING_SUSPECT (1 << 20)  /* bytes in one socket: the server was being held back */

struct evidence {
    const uint64_t *c;
    struct hist *const *hist;
    const struct plan_stage *requested;
    const struct plan *plan;
};

const char *verdict_name(enum verdict_status s)
{
    static const char *const names[] = {"valid", "suspect", "invalid"};
    return names[s];
}

#define ON(aspect) (1u << ASPECT_##aspect)
#define ALL ((1u << ASPECT_N) - 1)
static const unsigned DOUBTS[DOUBT_N] = {
#define X(id, aspects) [DOUBT_##id] = (aspects),
#include "coordinator/answer/doubt.def"
#undef X
};

const char *verdict_aspect_name(enum verdict_aspect a)
{
    static const char *const names[ASPECT_N] = {"load", "throughput", "ttft", "due", "tpot", "itl", "e2e"};
    return names[a];
}

/* Before those that weigh less, of which the last is dropped where there is no room. */
__attribute__((format(printf, 3, 0))) static void keep(struct verdict *v, enum verdict_status s, const char *fmt,
                                                       va_list ap)
{
    uint32_t at = 0;
    while (at < v->n_reasons && v->weight[at] >= s)
        at++;
    if (at == VERDICT_REASONS) return;
    uint32_t after = v->n_reasons - at - (v->n_reasons == VERDICT_REASONS);
    memmove(v->reason[at + 1], v->reason[at], after * sizeof v->reason[0]);
    memmove(&v->weight[at + 1], &v->weight[at], after * sizeof v->weight[0]);
    (void)vsnprintf(v->reason[at], sizeof v->reason[0], fmt, ap);
    v->weight[at] = s;
    v->n_reasons = at + 1 + after;
}

static void worsen(enum verdict_status *io, enum verdict_status s)
{
    if (s > *io) *io = s;
}

__attribute__((format(printf, 4, 0))) static void add(struct verdict *v, unsigned aspects, enum verdict_status s,
                                                      const char *fmt, va_list ap)
{
    worsen(&v->status, s);
    for (int a = 0; a < ASPECT_N; a++) {
        if (!(aspects & (1u << a))) continue;
        worsen(&v->aspect[a], s);
        for (int k = 0; k < POINT_Q; k++)
            worsen(&v->at[a][k], s);
    }
    keep(v, s, fmt, ap);
}

void verdict_doubt(struct verdict *v, enum doubt d, enum verdict_status s, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    add(v, DOUBTS[d], s, fmt, ap);
    va_end(ap);
}

/* A reason that raises nothing: the caller has judged point and figures. */
__attribute__((format(printf, 3, 4))) static void say(struct verdict *v, enum verdict_status s, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    keep(v, s, fmt, ap);
    va_end(ap);
}

void verdict_part(struct verdict *v, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    add(v, 0, VERDICT_SUSPECT, fmt, ap);
    va_end(ap);
}

void verdict_add(struct verdict *v, enum verdict_status s, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    add(v, ALL, s, fmt, ap);
    va_end(ap);
}

static const struct hist *hist_of(const struct evidence *e, enum metric m)
{
    return e->hist && e->hist[m] && e->hist[m]->count ? e->hist[m] : NULL;
}

static double median_ns(const struct evidence *e, enum metric m)
{
    const struct hist *h = hist_of(e, m);
    return h ? (double)hist_quantile(h, 0.5) : 0;
}

static double limit_ns(int64_t floor_ns, double share, double of_ns)
{
    return fmax((double)floor_ns, share * of_ns);
}

/* A p99 of fewer than 299 samples is little more than the maximum: one hiccup then makes a point suspect, not invalid.
 */
static enum verdict_status weight_of(const struct hist *h)
{
    return h->count >= samples_needed(0.99) ? VERDICT_INVALID : VERDICT_SUSPECT;
}

/* In a closed loop a late send is late against a slot, not against a schedule: ttft counts from the send and stays
 * true, and what suffers is the load, by lateness / e2e. So there 1 % of a request's time is allowed too. */
static void check_dispatch(const struct evidence *e, struct verdict *v)
{
    const struct hist *h = hist_of(e, METRIC_DISPATCH);
    if (!h) return;
    double limit = limit_ns(e->plan->verdict_lateness_ns, 0.01,
                            median_ns(e, e->requested->kind == LOAD_CLOSED ? METRIC_E2E : METRIC_TTFT));
    double p99 = (double)hist_quantile(h, 0.99);
    char n[4][HUMAN_MAX];
    if (p99 <= limit) return;
    verdict_doubt(v, DOUBT_LATE_SENDS, weight_of(h),
                  "requests left late by the agents' own fault: p99 %s ms, limit %s ms (of %s requests, worst %s ms)",
                  human_number(p99 / 1e6, n[0]), human_number(limit / 1e6, n[1]), human_count(h->count, n[2]),
                  human_number((double)h->max / 1e6, n[3]));
}

/* "itl, ttft from p99 on": the figures in doubt, each with its lowest such percentile. */
static const char *doubted_words(const struct blurred *b, char *buf, size_t n)
{
    size_t at = 0;
    char q[HUMAN_MAX];
    buf[0] = '\0';
    for (int a = 0; a < ASPECT_N && at < n; a++) {
        int from = 0;
        while (from < POINT_Q && b->at[a][from] == VERDICT_VALID)
            from++;
        if (from == POINT_Q) continue;
        at += (size_t)snprintf(buf + at, n - at, "%s%s", at ? ", " : "", verdict_aspect_name((enum verdict_aspect)a));
        if (from > 0 && at < n)
            at += (size_t)snprintf(buf + at, n - at, " from p%s on", human_plain(100 * POINT_QS[from], q));
    }
    return buf;
}

/* What the stage lasted, with its warm-up. */
static double length_of(const struct evidence *e)
{
    double window = (double)e->c[COUNTER_MEASURED_NS] + (double)e->requested->warmup_ns;
    return e->requested->duration_auto || e->requested->steady_ns ? window
                                                                  : fmax((double)e->requested->duration_ns, window);
}

/* The workers waited for a CPU for a good part of the stage, and longer than they had one. */
static bool is_starved(const struct evidence *e)
{
    double queued = (double)e->c[COUNTER_RUNQ_NS];
    return queued > RUNQ_SUSPECT * length_of(e) && queued > (double)e->c[COUNTER_CPU_NS];
}

static void check_blurred(const struct evidence *e, struct verdict *v)
{
    struct blurred b;
    char n[HUMAN_MAX], words[120];
    blurred_judge(e->c, e->hist, e->plan, is_starved(e), &b);
    if (b.worst == VERDICT_VALID) return;
    for (int a = 0; a < ASPECT_N; a++)
        for (int k = 0; k < POINT_Q; k++) {
            worsen(&v->at[a][k], b.at[a][k]);
            worsen(&v->aspect[a], b.at[a][k]);
        }
    worsen(&v->status, b.used);
    say(v, b.worst,
        "the agents were away while tokens came: %s of them were read late and together, so that their gaps are not "
        "known; in doubt: %s",
        human_percent(b.share, n), doubted_words(&b, words, sizeof words));
}

/* Where the kernel stamps arrivals, a read that is late but finds one token does not falsify its time: it only refills
 * a slot late, which lowers the load. The point is then marked suspect when that could lower the load by as much as
 * achieved load may be off. Where times are the program's own, the lag is in every gap. */
static void check_lag(const struct evidence *e, struct verdict *v)
{
    const struct hist *h = hist_of(e, METRIC_LAG);
    double reads = (double)e->c[COUNTER_READS], bare = reads > 0 ? (double)e->c[COUNTER_UNSTAMPED] / reads : 0;
    if (h) {
        /* answers of one token have no gaps that a late read could falsify, only a first token */
        enum metric judged = hist_of(e, METRIC_ITL) ? METRIC_ITL : METRIC_TTFT;
        double limit = limit_ns(e->plan->verdict_lag_ns, 0.02, median_ns(e, judged));
        double p99 = (double)hist_quantile(h, 0.99), mean = hist_mean(h);
        char n[3][HUMAN_MAX];
        const struct hist *e2e = hist_of(e, METRIC_E2E);
        double cost = e2e && hist_mean(e2e) > 0 ? mean / hist_mean(e2e) : 0;
        if (bare > UNSTAMPED_PROGRAM && p99 > limit)
            verdict_doubt(
                v, DOUBT_LAG, weight_of(h),
                "the agents read tokens late and their times are the program's own: lag p99 %s ms, limit %s ms",
                human_number(p99 / 1e6, n[0]), human_number(limit / 1e6, n[1]));
        else if (bare > UNSTAMPED_SUSPECT && p99 > limit)
            verdict_doubt(v, DOUBT_UNSTAMPED, VERDICT_SUSPECT,
                          "%s of reads had no kernel stamp while the lag was %s ms at p99 (limit %s ms)",
                          human_percent(bare, n[2]), human_number(p99 / 1e6, n[0]), human_number(limit / 1e6, n[1]));
        if (cost > e->plan->verdict_achieved)
            verdict_doubt(
                v, DOUBT_LATE_ENDS, VERDICT_SUSPECT,
                "the agents saw the end of requests %s ms late, a request lasts %s ms: the load was lower by that",
                human_number(mean / 1e6, n[0]), human_number(hist_mean(e2e) / 1e6, n[1]));
    }
    char t[HUMAN_THINGS_MAX];
    if (e->c[COUNTER_CLOCK_STEPS])
        verdict_doubt(v, DOUBT_CLOCK_STEPS, VERDICT_SUSPECT,
                      "the wall clock stepped %s, so kernel stamps were set aside around it",
                      human_things((double)e->c[COUNTER_CLOCK_STEPS], "time", t));
    if (e->c[COUNTER_WAITING_BYTES_MAX] > WAITING_SUSPECT)
        verdict_doubt(v, DOUBT_HELD_BACK, VERDICT_SUSPECT,
                      "%s MB waited in one socket: the agents held the server back",
                      human_number((double)e->c[COUNTER_WAITING_BYTES_MAX] / 1e6, t));
}

/* In a window of few answers every refill of a slot weighs: ": the window of 2 s is as long as 1.5 answers …", else "".
 */
static const char *brief_words(const struct evidence *e, char *buf, size_t n)
{
    const struct hist *e2e = hist_of(e, METRIC_E2E);
    double window = (double)e->c[COUNTER_MEASURED_NS] / 1e9, answer = e2e ? hist_mean(e2e) / 1e9 : 0;
    char w[HUMAN_MAX], answers[HUMAN_THINGS_MAX], least[HUMAN_MAX];
    buf[0] = '\0';
    if (window >= STAGE_ANSWERS * answer) return buf;
    (void)snprintf(buf, n, ": the window of %s s is as long as %s. Make load.duration at least %s s",
                   human_number(window, w), human_things(window / answer, "answer", answers),
                   human_number(ceil((double)e->requested->warmup_ns / 1e9 + STAGE_ANSWERS * answer), least));
    return buf;
}

static void check_closed(const struct evidence *e, struct verdict *v)
{
    double window = (double)e->c[COUNTER_MEASURED_NS], slots = e->requested->concurrency;
    if (e->requested->requests || !(slots > 0)) return; /* a stage by count has free slots at its end by design */
    /* a conversation holds its slot while its user thinks */
    bool trees = plan_has_trees(e->plan);
    double held =
        (double)(trees ? e->c[COUNTER_WIN_TREES_NS] : e->c[COUNTER_WIN_INFLIGHT_NS] + e->c[COUNTER_WIN_THINK_NS]);
    double got = held / window, share = got / slots;
    if (fabs(share - 1) <= e->plan->verdict_achieved) return;
    double failed = (double)e->c[COUNTER_WIN_FAILED], ended = failed + (double)e->c[COUNTER_WIN_DONE];
    char n[HUMAN_MAX], t[HUMAN_THINGS_MAX], brief[160];
    double idle = (slots - got) * window / 1e9;
    bool server = ended > 0 && (failed > e->plan->verdict_achieved * ended || /* they end at once and free their slot */
                                (idle > 0 && idle <= FAILURE_REST_S * (double)counters_failed(e->c)));
    verdict_doubt(v, DOUBT_IN_FLIGHT, server ? VERDICT_SUSPECT : VERDICT_INVALID,
                  "%s in flight on average, %s asked for%s%s",
                  human_things(got,
                               trees                        ? "session tree"
                               : e->c[COUNTER_WIN_THINK_NS] ? "conversation"
                                                            : "request",
                               t),
                  human_number(slots, n), server ? ", while requests failed and plateau waited after failures" : "",
                  brief_words(e, brief, sizeof brief));
}

/* Mean rate the plan wanted inside the window; of a ramp that was cut short, that of the part which was measured. */
static double wanted_rate(const uint64_t c[COUNTER_N], const struct plan_stage *r)
{
    if (r->duration_ns <= 0) return r->rate_from;
    double middle = ((double)r->warmup_ns + (double)c[COUNTER_MEASURED_NS] / 2) / (double)r->duration_ns;
    return r->rate_from + (r->rate_to - r->rate_from) * middle;
}

double verdict_expected(const uint64_t c[COUNTER_N], const struct plan_stage *r)
{
    bool known = r->kind == LOAD_OPEN && r->arrivals != ARRIVALS_RECORDED && !r->requests && r->duration_ns > 0;
    return known ? wanted_rate(c, r) * (double)c[COUNTER_MEASURED_NS] / 1e9 : (double)NAN;
}

/* The counter CAPPED holds arrivals that waited for the cap and were sent in the end. Arrivals that were never sent
 * waited for it too; where no request has ended, these are all. */
uint64_t verdict_waited(const uint64_t c[COUNTER_N], const struct plan_stage *requested)
{
    uint64_t unsent = c[COUNTER_DUE] > c[COUNTER_SENT] ? c[COUNTER_DUE] - c[COUNTER_SENT] : 0;
    bool full = requested->max_concurrency && c[COUNTER_INFLIGHT_MAX] >= requested->max_concurrency;
    return c[COUNTER_CAPPED] || full ? c[COUNTER_CAPPED] + unsent : 0;
}

static void check_open(const struct evidence *e, struct verdict *v)
{
    uint64_t due = e->c[COUNTER_DUE], sent = e->c[COUNTER_SENT], waited = verdict_waited(e->c, e->requested);
    char unsent[HUMAN_MAX + 32] = "", n[2][HUMAN_MAX], t[HUMAN_THINGS_MAX];
    if (waited && due > sent)
        (void)snprintf(unsent, sizeof unsent, ", %s of them in vain", human_count(due - sent, n[0]));
    if (waited && !e->requested->max_concurrency)
        verdict_doubt(
            v, DOUBT_UNSENT, VERDICT_INVALID,
            "the agents were the limit: %s of %s waited for a free connection of theirs%s. Raise --max-connections or "
            "the limit of open files, or add agents",
            human_count(waited, n[1]), human_things((double)due, "arrival", t), unsent);
    else if (waited)
        verdict_doubt(v, DOUBT_CAPPED, VERDICT_SUSPECT, "%s load.max_concurrency (%u): %s of %s waited there%s",
                      due > sent ? "the server did not keep up with the rate at" : "at times as many were in flight as",
                      e->requested->max_concurrency, human_count(waited, n[1]), human_things((double)due, "arrival", t),
                      unsent);
    else if (due > 0 && (double)sent < (double)due * (1 - e->plan->verdict_achieved))
        verdict_doubt(v, DOUBT_UNSENT, VERDICT_INVALID, "only %s of %s that became due went out",
                      human_count(sent, n[1]), human_things((double)due, "request", t));
    if (e->requested->requests || e->requested->duration_ns <= 0) return;
    double want = wanted_rate(e->c, e->requested) * (double)e->c[COUNTER_MEASURED_NS] / 1e9,
           got = (double)e->c[COUNTER_WIN_DUE];
    double shape =
        e->requested->arrivals == ARRIVALS_GAMMA && e->requested->burstiness > 0 ? e->requested->burstiness : 1;
    double chance = e->requested->arrivals == ARRIVALS_CONSTANT ? 2 : 4 * sqrt(want / shape) + 2;
    if (fabs(got - want) > e->plan->verdict_achieved * want && fabs(got - want) > chance)
        verdict_doubt(v, DOUBT_ARRIVALS, VERDICT_INVALID, "%s came due in the window, the plan wanted %s",
                      human_things(got, "arrival", t), human_number(want, n[1]));
}

/* Slots are distributed so that all agents together never hold more than the plan allows. The counter is the sum of the
 * agents' maxima. */
static void check_in_flight(const struct evidence *e, struct verdict *v)
{
    uint64_t most = e->requested->kind == LOAD_CLOSED ? e->requested->concurrency : e->requested->max_concurrency;
    char n[HUMAN_MAX], t[HUMAN_THINGS_MAX];
    if (plan_has_trees(e->plan)) return; /* a tree has any number of requests in flight */
    if (most && e->c[COUNTER_INFLIGHT_MAX] > most)
        verdict_doubt(v, DOUBT_OVER_THE_CAP, VERDICT_SUSPECT, "up to %s in flight, the plan allows %s",
                      human_things((double)e->c[COUNTER_INFLIGHT_MAX], "request", t), human_count(most, n));
}

static void check_machine(const struct evidence *e, struct verdict *v)
{
    char t[HUMAN_THINGS_MAX];
    if (e->c[COUNTER_DROPPED])
        verdict_doubt(v, DOUBT_MACHINE, VERDICT_INVALID, "%s dropped, must be 0",
                      human_things((double)e->c[COUNTER_DROPPED], "record", t));
    if (e->c[COUNTER_THROTTLED])
        verdict_doubt(v, DOUBT_MACHINE, VERDICT_INVALID, "the cgroup throttled the agents in %s: raise their CPU limit",
                      human_things((double)e->c[COUNTER_THROTTLED], "period", t));
    double length = length_of(e), busy = length > 0 ? (double)e->c[COUNTER_CPU_MAX_NS] / length : 0;
    char n[2][HUMAN_MAX];
    if (is_starved(e)) /* gaps have limits where late reads were seen: check_blurred has judged them */
        verdict_doubt(
            v, e->c[COUNTER_BLURRED_BOUND] ? DOUBT_STARVED : DOUBT_STARVED_UNSEEN, VERDICT_SUSPECT,
            "the workers waited %s s for a CPU and had one for %s s: something else runs on the agents' cores",
            human_number((double)e->c[COUNTER_RUNQ_NS] / 1e9, n[0]),
            human_number((double)e->c[COUNTER_CPU_NS] / 1e9, n[1]));
    if (busy > CPU_SUSPECT)
        verdict_doubt(v, DOUBT_MACHINE, VERDICT_SUSPECT,
                      "the busiest worker used %s of a core: more agents or cores are needed",
                      human_percent(busy, n[0]));
}

static void check_cache(const struct evidence *e, struct verdict *v)
{
    char words[REUSE_WORDS];
    if (reuse_doubt(e->c, hist_of(e, METRIC_INPUT_TOKENS), e->plan, words))
        verdict_doubt(v, DOUBT_CACHE, VERDICT_SUSPECT, "%s", words);
}

/* The worst example of each number that was not believed, and how often usage was wrong in other ways. */
const char *verdict_usage_words(const uint64_t c[COUNTER_N], char *buf, size_t n)
{
    static const struct {
        enum counter most;
        const char *thing, *rest;
    } PARTS[] = {{COUNTER_USAGE_DOUBTED_OUT, "output token", " for one answer, whose events are counted instead"},
                 {COUNTER_USAGE_DOUBTED_IN, "input token", " for one prompt"},
                 {COUNTER_USAGE_DOUBTED_CACHED, "cached token", " for one prompt"}};
    static const struct {
        enum counter n;
        const char *what;
    } WAYS[] = {{COUNTER_USAGE_DOUBTED_ZERO, "no output token where the answer had some"},
                {COUNTER_USAGE_DOUBTED_FELL, "fewer output tokens at the end than before"},
                {COUNTER_USAGE_DOUBTED_UNREAD, "a number that is none"}};
    char t[HUMAN_THINGS_MAX];
    size_t at = 0;
    buf[0] = '\0';
    for (size_t i = 0; i < sizeof PARTS / sizeof *PARTS && at < n; i++)
        if (c[PARTS[i].most])
            at += (size_t)snprintf(buf + at, n - at, "%s%s%s", at ? ", " : "up to ",
                                   human_things((double)c[PARTS[i].most], PARTS[i].thing, t), PARTS[i].rest);
    for (size_t i = 0; i < sizeof WAYS / sizeof *WAYS && at < n; i++)
        if (c[WAYS[i].n])
            at += (size_t)snprintf(buf + at, n - at, "%s%s (%s)", at ? ", " : "", WAYS[i].what,
                                   human_things((double)c[WAYS[i].n], "request", t));
    return at ? buf : "far more tokens than were asked for and came"; /* a run of an older version */
}

/* Tokens are counted by the server where it can be believed, else by events, of which one may carry several. */
static void check_usage(const struct evidence *e, struct verdict *v)
{
    uint64_t doubted = e->c[COUNTER_USAGE_DOUBTED], ok = e->c[COUNTER_OK];
    uint64_t over = e->c[COUNTER_USAGE_OVER];
    char n[HUMAN_MAX], all[HUMAN_THINGS_MAX], most[HUMAN_THINGS_MAX];
    if ((double)over > USAGE_DOUBTED_SUSPECT * (double)ok)
        verdict_doubt(
            v, DOUBT_USAGE, VERDICT_SUSPECT,
            "the usage of %s of %s is doubtful, and token/s, TPOT and lengths rest on it: it counts up to %s, "
            "far more than were asked for and came in events, or than the text has bytes",
            human_count(over, n), human_things((double)ok, "request", all),
            human_things((double)e->c[COUNTER_USAGE_OVER_MOST], "output token", most));
    if ((double)doubted <= USAGE_DOUBTED_SUSPECT * (double)ok) return;
    char what[VERDICT_USAGE_WORDS];
    verdict_doubt(v, DOUBT_USAGE, VERDICT_SUSPECT,
                  "the server's usage cannot be right in %s of %s and was not taken: %s", human_count(doubted, n),
                  human_things((double)ok, "request", all), verdict_usage_words(e->c, what, sizeof what));
}

/* The stage's failures by their most frequent label, as the end of a sentence. The count is of the whole stage, as the
 * labels are. What to look at after a status, the server's own words tell, which the answer quotes. */
static void failures_text(const uint64_t c[COUNTER_N], char *buf, size_t n)
{
    char most_of[HUMAN_MAX], all[HUMAN_THINGS_MAX];
    int most = COUNTER_FAILED_FIRST;
    for (int i = COUNTER_FAILED_FIRST; i <= COUNTER_FAILED_LAST; i++)
        if (c[i] > c[most]) most = i;
    buf[0] = '\0';
    if (c[most] == 0) return;
    const struct failure_row *row = &FAILURES[most - COUNTER_FAILED_FIRST];
    uint64_t told = c[COUNTER_FINISH_FILTER] + c[COUNTER_FINISH_LENGTH]; /* why answers are empty */
    bool known = most == COUNTER_FAILED_EMPTY && told >= c[COUNTER_OK] + c[most];
    (void)snprintf(buf, n, "; %s of the stage's %s: %s%s", human_count(c[most], most_of),
                   human_things((double)counters_failed(c), "failure", all), COUNTERS[most].meaning,
                   known || row->by == FAILURE_BY_STATUS ? "" : row->look);
}

/* Nothing failed, and nothing ended in time: the answers are longer than the stage. */
static void add_too_short(const struct evidence *e, struct verdict *v)
{
    const struct hist *cut = hist_of(e, METRIC_CUT_AGE), *e2e = hist_of(e, METRIC_E2E);
    double age = (double)e->requested->duration_ns / 1e9;
    char open[HUMAN_MAX], length[HUMAN_MAX], still[96], tries[HUMAN_THINGS_MAX], again[HUMAN_THINGS_MAX + 80] = "";
    char silent[VERDICT_REASON_MAX];
    if (!e->c[COUNTER_RETRIES] && silence_words(e->c, e->hist, e->requested, e->plan, NULL, silent, sizeof silent)) {
        verdict_add(v, VERDICT_INVALID, "%s", silent);
        return;
    }
    (void)snprintf(still, sizeof still, "those due %s it ended in its drain", e->c[COUNTER_WIN_OK] ? "in" : "before");
    if (cut) age = fmax(age, (double)cut->max / 1e9);
    if (e2e) age = fmax(age, hist_mean(e2e) / 1e9);
    age = ceil(age);
    if (e->c[COUNTER_ABORTED])
        (void)snprintf(still, sizeof still, "%s were still open when the drain ended",
                       human_count(e->c[COUNTER_ABORTED], open));
    if (e->c[COUNTER_RETRIES])
        (void)snprintf(again, sizeof again, ", with the waits before %s that load.retries made again,",
                       human_things((double)e->c[COUNTER_RETRIES], "attempt", tries));
    verdict_add(
        v, VERDICT_INVALID,
        "nothing was measured: answers%s take longer than the stage. None ended within its window and none failed; %s. "
        "Make load.duration at least %s s",
        again, still, human_number(ceil((double)e->requested->warmup_ns / 1e9) + STAGE_ANSWERS * age, length));
}

/* Nothing failed for good, since tries that failed were to be sent again: plateau waited, not the server's answers. */
static bool add_waited_to_retry(const struct evidence *e, struct verdict *v)
{
    const uint64_t *c = e->c;
    char wait[HUMAN_THINGS_MAX], tries[HUMAN_THINGS_MAX], n[HUMAN_MAX];
    int most = COUNTER_RETRIED_FIRST;
    for (int i = 0; i < FAILURE_N; i++)
        if (c[COUNTER_RETRIED_FIRST + i] > c[most]) most = COUNTER_RETRIED_FIRST + i;
    if (c[COUNTER_RETRIES] == 0 || 2 * c[COUNTER_RETRIES_CUT] < c[COUNTER_ABORTED] + 1) return false;
    verdict_add(
        v, VERDICT_INVALID,
        "nothing was measured: %s still waited to be sent again when the drain ended, and none ended ok in the window "
        "(%s of %s: %s). Make load.duration longer than load.retries or a Retry-After lets them wait",
        human_things((double)c[COUNTER_RETRIES_CUT], "request", wait), human_count(c[most], n),
        human_things((double)c[COUNTER_RETRIES], "failed attempt", tries),
        COUNTERS[COUNTER_FAILED_FIRST + (most - COUNTER_RETRIED_FIRST)].meaning);
    return true;
}

/* Nothing came of it because nothing was asked, or because the plan's own users went away. */
static bool add_nothing_asked(const struct evidence *e, struct verdict *v)
{
    const uint64_t *c = e->c;
    double expected = verdict_expected(c, e->requested);
    const struct hist *gone = hist_of(e, METRIC_CANCEL_AGE);
    char n[HUMAN_MAX], t[HUMAN_THINGS_MAX];
    if (c[COUNTER_DUE] == 0 && isfinite(expected))
        verdict_add(
            v, VERDICT_INVALID,
            "nothing was measured: no request became due; at this rate %s are to be expected in the window. Make "
            "load.duration longer",
            human_number(expected, n));
    else if (c[COUNTER_DUE] == 0)
        verdict_add(v, VERDICT_INVALID, "nothing was measured: no request became due in the stage");
    else if (c[COUNTER_CANCELLED] > 0 && c[COUNTER_CANCELLED] == c[COUNTER_DUE])
        verdict_add(v, VERDICT_INVALID, "nothing was measured: load.cancel took back all of %s before they ended",
                    human_things((double)c[COUNTER_DUE], "request", t));
    else if (gone && c[COUNTER_WIN_OK] == 0 && gone->count == c[COUNTER_WIN_DUE])
        verdict_add(v, VERDICT_INVALID,
                    "nothing was measured: load.cancel took back all of %s due in the window before they ended",
                    human_things((double)c[COUNTER_WIN_DUE], "request", t));
    else
        return false;
    return true;
}

/* Requests ended before the window, and their answers took a part of it only; in it nothing ended any more. */
static bool add_stalled(const struct evidence *e, struct verdict *v)
{
    const uint64_t *c = e->c;
    bool closed = e->requested->kind == LOAD_CLOSED;
    uint64_t slots = e->requested->concurrency, held = closed ? slots : c[COUNTER_WIN_DUE];
    uint64_t before =
        c[COUNTER_DUE] > held ? c[COUNTER_DUE] - held : 0; /* those that made room for others, or came before */
    double answer = (double)e->requested->warmup_ns;       /* took at most so long */
    char ended[HUMAN_MAX], open[HUMAN_THINGS_MAX];
    if (closed && before > slots) answer *= (double)slots / (double)before;
    bool flows = c[COUNTER_WIN_EVENTS] > 0;
    if (before == 0 || c[COUNTER_OK] == 0 || (double)c[COUNTER_MEASURED_NS] < STALLED_ANSWERS * answer) return false;
    if (flows)
        verdict_add(v, VERDICT_INVALID,
                    "nothing was measured: answers came to no end. %s ended ok before the window; in it %s came, and "
                    "no answer ended. They are longer than the stage, or the server stopped within them",
                    human_count(c[COUNTER_OK] - c[COUNTER_WIN_OK], ended),
                    human_things((double)c[COUNTER_WIN_EVENTS], "token event", open));
    else if (!closed)
        verdict_add(
            v, VERDICT_INVALID,
            "nothing was measured: the server stopped answering. %s ended ok of those due before the window, and none "
            "of %s due in it",
            human_count(c[COUNTER_OK], ended), human_things((double)c[COUNTER_WIN_DUE], "request", open));
    else if (c[COUNTER_ABORTED] == 0)
        verdict_add(
            v, VERDICT_INVALID,
            "nothing was measured: the server stood still. %s ended ok before the window and none in it; those that "
            "were open ended in the drain",
            human_count(before, ended));
    else
        verdict_add(
            v, VERDICT_INVALID,
            "nothing was measured: the server stopped answering. %s ended ok before the window and none in it; the "
            "drain's end cut off %s, which held %s",
            human_count(c[COUNTER_OK], ended), human_things((double)c[COUNTER_ABORTED], "request", open),
            c[COUNTER_ABORTED] >= slots ? "all slots" : "their slots");
    return true;
}

/* Of a slow rate all arrivals may lie before the window, and so may the rows of a recording. */
static bool add_none_in_window(const struct evidence *e, struct verdict *v)
{
    const uint64_t *c = e->c;
    double expected = verdict_expected(c, e->requested);
    char n[HUMAN_MAX], before[HUMAN_MAX], rate[96] = "", text[VERDICT_REASON_MAX];
    if (e->requested->kind != LOAD_OPEN || c[COUNTER_DUE] == 0 || c[COUNTER_WIN_DUE] > 0) return false;
    if (isfinite(expected))
        (void)snprintf(rate, sizeof rate, ". At this rate %s are to be expected in it. Make load.duration longer",
                       human_number(expected, n));
    failures_text(c, text, sizeof text);
    verdict_add(v, VERDICT_INVALID, "nothing was measured: no request became due in the window (%s due before it)%s%s",
                human_count(c[COUNTER_DUE], before), text, rate);
    return true;
}

/* Conversations whose users think for longer than the window: slots are held, and nothing is asked. */
static bool add_thinking(const struct evidence *e, struct verdict *v)
{
    const uint64_t *c = e->c;
    double slots = (double)c[COUNTER_MEASURED_NS] * e->requested->concurrency;
    char n[HUMAN_THINGS_MAX];
    if (e->requested->kind != LOAD_CLOSED || !((double)c[COUNTER_WIN_THINK_NS] > slots / 2)) return false;
    if (c[COUNTER_WIN_DUE] > 0) return false;
    verdict_add(v, VERDICT_INVALID,
                "nothing was measured: users thought through the window, and none asked in it (%s before it). Make "
                "load.duration several times as long as think_time",
                human_things((double)c[COUNTER_DUE], "request", n));
    return true;
}

static void add_nothing_ok(const struct evidence *e, struct verdict *v)
{
    const uint64_t *c = e->c;
    char due[HUMAN_THINGS_MAX], failed[HUMAN_MAX], text[VERDICT_REASON_MAX];
    bool late = c[COUNTER_WIN_OK] > 0; /* it all ended well after the window */
    bool none_failed = late || counters_failed(c) + c[COUNTER_WIN_FAILED] == 0;
    if (none_failed && add_nothing_asked(e, v)) return;
    if (add_none_in_window(e, v)) return;
    if (none_failed) {
        if (!late && (add_waited_to_retry(e, v) || add_thinking(e, v) || add_stalled(e, v))) return;
        add_too_short(e, v);
        return;
    }
    failures_text(c, text, sizeof text);
    verdict_add(v, VERDICT_INVALID, "nothing was measured: of %s due in the window none ended ok, %s failed%s",
                human_things((double)c[COUNTER_WIN_DUE], "request", due), human_count(c[COUNTER_WIN_FAILED], failed),
                text);
}

/* The window never began. */
static void add_no_window(const struct evidence *e, struct verdict *v)
{
    char n[HUMAN_THINGS_MAX], warmup[HUMAN_MAX];
    if (e->requested->requests && e->requested->warmup_ns > 0)
        verdict_add(
            v, VERDICT_INVALID,
            "nothing was measured: all of %s had ended when the warm-up of %s s was over. Raise requests, or set "
            "warmup: 0s",
            human_things((double)e->c[COUNTER_DUE], "request", n),
            human_number((double)e->requested->warmup_ns / 1e9, warmup));
    else
        verdict_add(v, VERDICT_INVALID, "nothing was measured: the stage ended before its window began");
}

/* There is no number to judge.
 * - Of what was due in the window nothing ended ok, and some failed or nothing at all ended in it. Requests from before
 *   may have ended ok in it; they do not count where all that became due in it failed, or where none of an open loop
 *   did.
 * - All of it ended well, and not even a token of it came within: there is no throughput. */
static bool nothing_measured(const uint64_t c[COUNTER_N], const struct plan_stage *r)
{
    bool none_due = r->kind == LOAD_OPEN && r->rate_to > 0 && c[COUNTER_WIN_DUE] == 0;
    if (c[COUNTER_WIN_OK] > 0) return c[COUNTER_WIN_DONE] + c[COUNTER_WIN_EVENTS] + c[COUNTER_WIN_FAILED] == 0;
    return c[COUNTER_WIN_FAILED] > 0 || c[COUNTER_WIN_DONE] == 0 || none_due;
}

static bool none_measured(const uint64_t c[COUNTER_N], const struct plan_stage *requested)
{
    return c[COUNTER_MEASURED_NS] == 0 || nothing_measured(c, requested);
}

bool verdict_only_cut(const uint64_t counters[COUNTER_N], const struct plan_stage *requested)
{
    char words[VERDICT_REASON_MAX];
    return none_measured(counters, requested) && silence_cut_words(counters, requested, words, sizeof words);
}

void verdict_compute(const uint64_t counters[COUNTER_N], struct hist *const hist[METRIC_N],
                     const struct plan_stage *requested, const struct plan *plan, bool cut, struct verdict *ret)
{
    struct evidence e = {counters, hist, requested, plan};
    char words[VERDICT_REASON_MAX];
    bool none = none_measured(counters, requested);
    *ret = (struct verdict){.status = VERDICT_VALID};
    if (none && cut && silence_cut_words(counters, requested, words, sizeof words)) {
        verdict_add(ret, VERDICT_INVALID, "%s", words);
        return;
    }
    if (counters[COUNTER_MEASURED_NS] == 0) {
        add_no_window(&e, ret);
        return;
    }
    if (none) { /* so what happened and the state of the machines are reported */
        add_nothing_ok(&e, ret);
        check_machine(&e, ret);
        return;
    }
    check_dispatch(&e, ret);
    check_blurred(&e, ret);
    check_lag(&e, ret);
    if (requested->kind == LOAD_CLOSED)
        check_closed(&e, ret);
    else
        check_open(&e, ret);
    check_in_flight(&e, ret);
    check_machine(&e, ret);
    check_cache(&e, ret);
    check_usage(&e, ret);
}
