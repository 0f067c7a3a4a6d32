/* Runs of earlier builds: what they did not count is not 0, but unknown. Where a figure or a verdict rests on such a
 * number, it is taken as it was taken then, or as what it may be at worst. */
#include "common/hist.h"
#include "coordinator/store/store.h"
#include "coordinator/store/store_db.h"

static int put(struct stage_data *d, enum metric m, uint64_t n)
{
    if (!d->hist[m] && !(d->hist[m] = hist_new())) return -1;
    return hist_record(d->hist[m], 0, n);
}

static uint64_t count(const struct stage_data *d, enum metric m)
{
    return d->hist[m] ? d->hist[m]->count : 0;
}

/* Requests whose age at their end nobody kept: it may have been any. */
static int fill_cut(struct stage_data *d)
{
    uint64_t closed = d->counters[COUNTER_WIN_CLOSED], known = count(d, METRIC_CUT_AGE);
    uint64_t n = closed > known ? closed - known : 0, gone = d->counters[COUNTER_CANCELLED];
    if (!d->uncounted[COUNTER_WIN_CANCELLED_EARLY] || n == 0) return 0;
    if (gone > n) gone = n;
    return put(d, METRIC_CUT_AGE, n) || put(d, METRIC_CUT_WAIT, n) || put(d, METRIC_CANCEL_AGE, gone) ? -1 : 0;
}

/* First tokens are late as often as any. */
static void fill_first(uint64_t c[COUNTER_N], uint64_t answers)
{
    double share = c[COUNTER_EVENTS] ? (double)c[COUNTER_BLURRED] / (double)c[COUNTER_EVENTS] : 0;
    c[COUNTER_BLURRED_FIRST] = (uint64_t)(share * (double)answers + 0.5);
}

int store_fill_old(struct stage_data *d, struct err *e)
{
    if (d->uncounted[COUNTER_BLURRED_FIRST]) {
        fill_first(d->counters, count(d, METRIC_TTFT));
        for (size_t i = 0; i < d->n_agents; i++)
            fill_first(d->agents[i].counters, d->agents[i].counters[COUNTER_WIN_OK]);
    }
    if (d->uncounted[COUNTER_TOKENS_SEEN]) d->counters[COUNTER_TOKENS_SEEN] = d->counters[COUNTER_TOKENS];
    return fill_cut(d) ? err_set(e, ERR_NOMEM, "no memory for a histogram") : 0;
}
