/* A stage in which nothing was measured, in words: was it cut short, is it too short for its answers, or does the
 * server hang? Pure. */
#pragma once
#include "coordinator/data.h"

#define STAGE_ANSWERS 3 /* a stage should be as long as so many answers, and who waits for so many waits in vain */

/* A stage of which requests were cut off, no token came, and of whole answers not one byte; false: it is none.
 * why: what the stages before it say of the reason, a sentence without its stop; NULL: nothing. */
bool silence_words(const uint64_t counters[COUNTER_N], struct hist *const hist[METRIC_N],
                   const struct plan_stage *requested, const struct plan *plan, const char *why, char *buf, size_t n);
/* A stage that was ended before its time, in which nothing failed: that alone is why. false: its window was kept all
 * the same, or requests failed. */
bool silence_cut_words(const uint64_t counters[COUNTER_N], const struct plan_stage *requested, char *buf, size_t n);
/* How long at least its oldest request waited. */
double silence_s(struct hist *const hist[METRIC_N], const struct plan_stage *requested);
