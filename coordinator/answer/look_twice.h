/* What asks for a second look at a run's figures: runs of one load that disagree, loads whose answers differ in
 * length, and an interruption between figures that stand side by side. Pure. */
#pragma once
#include "coordinator/answer/point.h"

enum apart_figure { APART_THROUGHPUT, APART_E2E, APART_TTFT, APART_FIGURES };
/* Two runs of one load that are further apart than chance has them, and far apart: their mean is of neither. The widest
 * of all loads; throughput comes before times. */
struct runs_apart {
    const struct point *low, *high; /* borrowed; NULL: there are none */
    enum apart_figure figure;       /* output token/s, e2e p50, ttft p50 (ms) */
    double low_value, high_value;
    bool resumed;       /* the run was interrupted between them */
    bool ours;          /* one of them is suspect: it may be of the agents' making */
    enum metric unlike; /* the lengths, of answers or prompts, in which their requests differ; 0: in none */
    uint32_t more;      /* other loads of which the same holds */
};
/* Points before and after an interruption of the run: the server may have been started anew, with nothing in its
 * cache. */
struct interrupted {
    uint32_t times;             /* 0: no points that carry figures stand on both sides of one */
    const struct point *before; /* the last one before the first; borrowed */
    double away_s;              /* until the next one began; NaN: not known */
};
/* Two loads whose answers differ in length, clear of chance. */
struct lengths_apart {
    const struct point *low, *high; /* borrowed; NULL: there are none */
    double low_value, high_value;   /* output tokens, mean */
};
struct look_twice {
    struct lengths_apart lengths;
    struct runs_apart apart;
    struct interrupted interrupted;
};
void look_twice_compute(const struct run_data *run, const struct point *points, size_t n, struct look_twice *ret);
/* Are runs of the load of points[first] apart in a figure? */
bool look_twice_apart(const struct point *points, size_t n, size_t first, enum apart_figure f);
/* The one that was measured first. */
const struct point *look_twice_first(const struct runs_apart *r);
/* Was the run interrupted between two points? `run` may be NULL. */
bool look_twice_resumed(const struct run_data *run, const struct point *a, const struct point *b);
const char *look_twice_figure(enum apart_figure f); /* "output token/s", "ms e2e p50", "ms TTFT p50" */
/* "3", "3.2": a stage, with the number of its run where there are several */
#define LOOK_TWICE_STAGE 24
const char *look_twice_stage(const struct point *p, bool repeat, char ret[static LOOK_TWICE_STAGE]);
