/* What is left of a response after its end marker. Some servers send the last chunk late, or hold the response open:
 * the slot is free all the same. Lists of such responses by the moment at which something is done about them; pure.
 *
 *   end marker ──▶ ending (TAIL_GRACE_NS) ──▶ slot free ──▶ tails (TAIL_MAX_NS) ──▶ the connection is closed
 *                    └── the response ends: slot free          └── the response ends: connection idle
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "common/clock.h"

/* Most servers send the last chunk a moment after the end marker, in a packet of its own. For so long the slot waits,
 * so that the next request finds its connection. */
#define TAIL_GRACE_NS (5 * NS_PER_MS)
/* So long the connection stays with the tail. */
#define TAIL_MAX_NS NS_PER_S
/* Tails of a worker; for another one the oldest is closed. */
#define TAILS_MAX 256u

struct tail {
    struct tail *before, *next;
    struct tails *in; /* NULL: in no list */
    void *owner;
    int64_t due;
};
struct tails {
    struct tail *first, *last; /* by `due` */
    uint32_t n;
};

/* `due` is not before that of the last one. */
void tails_append(struct tails *l, struct tail *t, int64_t due);
void tails_remove(struct tail *t); /* from its list, if it is in one */
static inline int64_t tails_due(const struct tails *l)
{
    return l->first ? l->first->due : INT64_MAX;
}
