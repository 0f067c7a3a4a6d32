/* The address of an agent's connection. `id` is ZeroMQ's routing id and says only where to send. A peer's identity is
 * `user`: what the transport has authenticated ("" while there is no authentication). */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define PEER_ID_MAX 32u

struct peer {
    uint8_t id[PEER_ID_MAX];
    uint8_t n; /* bytes of id */
    char user[65];
};

/* Whether it is the same connection and the same user. */
static inline bool peer_equal(const struct peer *a, const struct peer *b)
{
    return a->n == b->n && memcmp(a->id, b->id, a->n) == 0 && strcmp(a->user, b->user) == 0;
}
