/* How far a plan goes, before it runs: its length, its requests, what is in flight. Pure. */
#pragma once
#include "common/buf.h"
#include "common/plan/plan.h"

struct extent {
    uint64_t stages;    /* repeats included; 0: a search, as many as it needs */
    int64_t load_ns;    /* of all stages that end by time; of a search: of one load at most */
    int64_t drain_ns;   /* at most so much more, when answers are still open at each stage's end */
    bool by_count;      /* some stages end by a number of requests alone: load_ns lacks them */
    double requests;    /* at most; NaN: a closed loop asks as fast as it is answered */
    uint64_t in_flight; /* at most, over all agents; 0: an open loop without a cap */
};
void extent_compute(const struct plan *p, struct extent *ret);
/* Until the last load of a run ends, as far as its plan says: after so many stages, which the plan gives `ended_ns`
 * together, and this long in the next; drains are not counted. 0: not known. */
int64_t extent_left_ns(const struct plan *p, uint64_t ended, int64_t ended_ns, int64_t elapsed_ns);
/* The same as sentences, one per line, each line after `before` ("# "). */
void extent_words(const struct plan *p, const char *before, struct buf *out);
