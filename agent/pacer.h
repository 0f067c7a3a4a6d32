/* The pacer: when one worker starts its next request. Pure: `now` and what ended go in, what to start comes out.
 *
 * Closed loop: a slot that becomes free is due again at once (or after a think time); slot k of the cluster begins at
 * ramp · k / slots. Open loop: arrivals come from the shard's absolute schedule, so that being late once never moves
 * the rest; when `cap` requests are in flight an arrival waits, first come first served, and its `free` says when a
 * place became free. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/shard.h"

#define PACER_NEVER INT64_MAX

struct pacer_item {
    int64_t due, free; /* METRICS: lateness = sent - due, dispatch = sent - max(due, free) */
    uint64_t number;   /* open: of the cluster's arrival; closed: own, from 0 */
};

struct pacer {
    const struct shard *shard;
    int64_t t0, end; /* nothing that is due at or after `end` is started; PACER_NEVER: ended by count only */
    bool limited;    /* closed: at most `limit` requests */
    uint64_t limit;
    uint32_t cap, in_flight;
    int64_t freed;       /* the last end of a request */
    uint64_t taken, due; /* requests started or abandoned; requests that became due, see pacer_due */
    uint64_t capped;     /* arrivals that waited for the cap */
    int64_t *times;      /* closed: heap of due times of free slots; open: ring of the moments places became free */
    uint32_t n_times, at;
    struct arrivals head,
        ahead; /* open: next to start; next to count as due. The schedule is walked twice instead of stored. */
    int64_t head_due, ahead_due;
    uint64_t head_k, ahead_k;
    bool head_some, ahead_some;
};

/* `cap`: maximum in flight for an open loop (> 0; the shard's own cap may be less). The shard is borrowed. */
ERR_CHECKED int pacer_init(struct pacer *p, const struct shard *s, uint32_t cap, int64_t t0, struct err *e);
void pacer_clear(struct pacer *p);

/* The next request to start at `now`, if there is one; it counts as in flight until pacer_freed. */
bool pacer_take(struct pacer *p, int64_t now, struct pacer_item *ret);
/* A request ended at `at`. Closed loop: its slot is due at `at` + think. */
void pacer_freed(struct pacer *p, int64_t at, int64_t think);
/* When pacer_take will next have something without another pacer_freed; PACER_NEVER = not before. */
int64_t pacer_next(const struct pacer *p);
/* The next request that became due by `now` and was not yet returned here; false when there is none. In a closed loop a
 * request becomes due when it can be taken, so this returns what was taken. Call before and after pacer_take, until
 * false. */
bool pacer_due(struct pacer *p, int64_t now, int64_t *ret_due);
/* After the end: the next request that is due and will never be started (it waited for the cap). */
bool pacer_abandon(struct pacer *p, int64_t now, struct pacer_item *ret);
/* No request becomes due at or after `at`. */
void pacer_end(struct pacer *p, int64_t at);
/* The count limit is reached: nothing will ever become due again. */
bool pacer_exhausted(const struct pacer *p);
/* When the schedule of an exhausted open loop is over (arrivals_over); a closed loop has none, and so none after T0. */
int64_t pacer_over(const struct pacer *p);
/* Due and not started. */
static inline uint64_t pacer_waiting(const struct pacer *p)
{
    return p->due - p->taken;
}
