/* Is B different from A? Points of two runs at the same loads, what changed, and whether the change stands out of the
 * noise. Pure, seeded.
 *
 * A change is of the logarithm (5 % slower and 5 % faster weigh the same). Noise comes from the repeats: residuals of
 * each load about its mean, scaled by the load's own within-run spread, are pooled and drawn again (residual bootstrap,
 * Davison & Hinkley 1997, ch. 2 and 6), widened by Student's factor for their number. Runs without repeats cannot show
 * how much one run differs from the next: there the within-run intervals (batch means, block bootstrap, order
 * statistics) are drawn, and COMPARE_RUN_NOISE is assumed for what a whole run shares. A rate varies at least by the
 * chance of its arrivals, and by the answers that the ends of the windows cut. A latency of which a side has neither an
 * interval nor repeats has no verdict. The verdict goes by the headline measures over all loads together, at 95 % for
 * all of them at once (Bonferroni): two runs of one system are called different in at most 1 of 20 comparisons. */
#pragma once
#include "coordinator/answer/figure.h"

#define COMPARE_RUN_NOISE                                                                                              \
    0.01 /* sd of a factor that one run is assumed to differ by, when there are no repeats to measure it */
/* A smaller change is no difference, however clear of the noise: repeats of one quarter of an hour do not show how the
 * same system differs from one hour to the next, and a histogram's bucket alone is 0.1 % wide. */
#define COMPARE_LEAST 0.01

enum compare_say {
    COMPARE_SAME,
    COMPARE_BETTER,
    COMPARE_WORSE,
    COMPARE_UNKNOWN
}; /* same: no difference seen; unknown: nothing to compare */
struct change {
    double a, b;        /* geometric means over repeats; NaN when missing */
    double rel, lo, hi; /* b / a - 1 with its 95 % interval */
    enum compare_say
        say; /* of a load: at 95 % for all loads at once; of the whole: for all headline measures at once */
};
struct compare_load {
    struct plan_stage requested;
    size_t n_a, n_b;                /* repeats */
    size_t cut_a, cut_b;            /* of these, stages that were cut short or miss an agent */
    struct change change[FIGURE_N]; /* of figures that are compared */
};
/* What failed in a run, over its points at loads that both runs tried. */
struct compare_failures {
    uint64_t failed, ended; /* of the requests due in the windows; never answered counts as failed */
    const char *by;         /* the most frequent label of the stages; NULL when there is none */
};
/* Points of a run that are compared although they are suspect. */
struct compare_doubts {
    size_t n;
    const char *first; /* the first one's first reason, of the run's points; NULL when there is none */
};
/* Rates that a run did not keep up with. Its latencies there are those of the stage's length and are not compared; what
 * the server gave of tokens is: less than the other run gave at this rate, kept up with or not, is worse. */
struct compare_overrun {
    enum compare_say say;   /* better or worse, clear of the noise; else unknown */
    struct plan_stage load; /* the rate with the largest change */
    double a, b, rel;       /* output token/s there, and b / a - 1 */
    bool run_a, run_b;      /* which of the two did not keep up */
};
#define COMPARE_STATE 700u
struct comparison {
    struct compare_load *loads; /* owned, in order of load */
    size_t n_loads;
    struct change overall[FIGURE_N];
    enum compare_say say;
    size_t only_a, only_b;         /* usable points whose load the other run has no usable point of */
    size_t left_out_a, left_out_b; /* invalid or not steady */
    size_t missing;                /* loads that both tried and of which one has no usable point */
    struct compare_overrun overrun;
    bool repeated; /* noise was measured by repeats */
    bool fed;      /* both kept up with the random arrivals of all loads: rates of output and requests are those of the
                      arrivals, and are called neither better nor worse */
    bool errors_rose;          /* share of failed requests is higher in B at the loads of both, clear of chance */
    double errors_a, errors_b; /* shares; NaN without requests */
    struct compare_failures failures_a, failures_b;
    struct compare_doubts doubts_a, doubts_b;
    char question[400]; /* what differs in the question that was asked; "" when it was the same */
    bool one_run;       /* both folders hold the same run: there is nothing to compare, and no row has a verdict */
    /* What happened to each run beside its plan: it was ended, resumed, lost an agent …; "" when nothing did. */
    char state_a[COMPARE_STATE], state_b[COMPARE_STATE];
    char measured[COMPARE_STATE]; /* what was measured in another way, which the verdict stands beside; "" */
};

ERR_CHECKED int compare_runs(const struct point *a, size_t n_a, const struct point *b, size_t n_b, uint64_t seed,
                             struct comparison *ret, struct err *e);
/* Was the same question asked? Another API, other models, a shared prefix on one side, or mean lengths that differ by
 * more than COMPARE_LENGTH, another source of prompts, streamed answers on one side: then numbers stand side by side,
 * and no row has a verdict. After compare_runs. */
#define COMPARE_LENGTH 0.1
struct compare_asked {
    const struct run_data *run; /* NULL: only its plan is known */
    const struct plan *plan;
    const struct point *points;
    size_t n;
};
void compare_question(const struct compare_asked *a, const struct compare_asked *b, struct comparison *c);
/* What happened to each of the runs, and what was measured in another way though the question was the same: length of
 * the stages, versions, agents, HTTP, seed, limits. After compare_question. */
void compare_state(const struct compare_asked *a, const struct compare_asked *b, struct comparison *c);
/* What happened to one run, as state_a; "" when nothing did. */
void compare_state_of(const struct compare_asked *s, char to[COMPARE_STATE]);
void compare_no_verdict(struct comparison *c); /* numbers stand side by side, and none is called better or worse */
void compare_clear(struct comparison *c);
/* "12 of 375 (3.2 %), most by http_429". Returns buf. */
#define COMPARE_FAILURES_WORDS 160u
const char *compare_failures_words(const struct compare_failures *f, char buf[COMPARE_FAILURES_WORDS]);
/* "output token/s -30 % at load 20/s, which B did not keep up with"; "" where that is no verdict. Returns buf. */
#define COMPARE_OVERRUN_WORDS 200u
const char *compare_overrun_words(const struct compare_overrun *o, const char *a, const char *b,
                                  char buf[COMPARE_OVERRUN_WORDS]);
/* What is clearly worse of figures by which the verdict does not go, from 10 % on: "ttft.p99 +210 %, itl.p99 +45 %";
 * "". Returns buf. */
#define COMPARE_BESIDE_WORDS 160u
const char *compare_beside_words(const struct comparison *c, char buf[COMPARE_BESIDE_WORDS]);
const char *compare_say_name(enum compare_say s); /* "no difference seen", "better", "worse", "nothing to compare" */

/* `--fail-on worse:3%`: true when B is worse in a headline measure, clear of the noise, by at least this share (below
 * COMPARE_LEAST: that); or when errors rose. */
bool compare_fails(const struct comparison *c, double share);

/* What differs between two plans, one line a difference: "load.repeats: 3, now 5". Nothing when they are equal. At most
 * `max` lines, then how many more. */
ERR_CHECKED int compare_plans(const struct plan *a, const struct plan *b, size_t max, struct buf *out, struct err *e);
