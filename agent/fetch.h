/* The data of a plan on this agent: each corpus is taken from the agent's own folder when it is there, else asked for
 * piece by piece, written to a file, and mapped once for all workers. Its hash is checked before it is used, in steps,
 * so that no call blocks the caller's thread for long.
 *
 *   fetch_plan → 1 → (fetch_step, fetch_data)… → fetch_plan → 0 → fetch_corpora
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "common/corpus.h"
#include "common/err.h"
#include "common/plan/plan.h"
#include "common/wire.h"

struct fetch;
/* `dir`: where corpora are looked for and kept, HASH.corpus; NULL: files without a name, gone with the agent. Borrowed.
 * `checked`: who started this agent has just checked or made what lies there. */
ERR_CHECKED struct fetch *fetch_new(const char *dir, bool checked, struct err *e);
void fetch_destroy(struct fetch **f);
/* What a plan needs. 0: all is here; 1: not yet; -1: it cannot be obtained. Corpora of the plan before stay mapped
 * until fetch_drop_earlier. */
ERR_CHECKED int fetch_plan(struct fetch *f, const struct plan *p, struct err *e);
/* Continues with what is missing: checks a part of a file, asks for pieces by `send` (false: not now). Returns 1 when
 * there is more to do at once, 0 when it waits for an answer or all is here, -1 when the data is wrong; the next
 * fetch_plan then refuses the plan. */
ERR_CHECKED int fetch_step(struct fetch *f, int64_t now, bool (*send)(void *arg, const struct wire_msg *m), void *arg,
                           struct err *e);
/* A piece that came. */
ERR_CHECKED int fetch_data(struct fetch *f, const struct wire_msg *m, struct err *e);
/* All workers have armed with the plan that fetch_plan took last: nobody reads corpora of earlier ones any more. */
void fetch_drop_earlier(struct fetch *f);
bool fetch_is_busy(const struct fetch *f); /* something is missing and has not failed */
/* A corpus for each workload of the plan, NULL for those that need none. */
const struct corpus *const *fetch_corpora(const struct fetch *f);
