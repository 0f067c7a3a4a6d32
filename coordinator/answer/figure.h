/* The figures of a point: one table (figure.def) for reports, gates and comparisons. Pure. */
#pragma once
#include "coordinator/answer/point.h"

enum figure {
#define X(id, key, unit, better, gate, csv, json, compare, ...) FIGURE_##id,
#include "coordinator/answer/figure.def"
#undef X
    FIGURE_N
};
enum figure_better { FIGURE_HIGHER, FIGURE_LOWER, FIGURE_NEITHER };
enum figure_csv { FIGURE_NO_CSV, FIGURE_BEFORE, FIGURE_AFTER, FIGURE_END };
enum figure_json { FIGURE_NO_JSON, FIGURE_ACHIEVED, FIGURE_POINT };
enum figure_compare { FIGURE_NO_COMPARE, FIGURE_COMPARED, FIGURE_HEADLINE };
enum figure_interval { FIGURE_NO_CI, FIGURE_CI };
#define FIGURE_NO_GATE (-1)

struct figure_row {
    const char *key, *unit, *meaning;
    enum figure_better better;
    int gate; /* enum gate_subject, or FIGURE_NO_GATE */
    enum figure_csv csv;
    enum figure_json json;
    enum figure_compare compare;
    enum figure_interval interval;
};
extern const struct figure_row FIGURES[FIGURE_N];

/* In the figure's unit; NaN = n/a. lo/hi: 95 % interval, NaN when none. */
struct reading {
    double value, lo, hi;
};
struct reading figure_read(const struct point *p, enum figure f);
double figure_value(const struct point *p, enum figure f);
/* The figure that a gate's subject reads; FIGURE_N for GATE_METRIC, which names a metric of its own. */
enum figure figure_of_gate(enum gate_subject subject);
