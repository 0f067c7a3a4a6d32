#include "coordinator/todo.h"

#include <stdlib.h>
#include <string.h>

#include "coordinator/answer/point.h"

#define NO_MEMORY "no memory for the points of the run: the search cannot choose its next load"

/* Each stage of a search depends on those before it: the search continues at the first that was cut short. */
static int replay(struct todo *t, const struct run_data *past, struct err *e)
{
    size_t n = 0;
    struct point *p = calloc(past->n_stages + 1, sizeof *p);
    if (!p) return err_set(e, ERR_NOMEM, NO_MEMORY);
    while (n < past->n_stages && !past->stages[n].aborted) {
        point_compute(&past->stages[n], past->plan, &p[n]);
        leftover_tell(&t->last, past->plan, &p[n]);
        n++;
    }
    struct search_outcome o;
    size_t told = search_replay(t->search, p, n);
    search_result(t->search, &o);
    free(p);
    if (o.no_memory) return err_set(e, ERR_NOMEM, NO_MEMORY);
    if (told < n)
        return err_set(e, ERR_USAGE, "the search cannot continue: stage %zu is not the load it asks for now", told + 1);
    t->searched = (uint32_t)n;
    return 0;
}

int todo_init(struct todo *t, const struct run_data *past, struct err *e)
{
    *t = (struct todo){.steps = {.plan = past->plan, .past = past->stages, .n_past = past->n_stages}};
    for (size_t i = 0; i < past->n_stages; i++)
        todo_sent(t, past->plan, &past->stages[i]);
    if (past->plan->search.goal == SEARCH_NONE) return 0;
    t->search = search_new(past->plan, e);
    return t->search ? replay(t, past, e) : -1;
}

void todo_clear(struct todo *t)
{
    search_destroy(&t->search);
}

bool todo_next(struct todo *t, struct run_step *ret)
{
    ret->before = t->before;
    if (!t->search) return steps_next(&t->steps, ret);
    if (!search_next(t->search, &ret->load)) return false;
    ret->stage = t->searched++;
    ret->repeat = 0;
    return true;
}

int todo_tell(struct todo *t, const struct plan *plan, const struct stage_data *s, const struct point_agents *judged,
              struct err *e)
{
    struct point p;
    if (!t->search) return 0;
    point_judged(s, plan, judged, &p);
    leftover_tell(&t->last, plan, &p);
    return search_tell(t->search, &p) ? err_set(e, ERR_NOMEM, NO_MEMORY) : 0;
}

void todo_sent(struct todo *t, const struct plan *plan, const struct stage_data *s)
{
    uint64_t n = s->counters[plan_has_trees(plan) ? COUNTER_SESSIONS : COUNTER_SENT];
    bool file = false;
    for (size_t i = 0; i < plan->n_workloads; i++)
        file |= workload_reads_file(&plan->workloads[i]);
    if (!file)
        t->before += n;
    else if (n > t->before)
        t->before = n;
}

uint64_t todo_begun(const struct todo *t)
{
    return t->search ? t->searched : t->steps.at;
}

uint64_t todo_all(const struct todo *t)
{
    return t->search ? 0 : steps_count(t->steps.plan);
}

/* Before its last stage. */
static bool ended_on_purpose(const struct run_data *r)
{
    return run_data_finished(r) && r->ended_wall_ns != 0 && r->signal == 0;
}

int todo_is_over(const struct run_data *past, struct err *e)
{
    struct todo t;
    struct run_step step;
    if (ended_on_purpose(past)) return 1;
    int rc = todo_init(&t, past, e);
    bool more = rc == 0 && todo_next(&t, &step);
    todo_clear(&t);
    return rc ? -1 : !more;
}

int todo_can_continue(const struct run_data *past, const char *dir, const char *version, struct err *e)
{
    char hash[65];
    if (strcmp(past->version, version) != 0)
        return err_set(
            e, ERR_USAGE,
            "%.200s: was begun by plateau %s, this is %s: its stages would not be comparable; start a new run", dir,
            past->version, version);
    if (!past->plan) return err_set(e, ERR_USAGE, "%.200s: the run has no plan", dir);
    if (plan_hash(past->plan, hash)) return err_set(e, ERR_NOMEM, "no memory for the plan's hash");
    if (strcmp(hash, past->plan_hash) != 0)
        return err_set(e, ERR_USAGE, "%.200s: the plan in the run's file is not the one it began with", dir);
    return 0;
}
