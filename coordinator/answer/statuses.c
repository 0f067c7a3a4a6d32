#include "coordinator/answer/statuses.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "common/human.h"

#define SHOWN 5 /* statuses in words */

static bool is_of(const struct counter_status *s, enum failure label)
{
    return label == FAILURE_N || s->label == label;
}

/* The most frequent of those that were not said; NULL: there is none. */
static const struct counter_status *most(const uint64_t c[COUNTER_N], enum failure label, const bool *said)
{
    const struct counter_status *best = NULL;
    for (int i = 0; i < COUNTER_STATUSES_N; i++) {
        const struct counter_status *s = &COUNTER_STATUSES[i];
        if (!is_of(s, label) || said[i] || c[s->counter] == 0) continue;
        if (!best || c[s->counter] > c[best->counter]) best = s;
    }
    return best;
}

const char *statuses_words(const uint64_t c[COUNTER_N], enum failure label, char buf[STATUSES_WORDS])
{
    char n[HUMAN_MAX], name[24];
    bool said[COUNTER_STATUSES_N] = {false};
    const struct counter_status *s;
    uint32_t shown = 0;
    size_t at = 0;
    uint64_t left = 0;
    buf[0] = '\0';
    while (shown < SHOWN && (s = most(c, label, said)) != NULL) {
        said[s - COUNTER_STATUSES] = true;
        (void)snprintf(name, sizeof name, s->status ? "%u" : "another", (unsigned)s->status);
        at += (size_t)snprintf(buf + at, STATUSES_WORDS - at, "%s%s × %s", shown++ ? ", " : "",
                               human_count(c[s->counter], n), name);
    }
    if (shown < 2) buf[0] = '\0';
    for (int i = 0; i < COUNTER_STATUSES_N; i++)
        if (is_of(&COUNTER_STATUSES[i], label) && !said[i]) left += c[COUNTER_STATUSES[i].counter];
    if (left) (void)snprintf(buf + at, STATUSES_WORDS - at, ", %s × others", human_count(left, n));
    return buf;
}
