/* Text of a wanted length: words of three letters, so that with its space each is four characters, and to the
 * tokenizers in use one token. No tokenizer, no data set, no network. Pure and seeded: the same seed gives the same
 * text everywhere and always. What a chat template adds comes on top; `usage` says what the server counted. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "common/plan/dist.h"
#include "common/rng.h"

#define PROMPT_TOKENS_MAX (1u << 20)
#define PROMPT_CHARS(tokens) ((size_t)(tokens)*4)

/* A length from a distribution: at least 1, at most PROMPT_TOKENS_MAX. */
uint32_t prompt_length(const struct dist *d, struct rng *r);
/* n words, each with its space; returns the byte after them. */
char *prompt_words(char *out, uint32_t n, uint64_t seed);
/* Writes exactly `tokens` words in PROMPT_CHARS(tokens) bytes (the last is a '.'; no NUL), the first `prefix` of them
 * from prefix_seed, the rest from seed. */
void prompt_write(char *out, uint32_t tokens, uint32_t prefix, uint64_t prefix_seed, uint64_t seed);
