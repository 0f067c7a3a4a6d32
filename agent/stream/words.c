#include "agent/stream/words.h"

#include <string.h>

#include "common/word_list.h"

#define BLOCK_WORDS 8u /* that one random number picks */
#define BLOCK_CHARS (BLOCK_WORDS * 4u)
#define DECK_BLOCKS (256u / BLOCK_WORDS)

static const char *table_of(const struct words *w)
{
    return w->table ? w->table : WORD_LIST;
}

static void put_block(char *out, const char *table, uint64_t bits)
{
#pragma GCC unroll 8
    for (uint32_t i = 0; i < BLOCK_WORDS; i++, bits >>= 8)
        memcpy(out + (size_t)i * 4, table + (bits & 255) * 4, 4);
}

/* Words number `first` to `first` + 7 of a deck, which has another one at each of its 256 places: sums, odd products
 * and shifts of eight bits lose nothing. */
typedef uint16_t eight __attribute__((vector_size(2 * BLOCK_WORDS)));
typedef uint8_t eight_bytes __attribute__((vector_size(BLOCK_WORDS)));
static uint64_t deal(uint64_t deck, uint16_t first)
{
    eight x = {0, 1, 2, 3, 4, 5, 6, 7};
    uint64_t bits = 0;
    x += first;
    for (int round = 0; round < 3; round++, deck >>= 16) {
        x = ((x + (uint16_t)(deck & 255)) * (uint16_t)((deck >> 8 & 255) | 1)) & 255;
        x ^= x >> 4;
    }
    eight_bytes all = __builtin_convertvector(x, eight_bytes); /* one instruction, where a loop took most of the time */
    memcpy(&bits, &all, sizeof bits);
    return __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? __builtin_bswap64(bits) : bits;
}

/* The words of the next block, number `block`, a byte each. */
static uint64_t next_block(struct words_at *at, const struct words *w, size_t block)
{
    if (!w->even) return rng_u64(&at->rng);
    size_t first = block % DECK_BLOCKS * BLOCK_WORDS;
    if (first == 0) at->deck = rng_u64(&at->rng);
    return deal(at->deck, (uint16_t)first);
}

/* The part of the block under way from `from` on, of at most n bytes; how many they are. The block is left where it
 * ends. */
static size_t put_part(struct words_at *at, const struct words *w, size_t number, size_t from, char *out, size_t n)
{
    char block[BLOCK_CHARS];
    struct words_at next = *at;
    size_t take = BLOCK_CHARS - from < n ? BLOCK_CHARS - from : n;
    put_block(block, table_of(w), next_block(&next, w, number));
    if (out) memcpy(out, block + from, take);
    if (from + take == BLOCK_CHARS) *at = next;
    return take;
}

void words_begin(struct words_at *at, const struct words *w)
{
    *at = (struct words_at){0};
    rng_seed(&at->rng, w->seed);
}

size_t words_read(struct words_at *at, const struct words *w, char *out, size_t n)
{
    const char *table = table_of(w);
    size_t left = WORDS_CHARS(w->n) - at->taken, done = 0;
    if (n > left) n = left;
    if (at->taken % BLOCK_CHARS) done = put_part(at, w, at->taken / BLOCK_CHARS, at->taken % BLOCK_CHARS, out, n);
    struct words_at here = *at; /* a copy: bytes written to `out` might else be those of *at */
    for (; n - done >= BLOCK_CHARS; done += BLOCK_CHARS) {
        uint64_t bits = next_block(&here, w, (at->taken + done) / BLOCK_CHARS);
        if (out) put_block(out + done, table, bits);
    }
    *at = here;
    if (done < n) (void)put_part(at, w, (at->taken + done) / BLOCK_CHARS, 0, out ? out + done : NULL, n - done);
    at->taken += n;
    if (w->stop && n > 0 && n == left && out) out[n - 1] = '.';
    return n;
}
