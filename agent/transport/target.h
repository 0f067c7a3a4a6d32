/* Where requests go: URL taken apart, name resolved once and pinned, header lines with the secret read on this machine.
 * Made on the control thread at engine_plan, read by all workers, changed by none. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "agent/guard.h"
#include "agent/transport/resolver.h"
#include "common/buf.h"
#include "common/err.h"
#include "common/plan/plan.h"
#include "common/url.h"

#define TARGET_ADDRESS_MAX 64u
#define TARGET_SESSION 16u /* characters of a session's name in a header */
#define TARGET_SESSION_WORD "{session}"

struct target_address {
    char text[64]; /* "127.0.0.1:8000", "[::1]:8000", "proxy 127.0.0.1:3128", "unix:/run/llm.sock" (cut in front) */
    struct sockaddr_storage *sa;
    socklen_t sa_len;
};

/* How connections reach the target. */
enum target_way {
    WAY_STRAIGHT,
    WAY_UNIX,    /* a socket of this machine */
    WAY_FORWARD, /* an HTTP proxy takes each request, with its whole URL */
    WAY_TUNNEL,  /* an HTTP proxy passes on the bytes of a connection (tunnel.h) */
};

/* A line of a request's head. */
struct target_header {
    char *name, *value;
    bool secret;  /* to be wiped, and in no table of a compression */
    bool session; /* the value holds the session's name … */
    size_t at;    /* … from here, in place of {session} */
};

struct target {
    const struct plan_target *plan;    /* borrowed */
    struct guard guard;                /* a copy: asked again at each connect */
    struct url url;                    /* its path is in plan->url */
    char authority[URL_AUTHORITY_MAX]; /* as a request names the host */
    struct target_address address[TARGET_ADDRESS_MAX];
    uint32_t n_addresses;
    struct target_header *headers;
    size_t n_headers;
    bool sessions; /* a header holds the session's name */
    enum target_way way;
    struct target_header proxy_auth; /* without a value: there is none */
};

/* Every address is checked by the guard; one it forbids is an error. 0, -1, or 1 when its name is not resolved yet: ask
 * again. */
ERR_CHECKED int target_new(const struct plan_target *p, const struct guard *guard, struct resolver *r,
                           struct target **ret, struct err *e);
void target_destroy(struct target **t); /* zeroes the secret */

static inline bool target_by_proxy(const struct target *t)
{
    return t->way == WAY_FORWARD || t->way == WAY_TUNNEL;
}

/* Who speaks on a connection once it is open: the address, or by a tunnel "gw.example.com:443 by proxy 10.0.0.1:3128".
 */
#define TARGET_PEER_MAX (URL_HOST_MAX + 96u)
const char *target_peer(const struct target *t, uint32_t address, char *buf, size_t n);

/* "127.0.0.1:8000, 127.0.0.2:8000", cut with "…" where it does not fit. */
void target_addresses(const struct target *t, char *ret, size_t n);

/* Reads a secret named by a plan: environment variable or file, without trailing line ends. Bounded, refused when empty
 * or with bytes that no header may hold. */
ERR_CHECKED int target_secret_read(const struct plan_secret *s, struct buf *ret, struct err *e);
