#include "coordinator/answer/compare.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/counter.h"
#include "common/human.h"
#include "common/rng.h"
#include "coordinator/answer/load_axis.h"
#include "coordinator/answer/numeric.h"

#define REPLICATES 1000
#define REPEATS_MAX 64
#define SPREAD_LEAST 0.002  /* within-run spread is never trusted to be less than this */
#define SPREAD_UNKNOWN 0.02 /* where a point carries no interval */
#define GRAIN_LEAST 0.0005
#define GRAIN_OF_ONE 0.6   /* standard deviation of a count whose ends fall anywhere: one request more or less */
#define BESIDE_LEAST 0.1   /* a change for the worse that is told beside the verdict */
#define OVERRUN_LEAST 0.02 /* a change of what an overrun server gives */
#define NORMAL_95 1.959963984540054

/* One load under one figure: logarithms of both sides' repeats. */
struct cell {
    double v[2][REPEATS_MAX], mean[2];
    size_t n[2];
    double spread; /* within a run, of the logarithm */
    double grain;  /* of the measurement itself: counts are whole numbers, however alike the repeats are */
    double weight; /* 0: not measured on both sides */
    double share;  /* in the whole */
    bool fed;      /* the figure is the rate of its random arrivals, on both sides */
    bool vague;    /* how much it varies nobody knows: no interval, no repeats */
};

struct pool {
    double *residual; /* in units of the cell's spread */
    size_t n;
    double df;
};

const char *compare_say_name(enum compare_say s)
{
    static const char *const names[] = {"no difference seen", "better", "worse", "nothing to compare"};
    return names[s];
}

static bool comparable(const struct point *p)
{
    return load_usable(p) || load_tokenless(p);
}

/* A rate of requests has no interval of its own: it varies as tokens do. */
static struct reading compared(const struct point *p, enum figure f)
{
    struct reading r = figure_read(p, f);
    double half = (p->output_hi - p->output_lo) / 2 / p->output_tokens_per_s;
    if (isnan(r.lo) && (f == FIGURE_REQUESTS || f == FIGURE_GOODPUT)) {
        r.lo = r.value * (1 - half);
        r.hi = r.value * (1 + half);
    }
    return r;
}

static bool is_rate(enum figure m)
{
    return m == FIGURE_OUTPUT || m == FIGURE_REQUESTS || m == FIGURE_GOODPUT;
}

/* The rate says how much came. */
static bool is_fed(const struct point *p)
{
    return load_by_chance(&p->requested) && load_kept_up(p);
}

/* What a rate varies by though the server does not. */
static double rate_noise(const struct point *p, enum figure m)
{
    return load_noise(p, m == FIGURE_GOODPUT ? p->window_good : p->window_done);
}

static void cell_fill(struct cell *c, const struct plan_stage *load, const struct point *p, size_t n, int side,
                      enum figure m, double *spreads, size_t *n_spreads)
{
    size_t before = *n_spreads;
    for (size_t i = 0; i < n && c->n[side] < REPEATS_MAX; i++) {
        if (!comparable(&p[i]) || !load_same(&p[i].requested, load)) continue;
        struct reading r = compared(&p[i], m);
        if (!(r.value > 0)) continue;
        c->v[side][c->n[side]++] = log(r.value);
        if (is_rate(m)) c->grain = fmax(c->grain, rate_noise(&p[i], m));
        c->fed &= m != FIGURE_GOODPUT && is_rate(m) && is_fed(&p[i]);
        if (r.hi > r.lo) spreads[(*n_spreads)++] = (r.hi - r.lo) / 2 / NORMAL_95 / r.value;
    }
    c->mean[side] = mean_of(c->v[side], c->n[side]);
    c->vague |= !is_rate(m) && *n_spreads == before && c->n[side] < 2;
}

