/* A run in one line, for the top of every screen and page: PASS, FAIL, UNDECIDED, INVALID, or DONE where the plan sets
 * no gates, and why. It agrees with the exit status (analysis.h): INVALID is 3, 4 and a signal; UNDECIDED is a gate
 * that the sample cannot decide where the plan lets that fail the run, which is not the same as a gate that is broken.
 * Pure. */
#pragma once
#include "coordinator/answer/analysis.h"

struct headline {
    const char *word;  /* "PASS", "DONE", "FAIL", "UNDECIDED", "INVALID" */
    char why[900];     /* a clause; human_stop ends it */
    const char *cause; /* the reason in it why points are invalid: not to be said again; NULL: there is none */
};
void headline_make(const struct analysis *a, struct headline *ret);
