#include "coordinator/answer/search.h"

#include <math.h>
#include <stdlib.h>

#include "coordinator/answer/gate_check.h"
#include "coordinator/answer/load_axis.h"
#include "coordinator/answer/trial.h"

#define KNEE 0.95
#define SPOILT_MAX 2  /* runs of a load that decide nothing, before the load counts as beyond the clients */
#define CONFIRM_MAX 6 /* maximum of steps down and back while confirming */
#define FLAT 2        /* this many doublings in a row must add nothing */

enum phase { DOUBLING, HALVING, CHECKING, CONFIRMING, OVER };

struct run {
    double load, throughput;
    enum trial_say say;
};

struct search {
    const struct plan *plan;
    double from, to, tolerance;
    enum phase phase;
    struct trial now;
    double lo, hi;  /* highest load that passed, lowest that failed; NaN: none */
    bool lo_low;    /* lo did not pass, it was too low: no load has passed */
    double checked; /* failing load that was tested again */
    uint32_t confirms, flat;
    double best, best_load; /* plateau: the maximum throughput and its load */
    double nothing;         /* smallest load at which nothing ended ok; NaN: none */
    double reach;           /* smallest load that stayed without a word on the server; NaN: none */
    struct run run[SEARCH_RUNS_MAX];
    uint32_t n_runs, n_told;
    bool found, confirmed, end_reached, client_limited, no_memory;
};

struct search *search_new(const struct plan *plan, struct err *e)
{
    if (plan->search.goal == SEARCH_NONE || plan->n_stages == 0) {
        err_set(e, ERR_PLAN, "the plan asks for no search");
        return NULL;
    }
    struct search *s = calloc(1, sizeof *s);
    if (!s) {
        err_set(e, ERR_NOMEM, "no memory for a search");
        return NULL;
    }
    s->plan = plan;
    s->from = plan->search.from > 0 ? plan->search.from : 1;
    s->to = fmax(plan->search.to, s->from);
    s->tolerance = plan->search.tolerance > 0 ? plan->search.tolerance : 0.05;
    s->lo = s->hi = s->checked = s->best_load = s->nothing = s->reach = NAN;
    trial_begin(&s->now, s->from);
    return s;
}

void search_destroy(struct search **s)
{
    if (!*s) return;
    free(*s);
    *s = NULL;
}

const char *search_phase(const struct search *s)
{
    static const char *const names[] = {"doubling", "halving", "checking the load that failed", "confirming", "over"};
    return names[s->phase];
}

bool search_next(struct search *s, struct plan_stage *ret)
{
    if (s->phase == OVER) return false;
    *ret = s->plan->stages[0];
    uint32_t factor = trial_factor(&s->now);
    if (ret->duration_ns > 0) ret->duration_ns = ret->warmup_ns + (ret->duration_ns - ret->warmup_ns) * factor;
    ret->requests *= factor;
    if (s->plan->search.over_rate) {
        ret->kind = LOAD_OPEN;
        ret->rate_from = ret->rate_to = s->now.load;
    } else {
        ret->kind = LOAD_CLOSED;
        ret->concurrency = (uint32_t)s->now.load;
    }
    return true;
}

static bool is_pass(enum trial_say say)
{
    return say == TRIAL_PASS || say == TRIAL_LEANS_PASS;
}

static bool is_low(enum trial_say say)
{
    return say == TRIAL_LOW || say == TRIAL_LEANS_LOW;
}

static double whole(const struct search *s, double load)
{
    if (!s->plan->search.over_rate) load = floor(load + 0.5);
    return fmin(fmax(load, s->from), s->to);
}

static void go(struct search *s, enum phase phase, double load)
{
    s->phase = phase;
    trial_begin(&s->now, load);
}

static void over(struct search *s)
{
    s->phase = OVER;
}

