/* Merging: accepted snapshots of one stage in, stage_data out. Pure. The result equals what one process would have
 * recorded, count for count: a snapshot is accepted once, in order; a duplicate changes nothing. */
#pragma once
#include "coordinator/data.h"

struct merge;
struct merge *merge_new(uint32_t stage, uint32_t repeat, uint32_t epoch, const struct plan_stage *asked);
void merge_destroy(struct merge **m);
ERR_CHECKED int merge_add_agent(struct merge *m, uint32_t agent, const char *name, uint32_t weight, uint64_t slots,
                                struct err *e);

enum merge_result {
    MERGE_ACCEPTED,
    MERGE_DUPLICATE,
    MERGE_REFUSED
}; /* refused: unknown agent, a gap in the numbers, malformed bytes, counters that fall */
ERR_CHECKED enum merge_result merge_accept(struct merge *m, uint32_t agent, uint64_t seq, const void *bytes, size_t n,
                                           struct err *e);
uint64_t merge_last_seq(const struct merge *m, uint32_t agent); /* 0 = none yet; numbers begin at 1 */
/* No more snapshots come from this agent: adds up its tail now, so that merge_finish need not. Optional.
 */
void merge_settle(struct merge *m, uint32_t agent);
void merge_mark_lost(struct merge *m, uint32_t agent); /* its due but unended requests become `lost` */

/* For the live view: totals so far. */
struct merge_live {
    uint64_t counters[COUNTER_N];
    uint64_t in_flight, waiting;
    double tokens_per_s;                            /* of the last full second */
    const struct hist *ttft, *itl, *lag, *lateness; /* merged so far, owned by the merge, may be NULL */
};
void merge_live(const struct merge *m, struct merge_live *ret);
const struct failure_samples *merge_failures(const struct merge *m); /* so far; valid as long as the merge */
uint64_t merge_in_flight(const struct merge *m);                     /* of all agents, as each last reported */

/* What is merged so far, as a copy that the caller clears: for decisions while the stage runs. Rows of the cluster
 * carry no percentiles. */
ERR_CHECKED int merge_peek(const struct merge *m, struct stage_data *ret, struct err *e);

/* Takes the data out (moved, the caller clears it); the merge is empty afterwards. */
ERR_CHECKED int merge_finish(struct merge *m, struct stage_data *ret, struct err *e);