static void cell_make(struct cell *c, const struct plan_stage *load, const struct point *a, size_t n_a,
                      const struct point *b, size_t n_b, enum figure m)
{
    double spreads[2 * REPEATS_MAX];
    size_t n = 0;
    *c = (struct cell){.spread = SPREAD_UNKNOWN, .grain = GRAIN_LEAST, .fed = true};
    cell_fill(c, load, a, n_a, 0, m, spreads, &n);
    cell_fill(c, load, b, n_b, 1, m, spreads, &n);
    if (n) c->spread = fmax(SPREAD_LEAST, quantile_of(spreads, n, 0.5));
    double seen = c->grain * c->grain - c->spread * c->spread; /* by the window's seconds */
    if (is_rate(m)) c->grain = fmax(GRAIN_LEAST, sqrt(fmax(0, seen)));
    double noise = c->spread * c->spread + c->grain * c->grain + COMPARE_RUN_NOISE * COMPARE_RUN_NOISE;
    if (c->n[0] && c->n[1] && !c->vague) c->weight = 1 / noise;
}

static void pool_make(struct pool *p, const struct cell *c, size_t n)
{
    p->n = 0;
    p->df = 0;
    for (size_t i = 0; i < n; i++)
        for (int side = 0; side < 2; side++) {
            size_t k = c[i].n[side];
            if (k < 2) continue;
            for (size_t j = 0; j < k; j++)
                p->residual[p->n++] =
                    (c[i].v[side][j] - c[i].mean[side]) * sqrt((double)k / (double)(k - 1)) / c[i].spread;
            p->df += (double)k - 1;
        }
}

/* Error of a side's mean in one replicate. */
static double noise(const struct cell *c, int side, const struct pool *p, struct rng *r)
{
    double sum = 0;
    for (size_t j = 0; j < c->n[side]; j++)
        sum += p->n ? p->residual[rng_below(r, p->n)] : rng_normal(r);
    return c->spread * sum / (double)c->n[side] + c->grain * rng_normal(r) / sqrt((double)c->n[side]);
}

static enum compare_say say(double rel, double lo, double hi, bool more_is_better)
{
    if (isnan(rel)) return COMPARE_UNKNOWN;
    if ((lo <= 0 && hi >= 0) || fabs(rel) < COMPARE_LEAST) return COMPARE_SAME;
    return (rel > 0) == more_is_better ? COMPARE_BETTER : COMPARE_WORSE;
}

static void change_set(struct change *c, double log_change, double sd, double df, double alpha, enum figure m)
{
    double t = df > 0 ? t_quantile(0.975, df) : NORMAL_95,
           strict = df > 0 ? t_quantile(1 - alpha / 2, df) : norm_quantile(1 - alpha / 2);
    c->rel = expm1(log_change);
    c->lo = expm1(log_change - t * sd);
    c->hi = expm1(log_change + t * sd);
    c->say = say(c->rel, log_change - strict * sd, log_change + strict * sd, FIGURES[m].better == FIGURE_HIGHER);
}

/* The change of a figure that is the rate of arrivals says nothing of the server. */
static void change_fed(struct change *c)
{
    if (c->say != COMPARE_UNKNOWN) c->say = COMPARE_SAME;
}

static void change_none(struct change *c)
{
    *c = (struct change){NAN, NAN, NAN, NAN, NAN, COMPARE_UNKNOWN};
}

/* Scratch of one measure. */
struct work {
    struct cell *cell;
    struct pool pool;
    double *sum, *square; /* by load, over replicates */
};

/* Loads at which a figure is the rate of its arrivals are left out of the whole where there are others. Returns whether
 * there are none. */
static bool shares_set(struct cell *c, size_t n)
{
    double total = 0;
    bool fed = false, other = false;
    for (size_t i = 0; i < n; i++) {
        fed |= c[i].weight > 0 && c[i].fed;
        other |= c[i].weight > 0 && !c[i].fed;
    }
    for (size_t i = 0; i < n; i++)
        total += c[i].share = other && c[i].fed ? 0 : c[i].weight;
    for (size_t i = 0; i < n && total > 0; i++)
        c[i].share /= total;
    return fed && !other;
}

