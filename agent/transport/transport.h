/* HTTP on a worker's own epoll, as the layers above see it. The kind that carries a target (HTTP/1.1 or HTTP/2) is
 * chosen once, before the first request; nothing above knows which it is.
 *
 *   worker, stage ──▶ transport ──▶ kind: kind_http1, kind_http2 (kind.h is their contract)
 *                                    └──▶ conn (socket, TLS, stamp)
 *
 * One thread; nothing here locks, logs or formats. Each read has the kernel's stamp of its bytes. Admission is the
 * pacer's. Nothing that a server may have processed is sent twice: a request whose reused connection breaks before the
 * first byte ends as a reset. Connections that wait for their first request are made by warm.h and adopted. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "agent/stream/stream.h"
#include "agent/transport/stamp.h"
#include "agent/transport/target.h"
#include "agent/transport/tunnel.h"

struct tls;
struct transport;
struct transport_kind;

/* One request's place, used again and again. Embedded in what owns it. */
struct transfer {
    struct transport *tr;
    void *state; /* its kind's, while a request is open */
    void *owner;
    const char *session; /* its name, TARGET_SESSION characters, for headers that hold it; NULL: zeros */
    uint64_t own;        /* the connection of the request before, which is used again if it is idle; 0: any */
    uint32_t address;    /* of the target; changed between requests only */
    bool open;           /* started and not ended */
    bool begun;          /* being written on a ready connection */
    bool kept;           /* at the end: its connection waits for another request */
    long status;         /* HTTP status, 0 = none yet */
    int64_t dns_ns, tcp_ns, tls_ns; /* at the end: phases of a new connection, -1 when reused */
    int64_t written;                /* the wake at which the last byte was handed to the system; 0: not yet */
    const char *why; /* at the end: more than its label says; NULL = nothing to add. While a proxy keeps it waiting:
                        that. Valid until the next one ends */
};

struct transport_calls {
    /* Bytes of a 2xx body. `arrival`: when they reached this machine. */
    void (*bytes)(struct transfer *x, const char *bytes, size_t n, int64_t arrival);
    /* Bytes of any other body, such as an error's own words. NULL: not wanted. */
    void (*other_bytes)(struct transfer *x, const char *bytes, size_t n);
    /* A header of the answer, as it comes; in HTTP/2 also ":status". NULL: not wanted. */
    void (*header)(struct transfer *x, const char *name, size_t name_n, const char *value, size_t value_n);
    /* The request is about to be written on a ready connection; called again when it is sent again because
     * the server had not processed it. */
    void (*writing)(struct transfer *x);
    /* The request ended; `arrival`: when its last bytes reached this machine (or now). Not called for transport_abort.
     */
    void (*end)(struct transfer *x, enum transport_end end, int64_t arrival);
};

/* What the transport counts itself. */
struct transport_counts {
    uint64_t reads, unstamped, connections, waiting_bytes_max;
    uint64_t ended;         /* connections that the server ended, see connections_ended in common/counter.def; … */
    uint64_t idle;          /* … or we, as idle for too long */
    uint64_t not_processed; /* requests sent again since the server had not processed them */
};

/* What the server does with a connection after an answer that did not say so. Some (cpp-httplib, so llama-server) close
 * it a moment later, and a request that was sent in between is lost. */
enum keeps { KEEPS_UNKNOWN, KEEPS_OPEN, KEEPS_CLOSING };
/* While that is unknown, a slot of a closed loop rests this long before its next request. */
#define KEEPS_PAUSE_NS (10 * NS_PER_MS)

struct transport {
    const struct transport_kind *kind;
    const struct transport_kind
        *other;  /* http: auto, until the first handshake: the kind to use where the server does not choose h2 */
    void *state; /* the kind's */
    const struct target *target;
    const struct transport_calls *calls;
    const struct sockaddr_storage *sources; /* local addresses to spread connections over; NULL: the system's choice */
    uint32_t n_sources, next_source;
    struct tls *tls; /* for https */
    int epoll;
    bool stamps;      /* kernel stamps are to be had */
    enum keeps keeps; /* learnt from the first idle connections */
    struct stamp_clock clock;
    int64_t timer;    /* when transport_tick has something to do, or before it */
    int64_t now;      /* of the read under way */
    int64_t arrival;  /* of the bytes under way; 0 = not stamped */
    bool delivered;   /* the read under way gave bytes of a body */
    bool shared;      /* HTTP/2: a read may hold bytes of several requests, and … */
    bool more;        /* … after those under way others follow with the same stamp */
    int64_t drained;  /* before this moment nothing was left to read */
    int64_t away;     /* how long the loop was away before this wake */
    uint32_t sockets; /* open ones, warm ones included */
    struct transport_counts counts;
    char proxy_said[TUNNEL_SAID]; /* what a proxy said last, for `why` */
    uint32_t streams; /* that the server allows a connection, where that is fewer than the plan's; 0 = it is not */
};

struct transport_options {
    const struct transport_kind *kind, *other; /* by kinds_choose */
    int epoll;   /* the worker's; the data of a socket's events is for transport_ready. Its two highest bits are the
                    worker's */
    bool stamps; /* take kernel stamps */
};
ERR_CHECKED int transport_init(struct transport *t, const struct target *target, const struct transport_calls *calls,
                               const struct transport_options *o, struct err *e);
void transport_clear(struct transport *t);

/* What is spoken: "HTTP/1.1" or "HTTP/2"; with http: auto settled by the first handshake. */
const char *transport_http(const struct transport *t);
/* "TLSv1.3": what the latest handshake agreed on; NULL: none, or none has ended well. */
const char *transport_tls(const struct transport *t);

/* How many connections carry that many requests at once. After transport_prepared the server's limit counts too. */
uint32_t transport_connections(const struct transport *t, uint32_t requests);
/* Before the first request, when warm.h is done: 1 when its connections can carry requests, 0 not yet (ask again after
 * the next events or at `timer`), -1 never. */
ERR_CHECKED int transport_prepared(struct transport *t, struct err *e);

void transfer_init(struct transfer *x, struct transport *t, void *owner, uint32_t address);
void transfer_clear(struct transfer *x);

/* Sends a body (borrowed until the end). May call back, `end` included, before it returns. */
void transport_start(struct transport *t, struct transfer *x, const struct payload *body);
/* A transfer's `own` connection is idle: only a request that names it takes it, while it is open; at most
 * `most` of them. */
void transport_keep(struct transport *t, uint64_t own, uint32_t most);
/* Takes the request back at once. */
void transport_abort(struct transfer *x);

/* epoll found a socket ready. */
void transport_ready(struct transport *t, uint64_t data, uint32_t events, int64_t now);
/* Refreshes the offset of the clocks; does what is due by time. */
void transport_tick(struct transport *t, int64_t now);
