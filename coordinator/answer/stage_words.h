/* Stages that were not run, or that are not what was asked for, in words. Pure. */
#pragma once
#include "coordinator/answer/answer.h"

/* Appends to the answer's text. */
void stage_words(const struct plan *plan, const struct point *points, size_t n, struct answer *a);
