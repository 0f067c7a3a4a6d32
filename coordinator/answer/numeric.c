#include "coordinator/answer/numeric.h"

#include <math.h>
#include <stdlib.h>

#define NORMAL_ABOVE 10000000u

double norm_cdf(double x)
{
    return 0.5 * erfc(-x / sqrt(2));
}

/* Ratio of two polynomials of degree 7, as AS 241 needs it. */
static double ratio(const double *a, const double *b, double r)
{
    double p = a[7], q = b[7];
    for (int i = 6; i >= 0; i--) {
        p = p * r + a[i];
        q = q * r + b[i];
    }
    return p / q;
}

double norm_quantile(double p)
{
    static const double a[8] = {3.3871328727963666080e0,  1.3314166789178437745e+2, 1.9715909503065514427e+3,
                                1.3731693765509461125e+4, 4.5921953931549871457e+4, 6.7265770927008700853e+4,
                                3.3430575583588128105e+4, 2.5090809287301226727e+3};
    static const double b[8] = {1,
                                4.2313330701600911252e+1,
                                6.8718700749205790830e+2,
                                5.3941960214247511077e+3,
                                2.1213794301586595867e+4,
                                3.9307895800092710610e+4,
                                2.8729085735721942674e+4,
                                5.2264952788528545610e+3};
    static const double c[8] = {1.42343711074968357734e0,  4.63033784615654529590e0, 5.76949722146069140550e0,
                                3.64784832476320460504e0,  1.27045825245236838258e0, 2.41780725177450611770e-1,
                                2.27238449892691845833e-2, 7.74545014278341407640e-4};
    static const double d[8] = {1,
                                2.05319162663775882187e0,
                                1.67638483018380384940e0,
                                6.89767334985100004550e-1,
                                1.48103976427480074590e-1,
                                1.51986665636164571966e-2,
                                5.47593808499534494600e-4,
                                1.05075007164441684324e-9};
    static const double e[8] = {6.65790464350110377720e0,  5.46378491116411436990e0,  1.78482653991729133580e0,
                                2.96560571828504891230e-1, 2.65321895265761230930e-2, 1.24266094738807843860e-3,
                                2.71155556874348757815e-5, 2.01033439929228813265e-7};
    static const double f[8] = {1,
                                5.99832206555887937690e-1,
                                1.36929880922735805310e-1,
                                1.48753612908506148525e-2,
                                7.86869131145613259100e-4,
                                1.84631831751005468180e-5,
                                1.42151175831644588870e-7,
                                2.04426310338993978564e-15};
    if (p <= 0) return -INFINITY;
    if (p >= 1) return INFINITY;
    double q = p - 0.5;
    if (fabs(q) <= 0.425) return q * ratio(a, b, 0.180625 - q * q);
    double r = sqrt(-log(q < 0 ? p : 1 - p));
    double x = r <= 5 ? ratio(c, d, r - 1.6) : ratio(e, f, r - 5);
    return q < 0 ? -x : x;
}

/* Lentz's form of the continued fraction of I_x(a, b); converges fast for x < (a + 1) / (a + b + 2). */
static double beta_fraction(double a, double b, double x)
{
    const double tiny = 1e-300;
    double c = 1, d = 1 - (a + b) * x / (a + 1);
    d = 1 / (fabs(d) < tiny ? tiny : d);
    double h = d;
    for (int m = 1; m <= 20000; m++) {
        double up = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        d = 1 + up * d;
        d = 1 / (fabs(d) < tiny ? tiny : d);
        c = 1 + up / c;
        if (fabs(c) < tiny) c = tiny;
        h *= d * c;
        double down = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        d = 1 + down * d;
        d = 1 / (fabs(d) < tiny ? tiny : d);
        c = 1 + down / c;
        if (fabs(c) < tiny) c = tiny;
        h *= d * c;
        if (fabs(d * c - 1) < 1e-14) break;
    }
    return h;
}

/* lgamma writes the global signgam; the arguments here are > 0, so the sign is known and the reentrant form is used. */
static double log_gamma(double x)
{
    int sign;
    return lgamma_r(x, &sign);
}

double beta_inc(double a, double b, double x)
{
    if (!(x > 0)) return 0;
    if (x >= 1) return 1;
    double front = exp(log_gamma(a + b) - log_gamma(a) - log_gamma(b) + a * log(x) + b * log1p(-x));
    if (x < (a + 1) / (a + b + 2)) return front * beta_fraction(a, b, x) / a;
    return 1 - front * beta_fraction(b, a, 1 - x) / b;
}

double beta_quantile(double a, double b, double p)
{
    double lo = 0, hi = 1;
    for (int i = 0; i < 60; i++) {
        double mid = (lo + hi) / 2;
        if (beta_inc(a, b, mid) < p)
            lo = mid;
        else
            hi = mid;
    }
    return (lo + hi) / 2;
}

double t_quantile(double p, double df)
{
    if (p <= 0 || p >= 1) return p <= 0 ? -INFINITY : INFINITY;
    if (p < 0.5) return -t_quantile(1 - p, df);
    double x = beta_quantile(df / 2, 0.5, 2 * (1 - p)); /* P(|T| > t) = I_{df/(df+t²)}(df/2, 1/2) */
    return sqrt(df * (1 - x) / x);
}

