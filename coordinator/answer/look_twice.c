#include "coordinator/answer/look_twice.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "coordinator/answer/load_axis.h"

#define APART_RATE 1.25 /* times: throughput of two runs whose intervals are apart … */
#define APART_TIME 2    /* … and a time's median, which the chance of arrivals moves near a server's limit */
#define APART_CHANCE 2  /* standard errors, of requests whose tokens differ as much as they are */
#define APART_LENGTH 1.25
#define APART_UNLIKE 1.1 /* of two runs that are apart */
#define CLEAR 0.5        /* of the half widths of two intervals */

const char *look_twice_figure(enum apart_figure f)
{
    static const char *const NAMES[] = {"output token/s", "ms e2e p50", "ms TTFT p50"};
    return NAMES[f];
}

const char *look_twice_stage(const struct point *p, bool repeat, char ret[static LOOK_TWICE_STAGE])
{
    (void)snprintf(ret, LOOK_TWICE_STAGE, repeat ? "%" PRIu32 ".%" PRIu32 : "%" PRIu32, p->stage + 1, p->repeat + 1);
    return ret;
}

/* How often the run had been resumed when this stage began. */
static uint32_t resumed_before(const struct run_data *run, const struct point *p)
{
    uint32_t n = 0;
    for (size_t i = 0; run && p->data && i < run->n_events; i++)
        n += run->events[i].kind == RUN_EVENT_RESUMED && run->events[i].wall_ns <= p->data->started_wall_ns;
    return n;
}

bool look_twice_resumed(const struct run_data *run, const struct point *a, const struct point *b)
{
    return resumed_before(run, a) != resumed_before(run, b);
}

/* Value and interval; false: this point has none that counts. A window that is too short for an interval of its
 * throughput has that of the number of its requests. */
static bool figure_of(const struct point *p, enum apart_figure f, double *ret, double *ret_lo, double *ret_hi)
{
    const struct metric_stat *s = &p->metric[f == APART_E2E ? METRIC_E2E : METRIC_TTFT];
    bool rate = f == APART_THROUGHPUT;
    if (rate ? !load_carries(p) : !load_usable(p) && !load_tokenless(p)) return false;
    *ret = rate ? p->output_tokens_per_s : s->q[0];
    *ret_lo = rate ? p->output_lo : s->q_lo[0];
    *ret_hi = rate ? p->output_hi : s->q_hi[0];
    if (rate && (isnan(*ret_lo) || isnan(*ret_hi))) {
        double half = APART_CHANCE * *ret / sqrt(fmax(1, (double)p->window_ok));
        *ret_lo = *ret - half;
        *ret_hi = *ret + half;
    }
    return *ret > 0;
}

/* In an open loop throughput is what the arrivals ask for: that there were more of them is no matter. */
static double more_asked(const struct point *high, const struct point *low)
{
    bool open = high->requested.kind == LOAD_OPEN && high->arrivals_per_s > 0 && low->arrivals_per_s > 0;
    return open ? fmax(1, high->arrivals_per_s / low->arrivals_per_s) : 1;
}

/* How many times as much the highest run has as the lowest, where they are apart; 0: they are not. */
static double load_apart(const struct point *points, size_t n, size_t first, enum apart_figure f,
                         struct runs_apart *ret)
{
    double low_hi = NAN, high_lo = NAN, v, lo, hi;
    *ret = (struct runs_apart){.figure = f};
    for (size_t i = first; i < n; i++) {
        if (!load_same(&points[i].requested, &points[first].requested) || !figure_of(&points[i], f, &v, &lo, &hi))
            continue;
        if (!ret->low || v < ret->low_value) ret->low = &points[i], ret->low_value = v, low_hi = hi;
        if (!ret->high || v > ret->high_value) ret->high = &points[i], ret->high_value = v, high_lo = lo;
    }
    if (!ret->low || ret->low == ret->high) return 0;
    bool rate = f == APART_THROUGHPUT;
    double times = ret->high_value / ret->low_value, asked = rate ? more_asked(ret->high, ret->low) : 1;
    bool apart = high_lo / asked > low_hi; /* not where one is unknown */
    return apart && times / asked >= (rate ? APART_RATE : APART_TIME) ? times : 0;
}

