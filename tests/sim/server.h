/* The server: one thread, one epoll set, timers in due order. The pure parts (http, body, frame, model, timer, fault)
 * do the thinking; server.c loops, receive.c takes requests from connections, route.c finds the answer, stream.c gives
 * it, reply.c writes it, conn.c sends its bytes. Each calls those after it only. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/rng.h"
#include "tests/sim/frame.h"
#include "tests/sim/http.h"
#include "tests/sim/metrics.h"
#include "tests/sim/model.h"
#include "tests/sim/options.h"
#include "tests/sim/timer.h"
#include "tests/sim/tls.h"
#include "tests/sim/truth.h"

enum { SIM_IN_BYTES = 256 * 1024, SIM_OUT_MAX = 64 * 1024 * 1024 };

enum sim_source_kind { SIM_SOURCE_LISTENER, SIM_SOURCE_SIGNAL, SIM_SOURCE_CONN };
struct sim_source {
    enum sim_source_kind kind;
    int fd;
};

/* The answer that a connection is giving. */
struct sim_stream {
    struct sim_frame frame;
    struct sim_record record;
    struct rng rng;  /* of its jitter */
    int64_t due;     /* of the next event, fixed mode */
    uint32_t ready;  /* tokens that are due */
    uint32_t handle; /* of the model */
    bool in_model, stalled;
    enum sim_fault fault; /* still to come; SIM_FAULT_NONE when none or past */
    uint32_t fault_at;    /* after this many tokens */
};

/* What is different of a connection that speaks HTTP/2 (`closed` alone) or is a stream of one (all). */
struct sim_conn;
struct sim_conn_kind {
    int (*send)(struct sim_conn *c, const void *bytes, size_t n); /* bytes of HTTP/1.1; -1: closed */
    void (*finish)(struct sim_conn *c);                           /* END_STREAM, whatever is missing */
    void (*reset)(struct sim_conn *c);                            /* RST_STREAM, and closes it */
    void (*answered)(struct sim_conn *c);                         /* GOAWAY when it was the last answer */
    void (*due)(struct sim_conn *c);                              /* its timer: what was held back is sent */
    void (*closed)(struct sim_conn *c);                           /* it is being closed */
};

enum sim_timer_kind { SIM_TIMER_TOKEN, SIM_TIMER_DRIP };

struct sim_conn {
    struct sim_source source;     /* first: epoll hands it back */
    struct sim_conn *prev, *next; /* all that are open; `next` also of those to be freed */
    uint64_t number;
    uint32_t responses;
    bool busy;     /* an answer is being given */
    bool last;     /* the client asked for the connection to end with this answer */
    bool closing;  /* closed for writing once all is sent */
    bool draining; /* closed for writing: reads until the client closes too */
    bool want_write, slow, dead, continued;
    struct buf in;  /* what came and is not used yet; most requests never touch it */
    struct buf out; /* what the socket did not take */
    size_t out_at;
    int64_t arrived; /* of the last bytes read, as the kernel stamped them; 0: unknown */
    struct sim_timer token_timer, drip_timer;
    struct sim_stream stream;
    struct sim_tls *tls;              /* NULL: in the clear */
    const struct sim_conn_kind *kind; /* NULL: HTTP/1.1 on a socket of its own */
    struct sim_h2 *h2;                /* it speaks HTTP/2: its streams are connections of their own … */
    struct sim_conn *carrier;         /* … whose socket this one has */
    bool met;                         /* what it speaks is known */
};

struct sim_server {
    const struct sim_options *o;
    int epoll;
    struct sim_source signal, listener[ARG_LIST_MAX];
    size_t listeners;
    struct sim_timers timers;
    struct sim_model *model;     /* NULL in fixed and null mode */
    struct sim_truth *truth;     /* NULL: none */
    struct tokenizer *tokenizer; /* NULL: prompts are estimated */
    struct sim_metrics metrics;
    struct sim_conn *open, *dead;
    uint32_t connections, streams, busy; /* streams: of HTTP/2 */
    struct sim_tls_keys *keys;           /* NULL: no TLS */
    struct buf cipher;                   /* bytes of TLS on their way out */
    int64_t wrote;                       /* right before the latest write to a socket */
    uint64_t accepted, refused, requests, events, tokens;
    int spare; /* a descriptor kept for refusing connections when there is none left */
    int64_t lag_sum, lag_max;
    char *in;               /* [SIM_IN_BYTES] where reads land */
    struct buf out;         /* where an answer's bytes are put together */
    struct buf null_answer; /* --null: the last answer's bytes, used again for a like request */
    struct sim_ask null_ask;
    bool stop;
};

/* receive.c: requests from the bytes of connections. */
void sim_receive(struct sim_server *v, struct sim_conn *c, uint32_t events);
void sim_receive_waiting(struct sim_server *v, struct sim_conn *c, int64_t received); /* answers what waits in `in` */

/* conn.c: a connection, and the bytes on their way out. */
int sim_conn_open(struct sim_server *v, struct sim_conn *c,
                  int fd); /* zeroed until then; fd -1: a stream. -1: no memory */
void sim_conn_accept(struct sim_server *v, int listener);
int sim_conn_send(struct sim_server *v, struct sim_conn *c, const void *bytes,
                  size_t n);                                      /* -1: the connection is gone (and closed) */
int sim_conn_send_tls(struct sim_server *v, struct sim_conn *c);  /* what TLS has to send; -1: closed */
void sim_conn_writable(struct sim_server *v, struct sim_conn *c); /* the socket takes more */
void sim_conn_drip(struct sim_server *v, struct sim_conn *c);     /* --fault-slow-bytes: the next byte */
void sim_conn_finish(struct sim_server *v, struct sim_conn *c);   /* closes for writing once all is sent */
void sim_conn_reset(struct sim_server *v, struct sim_conn *c);
void sim_conn_close(struct sim_server *v, struct sim_conn *c,
                    const char *end); /* `end`: what the truth says of an answer cut short */
void sim_conn_answered(
    struct sim_server *v,
    struct sim_conn *c); /* an answer is complete: counts it, ends the connection if it was the last */
void sim_conn_sweep(struct sim_server *v);

/* route.c: from a request to its answer. */
void sim_route(struct sim_server *v, struct sim_conn *c, const struct sim_request *r, int64_t received);

/* reply.c: answers as bytes of HTTP/1.1. */
void sim_reply_refuse(struct sim_server *v, struct sim_conn *c, unsigned status, const char *why); /* and closes */
void sim_reply_json(struct sim_server *v, struct sim_conn *c, unsigned status, const char *type, const void *body,
                    size_t n);
void sim_reply_error(struct sim_server *v, struct sim_conn *c, unsigned status, const char *why);
void sim_reply_stream_head(struct sim_server *v, const struct sim_conn *c, struct buf *out);

/* stream.c: the life of an answer. */
void sim_stream_start(struct sim_server *v, struct sim_conn *c, const struct sim_ask *ask, int64_t received);
bool sim_stream_due(struct sim_server *v, struct sim_conn *c); /* fixed mode: its timer. False: the answer is over */
bool sim_stream_model_event(struct sim_server *v, const struct sim_model_event *ev); /* capacity model; likewise */

/* stream_end.c */
void sim_stream_end(struct sim_server *v, struct sim_conn *c, const char *end,
                    enum sim_finish); /* the record is closed */

/* server.c */
int sim_main(int argc, char **argv);
