/* The counters of a stage (counter.def) as an enum and as rows. */
#pragma once
#include <stdint.h>

enum counter {
#define X(id, name, meaning) COUNTER_##id,
#include "common/counter.def"
#undef X
    COUNTER_N
};
#define COUNTER_FAILED_FIRST COUNTER_FAILED_DNS
#define COUNTER_FAILED_LAST COUNTER_FAILED_REFUSED

struct counter_row {
    const char *name, *meaning;
};
extern const struct counter_row COUNTERS[COUNTER_N];

/* Adds one agent's (or worker's) counters to a total; the *_MAX and MEASURED_NS rows take the greatest, all others the
 * sum. */
void counters_add(uint64_t total[COUNTER_N], const uint64_t part[COUNTER_N]);

/* Sum of the FAILED_* rows. */
uint64_t counters_failed(const uint64_t c[COUNTER_N]);
