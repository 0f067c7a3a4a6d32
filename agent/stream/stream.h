/* One streamed response: SSE, dialect and timeline together, from body bytes to an outcome. Pure: the caller gives the
 * bytes and the time they arrived. No allocation while tokens arrive, but for gap chunks taken from the worker's pool
 * (see gaps.h). */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/stream/dialect.h"
#include "agent/stream/gaps.h"
#include "agent/stream/lines.h"
#include "agent/stream/shape.h"
#include "agent/stream/sse.h"
#include "common/counter.h"
#include "common/remark.h"

/* The moments of METRICS (CLOCK_MONOTONIC ns; 0 = did not happen). */
struct timeline {
    int64_t due, free, handed, sent, written, first_byte, first_event, first_token, first_content, last_token, done,
        closed;
    /* free: when a slot was free for it (closed loop: = due; open loop under a cap: later). handed: when the agent had
     * done its part; before `sent` by the time it took to make a connection, else the same, or 0 for the same. */
    /* done: the end marker. closed: the end of the response; set by the caller, 0 while it is open. */
    int64_t dns_ns, tcp_ns, tls_ns; /* lengths of a new connection's phases, -1 when reused */
    int64_t upload_ns;              /* from the request's first byte until its last was handed to the system */
};

/* How a request ended for the transport; becomes an outcome together with what the stream contained. */
enum transport_end {
    END_COMPLETE, /* response complete (length, last chunk, or close where that is the framing) */
    END_CUT,      /* peer closed before the response was complete, without error */
    END_CANCELLED,
    END_ABORTED,
    END_FAILED_BEFORE = END_ABORTED, /* the labels of failure.def follow */
#define FAILURE(id, name, by, meaning, look) END_##id,
#include "common/failure.def"
#undef FAILURE
};

/* What ended an answer: the API's marker, or what the target says of one; with target.end: auto the body, or the finish
 * reason. */
enum stream_end { STREAM_END_MARKER, STREAM_END_BODY, STREAM_END_FINISH };

/* Of each answer, where a request has several. */
#define STREAM_CHOICES 16u /* those beyond share the last place */
struct stream_choice {
    int64_t first, last; /* its tokens */
    uint32_t events, counted;
};

/* What is kept of the answers that a stage's streams see, beside what is counted. One for many streams: the owner takes
 * what is new after each call, and says what it has enough of. */
#define STREAM_LOOK_BYTES 1024u
struct stream_look {
    uint32_t models;                         /* events without the name of a model that are still looked at for one */
    bool is_new;                             /* something below is; cleared by the owner */
    bool kept[REMARK_N];                     /* no more of these are wanted; of OTHER_MODEL all are */
    uint32_t n[REMARK_N];                    /* bytes of it; 0: none */
    char bytes[REMARK_N][STREAM_LOOK_BYTES]; /* the data of the event; of OTHER_MODEL the name, whatever it is */
};

#define STREAM_NOT_SAID UINT32_MAX
#define STREAM_FALLS_LEAST 4u /* tokens that running usage may fall by */

struct stream {
    const struct dialect *dialect;
    struct stream_choice *choice; /* [STREAM_CHOICES] where an answer is one of several; else NULL, or without memory */
    struct gaps gaps;             /* gaps of token events, for itl and chunk_gap */
    struct timeline t;
    int64_t window_from, window_to;
    int64_t last_read;                    /* arrival of the latest bytes */
    uint32_t events;                      /* token events */
    uint32_t pieces;                      /* reads that brought any of them; of several answers, each has its own */
    uint32_t thoughts;                    /* of these, with nothing but reasoning */
    uint32_t repeats;                     /* of these, with the answer so far (EVENT_AGAIN) */
    uint32_t window_events;               /* of these, inside [window_from, window_to) */
    uint32_t asked_tokens, prompt_tokens; /* what was asked for; set by the caller after stream_begin */
    uint32_t prompt_beside;               /* of the prompt's, those that a template adds, as measured; as these */
    uint32_t prompt_repeated;             /* of prompt_tokens, those with which an earlier request began; as these */
    bool prompt_guessed;                  /* the prompt's length is an estimate; as these */
    bool prompt_by_usage;                 /* prompt_repeated is of the input tokens that usage will name; as these */
    uint32_t turn;                        /* of a conversation, from 1; 0: of none; likewise */
    uint32_t usage_in, usage_out, usage_cached, usage_thought, usage_total;
    uint32_t usage_at;      /* token events before usage came for the last time */
    uint32_t counted;       /* usage's output tokens at the last token event; UINT32_MAX: not given */
    uint32_t counted_first; /* the same at the first token event */
    bool usage, finish, end, error, malformed;
    bool refused;             /* its first visible text refuses to answer (EVENT_REFUSAL) */
    bool unread, fell;        /* usage had a number that is none; its output tokens fell */
    bool guessed;             /* the input tokens may be an estimate */
    bool from_cache;          /* a header says that a cache answered */
    bool late;                /* token events were read late: set by the caller */
    bool late_first;          /* … the first of them together with others, so that its arrival is not known */
    enum finish finish_by;    /* the reason; FINISH_NONE: none was given */
    enum stream_end ended_by; /* with `end` */
    const char *why;          /* what is malformed, or missing: a constant text; NULL: its bytes tell (stranger.h) */
    bool known;               /* an event was one of this API */
    bool named;               /* an event named its model */
    bool begun;               /* the body's first byte that is no white space was seen */
    bool plain;               /* the body is one JSON value, no event stream */
    bool at_plain;            /* the next byte begins an event, and those of the learnt shape say nothing new: no end or
                                 failure has come, and a token has */
    bool full_only;           /* set after stream_begin by tests: no event is judged by its shape */
    struct buf
        *text; /* set after stream_begin: the answer's visible text goes there, as JSON writes it between quotes */
    struct stream_look *look; /* set after stream_begin, or NULL */
    uint64_t bytes;
    uint64_t beside;    /* of these, data of events without a token */
    uint32_t frame;     /* least shape_frame of the token events; 0: none was learnt */
    uint32_t shaped;    /* token events judged by their shape */
    uint8_t shape_hint; /* of shapes_match */
    uint32_t unknown;   /* events and lines that are nothing this API knows */
    uint32_t body;      /* bytes of a plain body in the carry */
    /* Set by the caller, of late reads: … */
    struct gaps blurred; /* places in `gaps`: these and those of the same read are not known, but their sum is */
    int64_t hazy;        /* the stamp of a token event that came before it, nobody knows when */
    struct sse sse;
    struct lines lines; /* of these two the one that the dialect's framing wants */
    struct shape shape; /* last, since it has a buffer that needs no clearing */
    struct carry carry;
    struct carry apart; /* what `choice` lies in */
};

