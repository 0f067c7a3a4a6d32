/* TLS of the simulator's connections, by OpenSSL over memory: bytes of the socket go in, plain bytes come out, and the
 * other way round. No socket here. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "common/buf.h"
#include "common/err.h"

struct sim_tls_keys; /* certificate and key, one per server */
struct sim_tls;      /* of a connection */

/* `http2`: h2 is chosen where the client offers it. */
ERR_CHECKED struct sim_tls_keys *sim_tls_keys_new(const char *cert, const char *key, bool http2, struct err *e);
void sim_tls_keys_destroy(struct sim_tls_keys **k);

struct sim_tls *sim_tls_new(const struct sim_tls_keys *k); /* NULL without memory */
void sim_tls_destroy(struct sim_tls **t);

/* Takes bytes that came from the socket; -1 when it cannot. */
int sim_tls_feed(struct sim_tls *t, const void *bytes, size_t n);
/* Plain bytes, as many as fit; 0: no more now, -1: over. What is to be sent grows meanwhile (handshakes). */
long sim_tls_read(struct sim_tls *t, void *to, size_t n);
/* Encrypts; -1 when it cannot. */
int sim_tls_write(struct sim_tls *t, const void *bytes, size_t n);
/* Moves what is to be sent to the end of `out`. */
int sim_tls_take(struct sim_tls *t, struct buf *out);
void sim_tls_bye(struct sim_tls *t);                /* close_notify */
bool sim_tls_speaks_http2(const struct sim_tls *t); /* after the handshake */
