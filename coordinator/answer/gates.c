#include "coordinator/answer/gates.h"

#include "common/plan/gate.h"
#include "coordinator/answer/load_axis.h"

/* A search knows more than single points: it has judged each load by all of its runs together. */
static enum gate_result search_decides(const struct search_outcome *o)
{
    if (o->found && o->confirmed) return GATE_PASS;
    return o->over && !o->found && !o->client_limited ? GATE_FAIL : GATE_INCONCLUSIVE;
}

bool gates_any(const struct plan *plan)
{
    return plan->search.goal != SEARCH_NONE || plan->require == REQUIRE_ANY;
}

const char *gates_rule(const struct plan *plan)
{
    if (plan->search.goal == SEARCH_SLO) return "the load that the search found must keep every gate";
    return gates_any(plan) ? "one load that keeps every gate is enough (slo.require: any)"
                           : "every load must keep every gate (slo.require: all)";
}

const char *gates_failed_rule(const struct plan *plan)
{
    return gates_bound_errors(plan)
               ? "a failed request is over each latency limit below the time that it had waited; one that failed "
                 "sooner is left to the gate on errors"
               : "a failed request is over every latency limit, since no gate is on errors.rate";
}

/* All runs of a load together. */
static enum gate_result load_decides(const struct point *points, size_t n_points, const struct gate_outcome *gates,
                                     size_t n_gates, const struct plan_stage *load)
{
    size_t count[3] = {0, 0, 0};
    for (size_t i = 0; i < n_points; i++)
        if (points[i].verdict.status != VERDICT_INVALID && load_same(&points[i].requested, load))
            count[gates_at_point((uint32_t)i, gates, n_gates)]++;
    return count[GATE_FAIL] ? GATE_FAIL : count[GATE_PASS] ? GATE_PASS : GATE_INCONCLUSIVE;
}

uint32_t gates_run(const struct point *points, size_t n_points, const struct gate_outcome *gates, size_t n_gates,
                   uint32_t run)
{
    static const int RANK[] = {[GATE_PASS] = 2, [GATE_INCONCLUSIVE] = 1, [GATE_FAIL] = 0};
    uint32_t best = UINT32_MAX;
    int rank = 0;
    for (uint32_t i = 0; i < n_points; i++) {
        if (!load_usable(&points[i]) || !load_same(&points[i].requested, &points[run].requested)) continue;
        int r = RANK[gates_at_point(i, gates, n_gates)];
        if (best != UINT32_MAX && (r < rank || (r == rank && points[i].window_s <= points[best].window_s))) continue;
        best = i;
        rank = r;
    }
    return best == UINT32_MAX ? run : best;
}

enum gate_result gates_decide(const struct plan *plan, const struct point *points, size_t n_points,
                              const struct gate_outcome *gates, size_t n_gates, const struct search_outcome *search)
{
    size_t seen = 0, count[3] = {0, 0, 0};
    bool any = gates_any(plan);
    if (plan->n_gates == 0) return GATE_PASS;
    if (plan->search.goal == SEARCH_SLO && n_points && points[0].hist) return search_decides(search);
    for (size_t i = 0; i < n_points; i++) {
        if (points[i].verdict.status == VERDICT_INVALID) continue;
        seen++;
        count[any ? load_decides(points, n_points, gates, n_gates, &points[i].requested)
                  : gates_at_point((uint32_t)i, gates, n_gates)]++;
    }
    if (seen == 0) return GATE_INCONCLUSIVE;
    if (any && count[GATE_PASS]) return GATE_PASS;
    if (count[GATE_FAIL] && (!any || count[GATE_FAIL] == seen)) return GATE_FAIL;
    return count[GATE_INCONCLUSIVE] ? GATE_INCONCLUSIVE : GATE_PASS;
}
