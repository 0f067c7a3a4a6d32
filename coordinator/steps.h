/* What a plan asks for, one step after another: its stages in order, each `repeats` times. */
#pragma once
#include <stdbool.h>

#include "coordinator/run/attempt.h"

struct steps {
    const struct plan *plan;
    const struct stage_data *past; /* of an earlier part of the run; those that were not cut short are left out */
    size_t n_past;
    uint64_t at;
};
bool steps_next(struct steps *s, struct run_step *ret); /* false at the end */
uint64_t steps_count(const struct plan *plan);
