/* Why points are suspect or invalid, by cause: sentences that differ only in their numbers are one cause with all its
 * stages. Pure. */
#pragma once
#include "coordinator/answer/analysis.h"

struct reason_group {
    enum verdict_status status;
    bool aside; /* all its points are valid: it touches figures alone that neither the answer nor a gate goes by */
    const char *text; /* as it stands at the first of its points; borrowed */
    size_t n;         /* points */
    size_t first;     /* index of its first point */
};
/* All causes that weigh as much as `least` or more (suspect at least): those that make points invalid first, then by
 * number of points. A cause that makes an invalid point no more than suspect is no reason why it is invalid. Returns
 * how many; at most `max` are written. */
size_t reasons_group(const struct analysis *a, enum verdict_status least, struct reason_group *ret, size_t max);
/* Whether the headline (its cause, or NULL) or the answer has said it in full, and of all its points: it need not be
 * said again. */
bool reasons_quoted(const struct analysis *a, const char *cause, const struct reason_group *group);
/* Whether two reasons have the same cause. */
bool reasons_same(const char *x, const char *y);
/* Whether its sentence has other figures at some of its points. */
bool reasons_differ(const struct analysis *a, const struct reason_group *group);
/* "8 of 9 stages, first load 1", "load 16", "loads 8, 16; at 8": which points a group is of, and at which its sentence
 * stands so. */
void reasons_where(const struct analysis *a, const struct reason_group *group, char *ret, size_t n);
