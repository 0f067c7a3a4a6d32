/* All gates of a run together. Pure. */
#pragma once
#include "coordinator/answer/gate_check.h"

/* Explicit stages: every point must pass (one fail fails; else one inconclusive leaves it so). A sweep or a search asks
 * whether there is a load within the limits: one point that passes all gates is enough. Points whose verdict is invalid
 * do not count. PASS when there is no gate. */
enum gate_result gates_decide(const struct plan *plan, const struct point *points, size_t n_points,
                              const struct gate_outcome *gates, size_t n_gates);
