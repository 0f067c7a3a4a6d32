/* What a run's figures leave out, or hide: parts of a mix and addresses whose requests fail, conversations that break
 * off, connections that the server closes. Pure. */
#pragma once
#include "coordinator/answer/answer.h"

/* Adds whole sentences to a's text, each with a blank at its end. `plan` may be NULL. `a` has its counters. */
void part_words(const struct plan *plan, const struct point *points, size_t n, struct answer *a);
