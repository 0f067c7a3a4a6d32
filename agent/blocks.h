/* Blocks of one size, cut from big slabs, for one thread. Taking and giving back are a few instructions; memory is asked for
 * only when all blocks are out, a whole slab at a time, and each time is counted. Nothing is returned to the system before
 * blocks_clear. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

struct blocks {
    size_t size;       /* of a block, a multiple of 16 */
    uint32_t per_slab;
    void *free;        /* list of free blocks, linked through their first word */
    void *slabs;       /* list of slabs */
    uint64_t made, out; /* blocks that exist; of these, taken */
    uint64_t grown;    /* slabs made after blocks_init */
};

/* Room for at least `at_start` blocks is made at once. */
int blocks_init(struct blocks *b, size_t size, uint32_t per_slab, uint64_t at_start, struct err *e);
void blocks_clear(struct blocks *b); /* all blocks become invalid */
void *blocks_take(struct blocks *b); /* contents undefined; NULL without memory */
void blocks_give(struct blocks *b, void *block);
