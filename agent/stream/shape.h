/* The shape of a stream's token events: in most streams they differ in nothing but the token's text, a count and a
 * time. Once the full scanner has judged one event, later events are compared with it byte for byte, and only these
 * parts are read. An event that differs elsewhere goes to the full scanner, which stays the judge: a match gives
 * exactly the scanner's result.
 *
 *   event: delta↵data: {"n":17,"choices":[{"delta":{"content":"one"}}]}↵↵     learnt
 *   ────────────────────────•──────────────────────────────────•──────────    • may be another of its kind
 *
 * What may differ is what the scanner itself has noted (json_notes):
 *   - the token's text, as long as it is not empty;
 *   - numbers of usage, which are read again;
 *   - strings and numbers that it skipped, if they differed between two events that are otherwise alike.
 *
 * That is a stream's own shape, of its token events. All streams of a worker share a few more, of any event that comes
 * once in each: the first, one with a finish reason, usage, the end. What differs between streams, such as an id, may
 * differ there; a stream's own has fewer such places and is quicker. */
#pragma once
#include <string.h>

#include "agent/stream/dialect.h"
#include "agent/stream/sse.h"

#define SHAPE_MAX 640u /* longer events have none */
#define SHAPE_NOTES 32u
#define SHAPE_HOLES 8u

struct shape_note {
    uint16_t at, len;
    uint8_t kind; /* enum json_note_kind */
    bool differs; /* may differ */
};
/* What may differ. */
struct shape_hole {
    uint16_t before; /* learnt bytes between it and the hole before it, or the beginning */
    uint16_t len;    /* of what was learnt in its place */
    uint8_t kind;
};
/* Bytes before and after the data of an event that is one data line and no name; 0: it is not. */
struct shape_line {
    uint8_t field, rest;
};
struct shape {
    uint16_t size; /* of the learnt event; 0: nothing learnt */
    uint16_t tries;
    uint8_t n_notes, n_holes;
    bool numbers; /* a hole is a number of usage, or a choice's */
    struct shape_line line;
    struct event event;                      /* what it says; its numbers are replaced */
    struct shape_hole hole[SHAPE_HOLES + 1]; /* after the last one comes the rest of the event */
    struct shape_note note[SHAPE_NOTES];
    char bytes[SHAPE_MAX]; /* the event from the beginning of its first line to the end of its blank line */
};

void shape_init(struct shape *sh);
static inline bool shape_is_learnt(const struct shape *sh)
{
    return sh->size > 0;
}

/* Bytes of an event of this shape that are not its text, or fewer; 0: nothing is learnt. */
static inline uint32_t shape_frame(const struct shape *sh)
{
    uint32_t n = sh->size;
    for (const struct shape_hole *h = sh->hole; n > 0 && h < sh->hole + sh->n_holes; h++)
        n -= h->len;
    return n;
}

#define SHAPES_N 8u
struct shapes {
    struct shape at[SHAPES_N]; /* the order is that in which they came */
    uint16_t tries;
    uint8_t next; /* place of the next new one */
};

/* Learns from an event that lay whole in [raw, raw_end), as its bytes were, with what parser and scanner made of it
 * and the scanner's notes. Only events that carry tokens, with or without usage, teach a stream's own shape something,
 * and errors nothing to anyone; those laid out otherwise than in one data line after at most an event: line leave all
 * as it is. */
void shape_learn(struct shape *sh, const struct dialect *d, const char *raw, const char *raw_end,
                 const struct sse_event *e, const struct event *ev, const struct json_notes *notes);

/* The same from an event that came in pieces and has been put together: what it would be in one line. */
void shape_learn_data(struct shape *sh, const struct dialect *d, const struct sse_event *e, const struct event *ev,
                      const struct json_notes *notes);

/* The byte after the event at p, when it has one of the shared shapes, with what it says in *ev; else NULL. *hint: 0 at
 * a stream's beginning; where to look first. The stream's own shape learns from it. */
const char *shapes_match(const struct shapes *all, uint8_t *hint, struct shape *sh, const char *p, const char *end,
                         struct event *ev);

/* Number holes of shape_match: the byte after the value, or NULL. */
const char *shape_fill(const struct shape_hole *hole, const char *p, const char *end, struct event *ev);

/* shape_match without the first `skip` and the last `leave` learnt bytes. */
static inline __attribute__((always_inline)) const char *
shape_match_inside(const struct shape *sh, size_t skip, size_t leave, const char *p, const char *end, struct event *ev)
{
    const char *from = p, *learnt = sh->bytes + skip;
    const struct shape_hole *hole = sh->hole, *rest = hole + sh->n_holes;
    for (;; hole++) {
        size_t n = hole->before;
        if (hole == sh->hole) n -= skip;
        if (hole == rest) n -= leave;
        if ((size_t)(end - p) < n || memcmp(p, learnt, n) != 0) return NULL;
        p += n;
        if (hole == rest) break;
        learnt += n + hole->len;
        if (hole->kind == JSON_NOTE_STRING || hole->kind == JSON_NOTE_TEXT) {
            const char *quote = json_plain_run(p, end);
            if (quote == end || *quote != '"') quote = json_escaped_end(quote, end);
            if (quote == p && hole->kind == JSON_NOTE_TEXT) return NULL;
            p = quote;
        } else
            p = shape_fill(hole, p, end, ev);
        if (!p) return NULL;
    }
    return p - from <= (ptrdiff_t)CARRY_MAX ? p : NULL; /* near the limit the parser decides */
}

/* The byte after the event at p, when it has this shape and lies whole before end; else NULL. p must be the beginning
 * of a line of a new event. *ev begins as sh->event: the numbers that differ are put into it, so that one copy serves
 * for all events in a row. After NULL it is not to be used. Where sh->numbers is false, ev may be NULL. Inline: it is
 * most of what a token costs the scan. */
static inline __attribute__((always_inline)) const char *shape_match(const struct shape *sh, const char *p,
                                                                     const char *end, struct event *ev)
{
    return shape_match_inside(sh, 0, 0, p, end, ev);
}

/* The same for the data of an event that came in pieces and has been put together: has it this shape? */
bool shape_match_data(const struct shape *sh, const struct sse_event *e, struct event *ev);
