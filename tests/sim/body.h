/* What the simulator needs to know of a request's JSON body. Pure and bounded: one pass, no allocation, nesting
 * limited.
 *
 * Prompt tokens are counted where there is a tokenizer: text by text, and around a `prompt` what the tokenizer puts
 * there itself (this alone allocates). Else they are estimated: a quarter of the characters (bytes of UTF-8, an escape
 * counts as one) of `prompt` and of every message's text, rounded up, at least one; a token id in a `prompt` array
 * counts as a token. Four characters may be another number of tokens than one, and a template may add some. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "coordinator/tokenizer/tokenizer.h"

struct sim_body {
    bool has_prompt, has_messages, stream, include_usage, continuous_usage;
    uint64_t prompt_chars;
    uint64_t counted;    /* tokens by a tokenizer */
    uint64_t max_tokens; /* by whichever name */
    bool has_max_tokens;
    char model[64]; /* as written, cut to what fits; "" when absent */
};

ERR_CHECKED int sim_body_scan(const char *p, size_t n, struct sim_body *ret, struct err *e);
/* The same, and counts. */
ERR_CHECKED int sim_body_count(const char *p, size_t n, struct tokenizer *t, struct sim_body *ret, struct err *e);
/* `counted` is not used where it is 0. */
uint32_t sim_body_prompt_tokens(const struct sim_body *b, double word_tokens, uint32_t template_tokens);
