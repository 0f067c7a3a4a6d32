/* Lengths of prompts and answers: what was asked for, and what came. Pure. */
#ifndef COORDINATOR_ANSWER_LENGTHS_H
#define COORDINATOR_ANSWER_LENGTHS_H

#include "coordinator/answer/point.h"

/* What was asked for and what came, in tokens per request; NaN when unknown. */
struct answer_length {
    double asked, got;
    double
        planned; /* mean over all of the plan's requests, where those that ended ok asked for something else; else 0 */
};
struct lengths {
    struct answer_length output, input; /* of ok requests of the usable points */
    bool input_cut;                     /* usage counts far less than was sent, of conversations or of a file */
};

/* What was asked for is the mean over the plan's workloads, by their ok requests, else by their weights. Where one of
 * them takes the length from its data, it is what the agents have counted. `plan` may be NULL. */
void lengths_compute(const struct plan *plan, const struct point *points, size_t n, struct lengths *ret);
/* Who says what prompts were to have, and where they had more why: the end of a sentence about them. */
const char *lengths_source(const struct plan *plan, bool more);

#endif
