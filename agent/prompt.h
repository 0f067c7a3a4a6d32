/* How long a prompt is. Its text are words (stream/words.h), one a token; what a chat template adds comes on top, and
 * `usage` says what the server counted. Pure and seeded. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "common/plan/dist.h"
#include "common/rng.h"
#include "common/shard.h"

#define PROMPT_TOKENS_MAX (1u << 20)
#define PROMPT_WORDS_MAX (4 * PROMPT_TOKENS_MAX)

/* A length from a distribution: at least 1, at most PROMPT_TOKENS_MAX. */
uint32_t prompt_length(const struct dist *d, struct rng *r);
/* How many words are so many tokens to a server; `whole`: a prompt, with the tokens that its template adds, and not
 * only a part of one. At least 1 of a whole prompt. */
uint32_t prompt_words(const struct word_cost *c, uint32_t tokens, bool whole);
