/* One attempt at one stage: which agents take part with which shard, what they have sent, how it ended. Pure. */
#pragma once
#include "coordinator/data.h"
#include "coordinator/run/merge.h"
#include "coordinator/run/registry.h"

/* What is to be run next: a load of the plan (or of a search), and which repeat it is. */
struct run_step {
    uint32_t stage, repeat;
    struct plan_stage load;
    uint64_t before; /* of struct shard */
};

#define ATTEMPT_MANY 1000u /* beyond so many agents a word to each is half of what a snapshot costs */

struct attempt_part {
    struct agent *agent; /* borrowed from the registry */
    struct shard shard;
    bool done, lost;
    char http[16]; /* of READY, as the two below */
    uint32_t streams, connections;
    int64_t start_skew_ns;
};

struct attempt {
    struct run_step step;
    uint32_t epoch, tries; /* tries: earlier attempts at it */
    struct attempt_part *part;
    size_t n;
    struct merge *merge;
    int64_t t0_ns; /* our clock; 0 = not begun */
    bool aborted, degraded;
    size_t laggard;     /* a part that was not as far as the others */
    uint32_t ack_every; /* snapshots of an agent are acknowledged at these numbers */
    bool overfull;      /* more requests were in flight than the plan allows; reported once */
};

/* Splits the load over the agents by weight. An agent whose share is zero takes no part. Marks the agents' `part`.
 */
ERR_CHECKED struct attempt *attempt_new(const struct plan *plan, const struct run_step *step, uint32_t epoch,
                                        uint32_t tries, struct agent *const *agents, size_t n, struct err *e);
void attempt_destroy(struct attempt **t); /* also unmarks the agents */
struct attempt_part *attempt_part_of(const struct attempt *t,
                                     const struct agent *a);   /* NULL: takes no part, or is lost */
bool attempt_has_come(struct attempt *t, enum agent_state to); /* every living part is as far as this state */
uint64_t attempt_most(const struct attempt *t); /* requests in flight that the plan allows; 0 = no limit */
int64_t attempt_delay(const struct attempt *t); /* the longest of its agents' clock exchanges */
/* Of READY: streams a connection (0 = no limit), connections, version of HTTP ("" = not known). */
void attempt_terms(const struct attempt *t, uint32_t *ret_streams, uint64_t *ret_connections, const char **ret_http);
void attempt_lose(struct attempt *t, struct attempt_part *p); /* its open requests become lost; idempotent */
/* Merges and names what is known of the agents. The stage is empty afterwards. Parts that are not done count as lost.
 */
ERR_CHECKED int attempt_finish(struct attempt *t, int64_t wall_minus_mono, struct stage_data *ret, struct err *e);
