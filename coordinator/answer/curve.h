/* A run as MLPerf Endpoints' curve (load.curve): the region of each load, and where the run is not to the rules. Pure.
 */
#pragma once
#include "common/buf.h"
#include "common/plan/plan.h"
#include "common/plan/region.h"
#include "coordinator/answer/point.h"

/* "ultra low", "low", "medium", "high", "margin", "offline"; NULL: the plan asks for no curve, or the load lies
 * outside. Only the least point is called ultra low; the rules count every load up to 32 as that, whatever its region.
 */
const char *curve_region(const struct plan *plan, const struct plan_stage *load);
/* The rules' own word: "low_latency", "low_concurrency" …; of Offline that of the greatest concurrency. */
const char *curve_region_key(const struct plan *plan, const struct plan_stage *load);
/* Whether this load is the curve's Offline point: a last one that asks for everything at once, or the greatest
 * concurrency where it is elected. */
bool curve_is_offline(const struct plan *plan, const struct plan_stage *load);

/* Calls tell with a sentence for each rule that the plan does not keep, and, given points (NULL: before the run), that
 * the run did not keep. */
void curve_deviations(const struct plan *plan, const struct point *points, size_t n,
                      void (*tell)(void *arg, const char *sentence), void *arg);
