#include "agent/page.h"

#include <math.h>
#include <stdio.h>
#include <time.h>

#include "agent/host.h"
#include "common/clock.h"

int page_open(struct page *p, const char *address, bool stands_by, struct err *e)
{
    *p = (struct page){
        .stands_by = stands_by, .lag_p99_s = (double)NAN, .lateness_p99_s = (double)NAN, .ttft_p99_s = (double)NAN};
    if (!address) return 0;
    p->status = status_open(address, e);
    return p->status ? 0 : -1;
}

void page_close(struct page *p)
{
    status_close(&p->status);
}

void page_event(struct page *p, const struct engine_event *ev)
{
    if (!p->status) return;
    if (ev->kind == ENGINE_SNAPSHOT && ev->snapshot) {
        const struct snapshot *s = ev->snapshot;
        prom_totals_see(&p->totals, s->counters);
        p->in_flight = s->in_flight;
        p->waiting = s->waiting;
        p->lag_p99_s = prom_quantile(s->hist[METRIC_LAG], 0.99);
        p->lateness_p99_s = prom_quantile(s->hist[METRIC_LATENESS], 0.99);
        p->ttft_p99_s = prom_quantile(s->hist[METRIC_TTFT], 0.99);
    } else if (ev->kind == ENGINE_DONE) {
        prom_totals_end(&p->totals);
        p->in_flight = p->waiting = 0;
    }
}

static double cpu_seconds(void)
{
    struct timespec t = {0};
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void write_page(const struct page *p, const struct session *s, const char *name, uint32_t workers,
                       struct buf *out)
{
    const char *states[SESSION_STATE_N];
    for (unsigned i = 0; i < SESSION_STATE_N; i++)
        states[i] = session_state_name((enum session_state)i);
    prom_family(out, "agent_info", "gauge", "always 1; the name of this agent");
    prom_sample(out, "agent_info", "name", name, 1);
    prom_family(out, "build_info", "gauge", "always 1; the version of this program");
    prom_sample(out, "build_info", "version", PLATEAU_VERSION, 1);
    prom_state(out, states, SESSION_STATE_N, (unsigned)session_state(s));
    prom_gauge(out, "connected", "1 when a coordinator has welcomed this agent", session_state(s) != SESSION_DIAL);
    prom_gauge(out, "workers", "worker threads", workers);
    prom_gauge(out, "requests_in_flight", "requests sent and not ended", (double)p->in_flight);
    prom_gauge(out, "requests_waiting", "requests due and not sent", (double)p->waiting);
    prom_put_totals(out, &p->totals);
    prom_gauge(out, "lag_p99_seconds", "a token's wait between the kernel and the agent, p99 of the last second",
               p->lag_p99_s);
    prom_gauge(out, "lateness_p99_seconds", "sent - due, p99 of the last second", p->lateness_p99_s);
    prom_gauge(out, "ttft_p99_seconds", "first token - sent, p99 of the last second", p->ttft_p99_s);
    prom_gauge(out, "snapshots_unacknowledged", "snapshots that the coordinator has not confirmed",
               (double)session_unacknowledged(s));
    prom_counter(out, "cpu_seconds_total", "CPU time of the whole process", cpu_seconds());
    prom_counter(out, "cgroup_throttled_periods_total", "CFS periods in which this container was throttled, ever",
                 (double)host_throttled());
}

void page_tick(struct page *p, const struct session *s, const char *name, uint32_t workers, int64_t now)
{
    if (!p->status || now < p->next_ns) return;
    struct buf out = BUF_INIT(PROM_PAGE_MAX);
    bool dials = session_state(s) == SESSION_DIAL;
    p->next_ns = now + NS_PER_S;
    if (dials)
        status_ready(p->status, p->stands_by, p->stands_by ? "stands by" : "no coordinator is heard");
    else
        status_ready(p->status, true, session_state_name(session_state(s)));
    write_page(p, s, name, workers, &out);
    if (!out.bad) status_publish(p->status, buf_str(&out));
    buf_clear(&out);
}
