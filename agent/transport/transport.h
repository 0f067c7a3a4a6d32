/* HTTP on a worker's own epoll. Which kind carries a target is chosen once, when the transport is made; nobody above
 * knows which:
 *
 *   TRANSPORT_OWN   HTTP/1.1, in the clear or over TLS: ours, the cheapest way from the kernel to the stream
 * (transport_own.c) TRANSPORT_CURL  libcurl: HTTP/2, and whatever else the first does not speak (transport_curl.c)
 *
 * One thread; nothing here locks, logs or formats. Each read has the kernel's stamp of its bytes. Admission is the
 * pacer's. Nothing is retried: a request whose reused connection breaks before the first byte ends as a reset.
 * Connections that wait for their first request are made by warm.h and adopted. */
#pragma once
#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

#include "agent/transport/stamp.h"
#include "agent/stream/stream.h"
#include "agent/transport/target.h"
#include "agent/transport/tls.h"
#include "agent/transport/tls_curl.h"

struct transport;

/* libcurl looks for a free connection by walking all those of a multi handle, so that 10,000 in one cost half a
 * millisecond a request. Places are therefore dealt out over lanes: multi handles with a pool of connections each, on
 * the same epoll. A lane holds few places, but many under TLS, where each lane has a certificate store of its own. With
 * HTTP/2 a lane is one connection. */
#define LANE_PLACES 128u
#define LANE_PLACES_TLS 1024u
struct lane {
    struct transport *tr;
    CURLM *multi;
    int64_t timer; /* when libcurl wants to be called; INT64_MAX: not */
    int running;   /* transfers handed to libcurl that it was not yet seen to end */
    uint32_t number, places;
};

/* One request's place, used again and again. Embedded in what owns it. */
struct transfer {
    struct transport *tr;
    CURL *easy; /* libcurl's */
    struct curl_slist *connect_to;
    struct lane *lane; /* libcurl's */
    struct conn *conn; /* our kind's, while a request is open */
    void *owner;
    uint32_t address;               /* of the target, fixed for the handle */
    bool open;                      /* handed to libcurl and not ended */
    bool refused;                   /* the guard forbade the address libcurl was about to connect to */
    bool begun;                     /* connected, request being written */
    long status;                    /* HTTP status, 0 = none yet */
    int64_t adopted_tcp_ns;         /* libcurl's: time the adopted warm connection took to connect; -1: none adopted */
    int64_t dns_ns, tcp_ns, tls_ns; /* at the end: phases of a new connection, -1 when reused */
    uint32_t opened;                /* sockets opened for this request */
};

/* A connection made ahead of its first request. */
struct warm_socket {
    int fd;
    uint32_t address;
    struct tls_conn *tls;   /* behind its handshake; NULL: in the clear, or libcurl's to make */
    int64_t tcp_ns, tls_ns; /* how long its phases took; -1: there was none */
};

struct transport_calls {
    /* Bytes of a 2xx body. `arrival`: when they reached this machine. Returns the token events found in them. */
    uint32_t (*bytes)(struct transfer *x, const char *bytes, size_t n, int64_t arrival);
    /* The request is about to be written on a ready connection. */
    void (*writing)(struct transfer *x);
    /* The request ended; `arrival`: when its last bytes reached this machine (or now). Not called for transport_abort.
     */
    void (*end)(struct transfer *x, enum transport_end end, int64_t arrival);
};

/* What the transport counts itself. */
struct transport_counts {
    uint64_t reads, unstamped, connections, waiting_bytes_max;
};

/* What a kind of transport does; the functions below hand on to it, and say what each is for. */
struct transport_kind {
    ERR_CHECKED int (*init)(struct transport *t, struct err *e);
    void (*clear)(struct transport *t);
    ERR_CHECKED int (*transfer_init)(struct transfer *x, struct err *e); /* tr, owner and address are set */
    void (*transfer_use_address)(struct transfer *x, uint32_t address);
    void (*transfer_clear)(struct transfer *x);
    int (*start)(struct transfer *x, const char *body, size_t n);
    void (*abort)(struct transfer *x);
    void (*ready)(struct transport *t, uint64_t data, uint32_t events);
    void (*tick)(struct transport *t, int64_t now); /* t->timer is due */
};
extern const struct transport_kind TRANSPORT_OWN, TRANSPORT_CURL;
/* Does our kind speak all that this target asks for? */
bool transport_own_can(const struct target *target);
uint32_t transport_lane_places(const struct target *target);

/* What the server does with a connection behind an answer that did not say so. Some (cpp-httplib, so llama-server)
 * close it a moment later, and a request that was sent in between is lost. */
