/* What of a workload's file is in no request, in words: how many records, which part, where the first broken one is.
 * Pure.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "common/plan/plan.h"

#define LEFT_OUT_WORDS 600
/* "10 of 1,000 records (1 %) of chats.jsonl are broken and were left out, the first: line 7: it is not JSON". False:
 * nothing was left out but what the plan does not want (from, to), or nothing is known. */
bool left_out_words(const struct plan_workload *w, char ret[static LEFT_OUT_WORDS]);
/* The sentence of the answer: of the first workload that lost some, and how many more did. "": none did. Returns ret.
 */
const char *left_out_of_plan(const struct plan *plan, char *ret, size_t size);
