#include "coordinator/extent.h"

#include <inttypes.h>
#include <math.h>

#include "common/clock.h"
#include "common/human.h"
#include "common/plan/plan_key.h"
#include "coordinator/answer/curve.h"
#include "coordinator/answer/gate_plan.h"
#include "coordinator/answer/mser.h"
#include "coordinator/answer/trial.h"
#include "coordinator/answer/scenario.h"
#include "coordinator/watch.h"

static double stage_requests(const struct plan_stage *s)
{
    double by_time = s->kind == LOAD_OPEN && s->duration_ns
                         ? (s->rate_from + s->rate_to) / 2 * (double)s->duration_ns / 1e9
                         : (double)INFINITY;
    double by_count = s->requests ? (double)s->requests : (double)INFINITY;
    double n = fmin(by_time, by_count);
    return isfinite(n) ? n : (double)NAN;
}

static uint64_t stage_in_flight(const struct plan_stage *s)
{
    return s->kind == LOAD_CLOSED ? s->concurrency : s->max_concurrency;
}

static void search_extent(const struct plan *p, struct extent *ret)
{
    ret->load_ns = p->stages[0].duration_ns;
    ret->drain_ns = p->drain_ns;
    ret->by_count = p->stages[0].duration_ns == 0;
    ret->requests = NAN;
    ret->in_flight = p->search.over_rate ? p->stages[0].max_concurrency : (uint64_t)p->search.to;
}

void extent_compute(const struct plan *p, struct extent *ret)
{
    uint32_t repeats = p->repeats ? p->repeats : 1;
    bool uncapped = false;
    *ret = (struct extent){0};
    if (p->search.goal != SEARCH_NONE) {
        search_extent(p, ret);
        return;
    }
    ret->stages = (uint64_t)p->n_stages * repeats;
    for (size_t i = 0; i < p->n_stages; i++) {
        const struct plan_stage *s = &p->stages[i];
        uint64_t flying = stage_in_flight(s);
        ret->load_ns += s->duration_ns * repeats;
        ret->by_count |= s->duration_ns == 0;
        ret->requests += stage_requests(s) * repeats;
        uncapped |= flying == 0;
        if (flying > ret->in_flight) ret->in_flight = flying;
    }
    if (ret->stages) ret->load_ns += (int64_t)(ret->stages - 1) * p->cooldown_ns;
    ret->drain_ns = (int64_t)ret->stages * p->drain_ns;
    if (uncapped) ret->in_flight = 0;
}

int64_t extent_left_ns(const struct plan *p, uint64_t ended, int64_t ended_ns, int64_t elapsed_ns)
{
    struct extent x;
    extent_compute(p, &x);
    int64_t left = x.load_ns - ended_ns - (int64_t)ended * p->cooldown_ns - (elapsed_ns > 0 ? elapsed_ns : 0);
    return x.stages == 0 || x.by_count || left < 0 ? 0 : left;
}

/* A load that its gates leave undecided is run again, for longer. */
static void put_search_length(const struct plan *p, const char *run, struct buf *out)
{
    const struct plan_stage *s = &p->stages[0];
    int64_t all = 0;
    char time[32];
    for (struct trial t = {.rounds = 0}; t.rounds < TRIAL_ROUNDS; t.rounds++)
        all += s->warmup_ns + (s->duration_ns - s->warmup_ns) * trial_factor(&t);
    (void)buf_printf(out, "length: a search; a run of a load takes at most %s", run);
    if (p->search.goal == SEARCH_SLO)
        (void)buf_printf(out, ", and one that its gates leave undecided is run up to %d times, %s in all", TRIAL_ROUNDS,
                         clock_duration_text(all, time, sizeof time));
}

static bool all_by_count(const struct plan *p)
{
    for (size_t i = 0; i < p->n_stages; i++)
        if (p->stages[i].duration_ns) return false;
    return true;
}

