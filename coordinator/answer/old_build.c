#include "coordinator/answer/old_build.h"

#include <stdio.h>

#define NAMED 3 /* counters; summary.json has all of them */

const char *old_build_words(const struct point *points, size_t n, char ret[static OLD_BUILD_WORDS])
{
    bool unknown[COUNTER_N] = {false};
    size_t all = 0, at = 0;
    for (size_t i = 0; i < n; i++)
        for (int c = 0; points[i].data && c < COUNTER_N; c++)
            unknown[c] |= points[i].data->uncounted[c];
    ret[0] = '\0';
    for (int c = 0; c < COUNTER_N; c++) {
        if (!unknown[c] || all++ >= NAMED) continue;
        at += (size_t)snprintf(ret + at, OLD_BUILD_WORDS - at, "%s%s",
                               all == 1 ? "An earlier build measured this, which did not count " : ", ",
                               COUNTERS[c].name);
    }
    if (all > NAMED) at += (size_t)snprintf(ret + at, OLD_BUILD_WORDS - at, " and %zu more", all - NAMED);
    if (all)
        at += (size_t)snprintf(ret + at, OLD_BUILD_WORDS - at, "%s: nothing is said of what these would show. ",
                               unknown[COUNTER_BLURRED_FIRST] ? " (first tokens are taken to be late as often as any)"
                                                              : "");
    return ret;
}