bool look_twice_apart(const struct point *points, size_t n, size_t first, enum apart_figure f)
{
    struct runs_apart one;
    return load_apart(points, n, first, f, &one) > 0;
}

const struct point *look_twice_first(const struct runs_apart *r)
{
    const struct stage_data *low = r->low->data, *high = r->high->data;
    bool low_first = low && high ? low->started_wall_ns < high->started_wall_ns : r->low < r->high;
    return low_first ? r->low : r->high;
}

/* By so much that it may be why they are apart. */
static bool is_unlike(const struct point *a, const struct point *b, enum metric m)
{
    const struct metric_stat *low = &a->metric[m], *high = &b->metric[m];
    if (low->mean > high->mean) low = &b->metric[m], high = &a->metric[m];
    return low->mean > 0 && high->mean >= APART_UNLIKE * low->mean && high->mean_lo > low->mean_hi;
}

static void apart_compute(const struct run_data *run, const struct point *points, size_t n, struct runs_apart *ret)
{
    double widest = 0;
    uint32_t loads = 0;
    for (int f = 0; f < APART_FIGURES && loads == 0; f++)
        for (size_t i = 0; i < n; i++) {
            struct runs_apart one;
            double times = load_seen_before(points, i) ? 0 : load_apart(points, n, i, (enum apart_figure)f, &one);
            loads += times > 0;
            if (times <= widest) continue;
            widest = times;
            *ret = one;
        }
    if (!ret->low) return;
    ret->resumed = look_twice_resumed(run, ret->low, ret->high);
    ret->ours = ret->low->verdict.status != VERDICT_VALID || ret->high->verdict.status != VERDICT_VALID;
    ret->more = loads - 1;
    static const enum metric LENGTHS[] = {METRIC_OUTPUT_TOKENS, METRIC_INPUT_TOKENS};
    for (int i = 0; i < 2 && !ret->unlike; i++)
        if (is_unlike(ret->low, ret->high, LENGTHS[i])) ret->unlike = LENGTHS[i];
}

/* Of many loads the highest and the lowest are apart by chance alone, so their intervals must be clear of each other.
 */
static void lengths_apart(const struct point *points, size_t n, struct lengths_apart *ret)
{
    const struct metric_stat *low = NULL, *high = NULL;
    struct lengths_apart found = {0};
    for (size_t i = 0; i < n; i++) {
        const struct metric_stat *s = &points[i].metric[METRIC_OUTPUT_TOKENS];
        if (!load_carries(&points[i]) || !(s->mean > 0) || isnan(s->mean_lo) || isnan(s->mean_hi)) continue;
        if (!low || s->mean < low->mean) low = s, found.low = &points[i];
        if (!high || s->mean > high->mean) high = s, found.high = &points[i];
    }
    if (!low || load_same(&found.low->requested, &found.high->requested)) return;
    double clear = CLEAR * (high->mean_hi - high->mean_lo + low->mean_hi - low->mean_lo) / 2;
    if (high->mean < APART_LENGTH * low->mean || high->mean_lo - low->mean_hi <= clear) return;
    found.low_value = low->mean;
    found.high_value = high->mean;
    *ret = found;
}

static void interrupted_compute(const struct run_data *run, const struct point *points, size_t n,
                                struct interrupted *ret)
{
    const struct point *last = NULL;
    ret->away_s = NAN;
    for (size_t i = 0; i < n; i++) {
        const struct point *p = &points[i];
        if (!p->data || !(load_carries(p) || load_tokenless(p))) continue;
        if (last && look_twice_resumed(run, last, p) && ret->times++ == 0) {
            ret->before = last;
            if (last->data->ended_wall_ns > 0)
                ret->away_s = (double)(p->data->started_wall_ns - last->data->ended_wall_ns) / 1e9;
        }
        last = p;
    }
}

void look_twice_compute(const struct run_data *run, const struct point *points, size_t n, struct look_twice *ret)
{
    *ret = (struct look_twice){0};
    apart_compute(run, points, n, &ret->apart);
    lengths_apart(points, n, &ret->lengths);
    interrupted_compute(run, points, n, &ret->interrupted);
}
