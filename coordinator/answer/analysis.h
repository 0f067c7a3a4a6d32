/* What a run's data become, made once: a point per stage, every gate at every point, the answer, and the exit status.
 * Reports, exports and comparisons read it and compute none of it again. Pure. */
#pragma once
#include "coordinator/answer/answer.h"

struct analysis {
    const struct run_data *run; /* borrowed */
    struct point *points;       /* one per stage of the run, in its order */
    size_t n_points;
    struct gate_outcome *gates; /* every gate of the plan at every point, point by point */
    size_t n_gates;
    struct answer answer;
    int measured_status; /* the exit status by what was measured alone: 0, 3, 4, 99, 128 + signal. What else ended the
                            run comes before it (run_exit_status in cmd_run.c) */
};
/* The run needs a plan. On failure nothing is left to clear. */
ERR_CHECKED int analysis_init(struct analysis *ret, const struct run_data *run, struct err *e);
void analysis_clear(struct analysis *a);

/* Reasons that only the points before one explain (leftover.h). */
void analysis_explain(const struct plan *plan, struct point *points, size_t n);
/* All gates of the run, slo.capacity with them. */
enum gate_result analysis_gates(const struct analysis *a);
/* measured_status, from the run and what is made of it already. */
int analysis_measured_status(const struct analysis *a);
/* The next stage from step *io on that the plan asks for and of which there is no point; false: there is none. What a
 * search has left out nobody knows. */
bool analysis_missing(const struct analysis *a, size_t *io, uint32_t *ret_stage, uint32_t *ret_repeat);
