/* Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html), read as bytes arrive.
 *
 * An event that lies whole in the caller's bytes is returned as slices of them. One that arrives in pieces is put
 * together in a carry (carry.h) of at most CARRY_MAX bytes; a longer one is bad. Lines end with LF, CR or CRLF.
 * Comments of any length, unknown fields and a byte order mark are skipped. Data lines are joined by LF. An event whose
 * data is empty does not count, unless it has a name.
 *
 * Three things differ from the specification, because servers do: `error:` (llama.cpp) is read as data of an event
 * named "error"; a line that begins with a brace is data whose `data:` was forgotten; lines that no field name can
 * begin are counted as noise, and bad when they hold control characters.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/stream/carry.h"

#define SSE_NAME_MAX 63u   /* longer event names are cut */
#define SSE_NOISE_MAX 240u /* of the noise, for a person to read */

struct sse_event {
    const char *name, *data; /* not NUL-terminated; valid until the next call and as long as the caller's bytes */
    size_t name_len, len;
};

struct sse {
    struct carry *carry;
    uint32_t data_len;    /* carry: data lines so far, joined … */
    uint32_t part_len;    /* … and after them the line that is not yet whole */
    bool has_data;        /* a data line was seen (it may be empty) */
    bool has_name, error; /* an event: line was seen; the event came as error: */
    bool skip_lf;         /* the last byte was the CR of a line end */
    bool sent;            /* the carry's event was returned: clear it first */
    bool in_comment;      /* the line under way is a comment */
    bool bad, too_long;
    bool spoke;     /* a comment, or a field that the specification names, was seen */
    uint32_t noise; /* lines that are neither a field nor a comment */
    uint8_t bom;    /* bytes of a byte order mark seen; 3: the start is over */
    uint8_t name_len, noise_len;
    char name[SSE_NAME_MAX + 1];
    struct carry noise_text; /* the first of these lines, with blanks between them: a gateway's page or word */
};

void sse_init(struct sse *s, struct carry *carry);
void sse_clear(struct sse *s); /* its noise; the carry is the caller's */

/* Reads from *at up to end. Returns 1 with an event in *ret (call again), 0 when all bytes are taken, -1 when the
 * stream is bad (and stays so). *at moves forward. */
int sse_next(struct sse *s, const char **at, const char *end, struct sse_event *ret);

/* At the end of the body: the event that no blank line has ended, if there is one. The specification drops it; the
 * caller decides. Returns 1 or 0. */
int sse_last(struct sse *s, struct sse_event *ret);

/* After -1: was a line or an event over CARRY_MAX (or memory short), rather than no text? */
static inline bool sse_is_too_long(const struct sse *s)
{
    return s->too_long;
}

/* No byte of an event or a line is pending: the next byte begins a line of a new event. */
static inline bool sse_at_start(const struct sse *s)
{
    return !s->skip_lf && !s->in_comment && !s->bad && (s->bom == 0 || s->bom == 3) &&
           (s->sent || (!s->has_data && !s->has_name && s->part_len == 0));
}

/* An event was read past the parser, from a place where sse_at_start holds. */
static inline void sse_passed(struct sse *s)
{
    s->spoke = true;
    s->bom = 3;
}
