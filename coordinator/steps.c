#include "coordinator/steps.h"

static uint32_t repeats(const struct plan *plan)
{
    return plan->repeats ? plan->repeats : 1;
}

uint64_t steps_count(const struct plan *plan)
{
    return (uint64_t)plan->n_stages * repeats(plan);
}

bool steps_next(struct steps *s, struct run_step *ret)
{
    if (s->at >= steps_count(s->plan)) return false;
    ret->stage = (uint32_t)(s->at / repeats(s->plan));
    ret->repeat = (uint32_t)(s->at % repeats(s->plan));
    ret->load = s->plan->stages[ret->stage];
    s->at++;
    return true;
}
