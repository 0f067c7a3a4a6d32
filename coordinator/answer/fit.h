/* Load-response curves: a law fitted to (load, throughput) points, its limit, its knee, and how sure they are. Pure,
 * seeded.
 *
 *   USL         X(N) = λN / (1 + σ(N-1) + κN(N-1))
 *               Gunther, "Guerrilla Capacity Planning", 2007. Contention σ, coherency κ.
 *               With κ = 0 it is Amdahl's law with the limit λ/σ; else it has a peak at √((1-σ)/κ).
 *
 *   saturation  X(N) = L·u / (1 + u^a)^(1/a), u = N/h
 *               A smooth minimum of the line L·N/h and the limit L, joined with sharpness a:
 *               the two bounds of a closed system (Denning & Buzen 1978).
 *
 *   capped      X(N) = min(λN / (1 + σ(N-1)), C)
 *               Continuous batching with a bound on the batch: Amdahl up to the last slot, then flat.
 *
 * Residuals are relative (of ln X), since noise grows with the figure. Nelder-Mead on logarithms of the parameters; the
 * law by AICc (Hurvich & Tsai 1989); intervals by residual bootstrap, whose spread is widened by Student's factor for n
 * - p degrees of freedom; the limit's interval also spans the limits of the laws whose AICc is within 2 of the best. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum fit_model { FIT_NONE, FIT_USL, FIT_SATURATION, FIT_CAPPED };
#define FIT_PARAMS 3
#define FIT_LEAST                                                                                                      \
    6 /* points, at two loads or more; AICc of every law needs them: of five, only Amdahl's can be judged,             \
         and it never flattens */
#define FIT_KNEE 0.95

struct fit {
    enum fit_model model; /* FIT_NONE: too few points, or all at one load */
    uint32_t n_params;
    double param[FIT_PARAMS], param_lo[FIT_PARAMS],
        param_hi[FIT_PARAMS];         /* USL: λ, σ, κ · saturation: L, h, a · capped: λ, σ, C */
    double limit, limit_lo, limit_hi; /* maximum throughput: asymptote, peak or cap */
    double knee, knee_lo, knee_hi;    /* smallest load with 95 % of it; infinite when the curve never gets there */
    double aicc[4];                   /* by model; NaN where it was not fitted */
    double rms;                       /* of relative residuals */
};

/* -1: no memory. */
int fit_curve(const double *load, const double *throughput, size_t n, uint64_t seed, struct fit *ret);
double fit_at(const struct fit *f, double load);
const char *fit_model_name(enum fit_model m);             /* "none", "usl", "saturation", "capped" */
const char *fit_param_name(enum fit_model m, uint32_t i); /* "lambda" … */
