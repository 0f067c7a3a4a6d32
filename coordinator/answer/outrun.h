/* Does the server keep up with an open loop? Where it does not, what arrives waits: at the client for
 * load.max_concurrency, or, without a cap, in the server, which answers later and later, or refuses what its queue has
 * no place for. Pure. */
#pragma once
#include "coordinator/answer/stat.h"
#include "coordinator/answer/steady.h"
#include "coordinator/answer/verdict.h"

/* The window of a stage, as far as it matters here. */
struct outrun_window {
    double length_s, to_s;                 /* to_s: its end, from T0 */
    double arrivals_per_s, requests_per_s; /* requests: that ended well */
    uint64_t cancelled, hung;              /* of those due in it */
    bool by_count;                         /* it ends with the last answer to a count of requests */
    const struct metric_stat *ttft, *e2e;  /* borrowed */
};

/* Did arrivals wait for the cap and were never sent? Those of a burst wait too, but are sent in the end. */
bool outrun_waited_in_vain(const struct stage_data *s);
/* Requests due in the window that failed before it ended at to_s. Those that failed later were still open then. */
double outrun_failed_in_time(const struct stage_data *s, double to_s);
/* Did more wait in vain than arrivals may be off by, or, without a cap, requests in flight grow and fewer end than
 * came? */
bool outrun_look(const struct stage_data *s, const struct steadiness *st, const struct plan *plan,
                 const struct outrun_window *w);
/* Without a cap no arrival waits at the client: what the server does not keep up with stays open, or is refused while
 * waits grow. A stage too short for the line of requests in flight says it by its counts, where they are further apart
 * than chance has them. Says so in the verdict. `overrun`: what outrun_look saw. */
bool outrun_tell(const struct stage_data *s, const struct steadiness *st, const struct plan *plan,
                 const struct outrun_window *w, bool overrun, struct verdict *v);
/* The window of an open loop begins before the load has built up: what is missing lowers its means. Says so in the
 * verdict. Not for a rate that outran the server: there it is a queue that builds up, for which no warm-up helps. */
void outrun_early_window(const struct stage_data *s, const struct plan *plan, const struct outrun_window *w,
                         struct verdict *v);
