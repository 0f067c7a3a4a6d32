#include "coordinator/answer/reuse.h"

#include <math.h>
#include <stdio.h>

#include "common/human.h"
#include "common/metric.h"

#define SUSPECT 0.05 /* of the input tokens, beyond what prompts repeat by the plan */
#define CHANCE_SD 3  /* how far the number of different prefixes drawn may be from the one that is expected */

bool reuse_planned(const struct plan_workload *w)
{
    bool azure = w->data.trace == TRACE_AZURE || w->data.trace == TRACE_BURSTGPT; /* their rows have no hash ids */
    return w->prefix_tokens > 0 || w->sessions.on || (w->source == SOURCE_TRACE && !azure);
}

double reuse_possible(const uint64_t c[COUNTER_N], const struct plan *plan)
{
    bool planned = false;
    for (size_t i = 0; i < plan->n_workloads; i++)
        planned |= reuse_planned(&plan->workloads[i]);
    double sent = (double)c[COUNTER_SENT_INPUT_TOKENS];
    return planned && sent > 0 ? (double)c[COUNTER_REPEATED_TOKENS] / sent : (double)NAN;
}

double reuse_measured(const uint64_t c[COUNTER_N])
{
    double cached = (double)c[COUNTER_CACHED_TOKENS], all = (double)c[COUNTER_USAGE_INPUT_TOKENS];
    return cached > 0 && all > 0 ? fmin(1, cached / all) : (double)NAN;
}

bool reuse_is_least(const struct plan *plan)
{
    for (size_t i = 0; i < plan->n_workloads; i++)
        if (plan->workloads[i].source == SOURCE_DATASET) return true; /* its records may begin alike */
    return plan_has_trees(plan) && !plan->workloads[0].data.marker;
}

bool reuse_is_exact(const uint64_t c[COUNTER_N], const struct plan *plan)
{
    return !c[COUNTER_WIN_GUESSED_IN] && !reuse_is_least(plan);
}

/* How much more of the input tokens came from the cache than prompts repeat, beyond what the server adds itself, and
 * chance; NaN: unknown, or possible is not exact. */
static double excess(const uint64_t c[COUNTER_N], const struct plan *plan)
{
    double all = (double)c[COUNTER_USAGE_INPUT_TOKENS], n = (double)c[COUNTER_OK], chance = 0;
    for (size_t i = 0; i < plan->n_workloads; i++) { /* which prefix each request drew is known on average alone */
        const struct plan_workload *w = &plan->workloads[i];
        if (w->prefix_tokens && w->prefix_groups > 1)
            chance += CHANCE_SD * 0.5 * sqrt(fmin(n, w->prefix_groups)) * w->prefix_tokens;
    }
    if (!reuse_is_exact(c, plan)) return NAN;
    return ((double)c[COUNTER_CACHED_AGAIN] - chance) / all - reuse_possible(c, plan);
}

/* Prompts without a shared prefix should be new to the server. What its cache knows of them is from an earlier run, or
 * from a data set whose records begin alike or come again. */
static bool knows_new(const uint64_t c[COUNTER_N], const struct hist *input, double *ret_share)
{
    double n = (double)c[COUNTER_USAGE_REQUESTS], cached = (double)c[COUNTER_CACHED_TOKENS];
    if (!input || !(n > 0)) return false;
    double all = n * hist_mean(input) / METRICS[METRIC_INPUT_TOKENS].scale;
    *ret_share = fmin(1, cached / all);
    return (double)c[COUNTER_CACHED_AGAIN] > SUSPECT * all;
}

const char *reuse_doubt(const uint64_t c[COUNTER_N], const struct hist *input, const struct plan *plan,
                        char ret[static REUSE_WORDS])
{
    char share[HUMAN_MAX], possible[HUMAN_MAX], repeat[HUMAN_MAX + 32] = "";
    bool planned = false, dataset = false, file = false;
    double measured = reuse_measured(c);
    for (size_t i = 0; i < plan->n_workloads; i++) {
        planned |= reuse_planned(&plan->workloads[i]);
        dataset |= plan->workloads[i].source == SOURCE_DATASET;
        file |= workload_reads_file(&plan->workloads[i]);
    }
    if (planned ? !(excess(c, plan) > SUSPECT) : !knows_new(c, input, &measured)) return NULL;
    if (planned)
        (void)snprintf(repeat, sizeof repeat, ", and prompts repeat %s",
                       human_percent(reuse_possible(c, plan), possible));
    (void)snprintf(ret, REUSE_WORDS, "the server answered %s of the input tokens from its prefix cache%s; %s",
                   human_percent(measured, share), repeat,
                   dataset           ? "are the data set's records sent more than once, or do they begin alike?"
                   : file && planned ? "it still knew those of an earlier run? restart it, or empty its cache"
                                     : "prompts of an earlier run with the same seed? use --seed");
    return ret;
}