/* The end of the way to `load`. One that was too low has no load above it that passes. */
static void confirm(struct search *s, double load)
{
    if (s->lo_low)
        over(s);
    else
        go(s, CONFIRMING, load);
}

/* `load` and what is below it is not too high. */
static void lo_set(struct search *s, double load, enum trial_say say)
{
    s->lo = load;
    s->lo_low = is_low(say);
}

/* The tolerance is of the answer; half of it goes to the bracket, half is left for chance at its ends. */
static bool close_enough(const struct search *s)
{
    double mid = whole(s, sqrt(s->lo * s->hi));
    return s->hi / s->lo <= 1 + s->tolerance / 2 || mid <= s->lo || mid >= s->hi;
}

static void halve_or_confirm(struct search *s)
{
    if (!close_enough(s))
        go(s, HALVING, whole(s, sqrt(s->lo * s->hi)));
    else if (s->hi > s->checked || s->hi < s->checked || isnan(s->checked))
        go(s, CHECKING, s->hi);
    else
        confirm(s, s->lo);
}

/* Nearest load on the other side of `load` that is known to have passed (dir -1) or failed (dir +1); NaN when none. */
static double neighbour(const struct search *s, double load, int dir)
{
    double found = NAN;
    for (uint32_t i = 0; i < s->n_runs; i++) {
        const struct run *r = &s->run[i];
        bool pass = is_pass(r->say);
        if (s->lo_low && is_low(r->say)) continue;
        if (pass != (dir < 0) || (dir < 0 ? r->load >= load : r->load <= load)) continue;
        if (isnan(found) || (dir < 0 ? r->load > found : r->load < found)) found = r->load;
    }
    return found;
}

static void doubled(struct search *s, enum trial_say say)
{
    double load = s->now.load;
    if (is_pass(say) || is_low(say)) {
        lo_set(s, load, say);
        if (load >= s->to) {
            s->end_reached = !s->lo_low;
            confirm(s, load);
        } else {
            go(s, DOUBLING, whole(s, load * 2));
        }
        return;
    }
    s->hi = load;
    if (isnan(s->lo))
        go(s, CHECKING, load);
    else
        halve_or_confirm(s);
}

static void checked(struct search *s, enum trial_say say)
{
    s->checked = s->hi;
    if (say == TRIAL_PASS || is_low(say)) { /* it had failed by chance: the answer is a higher load */
        lo_set(s, s->hi, say);
        s->hi = neighbour(s, s->lo, 1);
        if (s->reach > s->lo) s->hi = s->checked = fmin(s->hi, s->reach); /* it is not asked for again */
        if (!isnan(s->hi))
            halve_or_confirm(s);
        else if (s->lo < s->to)
            go(s, DOUBLING, whole(s, s->lo * 2));
        else
            confirm(s, s->lo);
    } else if (isnan(s->lo)) {
        over(s); /* not even `from` passes */
    } else {
        confirm(s, s->lo);
    }
}

static void confirmed(struct search *s, enum trial_say say)
{
    if (say == TRIAL_PASS) {
        s->found = s->confirmed = true;
        over(s);
        return;
    }
    s->end_reached = false;
    if (++s->confirms >= CONFIRM_MAX) {
        s->found = say == TRIAL_LEANS_PASS;
        over(s);
        return;
    }
    double load = s->now.load;
    if (say == TRIAL_FAIL) {
        s->hi = s->checked = load; /* failed on fresh evidence: no need to test it again */
        s->lo = neighbour(s, load, -1);
        if (isnan(s->lo)) {
            over(s);
            return;
        }
        halve_or_confirm(s);
        return;
    }
    double down = whole(s, fmin(load / (1 + s->tolerance / 2), s->plan->search.over_rate ? load : load - 1));
    if (down >= load) {
        s->found = say == TRIAL_LEANS_PASS;
        over(s);
        return;
    }
    s->lo = down;
    go(s, CONFIRMING, down);
}

/* A load that was asked for more than once may have lost its pass; it is confirmed or checked then, and no end is low.
 */
