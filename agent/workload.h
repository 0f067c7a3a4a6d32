/* What is asked next: which workload and which model (by weight). The workload's source (source.h) gives the prompt. */
#pragma once
#include <stdint.h>

#include "agent/stream/dialect.h"
#include "common/corpus.h"
#include "common/err.h"
#include "common/plan/plan.h"
#include "common/shard.h"

/* The requests of one worker. The plan, its corpora (one for each workload, NULL where none is needed; the array itself
 * may be NULL) and the shard are borrowed. Prompts depend on the seeds and the part, so that no agent or worker repeats
 * another's. Shared prefixes depend on the plan's seed alone: the whole cluster uses the same, in every stage. */
struct workload;
ERR_CHECKED struct workload *workload_new(const struct plan *p, const struct corpus *const *corpora,
                                          const struct shard *s, struct err *e);
void workload_destroy(struct workload **w);
/* From now on the prompt of a request that is part of no conversation may be words and no text (dialect.h). */
void workload_take_words(struct workload *w);
/* What was chosen for a request. */
struct workload_choice {
    uint32_t input_tokens;    /* asked for in the prompt; 0: not known */
    uint32_t workload, model; /* numbers in the plan */
    uint32_t node;            /* of a session tree: which of its requests … */
    uint32_t shared;          /* … how many of its first blocks an earlier request of the play had … */
    uint64_t play;            /* … and which playing of a tree, in its part */
};
/* Chooses workload and model of the request number `number` of this part (open loop: of the cluster). */
void workload_choose(struct workload *w, uint64_t number, struct workload_choice *ret);
/* The session tree that is played as number `play` of this part; -1: a corpus is broken. */
int workload_tree(const struct workload *w, uint64_t play, struct corpus_record *ret);
/* What its source gives: what `ret` points to lives until the next call. Follows workload_choose of the same number;
 * workload and model of `choice` may be others, those of a conversation. `own`: by which the record of a data set is
 * taken: the number, or that of the conversation. Returns -1 without memory, or when a corpus is broken. */
int workload_ask(struct workload *w, uint64_t number, uint64_t own, struct workload_choice *choice,
                 struct dialect_request *ret);
