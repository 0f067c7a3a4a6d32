/* The metric table (metric.def) as an enum and as rows. */
#pragma once
#include <stdbool.h>

enum metric {
#define X(id, name, unit, per, scale, window, formula) METRIC_##id,
#include "common/metric.def"
#undef X
    METRIC_N
};

struct metric_row {
    const char *name, *unit, *per, *formula;
    double scale; /* histogram value per unit */
    bool window;  /* only of requests due inside the measured window that ended ok */
};
extern const struct metric_row METRICS[METRIC_N];

/* METRIC_N when no metric has that name. */
enum metric metric_find(const char *name);