static void put_length(const struct plan *p, const struct extent *x, struct buf *out)
{
    char load[32], drain[32], stages[HUMAN_THINGS_MAX];
    (void)clock_duration_text(x->load_ns, load, sizeof load);
    (void)clock_duration_text(x->drain_ns, drain, sizeof drain);
    if (x->stages == 0 && x->by_count)
        (void)buf_puts(out, "length: a search; each load ends by its number of requests");
    else if (x->stages == 0)
        put_search_length(p, load, out);
    else if (all_by_count(p))
        (void)buf_printf(out, "length: %s, as long as their requests take",
                         human_things((double)x->stages, "stage", stages));
    else if (x->by_count)
        (void)buf_printf(out, "length: %s, some end by their number of requests alone; the others %s",
                         human_things((double)x->stages, "stage", stages), load);
    else
        (void)buf_printf(out, "length: %s in %s%s", human_things((double)x->stages, "stage", stages), load,
                         p->stages[0].duration_auto ? " at most (duration: auto)"
                         : p->stages[0].steady_ns   ? " at most (duration: steady)"
                                                    : "");
    (void)buf_printf(out, ", and %sat most %s more for answers that are still open (load.drain)\n",
                     x->stages == 0 ? "after each run " : "", drain);
}

static void put_requests(const struct plan *p, const struct extent *x, struct buf *out)
{
    const struct plan_stage *s = &p->stages[0];
    bool search = p->search.goal != SEARCH_NONE;
    char n[HUMAN_THINGS_MAX];
    if (!isnan(x->requests))
        (void)buf_printf(out, "requests: at most about %s\n", human_number(round(x->requests), n));
    else if (search && s->requests)
        (void)buf_printf(out, "requests: at most %s a run%s\n", human_things((double)s->requests, "request", n),
                         p->search.goal == SEARCH_SLO ? ", and up to 4 times as many where the gates are undecided"
                                                      : "");
    else if (search && p->search.over_rate)
        (void)buf_puts(out, "requests: in each run its rate times its length\n");
    else
        (void)buf_puts(out, "requests: as many as are answered in that time (closed loop)\n");
}

/* A timeout that is longer than a request can last: one that is never answered is then cut off, not timed out. Of the
 * default nobody is warned, since nobody asked for it. */
static void put_unreachable(const struct plan *p, const char *before, struct buf *out)
{
    int64_t most = 0, standard = 0, first = p->target.timeout_first_token_ns;
    char timeout[32], within[32];
    for (size_t i = 0; i < p->n_stages; i++) {
        if (p->stages[i].duration_ns == 0) return; /* by count: as long as it takes */
        if (p->stages[i].duration_ns > most) most = p->stages[i].duration_ns;
    }
    if (first == 0 || first < most + p->drain_ns) return;
    (void)clock_duration_text(first, timeout, sizeof timeout);
    (void)clock_duration_text(most + p->drain_ns, within, sizeof within);
    if (clock_duration_parse(key_find("timeouts", "first_token")->standard, &standard) == 0 && first == standard)
        (void)buf_printf(out, "%sa request that is never answered", before);
    else
        (void)buf_printf(out,
                         "%snote: target.timeouts.first_token (%s) cannot be reached: a stage and its drain last %s. A "
                         "request that is never answered",
                         before, timeout, within);
    (void)buf_puts(out, " is cut off when the drain ends, and counts as an error (unanswered)\n");
}

static void put_no_abort(const struct plan *p, const char *before, struct buf *out)
{
    if (p->abort_on_fail_ns == 0 || watch_may_abort(p)) return;
    (void)buf_printf(out, "%snote: slo.abort_on_fail does nothing here: %s\n", before,
                     p->search.goal != SEARCH_NONE
                         ? "a search tries loads that break a gate"
                         : "slo.require is any, so a load may break a gate and the others are still run");
}

