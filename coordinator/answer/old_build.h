/* What an earlier build did not count is unknown, and not 0: the sentence of the answer. Pure. */
#pragma once
#include "coordinator/answer/point.h"

#define OLD_BUILD_WORDS 400
/* "An earlier build measured this, which did not count a, b, c and 9 more: … ". "": the build knew all counters.
 * Returns ret. */
const char *old_build_words(const struct point *points, size_t n, char ret[static OLD_BUILD_WORDS]);
