#include "coordinator/watch.h"

#include <math.h>

#include "coordinator/answer/gates.h"
#include "coordinator/answer/search.h"
#include "coordinator/answer/steady_pass.h"

#define FIRST_NS (5 * NS_PER_S)
#define GROW 1.4
#define LOOKS 20 /* for a steady window, within its length */

/* Is a gate broken clear of chance? */
static bool broken(const struct plan *plan, const struct point *p)
{
    for (size_t i = 0; i < plan->n_gates; i++) {
        struct gate_outcome o;
        gate_check(&plan->gates[i], p, &o);
        if (o.result == GATE_FAIL && gate_is_clear(&o, p) && !o.no_memory) return true;
    }
    return false;
}

bool watch_may_abort(const struct plan *plan)
{
    bool one = plan->search.goal == SEARCH_NONE && plan->n_stages == 1;
    return plan->abort_on_fail_ns > 0 && (one || !gates_any(plan));
}

/* The first window that is long enough ends the stage: the search for it is the same as that of the report. */
static bool is_steady(const struct plan *plan, const struct attempt *s)
{
    struct stage_data d;
    struct steady_pass w;
    if (merge_peek(s->merge, &d, NULL)) return false;
    steady_pass_of(&d, plan, &w);
    stage_data_clear(&d);
    return w.any && w.at.status == SUPER_PASS_WINDOWABLE;
}

enum run_word watch_stage_word(struct watch *w, const struct plan *plan, const struct attempt *s, int64_t elapsed_ns)
{
    const struct plan_stage *load = &s->step.load;
    bool may_abort = watch_may_abort(plan);
    enum run_word word = RUN_WORD_ON;
    if (!load->duration_auto && !load->steady_ns && !may_abort) return RUN_WORD_ON;
    if (w->epoch != s->epoch)
        *w = (struct watch){.epoch = s->epoch,
                            .next_ns = load->warmup_ns + FIRST_NS,
                            .steady_next_ns = load->warmup_ns + load->steady_ns};
    if (load->steady_ns && elapsed_ns >= w->steady_next_ns) {
        w->steady_next_ns = elapsed_ns + (load->steady_ns / LOOKS > NS_PER_S ? load->steady_ns / LOOKS : NS_PER_S);
        if (is_steady(plan, s)) return RUN_WORD_ENOUGH;
    }
    if (elapsed_ns < w->next_ns) return RUN_WORD_ON;
    w->next_ns = load->warmup_ns + (int64_t)ceil((double)(elapsed_ns - load->warmup_ns) * GROW);
    if (!load->duration_auto && !may_abort) return RUN_WORD_ON;
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
