/* One attempt at one stage: which agents take part with which shard, what they have sent, how it ended. Pure. */
#pragma once
#include "coordinator/data.h"
#include "coordinator/run/merge.h"
#include "coordinator/run/registry.h"

/* What is to be run next: a load of the plan (or of a search), and which repeat it is. */
struct run_step {
    uint32_t stage, repeat;
    struct plan_stage load;
};

struct stage_part {
    struct agent *agent; /* borrowed from the registry */
    struct shard shard;
    bool done, lost;
    int64_t start_skew_ns;
};

struct stage {
    struct run_step step;
    uint32_t epoch, attempt; /* attempt: 0 first */
    struct stage_part *part;
    size_t n;
    struct merge *merge;
    int64_t t0_ns; /* our clock; 0 = not begun */
    bool aborted, degraded;
    size_t behind; /* a part that was not as far as the others */
    bool overfull; /* more requests were in flight than the plan allows; reported once */
};

/* Splits the load over the agents by weight. An agent whose share is zero takes no part. Marks the agents' `part`.
 */
ERR_CHECKED struct stage *stage_new(const struct plan *plan, const struct run_step *step, uint32_t epoch,
                                    uint32_t attempt, struct agent *const *agents, size_t n, struct err *e);
void stage_destroy(struct stage **s);                                           /* also unmarks the agents */
struct stage_part *stage_part_of(const struct stage *s, const struct agent *a); /* NULL: takes no part, or is lost */
bool stage_has_come(struct stage *s, enum agent_state to); /* every living part is as far as this state */
uint64_t stage_most(const struct stage *s);                /* requests in flight that the plan allows; 0 = no limit */
void stage_lose(struct stage *s, struct stage_part *p);    /* its open requests become lost; idempotent */
/* Merges and names what is known of the agents. The stage is empty afterwards. Parts that are not done count as lost.
 */
ERR_CHECKED int stage_finish(struct stage *s, int64_t wall_minus_mono, struct stage_data *ret, struct err *e);
