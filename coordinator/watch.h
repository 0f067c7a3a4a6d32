/* Looks at a running stage from time to time: is it known well enough (`duration: auto`), was it steady for long enough
 * (`duration: steady`), has it failed for good (`slo.abort_on_fail`)?
 *
 * Looks come at windows of 5 s, 7 s, 10 s …, each 1.4 times the last: an interval that is checked every second would
 * sooner or later be narrow by chance. For a steady window they come more evenly: the first one counts, and a later
 * look finds the same. */
#pragma once
#include "coordinator/run/run.h"

struct watch {
    uint32_t epoch;         /* of the stage that is watched */
    int64_t next_ns;        /* next look, from the stage's start */
    int64_t steady_next_ns; /* next look for a steady window */
};
/* Whether slo.abort_on_fail can end a stage of this plan: not where some loads are expected to break gates. */
bool watch_may_abort(const struct plan *plan);
enum run_word watch_stage_word(struct watch *w, const struct plan *plan, const struct attempt *s, int64_t elapsed_ns);
