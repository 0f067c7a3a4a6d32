#include "coordinator/answer/trial.h"

#include <math.h>

#include "common/plan/gate.h"
#include "coordinator/answer/gate_check.h"
#include "coordinator/answer/numeric.h"

void trial_begin(struct trial *t, double load)
{
    *t = (struct trial){.load = load};
}

uint32_t trial_factor(const struct trial *t)
{
    return t->rounds < 2 ? 1 : 1u << (t->rounds - 1 < 3 ? t->rounds - 1 : 3);
}

static bool upper_limit(const struct plan_gate *gate)
{
    return gate->op == OP_LT || gate->op == OP_LE;
}

/* Decided by counting requests on the wrong side of the limit? */
static bool binomial(const struct plan_gate *gate)
{
    if (gate->subject == GATE_ERROR_RATE) return upper_limit(gate);
    return gate->subject == GATE_METRIC && gate->agg == AGG_QUANTILE && gate->q > 0 && gate->q < 1 &&
           stat_independent(gate->metric);
}

/* Share of requests that may be on the wrong side. */
static double allowed(const struct plan_gate *gate)
{
    if (gate->subject == GATE_ERROR_RATE) return gate->value;
    return upper_limit(gate) ? 1 - gate->q : gate->q;
}

static void count(const struct plan_gate *gate, const struct point *p, uint64_t *bad, uint64_t *n)
{
    if (gate->subject == GATE_ERROR_RATE) {
        *bad += point_errors(p);
        *n += point_ended(p);
        return;
    }
    uint64_t failed = gate_failed_over(gate, p);
    *bad += failed;
    *n += failed;
    const struct hist *cut[] = {point_cut(p, gate->metric), point_cut_within(p, gate->metric)},
                      *known[] = {p->hist ? p->hist[gate->metric] : NULL, point_cut_after(p, gate->metric)};
    for (int i = 0; i < 2 && upper_limit(gate); i++) { /* younger than the limit when cut off: decides nothing */
        if (!cut[i]) continue;
        uint64_t over = cut[i]->count - hist_count_at_most(cut[i], (int64_t)gate->value);
        *bad += over;
        *n += over;
    }
    for (int i = 0; i < 2; i++) {
        if (!known[i]) continue;
        uint64_t below = hist_count_at_most(known[i], (int64_t)gate->value);
        *bad += upper_limit(gate) ? known[i]->count - below : below;
        *n += known[i]->count;
    }
}

static enum trial_say other_say(const struct plan_gate *gate, const struct point *p, bool *no_memory)
{
    struct gate_outcome o;
    gate_check(gate, p, &o);
    if (o.no_memory) *no_memory = true;
    if (o.result == GATE_PASS) return TRIAL_PASS;
    if (o.result == GATE_FAIL) return TRIAL_FAIL;
    double limit = gate->subject == GATE_METRIC ? gate->value / METRICS[gate->metric].scale : gate->value;
    if (isnan(o.value)) return TRIAL_LEANS_PASS;
    return (o.value < limit) == upper_limit(gate) ? TRIAL_LEANS_PASS : TRIAL_LEANS_FAIL;
}

void trial_add(struct trial *t, const struct plan *plan, const struct point *p)
{
    t->rounds++;
    if (p->no_memory) t->no_memory = true;
    t->outrun = p->outrun;
    t->hung = false;
    for (size_t i = 0; i < plan->n_gates && i < TRIAL_GATES; i++) {
        const struct plan_gate *gate = &plan->gates[i];
        t->hung |= gate_users_hung(gate, p);
        if (binomial(gate))
            count(gate, p, &t->gate[i].bad, &t->gate[i].n);
        else
            t->gate[i].other = other_say(gate, p, &t->no_memory);
    }
}

static enum trial_say binomial_say(uint64_t bad, uint64_t n, double share)
{
    if (n == 0) return TRIAL_LEANS_PASS;
    if (binom_cdf(bad, n, share) <= 1 - TRIAL_CONFIDENCE) return TRIAL_PASS;
    if (bad > 0 && 1 - binom_cdf(bad - 1, n, share) <= 1 - TRIAL_CONFIDENCE) return TRIAL_FAIL;
    return (double)bad <= share * (double)n ? TRIAL_LEANS_PASS : TRIAL_LEANS_FAIL;
}

/* A rate that outran the server, or whose warm-up was too short to tell, needs a longer run. A gate that fails makes
 * the load fail, or too low where only such fail as ask for load; an undecided one keeps the load from passing. */
enum trial_say trial_say(const struct trial *t, const struct plan *plan)
{
    bool leans_pass = false, leans_fail = false, low = false, leans_low = false;
    for (size_t i = 0; i < plan->n_gates && i < TRIAL_GATES; i++) {
        const struct plan_gate *gate = &plan->gates[i];
        enum trial_say s =
            binomial(gate) ? binomial_say(t->gate[i].bad, t->gate[i].n, allowed(gate)) : t->gate[i].other;
        bool asks = gate_asks_for_load(gate);
        if (s == TRIAL_FAIL && !asks) return TRIAL_FAIL;
        low |= s == TRIAL_FAIL;
        leans_pass |= s == TRIAL_LEANS_PASS;
        leans_fail |= s == TRIAL_LEANS_FAIL && !asks;
        leans_low |= s == TRIAL_LEANS_FAIL && asks;
    }
    if (leans_fail || t->outrun || t->hung) return TRIAL_LEANS_FAIL; /* a higher rate would give no more */
    if (low) return TRIAL_LOW;
    if (leans_low) return TRIAL_LEANS_LOW;
    return leans_pass ? TRIAL_LEANS_PASS : TRIAL_PASS;
}
