/* Text of a wanted length: words of three letters, so that with its space each is four characters, and to the
 * tokenizers in use one token. No tokenizer, no data set, no network. The same seed gives the same text everywhere and
 * always, from any byte on: so a prompt needs no memory, and is made piece by piece where it is sent. JSON has nothing
 * to escape in it. Pure. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/rng.h"

#define WORDS_CHARS(n) ((size_t)(n)*4)

#define WORDS_TABLE 1024u /* characters of a table of 256 words */

struct words {
    uint64_t seed;
    const char *table; /* of WORDS_TABLE; NULL: word_list.h */
    uint32_t n;
    bool stop; /* the last space is a '.' */
    bool
        even; /* every 256 words hold each word once: where some are more tokens than others, equal lengths still are */
};

/* How far they have been read. */
struct words_at {
    struct rng rng; /* of the block of eight words that holds the next byte */
    uint64_t deck;  /* even: the order of the 256 words under way */
    size_t taken;
};
void words_begin(struct words_at *at, const struct words *w);
/* The next n bytes, or what is left of them, into `out` (NULL: they are read over); how many they were. */
size_t words_read(struct words_at *at, const struct words *w, char *out, size_t n);
