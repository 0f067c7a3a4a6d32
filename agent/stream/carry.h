/* The bytes of an event or a line that arrives in pieces. Short ones stay in the stream itself, and longer ones take a
 * block of the pool. Those over a block's size take memory of their own, which grows up to CARRY_MAX and is given back
 * with the event. Only prompt ids or log probabilities of a whole answer come near that size. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "agent/stream/slab.h"

#define CARRY_SMALL 1024u  /* bytes kept in the stream itself */
#define CARRY_BLOCK 65536u /* of a block of the pool */
#define CARRY_MAX 8388608u /* over it the stream is bad */

struct carry {
    struct slab *pool; /* blocks of CARRY_BLOCK bytes */
    char *big;         /* the block or the memory in use, or NULL */
    uint32_t cap;      /* of `big` */
    char small[CARRY_SMALL];
};

void carry_init(struct carry *c, struct slab *pool);
/* Room for `need` bytes in all, of which the first `used` are kept. NULL: over CARRY_MAX, or no memory. */
char *carry_room(struct carry *c, size_t used, size_t need);
void carry_clear(struct carry *c); /* gives memory back */
static inline char *carry_bytes(struct carry *c)
{
    return c->big ? c->big : c->small;
}
