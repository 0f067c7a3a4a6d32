#include "common/prom.h"

#include <math.h>
#include <string.h>

void prom_family(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_printf(out, "# HELP plateau_%s %s\n# TYPE plateau_%s %s\n", name, help, name, type);
}

static void put_escaped(struct buf *out, const char *value)
{
    for (; *value; value++) {
        if (*value == '\n')
            buf_puts(out, "\\n");
        else {
            if (*value == '"' || *value == '\\') buf_putc(out, '\\');
            buf_putc(out, *value);
        }
    }
}

void prom_sample(struct buf *out, const char *name, const char *label, const char *value, double v)
{
    buf_printf(out, "plateau_%s", name);
    if (label) {
        buf_printf(out, "{%s=\"", label);
        put_escaped(out, value);
        buf_puts(out, "\"}");
    }
    if (isnan(v))
        buf_puts(out, " NaN\n");
    else
        buf_printf(out, " %.15g\n", v);
}

void prom_gauge(struct buf *out, const char *name, const char *help, double v)
{
    prom_family(out, name, "gauge", help);
    prom_sample(out, name, NULL, NULL, v);
}

void prom_counter(struct buf *out, const char *name, const char *help, double v)
{
    prom_family(out, name, "counter", help);
    prom_sample(out, name, NULL, NULL, v);
}

void prom_state(struct buf *out, const char *const *names, unsigned n, unsigned now)
{
    prom_family(out, "state", "gauge", "1 for the state it is in");
    for (unsigned i = 0; i < n; i++)
        prom_sample(out, "state", "state", names[i], i == now);
}

void prom_totals_see(struct prom_totals *t, const uint64_t counters[COUNTER_N])
{
    memcpy(t->stage, counters, sizeof t->stage);
}

void prom_totals_end(struct prom_totals *t)
{
    for (unsigned i = 0; i < COUNTER_N; i++)
        t->before[i] += t->stage[i];
    memset(t->stage, 0, sizeof t->stage);
    t->stages++;
}

uint64_t prom_total(const struct prom_totals *t, enum counter c)
{
    return t->before[c] + t->stage[c];
}

double prom_quantile(const struct hist *h, double q)
{
    return h && h->count ? (double)hist_quantile(h, q) / 1e9 : (double)NAN;
}

static double total(const struct prom_totals *t, enum counter c)
{
    return (double)prom_total(t, c);
}

void prom_put_totals(struct buf *out, const struct prom_totals *t)
{
    prom_counter(out, "requests_due_total", "requests that became due", total(t, COUNTER_DUE));
    prom_counter(out, "requests_sent_total", "requests handed to the transport", total(t, COUNTER_SENT));
    prom_family(out, "requests_total", "counter", "requests that ended, by outcome");
    prom_sample(out, "requests_total", "outcome", "ok", total(t, COUNTER_OK));
    for (unsigned c = COUNTER_FAILED_FIRST; c <= COUNTER_FAILED_LAST; c++)
        prom_sample(out, "requests_total", "outcome", COUNTERS[c].name, total(t, (enum counter)c));
    prom_sample(out, "requests_total", "outcome", "cancelled", total(t, COUNTER_CANCELLED));
    prom_sample(out, "requests_total", "outcome", "aborted", total(t, COUNTER_ABORTED));
    prom_counter(out, "token_events_total", "token events received", total(t, COUNTER_EVENTS));
    prom_counter(out, "tokens_total", "output tokens of ok requests", total(t, COUNTER_TOKENS));
    prom_counter(out, "received_bytes_total", "bytes of response bodies", total(t, COUNTER_BYTES_IN));
    prom_counter(out, "connections_total", "new connections", total(t, COUNTER_CONNECTIONS));
    prom_counter(out, "dropped_total", "records or messages dropped; must be 0", total(t, COUNTER_DROPPED));
    prom_counter(out, "worker_cpu_seconds_total", "CPU time of the worker threads", total(t, COUNTER_CPU_NS) / 1e9);
    prom_counter(out, "worker_runqueue_seconds_total", "time the worker threads waited for a CPU",
                 total(t, COUNTER_RUNQ_NS) / 1e9);
    prom_counter(out, "throttled_periods_total", "CFS periods of stages in which the cgroup was throttled",
                 total(t, COUNTER_THROTTLED));
    prom_counter(out, "stages_total", "stages that have ended, attempts that were run again included",
                 (double)t->stages);
}
