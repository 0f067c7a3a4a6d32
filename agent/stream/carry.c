#include "agent/stream/carry.h"

#include <stdlib.h>
#include <string.h>

#define SMALL_PER_SLAB 64u
#define LARGE_PER_SLAB 4u

char carry_nothing[1]; /* where no byte is held, there is still a place */

int carry_pool_init(struct carry_pool *p, uint32_t blocks, struct err *e)
{
    *p = (struct carry_pool){0};
    if (slab_init(&p->small, CARRY_SMALL, SMALL_PER_SLAB, blocks, e) == 0 &&
        slab_init(&p->large, CARRY_BLOCK, LARGE_PER_SLAB, blocks, e) == 0)
        return 0;
    carry_pool_clear(p);
    return -1;
}

void carry_pool_clear(struct carry_pool *p)
{
    slab_clear(&p->small);
    slab_clear(&p->large);
}

void carry_init(struct carry *c, struct carry_pool *pool)
{
    *c = (struct carry){.pool = pool};
}

void carry_give(struct carry *c)
{
    if (c->cap > CARRY_BLOCK)
        free(c->held);
    else
        slab_give(c->cap == CARRY_SMALL ? &c->pool->small : &c->pool->large, c->held);
    c->held = NULL;
    c->cap = 0;
}

char *carry_grow(struct carry *c, size_t used, size_t need)
{
    if (need > CARRY_MAX) return NULL;
    size_t cap = need <= CARRY_SMALL ? CARRY_SMALL : CARRY_BLOCK;
    while (cap < need)
        cap *= 2;
    char *more = cap == CARRY_SMALL   ? slab_take(&c->pool->small)
                 : cap == CARRY_BLOCK ? slab_take(&c->pool->large)
                                      : malloc(cap);
    if (!more) return NULL;
    if (c->held) memcpy(more, c->held, used);
    carry_clear(c);
    c->held = more;
    c->cap = (uint32_t)cap;
    return more;
}
