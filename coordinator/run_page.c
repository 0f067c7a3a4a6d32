#include "coordinator/run_page.h"

#include <math.h>
#include <stdio.h>

#include "coordinator/run/run.h"
#include "coordinator/sinks.h"

int run_page_open(struct run_page *p, const char *address, struct err *e)
{
    *p = (struct run_page){0};
    if (!address) return 0;
    p->status = status_open(address, e);
    return p->status ? 0 : -1;
}

void run_page_close(struct run_page *p)
{
    status_close(&p->status);
}

void run_page_ready(struct run_page *p, bool ready, const char *reason)
{
    status_ready(p->status, ready, reason);
}

static int stage_end(void *arg, const struct stage_data *s, struct err *e)
{
    struct run_page *p = arg;
    (void)e;
    prom_totals_see(&p->totals, s->counters);
    prom_totals_end(&p->totals);
    return 0;
}

static int begin(void *arg, const struct run_data *meta, struct err *e)
{
    for (size_t i = 0; i < meta->n_stages; i++)
        (void)stage_end(arg, &meta->stages[i], e);
    return 0;
}

static void put_live(struct buf *out, const struct run_progress *progress)
{
    bool runs = progress->attempt && progress->attempt->t0_ns;
    prom_gauge(out, "stage_epoch", "attempt at a stage that runs; 0 between stages",
               runs ? progress->attempt->epoch : 0);
    prom_gauge(out, "stage_elapsed_seconds", "since the start of the stage",
               runs ? (double)progress->elapsed_ns / 1e9 : 0);
    prom_gauge(out, "stage_concurrency", "requests in flight asked for, over all agents; 0 in open loop",
               runs && progress->attempt->step.load.kind == LOAD_CLOSED ? progress->attempt->step.load.concurrency : 0);
    prom_gauge(out, "stage_rate", "requests per second asked for at the start of the stage; 0 in closed loop",
               runs && progress->attempt->step.load.kind != LOAD_CLOSED ? progress->attempt->step.load.rate_from : 0);
    prom_gauge(out, "requests_in_flight", "requests sent and not ended, over all agents",
               (double)progress->live.in_flight);
    prom_gauge(out, "requests_waiting", "requests due and not sent, over all agents", (double)progress->live.waiting);
    prom_gauge(out, "tokens_per_second", "output tokens of the last full second", progress->live.tokens_per_s);
    prom_gauge(out, "ttft_p50_seconds", "first token - sent, of the stage so far",
               prom_quantile(progress->live.ttft, 0.5));
    prom_gauge(out, "ttft_p99_seconds", "first token - sent, of the stage so far",
               prom_quantile(progress->live.ttft, 0.99));
    prom_gauge(out, "itl_p99_seconds", "gap between tokens, of the stage so far",
               prom_quantile(progress->live.itl, 0.99));
    prom_gauge(out, "lag_p99_seconds", "a token's wait between kernel and agent, of the stage so far",
               prom_quantile(progress->live.lag, 0.99));
    prom_gauge(out, "lateness_p99_seconds", "sent - due, of the stage so far",
               prom_quantile(progress->live.lateness, 0.99));
}

static void publish(void *arg, const struct sink_view *v)
{
    struct run_page *p = arg;
    if (!p->status) return;
    struct buf out = BUF_INIT(PROM_PAGE_MAX);
    struct run_progress progress;
    const char *states[RUN_STATE_N];
    for (unsigned i = 0; i < RUN_STATE_N; i++)
        states[i] = run_state_name((enum run_state)i);
    run_progress(v->run, v->now, &progress);
    if (progress.attempt && progress.attempt->t0_ns) prom_totals_see(&p->totals, progress.live.counters);
    prom_family(&out, "build_info", "gauge", "always 1; the version of this program");
    prom_sample(&out, "build_info", "version", PLATEAU_VERSION, 1);
    prom_state(&out, states, RUN_STATE_N, (unsigned)progress.state);
    prom_gauge(&out, "agents", "agents that are connected", (double)progress.agents);
    prom_gauge(&out, "agents_ready", "agents that have the plan", (double)progress.agents_ready);
    prom_gauge(&out, "stage", "stage of the run, from 1; 0 before the first", (double)v->step);
    prom_gauge(&out, "stages_planned", "stages of the plan, repeats included; 0 in a search", (double)v->steps);
    put_live(&out, &progress);
    prom_put_totals(&out, &p->totals);
    if (!out.bad) status_publish(p->status, buf_str(&out));
    buf_clear(&out);
}

static void tick(void *arg, const struct sink_view *v)
{
    struct run_page *p = arg;
    if (v->now < p->next_ns) return;
    p->next_ns = v->now + NS_PER_S;
    publish(p, v);
}

const struct sink_kind SINK_STATUS = {
    .name = "status page", .begin = begin, .stage_end = stage_end, .tick = tick, .over = publish};
