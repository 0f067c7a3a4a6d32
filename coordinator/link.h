/* The coordinator's end of the control plane: a ROUTER socket with bounded queues, message sizes and handshakes. A
 * shell: it decodes and encodes, and knows nothing of runs. One thread. */
#pragma once
#include <poll.h>
#include <stdbool.h>

#include "common/keys.h"
#include "common/wire.h"
#include "coordinator/run/peer.h"

struct link_options {
    const char *listen; /* tcp://ADDR:PORT; port 0 or * = any */
    const char *keys;   /* folder of `plateau keys`: only those on its list may speak; NULL = anybody */
    struct key_pair
        *local;    /* gets the pair of agents local-*, the only ones that may speak; it is in no file; NULL = not so */
    bool insecure; /* allow an address off loopback without authentication */
};

struct link;
ERR_CHECKED struct link *link_open(const struct link_options *o, struct err *e);
void link_close(struct link **l);
const char *link_endpoint(const struct link *l); /* where it listens: tcp://127.0.0.1:40123 */
const char *link_dialled(const struct link *l);  /* where a process of this machine dials it */
bool link_is_loopback(const struct link *l);     /* only processes of this machine can reach it */

bool link_is_authenticated(const struct link *l);
bool link_has_list(const struct link *l);                              /* of keys, in a folder */
void link_server_key(const struct link *l, char ret_public[KEY_TEXT]); /* with keys */
/* Reads the list of allowed keys again; on failure the old one stays. *ret_n: keys on it. -1 without keys. */
ERR_CHECKED int link_reload(struct link *l, size_t *ret_n, struct err *e);

enum link_got { LINK_NOTHING, LINK_MESSAGE, LINK_MALFORMED };
/* The next message, without waiting. LINK_MESSAGE: clear `ret`. LINK_MALFORMED: `e` says why; ERR_REFUSED
 * when its sender may not speak (any more), or not by that name. */
ERR_CHECKED enum link_got link_receive(struct link *l, struct peer *ret_from, struct wire_msg *ret, struct err *e);
bool link_send(struct link *l, const struct peer *to, const struct wire_msg *m); /* false: gone, or its queue is full */
/* Waits until a message or one of the descriptors is there (revents set), or until the time is over. Returns at once
 * when a message waits. */
void link_wait(struct link *l, struct pollfd *fds, unsigned n, int64_t wait_ns);
