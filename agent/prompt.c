#include "agent/prompt.h"

#include <math.h>

uint32_t prompt_length(const struct dist *d, struct rng *r)
{
    double v = dist_sample(d, r);
    if (!(v >= 1)) return 1;
    return v >= PROMPT_TOKENS_MAX ? PROMPT_TOKENS_MAX : (uint32_t)lround(v);
}

uint32_t prompt_words(const struct word_cost *c, uint32_t tokens, bool whole)
{
    if (c->word == 0) return tokens;
    double v = (tokens - (whole ? c->beside : 0)) / c->word, least = whole;
    if (v < least) return (uint32_t)least;
    return v >= PROMPT_WORDS_MAX ? PROMPT_WORDS_MAX : (uint32_t)lround(v);
}
