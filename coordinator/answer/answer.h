/* The answer of a run: plateau, knee and the maximum throughput within the SLO, in numbers with intervals and in words.
 * Pure: points in, answer out; silent (has = false) where the data cannot carry it. */
#pragma once
#include "coordinator/answer/cache_hits.h"
#include "coordinator/answer/failed_at.h"
#include "coordinator/answer/fit.h"
#include "coordinator/answer/gate_check.h"
#include "coordinator/answer/lengths.h"
#include "coordinator/answer/load_axis.h"
#include "coordinator/answer/look_twice.h"
#include "coordinator/answer/point.h"
#include "coordinator/answer/search.h"
#include "coordinator/answer/stalls.h"

#define ANSWER_ATTAINMENT 0.90 /* share of requests within their SLOs that goodput asks for (DistServe) */

#define ANSWER_LOADS 64

/* How far the fitted law is from what was measured at a load. */
struct answer_residual {
    double load, measured, fitted; /* output token/s */
};
/* Latencies of the runs of one load: the median over its repeats. NaN when unknown. */
struct answer_latency {
    double load; /* NaN: there is no such load */
    double ttft_p50, ttft_p99, tpot_p50, tpot_p99, e2e_p50;
};
/* A step of the curve against its direction: share 0 when there is none. */
struct answer_dip {
    double from_load, to_load, share;
    bool resumed; /* the run was interrupted between them */
};

/* The load with the most requests per second where no point has output tokens. */
struct answer_tokenless {
    double load, requests_per_s, e2e_p50, e2e_p99; /* requests_per_s 0: there is none */
    const struct plan_stage *ramp;                 /* as most_ramp */
};

/* A recording that ends before the stage's duration, or before the end of the part that was wanted of it. */
struct short_trace {
    const struct point *at; /* the first stage; borrowed; NULL: there is none */
    double last_s, asked_s; /* when its last request became due, and for how long requests were wanted */
    bool by_duration;       /* by the stage's duration; else by the part of the trace */
    uint32_t more;          /* stages likewise */
};

