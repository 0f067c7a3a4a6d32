/* A stage as super-passes (super_pass.h), from its seconds: requests that became due, and the time per token of those
 * that ended. Used on what is merged so far, for `duration: steady`, and on the whole stage. Pure.
 *
 * An answer counts for the second in which it ended, not in which it was sent; between two levels a pass is blurred by
 * the length of an answer. */
#pragma once
#include "coordinator/answer/super_pass.h"
#include "coordinator/data.h"

struct steady_pass {
    bool any; /* looked for: duration: steady, or a curve; and the times per token are known */
    bool no_memory;
    struct super_pass_window at; /* counted in super-passes */
    size_t n;                    /* super-passes in all */
    uint64_t size;               /* requests of one; 0: an equal time each */
    double begin_s, end_s;       /* of the window, from T0 */
    double answers;              /* that ended in the window */
};
/* from_s: where the measured window begins. size: requests of a super-pass, 0: none is known. least_s: how long the
 * window must be. */
void steady_pass_find(const struct stage_data *s, double from_s, uint64_t size, double least_s,
                      struct steady_pass *ret);

/* The same by what the plan says of this stage: `any` is false where nothing asks for it. */
void steady_pass_of(const struct stage_data *s, const struct plan *plan, struct steady_pass *ret);
