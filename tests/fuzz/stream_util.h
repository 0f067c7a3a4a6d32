/* Runs a stream over pieces of an input, and says everything it says. */
#pragma once
#include "tests/fuzz/fuzz_util.h"
#include "tests/unit/stream_said.h"

/* salt 0: in one piece. */
static inline void run_stream(enum plan_api api, const uint8_t *data, size_t size, uint64_t salt, bool full_only,
                              struct said *ret)
{
    static struct gap_pool *pool;
    static struct stream s;
    if (!pool) MUST((pool = gap_pool_new(1000, 1, NULL)) != NULL);
    struct rng r;
    split_seed(&r, data, size, salt);
    stream_begin(&s, dialect_for(api), pool, 0, 100);
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
    stream_said(&s, END_COMPLETE, 200, ret);
    MUST(ret->events == events && ret->window_events == events);
    MUST(ret->gaps == (events ? events - 1 : 0) && ret->gaps_lost == 0);
    MUST(pool->chunks.out == 0 && pool->carries.out == 0);
}
