/* A source of prompts: one file and one row in common/plan/source.def. A worker opens the source of each workload when
 * a stage is armed and asks it for every request. What is large and shared by all workers (a corpus) belongs to the
 * agent and is borrowed. */
#pragma once
#include <stdint.h>

#include "agent/stream/dialect.h"
#include "common/corpus.h"
#include "common/err.h"
#include "common/plan/plan.h"
#include "common/rng.h"
#include "common/shard.h"

struct source_options {
    const struct plan *plan;
    const struct plan_workload *load;
    const struct corpus *corpus;    /* of this workload; NULL: it needs none */
    const struct word_costs *costs; /* of this server; copied */
    uint64_t stage_seed;
    uint64_t before; /* of struct shard */
    uint32_t part;
};

/* Which request is wanted. */
struct source_ask {
    uint64_t number; /* in this part, from 0 */
    uint64_t index;  /* in the whole cluster: no other request of the stage has it */
    uint32_t model;  /* its number in the plan */
    uint32_t node;   /* of a session tree: which of its requests, … */
    uint32_t shared; /* … and how many of its first blocks an earlier one of the play had */
    struct rng *rng; /* of this request's choices */
};

/* A kind owns its state, which only its file knows. No member is called by two threads at once. */
struct source_kind {
    /* May allocate and fail. */
    ERR_CHECKED void *(*open)(const struct source_options *o, struct err *e);
    /* Fills messages (one of words, or some of text), n_messages and output_tokens of `ret`, and may replace its body
     * (the plan's); they live until the next call. `ret_input` is the number of tokens asked for in the prompt, 0 when
     * that is not known; `guessed` of `ret` where it is an estimate, and `repeated` as far as it knows. Allocates only
     * for a prompt longer than any before it. Returns -1 without memory, or when the corpus is broken. */
    int (*next)(void *source, const struct source_ask *a, struct dialect_request *ret, uint32_t *ret_input);
    void (*close)(void *source); /* accepts NULL */
};
