/* Answers that stop in the middle. A gap of a second among thousands of 20 ms is in no p99, and each of its users has
 * seen it. Pure.
 *
 * Of a point it counts the gaps between token events of 1 s and more, and ten times the median gap and more, so that a
 * slow server is not called one that stops. They are told when there are three at least, and there is one for each
 * hundred answers, or half of the streams had theirs within two seconds, as where a server stops for all. Not of a
 * point that is invalid, nor where the verdict says that the server stood still, nor where the agents' own reads were
 * late by half of the longest. */
#pragma once
#include "coordinator/answer/point.h"

struct stalls {
    const struct point *at; /* the point with the most of them for its answers; borrowed; NULL: none */
    uint64_t gaps, answers;
    double least_s, longest_s, usual_ms,
        p99_ms;  /* least: what counts as one; usual: the median gap; p99 NaN: unknown */
    bool hidden; /* p99 is below least_s */
    bool at_once;
    uint32_t more; /* other points of which the same holds */
};
void stalls_compute(const struct point *points, size_t n, struct stalls *ret);
