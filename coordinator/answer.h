/* The answer of a run: plateau, knee, the most throughput within the SLO, in numbers with intervals and in words. Pure: points in, answer out; silent (has = false)
 * where the data cannot carry it. */
#pragma once
#include "coordinator/point.h"

enum fit_model { FIT_NONE, FIT_USL, FIT_SATURATION };
struct answer {
    bool has_plateau;
    double plateau, plateau_lo, plateau_hi;   /* output token/s */
    double knee;                              /* load (concurrency or rate) where throughput reaches 95 % of the plateau */
    double power_load;                        /* load with the greatest throughput / latency */
    enum fit_model model;
    double param[3], param_lo[3], param_hi[3]; /* USL: lambda, sigma, kappa · saturation: limit, half-load, exponent */
    double rms_residual;                      /* relative */
    bool plateau_reached;                     /* the sweep went far enough to see it; else the plateau is "at least" */
    bool has_slo;                             /* gates exist and some load passes all of them */
    double slo_load, slo_tokens_per_s, slo_lo, slo_hi;
    uint32_t slo_point;
    double latency_per_doubling;              /* past the knee: factor of e2e p50 a doubling of the load */
    enum verdict_status worst_verdict;
    double worst_lag_ms;
    char text[1200];                          /* the paragraph */
};
void answer_compute(const struct run_data *run, const struct point *points, size_t n, const struct gate_outcome *gates, size_t n_gates, struct answer *ret);
