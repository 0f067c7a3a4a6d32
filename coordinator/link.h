/* The coordinator's end of the control plane: a ROUTER socket with bounded queues, message sizes and handshakes. A
 * shell: it decodes and encodes, and knows nothing of runs. One thread. */
#pragma once
#include <poll.h>
#include <stdbool.h>

#include "common/wire.h"
#include "coordinator/peer.h"

struct link_options {
    const char *listen; /* tcp://ADDR:PORT; port 0 or * = any */
    bool insecure;      /* allow an address off loopback without authentication */
};

struct link;
struct link *link_open(const struct link_options *o, struct err *e);
void link_close(struct link **l);
const char *link_endpoint(const struct link *l); /* where it listens: tcp://127.0.0.1:40123 */
bool link_is_loopback(const struct link *l);     /* only processes of this machine can reach it */

enum link_got { LINK_NOTHING, LINK_MESSAGE, LINK_MALFORMED };
/* The next message, without waiting. LINK_MESSAGE: clear `ret`. LINK_MALFORMED: `e` says why. */
enum link_got link_receive(struct link *l, struct peer *ret_from, struct wire_msg *ret, struct err *e);
bool link_send(struct link *l, const struct peer *to, const struct wire_msg *m); /* false: gone, or its queue is full */
/* Waits until a message or one of the descriptors is there (revents set), or for so long. Returns at once when a
 * message waits. */
void link_wait(struct link *l, struct pollfd *fds, unsigned n, int64_t wait_ns);