static void measure_loads(const struct work *w, enum figure m, double used, struct comparison *ret)
{
    for (size_t i = 0; i < ret->n_loads; i++) {
        struct change *c = &ret->loads[i].change[m];
        const struct cell *cell = &w->cell[i];
        change_none(c);
        if (cell->n[0]) c->a = exp(cell->mean[0]);
        if (cell->n[1]) c->b = exp(cell->mean[1]);
        if (cell->vague && cell->n[0] && cell->n[1]) c->rel = expm1(cell->mean[1] - cell->mean[0]);
        if (!(cell->weight > 0)) continue;
        double mean = w->sum[i] / REPLICATES;
        change_set(c, cell->mean[1] - cell->mean[0], sqrt(w->square[i] / REPLICATES - mean * mean), w->pool.df,
                   0.05 / used, m);
        if (cell->fed) change_fed(c);
    }
}

static void measure_compare(struct work *w, enum figure m, uint64_t seed, size_t headlines, struct comparison *ret)
{
    double centre = 0, whole_sum = 0, whole_square = 0, used = 0;
    bool fed = shares_set(w->cell, ret->n_loads);
    struct rng r;
    rng_seed(&r, seed);
    pool_make(&w->pool, w->cell, ret->n_loads);
    ret->repeated |= w->pool.n > 0;
    for (size_t i = 0; i < ret->n_loads; i++) {
        w->sum[i] = w->square[i] = 0;
        used += w->cell[i].weight > 0;
        if (w->cell[i].weight > 0) centre += w->cell[i].share * (w->cell[i].mean[1] - w->cell[i].mean[0]);
    }
    for (int k = 0; k < REPLICATES && used > 0; k++) {
        double shared = w->pool.n ? 0 : COMPARE_RUN_NOISE * sqrt(2) * rng_normal(&r), whole = 0;
        for (size_t i = 0; i < ret->n_loads; i++) {
            const struct cell *c = &w->cell[i];
            if (!(c->weight > 0)) continue;
            double d = shared + noise(c, 1, &w->pool, &r) - noise(c, 0, &w->pool, &r);
            w->sum[i] += d;
            w->square[i] += d * d;
            whole += c->share * d;
        }
        whole_sum += whole;
        whole_square += whole * whole;
    }
    measure_loads(w, m, used, ret);
    change_none(&ret->overall[m]);
    if (!(used > 0)) return;
    double mean = whole_sum / REPLICATES;
    change_set(&ret->overall[m], centre, sqrt(whole_square / REPLICATES - mean * mean), w->pool.df,
               0.05 / (double)headlines, m);
    if (fed) change_fed(&ret->overall[m]);
    ret->fed |= fed;
}

static int by_load(const void *a, const void *b)
{
    const struct plan_stage *x = &((const struct compare_load *)a)->requested,
                            *y = &((const struct compare_load *)b)->requested;
    if (x->kind != y->kind) return x->kind < y->kind ? -1 : 1;
    double u = load_asked(x), v = load_asked(y);
    return (u > v) - (u < v);
}

static size_t count_load(const struct plan_stage *load, const struct point *p, size_t n)
{
    size_t k = 0;
    for (size_t i = 0; i < n; i++)
        k += comparable(&p[i]) && load_same(&p[i].requested, load);
    return k;
}

static void doubts_count(const struct point *p, size_t n, const struct comparison *c, struct compare_doubts *ret)
{
    for (size_t i = 0; i < n; i++) {
        bool compared = false;
        for (size_t k = 0; k < c->n_loads; k++)
            compared |= comparable(&p[i]) && load_same(&c->loads[k].requested, &p[i].requested);
        if (!compared || p[i].verdict.status != VERDICT_SUSPECT) continue;
        if (ret->n++ == 0 && p[i].verdict.n_reasons) ret->first = p[i].verdict.reason[0];
    }
}

