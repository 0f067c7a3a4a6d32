/* Prompts made up on the spot: words of three letters, so that with its space each is four characters, and to the
 * tokenizers in use one token. No tokenizer, no data set, no network. Pure and seeded: the same request has the same
 * prompt in every run of the plan, and no two requests have the same first words, so that no prefix cache of the server
 * can answer, unless the plan asks for shared prefixes. What a chat template adds comes on top; `usage` says what the
 * server counted. */
#pragma once
#include <stdint.h>

#include "agent/stream/dialect.h"
#include "common/err.h"
#include "common/plan/plan.h"

#define PROMPT_TOKENS_MAX (1u << 20)
#define PROMPT_CHARS(tokens) ((size_t)(tokens)*4)

/* Writes exactly `tokens` words in PROMPT_CHARS(tokens) bytes (the last is a '.'; no NUL), the first `prefix` of them
 * from prefix_seed, the rest from seed. */
void prompt_write(char *out, uint32_t tokens, uint32_t prefix, uint64_t prefix_seed, uint64_t seed);

/* The requests of one worker: which workload and model (by weight), how long, and the text. */
struct workload;
/* The plan is borrowed. Prompts depend on the seeds and the part, so that no agent or worker repeats another's:
 * `stage_seed` and `part` as in the shard. Shared prefixes depend on the plan's seed alone: the whole cluster uses the
 * same, in every stage. */
ERR_CHECKED struct workload *workload_new(const struct plan *p, uint64_t stage_seed, uint32_t part, struct err *e);
void workload_destroy(struct workload **w);
/* The request number `seq`. Its messages live until the next call. `ret_input` is the number of tokens asked for in the
 * prompt. Allocates only for a prompt longer than any before it. Returns -1 without memory. */
int workload_next(struct workload *w, uint64_t seq, struct dialect_request *ret, uint32_t *ret_input);
