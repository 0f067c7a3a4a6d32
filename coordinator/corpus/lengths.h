/* Files of lengths: `histogram: file.csv` in a plan's distributions becomes a choice of weighted values, so that the
 * plan itself holds what it means: agents and its hash know no file. Columns by name; without a count each row is one.
 */
#pragma once
#include "common/err.h"
#include "common/plan/plan.h"

#define LENGTHS_MAX 4096u /* different values, or pairs */

/* All files of lengths that a workload names; `path` makes a file's name, from where the plan lies. */
ERR_CHECKED int lengths_fill(struct plan *p, struct plan_workload *w,
                             int (*path)(void *arg, const char *file, char *ret, size_t n, struct err *e), void *arg,
                             struct err *e);
