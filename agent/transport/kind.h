/* The contract of a kind of transport. For transport.c, the kinds and warm.h only. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

struct payload;
struct transfer;
struct transport;
struct tls_conn;

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
    void (*start)(struct transfer *x, const struct payload *body);
    /* Of an open request, never within a callback. Does not call `end`; x->state is forgotten. */
    void (*abort)(struct transfer *x);
    /* An event whose data the kind gave to epoll; it may be of a connection that is closed by now. */
    void (*ready)(struct transport *t, uint64_t data, uint32_t events);
    /* See transport_keep. NULL: connections are shared, and none is anybody's. */
    void (*keep)(struct transport *t, uint64_t own, uint32_t most);
    /* t->timer is due; sets the next. */
    void (*tick)(struct transport *t, int64_t now);
};