static void loads_make(const struct point *a, size_t n_a, const struct point *b, size_t n_b, struct comparison *c)
{
    for (size_t i = 0; i < n_a; i++) {
        if (!comparable(&a[i])) {
            c->left_out_a++;
            continue;
        }
        size_t there = count_load(&a[i].requested, b, n_b);
        if (!there) c->only_a++;
        bool known = false;
        for (size_t k = 0; k < c->n_loads; k++)
            known |= load_same(&c->loads[k].requested, &a[i].requested);
        if (known || !there) continue;
        c->loads[c->n_loads++] = (struct compare_load){
            .requested = a[i].requested, .n_a = count_load(&a[i].requested, a, n_a), .n_b = there};
    }
    for (size_t i = 0; i < n_b; i++) {
        c->left_out_b += !comparable(&b[i]);
        c->only_b += comparable(&b[i]) && !count_load(&b[i].requested, a, n_a);
    }
    if (c->n_loads > 1) qsort(c->loads, c->n_loads, sizeof *c->loads, by_load);
    for (size_t i = 0; i < n_a; i++) {
        bool compared = load_seen_before(a, i), there = false;
        for (size_t k = 0; k < c->n_loads; k++)
            compared |= load_same(&c->loads[k].requested, &a[i].requested);
        for (size_t k = 0; k < n_b; k++)
            there |= load_same(&b[k].requested, &a[i].requested);
        c->missing += there && !compared;
    }
    doubts_count(a, n_a, c, &c->doubts_a);
    doubts_count(b, n_b, c, &c->doubts_b);
}

/* Did a run try the load, whatever came of it? */
static bool tried(const struct plan_stage *load, const struct point *p, size_t n)
{
    bool there = false;
    for (size_t i = 0; i < n; i++)
        there |= load_same(&p[i].requested, load);
    return there;
}

/* At the loads that the other run tried too: more fails at a load that only one of them was put under. */
static void failures_count(const struct point *p, size_t n, const struct point *other, size_t n_other,
                           struct compare_failures *ret)
{
    uint64_t by[COUNTER_N] = {0}, most = 0;
    for (size_t i = 0; i < n; i++) {
        if (!tried(&p[i].requested, other, n_other)) continue;
        ret->failed += point_errors(&p[i]);
        ret->ended += point_ended(&p[i]);
        for (int c = COUNTER_FAILED_FIRST; c <= COUNTER_FAILED_LAST; c++)
            by[c] += p[i].ledger.failed[c - COUNTER_FAILED_FIRST];
        most += p[i].window_unanswered;
    }
    if (most) ret->by = "no answer";
    for (int c = COUNTER_FAILED_FIRST; c <= COUNTER_FAILED_LAST; c++) {
        if (by[c] <= most) continue;
        most = by[c];
        ret->by = COUNTERS[c].name;
    }
}

const char *compare_overrun_words(const struct compare_overrun *o, const char *a, const char *b,
                                  char buf[COMPARE_OVERRUN_WORDS])
{
    char rel[HUMAN_MAX], load[LOAD_LABEL];
    buf[0] = '\0';
    if (o->say == COMPARE_BETTER || o->say == COMPARE_WORSE)
        (void)snprintf(buf, COMPARE_OVERRUN_WORDS, "output token/s %s at load %s, which %s%s%s did not keep up with",
                       human_change(o->rel, rel), load_label(&o->load, load), o->run_a ? a : "",
                       o->run_a && o->run_b ? " and " : "", o->run_b ? b : "");
    return buf;
}

const char *compare_beside_words(const struct comparison *c, char buf[COMPARE_BESIDE_WORDS])
{
    char rel[HUMAN_MAX];
    size_t at = 0;
    buf[0] = '\0';
    for (int m = 0; m < FIGURE_N && at < COMPARE_BESIDE_WORDS; m++) {
        const struct change *d = &c->overall[m];
        if (FIGURES[m].compare != FIGURE_COMPARED || d->say != COMPARE_WORSE || fabs(d->rel) < BESIDE_LEAST) continue;
        at += (size_t)snprintf(buf + at, COMPARE_BESIDE_WORDS - at, "%s%s %s", at ? ", " : "", FIGURES[m].key,
                               human_change(d->rel, rel));
    }
    return buf;
}

