/* A session tree while it is read: requests of agents with the times at which they began and ended, and where
 * sub-agents were started and waited for. What waits for what is worked out from that:
 *
 * - Within an agent a request waits for those that had ended when it began, unless another one waits for them already.
 *   One that began while its forerunner ran is a parallel branch: it waits for what that one waited for.
 * - A sub-agent's first request waits for the request after which it was started.
 * - The request after a join waits for the last ones of the joined sub-agents too.
 *
 * Pure. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "common/plan/plan.h"
#include "coordinator/corpus/draft.h"

#define TREE_THREADS_MAX 8192u
#define TREE_NONE UINT32_MAX
#define TREE_MODELS_MAX 64u

/* A request as it was recorded. */
struct tree_request {
    double start_s, end_s;  /* from any origin; end NaN: not known */
    double think_s;         /* recorded wait before it; NaN: none */
    double input, output;   /* tokens */
    uint32_t ids_at, n_ids; /* of the draft's blocks */
    uint32_t thread, model;
    uint32_t join_at, n_joins; /* sub-agents that it waits for, of tree_draft.joins */
};

struct tree_draft {
    struct tree_request *request; /* those that others wait for come before them */
    uint32_t n, room;
    uint32_t *parent; /* of each thread: the request after which it was started, TREE_NONE: with the tree */
    uint32_t n_threads, threads_room;
    uint32_t *joins;
    uint32_t n_joins, joins_room;
    uint64_t models[TREE_MODELS_MAX]; /* fingerprints of their names, in the order in which they came */
    uint32_t n_models;
    uint32_t minted; /* block ids that tree_draft_prompt made up */
    /* made by tree_draft_finish */
    struct tree_node_data *node;
    uint32_t *after;
    uint32_t n_after, after_room;
    uint32_t *spare;  /* scratch, one for each request */
    uint8_t *covered; /* a later request of its agent, or of one that joined it, waits for it */
    uint32_t zero;    /* requests without an answer or a prompt */
};

/* The draft's own, empty; NULL: no memory. */
struct tree_draft *tree_draft_of(struct draft *d);
void tree_draft_clear(struct tree_draft *t);
/* A new agent, started after that request; its number, TREE_NONE without room. */
uint32_t tree_draft_thread(struct tree_draft *t, uint32_t parent);
/* NULL without room. Valid until the next. */
struct tree_request *tree_draft_add(struct tree_draft *t);
bool tree_draft_join(struct tree_draft *t, struct tree_request *r, uint32_t thread);
/* The number of a model, by its name. */
uint32_t tree_draft_model(struct tree_draft *t, const char *name, size_t n);
/* A prompt without recorded ids: as many blocks as are full of r->input tokens. Those that lie within the first `same`
 * tokens are the ones of request `before` (TREE_NONE: none), the others are new. False: `d` is broken. */
bool tree_draft_prompt(struct tree_draft *t, struct draft *d, struct tree_request *r, uint32_t before, double same,
                       uint32_t block_tokens);
/* Works out what waits for what and how long, leaves out or raises lengths of 0, and writes the tree and its blocks
 * into the draft's record. `floor`: a last block that is not full has no id (else it has one). block_tokens 0: ids are
 * numbers of the draft's messages. */
enum draft_result tree_draft_finish(struct tree_draft *t, const struct plan_data *p, uint32_t block_tokens, bool floor,
                                    uint64_t scope, struct draft *d);
