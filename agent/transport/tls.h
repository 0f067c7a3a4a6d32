/* TLS on sockets of our own, by OpenSSL: trusted authorities, our certificate, the handshake, bytes in and out. A read
 * takes all that has arrived, with the kernel's stamp, in one system call (or a record at a time, for a stamp each);
 * only OpenSSL copies it. Sockets do not block and stay their owner's.
 *
 * The certificate must be for the name or address in the URL (or target.sni), which is also sent as server name.
 * Authorities are the system's or those of the plan's file. Sessions are resumed where the server allows it. ALPN
 * offers what the plan allows. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "agent/transport/stamp.h"
#include "agent/transport/target.h"

struct tls;      /* of a target, one per thread: keys, authorities, the latest session of each address */
struct tls_conn; /* of a socket */

/* Reads the plan's files. `target` is borrowed. NULL with the reason. */
ERR_CHECKED struct tls *tls_new(const struct target *target, struct err *e);
void tls_destroy(struct tls **t);
/* What later handshakes offer; as the plan says until then. */
void tls_offer(struct tls *t, enum plan_http http);
enum plan_http tls_offers(const struct tls *t);

/* "TLSv1.3": what the latest handshake agreed on; NULL: none has ended well. */
const char *tls_version(const struct tls *t);

/* On a connected socket; NULL without memory. */
struct tls_conn *tls_conn_new(struct tls *t, int fd, uint32_t address);
/* Sends no close_notify: the server sees its connection closed. */
void tls_conn_destroy(struct tls_conn **c);

/* Continues the handshake. 1: done; 0: call again when the socket is ready for *ret_events (EPOLLIN or EPOLLOUT);
 * -1: failed, and tls_why has the reason. */
int tls_handshake(struct tls_conn *c, uint32_t *ret_events);
/* After the handshake: did the server choose HTTP/2? */
bool tls_speaks_http2(const struct tls_conn *c);
/* The reason of a failed handshake, or of a read that failed after it, as a constant text. */
const char *tls_reason(const struct tls_conn *c);
/* The same, when the server sent an alert; else NULL. Right after the call that failed. */
const char *tls_alert(void);
void tls_why(const struct tls_conn *c, struct err *e);

/* As recv: 0 is the end, -1 with EAGAIN that nothing has come. Fewer than n bytes: the socket was emptied.
 * `*ret_wall_ns`: the kernel's stamp of the last bytes that were read, 0 = they had none. With `more` false only what
 * was read before is taken, and the socket left alone. `ret_parts`: when each record came, as far as that is known (see
 * stamp_receive_units); NULL: not wanted. */
ssize_t tls_read(struct tls_conn *c, void *bytes, size_t n, bool more, int64_t *ret_wall_ns,
                 struct stamp_parts *ret_parts);
/* The connection ended after the bytes of the last read: the socket may give no event for that. */
bool tls_ended(const struct tls_conn *c);

/* As send. After EAGAIN the next call must begin with the same bytes. */
ssize_t tls_write(struct tls_conn *c, const void *bytes, size_t n);
