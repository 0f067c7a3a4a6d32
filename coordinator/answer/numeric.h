/* The statistics that points, gates, fits and searches stand on: pure numbers in, pure numbers out.
 * Sources: DLMF 8.17 (incomplete beta), Lentz's continued fraction; Wichura, AS 241 (normal quantile); Hahn & Meeker,
 * "Statistical Intervals", ch. 5 (order statistics); Clopper & Pearson 1934 (shares). */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

double norm_cdf(double x);
double norm_quantile(double p);                /* p in (0, 1); ±inf at the ends */
double beta_inc(double a, double b, double x); /* regularised, I_x(a, b) */
double beta_quantile(double a, double b, double p);
double t_quantile(double p, double df);             /* Student; df > 0 */
double binom_cdf(uint64_t k, uint64_t n, double p); /* P(X <= k); exact, normal above 10^7 */

/* Ranks (1-based) of order statistics that enclose the q-quantile with at least 1 - alpha: equal tails, or, where one
 * tail cannot be alpha/2, the sample's end on that side and what is left of alpha on the other. 0 where there is none.
 */
void rank_interval(uint64_t n, double q, double alpha, uint64_t *ret_lo, uint64_t *ret_hi);
/* One-sided: the highest rank that lies at or below the q-quantile with 1 - alpha (0 = none), and the lowest one at or
 * above it. */
uint64_t rank_below(uint64_t n, double q, double alpha);
uint64_t rank_above(uint64_t n, double q, double alpha);
/* Samples that a percentile needs: ceil(ln 0.05 / ln q), or of 1 - q where that is the greater. */
uint64_t samples_needed(double q);

/* Clopper-Pearson interval of a share k of n. */
void share_interval(uint64_t k, uint64_t n, double alpha, double *ret_lo, double *ret_hi);

/* Mean and standard deviation (n - 1) of values; NaN without enough. */
double mean_of(const double *v, size_t n);
double sd_of(const double *v, size_t n);
/* Quantile of values by sorting a copy's worth of them in place (v is reordered); linear between neighbours. */
double quantile_of(double *v, size_t n, double q);

/* A straight line by least squares; slope's interval by Student with n - 2 degrees. false when n < 3 or x does not
 * vary. */
struct line {
    double at_mean, slope, slope_lo, slope_hi; /* value at the mean of x */
};
bool line_fit(const double *x, const double *y, size_t n, double alpha, struct line *ret);
