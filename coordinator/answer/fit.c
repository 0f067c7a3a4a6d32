#include "coordinator/answer/fit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/rng.h"
#include "coordinator/answer/numeric.h"

#define POINTS_MAX 4096
#define REPLICATES 200
#define NOISE_FLOOR 0.002 /* no measurement here is better than this: keeps AICc finite on perfect data */
#define FAR 1e12          /* larger than any load */

struct law {
    enum fit_model model;
    uint32_t k; /* parameters: USL has a form with two (κ = 0) */
};

struct data {
    const double *load;
    const double *log_x;
    size_t n;
};

const char *fit_model_name(enum fit_model m)
{
    static const char *const names[] = {"none", "usl", "saturation", "capped"};
    return names[m];
}

const char *fit_param_name(enum fit_model m, uint32_t i)
{
    static const char *const names[4][FIT_PARAMS] = {
        {"", "", ""}, {"lambda", "sigma", "kappa"}, {"limit", "bend_load", "sharpness"}, {"lambda", "sigma", "cap"}};
    return i < FIT_PARAMS ? names[m][i] : "";
}

static double law_at(enum fit_model m, const double *p, double n)
{
    switch (m) {
    case FIT_NONE:
        break;
    case FIT_USL:
        return p[0] * n / (1 + p[1] * (n - 1) + p[2] * n * (n - 1));
    case FIT_SATURATION: {
        double u = n / p[1], a = p[2];
        return u > 1 ? p[0] / pow(1 + pow(u, -a), 1 / a) : p[0] * u / pow(1 + pow(u, a), 1 / a);
    }
    case FIT_CAPPED:
        return fmin(p[0] * n / (1 + p[1] * (n - 1)), p[2]);
    }
    return NAN;
}

double fit_at(const struct fit *f, double load)
{
    return law_at(f->model, f->param, load);
}

/* Parameters are searched as logarithms, within bounds that keep the arithmetic sane. */
static void unpack(const struct law *law, const double *q, double *p)
{
    for (uint32_t i = 0; i < FIT_PARAMS; i++)
        p[i] = i < law->k ? exp(fmin(fmax(q[i], -60), 60)) : 0;
    if (law->model == FIT_SATURATION) p[2] = fmin(fmax(p[2], 0.5), 50);
    if (law->model == FIT_USL || law->model == FIT_CAPPED) p[1] = fmin(p[1], 1);
}

static double loss(const struct law *law, const struct data *d, const double *q)
{
    double p[FIT_PARAMS], sum = 0;
    unpack(law, q, p);
    for (size_t i = 0; i < d->n; i++) {
        double r = d->log_x[i] - log(law_at(law->model, p, d->load[i]));
        sum += r * r;
    }
    return isfinite(sum) ? sum : 1e30;
}

/* The corners of Nelder & Mead's simplex, each with its loss. */
struct simplex {
    const struct law *law;
    const struct data *d;
    uint32_t k; /* parameters; there is one corner more */
    double v[FIT_PARAMS + 1][FIT_PARAMS], f[FIT_PARAMS + 1];
};

static void corner_set(struct simplex *s, uint32_t i, const double *v, double loss_there)
{
    memcpy(s->v[i], v, s->k * sizeof *v);
    s->f[i] = loss_there;
}

/* Moves all corners except the best half way towards the best. */
static void shrink(struct simplex *s, uint32_t best)
{
    for (uint32_t i = 0; i <= s->k; i++) {
        if (i == best) continue;
        for (uint32_t j = 0; j < s->k; j++)
            s->v[i][j] = (s->v[i][j] + s->v[best][j]) / 2;
        s->f[i] = loss(s->law, s->d, s->v[i]);
    }
}

/* Moves the worst corner, `hi`, through the middle of the others: to its mirror image, further, or nearer. */
static void move_worst(struct simplex *s, uint32_t lo, uint32_t hi)
{
    double second = s->f[lo], mid[FIT_PARAMS] = {0}, try[FIT_PARAMS], far[FIT_PARAMS];
    for (uint32_t i = 0; i <= s->k; i++) {
        if (i == hi) continue;
        second = fmax(second, s->f[i]);
        for (uint32_t j = 0; j < s->k; j++)
            mid[j] += s->v[i][j] / s->k;
    }
    for (uint32_t j = 0; j < s->k; j++) {
        try[j] = 2 * mid[j] - s->v[hi][j];
        far[j] = 3 * mid[j] - 2 * s->v[hi][j];
    }
    double ft = loss(s->law, s->d, try);
    if (ft < s->f[lo]) {
        double ff = loss(s->law, s->d, far);
        corner_set(s, hi, ff < ft ? far : try, fmin(ff, ft));
        return;
    }
    if (ft < second) {
        corner_set(s, hi, try, ft);
        return;
    }
    for (uint32_t j = 0; j < s->k; j++)
        try[j] = (mid[j] + (ft < s->f[hi] ? try[j] : s->v[hi][j])) / 2;
    ft = loss(s->law, s->d, try);
    if (ft < s->f[hi])
        corner_set(s, hi, try, ft);
    else
        shrink(s, lo);
}

