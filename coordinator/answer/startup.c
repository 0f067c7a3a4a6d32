#include "coordinator/answer/startup.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/human.h"
#include "coordinator/answer/mser.h"
#include "coordinator/answer/numeric.h"

#define EDGE 0.25     /* a row that reaches over the window's edge by less than this (s) still belongs to it */
#define ROWS_LEAST 5  /* fewer say nothing of how rows vary */
#define LOW 0.9       /* of the rest's mean: a row above it is not slow */
#define CHANCE 0.0005 /* that a row like the rest falls so low */
#define ANSWERS 2     /* times the time of an answer, in which any load builds up */

struct rows {
    size_t n;
    double *rate;
    size_t *at;
};

/* Tokens, or, of an API without, answers. */
static double came(const struct stage_data *s, const struct series_row *r)
{
    return s->counters[COUNTER_EVENTS] ? r->tokens : r->done;
}

static bool rows_make(const struct stage_data *s, double from_s, double to_s, struct rows *ret)
{
    *ret = (struct rows){.rate = calloc(s->n_series + 1, sizeof *ret->rate),
                         .at = calloc(s->n_series + 1, sizeof *ret->at)};
    if (!ret->rate || !ret->at) return false;
    for (size_t i = 0; i < s->n_series; i++) {
        const struct series_row *r = &s->series[i];
        if (r->agent >= 0 || r->span_s < EDGE || r->t_s < from_s - EDGE || r->t_s + r->span_s > to_s + EDGE) continue;
        ret->rate[ret->n] = came(s, r) / r->span_s;
        ret->at[ret->n++] = i;
    }
    return true;
}

static void rows_clear(struct rows *r)
{
    free(r->rate);
    free(r->at);
}

/* Rows at the beginning that are clearly below the second half. */
static size_t low_rows(const struct rows *r, double *ret_usual)
{
    size_t half = r->n / 2, rest = r->n - half, low = 0;
    double dn = (double)rest, usual = mean_of(r->rate + half, rest), sd = sd_of(r->rate + half, rest);
    double below = fmin(LOW * usual, usual - t_quantile(1 - CHANCE, dn - 1) * sd * sqrt(1 + 1 / dn));
    while (low < half && r->rate[low] < below)
        low++;
    *ret_usual = usual;
    return low;
}

/* Fewer arrivals bring fewer tokens: that is the load, not the server. */
static bool fewer_came(const struct stage_data *s, const struct rows *r, size_t low)
{
    double due[2] = {0}, span[2] = {0};
    for (size_t i = 0; i < r->n; i++) {
        if (i >= low && i < r->n / 2) continue;
        due[i >= low] += s->series[r->at[i]].due;
        span[i >= low] += s->series[r->at[i]].span_s;
    }
    return s->plan.kind == LOAD_OPEN && due[0] / span[0] < LOW * due[1] / span[1];
}

/* Loads that change, and those whose requests beget others, build up by themselves. */
static bool builds_up(const struct stage_data *s, const struct plan *plan)
{
    bool open = s->plan.kind == LOAD_OPEN;
    return s->plan.requests || plan_stage_is_ramp(&s->plan) || plan_has_trees(plan) ||
           (open && (s->plan.arrivals == ARRIVALS_RECORDED || plan_has_sessions(plan)));
}

static void say(const struct stage_data *s, double until_s, double share, double lack, double window_s,
                struct verdict *v)
{
    char n[4][HUMAN_MAX], longer[128] = "";
    if (s->plan.warmup_auto && window_s < MSER5_LEAST)
        (void)snprintf(longer, sizeof longer, ", or its window %d s, which warmup: auto needs to find it", MSER5_LEAST);
    verdict_doubt(v, DOUBT_STARTUP, VERDICT_SUSPECT,
                  "the start-up is in the window: until second %s throughput was %s of what it was later, and the "
                  "window's mean is too low by %s. Make load.warmup at least %s s%s",
                  human_number(until_s, n[0]), human_percent(share, n[1]), human_percent(lack, n[2]),
                  human_number(ceil(until_s - EDGE), n[3]), longer);
}

int startup_tell(const struct stage_data *s, const struct plan *plan, double from_s, double to_s,
                 enum steady *io_steady, struct verdict *v)
{
    struct rows r;
    double usual = 0, all = 0, slow = 0, span = 0, slow_span = 0;
    size_t low = 0;
    const struct hist *e2e = s->hist[METRIC_E2E];
    if (builds_up(s, plan) || !e2e || !e2e->count) return 0;
    bool made = rows_make(s, from_s, to_s, &r);
    if (made && r.n >= ROWS_LEAST) low = low_rows(&r, &usual);
    for (size_t i = 0; low && i < r.n; i++) {
        const struct series_row *row = &s->series[r.at[i]];
        double in = row->t_s + row->span_s - fmax(row->t_s, from_s); /* the warm-up's part does not count */
        all += r.rate[i] * in;
        span += in;
        if (i >= low) continue;
        slow += r.rate[i] * in;
        slow_span += in;
    }
    if (low && !fewer_came(s, &r, low)) {
        const struct series_row *last = &s->series[r.at[low - 1]];
        double lack = 1 - all / span / usual, lost_s = slow_span - slow / usual;
        if (lack > plan->verdict_achieved && lost_s > ANSWERS * hist_mean(e2e) / 1e9) {
            *io_steady = STEADY_NO;
            say(s, last->t_s + last->span_s, slow / slow_span / usual, lack, to_s - from_s, v);
        }
    }
    rows_clear(&r);
    return made ? 0 : -1;
}
