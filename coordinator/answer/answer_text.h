/* The answer in words: one paragraph, each clause of which is a field of the answer. */
#pragma once
#include "coordinator/answer/answer.h"

/* Writes a->text from the other fields; `plan` may be NULL. */
void answer_words(const struct plan *plan, const struct point *points, size_t n, struct answer *a);
