/* A mix taken apart: the figures of one workload, or of one model, at a point. They are made as the point's own are, of
 * the requests of that group alone; what `warmup: auto` cuts from the window's beginning is still in them, since groups
 * have no time axis. Pure. */
#pragma once
#include "coordinator/answer/point.h"

struct mix_part {
    enum group_kind kind;
    const char *name;            /* borrowed from the plan; "others": all beyond the first GROUPS_OF_A_KIND */
    uint64_t ok, failed, closed; /* requests due in the window that were sent: ended ok, failed, cancelled or aborted */
    double share;                /* of those that ended ok */
    double requests_per_s, output_tokens_per_s, input_tokens_per_s, goodput_per_s;
    double error_rate; /* failed / (ok + failed); NaN when none ended */
    uint64_t tokens, cached_tokens;
    uint64_t counters[GROUP_COUNT_N]; /* of the whole stage */
    struct metric_stat metric[GROUP_METRIC_N];
};

size_t mix_parts(const struct point *p); /* how many; 0: the plan mixes nothing */
/* Part i, by kind and in the plan's order; false when the plan has no such workload or model. */
bool mix_part(const struct point *p, const struct plan *plan, size_t i, struct mix_part *ret);
/* The whole point in the same form, to stand beside its parts; its name is "". */
void mix_whole(const struct point *p, struct mix_part *ret);
