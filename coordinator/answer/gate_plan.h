/* What a plan's gates can say before anything was measured. Pure. */
#pragma once
#include "common/plan/plan.h"

/* Why no answer that this plan asks for can have a sample of the gate's metric, as the end of a sentence; NULL when one
 * can. */
const char *gate_never(const struct plan *plan, const struct plan_gate *gate);
/* One sentence for each gate and limit that can decide nothing, is met or broken whatever comes, or has a share that
 * looks like a percentage. */
void gate_notes(const struct plan *plan, void (*put)(void *arg, const char *sentence), void *arg);
