/* Results of a mix by workload and by model. A plan of several workloads has a group for each of them, one of several
 * models a group for each model; a request that was sent belongs to one of each kind. The groups of a kind together are
 * the whole, count for count and bucket by bucket. Adding up loses nothing. At most GROUPS_OF_A_KIND; all others share
 * one more, GROUP_OTHERS. Pure. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/counter.h"
#include "common/err.h"
#include "common/hist.h"
#include "common/metric.h"
#include "common/unpack.h"

#define GROUPS_OF_A_KIND 64u
#define GROUP_OTHERS GROUPS_OF_A_KIND /* the number of the group that all beyond share */

enum group_kind { GROUP_WORKLOAD, GROUP_MODEL, GROUP_KIND_N };
const char *group_kind_name(enum group_kind k);

enum group_count {
#define COUNT(id) GROUP_COUNT_##id,
#include "common/group.def"
#undef COUNT
    GROUP_COUNT_N
};
enum group_metric {
#define METRIC(id) GROUP_METRIC_##id,
#include "common/group.def"
#undef METRIC
    GROUP_METRIC_N
};
extern const enum counter GROUP_COUNTERS[GROUP_COUNT_N];
extern const enum metric GROUP_METRICS[GROUP_METRIC_N];

struct mix_group {
    enum group_kind kind;
    uint32_t number; /* in the plan, from 0 */
    uint64_t counters[GROUP_COUNT_N];
    struct hist *hist[GROUP_METRIC_N]; /* NULL: empty */
};
struct groups {
    struct mix_group *row; /* owned; ascending by kind and number */
    uint32_t n, room;
};

/* For recorders: exactly the groups of a plan with so many workloads and models, with all buckets, so that nothing is
 * allocated later. -1 without memory. */
int groups_reserve(struct groups *g, uint32_t workloads, uint32_t models);
/* NULL: there is none. A number from GROUPS_OF_A_KIND on is that of the others. */
struct mix_group *groups_find(const struct groups *g, enum group_kind kind, uint32_t number);
/* … made where there is none; NULL without memory. */
struct mix_group *groups_at(struct groups *g, enum group_kind kind, uint32_t number);
void groups_count(struct mix_group *g, enum counter c, uint64_t n);
void groups_sample(struct mix_group *g, enum metric m, int64_t value, uint64_t n); /* of a recorder's group */
int groups_add(struct groups *to, const struct groups *from);                      /* -1 without memory */
void groups_reset(struct groups *g);                                               /* empties, keeps memory */
void groups_clear(struct groups *g);

/* msgpack of a snapshot: [kind, number, [counters], [metric, bytes …], kind …]; groups without a count are left out. */
int groups_encode(const struct groups *g, struct buf *out);
/* Hostile bytes: bounded, validated; adds to `ret`. With ret NULL: past them. */
ERR_CHECKED int groups_decode(struct unpack *u, struct groups *ret, struct err *e);
