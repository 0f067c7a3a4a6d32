/* The body of a request as it goes on the wire: JSON that is written once, and between its bytes words (words.h), which
 * are made while they are sent. So a prompt of a megabyte takes a few bytes of memory, and is written into cache that
 * the socket reads at once. Pure. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "agent/stream/words.h"
#include "common/buf.h"

struct payload_words {
    size_t at; /* bytes of the text before them */
    struct words words;
};
struct payload {
    struct buf text;             /* first: payload_of */
    struct payload_words *words; /* in their order */
    uint32_t n, room;
    size_t chars;     /* of all words */
    const char *made; /* the whole body, words included, as it lies in somebody's memory; NULL: it does not. It may be
                         taken away once the body has been sent */
};
#define PAYLOAD_INIT(limit)                                                                                            \
    {                                                                                                                  \
        .text = BUF_INIT(limit)                                                                                        \
    }

void payload_reset(struct payload *p); /* empties, keeps memory */
void payload_clear(struct payload *p);
static inline size_t payload_size(const struct payload *p)
{
    return p->text.len + p->chars;
}
/* The payload whose text is written: dialects write into a struct buf. */
static inline struct payload *payload_of(struct buf *text)
{
    return (struct payload *)text;
}
/* These words follow the text so far. Without memory the text is `bad`. */
void payload_put_words(struct payload *p, const struct words *w, uint32_t n);

/* What is left to be sent; the payload stays as it is meanwhile. */
struct payload_rest {
    const struct payload *of;
    size_t at;     /* of the text */
    uint32_t next; /* words that come next, or are under way … */
    bool inside;
    struct words_at words; /* … and how far */
    size_t left;           /* bytes */
};
void payload_begin(struct payload_rest *r, const struct payload *p);
/* The next piece: *ret points into the payload's text, or into `room`, where at most n bytes are made: of all words up
 * to the next text, so that the blocks of a prompt are one piece. Returns its length, 0 at the end or where words come
 * next and n is 0. A body that is made is one piece. */
size_t payload_next(struct payload_rest *r, char *room, size_t n, const char **ret);
/* The next n bytes, or what is left of them, into `out` (NULL: they are read over); how many they were. */
size_t payload_read(struct payload_rest *r, char *out, size_t n);
