#include "coordinator/steps.h"

static uint32_t repeats(const struct plan *plan)
{
    return plan->repeats ? plan->repeats : 1;
}

uint64_t steps_count(const struct plan *plan)
{
    return (uint64_t)plan->n_stages * repeats(plan);
}

static bool is_past(const struct steps *s, const struct run_step *step)
{
    for (size_t i = 0; i < s->n_past; i++)
        if (s->past[i].stage == step->stage && s->past[i].repeat == step->repeat && !s->past[i].aborted) return true;
    return false;
}

bool steps_next(struct steps *s, struct run_step *ret)
{
    while (s->at < steps_count(s->plan)) {
        ret->stage = (uint32_t)(s->at / repeats(s->plan));
        ret->repeat = (uint32_t)(s->at % repeats(s->plan));
        ret->load = s->plan->stages[ret->stage];
        s->at++;
        if (!is_past(s, ret)) return true;
    }
    return false;
}
