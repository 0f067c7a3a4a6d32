/* Bodies of recorded arrivals that are made before they are due. A recording has bursts, a hundred requests at one
 * moment, where each body that is first made then keeps all others behind it waiting. Between bursts there is time. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/stream/payload.h"
#include "agent/transport/transport.h"
#include "common/shard.h"

struct request;

enum { AHEAD_MOST = 256 };
#define AHEAD_BYTES ((size_t)8 << 20) /* a burst of Mooncake's trace has 6 MB */

struct ahead {
    bool on;
    struct arrivals schedule;         /* walked once more */
    uint64_t taken;                   /* arrivals before this one have been sent */
    struct request *list[AHEAD_MOST]; /* a ring: places with a body, in the order of arrivals */
    uint32_t first, n;
    char *room; /* of AHEAD_BYTES, used round and round: bodies of `list`, and some that are being sent */
    struct ahead_body {
        struct payload *payload;         /* has these bytes while its `made` is their beginning … */
        const struct transfer *transfer; /* … and needs them until this has written them */
        size_t from, to;
    } bodies[2 * AHEAD_MOST];
    uint32_t first_body, n_bodies;
};
/* A stage with recorded arrivals begins; its shard is borrowed. Without memory for the room bodies are made as they are
 * sent. */
void ahead_begin(struct ahead *a, const struct shard *s);
void ahead_end(struct ahead *a);
/* The whole body of a request into the room, where there is some. */
void ahead_make(struct ahead *a, struct payload *p, const struct transfer *x);
/* Whether there is some for any body that it takes. */
bool ahead_has_room(struct ahead *a);
