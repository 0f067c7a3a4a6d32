/* Splits of an input, drawn from the input itself, so that an input is all that a finding needs. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "common/rng.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline void split_seed(struct rng *r, const uint8_t *data, size_t size, uint64_t salt)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325) ^ salt;
    for (size_t i = 0; i < size; i++)
        h = (h ^ data[i]) * UINT64_C(0x100000001b3);
    rng_seed(r, h);
}

/* Length of the next piece of `left` bytes: mostly short, sometimes long, sometimes nothing. */
static inline size_t split_next(struct rng *r, size_t left)
{
    uint64_t kind = rng_below(r, 8), most = kind == 0 ? left : kind < 4 ? 3 : 40;
    size_t n = (size_t)rng_below(r, most + 1);
    return n < left ? n : left;
}

#define MUST(condition)                                                                                                \
    do {                                                                                                               \
        if (!(condition)) abort();                                                                                     \
    } while (0)