static bool has_passed(const struct search *s)
{
    if (s->phase == CONFIRMING) return true;
    for (uint32_t i = 0; i < s->n_runs; i++)
        if (is_pass(s->run[i].say)) return true;
    return false;
}

/* The load's evidence is complete: what next? */
static void slo_step(struct search *s, enum trial_say say)
{
    if (is_low(say) && has_passed(s)) say = say == TRIAL_LOW ? TRIAL_FAIL : TRIAL_LEANS_FAIL;
    switch (s->phase) {
    case DOUBLING:
        doubled(s, say);
        break;
    case HALVING:
        if (is_pass(say) || is_low(say))
            lo_set(s, s->now.load, say);
        else
            s->hi = s->now.load;
        halve_or_confirm(s);
        break;
    case CHECKING:
        checked(s, say);
        break;
    case CONFIRMING:
        confirmed(s, say);
        break;
    case OVER:
        break;
    }
}

/* The window saw no good answer: all failed, none came in time, or the stage was over before it began. */
static bool nothing_ok(const struct point *p)
{
    if (p->degraded || p->window_ok > 0) return false;
    return point_errors(p) > 0 || p->window_done == 0 || !(p->window_s > 0);
}

/* `now`: the load's trial with this point added. */
static void slo_tell(struct search *s, const struct point *p, const struct trial *now)
{
    s->now = *now;
    /* whatever the gates are of: without answers there is nothing that keeps them */
    enum trial_say say = nothing_ok(p) ? TRIAL_FAIL : trial_say(&s->now, s->plan);
    bool sure = say == TRIAL_PASS || say == TRIAL_FAIL || say == TRIAL_LOW;
    /* on the way up a load that looks well within the limits need not be proven; only the answer must be */
    if (s->phase == DOUBLING && say == TRIAL_LEANS_PASS && s->now.load < s->to) sure = true;
    struct run *r = &s->run[s->n_runs++];
    *r = (struct run){s->now.load, p->output_tokens_per_s, say};
    for (uint32_t i = 0; i + 1 < s->n_runs; i++) /* a load is judged by all of its evidence so far */
        if (fabs(s->run[i].load - r->load) < 1e-9 * r->load) s->run[i].say = say;
    if (sure || s->now.rounds >= TRIAL_ROUNDS) slo_step(s, say);
}

/* Knee: the smallest load with 95 % of the best throughput lies in (lo, hi]. */
static void knee_bracket(struct search *s)
{
    s->lo = s->hi = NAN;
    for (uint32_t i = 0; i < s->n_runs; i++) {
        const struct run *r = &s->run[i];
        bool up = r->throughput >= KNEE * s->best;
        if (up && (isnan(s->hi) || r->load < s->hi)) s->hi = r->load;
    }
    for (uint32_t i = 0; i < s->n_runs; i++) {
        const struct run *r = &s->run[i];
        if (r->throughput < KNEE * s->best && r->load < s->hi && (isnan(s->lo) || r->load > s->lo)) s->lo = r->load;
    }
}

static void knee_step(struct search *s)
{
    knee_bracket(s);
    if (isnan(s->lo) || close_enough(s))
        go(s, CONFIRMING, s->best_load);
    else
        go(s, HALVING, whole(s, sqrt(s->lo * s->hi)));
}

