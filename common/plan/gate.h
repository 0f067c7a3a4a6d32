/* Gates: `ttft.p99 < 800ms`, `p99(ttft) < 800ms`, `errors.rate < 1%`, `throughput > 7500`. Pure. */
#pragma once
#include "common/err.h"
#include "common/plan/plan.h"

#define GATE_TEXT_MAX 200u

/* Reads one expression into everything of *ret but `text`. On failure e holds a sentence without a place. */
ERR_CHECKED int gate_parse(const char *text, struct plan_gate *ret, struct err *e);
/* The expression with white space folded: one blank around the operator, none elsewhere. buf of GATE_TEXT_MAX bytes; -1
 * when it does not fit. */
int gate_fold(const char *text, char *buf);
/* Does a gate bound the errors from above? */
bool gates_bound_errors(const struct plan *p);
/* Does it ask for load, as `throughput > 400` does? Lower loads break it; the others bound the load from above. */
bool gate_asks_for_load(const struct plan_gate *g);
/* The word for a gate that is not on a metric: "throughput", "errors.rate"; NULL for GATE_METRIC. */
const char *gate_subject_name(enum gate_subject subject);
/* `>= 5000 token/s` or `> 40 requests/s` into everything of *ret but `text`; folded (GATE_TEXT_MAX bytes) is the same
 * with its white space folded. */
ERR_CHECKED int gate_capacity_parse(const char *text, struct plan_capacity *ret, char *folded, struct err *e);
