#include "coordinator/answer/look_twice.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "coordinator/answer/load_axis.h"

#define APART_RATE 1.2 /* times: throughput of two runs whose intervals are apart … */
#define APART_TIME 1.5 /* … and a time's median, … */
#define APART_LENGTH 1.25
#define CLEAR 0.5       /* of the half widths of two intervals */
#define APART_UNKNOWN 2 /* … and either where a run was too short for an interval */

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

/* Value and interval; false: this point has none that counts. */
static bool figure_of(const struct point *p, enum apart_figure f, double *ret, double *ret_lo, double *ret_hi)
{
    const struct metric_stat *s = &p->metric[f == APART_E2E ? METRIC_E2E : METRIC_TTFT];
    bool rate = f == APART_THROUGHPUT;
    if (rate ? !load_carries(p) : !load_usable(p) && !load_tokenless(p)) return false;
    *ret = rate ? p->output_tokens_per_s : s->q[0];
    *ret_lo = rate ? p->output_lo : s->q_lo[0];
    *ret_hi = rate ? p->output_hi : s->q_hi[0];
    return *ret > 0;
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
    bool known = !isnan(low_hi) && !isnan(high_lo);
    double far = !known ? APART_UNKNOWN : f == APART_THROUGHPUT ? APART_RATE : APART_TIME;
    double times = ret->high_value / ret->low_value;
    return times >= far && !(known && high_lo <= low_hi) ? times : 0;
}

static bool seen_before(const struct point *points, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (load_same(&points[k].requested, &points[i].requested)) return true;
    return false;
}

static void apart_compute(const struct run_data *run, const struct point *points, size_t n, struct runs_apart *ret)
{
    double widest = 0;
    uint32_t loads = 0;
    for (size_t i = 0; i < n; i++) {
        struct runs_apart one;
        double times = 0;
        if (seen_before(points, i)) continue;
        for (int f = 0; f < APART_FIGURES && !(times > 0); f++)
            times = load_apart(points, n, i, (enum apart_figure)f, &one);
        loads += times > 0;
        if (times <= widest) continue;
        widest = times;
        *ret = one;
    }
    if (!(widest > 0)) return;
    ret->resumed = look_twice_resumed(run, ret->low, ret->high);
    ret->more = loads - 1;
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
