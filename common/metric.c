#include "common/metric.h"

#include <string.h>

const struct metric_row METRICS[METRIC_N] = {
#define X(id, name, unit, per, scale, window, formula) {name, unit, per, formula, scale, window},
#include "common/metric.def"
#undef X
};

enum metric metric_find(const char *name)
{
    for (int i = 0; i < METRIC_N; i++)
        if (strcmp(METRICS[i].name, name) == 0) return (enum metric)i;
    return METRIC_N;
}
