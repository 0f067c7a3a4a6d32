/* Everything a stream says of itself, to hold two ways of reading against each other: by memcmp, so it is filled
 * without holes. */
#pragma once
#include <string.h>

#include "agent/stream/stream.h"

struct said {
    struct timeline t;
    uint64_t bytes, gap_tokens, gap_sum; /* of the gaps: a hash in order, and their sum in ns */
    enum counter outcome;
    uint32_t events, window_events, in, out, cached, gaps, gaps_lost, unknown;
    enum finish finish_by;
    bool usage, finish, end, error, malformed;
};

/* Ends the stream and gives back what it holds. */
static inline void stream_said(struct stream *s, enum transport_end end, int status, struct said *ret)
{
    struct gap_iter it;
    struct gap gap;
    memset(ret, 0, sizeof *ret);
    ret->outcome = stream_outcome(s, end, status);
    ret->t = s->t;
    ret->bytes = s->bytes;
    ret->events = s->events;
    ret->window_events = s->window_events;
    ret->in = s->usage_in;
    ret->out = s->usage_out;
    ret->cached = s->usage_cached;
    ret->gaps = s->gaps.n;
    ret->gaps_lost = s->gaps.lost;
    ret->unknown = s->unknown;
    ret->finish_by = s->finish_by;
    ret->usage = s->usage;
    ret->finish = s->finish;
    ret->end = s->end;
    ret->error = s->error;
    ret->malformed = s->malformed;
    gaps_begin(&it, &s->gaps);
    while (gaps_next(&it, &gap)) {
        ret->gap_tokens = ret->gap_tokens * 31 + gap.tokens;
        ret->gap_sum += (uint64_t)gap.ns;
    }
    stream_clear(s);
}
