/* Blocks of one size, cut from big slabs, for one thread. Taking and giving back are a few instructions; memory is
 * asked for only when all blocks are out, a whole slab at a time, and each time is counted. Nothing is returned to the
 * system before slab_clear. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

struct slab {
    size_t size; /* of a block, a multiple of 16 */
    uint32_t per_slab;
    void *free;         /* list of free blocks, linked through their first word */
    void *slabs;        /* list of slabs */
    uint64_t made, out; /* blocks that exist; of these, taken */
    uint64_t grown;     /* slabs made after slab_init */
};

/* Room for at least `at_start` blocks is made at once. */
ERR_CHECKED int slab_init(struct slab *b, size_t size, uint32_t per_slab, uint64_t at_start, struct err *e);
void slab_clear(struct slab *b); /* all blocks become invalid */
void *slab_take(struct slab *b); /* contents undefined; NULL without memory */
void slab_give(struct slab *b, void *block);
