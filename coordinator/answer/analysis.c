#include "coordinator/answer/analysis.h"

#include <stdlib.h>

#include "coordinator/answer/answer_text.h"
#include "coordinator/answer/gate_plan.h"
#include "coordinator/answer/gates.h"
#include "coordinator/answer/leftover.h"

/* Stages that the plan asks for; 0: as many as a search needs. */
static size_t stages_planned(const struct run_data *r)
{
    if (!r->plan || r->plan->search.goal != SEARCH_NONE) return 0;
    return r->plan->n_stages * (r->plan->repeats ? r->plan->repeats : 1);
}

bool analysis_missing(const struct analysis *a, size_t *io, uint32_t *ret_stage, uint32_t *ret_repeat)
{
    const struct plan *plan = a->run->plan;
    for (size_t n = stages_planned(a->run); *io < n;) {
        uint32_t repeats = plan->repeats ? plan->repeats : 1;
        bool there = false;
        *ret_stage = (uint32_t)(*io / repeats);
        *ret_repeat = (uint32_t)(*io % repeats);
        ++*io;
        for (size_t i = 0; i < a->n_points && !there; i++)
            there = a->points[i].stage == *ret_stage && a->points[i].repeat == *ret_repeat;
        if (!there) return true;
    }
    return false;
}

enum gate_result analysis_gates(const struct analysis *a)
{
    enum gate_result gates =
        gates_decide(a->run->plan, a->points, a->n_points, a->gates, a->n_gates, &a->answer.search);
    if (gates == GATE_FAIL || a->answer.capacity == GATE_FAIL) return GATE_FAIL;
    return gates == GATE_PASS ? a->answer.capacity : gates;
}

/* The gravest reason comes first: a run that was stopped, then one that misses agents, then one whose numbers are the
 * client's. A gate's result counts only where the numbers can be trusted. What an inconclusive gate means is the plan's
 * choice. */
int analysis_measured_status(const struct analysis *a)
{
    const struct run_data *r = a->run;
    bool lost = false, invalid = a->n_points == 0 || a->n_points < stages_planned(r);
    for (size_t i = 0; i < r->n_stages; i++)
        lost |= r->stages[i].degraded;
    for (size_t i = 0; i < r->n_agents; i++)
        lost |= r->agents[i].lost && invalid;             /* the run ended early for want of agents */
    if (run_data_finished(r)) invalid = a->n_points == 0; /* no stage is missing */
    for (size_t i = 0; i < a->n_points; i++)
        invalid |= a->points[i].verdict.status == VERDICT_INVALID;
    if (r->signal > 0) return 128 + r->signal;
    if (lost) return 4;
    if (invalid) return 3;
    for (size_t i = 0; i < r->n_events; i++)
        if (r->events[i].kind < RUN_EVENT_N && RUN_EVENTS[r->events[i].kind].status)
            return RUN_EVENTS[r->events[i].kind].status;
    enum gate_result all = analysis_gates(a);
    bool passed = all == GATE_PASS || (all == GATE_INCONCLUSIVE && r->plan->on_inconclusive == INCONCLUSIVE_PASS);
    return passed ? 0 : 99;
}

void analysis_explain(const struct plan *plan, struct point *points, size_t n)
{
    struct leftover before = {0};
    for (size_t i = 0; i < n; i++)
        leftover_tell(&before, plan, &points[i]);
}

/* -1: no memory. */
static int points_and_gates(struct analysis *a)
{
    const struct plan *plan = a->run->plan;
    bool missing = false;
    for (size_t i = 0; i < a->n_points; i++) {
        point_compute(&a->run->stages[i], plan, &a->points[i]);
        missing |= a->points[i].no_memory;
        for (size_t g = 0; g < plan->n_gates; g++) {
            struct gate_outcome *o = &a->gates[i * plan->n_gates + g];
            gate_check(&plan->gates[g], &a->points[i], o);
            if (o->result == GATE_INCONCLUSIVE) o->never = gate_never(plan, o->gate);
            o->point = (uint32_t)i;
            missing |= o->no_memory;
        }
    }
    analysis_explain(plan, a->points, a->n_points);
    return missing ? -1 : 0;
}

/* The run that shows the load of the answer. A search has judged the load by all its runs, of which none may be long
 * enough alone. */
static void show_slo(struct analysis *a)
{
    struct answer *w = &a->answer;
    bool searched = a->run->plan->search.goal == SEARCH_SLO && w->search.found && w->search.confirmed;
    for (size_t i = 0; i < a->n_points; i++)
        w->slo_drifting += a->points[i].verdict.status != VERDICT_INVALID && a->points[i].steady == STEADY_NO &&
                           gates_at_point((uint32_t)i, a->gates, a->n_gates) == GATE_PASS;
    if (!w->has_slo) return;
    w->slo_point = gates_run(a->points, a->n_points, a->gates, a->n_gates, w->slo_point);
    for (size_t i = 0; searched && i < a->n_gates; i++) {
        struct gate_outcome *o = &a->gates[i];
        if (o->point != w->slo_point || o->result == GATE_PASS) continue;
        o->result = GATE_PASS;
        o->together = true;
    }
}

int analysis_init(struct analysis *ret, const struct run_data *run, struct err *e)
{
    if (!run->plan) return err_set(e, ERR_IO, "the run has no plan");
    size_t n_gates = run->n_stages * run->plan->n_gates;
    *ret = (struct analysis){.run = run, .n_points = run->n_stages, .n_gates = n_gates};
    ret->points = calloc(run->n_stages + 1, sizeof *ret->points);
    ret->gates = calloc(n_gates + 1, sizeof *ret->gates);
    int rc = 0;
    if (!ret->points || !ret->gates || points_and_gates(ret))
        rc = err_set(e, ERR_NOMEM, "no memory for the points of a run of %zu stages", run->n_stages);
    else
        rc = answer_compute(run, ret->points, ret->n_points, ret->gates, n_gates, &ret->answer, e);
    if (rc) {
        analysis_clear(ret);
        return -1;
    }
    show_slo(ret);
    answer_words(run->plan, ret->points, ret->n_points, &ret->answer);
    ret->measured_status = analysis_measured_status(ret);
    return 0;
}

void analysis_clear(struct analysis *a)
{
    free(a->points);
    free(a->gates);
    *a = (struct analysis){0};
}
