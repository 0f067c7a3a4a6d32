/* A shard: the part of one stage's load that one agent (or one worker of it) carries. Splitting is pure and exact: sums
 * are preserved, and open-loop arrivals interleave so that the union of all parts is the cluster's arrival process.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/plan/plan.h"
#include "common/rng.h"

#define SHARD_CYCLE_MAX 65536u
#define SHARD_WORKERS 1024u /* numbers of an agent's parts: its own x this, and its worker's */

/* How a server counts the words of our prompts (target.lengths: measured), for each of the plan's models. */
#define WORD_COSTS_MAX 16u
struct word_cost {
    double word;   /* tokens of a word; 0: not measured, a word is a token */
    double beside; /* tokens that the template around a prompt adds */
};
struct word_costs {
    struct word_cost of[WORD_COSTS_MAX];
};
bool shard_costs_valid(const struct word_costs *c);
/* How many of a plan's models are measured. */
static inline uint32_t word_costs_n(size_t models)
{
    return models > WORD_COSTS_MAX ? WORD_COSTS_MAX : models > 1 ? (uint32_t)models : 1;
}
/* Of a model by its number; those that were not measured on their own count as the first. */
static inline const struct word_cost *word_costs_find(const struct word_costs *c, uint32_t model)
{
    return &c->of[model < WORD_COSTS_MAX && c->of[model].word > 0 ? model : 0];
}

struct corpus;
struct shard {
    enum load_kind kind;
    uint32_t slots; /* closed: requests to hold in flight; open: maximum in flight, 0 = no cap (a part of a capped stage
                       that gets no slot gets no arrivals) */
    uint32_t slot_first; /* closed: cluster-wide number of its first slot (a ramp starts slot k at ramp · k /
                            slots_all) */
    uint32_t slots_all;  /* the cluster's slots; open: 0 = no cap */
    double rate_from,
        rate_to; /* open: of the CLUSTER; each part walks the cluster's schedule and takes its own arrivals */
    enum arrivals_kind arrivals;
    double burstiness;
    uint64_t seed;          /* of the stage; the same in all parts */
    uint64_t requests_all;  /* count limit of the cluster's stage, 0 = none */
    uint64_t requests;      /* closed: its share of them (0 with requests_all > 0: none) */
    uint64_t request_first; /* closed: cluster-wide number of its first request */
    uint32_t cycle;         /* open: arrival k is ours if turns[] holds k mod cycle */
    uint32_t n_turns;
    uint32_t *turns; /* sorted; owned by the shard */
    int64_t duration_ns, warmup_ns, ramp_ns, drain_ns;
    struct word_costs costs;
    uint64_t
        before; /* requests (of session trees: plays) that earlier stages of the run have sent: see steps of todo.h */
    uint32_t part; /* number of this part: distinguishes seeds of prompts (agent, then worker) */
    const struct corpus
        *recorded; /* recorded arrivals: whose; borrowed, not on the wire, set where the shard is used */
};

/* The whole of a stage, as one shard. */
ERR_CHECKED int shard_whole(const struct plan *p, const struct plan_stage *s, uint64_t stage_seed, struct shard *ret,
                            struct err *e);
/* Splits by integer weights (largest remainder; all > 0) into n parts; ret[i].part = part_base + i (workers:
 * whole->part * SHARD_WORKERS). Works on a whole and on a part again (agent to workers). A part may get nothing: more
 * parts than slots. Arrivals are distributed by smooth weighted round robin over a cycle. The cycle is exact where the
 * weights allow it within SHARD_CYCLE_MAX, else the nearest. On failure nothing is left allocated. */
ERR_CHECKED int shard_split(const struct shard *whole, const uint32_t *weights, uint32_t n, uint32_t part_base,
                            struct shard *ret, struct err *e);
void shard_clear(struct shard *s);
/* Refuses what no shard can be (a shard from the wire is hostile): ranges, turns[] sorted within the cycle, an end,
 * finite rates. */
ERR_CHECKED int shard_check(const struct shard *s, struct err *e);

/* The largest-remainder split of `total` by weights; out[] sums to total exactly. A weight of 0 gets nothing; at least
 * one is > 0. */
void shard_largest_remainder(uint64_t total, const uint32_t *weights, uint32_t n, uint64_t *out);

/* The arrival schedule of a shard: absolute times in ns from T0, this shard's arrivals only, ascending. Pure; seeded by
 * shard->seed. A process of unit rate (constant: 0, 1, 2 …; Poisson, gamma: gaps of mean 1) is stretched by the inverse
 * of the cumulative rate (time rescaling; Brown et al. 2002), so that a ramp has the same arrival statistics as a
 * level. */
struct arrivals {
    const struct shard *shard;
    struct rng rng;
    uint64_t k;        /* next arrival of the cluster */
    uint32_t in_cycle; /* k mod cycle */
    uint32_t at;       /* cursor into turns[] */
    double x;          /* arrival k on the axis of unit rate */
};
void arrivals_init(struct arrivals *a, const struct shard *s);
/* The shard's next arrival: time from T0 in *ret_ns and its cluster-wide number in *ret_k; returns 1, or 0 at the end
 * of the stage (duration or requests_all reached). */
int arrivals_next(struct arrivals *a, int64_t *ret_ns, uint64_t *ret_k);
/* When the cluster's schedule is over, after arrivals_next has returned 0: at the end of the duration, or when the
 * arrival after the last one of the count would come (n at a constant rate r last n / r); of a recording without
 * further rows a mean gap after the last. 0: nobody knows, there are no arrivals. */
int64_t arrivals_over(const struct arrivals *a);
/* The most arrivals of the shard within any `within_ns`; counting ends at `enough`. Walks the whole schedule. */
uint32_t arrivals_peak(const struct shard *s, int64_t within_ns, uint32_t enough);
