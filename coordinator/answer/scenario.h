/* Does a run keep to the rules of the benchmark that load.scenario names? Pure.
 *
 * AgentX of InferenceX (as AIPerf's scenario "inferencex-agentx-mvp" locks and judges it): streamed answers as long as
 * recorded; session trees of kv-cache-tester with their recorded pauses, cut at 10 s; each play marked, each lane begun
 * somewhere in its tree, with its cache warmed; a window of 900 s. Of what happened: at most 1 % of the requests longer
 * than the server's context, at most 10 % failed, and tokens in the last twentieth of the window. */
#pragma once
#include "common/plan/plan.h"
#include "coordinator/answer/point.h"

const char *scenario_title(const struct plan *plan); /* "AgentX"; NULL: the plan names none */
/* Calls tell with a sentence for each rule that the plan does not keep, and, given points (NULL: before the run), that
 * the run did not keep. */
void scenario_deviations(const struct plan *plan, const struct point *points, size_t n,
                         void (*tell)(void *arg, const char *sentence), void *arg);
/* The sentence of the answer: the first of them, and how many more there are; that the run keeps the rules; "" where
 * the plan names none, or nothing was measured. Returns ret. */
const char *scenario_words(const struct plan *plan, const struct point *points, size_t n, char *ret, size_t size);