/* `warmup: auto` counts in seconds, and a window of few of them it leaves as it is. */
static void put_warmup_auto(const struct plan *p, const char *before, struct buf *out)
{
    char n[2][HUMAN_MAX];
    for (size_t i = 0; i < p->n_stages; i++) {
        const struct plan_stage *s = &p->stages[i];
        int64_t window = s->duration_ns - s->warmup_ns;
        if (!s->warmup_auto || s->duration_ns == 0 || plan_stage_is_ramp(s) || window >= MSER5_LEAST * NS_PER_S)
            continue;
        (void)buf_printf(
            out,
            "%snote: warmup: auto looks for a start-up in windows of %d s or more: of the %s s after "
            "the first %s s it cuts nothing. Give a warmup that covers the start-up, or a longer duration\n",
            before, MSER5_LEAST, human_number((double)window / NS_PER_S, n[0]),
            human_number((double)s->warmup_ns / NS_PER_S, n[1]));
        return;
    }
}

struct liner {
    const char *before;
    struct buf *out;
};

static void put_note(void *arg, const char *sentence)
{
    const struct liner *l = arg;
    (void)buf_printf(l->out, "%snote: %s\n", l->before, sentence);
}

static void put_deviation(void *arg, const char *sentence)
{
    const struct liner *l = arg;
    (void)buf_printf(l->out, "%snot to the rules: %s\n", l->before, sentence);
}

/* Where a curve puts its points, and what of the rules it does not keep. */
static void put_curve(const struct plan *p, const char *before, struct buf *out)
{
    static const char *const NAMES[] = {[REGION_LOW] = "low", [REGION_MEDIUM] = "medium", [REGION_HIGH] = "high"};
    struct liner l = {before, out};
    struct regions r;
    struct extent x;
    char time[32], hours[HUMAN_THINGS_MAX];
    if (p->curve.kind == CURVE_NONE || regions_compute(p->curve.max_concurrency, p->curve.min_concurrency, &r)) return;
    (void)buf_printf(out, "%scurve: MLPerf Endpoints; regions", before);
    for (int k = 0; k <= REGION_HIGH; k++)
        (void)buf_printf(out, "%s %s %" PRIu32 " to %" PRIu32, k ? "," : "", NAMES[k], r.at[k].from, r.at[k].to);
    extent_compute(p, &x);
    (void)buf_printf(out, x.by_count ? "\n" : "; at most %s without drains\n",
                     human_things((double)x.load_ns / (3600.0 * NS_PER_S), "hour", hours));
    for (size_t i = 0; i < p->n_stages; i++) {
        const struct plan_stage *s = &p->stages[i];
        (void)buf_printf(out, "%s  %-9s %7" PRIu32, before, curve_region(p, s), s->concurrency);
        if (s->duration_ns)
            (void)buf_printf(out, ", window %s", clock_duration_text(s->steady_ns, time, sizeof time));
        else
            (void)buf_printf(out, ", %" PRIu64 " requests", s->requests);
        (void)buf_puts(out, curve_is_offline(p, s) && !plan_stage_is_batch(s) ? ", elected as Offline\n" : "\n");
    }
    curve_deviations(p, NULL, 0, put_deviation, &l);
}

void extent_words(const struct plan *p, const char *before, struct buf *out)
{
    struct extent x;
    extent_compute(p, &x);
    (void)buf_puts(out, before);
    put_length(p, &x, out);
    (void)buf_puts(out, before);
    put_requests(p, &x, out);
    if (x.in_flight)
        (void)buf_printf(out, "%sin flight: at most %" PRIu64 " %sat once, over all agents\n", before, x.in_flight,
                         plan_has_trees(p) ? "session trees, each with any number of requests, " : "");
    else
        (void)buf_printf(out, "%sin flight: no limit (load.max_concurrency sets one)\n", before);
    put_curve(p, before, out);
    scenario_deviations(p, NULL, 0, put_deviation, &(struct liner){before, out});
    put_unreachable(p, before, out);
    put_no_abort(p, before, out);
    put_warmup_auto(p, before, out);
    gate_notes(p, put_note, &(struct liner){before, out});
}
