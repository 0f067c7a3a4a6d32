/* The gaps between a stream's token events, kept until the request's outcome is known (only ok requests are recorded).
 *
 * A gap costs four bytes: whole nanoseconds of an event that carries one token. Gaps of 4.29 s and more, and events of
 * another number of tokens, take sixteen. Memory comes from a pool of the worker's own, in chunks; a stream gives its
 * chunks back when it ends. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/stream/carry.h"
#include "common/err.h"

#define GAP_CHUNK_WORDS 126u
struct gap_chunk {
    struct gap_chunk *next;
    uint32_t word[GAP_CHUNK_WORDS];
};

/* What the streams of one worker draw on while tokens arrive: chunks of gaps, and blocks for events that arrive in
 * pieces. Owned and used by one thread. Not thread-safe. */
#define GAP_POOL_SAID 1024u
#define GAP_POOL_WHY 160u
struct gap_pool {
    struct slab chunks;
    struct carry_pool carries;
    uint32_t said_n; /* the data of the event by which a stream failed last, cut at the buffer's size: for its sample */
    char said[GAP_POOL_SAID];
    char why[GAP_POOL_WHY]; /* the agent's words for the latest failure that has numbers in them */
};

/* Makes room for `gaps` gaps, and for `carries` split events, short ones and as many long ones. An open stream holds
 * whole chunks: count streams × (tokens + GAP_CHUNK_WORDS). More is taken in slabs of 1 MiB when needed; gap_pool_grown
 * counts how often. */
ERR_CHECKED struct gap_pool *gap_pool_new(uint64_t gaps, uint32_t carries, struct err *e);
void gap_pool_destroy(struct gap_pool **p); /* no stream may be open */
uint64_t gap_pool_grown(const struct gap_pool *p);

struct gaps {
    struct gap_pool *pool;
    struct gap_chunk *head, *tail;
    uint32_t fill; /* words used in the tail */
    uint32_t n;    /* gaps in the log */
    uint32_t lost; /* gaps not kept for want of memory; must be 0 */
};

void gaps_init(struct gaps *gaps, struct gap_pool *pool);
void gaps_clear(struct gaps *gaps); /* gives the chunks back; empty afterwards */
/* `tokens`: of the later event, at least 1. */
void gaps_put_long(struct gaps *gaps, int64_t gap_ns, uint32_t tokens);
static inline void gaps_put(struct gaps *gaps, int64_t gap_ns, uint32_t tokens)
{
    if (gaps->tail && gaps->fill < GAP_CHUNK_WORDS && tokens == 1 && gap_ns >= 0 && gap_ns < INT64_C(0xffffffff)) {
        gaps->tail->word[gaps->fill++] = (uint32_t)gap_ns;
        gaps->n++;
    } else {
        gaps_put_long(gaps, gap_ns, tokens);
    }
}

/* In the order of arrival. ITL: gap / tokens, recorded `tokens` times; chunk_gap: the gap as it is. */
struct gap {
    int64_t ns;
    uint32_t tokens;
};
struct gap_iter {
    const struct gaps *gaps;
    const struct gap_chunk *chunk;
    uint32_t at, left; /* next word of the chunk; gaps still to come */
};
void gaps_begin(struct gap_iter *it, const struct gaps *gaps);
/* The gaps of one token each that lie side by side next, in ns; 0: none, ask gaps_next. */
size_t gaps_run(struct gap_iter *it, const uint32_t **ret);
bool gaps_next(struct gap_iter *it, struct gap *ret);
