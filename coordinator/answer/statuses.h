/* Failures by HTTP status, in words: one label holds several, which differ in their causes. Pure. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "common/counter.h"

#define STATUSES_WORDS 320
/* "300 × 503, 20 × 500": those of a label, or of all with FAILURE_N, the most frequent first; "" where there are fewer
 * than two. Returns buf. */
const char *statuses_words(const uint64_t c[COUNTER_N], enum failure label, char buf[STATUSES_WORDS]);
