#include "coordinator/answer/figure.h"

#include <math.h>

#include "coordinator/answer/numeric.h"

/* Rows with STAT expand to three arguments before ROW counts them. */
#define X(...) ROW(__VA_ARGS__)

#define NO_GATE FIGURE_NO_GATE
#define STAT(metric, i) 0, 0, 0
#define ROW(id, key, unit, better, gate, csv, json, compare, interval, value, lo, hi, meaning)                         \
    [FIGURE_##id] = {key,          unit,          meaning,          FIGURE_##better,  gate,                            \
                     FIGURE_##csv, FIGURE_##json, FIGURE_##compare, FIGURE_##interval},
const struct figure_row FIGURES[FIGURE_N] = {
#include "coordinator/answer/figure.def"
};
#undef STAT
#undef ROW

/* One end of the interval of the share of failures (Clopper & Pearson). */
static double errors_end(const struct point *p, bool upper)
{
    double lo = NAN, hi = NAN;
    uint64_t n = point_ended(p);
    if (n) share_interval(point_errors(p), n, 0.05, &lo, &hi);
    return upper ? hi : lo;
}

#define STAT(m, i) p->metric[METRIC_##m].q[i], p->metric[METRIC_##m].q_lo[i], p->metric[METRIC_##m].q_hi[i]
#define SERVER(field) (p->server.any ? p->server.field : (double)NAN)
#define ROW(id, key, unit, better, gate, csv, json, compare, interval, v, l, h, meaning)                               \
    case FIGURE_##id:                                                                                                  \
        return (struct reading){.value = (v), .lo = (l), .hi = (h)};
struct reading figure_read(const struct point *p, enum figure f)
{
    switch (f) {
#include "coordinator/answer/figure.def"
    case FIGURE_N:
        break;
    }
    return (struct reading){NAN, NAN, NAN};
}

double figure_value(const struct point *p, enum figure f)
{
    return figure_read(p, f).value;
}

enum figure figure_of_gate(enum gate_subject subject)
{
    int f = 0;
    while (f < FIGURE_N && FIGURES[f].gate != (int)subject)
        f++;
    return (enum figure)f;
}