/* Nelder & Mead 1965 with the usual factors; `best` holds the start and takes the end. Ends when the losses of all
 * corners agree within `near`. */
static double simplex(const struct law *law, const struct data *d, double *best, double step, int rounds, double near)
{
    struct simplex s = {.law = law, .d = d, .k = law->k};
    uint32_t lo = 0, hi = 0;
    for (uint32_t i = 0; i <= s.k; i++) {
        memcpy(s.v[i], best, sizeof s.v[i]);
        if (i) s.v[i][i - 1] += step;
        s.f[i] = loss(law, d, s.v[i]);
    }
    for (int round = 0;; round++) {
        lo = hi = 0;
        for (uint32_t i = 1; i <= s.k; i++) {
            if (s.f[i] < s.f[lo]) lo = i;
            if (s.f[i] >= s.f[hi]) hi = i;
        }
        if (round == rounds || s.f[hi] - s.f[lo] <= near * (s.f[lo] + 1e-9)) break;
        move_worst(&s, lo, hi);
    }
    memcpy(best, s.v[lo], s.k * sizeof(double));
    return s.f[lo];
}

/* From several starts, since the surface has several valleys. Each start gets a short search; the best one is refined
 * by restarts. */
static double law_fit(const struct law *law, const struct data *d, double *ret_q)
{
    double low = d->load[0], low_x = d->log_x[0], top = d->log_x[0], best = INFINITY;
    for (size_t i = 1; i < d->n; i++) {
        if (d->load[i] < low) {
            low = d->load[i];
            low_x = d->log_x[i];
        }
        top = fmax(top, d->log_x[i]);
    }
    double slope = low_x - log(low), bend = top - slope; /* of the line at low load; where it would meet the top */
    for (int s = 0; s < 4; s++) {
        double q[FIT_PARAMS] = {0, 0, 0};
        switch (law->model) {
        case FIT_USL:
            q[0] = slope;
            q[1] = -bend - s;
            q[2] = -2 * bend - 2 * s;
            break;
        case FIT_SATURATION:
            q[0] = top + 0.05;
            q[1] = bend + 0.3 - 0.2 * s;
            q[2] = 0.5 * s;
            break;
        default:
            q[0] = slope;
            q[1] = -bend - s;
            q[2] = top - 0.02;
        }
        double f = simplex(law, d, q, 0.5, 300, 1e-2);
        if (f < best) {
            best = f;
            memcpy(ret_q, q, sizeof q);
        }
    }
    best = simplex(law, d, ret_q, 0.2, 300, 1e-8);
    return simplex(law, d, ret_q, 0.05, 200, 1e-10);
}

static double limit_of(enum fit_model m, const double *p)
{
    switch (m) {
    case FIT_NONE:
        break;
    case FIT_USL:
        if (p[2] > 1e-12) return law_at(m, p, fmax(1, sqrt((1 - p[1]) / p[2])));
        return p[1] > 1e-12 ? p[0] / p[1] : (double)INFINITY;
    case FIT_SATURATION:
        return p[0];
    case FIT_CAPPED:
        return fmin(p[2], p[1] > 1e-12 ? p[0] / p[1] : (double)INFINITY);
    }
    return NAN;
}

/* The smallest load with 95 % of the limit. All laws rise up to their limit, so halving finds it. */
static double knee_of(enum fit_model m, const double *p, double limit)
{
    double lo = 1e-9, hi = FAR;
    if (!isfinite(limit)) return INFINITY;
    if (m == FIT_USL && p[2] > 1e-12) hi = fmax(1, sqrt((1 - p[1]) / p[2]));
    if (law_at(m, p, hi) < FIT_KNEE * limit) return INFINITY;
    for (int i = 0; i < 80; i++) {
        double mid = sqrt(lo * hi);
        if (law_at(m, p, mid) < FIT_KNEE * limit)
            lo = mid;
        else
            hi = mid;
    }
    return hi;
}

static double aicc_of(double rss, size_t n, uint32_t k)
{
    double dn = (double)n, free_params = k + 1; /* the noise is one more */
    double mean = fmax(rss / dn, NOISE_FLOOR * NOISE_FLOOR);
    return dn * log(mean) + 2 * free_params + 2 * free_params * (free_params + 1) / (dn - free_params - 1);
}

/* Spread of a positive figure over refits, as a factor: widened for the degrees of freedom that n points leave. */
static void interval(double value, const double *boot, size_t n, double t, double *ret_lo, double *ret_hi)
{
    double sd = sd_of(boot, n);
    *ret_lo = value * exp(-t * sd);
    *ret_hi = value * exp(t * sd);
}

