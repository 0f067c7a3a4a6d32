/* Loads: which are the same, which points may carry an answer, and on which axis a load stands. Said here and nowhere
 * else. Pure. */
#pragma once
#include "coordinator/answer/point.h"

/* Was the same load asked for? Concurrency in a closed loop; in an open loop both ends of the rate, the kind of
 * arrivals and the cap on requests in flight. How long it ran does not count: two runs of one load are its repeats. */
bool load_same(const struct plan_stage *a, const struct plan_stage *b);
/* Has a point before number i the same load? One that is tried again is one load. */
bool load_seen_before(const struct point *points, size_t i);

/* May the point carry an answer, a law or a comparison? Not when its verdict is invalid, when its window drifted, or
 * when nothing was measured in it. */
bool load_usable(const struct point *p);

/* The same of answers without output tokens, as embeddings are, or whose tokens nobody knows: it has a rate of requests
 * and their times. */
bool load_tokenless(const struct point *p);

/* May its throughput be part of a curve? Also where requests in flight grew all the time because the rate outran the
 * server: latencies then depend on how long the stage was, and the throughput is all that the server gives. Not
 * that of a ramp, of which a part came before its limit. */
bool load_carries(const struct point *p);
bool load_carries_requests(const struct point *p); /* the same of requests per second, of answers as load_tokenless */

/* The x axis of a set of points has one unit. Arrivals per second, when every point is of an open loop; else requests
 * in flight, which every kind of load has. */
enum load_axis { AXIS_IN_FLIGHT, AXIS_RATE };
enum load_axis load_axis(const struct point *points, size_t n);
double load_on(const struct point *p, enum load_axis axis); /* achieved, not asked for; but see by_count */
const char *load_thing(enum load_axis axis);                /* "concurrent request", "request/s": for human_things */
const char *load_axis_name(enum load_axis axis);            /* "in_flight", "arrivals_per_s": for files */

/* Are its arrivals random? */
bool load_by_chance(const struct plan_stage *s);
/* An open loop of which all that came was answered: it carried the rate that was asked for. */
bool load_kept_up(const struct point *p);
/* What a rate of `ended` requests varies by, of its logarithm, though the server does not (standard deviation): by the
 * chance of its arrivals, and by the answers that the ends of the window cut, one in each slot. */
double load_noise(const struct point *p, uint64_t ended);

/* A stage by count in whose window less than half of the slots were at work, and not since requests failed: it was
 * mostly the wait for its last answers, and says little of the load that it asked for. */
bool load_mostly_ends(const struct point *p);

/* Is load a, achieved by stage x, below b, achieved by y? Of loads of one kind that came out alike (slots that rest
 * after failures are no load) the one that was asked for less is. */
bool load_below(double a, const struct plan_stage *x, double b, const struct plan_stage *y);

/* What a stage asks for, as one number of its own kind: to sort and to search by. A ramp counts by its end. */
double load_asked(const struct plan_stage *s);

/* The same with its kind: "64", "25/s", "1-50/s", "256 x1000" with a count of requests. */
#define LOAD_LABEL 64
const char *load_label(const struct plan_stage *p, char buf[LOAD_LABEL]);