double binom_cdf(uint64_t k, uint64_t n, double p)
{
    if (k >= n) return 1;
    double dn = (double)n, dk = (double)k;
    if (n > NORMAL_ABOVE) return norm_cdf((dk + 0.5 - dn * p) / sqrt(dn * p * (1 - p)));
    return beta_inc(dn - dk, dk + 1, 1 - p);
}

/* The smallest k in [0, n] with P(X <= k) >= c, found by halving between bounds from the normal approximation. */
static uint64_t binom_quantile(uint64_t n, double p, double c)
{
    double dn = (double)n, mid = dn * p, reach = 8 * sqrt(dn * p * (1 - p)) + 8;
    uint64_t lo = mid > reach ? (uint64_t)(mid - reach) : 0, hi = mid + reach < dn ? (uint64_t)(mid + reach) : n;
    if (lo > 0 && binom_cdf(lo - 1, n, p) >= c) lo = 0;
    if (binom_cdf(hi, n, p) < c) hi = n;
    while (lo < hi) {
        uint64_t k = lo + (hi - lo) / 2;
        if (binom_cdf(k, n, p) >= c)
            hi = k;
        else
            lo = k + 1;
    }
    return lo;
}

/* X = number of samples below the quantile. Rank r is above the quantile when X < r; below or at it when X >= r. */
uint64_t rank_above(uint64_t n, double q, double alpha)
{
    if (n == 0 || binom_cdf(n - 1, n, q) < 1 - alpha) return 0;
    return binom_quantile(n, q, 1 - alpha) + 1;
}

uint64_t rank_below(uint64_t n, double q, double alpha)
{
    if (n == 0 || binom_cdf(0, n, q) > alpha) return 0;
    uint64_t k = binom_quantile(n, q, alpha); /* P(X <= k) >= alpha, so P(X <= k - 1) < alpha */
    return binom_cdf(k, n, q) <= alpha ? k + 1 : k;
}

void rank_interval(uint64_t n, double q, double alpha, uint64_t *ret_lo, uint64_t *ret_hi)
{
    *ret_lo = *ret_hi = 0;
    if (n == 0) return;
    uint64_t lo = rank_below(n, q, alpha / 2), hi = rank_above(n, q, alpha / 2);
    if (!hi) { /* the maximum is the best upper end there is: it leaves alpha - q^n to the lower tail */
        double left = alpha - pow(q, (double)n);
        if (left > 0) {
            hi = n;
            lo = rank_below(n, q, left);
        }
    } else if (!lo) {
        double left = alpha - pow(1 - q, (double)n);
        if (left > 0) {
            lo = 1;
            hi = rank_above(n, q, left);
        }
    }
    *ret_lo = lo;
    *ret_hi = hi;
}

uint64_t samples_needed(double q)
{
    if (q <= 0 || q >= 1) return 1;
    return (uint64_t)ceil(log(0.05) / log(fmax(q, 1 - q)));
}

void share_interval(uint64_t k, uint64_t n, double alpha, double *ret_lo, double *ret_hi)
{
    double dk = (double)k, dn = (double)n;
    *ret_lo = k == 0 || n == 0 ? 0 : beta_quantile(dk, dn - dk + 1, alpha / 2);
    *ret_hi = k >= n ? 1 : beta_quantile(dk + 1, dn - dk, 1 - alpha / 2);
}

double mean_of(const double *v, size_t n)
{
    double s = 0;
    for (size_t i = 0; i < n; i++)
        s += v[i];
    return n ? s / (double)n : (double)NAN;
}

double sd_of(const double *v, size_t n)
{
    if (n < 2) return NAN;
    double m = mean_of(v, n), s = 0;
    for (size_t i = 0; i < n; i++)
        s += (v[i] - m) * (v[i] - m);
    return sqrt(s / (double)(n - 1));
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double quantile_of(double *v, size_t n, double q)
{
    if (n == 0) return NAN;
    qsort(v, n, sizeof *v, by_value);
    double at = q * (double)(n - 1);
    size_t i = (size_t)at;
    if (i + 1 >= n) return v[n - 1];
    return v[i] + (at - (double)i) * (v[i + 1] - v[i]);
}

bool line_fit(const double *x, const double *y, size_t n, double alpha, struct line *ret)
{
    if (n < 3) return false;
    double mx = mean_of(x, n), my = mean_of(y, n), sxx = 0, sxy = 0, rss = 0;
    for (size_t i = 0; i < n; i++) {
        sxx += (x[i] - mx) * (x[i] - mx);
        sxy += (x[i] - mx) * (y[i] - my);
    }
    if (!(sxx > 0)) return false;
    double slope = sxy / sxx;
    for (size_t i = 0; i < n; i++) {
        double r = y[i] - my - slope * (x[i] - mx);
        rss += r * r;
    }
    double df = (double)(n - 2), half = t_quantile(1 - alpha / 2, df) * sqrt(rss / df / sxx);
    *ret = (struct line){.at_mean = my, .slope = slope, .slope_lo = slope - half, .slope_hi = slope + half};
    return true;
}
