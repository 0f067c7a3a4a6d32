#include "agent/transport/transport.h"

#include <string.h>

#include "agent/transport/kind.h"
#include "agent/transport/tls.h"
#include "common/clock.h"

int transport_init(struct transport *t, const struct target *target, const struct transport_calls *calls,
                   const struct transport_options *o, struct err *e)
{
    memset(t, 0, sizeof *t);
    t->kind = o->kind;
    t->other = o->other;
    t->target = target;
    t->calls = calls;
    t->epoll = o->epoll;
    t->stamps = o->stamps;
    t->timer = INT64_MAX;
    t->now = clock_mono_ns();
    (void)stamp_clock_sample(&t->clock);
    if (target->url.tls && !(t->tls = tls_new(target, e))) return -1;
    return t->kind->init(t, e);
}

void transport_clear(struct transport *t)
{
    t->kind->clear(t);
    tls_destroy(&t->tls);
    memset(t, 0, sizeof *t);
}

const char *transport_http(const struct transport *t)
{
    return t->kind->http;
}

const char *transport_tls(const struct transport *t)
{
    return t->tls ? tls_version(t->tls) : NULL;
}

uint32_t transport_connections(const struct transport *t, uint32_t requests)
{
    return t->kind->connections(t, requests);
}

int transport_prepared(struct transport *t, struct err *e)
{
    return t->kind->prepared(t, e);
}

void transfer_init(struct transfer *x, struct transport *t, void *owner, uint32_t address)
{
    *x = (struct transfer){.tr = t, .owner = owner, .address = address};
}

void transfer_clear(struct transfer *x)
{
    if (x->tr) transport_abort(x);
    memset(x, 0, sizeof *x);
}

void transport_start(struct transport *t, struct transfer *x, const struct payload *body)
{
    x->open = true;
    x->begun = false;
    x->kept = false;
    x->status = 0;
    x->dns_ns = x->tcp_ns = x->tls_ns = -1;
    x->written = 0;
    x->why = NULL;
    t->arrival = 0;
    t->delivered = false;
    t->now = clock_mono_ns();
    t->kind->start(x, body);
}

void transport_keep(struct transport *t, uint64_t own, uint32_t most)
{
    if (t->kind->keep) t->kind->keep(t, own, most);
}

void transport_abort(struct transfer *x)
{
    if (!x->open) return;
    x->tr->kind->abort(x);
    x->open = false;
    x->state = NULL;
}

void transport_ready(struct transport *t, uint64_t data, uint32_t events, int64_t now)
{
    t->now = now;
    t->arrival = 0;
    t->delivered = false;
    t->kind->ready(t, data, events);
}

void transport_tick(struct transport *t, int64_t now)
{
    if (t->stamps && now - t->clock.sampled_at >= STAMP_REFRESH_NS) (void)stamp_clock_sample(&t->clock);
    if (now < t->timer) return;
    t->now = now;
    t->arrival = 0;
    t->kind->tick(t, now);
}
