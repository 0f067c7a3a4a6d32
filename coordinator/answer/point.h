/* A point of the curve, computed from a stage's merged data: pure. */
#pragma once
#include "coordinator/answer/server_side.h"
#include "coordinator/answer/stat.h"
#include "coordinator/answer/steady.h"
#include "coordinator/answer/steady_pass.h"
#include "coordinator/answer/users.h"
#include "coordinator/answer/verdict.h"
#include "coordinator/data.h"

/* The server's own figures of the same window; figures it does not give are NaN. */
struct point_server {
    bool any;       /* its page was read while the stage ran */
    bool restarted; /* its counters began anew in the stage */
    bool several;   /* the page is of several servers in turn: no figure is known */
    struct server_stage window;
    double queue_ms, queue_share; /* mean wait in its queue: as it reports it, else waiting / rate (Little); as a share
                                     of the client's mean ttft. NaN where others wait there too */
    double others;                /* requests on its page beyond ours, mean; 0: no more than chance has, NaN: unknown */
    bool others_left;             /* they may be requests that a drain before the stage left open (leftover.h) */
    double tokens, client_tokens; /* generated in the whole stage as it counted, and as the client did; NaN without a
                                     reading before and after */
};
/* Why they are NaN where `several` is true. */
#define SERVER_SEVERAL                                                                                                 \
    "no figure is known: the page at metrics_url is of several servers in turn, as behind a balancer (its counters "   \
    "fall and come back)."
#define SERVER_EXPLAINS 0.5 /* from this share on, the queue explains ttft */

struct point {
    uint32_t stage, repeat;
    struct plan_stage requested;
    double window_s;
    double concurrency, requests_per_s, arrivals_per_s; /* achieved */
    double output_tokens_per_s, input_tokens_per_s, total_tokens_per_s, goodput_per_s;
    double output_lo, output_hi; /* 95 % interval of throughput from batch means, NaN when none */
    double error_rate;           /* point_errors / point_ended; NaN when nothing ended */
    uint64_t window_due, window_ok, window_failed, window_good, window_done;
    uint64_t window_cut;        /* due in the window, and cut off by the end of the drain or never sent; and those due
                                   before it that had no first token by its end */
    uint64_t window_unanswered; /* of these, older than the slowest answer; all of them where there was no answer */
    uint64_t earlier_cut, earlier_unanswered; /* of both, those due before the window */
    double oldest_cut_s;                      /* the longest of these waited so long; NaN without */
    uint64_t window_hung;      /* due in the window, still open at its end, and in the end several times as old as the
                                  slowest answer: they hang, and wait for no server that is too slow */
    uint64_t earlier_hung;     /* the same of those due before the window */
    double slowest_s;          /* the slowest answer; NaN without */
    struct users users;        /* of a closed loop */
    uint64_t window_cancelled; /* due in the window, and load.cancel took them back; no errors */
    uint64_t cancelled_early;  /* of these, before a first token */
    uint64_t cancelled_over;   /* of these, over a limit of slo.request already; the others tell nothing of it */
    double warmup_cut_s;       /* warmup: auto: what MSER-5 cut from the window's beginning, else 0 */
    bool cut[METRIC_N];   /* this metric's numbers are of what comes after the cut; the others keep the whole window */
    double blocks_from_s; /* where the window, or what is left of it, begins in the stage's blocks */
    uint64_t seed;        /* of its resampling */
    struct metric_stat metric[METRIC_N];
    struct {
        uint64_t due, ok, failed[FAILURE_N], cancelled, aborted, lost;
        bool balanced;
    } ledger;
    enum steady steady;
    double unsent_share; /* of the arrivals: they waited for the cap in vain */
    bool overrun; /* open loop: the server did not keep up with the rate. More arrivals than verdict.achieved waited for
                     max_concurrency in vain; or, without a cap, requests in flight grew and fewer ended than came */
    bool outrun;  /* open loop without a cap: the verdict says that the server did not keep up, by `overrun` or, in a
                     short window, by its counts */
    bool errors_gated; /* the plan has an upper limit on errors: it judges the requests that failed at once */
    bool still;        /* the verdict says that the server stood still */
    bool gone;         /* answers came, and then failures alone to the window's end */
    bool leftover; /* it was slower, or without an answer, while the server may have been at work on what a drain before
                      it left open (leftover.h) */
    struct steady_pass passes;                  /* the steady window by super-passes, where it was asked for */
    double drift;                               /* relative drift of throughput over the window */
    double littles_law;                         /* X·R / N, 1 when consistent; NaN when unknown */
    double output_by_law;                       /* output token/s by steady_by_law */
    double cost_per_mtok_out, cost_per_mtok_in; /* NaN when no cost is given */
    struct verdict verdict;                     /* of the cluster */
    bool degraded;
    bool offline;   /* everything was sent at once (load.curve): a ceiling, no part of the curve */
    bool by_count;  /* the stage ended with its count: its window runs on to the last answer, when fewer are in flight
                       and  nothing arrives. Its load is what was asked for */
    bool no_memory; /* some figure is missing for want of memory alone: nothing to report */
    double prefix_possible, prefix_by_usage; /* reuse.h; NaN when unknown */
    struct point_server server;
    const struct stage_data *data; /* borrowed; NULL when the point was made without */
    struct hist *const
        *hist; /* the stage's merged histograms, borrowed from stage_data; NULL when the point was made without */
};

