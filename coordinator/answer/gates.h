/* All gates of a run together. Pure. */
#pragma once
#include "coordinator/answer/gate_check.h"
#include "coordinator/answer/search.h"

/* The rule, which slo.require chooses and every report prints (gates_rule):
 *
 * 1. A run of a load keeps the gates when every gate passes at its point; it breaks them when one fails. A load keeps
 *    them when a run of it does and none breaks one; it breaks them when a run does; else it is undecided. Points whose
 *    verdict is invalid do not count.
 * 2. any: PASS when one load keeps them, FAIL when every load breaks them.
 * 3. all: PASS when every run keeps them, FAIL when one breaks them.
 * 4. A search judges a load by all its runs together: PASS when its answer was confirmed, FAIL when no load passes. Of
 * one for the plateau the load at the knee is judged, as in 1; where none was found, nothing is decided.
 * 5. Everything else is INCONCLUSIVE, which is not a failure: slo.inconclusive says what it means for the exit status.
 *
 * PASS when there is no gate. `search`: what the search of the points came to, where the plan has one. */
enum gate_result gates_decide(const struct plan *plan, const struct point *points, size_t n_points,
                              const struct gate_outcome *gates, size_t n_gates, const struct search_outcome *search);
/* Of the runs of one load the one that shows how it stands with the gates: one that keeps them, else one that breaks
 * none, of these the longest, and of equals the first. `run`: the index of one of them. */
uint32_t gates_run(const struct point *points, size_t n_points, const struct gate_outcome *gates, size_t n_gates,
                   uint32_t run);
/* The rule in words, for people: "one load that keeps every gate is enough (slo.require: any)". */
const char *gates_rule(const struct plan *plan);
/* What it counts of failed requests (the rule of point.h), for people. */
const char *gates_failed_rule(const struct plan *plan);
/* Is one load that keeps the gates enough? */
bool gates_any(const struct plan *plan);
