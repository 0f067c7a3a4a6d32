#include "coordinator/answer/cache_hits.h"

#include <math.h>
#include <stdio.h>

#include "common/human.h"
#include "coordinator/answer/reuse.h"

#define LITTLE 0.5 /* of what is possible */
#define WORTH 0.05 /* possible from which on it matters how much of it is found */
#define MORE 0.1   /* beyond what is possible, by the metrics page */

void cache_hits_compute(const struct plan *plan, const struct point *points, size_t n, struct cache_hits *ret)
{
    uint64_t c[COUNTER_N] = {0};
    double hits = 0, queries = 0;
    *ret = (struct cache_hits){.possible = NAN, .usage = NAN, .page = NAN};
    if (!plan) return;
    for (size_t i = 0; i < n; i++) {
        const struct server_stage *w = &points[i].server.window;
        if (!points[i].data || points[i].data->uncounted[COUNTER_REPEATED_TOKENS]) continue;
        counters_add(c, points[i].data->counters);
        if (!points[i].server.any || !(w->prefix_queries > 0) || isnan(w->prefix_hit_rate)) continue;
        hits += w->prefix_hit_rate * w->prefix_queries;
        queries += w->prefix_queries;
    }
    *ret = (struct cache_hits){.possible = reuse_possible(c, plan),
                               .usage = reuse_measured(c),
                               .page = queries > 0 ? hits / queries : (double)NAN,
                               .exact = reuse_is_exact(c, plan),
                               .least = reuse_is_least(plan)};
}

const char *cache_hits_words(const struct cache_hits *h, char ret[static CACHE_HITS_WORDS])
{
    char part[HUMAN_MAX], usage[HUMAN_MAX], page[HUMAN_MAX];
    bool by_usage = !isnan(h->usage), by_page = !isnan(h->page);
    double measured = by_usage ? h->usage : h->page;
    ret[0] = '\0';
    if (!(h->possible > 0)) return ret;
    int n = snprintf(ret, CACHE_HITS_WORDS,
                     "Prompts repeat %s%s of their input tokens (what one prefix cache without a limit could answer); ",
                     h->least ? "at least " : "", human_percent(h->possible, part));
    char *at = ret + n;
    size_t size = CACHE_HITS_WORDS - (size_t)n;
    (void)human_percent(h->usage, usage);
    (void)human_percent(h->page, page);
    if (by_usage)
        n = snprintf(at, size, "the server's usage says %s came from its cache%s%s. ", usage,
                     by_page ? ", its metrics page " : "", by_page ? page : "");
    else if (by_page)
        n = snprintf(at, size, "the server's metrics page says %s came from its cache, its usage names none. ", page);
    else
        n = snprintf(at, size, "the server reports no cached tokens. ");
    if (h->possible >= WORTH && measured < LITTLE * h->possible)
        (void)snprintf(at + n, size - (size_t)n,
                       "That is less than half of it: the cache is off, or too small for these prompts, or each of "
                       "several servers has its own. ");
    else if (!by_usage && h->exact && measured > h->possible + MORE)
        (void)snprintf(at + n, size - (size_t)n,
                       "That is more: prompts of an earlier run were still in it, or others ask the server too. ");
    return ret;
}
