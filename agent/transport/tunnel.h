/* The way through an HTTP proxy to the target: CONNECT (RFC 9110 9.3.6) on a connected socket, before TLS or HTTP are
 * spoken with the server. Not a byte that the server may have sent is taken: the proxy's answer is peeked at. */
#pragma once
#include <stdint.h>

#include "agent/transport/target.h"

#define TUNNEL_SAID 720u

struct tunnel;
struct tunnel *tunnel_new(const struct target *t, uint32_t address); /* NULL: no memory */
void tunnel_destroy(struct tunnel **u);
/* 1: what follows is the server's. 0: call again when the socket is ready for *ret_events. -1: failed. */
int tunnel_advance(struct tunnel *u, int fd, uint32_t *ret_events);
/* After -1: what the proxy said, one clean line without the agent's secret; valid as long as the tunnel. */
const char *tunnel_why(const struct tunnel *u);
/* … and whether it may be better in a moment, so that the plan is not to blame. */
bool tunnel_may_pass(const struct tunnel *u);
