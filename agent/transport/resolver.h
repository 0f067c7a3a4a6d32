/* Names are looked up on a thread of their own: a resolver may take long, and the calling thread must keep sending
 * heartbeats. One question at a time; a caller without an answer asks the same again later. */
#pragma once
#include <netdb.h>
#include <stdint.h>

#include "common/err.h"

#define RESOLVER_NOW_NS INT64_C(300000000)    /* a question may hold up its caller for this long */
#define RESOLVER_MOST_NS INT64_C(15000000000) /* this long after a name was first asked for it counts as unanswered */
#define RESOLVER_AGAIN_NS INT64_C(5000000000) /* a name server's "try again" is taken at its word for this long */

struct lookup;
struct resolver {
    struct lookup *lookup; /* under way, or answered and not yet taken */
    int (*ask)(const char *host, const char *port, const struct addrinfo *hints,
               struct addrinfo **ret); /* NULL: getaddrinfo */
};
/* 0: *ret_list is the caller's (freeaddrinfo). 1: not yet. -1: ERR_NET, it has no answer. Addresses are not asked for
 * anywhere. */
ERR_CHECKED int resolver_ask(struct resolver *r, const char *host, const char *port, struct addrinfo **ret_list,
                             struct err *e);
void resolver_clear(struct resolver *r); /* a thread that still waits for its answer ends by itself */
