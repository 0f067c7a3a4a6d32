/* Runs a stream over pieces of an input, and says everything it says. */
#pragma once
#include <string.h>

#include "agent/stream.h"
#include "tests/fuzz/fuzz_util.h"

struct said {
    struct timeline t;
    uint64_t bytes, gap_tokens, gap_sum;
    enum counter outcome;
    uint32_t events, window_events, in, out, cached, gaps;
    bool usage, finish, end, error, malformed;
};

/* salt 0: in one piece. */
static inline void run_stream(const uint8_t *data, size_t size, uint64_t salt, bool full_only, struct said *ret)
{
    static struct gap_pool *pool;
    static struct stream s;
    if (!pool) MUST((pool = gap_pool_new(1000, 1, NULL)) != NULL);
    struct rng r;
    split_seed(&r, data, size, salt);
    stream_begin(&s, dialect_for(API_OPENAI_CHAT), pool, 0, 100);
    s.full_only = full_only;
    uint32_t events = 0;
    for (size_t at = 0, n; at < size; at += n) {
        n = salt == 0 ? size : split_next(&r, size - at);
        char *piece = malloc(n ? n : 1); /* of its own: a byte read too many is seen */
        MUST(piece);
        memcpy(piece, data + at, n);
        events += stream_feed(&s, piece, n, 50);
        free(piece);
    }
    memset(ret, 0, sizeof *ret);
    ret->outcome = stream_outcome(&s, END_COMPLETE, 200);
    MUST(events == s.events && s.window_events == events);
    MUST(s.gaps.n == (events ? events - 1 : 0) && s.gaps.lost == 0);
    ret->t = s.t;
    ret->bytes = s.bytes;
    ret->events = s.events;
    ret->window_events = s.window_events;
    ret->in = s.usage_in;
    ret->out = s.usage_out;
    ret->cached = s.usage_cached;
    ret->gaps = s.gaps.n;
    ret->usage = s.usage;
    ret->finish = s.finish;
    ret->end = s.end;
    ret->error = s.error;
    ret->malformed = s.malformed;
    struct gap_iter it;
    struct gap gap;
    gaps_begin(&it, &s.gaps);
    while (gaps_next(&it, &gap)) {
        ret->gap_tokens = ret->gap_tokens * 31 + gap.tokens;
        ret->gap_sum += (uint64_t)gap.ns;
    }
    stream_release(&s);
    MUST(pool->chunks.out == 0 && pool->carries.out == 0);
}
