#include "agent/row.h"

#include "common/rng.h"

enum { ROW_STREAM = 17 }; /* the rows' own branch of the stage's seed */

bool row_wanted(double part, uint64_t seed, uint32_t own, uint64_t number)
{
    struct rng rng;
    if (part >= 1) return true;
    if (!(part > 0)) return false;
    rng_seed(&rng, rng_mix(seed, ROW_STREAM, own, number));
    return rng_double(&rng) < part;
}

static int64_t after(int64_t due, int64_t moment)
{
    if (moment == 0) return REQUEST_NONE;
    return moment > due ? moment - due : 0;
}

/* TCP and TLS of a new connection. */
static int64_t connected(const struct timeline *t)
{
    if (t->tcp_ns < 0) return REQUEST_NONE;
    return t->tcp_ns + (t->dns_ns > 0 ? t->dns_ns : 0) + (t->tls_ns > 0 ? t->tls_ns : 0);
}

void row_put(struct snapshot *snap, const struct row_request *q, const struct stream *s, enum counter outcome,
             const char *address, int64_t ended)
{
    const struct timeline *t = &s->t;
    struct stream_tokens n;
    snap->counters[COUNTER_RECORDED]++;
    struct request_row *r = request_rows_new(&snap->requests);
    if (!r) return;
    stream_count(s, &n);
    *r = (struct request_row){
        .due = t->due - q->t0,
        .number = q->number,
        .workload = q->workload,
        .model = q->model,
        .session = q->session,
        .turn = q->turn,
        .tries = q->tries,
        .sent = after(t->due, q->sent_first ? q->sent_first : t->sent),
        .written = after(t->due, t->written),
        .first_byte = after(t->due, t->first_byte),
        .first_token = after(t->due, t->first_token),
        .first_content = after(t->due, t->first_content),
        .last_token = after(t->due, t->last_token),
        .done = after(t->due, t->done),
        .ended = after(t->due, ended),
        .connect = connected(t),
        .outcome = outcome,
        .status = q->status > 0 && q->status <= 999 ? (uint32_t)q->status : 0,
        .address =
            address ? (uint32_t)(per_address_row(&snap->addresses, address) - snap->addresses.row) : REQUEST_NOWHERE,
        .asked_input = s->prompt_tokens,
        .asked_output = s->asked_tokens,
        .input = n.input,
        .output = n.made,
        .cached = n.cached,
        .events = s->events,
    };
}
