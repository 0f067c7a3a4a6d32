/* HTTP/2 of the simulator, by nghttp2. Each stream is a connection to route.c and stream.c: a request comes from it,
 * and the HTTP/1.1 answer that they write is taken apart into a head and DATA here, so that every path, fault and time
 * is the same over both. */
#pragma once
#include "tests/sim/server.h"

struct sim_h2;

struct sim_h2 *sim_h2_new(struct sim_server *v, struct sim_conn *carrier); /* NULL without memory; sends SETTINGS */
void sim_h2_destroy(struct sim_h2 **h);                                    /* closes its streams */
/* Bytes of the client; answers what they ask. -1: no HTTP/2, or over. */
int sim_h2_feed(struct sim_h2 *h, const void *bytes, size_t n, int64_t received);

/* What conn.c hands on for a connection that is a stream. */
int sim_h2_send(struct sim_server *v, struct sim_conn *c, const void *bytes, size_t n); /* bytes of HTTP/1.1 */
void sim_h2_finish(struct sim_conn *c);   /* END_STREAM, whatever is missing */
void sim_h2_reset(struct sim_conn *c);    /* RST_STREAM */
void sim_h2_answered(struct sim_conn *c); /* an answer is complete: GOAWAY when it was the last */
void sim_h2_forget(struct sim_conn *c);   /* it is being closed */
