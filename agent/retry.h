/* Which failed requests are sent again, and when (the plan's load.retries). Pure.
 *
 * Only what has given no output yet is sent again. The request stays one request: its due time and its first `sent`
 * stay, so that its latencies hold the failed tries and the waits between them; in the ledger it ends once, as its last
 * try does. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/counter.h"
#include "common/plan/plan.h"

enum retry_answer {
    RETRY_NO, /* not of the kind that the plan names, or tried often enough */
    RETRY_YES,
    RETRY_DENIED /* it would be, but the budget is used up */
};

/* A try has failed as `outcome` with HTTP status `status` (0: none) after `tries` tries. `counters`: of this worker so
 * far, `sent` and `retries` of them. */
enum retry_answer retry_ask(const struct plan_retries *p, enum counter outcome, long status, uint32_t tries,
                            const uint64_t counters[COUNTER_N]);
/* What a Retry-After says (RFC 9110, 10.2.3): whole seconds, or a moment, of which `now_s` (wall clock) is taken off.
 * Nanoseconds from now, -1: it is neither. */
int64_t retry_after(const char *value, size_t n, int64_t now_s);
/* How long it waits before try number tries + 1: twice as long each time. */
int64_t retry_wait(const struct plan_retries *p, uint32_t tries);
