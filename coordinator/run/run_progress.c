/* What a run says of itself. */
#include <string.h>

#include "coordinator/run/run.h"
#include "coordinator/run/run_impl.h"

static const char *const STATE_NAMES[] = {"gather", "probe", "arm", "load", "drain", "pause", "close", "over"};

const char *run_state_name(enum run_state s)
{
    return s < RUN_STATE_N ? STATE_NAMES[s] : "?";
}
enum run_state run_state(const struct run *r)
{
    return r->state;
}
const struct err *run_error(const struct run *r)
{
    return &r->err;
}
int run_signal(const struct run *r)
{
    return r->signal;
}
uint32_t run_loading(const struct run *r)
{
    return r->attempt && r->attempt->t0_ns ? r->attempt->epoch : 0;
}
bool run_incomplete(const struct run *r)
{
    return r->incomplete;
}

void run_progress(const struct run *r, int64_t now, struct run_progress *ret)
{
    memset(ret, 0, sizeof *ret);
    ret->state = r->state;
    ret->attempt = r->attempt;
    ret->agents_wanted = r->wanted;
    ret->fence_left_ns = r->fence_ns > now ? r->fence_ns - now : 0;
    for (size_t i = 0; i < registry_count(r->agents); i++) {
        const struct agent *a = registry_at(r->agents, i);
        ret->agents += agent_alive(a);
        ret->agents_ready += agent_alive(a) && a->state >= AGENT_IDLE;
    }
    if (!r->attempt || !r->attempt->t0_ns) return;
    ret->elapsed_ns = now - r->attempt->t0_ns;
    merge_live(r->attempt->merge, &ret->live);
}
