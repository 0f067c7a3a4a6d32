/* HTTP/2 of the simulator, by nghttp2. Each stream is a connection to route.c and stream.c: a request comes from it,
 * and the HTTP/1.1 answer that they write is taken apart into a head and DATA here, so that every path, fault and time
 * is the same over both. */
#pragma once
#include "tests/sim/server.h"

/* The connection speaks HTTP/2 from now on, until it is closed. -1: no memory. Sends SETTINGS. */
int sim_h2_open(struct sim_server *v, struct sim_conn *carrier);
/* Bytes of the client; answers what they ask. -1: no HTTP/2; 1: over, by GOAWAY. */
int sim_h2_feed(struct sim_h2 *h, const void *bytes, size_t n, int64_t received);
