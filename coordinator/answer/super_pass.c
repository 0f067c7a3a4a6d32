#include "coordinator/answer/super_pass.h"

#include <math.h>
#include <string.h>

#include "coordinator/answer/numeric.h"
#include "coordinator/answer/trend.h"

#define RAMP_OFF 0.05
#define TREND_ALPHA 0.05
#define TREND_LEAST 0.05 /* end to end; a smaller one is no drift */
#define LEVEL_OFF 0.05   /* of a later plateau */

_Static_assert(SUPER_PASS_MAX <= TREND_MAX, "a window fits the tests");

struct columns {
    double p50[SUPER_PASS_MAX], p90[SUPER_PASS_MAX];
    size_t n;
};

static double median(const double *x, size_t n)
{
    double copy[SUPER_PASS_MAX];
    memcpy(copy, x, n * sizeof *x);
    return quantile_of(copy, n, 0.5);
}

static double cov_of(const double *x, size_t n)
{
    double m = mean_of(x, n);
    return m > 0 ? sd_of(x, n) / m : (double)INFINITY;
}

static size_t ramp(const struct columns *c)
{
    size_t at = 0, half = c->n / 2;
    double level = median(c->p50 + half, c->n - half);
    while (at < half && fabs(c->p50[at] / level - 1) > RAMP_OFF)
        at++;
    return at;
}

/* 1: rises, -1: falls, 0: neither. */
static int drift(const double *x, size_t n)
{
    struct trend t;
    if (!trend_compute(x, n, &t) || !(t.p < TREND_ALPHA) || !(fabs(t.change) >= TREND_LEAST)) return 0;
    return t.slope > 0 ? 1 : -1;
}

static bool level(const struct columns *c, size_t from, size_t to, double cov)
{
    size_t n = to - from;
    return drift(c->p50 + from, n) == 0 && drift(c->p90 + from, n) == 0 && cov_of(c->p50 + from, n) <= cov &&
           cov_of(c->p90 + from, n) <= cov;
}

/* The number of passes from `begin` on that stay level; 0 when even the minimum does not. */
static size_t grow(const struct columns *c, size_t begin, double cov)
{
    size_t end = begin + SUPER_PASS_LEAST;
    if (end > c->n || !level(c, begin, end, cov)) return 0;
    while (end < c->n && level(c, begin, end + 1, cov))
        end++;
    return end;
}

/* What follows the window is a plateau of another level. */
static bool anomaly(const struct columns *c, const struct super_pass_window *w, double cov)
{
    for (size_t begin = w->end; begin + SUPER_PASS_LEAST <= c->n; begin++) {
        size_t end = grow(c, begin, cov), at;
        if (!end) continue;
        double here = median(c->p50 + w->begin, w->end - w->begin), there = median(c->p50 + begin, end - begin);
        return fabs(there / here - 1) > LEVEL_OFF && trend_jump(c->p50 + w->begin, end - w->begin, &at) < TREND_ALPHA;
    }
    return false;
}

static void keep(const struct super_pass *pass, const struct columns *c, size_t begin, size_t end,
                 struct super_pass_window *ret)
{
    ret->begin = begin;
    ret->end = end;
    ret->seconds = pass[end - 1].end_s - pass[begin].begin_s;
    ret->cov_p50 = cov_of(c->p50 + begin, end - begin);
    ret->cov_p90 = cov_of(c->p90 + begin, end - begin);
}

void super_pass_find(const struct super_pass *pass, size_t n, double least_s, double cov, struct super_pass_window *ret)
{
    struct columns c = {.n = n < SUPER_PASS_MAX ? n : SUPER_PASS_MAX};
    *ret = (struct super_pass_window){.status = SUPER_PASS_TOO_FEW, .verdict = SUPER_PASS_NOT_FOUND};
    if (c.n < SUPER_PASS_LEAST) return;
    for (size_t i = 0; i < c.n; i++) {
        c.p50[i] = pass[i].tpot_p50;
        c.p90[i] = pass[i].tpot_p90;
    }
    ret->cropped = ramp(&c);
    ret->status = SUPER_PASS_TOO_SHORT;
    for (size_t begin = ret->cropped; begin + SUPER_PASS_LEAST <= c.n; begin++) {
        size_t end = grow(&c, begin, cov);
        if (!end || pass[end - 1].end_s - pass[begin].begin_s < least_s) continue;
        keep(pass, &c, begin, end, ret);
        ret->status = SUPER_PASS_WINDOWABLE;
        ret->verdict = anomaly(&c, ret, cov) ? SUPER_PASS_ANOMALY : SUPER_PASS_STEADY;
        return;
    }
    if (c.n - ret->cropped < SUPER_PASS_LEAST) return;
    int d = drift(c.p50 + ret->cropped, c.n - ret->cropped);
    if (d) ret->verdict = d > 0 ? SUPER_PASS_DRIFTING_UP : SUPER_PASS_DRIFTING_DOWN;
}

const char *super_pass_verdict_name(enum super_pass_verdict v)
{
    static const char *const names[] = {"STEADY STATE", "drifting_up", "drifting_down", "anomaly", "not found"};
    return names[v];
}

const char *super_pass_status_name(enum super_pass_status s)
{
    static const char *const names[] = {"windowable", "insufficient_duration", "insufficient_passes"};
    return names[s];
}