static void plateau_tell(struct search *s, const struct point *p)
{
    double load = s->now.load, before = s->n_runs ? s->run[s->n_runs - 1].throughput : 0,
           x = isnan(p->output_tokens_per_s) ? 0 : p->output_tokens_per_s;
    enum phase phase = s->phase;
    s->run[s->n_runs++] = (struct run){load, x, TRIAL_PASS};
    s->now.rounds++;
    if (phase == CONFIRMING) { /* the mean of two runs corrects for the luck of being the best of many */
        for (uint32_t i = 0; i + 1 < s->n_runs; i++)
            if (s->run[i].throughput >= s->best) s->best = (s->best + x) / 2;
        s->confirmed = fabs(x - s->best) <= s->tolerance * s->best;
        knee_bracket(s);
        over(s);
        return;
    }
    if (x > s->best || isnan(s->best_load)) {
        s->best = x;
        s->best_load = load;
    }
    if (phase == HALVING) {
        knee_step(s);
        return;
    }
    s->flat = s->n_runs > 1 && x < before * (1 + s->tolerance) ? s->flat + 1 : 0;
    if (s->flat >= FLAT || load >= s->to) {
        s->found = s->flat >= FLAT || (load >= s->to && s->flat > 0);
        s->end_reached = !s->found;
        knee_step(s);
    } else {
        go(s, DOUBLING, whole(s, load * 2));
    }
}

/* Nothing ended ok at this load. Throughput is not flat there, it is gone: what was found below it stands. */
static void plateau_broke(struct search *s)
{
    double load = s->now.load;
    enum phase phase = s->phase;
    s->run[s->n_runs++] = (struct run){load, 0, TRIAL_FAIL};
    if (phase == CONFIRMING) {
        knee_bracket(s);
        over(s);
        return;
    }
    if (phase == DOUBLING) {
        s->to = load;
        s->end_reached = s->flat == 0;
        s->found = !s->end_reached;
    }
    knee_step(s);
}

/* A load that the clients cannot offer, or that always breaks, bounds the search from above. Not where a higher one was
 * measured, as between the ends of the knee: then the knee is known no better than by the loads that were. */
static void out_of_reach(struct search *s)
{
    if (s->plan->search.goal == SEARCH_PLATEAU && s->phase == HALVING) {
        go(s, CONFIRMING, s->best_load);
        return;
    }
    s->client_limited = true;
    s->reach = fmin(s->reach, s->now.load);
    s->to = s->now.load;
    bool first = s->n_runs == 0 || s->now.load <= s->from;
    if (s->plan->search.goal == SEARCH_PLATEAU && !first && s->phase != CONFIRMING) {
        s->end_reached = s->phase == DOUBLING;
        knee_step(s);
        return;
    }
    if (first || s->phase == CONFIRMING || isnan(s->lo)) {
        over(s);
        return;
    }
    s->hi = s->checked = s->now.load;
    halve_or_confirm(s);
}

int search_tell(struct search *s, const struct point *p)
{
    if (s->phase == OVER) return 0;
    bool plateau = s->plan->search.goal == SEARCH_PLATEAU, nothing = nothing_ok(p);
    bool spoilt = !nothing && (p->degraded || p->verdict.status == VERDICT_INVALID || !(p->window_s > 0));
    bool again = p->leftover && s->now.spoilt < SPOILT_MAX; /* then it counts as it is */
    nothing &= !again;
    spoilt |= again;
    struct trial now = s->now;
    if (!plateau && !spoilt) trial_add(&now, s->plan, p);
    if (p->no_memory || now.no_memory) {
        s->no_memory = true;
        return -1;
    }
    s->n_told++;
    if (nothing) s->nothing = fmin(s->nothing, s->now.load); /* fmin passes over NaN */
    if (nothing && s->n_runs == 0) {
        s->run[s->n_runs++] = (struct run){s->now.load, 0, TRIAL_FAIL};
        s->hi = s->now.load;
        over(s);
    } else if (spoilt && ++s->now.spoilt > SPOILT_MAX)
        out_of_reach(s);
    else if (nothing && plateau)
        plateau_broke(s);
    else if (!spoilt && plateau)
        plateau_tell(s, p);
    else if (!spoilt)
        slo_tell(s, p, &now);
    if (s->n_told >= SEARCH_RUNS_MAX) over(s);
    return 0;
}