const char *compare_failures_words(const struct compare_failures *f, char buf[COMPARE_FAILURES_WORDS])
{
    char n[HUMAN_MAX], all[HUMAN_THINGS_MAX], share[HUMAN_MAX];
    int at = snprintf(buf, COMPARE_FAILURES_WORDS, "%s of %s", human_count(f->failed, n),
                      human_things((double)f->ended, "request", all));
    if (f->failed)
        (void)snprintf(buf + at, COMPARE_FAILURES_WORDS - (size_t)at, " (%s)%s%s",
                       human_percent((double)f->failed / (double)f->ended, share), f->by ? ", most by " : "",
                       f->by ? f->by : "");
    return buf;
}

/* Failures are counts. They differ when the intervals of both shares (Clopper & Pearson) do not overlap. */
static void errors_compare(const struct point *a, size_t n_a, const struct point *b, size_t n_b, struct comparison *c)
{
    struct compare_failures *f[2] = {&c->failures_a, &c->failures_b};
    double lo[2], hi[2];
    failures_count(a, n_a, b, n_b, f[0]);
    failures_count(b, n_b, a, n_a, f[1]);
    for (int side = 0; side < 2; side++)
        share_interval(f[side]->failed, f[side]->ended, 0.01, &lo[side], &hi[side]);
    c->errors_a = f[0]->ended ? (double)f[0]->failed / (double)f[0]->ended : (double)NAN;
    c->errors_b = f[1]->ended ? (double)f[1]->failed / (double)f[1]->ended : (double)NAN;
    c->errors_rose = f[0]->ended && f[1]->ended && lo[1] > hi[0];
}

/* Output token/s of a load's runs, whether they kept up with it or not. */
struct carried {
    double mean, sd; /* sd: of the mean, relative */
    size_t n, n_over;
};

static void carried_read(struct carried *ret, const struct plan_stage *load, const struct point *p, size_t n)
{
    *ret = (struct carried){0};
    for (size_t i = 0; i < n; i++) {
        if (!load_carries(&p[i]) || !load_same(&p[i].requested, load)) continue;
        double half = (p[i].output_hi - p[i].output_lo) / 2 / NORMAL_95 / p[i].output_tokens_per_s;
        ret->mean += (p[i].output_tokens_per_s - ret->mean) / (double)++ret->n;
        ret->sd = fmax(ret->sd, isnan(half) ? rate_noise(&p[i], FIGURE_OUTPUT) : half);
        ret->n_over += p[i].overrun;
    }
    ret->sd = sqrt((ret->sd * ret->sd + COMPARE_RUN_NOISE * COMPARE_RUN_NOISE) / fmax(1, (double)ret->n));
}

/* A rate that a run kept up with says what the server gives at least: more on the other side is no more then. */
static void overrun_compare(const struct point *a, size_t n_a, const struct point *b, size_t n_b, struct comparison *c)
{
    size_t loads = 0;
    for (size_t i = 0; i < n_a; i++)
        loads += !load_seen_before(a, i);
    for (size_t i = 0; i < n_a; i++) {
        struct carried x, y;
        if (load_seen_before(a, i) || a[i].requested.kind != LOAD_OPEN) continue;
        carried_read(&x, &a[i].requested, a, n_a);
        carried_read(&y, &a[i].requested, b, n_b);
        if (!x.n || !y.n || x.n_over + y.n_over == 0) continue;
        double rel = y.mean / x.mean - 1;
        double clear = norm_quantile(1 - 0.05 / 2 / (double)loads) * sqrt(x.sd * x.sd + y.sd * y.sd);
        bool worse = rel < 0 && y.n_over == y.n, better = rel > 0 && x.n_over == x.n;
        if ((!worse && !better) || fabs(rel) <= fmax(OVERRUN_LEAST, clear)) continue;
        bool was = c->overrun.say == COMPARE_WORSE;
        if (c->overrun.say != COMPARE_UNKNOWN && (worse != was ? was : fabs(rel) <= fabs(c->overrun.rel))) continue;
        c->overrun = (struct compare_overrun){worse ? COMPARE_WORSE : COMPARE_BETTER,
                                              a[i].requested,
                                              x.mean,
                                              y.mean,
                                              rel,
                                              x.n_over == x.n,
                                              y.n_over == y.n};
    }
}

