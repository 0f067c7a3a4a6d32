#include "coordinator/data.h"

#include <stdlib.h>
#include <string.h>

static void hists_clear(struct hist *hist[METRIC_N])
{
    for (int i = 0; i < METRIC_N; i++)
        hist_destroy(&hist[i]);
}

int packed_hist_set(struct packed_hist *p, const void *bytes, size_t n)
{
    uint8_t *copy = n ? malloc(n) : NULL;
    if (n && !copy) return -1;
    if (n) memcpy(copy, bytes, n);
    free(p->bytes);
    *p = (struct packed_hist){copy, n};
    return 0;
}

int packed_hist_add_to(const struct packed_hist *p, struct hist *to, struct err *e)
{
    return p->n ? hist_decode_add(to, p->bytes, p->n, e) : 0;
}

struct hist *packed_hist_unpack(const struct packed_hist *p)
{
    struct hist *h = p->n ? hist_new() : NULL;
    struct err e;
    if (h && packed_hist_add_to(p, h, &e)) hist_destroy(&h);
    return h;
}

void packed_hist_clear(struct packed_hist *p)
{
    free(p->bytes);
    *p = (struct packed_hist){0};
}

void stage_data_clear(struct stage_data *s)
{
    if (!s) return;
    hists_clear(s->hist);
    groups_clear(&s->groups);
    for (size_t i = 0; i < s->n_agents; i++)
        for (int k = 0; k < METRIC_N; k++)
            packed_hist_clear(&s->agents[i].hist[k]);
    for (size_t i = 0; i < s->n_blocks; i++) {
        hist_destroy(&s->blocks[i].itl);
        hist_destroy(&s->blocks[i].chunk_gap);
        hist_destroy(&s->blocks[i].ttft);
        hist_destroy(&s->blocks[i].tpot);
    }
    free(s->agents);
    free(s->series);
    free(s->blocks);
    free(s->server);
    *s = (struct stage_data){0};
}

void run_data_clear(struct run_data *r)
{
    if (!r) return;
    for (size_t i = 0; i < r->n_stages; i++)
        stage_data_clear(&r->stages[i]);
    if (r->plan) plan_destroy(&r->plan);
    buf_clear(&r->plan_text);
    free(r->agents);
    free(r->events);
    free(r->stages);
    *r = (struct run_data){0};
}

bool run_data_finished(const struct run_data *r)
{
    bool finished = false;
    for (size_t i = 0; i < r->n_events; i++)
        finished |= r->events[i].kind < RUN_EVENT_N && RUN_EVENTS[r->events[i].kind].finished;
    return finished;
}

const char *run_data_error(const struct run_data *r)
{
    const struct run_event *last = NULL;
    for (size_t i = 0; i < r->n_events; i++) {
        if (r->events[i].kind == RUN_EVENT_AGENT_JOINED) last = NULL;
        if (r->events[i].kind == RUN_EVENT_ERROR) last = &r->events[i];
    }
    return last ? last->text : NULL;
}
