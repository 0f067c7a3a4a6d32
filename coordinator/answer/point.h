/* A point of the curve, computed from a stage's merged data: pure. */
#pragma once
#include "coordinator/data.h"
#include "coordinator/answer/server_side.h"

#define POINT_Q 5 /* 0.50 0.90 0.95 0.99 0.999 */
extern const double POINT_QS[POINT_Q];

/* Numbers of one metric in its own unit; NaN = n/a (the sample cannot carry it). lo/hi: 95 % interval, NaN when none.
 */
struct stat {
    uint64_t count;
    double mean, min, max, mean_lo, mean_hi;
    double q[POINT_Q], q_lo[POINT_Q], q_hi[POINT_Q];
};

/* The server's own word on the same window; figures it does not give are NaN. */
struct point_server {
    bool any; /* its page was read while the stage ran */
    struct server_stage window;
    double queue_ms, queue_share; /* mean wait in its queue: as it says, else waiting / rate (Little); as a share of the
                                     client's mean ttft */
    double tokens, client_tokens; /* generated in the whole stage as it counted, and as the client did; NaN without a
                                     reading before and after */
};
#define SERVER_EXPLAINS 0.5 /* from this share on, the queue explains ttft */

enum steady { STEADY_UNKNOWN, STEADY_YES, STEADY_NO }; /* unknown: too few batches */

struct point {
    uint32_t stage, repeat;
    struct plan_stage requested;
    double window_s;
    double concurrency, requests_per_s, arrivals_per_s; /* achieved */
    double output_tokens_per_s, input_tokens_per_s, total_tokens_per_s, goodput_per_s;
    double output_lo, output_hi; /* 95 % interval of throughput from batch means, NaN when none */
    double error_rate;           /* failed / (ok + failed) of the window; NaN when nothing ended */
    uint64_t window_due, window_ok, window_failed, window_good, window_done;
    double warmup_cut_s;  /* warmup: auto: what MSER-5 cut from the window's beginning, else 0 */
    bool cut[METRIC_N];   /* this metric's numbers are of what lies behind the cut; the others keep the whole window */
    double blocks_from_s; /* where the window, or what is left of it, begins in the stage's blocks */
    uint64_t seed;        /* of its resampling */
    struct stat metric[METRIC_N];
    struct {
        uint64_t due, ok, failed[COUNTER_FAILED_LAST - COUNTER_FAILED_FIRST + 1], cancelled, aborted, lost;
        bool balanced;
    } ledger;
    enum steady steady;
    bool overrun; /* open loop: arrivals waited for max_concurrency, more of them than verdict.achieved in vain: the
                     server did not keep up */
    double drift; /* relative drift of throughput over the window */
    double littles_law;                         /* X·R / N, 1 when consistent; NaN when unknown */
    double cost_per_mtok_out, cost_per_mtok_in; /* NaN when no cost is given */
    struct verdict verdict;                     /* of the cluster */
    bool degraded;
    struct point_server server;
    const struct stage_data *data; /* borrowed; NULL when the point was made without */
    struct hist *const
        *hist; /* the stage's merged histograms, borrowed from stage_data; NULL when the point was made without */
};

/* plan: limits of the verdict, cost, SLO. */
void point_compute(const struct stage_data *s, const struct plan *plan, struct point *ret);
void stat_compute(const struct hist *h, enum metric m, struct stat *ret);
/* One sample a request? Gaps inside one request depend on each other, so that ranks say nothing about their certainty
 * (see resample.h). */
bool metric_independent(enum metric m);
/* Per agent and for the cluster (METRICS, "Is the number the server's or the client's?"). */
void verdict_compute(const uint64_t counters[COUNTER_N], struct hist *const hist[METRIC_N],
                     const struct plan_stage *requested, const struct plan *plan, struct verdict *ret);
/* Arrivals of an open loop that waited because max_concurrency was reached, whether they were sent later or never. */
uint64_t verdict_waited(const uint64_t counters[COUNTER_N], const struct plan_stage *requested);
const char *verdict_name(enum verdict_status s);
/* Adds a reason and raises the status to at least `s`; a ninth reason is dropped, its status is not. */
void verdict_add(struct verdict *v, enum verdict_status s, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

enum gate_result { GATE_PASS, GATE_FAIL, GATE_INCONCLUSIVE };
struct gate_outcome {
    const struct plan_gate *gate;
    uint32_t point;       /* index of the point it was read at */
    double value, lo, hi; /* in the unit the gate was written in; NaN when unknown */
    enum gate_result result;
};
/* Passes (fails) when the whole 95 % interval lies on the good (bad) side; inconclusive between, or where the sample
 * cannot carry it. Values that are exact counts of what happened (min, max, a rate without interval) are compared as
 * they are. */
void gate_check(const struct plan_gate *g, const struct point *p, struct gate_outcome *ret);
const char *gate_result_name(enum gate_result r);
/* All gates of a run at once. Explicit stages: every point must pass (one fail fails; else one inconclusive leaves it
 * so). A sweep or a search asks whether there is a load within the limits: one point that passes all gates is enough.
 * Points whose verdict is invalid do not count. PASS when there is no gate. */
enum gate_result gates_decide(const struct plan *plan, const struct point *points, size_t n_points,
                              const struct gate_outcome *gates, size_t n_gates);
