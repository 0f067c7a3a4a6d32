/* Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html), read as bytes arrive.
 *
 * An event that lies whole in the caller's bytes is returned as slices of them; one that arrives in pieces is put
 * together in a buffer: the parser's own for short ones, a block of the pool for those up to SSE_CARRY_MAX bytes. A
 * longer one is bad. Lines end with LF, CR or CRLF; comments, `id` and `retry` are read over; data lines are joined by
 * LF; a byte order mark is skipped.
 *
 * Two things differ from the specification, because a load tester must not call noise a stream: a line that is neither
 * a known field, a comment, nor `word: …` is bad; and `error:` (llama.cpp) is read as data of an event named "error".
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/stream/slab.h"

#define SSE_CARRY_OWN 1024u  /* bytes of a split event kept in the parser itself */
#define SSE_CARRY_MAX 65536u /* bytes of a split or many-lined event: over it the stream is bad */
#define SSE_NAME_MAX 63u     /* longer event names are cut */

struct sse_event {
    const char *name, *data; /* not NUL-terminated; valid until the next call and as long as the caller's bytes */
    size_t name_len, len;
};

struct sse {
    struct slab *pool;    /* blocks of SSE_CARRY_MAX bytes */
    char *big;            /* the block in use, or NULL */
    uint32_t data_len;    /* carry: data lines so far, joined … */
    uint32_t part_len;    /* … and behind them the line that is not yet whole */
    bool has_data;        /* a data line was seen (it may be empty) */
    bool has_name, error; /* an event: line was seen; the event came as error: */
    bool skip_lf;         /* the last byte was the CR of a line end */
    bool sent;            /* the carry's event was returned: clear it first */
    bool bad;
    uint8_t bom; /* bytes of a byte order mark seen; 3: the start is behind us */
    uint8_t name_len;
    char name[SSE_NAME_MAX + 1];
    char own[SSE_CARRY_OWN];
};

void sse_init(struct sse *s, struct slab *pool);
void sse_release(struct sse *s); /* gives its block back */

/* Reads from *at up to end. Returns 1 with an event in *ret (call again), 0 when all bytes are taken, -1 when the
 * stream is bad (and stays so). *at moves forward. */
int sse_next(struct sse *s, const char **at, const char *end, struct sse_event *ret);

/* At the end of the body: the event that no blank line has ended, if there is one. The specification drops it; whoever
 * calls decides. Returns 1 or 0. */
int sse_last(struct sse *s, struct sse_event *ret);

/* For a body that turned out to be no event stream: keeps its bytes as they are, up to SSE_CARRY_MAX, to be looked at
 * when it is whole. Returns -1 when it is longer. Not to be mixed with the functions above. */
int sse_keep(struct sse *s, const char *bytes, size_t n);
const char *sse_kept(struct sse *s, size_t *ret_len);

/* No byte of an event or a line is pending: the next byte begins a line of a new event. */
static inline bool sse_at_start(const struct sse *s)
{
    return !s->skip_lf && !s->bad && s->bom == 3 && (s->sent || (!s->has_data && !s->has_name && s->part_len == 0));
}
