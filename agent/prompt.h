/* How long a prompt is. Its text are words (stream/words.h), one a token; what a chat template adds comes on top, and
 * `usage` says what the server counted. Pure and seeded. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "common/plan/plan.h"
#include "common/rng.h"
#include "common/shard.h"

#define PROMPT_TOKENS_MAX (1u << 20)
#define PROMPT_WORDS_MAX (4 * PROMPT_TOKENS_MAX)

/* A length from a distribution: at least 1, at most PROMPT_TOKENS_MAX. */
uint32_t prompt_length(const struct dist *d, struct rng *r);
/* How many words are so many tokens to a server; `whole`: a prompt, with the tokens that its template adds, and not
 * only a part of one. At least 1 of a whole prompt. */
uint32_t prompt_words(const struct word_cost *c, uint32_t tokens, bool whole);

/* With target.tokenizer prompts are made of the words that are one token to it, each with its blank before it: so many
 * words are so many tokens, whatever stands before them, and also where a template takes the first blank away. */
struct prompt_tokens {
    bool on;
    char table[1024];        /* for struct words; WORDS_TABLE */
    struct word_costs costs; /* as measured, else one token a word, and what the tokenizer puts around a text */
};
/* -1: the plan names a tokenizer that was never read. */
ERR_CHECKED int prompt_tokens_init(struct prompt_tokens *p, const struct plan_target *t,
                                   const struct word_costs *measured, struct err *e);
