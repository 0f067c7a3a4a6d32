/* Is a server's start-up still in the window? Its first rows are then clearly slower than the rest. A straight line
 * through few batches does not see that, and `warmup: auto` needs MSER5_LEAST rows to look. Pure. */
#pragma once
#include "coordinator/answer/steady.h"
#include "coordinator/answer/verdict.h"

/* Of the rows in [from_s, to_s). Makes the window unsteady and suspect, and says which warm-up leaves it out. -1: no
 * memory. */
int startup_tell(const struct stage_data *s, const struct plan *plan, double from_s, double to_s,
                 enum steady *io_steady, struct verdict *v);
