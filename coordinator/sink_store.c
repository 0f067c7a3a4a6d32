/* The run's file as a follower of the run: all that happens is written as it happens. `arg` is the open store. */
#include "coordinator/sinks.h"
#include "coordinator/store/store.h"

static int begin(void *arg, const struct run_data *meta, struct err *e)
{
    bool wanted = meta->plan && plan_recorded(meta->plan) > 0;
    return store_keep_requests(arg, wanted ? meta->plan->record_rows : 0, e);
}

static int stage_begin(void *arg, const struct stage_data *s, struct err *e)
{
    return store_stage_begin(arg, s, e);
}

static int snapshot(void *arg, const struct sink_snapshot *s, struct err *e)
{
    return store_snapshot(arg, s->stage, s->repeat, s->epoch, s->agent, s->seq, s->bytes, s->n, e);
}

#define ROWS_A_TURN 1000u /* about 5 ms */

static int stage_more(void *arg, const struct stage_data *s, struct err *e)
{
    return store_stage_save(arg, s, store_saving_of(arg), ROWS_A_TURN, e);
}

static int stage_end(void *arg, const struct stage_data *s, struct err *e)
{
    *store_saving_of(arg) = (struct store_saving){0};
    return stage_more(arg, s, e) < 0 ? -1 : 0;
}

static int agent(void *arg, const struct run_agent *a, struct err *e)
{
    return store_agent(arg, a, e);
}

static int event(void *arg, enum run_event_kind kind, const char *text, struct err *e)
{
    return store_event(arg, kind, text, e);
}

static int server(void *arg, int64_t wall_ns, const struct server_sample *s, struct err *e)
{
    return store_server(arg, wall_ns, s, e);
}

static void tick(void *arg, const struct sink_view *v)
{
    (void)v;
    store_settle(arg);
}

const struct sink_kind SINK_STORE = {.name = "store",
                                     .begin = begin,
                                     .stage_begin = stage_begin,
                                     .snapshot = snapshot,
                                     .stage_end = stage_end,
                                     .stage_more = stage_more,
                                     .agent = agent,
                                     .event = event,
                                     .server = server,
                                     .tick = tick};
