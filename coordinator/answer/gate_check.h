/* A gate at a point: a value against a limit, with what the sample can carry. Pure. */
#pragma once
#include "coordinator/answer/point.h"

enum gate_result { GATE_PASS, GATE_FAIL, GATE_INCONCLUSIVE };
struct gate_outcome {
    const struct plan_gate *gate;
    uint32_t point;       /* index of the point it was read at */
    double value, lo, hi; /* in the unit the gate was written in; NaN when unknown */
    enum gate_result result;
};
/* Passes (fails) when the whole 95 % interval lies on the good (bad) side; inconclusive between, or where the sample
 * cannot carry it. Values that are exact counts of what happened (min, max, a rate without interval) are compared as
 * they are. */
void gate_check(const struct plan_gate *g, const struct point *p, struct gate_outcome *ret);
const char *gate_result_name(enum gate_result r);
/* All gates of one point together: one that fails fails the point; else one inconclusive gate leaves it so. */
enum gate_result gates_at_point(uint32_t point, const struct gate_outcome *gates, size_t n);
