/* One streamed response: SSE, dialect and timeline together, from body bytes to an outcome. Pure: the caller gives the bytes and
 * the time they arrived. No allocation while tokens arrive, but for gap chunks taken from the worker's pool (see gaps.h). */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/dialect.h"
#include "agent/gaps.h"
#include "agent/sse.h"
#include "common/counter.h"

/* The moments of METRICS (CLOCK_MONOTONIC ns; 0 = did not happen). */
struct timeline {
    int64_t due, free, sent, written, first_byte, first_event, first_token, first_content, last_token, done;
    /* free: when a slot was free for it (closed loop: = due; open loop under a cap: later). */
    int64_t dns_ns, tcp_ns, tls_ns; /* lengths of a new connection's phases, -1 when reused */
};

enum transport_end { /* how the transport ended, in the engine's words; mapped to a label together with what the stream said */
    END_COMPLETE,    /* response complete (length, last chunk, or close where that is the framing) */
    END_DNS, END_CONNECT, END_TLS, END_TIMEOUT_CONNECT, END_TIMEOUT_FIRST_TOKEN, END_TIMEOUT_IDLE, END_TIMEOUT_TOTAL,
    END_RESET,       /* broken before complete */
    END_CUT,         /* peer closed before the response was complete, without error */
    END_MALFORMED,   /* no HTTP */
    END_CANCELLED, END_ABORTED, END_REFUSED,
};

struct stream {
    const struct dialect *dialect;
    struct sse sse;
    struct gaps gaps;      /* gaps of token events, for itl and chunk_gap */
    struct timeline t;
    uint32_t events;       /* token events */
    uint32_t window_events; /* of these, inside [window_from, window_to) */
    uint32_t asked_tokens, prompt_tokens; /* what was asked for */
    uint32_t usage_in, usage_out, usage_cached;
    bool usage, finish, end, error, malformed;
    uint64_t bytes;
};

void stream_begin(struct stream *s, const struct dialect *d, struct gap_pool *pool, int64_t window_from, int64_t window_to);
/* Returns the number of token events found in these bytes. */
uint32_t stream_feed(struct stream *s, const char *bytes, size_t n, int64_t arrival_ns);
/* The outcome: COUNTER_OK, one of COUNTER_FAILED_*, COUNTER_CANCELLED or COUNTER_ABORTED. http_status 0 = none came. */
enum counter stream_outcome(struct stream *s, enum transport_end end, int http_status);
void stream_release(struct stream *s); /* gives gap chunks back */
