/* At which loads requests failed: the share of a whole run says nothing of one load. Pure. */
#pragma once
#include "coordinator/answer/point.h"

enum failed_kind {
    FAILED_ENDED, /* failed, of those that ended, of whole stages */
    FAILED_CUT,   /* cut off by the drain's end or never sent, of those due in a window */
    FAILED_BAD    /* not answered well: both, in windows; where none counts as never answered, as FAILED_ENDED */
};
#define FAILED_NAMED 3 /* loads */
struct failed_at {
    uint32_t loads, with;                                              /* that were tried; at which some failed */
    double least, most;                                                /* shares, of the loads at which some failed */
    const struct plan_stage *least_at, *most_at, *named[FAILED_NAMED]; /* borrowed from the points */
};
void failed_at_compute(const struct point *points, size_t n, enum failed_kind kind, struct failed_at *ret);
/* At one load, of all its runs; NaN when nothing ended there. */
double failed_at_share(const struct point *points, size_t n, const struct plan_stage *load, enum failed_kind kind);
/* "at load 64", "at loads 64, 128, 256 and 2 more", "from 2 % at load 1 to 90 % at load 256". "": there is one load
 * alone, or all of them have much the same share. Returns ret. */
#define FAILED_AT_WORDS 300
const char *failed_at_words(const struct failed_at *f, char ret[static FAILED_AT_WORDS]);
