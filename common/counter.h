/* The counters of a stage (counter.def) as an enum and as rows. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "common/failure.h"
#include "common/finish.h"

enum counter {
#define X(id, name, kind, meaning) COUNTER_##id,
#include "common/counter.def"
#undef X
    COUNTER_N
};
#define COUNTER_FAILED_FIRST (COUNTER_OK + 1)
#define COUNTER_FAILED_LAST (COUNTER_OK + FAILURE_N)
#define COUNTER_RETRIED_FIRST (COUNTER_RETRIES + 1) /* by the labels too */

enum counter_kind {
    COUNTER_IS_COUNT,    /* of things that happen one by one */
    COUNTER_IS_AMOUNT,   /* time, bytes */
    COUNTER_IS_ESTIMATE, /* settles later, may fall until then */
    COUNTER_IS_MAXIMUM   /* the maximum over workers and agents; all others are summed */
};
struct counter_row {
    const char *name, *meaning;
    enum counter_kind kind;
};
extern const struct counter_row COUNTERS[COUNTER_N];
const char *counter_kind_name(enum counter_kind k);

static inline bool counter_is_failure(enum counter c)
{
    return c >= COUNTER_FAILED_FIRST && c <= COUNTER_FAILED_LAST;
}

/* The statuses that failed requests are counted by (http_counted.def). */
struct counter_status {
    enum counter counter;
    enum failure label;
    uint32_t status; /* 0: all others of the label */
};
#define COUNTED(status, label) +1
#define COUNTED_OTHER(id, name, label) +1
enum {
    COUNTER_STATUSES_N = 0
#include "common/http_counted.def"
};
#undef COUNTED
#undef COUNTED_OTHER
extern const struct counter_status COUNTER_STATUSES[COUNTER_STATUSES_N];
/* The counter of a request that failed under this label with this status; COUNTER_N: it has none. */
enum counter counter_of_status(enum failure label, uint32_t status);

/* Adds one agent's (or worker's) counters to a total, each by its kind. */
void counters_add(uint64_t total[COUNTER_N], const uint64_t part[COUNTER_N]);

/* Sum of the FAILED_* rows. */
uint64_t counters_failed(const uint64_t c[COUNTER_N]);