/* Tokens per second of a slow user, 1000 / p90 of the time per token after the first event; of a run that was made
 * before that was measured, of tpot. NaN without. */
static inline double point_user_tps(const struct point *p)
{
    const struct metric_stat *s = &p->metric[METRIC_TPOT_SUFFIX];
    return 1000 / (s->count ? s : &p->metric[METRIC_TPOT])->q[1];
}
/* Requests of the window that count as errors: failed ones, and those that were never answered. */
static inline uint64_t point_errors(const struct point *p)
{
    return p->window_failed + p->window_unanswered;
}
static inline uint64_t point_ended(const struct point *p)
{
    return p->window_ok + point_errors(p);
}
/* Requests due in the window, however they ended, and those due before it that waited through it. */
static inline uint64_t point_due(const struct point *p)
{
    return p->window_ok + p->window_failed + p->window_cut + p->window_cancelled;
}
/* Requests of which it is known whether they kept slo.request: goodput's denominator. */
static inline uint64_t point_limited(const struct point *p)
{
    return p->window_ok + p->window_failed + p->window_cut + p->cancelled_over;
}
/* Ages of the requests that were cut off, by the drain's end or load.cancel, before this latency was known: each is
 * slower than its age. NULL when there are none, or the metric is no latency of a whole request. */
const struct hist *point_cut(const struct point *p, enum metric m);
/* What is known of this latency of requests that were cut off afterwards: their time to the first token. NULL: none. */
const struct hist *point_cut_after(const struct point *p, enum metric m);
/* The same where the latency is known to be no less than that, and no more is known: ttfc, and ttft_due of requests
 * that were sent late. They count as cut off at it. NULL: none. */
const struct hist *point_cut_within(const struct point *p, enum metric m);
/* A failed request has no latency. The rule for gates, the curve's SLO and searches:
 *
 * 1. It is over every limit below the time that it had waited when it failed (fail_age; of limits on the first token
 *    fail_wait), as one that was cut off is.
 * 2. How slow one would have been that failed sooner nobody knows. Where the plan has a gate on errors, that judges it;
 *    where it has none, the request is beyond every limit, lest nobody judges it.
 *
 * In goodput none of them is good. */
/* Is it known of requests that have no answer how long they waited for it, at least? */
static inline bool point_has_waits(enum metric m)
{
    return m == METRIC_TTFT || m == METRIC_TTFT_DUE || m == METRIC_TTFC || m == METRIC_E2E || m == METRIC_E2E_DUE;
}
bool point_is_of_answers(enum metric m); /* a latency or the speed of whole requests: the rule holds for it */
const struct hist *point_failed(const struct point *p, enum metric m); /* how long failed ones waited; NULL: unknown */

#define STILL_WORDS "the server stood still:" /* how the reason of `still` begins */

/* What agents alone make of a point, judged some at a time: each has histograms to be opened, and there may be
 * thousands. */
struct point_agents {
    size_t next;         /* the agent that comes next */
    size_t invalid;      /* agents whose own part is */
    struct verdict part; /* figures that an agent puts in doubt, and why */
    bool no_memory;
};
#define POINT_AGENTS_A_TURN 500u /* in a turn of the loop, about 8 ms */
bool point_judge_agents(const struct stage_data *s, const struct plan *plan, size_t most,
                        struct point_agents *io); /* true: there are more */
/* A point without intervals of what is resampled, from what point_judge_agents has found: for lines of progress. */
void point_glance(const struct stage_data *s, const struct plan *plan, const struct point_agents *agents,
                  struct point *ret);
/* A whole point, likewise. */
void point_judged(const struct stage_data *s, const struct plan *plan, const struct point_agents *agents,
                  struct point *ret);
/* plan: limits of the verdict, cost, SLO. */
void point_compute(const struct stage_data *s, const struct plan *plan, struct point *ret);
