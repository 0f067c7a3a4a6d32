/* The bytes of an event or a line that arrives in pieces. They take a small block of the pool, and if they are longer a
 * large one, until the event is over. Those over a block's size take memory of their own, which grows up to CARRY_MAX.
 * Only prompt ids or log probabilities of a whole answer come near that size. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "agent/stream/slab.h"

#define CARRY_SMALL 1024u  /* bytes of a small block … */
#define CARRY_BLOCK 65536u /* … and of a large one */
#define CARRY_MAX 8388608u /* over it the stream is bad */

/* Of the streams of a worker. */
struct carry_pool {
    struct slab small, large;
};
/* Room for so many of each is made at once. */
ERR_CHECKED int carry_pool_init(struct carry_pool *p, uint32_t blocks, struct err *e);
void carry_pool_clear(struct carry_pool *p);
static inline uint64_t carry_pool_out(const struct carry_pool *p) /* blocks that are taken */
{
    return p->small.out + p->large.out;
}

struct carry {
    struct carry_pool *pool;
    char *held;   /* the block or the memory in use, or NULL */
    uint32_t cap; /* its size */
};

void carry_init(struct carry *c, struct carry_pool *pool);
/* Room for `need` bytes in all, of which the first `used` are kept. NULL: over CARRY_MAX, or no memory. */
char *carry_grow(struct carry *c, size_t used, size_t need);
static inline char *carry_room(struct carry *c, size_t used, size_t need)
{
    return c->held && need <= c->cap ? c->held : carry_grow(c, used, need);
}
void carry_give(struct carry *c);
static inline void carry_clear(struct carry *c) /* gives memory back */
{
    if (c->held) carry_give(c);
}
extern char carry_nothing[1];
static inline char *carry_bytes(struct carry *c)
{
    return c->held ? c->held : carry_nothing;
}
