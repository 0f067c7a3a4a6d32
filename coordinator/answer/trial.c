#include "coordinator/answer/trial.h"

#include <math.h>

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

static bool upper_limit(const struct plan_gate *g)
{
    return g->op == OP_LT || g->op == OP_LE;
}

/* Decided by counting requests on the wrong side of the limit? */
static bool binomial(const struct plan_gate *g)
{
    if (g->subject == GATE_ERROR_RATE) return upper_limit(g);
    return g->subject == GATE_METRIC && g->agg == AGG_QUANTILE && g->q > 0 && g->q < 1 && stat_independent(g->metric);
}

/* Share of requests that may be on the wrong side. */
static double allowed(const struct plan_gate *g)
{
    if (g->subject == GATE_ERROR_RATE) return g->value;
    return upper_limit(g) ? 1 - g->q : g->q;
}

static void count(const struct plan_gate *g, const struct point *p, uint64_t *bad, uint64_t *n)
{
    if (g->subject == GATE_ERROR_RATE) {
        *bad += point_errors(p);
        *n += point_ended(p);
        return;
    }
    *bad += p->window_failed;
    *n += p->window_failed;
    const struct hist *h = p->hist ? p->hist[g->metric] : NULL, *cut = point_cut(p, g->metric);
    if (cut && upper_limit(g)) { /* requests younger than the limit when they were cut off decide nothing */
        uint64_t over = cut->count - hist_count_at_most(cut, (int64_t)g->value);
        *bad += over;
        *n += over;
    }
    if (!h) return;
    uint64_t below = hist_count_at_most(h, (int64_t)g->value);
    *bad += upper_limit(g) ? h->count - below : below;
    *n += h->count;
}

static enum trial_say other_say(const struct plan_gate *g, const struct point *p)
{
    struct gate_outcome o;
    gate_check(g, p, &o);
    if (o.result == GATE_PASS) return TRIAL_PASS;
    if (o.result == GATE_FAIL) return TRIAL_FAIL;
    double limit = g->subject == GATE_METRIC ? g->value / METRICS[g->metric].scale : g->value;
    if (isnan(o.value)) return TRIAL_LEANS_PASS;
    return (o.value < limit) == upper_limit(g) ? TRIAL_LEANS_PASS : TRIAL_LEANS_FAIL;
}

void trial_add(struct trial *t, const struct plan *plan, const struct point *p)
{
    t->rounds++;
    for (size_t i = 0; i < plan->n_gates && i < TRIAL_GATES; i++) {
        const struct plan_gate *g = &plan->gates[i];
        if (binomial(g))
            count(g, p, &t->gate[i].bad, &t->gate[i].n);
        else
            t->gate[i].other = other_say(g, p);
    }
}

static enum trial_say binomial_say(uint64_t bad, uint64_t n, double share)
{
    if (n == 0) return TRIAL_LEANS_PASS;
    if (binom_cdf(bad, n, share) <= 1 - TRIAL_CONFIDENCE) return TRIAL_PASS;
    if (bad > 0 && 1 - binom_cdf(bad - 1, n, share) <= 1 - TRIAL_CONFIDENCE) return TRIAL_FAIL;
    return (double)bad <= share * (double)n ? TRIAL_LEANS_PASS : TRIAL_LEANS_FAIL;
}

/* A gate that fails makes the load fail; an undecided one keeps the load from passing. */
enum trial_say trial_say(const struct trial *t, const struct plan *plan)
{
    bool leans_pass = false, leans_fail = false;
    for (size_t i = 0; i < plan->n_gates && i < TRIAL_GATES; i++) {
        const struct plan_gate *g = &plan->gates[i];
        enum trial_say s = binomial(g) ? binomial_say(t->gate[i].bad, t->gate[i].n, allowed(g)) : t->gate[i].other;
        if (s == TRIAL_FAIL) return TRIAL_FAIL;
        leans_pass |= s == TRIAL_LEANS_PASS;
        leans_fail |= s == TRIAL_LEANS_FAIL;
    }
    return leans_fail ? TRIAL_LEANS_FAIL : leans_pass ? TRIAL_LEANS_PASS : TRIAL_PASS;
}
