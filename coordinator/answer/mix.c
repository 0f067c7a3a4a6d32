#include "coordinator/answer/mix.h"

#include <math.h>
#include <string.h>

size_t mix_parts(const struct point *p)
{
    return p->data ? p->data->groups.n : 0;
}

static const char *name_of(const struct plan *plan, enum group_kind kind, uint32_t number)
{
    bool load = kind == GROUP_WORKLOAD;
    size_t n = load ? plan->n_workloads : plan->target.n_models;
    if (number >= n) return NULL;
    if (number == GROUP_OTHERS) return "others";
    return load ? plan->workloads[number].name : plan->target.models[number].name;
}

/* A request that is in one group of a kind is in no other, so that the sum is that of all. */
static double share_of(const struct point *p, const struct mix_group *g)
{
    const struct groups *all = &p->data->groups;
    uint64_t sum = 0;
    for (uint32_t i = 0; i < all->n; i++)
        if (all->row[i].kind == g->kind) sum += all->row[i].counters[GROUP_COUNT_WIN_OK];
    return sum ? (double)g->counters[GROUP_COUNT_WIN_OK] / (double)sum : (double)NAN;
}

bool mix_part(const struct point *p, const struct plan *plan, size_t i, struct mix_part *ret)
{
    const struct mix_group *g = &p->data->groups.row[i];
    const uint64_t *c = g->counters;
    double w = (double)p->data->counters[COUNTER_MEASURED_NS] / 1e9;
    if (!(w > 0)) w = NAN;
    uint64_t ended = c[GROUP_COUNT_WIN_OK] + c[GROUP_COUNT_WIN_FAILED];
    *ret = (struct mix_part){
        .kind = g->kind,
        .name = name_of(plan, g->kind, g->number),
        .ok = c[GROUP_COUNT_WIN_OK],
        .failed = c[GROUP_COUNT_WIN_FAILED],
        .closed = c[GROUP_COUNT_WIN_CLOSED],
        .share = share_of(p, g),
        .requests_per_s = (double)c[GROUP_COUNT_WIN_DONE] / w,
        .output_tokens_per_s = (double)c[GROUP_COUNT_WIN_TOKENS_MICRO] / 1e6 / w,
        .input_tokens_per_s = (double)c[GROUP_COUNT_WIN_INPUT_TOKENS] / w,
        .goodput_per_s = (double)c[GROUP_COUNT_WIN_GOOD] / w,
        .error_rate = ended ? (double)c[GROUP_COUNT_WIN_FAILED] / (double)ended : (double)NAN,
        .tokens = c[GROUP_COUNT_TOKENS],
        .cached_tokens = c[GROUP_COUNT_CACHED_TOKENS],
    };
    memcpy(ret->counters, c, sizeof ret->counters);
    for (int m = 0; m < GROUP_METRIC_N; m++)
        stat_compute(g->hist[m], GROUP_METRICS[m], &ret->metric[m]);
    return ret->name != NULL;
}

void mix_whole(const struct point *p, struct mix_part *ret)
{
    const uint64_t *c = p->data->counters;
    *ret = (struct mix_part){
        .name = "",
        .ok = p->window_ok,
        .failed = p->window_failed,
        .closed = c[COUNTER_WIN_CLOSED],
        .share = p->window_ok ? 1 : (double)NAN,
        .requests_per_s = p->requests_per_s,
        .output_tokens_per_s = p->output_tokens_per_s,
        .input_tokens_per_s = p->input_tokens_per_s,
        .goodput_per_s = p->goodput_per_s,
        .error_rate = p->error_rate,
        .tokens = c[COUNTER_TOKENS],
        .cached_tokens = c[COUNTER_CACHED_TOKENS],
    };
    for (int i = 0; i < GROUP_COUNT_N; i++)
        ret->counters[i] = c[GROUP_COUNTERS[i]];
    for (int m = 0; m < GROUP_METRIC_N; m++)
        ret->metric[m] = p->metric[GROUP_METRICS[m]];
}
