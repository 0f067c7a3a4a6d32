/* What prompts repeat, and what a prefix cache answered of it. Possible is what one cache without a limit would know:
 * a server with a smaller one, or several servers, know less. Pure. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "common/counter.h"
#include "common/hist.h"
#include "common/plan/plan.h"

/* Prompts begin alike by the plan's own will: that a cache answers for them is what is asked. */
bool reuse_planned(const struct plan_workload *w);
/* Of the input tokens sent, those with which an earlier request began. NaN: no workload of the plan repeats any, or an
 * earlier build did not count them. */
double reuse_possible(const uint64_t c[COUNTER_N], const struct plan *plan);
/* Of the input tokens by usage, those from the cache. NaN: usage names none, and nobody knows whether there were any.
 */
double reuse_measured(const uint64_t c[COUNTER_N]);
/* May more be possible than that? Records of a data set may begin alike, and so may trees without a marker. */
bool reuse_is_least(const struct plan *plan);
/* Is no more possible than that? Not there, and not where lengths are guessed. */
bool reuse_is_exact(const uint64_t c[COUNTER_N], const struct plan *plan);
#define REUSE_WORDS 280
/* More came from the cache than prompts repeat by the plan: the words, in `ret`. `input`: the histogram of input
 * tokens, NULL: none. NULL: nothing to doubt, or it is not known. */
const char *reuse_doubt(const uint64_t c[COUNTER_N], const struct hist *input, const struct plan *plan,
                        char ret[static REUSE_WORDS]);