/* -1: no memory. */
static int bootstrap(const struct law *law, const struct data *d, const double *q, uint64_t seed, struct fit *ret)
{
    double *fitted = calloc(3 * d->n, sizeof(double)), *resid = fitted ? fitted + d->n : NULL,
           *drawn = fitted ? resid + d->n : NULL;
    double limit[REPLICATES], knee[REPLICATES], param[FIT_PARAMS][REPLICATES], p[FIT_PARAMS],
        t = t_quantile(0.975, (double)(d->n - law->k));
    double grow =
        sqrt((double)d->n / (double)(d->n - law->k)); /* residuals are smaller than errors by what the fit took */
    size_t used = 0;
    struct rng r;
    if (!fitted) return -1;
    rng_seed(&r, seed);
    for (size_t i = 0; i < d->n; i++) {
        fitted[i] = log(law_at(law->model, ret->param, d->load[i]));
        resid[i] = (d->log_x[i] - fitted[i]) * grow;
    }
    double shift = mean_of(resid, d->n);
    for (int b = 0; b < REPLICATES; b++) {
        struct data again = {d->load, drawn, d->n};
        double start[FIT_PARAMS];
        for (size_t i = 0; i < d->n; i++)
            drawn[i] = fitted[i] + resid[rng_below(&r, d->n)] - shift;
        memcpy(start, q, sizeof start);
        simplex(law, &again, start, 0.1, 150, 1e-3); /* a thousandth of the loss is a thirtieth of a standard error */
        unpack(law, start, p);
        double l = limit_of(law->model, p), k = knee_of(law->model, p, l);
        if (!isfinite(l) || !isfinite(k)) continue;
        limit[used] = log(l);
        knee[used] = log(k);
        for (uint32_t i = 0; i < FIT_PARAMS; i++)
            param[i][used] = p[i] > 0 ? log(p[i]) : 0;
        used++;
    }
    free(fitted);
    if (used < REPLICATES / 2) return 0;
    interval(ret->limit, limit, used, t, &ret->limit_lo, &ret->limit_hi);
    interval(ret->knee, knee, used, t, &ret->knee_lo, &ret->knee_hi);
    for (uint32_t i = 0; i < law->k; i++)
        interval(ret->param[i], param[i], used, t, &ret->param_lo[i], &ret->param_hi[i]);
    return 0;
}

static void fit_reset(struct fit *f)
{
    *f = (struct fit){.model = FIT_NONE,
                      .limit = NAN,
                      .limit_lo = NAN,
                      .limit_hi = NAN,
                      .knee = NAN,
                      .knee_lo = NAN,
                      .knee_hi = NAN,
                      .rms = NAN};
    for (int i = 0; i < FIT_PARAMS; i++)
        f->param[i] = f->param_lo[i] = f->param_hi[i] = NAN;
    for (int i = 0; i < 4; i++)
        f->aicc[i] = NAN;
}

int fit_curve(const double *load, const double *throughput, size_t n, uint64_t seed, struct fit *ret)
{
    static const struct law laws[] = {{FIT_USL, 2}, {FIT_USL, 3}, {FIT_SATURATION, 3}, {FIT_CAPPED, 3}};
    double best = INFINITY, best_q[FIT_PARAMS] = {0}, least = INFINITY, most = 0;
    const struct law *law = NULL;
    double limits[4] = {NAN, NAN, NAN, NAN}, scores[4] = {NAN, NAN, NAN, NAN}; /* by law */
    bool positive = true;
    int rc = 0;
    fit_reset(ret);
    if (n < FIT_LEAST || n > POINTS_MAX) return 0;
    double *log_x = calloc(n, sizeof *log_x);
    if (!log_x) return -1;
    struct data d = {load, log_x, n};
    for (size_t i = 0; i < n; i++) {
        log_x[i] = log(throughput[i]);
        least = fmin(least, load[i]);
        most = fmax(most, load[i]);
        positive &= load[i] > 0 && throughput[i] > 0;
    }
    for (size_t i = 0; i < sizeof laws / sizeof *laws && positive && most >= 2 * least && isfinite(most); i++) {
        double q[FIT_PARAMS] = {0};
        double rss = law_fit(&laws[i], &d, q), a = aicc_of(rss, n, laws[i].k);
        double p[FIT_PARAMS];
        unpack(&laws[i], q, p);
        limits[i] = limit_of(laws[i].model, p);
        scores[i] = a;
        if (isnan(ret->aicc[laws[i].model]) || a < ret->aicc[laws[i].model]) ret->aicc[laws[i].model] = a;
        if (a >= best) continue;
        best = a;
        law = &laws[i];
        memcpy(best_q, q, sizeof q);
        ret->rms = sqrt(rss / (double)n);
    }
    if (law) {
        ret->model = law->model;
        ret->n_params = law->k;
        unpack(law, best_q, ret->param);
        ret->limit = limit_of(ret->model, ret->param);
        ret->knee = knee_of(ret->model, ret->param, ret->limit);
        rc = bootstrap(law, &d, best_q, seed, ret);
        for (int i = 0; i < 4;
             i++) { /* laws that the data cannot tell apart (Burnham & Anderson: within 2) must all be inside */
            if (!(scores[i] <= best + 2) || !isfinite(limits[i])) continue;
            ret->limit_lo = fmin(ret->limit_lo, limits[i]);
            ret->limit_hi = fmax(ret->limit_hi, limits[i]);
        }
    }
    free(log_x);
    return rc;
}
