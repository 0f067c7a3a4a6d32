/* What came of the answers, where it is not what the figures lead to expect: their lengths, their usage, how they
 * ended, and when their text came. Pure. */
#pragma once
#include "coordinator/answer/answer.h"

/* Adds whole sentences, each with a blank at its end, to a->text. */
void stream_words(const struct plan *plan, const struct point *points, size_t n, struct answer *a);
