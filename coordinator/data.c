#include "coordinator/data.h"

#include <stdlib.h>

static void hists_clear(struct hist *hist[METRIC_N])
{
    for (int i = 0; i < METRIC_N; i++)
        hist_destroy(&hist[i]);
}

void stage_data_clear(struct stage_data *s)
{
    if (!s) return;
    hists_clear(s->hist);
    for (size_t i = 0; i < s->n_agents; i++)
        hists_clear(s->agents[i].hist);
    for (size_t i = 0; i < s->n_blocks; i++) {
        hist_destroy(&s->blocks[i].itl);
        hist_destroy(&s->blocks[i].chunk_gap);
        hist_destroy(&s->blocks[i].ttft);
    }
    free(s->agents);
    free(s->series);
    free(s->blocks);
    *s = (struct stage_data){0};
}

void run_data_clear(struct run_data *r)
{
    if (!r) return;
    for (size_t i = 0; i < r->n_stages; i++)
        stage_data_clear(&r->stages[i]);
    if (r->plan) plan_destroy(&r->plan);
    buf_free(&r->plan_text);
    free(r->agents);
    free(r->events);
    free(r->stages);
    *r = (struct run_data){0};
}
