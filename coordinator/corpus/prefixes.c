#include "coordinator/corpus/prefixes.h"

#include <stdbool.h>
#include <stdlib.h>

#include "common/rng.h"

enum { ROOM_FIRST = 1 << 12, ROOM_MAX = PREFIXES_MAX / 3 * 4 };

/* Where it stands, or would. */
static uint32_t place_of(const struct prefixes *p, uint64_t key)
{
    uint32_t i = (uint32_t)key & (p->room - 1);
    while (p->key[i] && p->key[i] != key)
        i = (i + 1) & (p->room - 1);
    return i;
}

/* Room for one more; false: there is none. */
static bool make_room(struct prefixes *p)
{
    struct prefixes more = {.room = p->room ? 2 * p->room : ROOM_FIRST, .n = p->n};
    if (p->n < p->room / 4 * 3) return true;
    if (p->room == ROOM_MAX) return false;
    more.key = calloc(more.room, sizeof *more.key);
    more.words = malloc(more.room * sizeof *more.words);
    if (!more.key || !more.words) {
        prefixes_clear(&more);
        return false;
    }
    for (uint32_t i = 0; i < p->room; i++) {
        if (!p->key[i]) continue;
        uint32_t at = place_of(&more, p->key[i]);
        more.key[at] = p->key[i];
        more.words[at] = p->words[i];
    }
    prefixes_clear(p);
    *p = more;
    return true;
}

/* The latest beginning went out with so many tokens of its last block; returns with how many it did before. */
static uint32_t take(struct prefixes *p, uint64_t key, uint32_t tokens)
{
    bool room = make_room(p);
    if (p->room == 0) return 0;
    uint32_t at = place_of(p, key);
    if (!p->key[at]) {
        if (!room) return 0;
        p->key[at] = key;
        p->words[at] = 0;
        p->n++;
    }
    uint32_t before = p->words[at];
    if (tokens > before) p->words[at] = tokens;
    return before < tokens ? before : tokens;
}

uint32_t prefixes_take(struct prefixes *p, const uint32_t *ids, uint32_t n, uint32_t block_tokens,
                       uint32_t input_tokens)
{
    uint64_t key = block_tokens;
    uint32_t left = input_tokens, same = 0;
    bool broken = false;
    for (uint32_t i = 0; i < n && left > 0; i++) {
        uint32_t tokens = left < block_tokens ? left : block_tokens;
        key = rng_mix(key, ids[i], i, 0);
        uint32_t before = take(p, key ? key : 1, tokens);
        if (!broken) same += before;
        broken |= before < tokens;
        left -= tokens;
    }
    return same;
}

void prefixes_clear(struct prefixes *p)
{
    free(p->key);
    free(p->words);
    *p = (struct prefixes){0};
}