/* Everything but the timeline's due, free, sent and written is set here; the caller sets those. Every begun stream is
 * released. */
void stream_begin(struct stream *s, const struct dialect *d, struct gap_pool *pool, int64_t window_from,
                  int64_t window_to);

/* Takes bytes of the body that arrived at `arrival_ns` (not 0); all events found in them share that stamp. Returns the
 * number of token events found. Bytes after the end marker are counted and otherwise ignored. */
uint32_t stream_feed(struct stream *s, const char *bytes, size_t n, int64_t arrival_ns);

/* A header or trailer of the response: a grpc-status that is not 0 is an error, and so is a trailer that tells of one
 * (error_header.h), unless the end marker has come. Some tell of a cache (cache_header.h). */
void stream_header(struct stream *s, const char *name, size_t name_n, const char *value, size_t value_n);

/* The outcome: COUNTER_OK, one of COUNTER_FAILED_*, COUNTER_CANCELLED or COUNTER_ABORTED. http_status 0 = none came.
 * Call once, before stream_clear. The rules, the first that applies:
 *   1. 2xx, end marker, no error, nothing malformed, at least one token: ok, however the transport ended afterwards.
 *   2. cancelled, aborted, refused, dns, connect, tls, timeout_connect: as the transport says.
 *   3. a status that is not 2xx: http_429, http_3xx, http_4xx, else http_5xx.
 *   4. an error object inside the stream, or as the whole body: stream_error.
 *   5. bytes that are not a stream of this API (an unreadable line or event, a body of HTML or other JSON, text without
 * an event): malformed.
 *   6. the end marker seen, but no token; or a whole answer without a body (204, 205): empty.
 *   7. timeouts, reset: as the transport says. Closed by the peer before a status came: reset.
 *   8. no end marker: truncated; also for a stream of comments only. */
enum counter stream_outcome(struct stream *s, enum transport_end end, int http_status);
/* Output tokens of a stream that has ended.
 *
 *   usage   the server's count, if it is believed: at most a tenth more than was asked for, or 64 in each token event;
 *           without it each event is a token
 *   made    what throughput counts: usage, plus reasoning where usage plainly holds only the visible text
 *   seen    what came in events, for the time per token: without reasoning that usage counts and no event showed */
struct stream_tokens {
    uint32_t made, seen;
    uint32_t suffix; /* of `seen`, what came after the first token event: all but its tokens, which running usage
                        tells; without that they are as many as an event has on average. 0: there is no suffix */
    bool counted;    /* by usage */
    bool unknown;    /* a whole answer without usage: the three above are 0 */
    bool over; /* usage is taken, and doubtful: far more than was asked for and came in events, or than the text has
                  bytes */
    bool input_asked; /* `input` is what was asked for: usage gives none, or 0, or one that is not believed */
    bool doubted;     /* usage was there and is not believed, in whole or in part … */
    uint32_t doubted_out, doubted_in, doubted_cached; /* … namely these numbers of it; 0: that one is believed … */
    bool zero, unread, fell; /* … or it says 0 and text came; a number cannot be read; the output tokens fell */
    uint32_t input, cached;
    uint32_t beyond; /* tokens that usage's total has, and neither its input nor what is made */
};
/* The time per output token, of those that came in events; with several answers, each token after the one before of its
 * own answer. -1: there is none. */
int64_t stream_tpot(const struct stream *s, uint32_t seen);
/* Whether several tokens came in one piece, or were read in time in a few with next to no time between them: a
 * buffer's, or those of a server that sends whole answers. Then nothing is known of the times between tokens. `seen` as
 * above. */
bool stream_came_at_once(const struct stream *s, uint32_t seen);
void stream_count(const struct stream *s, struct stream_tokens *ret);
void stream_clear(struct stream *s); /* gives chunks and buffers back */
