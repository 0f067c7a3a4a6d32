/* How long a prompt is. Its text are words (stream/words.h), one a token; what a chat template adds comes on top, and
 * `usage` says what the server counted. Pure and seeded. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "common/plan/dist.h"
#include "common/rng.h"

#define PROMPT_TOKENS_MAX (1u << 20)

/* A length from a distribution: at least 1, at most PROMPT_TOKENS_MAX. */
uint32_t prompt_length(const struct dist *d, struct rng *r);
