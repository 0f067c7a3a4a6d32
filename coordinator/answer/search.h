/* The search machine: points in, next load out. Pure; it never runs anything itself, so that a run, a replay from a
 * run's file (report, resume) and a test in simulated time drive the same code:
 *
 *     struct search *s = search_new(plan, e);
 *     while (search_next(s, &stage)) {
 *         … run the stage, rest for plan->cooldown_ns, point_compute …
 *         search_tell(s, &point);
 *     }
 *     search_result(s, &r);
 *
 * search.goal slo: the largest load that passes every gate. It doubles from `from` until a load fails, then halves the
 * ratio between the largest load that passed and the smallest that failed, until they are within the tolerance; tests
 * the failing neighbour once more, and ends with a confirming run of its own evidence. A load passes or fails only with
 * confidence (trial.h); else the same load is asked for again, with more time. search.goal plateau: doubles until two
 * doublings in a row add less than the tolerance, then finds the knee (95 % of the maximum) the same way and runs the
 * best load once more.
 *
 * A point that is degraded, cut short or whose verdict is invalid says nothing about the server: the load is asked for
 * again, at most twice; if it stays so, it bounds the search from above and the result says that the clients were the
 * limit. While the knee of a plateau is looked for, higher loads were measured: there the knee stays between the loads
 * around it, and the best load is run once more.
 *
 * A load that was slower while the server may have been at work on what the drain before it left open (leftover.h) is
 * asked for again too, at most twice; then it counts as it is.
 *
 * A load that breaks only gates that ask for load (`throughput > 400`) is too low while no load has kept all of them:
 * the search goes on above it. Once one has, such a load above it is one that fails. No load passes where none keeps
 * all gates.
 *
 * A load at which no request ended ok is a word on the server, though its point is invalid: it fails, and bounds the
 * search from above. When it is the first load, the search is over. */
#pragma once
#include "coordinator/answer/point.h"

#define SEARCH_RUNS_MAX 64

struct search;
ERR_CHECKED struct search *search_new(const struct plan *plan,
                                      struct err *e); /* the plan is borrowed; ERR_PLAN when it has no search */
void search_destroy(struct search **s);
/* The stage to run next, made from plan->stages[0]; the same again until search_tell. False when the search is over. */
bool search_next(struct search *s, struct plan_stage *ret);
/* Takes the point of the stage asked for last, which is not kept. -1: a figure of it is missing for want of memory
 * alone; the machine has taken nothing. */
int search_tell(struct search *s, const struct point *p);
/* What it is doing, for people: "doubling", "halving", "checking the load that failed", "confirming". */
const char *search_phase(const struct search *s);

struct search_outcome {
    bool over;           /* finished; else what is known so far */
    bool found;          /* slo: some load passes; plateau: throughput stopped rising */
    bool confirmed;      /* a confirming run said so with confidence */
    bool end_reached;    /* even `to` passes (is still rising): the answer is "at least" */
    bool no_memory;      /* a point could not be taken (search_tell): the outcome is not the search's */
    bool client_limited; /* a load could not be offered: more agents are needed to see further */
    double load;         /* slo: the largest that passed · plateau: the knee; NaN when not found */
    double failed_load; /* smallest load seen to fail (slo), largest seen to stay below 95 % (plateau); NaN when none */
    double low_load;    /* slo: largest load seen to be too low for a gate that asks for load; NaN when none */
    double kept_from;   /* slo: smallest load that passed; NaN when none did */
    double plateau;     /* plateau: the throughput it settled at; else NaN */
    double nothing_load; /* smallest load at which no request ended ok; NaN when none. The search ends at its first load
                            when it is that one */
    uint32_t loads, runs; /* different loads tried, stages run */
};
void search_result(const struct search *s, struct search_outcome *ret);

/* Tells a new machine the points of a finished (or interrupted) run in their order; the caller leaves out a stage that
 * was cut short, and what is after it. Returns how many of them the
 * machine took: less than n means that the points are not of this plan's search, or that memory ran out (no_memory of
 * the outcome). */
size_t search_replay(struct search *s, const struct point *points, size_t n);

/* `duration: auto`: is the point known well enough to end its stage? True when every gated metric (throughput without
 * gates) has a 95 % interval within ± the tolerance (plan->search.tolerance, else 5 %) or lies wholly on one side of
 * its limit. The stage's duration_ns is the limit, which the caller keeps. False where memory ran out. */
bool search_enough(const struct point *p, const struct plan *plan);