enum behind { BEHIND_UNKNOWN, BEHIND_STAYS, BEHIND_CLOSES };
/* While that is unknown, a slot of a closed loop rests so long before its next request. */
#define BEHIND_PAUSE_NS (10 * NS_PER_MS)

struct transport {
    const struct transport_kind *kind;
    const struct target *target;
    const struct transport_calls *calls;
    const struct sockaddr_storage *sources; /* local addresses to spread connections over; NULL: the system's choice */
    uint32_t n_sources, next_source;
    struct own *own; /* our kind's */
    struct tls *tls; /* our kind's, for https */
    struct lane **lanes;
    uint32_t n_lanes, lane_places;
    CURLSH *share;
    struct curl_slist *headers; /* libcurl's copy, with the secret */
    int epoll;
    bool stamps;        /* kernel stamps are to be had */
    enum behind behind; /* learnt by our kind; libcurl's is taken to stay */
    struct stamp_clock clock;
    int64_t timer;    /* the earliest of the lanes', or before it */
    int64_t now;      /* of the read under way */
    int64_t arrival;  /* of the bytes under way; 0 = not stamped */
    bool delivered;   /* the read under way gave bytes of a body */
    bool broken;      /* the peek was told that the connection broke */
    int64_t drained;  /* before this moment nothing was left to read */
    int64_t away;     /* how long the loop did not look before this wake */
    uint32_t sockets; /* open ones, warm ones included */
    uint32_t peeks;
    struct warm_socket *warm; /* stack */
    uint32_t n_warm, cap_warm;
    struct hist *lag; /* METRIC_LAG: our read - arrival, once per token event */
    struct transport_counts counts;
    struct transfer try; /* a handshake tried before the first stage; open while it lasts */
    struct tls_try tried;
    struct err try_err;
    bool secured; /* it came about, or warm.h makes handshakes */
};

struct transport_options {
    int epoll;   /* the worker's; the data of a socket's events is for transport_ready. Its two highest bits are the
                    worker's */
    bool stamps; /* take kernel stamps */
    bool curl;   /* libcurl also where our kind would do */
};
ERR_CHECKED /* Of the process, before the first transport and after the last. */
    int
    transport_global_init(void);
void transport_global_clear(void);
ERR_CHECKED int transport_init(struct transport *t, const struct target *target, const struct transport_calls *calls,
                               const struct transport_options *o, struct err *e);
void transport_clear(struct transport *t);
/* Open files that a transport to this target needs beside its sockets, with so many requests at once. */
uint64_t transport_descriptors(const struct target *target, bool curl, uint64_t requests);
/* Sets a handle up for one address of the target. */
ERR_CHECKED int transfer_init(struct transfer *x, struct transport *t, void *owner, uint32_t address, struct err *e);
void transfer_use_address(struct transfer *x, uint32_t address); /* for the requests to come */
void transfer_clear(struct transfer *x);

/* Sends a body (borrowed until the end). May call back, `end` included, before it returns. */
int transport_start(struct transport *t, struct transfer *x, const char *body, size_t n);
/* Takes the request back at once; its connection is closed. */
void transport_abort(struct transfer *x);

/* Begins a TLS handshake that carries no request; over when try.open is false, with `secured` or the reason in try_err.
 */
ERR_CHECKED int transport_try_tls(struct transport *t, uint32_t address, struct err *e);
void transport_end_try(struct transport *t); /* takes it back */

/* epoll found a socket ready. */
void transport_ready(struct transport *t, uint64_t data, uint32_t events, int64_t now);
/* Refreshes the offset of the clocks; does what is due by time. */
void transport_tick(struct transport *t, int64_t now);

/* ---- for the kinds and for warm.c ---- */

/* A new socket as all of ours are: stamped, bound to the next source address of its family. -1 on failure (errno). Not
 * counted. */
int transport_socket(struct transport *t, int family, int type, int protocol);
/* Has the server neither closed the connection nor said anything that nobody asked for? */
bool transport_quiet(int fd, struct tls_conn *tls);
void transport_close(int fd, struct tls_conn *tls);
/* A connection for a later request to adopt. -1 without memory (it is closed). */
int transport_adopt(struct transport *t, struct warm_socket w);
/* A warm connection that is still good; false when there is none. */
bool transport_take_warm(struct transport *t, uint32_t address, struct warm_socket *ret);
/* When bytes with this stamp arrived, in our clock; 0 when the stamp cannot be right. */
int64_t transport_arrival(struct transport *t, int64_t wall_ns);
