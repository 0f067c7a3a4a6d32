/* What one snapshot costs to be decoded and merged, beside those of so many agents: for bench_cluster and bench_merge.
 */
#pragma once
#include <stdlib.h>

#include "common/clock.h"
#include "common/wire.h"
#include "coordinator/run/merge.h"
#include "tests/bench/made_up.h"
#include "tests/bench/process_cost.h"

/* CPU time in us, of so many seconds of a stage; the first two, in which memory grows, are left out. */
static inline double merge_cost_us(struct snapshot *const *templates, uint32_t n, uint32_t agents, uint64_t seconds)
{
    struct plan_stage asked = {.kind = LOAD_CLOSED, .concurrency = agents * 8, .duration_ns = 20 * NS_PER_S};
    struct merge *m = merge_new(0, 0, 1, &asked);
    uint64_t(*counters)[COUNTER_N] = calloc(agents, sizeof *counters);
    struct buf b = BUF_INIT(WIRE_MESSAGE_MAX);
    struct err e;
    int64_t spent = 0, merged = 0;
    if (!m || !counters) abort();
    for (uint32_t i = 0; i < agents; i++)
        if (merge_add_agent(m, i, "x", 1, 8, &e)) abort();
    for (uint64_t k = 0; k < seconds; k++)
        for (uint32_t i = 0; i < agents; i++) {
            struct snapshot s;
            made_up_next(templates[(i * 7 + k) % n], k, 8, false, counters[i], &s);
            buf_reset(&b);
            if (snapshot_encode(&s, &b)) abort();
            int64_t t = thread_cpu_ns();
            if (merge_accept(m, i, k + 1, b.data, b.len, &e) != MERGE_ACCEPTED) abort();
            if (k < 2) continue;
            spent += thread_cpu_ns() - t;
            merged++;
        }
    merge_destroy(&m);
    buf_clear(&b);
    free(counters);
    return (double)spent / 1e3 / (double)merged;
}
