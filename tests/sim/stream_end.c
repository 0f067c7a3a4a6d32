#include "tests/sim/fault.h"
#include "tests/sim/server.h"

void sim_stream_end(struct sim_server *v, struct sim_conn *c, const char *end, enum sim_finish finish)
{
    struct sim_stream *s = &c->stream;
    c->busy = false;
    v->busy--;
    v->metrics.finished[finish]++;
    sim_timer_clear(&v->timers, &c->token_timer);
    if (s->in_model) sim_model_cancel(v->model, s->handle);
    s->in_model = false;
    s->record.end = s->stalled ? sim_fault_name(SIM_FAULT_STALL) : end;
    v->lag_sum += s->record.lag_sum;
    if (s->record.lag_max > v->lag_max) v->lag_max = s->record.lag_max;
    if (v->truth && !s->frame.ask.probe)
        (void)sim_truth_add(v->truth, &s->record);
    else
        sim_record_clear(&s->record);
}