static void decide(struct comparison *c)
{
    bool better = c->overrun.say == COMPARE_BETTER, known = c->overrun.say != COMPARE_UNKNOWN;
    c->say = c->overrun.say == COMPARE_WORSE ? COMPARE_WORSE : COMPARE_SAME;
    for (int m = 0; m < FIGURE_N; m++) {
        if (FIGURES[m].compare != FIGURE_HEADLINE) continue;
        known |= c->overall[m].say != COMPARE_UNKNOWN;
        better |= c->overall[m].say == COMPARE_BETTER;
        if (c->overall[m].say == COMPARE_WORSE) c->say = COMPARE_WORSE;
    }
    if (c->errors_rose)
        c->say = COMPARE_WORSE;
    else if (!known)
        c->say = COMPARE_UNKNOWN;
    else if (better && c->say == COMPARE_SAME)
        c->say = COMPARE_BETTER;
}

int compare_runs(const struct point *a, size_t n_a, const struct point *b, size_t n_b, uint64_t seed,
                 struct comparison *ret, struct err *e)
{
    size_t headlines = 0;
    *ret = (struct comparison){.loads = calloc(n_a + 1, sizeof *ret->loads)};
    struct work w = {.cell = calloc(n_a + 1, sizeof *w.cell),
                     .sum = calloc(n_a + 1, sizeof *w.sum),
                     .square = calloc(n_a + 1, sizeof *w.square)};
    w.pool.residual = calloc(n_a + n_b + 1, sizeof *w.pool.residual);
    int rc = ret->loads && w.cell && w.sum && w.square && w.pool.residual
                 ? 0
                 : err_set(e, ERR_NOMEM, "no memory to compare");
    if (!rc) {
        for (int m = 0; m < FIGURE_N; m++)
            headlines += FIGURES[m].compare == FIGURE_HEADLINE;
        loads_make(a, n_a, b, n_b, ret);
        for (int m = 0; m < FIGURE_N; m++) {
            if (FIGURES[m].compare == FIGURE_NO_COMPARE) continue;
            for (size_t i = 0; i < ret->n_loads; i++)
                cell_make(&w.cell[i], &ret->loads[i].requested, a, n_a, b, n_b, (enum figure)m);
            measure_compare(&w, (enum figure)m, rng_mix(seed, (uint64_t)m, 0, 0), headlines, ret);
        }
        errors_compare(a, n_a, b, n_b, ret);
        ret->overrun.say = COMPARE_UNKNOWN;
        overrun_compare(a, n_a, b, n_b, ret);
        decide(ret);
    }
    free(w.cell);
    free(w.sum);
    free(w.square);
    free(w.pool.residual);
    if (rc) compare_clear(ret);
    return rc;
}

void compare_clear(struct comparison *c)
{
    free(c->loads);
    *c = (struct comparison){0};
}

bool compare_fails(const struct comparison *c, double share)
{
    if (c->question[0] || c->one_run) return false;
    if (c->errors_rose) return true;
    if (c->overrun.say == COMPARE_WORSE && fabs(c->overrun.rel) >= share) return true;
    for (int m = 0; m < FIGURE_N; m++)
        if (FIGURES[m].compare == FIGURE_HEADLINE && c->overall[m].say == COMPARE_WORSE &&
            fabs(c->overall[m].rel) >= share)
            return true;
    return false;
}