struct answer {
    enum load_axis axis; /* of every load below */
    bool has_plateau;
    double plateau, plateau_lo,
        plateau_hi;                /* output token/s; when not reached: the maximum that was measured, a lower bound */
    double knee, knee_lo, knee_hi; /* load (concurrency or rate) where throughput reaches 95 % of the plateau; NaN when
                                      that was not reached */
    double power_load;             /* load with the maximum of throughput / latency (Kleinrock's power) */
    enum fit_model model;          /* names: fit_model_name, fit_param_name */
    double param[3], param_lo[3], param_hi[3];
    double rms_residual;                           /* relative */
    struct answer_residual residual[ANSWER_LOADS]; /* of the fitted law, by load */
    uint32_t n_residuals;
    struct answer_dip throughput_dip; /* the largest fall between two neighbouring loads below the one with the maximum,
                                         clear of both intervals */
    struct answer_dip latency_dip;    /* the largest fall of e2e p50 by more than 5 % while the load rises */
    double refused_from;  /* load asked for from which on the server refuses (429, 503, 529) what more load brings; NaN:
                             none */
    uint32_t overrun_cap; /* load.max_concurrency at which a rate was not kept up with, the largest; 0: none */
    bool plateau_reached; /* the sweep went far enough to see it; else the plateau is "at least" */
    double fall;   /* how far throughput falls from its maximum to the largest load, as a share; 0 unless it is clear of
                      both intervals */
    bool has_most; /* some load could be measured */
    double most_load, most_tokens_per_s, most_lo, most_hi; /* the load with the maximum throughput */
    /* The ramp whose means these figures are, borrowed from its point; NULL: the load was one and the same */
    const struct plan_stage *most_ramp, *plateau_ramp, *slo_ramp, *goodput_ramp;
    bool has_slo; /* gates exist and some load passes all of them */
    double slo_load, slo_tokens_per_s, slo_lo, slo_hi;
    uint32_t slo_point;
    uint64_t most_ended, slo_ended;     /* requests that ended ok, of which the figures of that load are */
    uint32_t slo_failed, slo_undecided; /* loads that fail a gate; that none fails but no run passes all */
    bool slo_more;          /* a load with more throughput than slo_load's, or any where there is none, is undecided */
    uint32_t loads_apart;   /* loads that have no figure, since the throughput of their runs is apart */
    bool curve_apart;       /* so that the curve has no plateau and no knee */
    uint32_t slo_apart;     /* of these loads, those whose runs keep all gates, of a sweep */
    uint32_t slo_drifting;  /* points that keep all gates and whose window drifted, so that they carry no answer */
    bool slo_open_end;      /* the largest load tried still passes: "at least" */
    bool slo_next_fails;    /* the next larger load tried fails a gate: "up to" */
    double slo_fails_below; /* the largest load below slo_load that fails a gate, of a sweep; NaN when none does */
    double slo_passes_to; /* the largest load tried whose runs pass, though it gives less; NaN when none above slo_load
                             does */
    double latency_per_doubling; /* past the knee: factor of e2e p50 per doubling of the load */
    bool of_requests;            /* no answer has output tokens: what carries the answer are requests per second */
    struct answer_tokenless tokenless;
    bool has_goodput; /* slo.request is given and some load keeps ANSWER_ATTAINMENT of its requests within it */
    double goodput_load, goodput_requests_per_s, goodput_per_gpu,
        goodput_attainment;         /* the maximum such request rate (Zhong et al., DistServe, OSDI 2024) */
    double attained, attained_load; /* the largest share of requests within slo.request, and its load; NaN: not asked */
    bool goodput_open_end;          /* the largest load tried still keeps them: "at least" */
    double cost_plateau, cost_slo, cost_most;        /* per million output tokens; NaN when no cost is given */
    enum verdict_status worst_verdict;               /* of the points that carry the answer; of all when none does */
    double worst_lag_ms;                             /* p99, of the points that carry the answer; NaN without a token */
    uint32_t points_suspect;                         /* of the points used */
    uint32_t points_used, points_left_out;           /* left out: invalid or not steady */
    uint32_t left_invalid, left_unsteady;            /* the rest of those left out have no throughput at all */
    enum gate_result capacity;                       /* of slo.capacity; PASS when it is not asked for */
    double capacity_value, capacity_lo, capacity_hi; /* the value that was compared with it; NaN when unknown */
    const char *capacity_open;                       /* why it is not decided; NULL when it is */
    double slo_requests_per_s;                       /* at slo_load; NaN without has_slo */
    double
        slo_carried[3]; /* there: requests/s that it carries, of a rate that was kept up with the rate; 95 % interval */
    struct answer_latency at_knee, at_slo; /* at the smallest load tried that is not below the knee; at slo_load */
    struct lengths length;
    struct cache_hits hits;
    struct look_twice twice;
    struct stalls stalls;
    /* the highest load whose stage was mostly the wait for its last answers, and what was in flight in it; NaN: none */
    double ends_load, ends_in_flight;
    double records,
        records_sent; /* of the data set, and how often each was sent; 0: no data set, or several workloads */
    struct short_trace trace;
    double after_ms, after_share;   /* how long a slot stays taken after the last token, mean, of all points; and as
                                       a share of its time; NaN when unknown */
    double rest_share;              /* of the slots' time, in which they rested after failures; NaN: no closed loop */
    double open_ms;                 /* how long the response stays open after it, mean */
    uint64_t tokens, tokens_seen;   /* output tokens of ok requests, of all stages: in all, and those that came in
                                       events; both 0 where tokens do not come one by one */
    uint64_t events, events_tokens; /* token events of ok requests, and the output tokens of the same stages */
    uint64_t events_paced;          /* of the stages with a TPOT alone, as tokens_seen */
    uint64_t counters[COUNTER_N];   /* of all stages */
    uint64_t answered;              /* ok requests of all stages */
    bool gave_up;                   /* slo.abort_on_fail ended the run: later stages were not run */
    double gathered; /* part of the token events that came in one read with the one before, where tokens are slow enough
                        to come alone; NaN where they are not */
    uint64_t requests, failed; /* of all stages: those that ended; failed */
    bool cut_within;           /* some of those that were cut off had their first token */
    uint64_t window_requests, window_failed, cut, unanswered; /* due in a window; of these: failed; cut off by the
                                                                 drain's end or never sent; of those, older than the
                                                                 slowest answer, which gates count as errors */
    uint64_t bad, bad_of; /* requests that were not answered well, and those of which they are a part: of all stages
                             those that ended; where some were never answered, those due in a window, and all
                             that were cut off */
    struct failed_at failed_at, cut_at, bad_at;      /* the loads of these three */
    uint64_t window_due, cancelled, cancelled_early; /* due in a window; of these, those that load.cancel took back; and
                                                        of these, before a first token */
    uint64_t hung;                /* open at a window's end, and in the end several times as old as any answer */
    uint64_t earlier, earlier_of; /* of `cut`, due before a window and open in all of it; and how many were in flight at
                                     once at the points that have such */
    double slowest_s;             /* the slowest answer of the points that have such; NaN without */
    double oldest_s;              /* age of the oldest that was never answered; NaN when there is none */
    double oldest_cut_s;          /* and of the oldest that was cut off */
    enum counter failed_by;       /* the label of most failed requests */
    uint64_t failed_by_n;
    const struct failure_sample *failed_first; /* the first of that label, of the run's data; NULL when none was kept */
    const struct remark *remark[REMARK_N];     /* the first of each kind, of the run's data; NULL when none was kept */
    struct search_outcome search;              /* when the plan asked for one; else all zero */
    char text[8000];                           /* the paragraph, by answer_words */
};
/* All but the words, which answer_words (answer_text.h) makes of it. */
ERR_CHECKED int answer_compute(const struct run_data *run, const struct point *points, size_t n,
                               const struct gate_outcome *gates, size_t n_gates, struct answer *ret, struct err *e);
/* May the point carry this answer? */
bool answer_carries(const struct answer *a, const struct point *p);
/* A part of it, in answer_count.c: what all stages together had. `plan` may be NULL. */
void answer_count(const struct plan *plan, const struct point *points, size_t n, struct answer *a);
