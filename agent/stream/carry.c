#include "agent/stream/carry.h"

#include <stdlib.h>
#include <string.h>

void carry_init(struct carry *c, struct slab *pool)
{
    c->pool = pool; /* the buffer needs no clearing */
    c->big = NULL;
    c->cap = 0;
}

void carry_clear(struct carry *c)
{
    if (c->cap > CARRY_BLOCK)
        free(c->big);
    else if (c->big)
        slab_give(c->pool, c->big);
    c->big = NULL;
    c->cap = 0;
}

char *carry_room(struct carry *c, size_t used, size_t need)
{
    if (need <= (c->big ? c->cap : CARRY_SMALL)) return carry_bytes(c);
    if (need > CARRY_MAX) return NULL;
    size_t cap = CARRY_BLOCK;
    while (cap < need)
        cap *= 2;
    char *more = cap == CARRY_BLOCK ? slab_take(c->pool) : malloc(cap);
    if (!more) return NULL;
    memcpy(more, carry_bytes(c), used);
    carry_clear(c);
    c->big = more;
    c->cap = (uint32_t)cap;
    return more;
}
