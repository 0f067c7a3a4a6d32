#include "coordinator/sink.h"

/* Calls `call` of every sink that has it; `failure` is where a sink writes its error, of which the first is kept. */
#define TELL_ALL(s, member, ...)                                                                                       \
    int rc = 0;                                                                                                        \
    struct err later, *failure = e;                                                                                    \
    for (size_t i = 0; i < (s)->n; i++) {                                                                              \
        const struct sink *to = &(s)->list[i];                                                                         \
        if (!to->kind->member || to->kind->member(to->arg, __VA_ARGS__, failure) == 0) continue;                       \
        rc = -1;                                                                                                       \
        failure = &later;                                                                                              \
    }                                                                                                                  \
    return rc

int sinks_begin(const struct sinks *s, const struct run_data *meta, struct err *e)
{
    TELL_ALL(s, begin, meta);
}
int sinks_stage_begin(const struct sinks *s, const struct stage_data *d, struct err *e)
{
    TELL_ALL(s, stage_begin, d);
}
int sinks_snapshot(const struct sinks *s, const struct sink_snapshot *snapshot, struct err *e)
{
    TELL_ALL(s, snapshot, snapshot);
}
int sinks_stage_end(const struct sinks *s, const struct stage_data *d, struct err *e)
{
    TELL_ALL(s, stage_end, d);
}
int sinks_stage_more(const struct sinks *s, const struct stage_data *d, struct err *e)
{
    for (size_t i = 0; i < s->n; i++) {
        const struct sink *to = &s->list[i];
        int rc = to->kind->stage_more ? to->kind->stage_more(to->arg, d, e) : 0;
        if (rc) return rc < 0 ? -1 : 1; /* one sink's piece is enough for a turn */
    }
    return 0;
}
int sinks_agent(const struct sinks *s, const struct run_agent *a, struct err *e)
{
    TELL_ALL(s, agent, a);
}
int sinks_event(const struct sinks *s, enum run_event_kind kind, const char *text, struct err *e)
{
    TELL_ALL(s, event, kind, text);
}
int sinks_server(const struct sinks *s, int64_t wall_ns, const struct server_sample *sample, struct err *e)
{
    TELL_ALL(s, server, wall_ns, sample);
}

void sinks_tick(const struct sinks *s, const struct sink_view *v)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->list[i].kind->tick) s->list[i].kind->tick(s->list[i].arg, v);
}

void sinks_over(const struct sinks *s, const struct sink_view *v)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->list[i].kind->over) s->list[i].kind->over(s->list[i].arg, v);
}
