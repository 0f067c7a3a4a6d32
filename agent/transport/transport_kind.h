/* The contract of a kind of transport, and what all kinds share. For the kinds, conn.h and warm.h only. */
#pragma once
#include "agent/transport/tls.h"
#include "agent/transport/transport.h"

/* A connection made ahead of its first request. */
struct warm_socket {
    int fd;
    uint32_t address;
    struct tls_conn *tls;   /* after its handshake; NULL: in the clear */
    int64_t tcp_ns, tls_ns; /* how long its phases took; -1: there was none */
};

/* Nothing here blocks. Each is called on the worker's thread. */
struct transport_kind {
    const char *http; /* "HTTP/1.1" */
    /* Makes t->state. Once for a transport, or once more when `other` takes over. On failure clear is called. */
    ERR_CHECKED int (*init)(struct transport *t, struct err *e);
    /* Closes all connections and frees the state, even when it is incomplete. No request is open. */
    void (*clear)(struct transport *t);
    /* See transport_connections. */
    uint32_t (*connections)(const struct transport *t, uint32_t requests);
    /* Takes over a connection without a request, counted already; the kind frees it, also on failure. Never calls back.
     */
    void (*adopt)(struct transport *t, struct warm_socket w);
    /* See transport_prepared. May be called again and again, after 1 too. */
    ERR_CHECKED int (*prepared)(struct transport *t, struct err *e);
    /* x->open is set; ends the request itself when it cannot be sent. */
    void (*start)(struct transfer *x, const char *body, size_t n);
    /* Of an open request, never within a callback. Does not call `end`; x->state is forgotten. */
    void (*abort)(struct transfer *x);
    /* An event whose data the kind gave to epoll; it may be of a connection that is closed by now. */
    void (*ready)(struct transport *t, uint64_t data, uint32_t events);
    /* t->timer is due; sets the next. */
    void (*tick)(struct transport *t, int64_t now);
};

/* A new socket as all of ours are: stamped, bound to the next source address of its family. -1 on failure (errno). Not
 * counted. */
int transport_socket(struct transport *t, int family, int type, int protocol);
/* Has the server neither closed the connection nor sent anything unasked? */
bool transport_quiet(int fd, struct tls_conn *tls);
void transport_close(int fd, struct tls_conn *tls);

/* A connection made ahead: the kind's from now on. */
void transport_adopt(struct transport *t, struct warm_socket w);
/* Is what the server chose in a TLS handshake what is spoken here? With http: auto the first answer decides, and the
 * kind may change; no request may have been started. -1 with the reason. */
ERR_CHECKED int transport_agree(struct transport *t, const struct tls_conn *tls, uint32_t address, struct err *e);
/* When bytes with this stamp arrived, in our clock; 0 when the stamp cannot be right. */
int64_t transport_arrival(struct transport *t, int64_t wall_ns);
/* A piece of a body, of the read under way. */
void transport_deliver(struct transfer *x, const char *bytes, size_t n);
/* The request is over: closes x and calls back. The kind has let go of it. */
void transport_end(struct transfer *x, enum transport_end how, const char *why);
/* Does the guard forbid connecting to this address of the target? */
bool transport_forbidden(const struct transport *t, uint32_t address);
