/* The guard while a stage runs: what was done, second by second, against --max-requests-per-s and --max-tokens-per-s.
 * Pure. A closed loop sends as fast as the server answers, and the server chooses how many tokens come, so these two
 * can only be checked afterwards. The rate of an open loop was checked before arming; its arrivals may cluster. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "agent/guard.h"
#include "common/snapshot.h"

struct guard_meter {
    bool requests; /* are checked (closed loop) */
    uint64_t sent_before, sent, events;
    int64_t span_ns;
};
void guard_meter_begin(struct guard_meter *m, const struct shard *s);
/* -1 with the reason when the stage has to end. Spans shorter than a second are put together. */
ERR_CHECKED int guard_meter_add(struct guard_meter *m, const struct guard *guard, const struct snapshot *s,
                                struct err *e);
