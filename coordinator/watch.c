#include "coordinator/watch.h"

#include <math.h>

#include "coordinator/answer/gates.h"
#include "coordinator/answer/search.h"

#define FIRST_NS (5 * NS_PER_S)
#define GROW 1.4

/* Is a gate broken clear of chance? */
static bool broken(const struct plan *plan, const struct point *p)
{
    for (size_t i = 0; i < plan->n_gates; i++) {
        struct gate_outcome o;
        gate_check(&plan->gates[i], p, &o);
        if (o.result == GATE_FAIL && !o.no_memory) return true;
    }
    return false;
}

bool watch_may_abort(const struct plan *plan)
{
    bool one = plan->search.goal == SEARCH_NONE && plan->n_stages == 1;
    return plan->abort_on_fail_ns > 0 && (one || !gates_any(plan));
}

enum run_word watch_stage_word(struct watch *w, const struct plan *plan, const struct attempt *s, int64_t elapsed_ns)
{
    const struct plan_stage *load = &s->step.load;
    bool may_abort = watch_may_abort(plan);
    enum run_word word = RUN_WORD_ON;
    if (!load->duration_auto && !may_abort) return RUN_WORD_ON;
    if (w->epoch != s->epoch) *w = (struct watch){.epoch = s->epoch, .next_ns = load->warmup_ns + FIRST_NS};
    if (elapsed_ns < w->next_ns) return RUN_WORD_ON;
    w->next_ns = load->warmup_ns + (int64_t)ceil((double)(elapsed_ns - load->warmup_ns) * GROW);
    struct stage_data d;
    struct point p;
    if (merge_peek(s->merge, &d, NULL)) return RUN_WORD_ON; /* without memory the stage takes its whole time */
    d.plan.duration_ns = elapsed_ns;                        /* the length of the stage so far */
    point_compute(&d, plan, &p);
    if (p.no_memory)
        word = RUN_WORD_ON;
    else if (may_abort && elapsed_ns - load->warmup_ns >= plan->abort_on_fail_ns && broken(plan, &p))
        word = RUN_WORD_GIVE_UP;
    else if (load->duration_auto && search_enough(&p, plan))
        word = RUN_WORD_ENOUGH;
    stage_data_clear(&d);
    return word;
}