/* From where on gates that ask for load are kept. Above a load that passed none is too low. */
static void low_result(const struct search *s, struct search_outcome *ret)
{
    for (uint32_t i = 0; i < s->n_runs; i++)
        if (is_pass(s->run[i].say)) ret->kept_from = fmin(ret->kept_from, s->run[i].load);
    for (uint32_t i = 0; i < s->n_runs; i++)
        if (is_low(s->run[i].say) && !(s->run[i].load > ret->kept_from))
            ret->low_load = fmax(ret->low_load, s->run[i].load);
}

static bool has_run(const struct search *s, double load)
{
    for (uint32_t i = 0; i < s->n_runs; i++)
        if (fabs(s->run[i].load - load) < 1e-9 * load) return true;
    return false;
}

void search_result(const struct search *s, struct search_outcome *ret)
{
    bool plateau = s->plan->search.goal == SEARCH_PLATEAU;
    *ret = (struct search_outcome){.over = s->phase == OVER,
                                   .found = s->found,
                                   .confirmed = s->confirmed,
                                   .end_reached = s->end_reached,
                                   .client_limited = s->client_limited,
                                   .no_memory = s->no_memory,
                                   .load = NAN,
                                   .failed_load = plateau ? s->lo : s->hi,
                                   .plateau = NAN,
                                   .nothing_load = s->nothing,
                                   .low_load = NAN,
                                   .kept_from = NAN,
                                   .runs = s->n_told};
    if (!plateau && !has_run(s, s->hi)) ret->failed_load = NAN; /* it was never offered, and broke nothing */
    if (!plateau) low_result(s, ret);
    if (plateau && s->best > 0) ret->plateau = s->best;
    if (plateau ? s->best > 0 : s->found) ret->load = plateau ? s->hi : s->lo;
    for (uint32_t i = 0; i < s->n_runs; i++) {
        bool seen = false;
        for (uint32_t j = 0; j < i && !seen; j++)
            seen = fabs(s->run[j].load - s->run[i].load) < 1e-9 * s->run[i].load;
        ret->loads += !seen;
    }
}

size_t search_replay(struct search *s, const struct point *points, size_t n)
{
    struct plan_stage asked;
    for (size_t i = 0; i < n; i++) {
        if (!search_next(s, &asked) || !load_same(&asked, &points[i].requested)) return i;
        if (search_tell(s, &points[i])) return i;
    }
    return n;
}

static bool known(double value, double lo, double hi, double tolerance)
{
    return !isnan(value) && !isnan(lo) && !isnan(hi) && hi - lo <= 2 * tolerance * fabs(value);
}

bool search_enough(const struct point *p, const struct plan *plan)
{
    double tolerance = plan->search.tolerance > 0 ? plan->search.tolerance : 0.05;
    if (p->steady == STEADY_NO || p->no_memory) return false;
    for (size_t i = 0; i < plan->n_gates; i++) {
        struct gate_outcome o;
        gate_check(&plan->gates[i], p, &o);
        if (o.no_memory || (o.result != GATE_INCONCLUSIVE && !gate_is_clear(&o, p))) return false;
    }
    if (plan->search.goal ==
        SEARCH_SLO) { /* a search asks for more confidence than a gate; with less the load would only be run again */
        struct trial t;
        trial_begin(&t, 0);
        trial_add(&t, plan, p);
        enum trial_say say = trial_say(&t, plan);
        return (say == TRIAL_PASS || say == TRIAL_FAIL || say == TRIAL_LOW) && !t.no_memory;
    }
    if (plan->n_gates == 0) return known(p->output_tokens_per_s, p->output_lo, p->output_hi, tolerance);
    for (size_t i = 0; i < plan->n_gates; i++) {
        struct gate_outcome o;
        gate_check(&plan->gates[i], p, &o);
        if (o.no_memory) return false;
        if (o.result == GATE_INCONCLUSIVE && !known(o.value, o.lo, o.hi, tolerance)) return false;
    }
    return true;
}
