#include "coordinator/answer/stalls.h"

#include <math.h>

#define LEAST_NS INT64_C(1000000000)
#define LEAST_TIMES 10 /* the median gap */
#define LEAST_GAPS 3
#define LEAST_SHARE 0.01 /* of the answers */
#define AT_ONCE 0.5      /* of the streams */
#define AT_ONCE_S 2
#define AT_ONCE_TIMES 3 /* as many as such a time has on average */
#define BLOCKS 64       /* with stalls, that are looked at for those at once */

static uint64_t above(const struct hist *h, int64_t least)
{
    return h && h->count ? h->count - hist_count_at_most(h, least - 1) : 0;
}

/* Did half of the streams have theirs within two seconds? */
static bool at_once(const struct point *p, int64_t least, double all)
{
    double t[BLOCKS], gaps[BLOCKS];
    size_t n = 0;
    for (size_t i = 0; i < p->data->n_blocks && n < BLOCKS; i++) {
        uint64_t found = above(p->data->blocks[i].chunk_gap, least);
        if (!found) continue;
        t[n] = p->data->blocks[i].t_s;
        gaps[n++] = (double)found;
    }
    for (size_t i = 0; i < n; i++) {
        double together = 0;
        for (size_t k = 0; k < n; k++)
            if (t[k] >= t[i] && t[k] < t[i] + AT_ONCE_S) together += gaps[k];
        if (together < AT_ONCE_TIMES * all * AT_ONCE_S / p->window_s) continue; /* so it is at any time */
        if (together >= LEAST_GAPS && together >= AT_ONCE * p->concurrency) return true;
    }
    return false;
}

static bool stalls_of(const struct point *p, struct stalls *ret)
{
    const struct hist *h = p->hist ? p->hist[METRIC_CHUNK_GAP] : NULL;
    *ret = (struct stalls){.at = p, .p99_ms = NAN};
    if (!h || !h->count || !p->data || p->verdict.status == VERDICT_INVALID || p->still || !p->window_ok) return false;
    int64_t usual = hist_quantile(h, 0.5), least = usual > LEAST_NS / LEAST_TIMES ? LEAST_TIMES * usual : LEAST_NS;
    ret->gaps = above(h, least);
    if (ret->gaps < LEAST_GAPS || p->metric[METRIC_LAG].max * 1e6 > (double)h->max / 2) return false;
    ret->answers = p->window_ok;
    ret->least_s = (double)least / 1e9;
    ret->longest_s = (double)h->max / 1e9;
    ret->usual_ms = (double)usual / 1e6;
    ret->p99_ms = p->metric[METRIC_CHUNK_GAP].q[3];
    ret->hidden = ret->p99_ms < 1e3 * ret->least_s;
    ret->at_once = at_once(p, least, (double)ret->gaps);
    return ret->at_once || (double)ret->gaps >= LEAST_SHARE * (double)ret->answers;
}

static double per_answer(const struct stalls *s)
{
    return (double)s->gaps / (double)s->answers;
}

void stalls_compute(const struct point *points, size_t n, struct stalls *ret)
{
    uint32_t found = 0;
    *ret = (struct stalls){0};
    for (size_t i = 0; i < n; i++) {
        struct stalls one;
        if (!stalls_of(&points[i], &one)) continue;
        if (found++ == 0 || per_answer(&one) > per_answer(ret)) *ret = one;
    }
    ret->more = found ? found - 1 : 0;
}
