/* The guard: what a coordinator may ask of this agent. Set on the agent's own command line; no message can change it,
 * so that a stolen coordinator does not become a weapon. Pure: addresses and numbers in, a refusal with its reason out
 * (ERR_REFUSED).
 *
 * Whatever is allowed, these are never a target, in any spelling that resolves to them (decimal, IPv4-mapped, 6to4,
 * NAT64): link-local and cloud metadata addresses, multicast, broadcast, "this network" (0.0.0.0/8, ::).
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "common/addr.h"
#include "common/err.h"
#include "common/plan/plan.h"
#include "common/shard.h"
#include "common/url.h"

#define GUARD_RULES 64

struct guard_target { /* scheme://host:port; NULL or 0 = any */
    char scheme[8], host[256];
    uint16_t port;
};
struct guard {
    struct guard_target target[GUARD_RULES]; /* none: any host */
    size_t n_targets;
    struct addr_net net[GUARD_RULES]; /* none: any address but the forbidden */
    size_t n_nets;
    const char *socket[GUARD_RULES]; /* paths of Unix sockets; borrowed. None: none may be a target */
    size_t n_sockets;
    uint64_t max_connections; /* 0: no limit of ours */
    double max_requests_per_s, max_tokens_per_s;
    int64_t max_duration_ns; /* of one stage */
};

/* A rule as on the command line: "https://gw.example.com", "example.com:443", "*.example.com" (any name below it), or a
 * network "10.0.0.0/8", "fd00::/8", or a socket "unix:/run/llm.sock". A text that the guard keeps must outlive it. */
ERR_CHECKED int guard_allow(struct guard *guard, const char *rule, struct err *e);

/* A plan: its URL's scheme, host and port, and those of its proxy, which gets the connections. A plan with a Unix
 * socket connects to nothing else. (The metrics URL is the coordinator's to read.) */
ERR_CHECKED int guard_check_plan(const struct guard *guard, const struct plan *p, struct err *e);

/* An address that a name was resolved to, or a peer about to be connected to. Call at resolving and again at each
 * connect. */
ERR_CHECKED int guard_check_address(const struct guard *guard, const struct sockaddr *sa, struct err *e);

/* A target that a proxy connects to: networks cannot be held there, since the proxy resolves the name. */
ERR_CHECKED int guard_check_beyond(const struct guard *guard, const struct url *u, struct err *e);

/* An agent's shard before it is armed: slots, its own maximum rate, duration with drain. */
ERR_CHECKED int guard_check_shard(const struct guard *guard, const struct shard *s, struct err *e);

/* What was done in a span of a running stage. */
ERR_CHECKED int guard_check_rate(const struct guard *guard, uint64_t requests, uint64_t tokens, int64_t span_ns,
                                 struct err *e);

/* "any host; at most 1000 connections", for HELLO and the log. */
void guard_describe(const struct guard *guard, char *buf, size_t n);
