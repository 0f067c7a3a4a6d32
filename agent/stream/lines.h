/* Newline-delimited JSON, read as bytes arrive: each line that is not blank is an event. A line that lies whole in the
 * caller's bytes is returned as a slice of them. Lines end with LF or CRLF. */
#pragma once
#include <stdbool.h>

#include "agent/stream/carry.h"
#include "agent/stream/sse.h"

struct lines {
    struct carry *carry;
    uint32_t part; /* bytes of the unfinished line in the carry */
    bool sent;     /* the carry's line was returned: clear it first */
    bool bad;
};

void lines_init(struct lines *l, struct carry *carry);
/* As sse_next. */
int lines_next(struct lines *l, const char **at, const char *end, struct sse_event *ret);
/* At the end of the body: the line that nothing has ended. Returns 1 or 0. */
int lines_last(struct lines *l, struct sse_event *ret);
static inline bool lines_at_start(const struct lines *l)
{
    return !l->bad && (l->sent || l->part == 0);
}
