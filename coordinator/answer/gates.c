#include "coordinator/answer/gates.h"

#include "common/plan/gate.h"

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
    if (plan->search.goal != SEARCH_NONE) return "the load that the search found must keep every gate";
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

enum gate_result gates_decide(const struct plan *plan, const struct point *points, size_t n_points,
                              const struct gate_outcome *gates, size_t n_gates, const struct search_outcome *search)
{
    size_t seen = 0, count[3] = {0, 0, 0};
    if (plan->n_gates == 0) return GATE_PASS;
    if (plan->search.goal == SEARCH_SLO && n_points && points[0].hist) return search_decides(search);
    for (size_t i = 0; i < n_points; i++) {
        if (points[i].verdict.status == VERDICT_INVALID) continue;
        seen++;
        count[gates_at_point((uint32_t)i, gates, n_gates)]++;
    }
    bool any = gates_any(plan);
    if (seen == 0) return GATE_INCONCLUSIVE;
    if (any && count[GATE_PASS]) return GATE_PASS;
    if (count[GATE_FAIL] && (!any || count[GATE_FAIL] == seen)) return GATE_FAIL;
    return count[GATE_INCONCLUSIVE] ? GATE_INCONCLUSIVE : GATE_PASS;
}
