#include "agent/stream/slab.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define HEAD 16u /* a slab's link, padded so that blocks stay aligned */

static int grow(struct slab *b)
{
    assert(b->per_slab > 0);
    char *slab = malloc(HEAD + b->size * b->per_slab);
    if (!slab) return -1;
    memcpy(slab, &b->slabs, sizeof b->slabs);
    b->slabs = slab;
    for (uint32_t i = b->per_slab; i-- > 0;) {
        char *block = slab + HEAD + b->size * i;
        memcpy(block, &b->free, sizeof b->free);
        b->free = block;
    }
    b->made += b->per_slab;
    return 0;
}

int slab_init(struct slab *b, size_t size, uint32_t per_slab, uint64_t at_start, struct err *e)
{
    assert(size >= 16 && size % 16 == 0 && per_slab > 0);
    *b = (struct slab){.size = size, .per_slab = per_slab};
    while (b->made < at_start) {
        if (grow(b) == 0) continue;
        slab_clear(b);
        return err_set(e, ERR_NOMEM, "no memory for %llu blocks of %zu bytes", (unsigned long long)at_start, size);
    }
    return 0;
}

void slab_clear(struct slab *b)
{
    while (b->slabs) {
        void *next;
        memcpy(&next, b->slabs, sizeof next);
        free(b->slabs);
        b->slabs = next;
    }
    b->free = NULL;
    b->made = b->out = 0;
}

void *slab_take(struct slab *b)
{
    if (!b->free) {
        if (grow(b) != 0) return NULL;
        b->grown++;
    }
    void *block = b->free;
    memcpy(&b->free, block, sizeof b->free);
    b->out++;
    return block;
}

void slab_give(struct slab *b, void *block)
{
    memcpy(block, &b->free, sizeof b->free);
    b->free = block;
    b->out--;
}
