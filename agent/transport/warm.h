/* Connections made before a stage's first request, so that no handshake lies inside a TTFT and no storm of them hits
 * the server: a few at a time, TCP connects and TLS handshakes without a request.
 * At least one connection to every address of the target shows which of them can be used ("localhost" is often two
 * addresses, and only one listens). Part of a worker's loop; owns its sockets until the transport adopts them. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "agent/transport/transport.h"

#define WARM_AT_ONCE 64u
#define WARM_TAG (UINT64_C(1) << 62) /* in the data of an epoll event: the index is below it */

struct warm_try {
    int fd; /* -1: place is free */
    uint32_t address;
    struct tunnel *tunnel; /* the proxy is being asked */
    struct tls_conn *tls;  /* in its handshake */
    bool reached;          /* the server is at the other end */
    int64_t begun, connected;
};

struct warm {
    struct transport *tr;
    struct warm_try place[WARM_AT_ONCE];
    uint32_t busy, left; /* tries under way; connections still to be begun */
    uint32_t next_address;
    bool keep; /* else only probe the addresses */
    bool good[TARGET_ADDRESS_MAX];
    int why[TARGET_ADDRESS_MAX];  /* errno of a failure */
    struct err said;              /* the first failure that has more to say than an errno: of TLS, of a proxy */
    int64_t full_since, again_at; /* a Unix socket's queue is full: since when, when to try again; 0: it is not */
    int64_t timeout_ns;
};

/* Begins to open `connections`, spread over the addresses; with fewer connections than addresses, one is opened to
 * each address and closed again if not wanted. */
void warm_begin(struct warm *w, struct transport *tr, uint32_t connections, int64_t timeout_ns, int64_t now);
/* While a stage runs: as many more, to the addresses found good. */
void warm_more(struct warm *w, uint32_t connections, int64_t now);
void warm_ready(struct warm *w, uint64_t index, int64_t now);
void warm_tick(struct warm *w, int64_t now); /* gives up tries that take too long */
int64_t warm_next(const struct warm *w);
static inline bool warm_done(const struct warm *w)
{
    return w->busy == 0 && w->again_at == 0;
}
/* When done: 0 when at least one address can be used, else -1 with the reason. */
ERR_CHECKED int warm_result(const struct warm *w, struct err *e);
void warm_cancel(struct warm *w);
