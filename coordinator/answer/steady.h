/* Is a stage's window steady? Batch means of the cluster's series (Law & Kelton, "Simulation Modeling and Analysis",
 * batch means), and a straight line through them. Pure. */
#pragma once
#include "coordinator/data.h"

#define STEADY_BATCHES_MIN 5
#define STEADY_BATCHES_MAX 20
#define STEADY_DRIFT 0.05   /* less than this over the window is steady whatever the slope's interval says */
#define STEADY_BACKLOG 0.02 /* open loop: requests in flight may grow by this share of the arrivals */

enum steady {
    STEADY_UNKNOWN,
    STEADY_YES,
    STEADY_NO
}; /* unknown: too few batches; or a ramp, or a recording whose rate rises or falls: its figures change since its load
      does */

struct steadiness {
    enum steady steady;
    double drift;      /* of throughput over the window, relative to its mean; NaN when unknown */
    double half_width; /* of the 95 % interval of mean throughput, relative; NaN when unknown */
    bool backlog;      /* open loop: requests in flight grew by more than that share of the arrivals; in a ramp, by so
                          much more than its rate makes them */
    size_t batches;
};

/* Over rows of the cluster that begin at from_s or later and end by to_s (seconds from T0). `hung`: requests of the
 * window that hang; as many may be in flight more at its end. */
void steady_compute(const struct stage_data *s, double from_s, double to_s, double hung, struct steadiness *ret);
/* Output token/s by Little's law: requests in flight, each with so many tokens in so long a time. What comes in few
 * large lumps, as from a server that answers in batches, gives more or less by the tokens in a window, as the window's
 * ends fall. NaN: not known, as where requests failed. */
double steady_by_law(const struct stage_data *s, double in_flight);
/* Do the two differ by more than chance makes of so many requests? */
bool steady_in_lumps(double tokens_per_s, double by_law, uint64_t requests);
/* The throughput's interval. Where it came in lumps it reaches to the other figure too, and as far beyond. */
void steady_interval(double tokens_per_s, double half_width, double by_law, uint64_t requests, double *ret_lo,
                     double *ret_hi);
/* Where a window has too few batches: are more open at to_s, or when the last became due, than the first half of the
 * stage leads to expect (Little's law), and did waits grow? Constant and recorded arrivals have no chance of their own,
 * only the server's times have; of Poisson ones as many more have to be open as chance alone seldom brings. */
bool steady_piled_up(const struct stage_data *s, double to_s, double hung);
/* The longest time in the same rows in which requests were open and next to nothing came of any; when it began (s from
 * T0), and how many were open. 0: there is none, to the length of a row. */
double steady_still(const struct stage_data *s, double from_s, double to_s, double *ret_at_s, double *ret_open);
/* Requests open when the last one became due, to a row. */
double steady_open_at_last(const struct stage_data *s);
/* Until then, did requests take ever longer, as behind a queue? By Little's law, open requests against those that end:
 * long answers alone are open for as long at its end as at its beginning. */
bool steady_times_grew(const struct stage_data *s);
/* Did first tokens come ever later, as behind a queue? Prompts that differ in length have short waits and long ones at
 * any time. Rows without such times tell nothing: then they may have. */
bool steady_waits_grew(const struct stage_data *s);
