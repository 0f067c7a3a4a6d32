/* Snapshots to begin from: made by the program that reads them, since bytes of an older table of counters or metrics
 * are refused at their head and teach a fuzzer nothing. */
#pragma once
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/snapshot.h"

enum { SNAPSHOT_SEEDS = 5 };

static inline void snapshot_seed_addresses(struct snapshot *s, int n)
{
    char name[64];
    for (int i = 0; i < n; i++) {
        (void)snprintf(name, sizeof name, "10.0.%d.%d:8000", i / 250, i % 250);
        struct address_count *a = per_address_row(&s->addresses, name);
        a->requests += 7;
        a->ok += 5;
        a->failed += 2;
    }
}

/* 0 empty, 1 of an ordinary second, 2 with two addresses and a mix, 3 with more addresses than the table has rows, 4
 * with the largest numbers. Appended to `out`; -1 without memory. */
static inline int snapshot_seed(int which, struct buf *out)
{
    struct snapshot *s = snapshot_new(false);
    if (!s) return -1;
    if (which > 0) s->to_ns = NS_PER_S;
    for (int i = 0; which > 0 && i < COUNTER_N; i++)
        s->counters[i] = which == 4 ? UINT64_MAX : (uint64_t)i * 1000;
    for (int k = 0; which > 0 && k < METRIC_N; k += 3) {
        if (!(s->hist[k] = hist_new())) continue;
        (void)hist_record(s->hist[k], which == 4 ? HIST_HIGHEST : (int64_t)5000000 + k,
                          which == 4 ? UINT64_MAX / 2 : 3);
        (void)hist_record(s->hist[k], HIST_LOWEST, 1);
    }
    if (which == 2) snapshot_seed_addresses(s, 2);
    if (which == 3) snapshot_seed_addresses(s, PER_ADDRESS_MAX + 20);
    for (uint32_t i = 0; which == 2 && i < 4; i++) {
        struct mix_group *g = groups_at(&s->groups, i % 2 ? GROUP_MODEL : GROUP_WORKLOAD, i / 2);
        if (!g || !(g->hist[GROUP_METRIC_TTFT] = hist_new())) continue;
        groups_count(g, COUNTER_WIN_OK, 1 + i);
        (void)hist_record(g->hist[GROUP_METRIC_TTFT], 5000000, 1 + i);
    }
    int rc = snapshot_encode(s, out);
    snapshot_destroy(&s);
    return rc;
}
