/* What a plan asks for, one step after another: its stages in order, each `repeats` times. */
#pragma once
#include <stdbool.h>

#include "coordinator/stage.h"

struct steps {
    const struct plan *plan;
    uint64_t at;
};
bool steps_next(struct steps *s, struct run_step *ret); /* false at the end */
uint64_t steps_count(const struct plan *plan);
