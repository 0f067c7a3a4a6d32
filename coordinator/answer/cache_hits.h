/* The hit rate of the server's prefix cache in a whole run: possible, by usage and by its metrics page, side by side.
 * Pure. */
#pragma once
#include "coordinator/answer/point.h"

/* Of the input tokens; NaN when unknown. */
struct cache_hits {
    double possible, usage, page; /* page: of the windows, whoever asked */
    bool exact;                   /* no more than `possible` is */
    bool least;                   /* more may be, since prompts may begin alike that nothing says it of */
};
void cache_hits_compute(const struct plan *plan, const struct point *points, size_t n, struct cache_hits *ret);
#define CACHE_HITS_WORDS 500
/* A sentence; "": prompts repeat nothing, or it is not known. Returns ret. */
const char *cache_hits_words(const struct cache_hits *h, char ret[static CACHE_HITS_WORDS]);
