/* What is left to do of a run, a new one or one that continues: todo_next is what is run next, from the plan's own
 * order (steps.h) or from its search (search.h). Pure. */
#pragma once
#include "coordinator/data.h"
#include "coordinator/answer/leftover.h"
#include "coordinator/answer/search.h"
#include "coordinator/steps.h"

/* What is left to do. Of a new run: everything. `past` and its plan are borrowed. */
struct todo {
    struct steps steps;
    struct search *search; /* NULL: the plan's stages */
    uint32_t searched;     /* stages that the search has asked for */
    struct leftover last;  /* what the stages told to it left open */
    uint64_t before;       /* requests that went out: see todo_sent */
};
/* The points of finished stages are given to the search again. ERR_USAGE when they are not what it would have asked
 * for.
 */
ERR_CHECKED int todo_init(struct todo *t, const struct run_data *past, struct err *e);
void todo_clear(struct todo *t);
bool todo_next(struct todo *t, struct run_step *ret); /* false: the run is complete */
/* A stage that has ended and counts, and what point_judge_agents has found of it: for a search. ERR_NOMEM: it must not
 * choose by a point that lacks a figure. */
ERR_CHECKED int todo_tell(struct todo *t, const struct plan *plan, const struct stage_data *s,
                          const struct point_agents *judged, struct err *e);
/* A stage has ended, whether it counts or not: later ones are told how many requests went out before them. A file
 * begins anew with each stage, so that the longest counts; prompts that are made up are others in each. */
void todo_sent(struct todo *t, const struct plan *plan, const struct stage_data *s);
uint64_t todo_begun(const struct todo *t);
uint64_t todo_all(const struct todo *t); /* 0: not known beforehand */

/* Whether nothing is left to do: 1 or 0, -1 with an error. */
ERR_CHECKED int todo_is_over(const struct run_data *past, struct err *e);
/* Whether this program can continue it: the same version, the same plan. */
ERR_CHECKED int todo_can_continue(const struct run_data *past, const char *dir, const char *version, struct err *e);
