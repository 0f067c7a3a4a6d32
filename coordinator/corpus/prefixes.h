/* Which beginnings of prompts stood in earlier rows of a trace: each is a chain of hash ids from the first on. Kept are
 * fingerprints, 12 bytes each in a table that is at most three quarters full: PREFIXES_MAX of them, 192 MiB. Beginnings
 * that come after those are not remembered, so that what is found to repeat is a lower bound. Pure. */
#pragma once
#include <stdint.h>

#define PREFIXES_MAX (3u << 22)

struct prefixes {
    uint64_t *key;   /* 0: free */
    uint32_t *words; /* of its last block, how many tokens went out at most: a prompt may end within it */
    uint32_t room, n;
};
/* The next row. Returns with how many of its tokens an earlier row began. */
uint32_t prefixes_take(struct prefixes *p, const uint32_t *ids, uint32_t n, uint32_t block_tokens,
                       uint32_t input_tokens);
void prefixes_clear(struct prefixes *p);
