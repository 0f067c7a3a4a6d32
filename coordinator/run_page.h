/* What the coordinator's status page says (--http): ready or why not, and the run's figures, published once a second
 * from the loop that drives the run. */
#pragma once
#include "common/prom.h"
#include "common/status.h"
#include "coordinator/run/run.h"

struct run_page {
    struct status *status; /* NULL: no page; every call does nothing then */
    struct prom_totals totals;
    int64_t next_ns;
};

ERR_CHECKED int run_page_open(struct run_page *p, const char *address, struct err *e); /* address NULL: no page */
void run_page_close(struct run_page *p);
void run_page_ready(struct run_page *p, bool ready, const char *reason);
void run_page_stage(struct run_page *p, const struct stage_data *s); /* a stage has ended */
/* `step` of `steps` stages has begun; steps 0: not known (a search). */
void run_page_tick(struct run_page *p, const struct run *r, uint64_t step, uint64_t steps, int64_t now);
/* The same at once, for the last words. */
void run_page_write(struct run_page *p, const struct run *r, uint64_t step, uint64_t steps, int64_t now);
