/* What a run's figures leave out, or hide: parts of a mix and addresses whose requests fail, conversations that break
 * off, connections that the server closes. Pure. */
#pragma once
#include "coordinator/answer/answer.h"

#define PART_WORDS 1600
/* Whole sentences, each with a blank at its end, or "". `plan` may be NULL. `a` has its counters. Returns buf. */
const char *part_words(const struct plan *plan, const struct point *points, size_t n, const struct answer *a, char *buf,
                       size_t size);
