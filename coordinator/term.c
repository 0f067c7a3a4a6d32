#include "coordinator/term.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "coordinator/sinks.h"

#define TTY_NS (1 * NS_PER_S)
#define PLAIN_NS (5 * NS_PER_S)

void term_init(struct term *t, FILE *out)
{
    *t = (struct term){.out = out, .tty = isatty(fileno(out)) == 1};
}

static void load_words(const struct plan_stage *s, char *ret, size_t n)
{
    if (s->kind == LOAD_CLOSED)
        (void)snprintf(ret, n, "concurrency %" PRIu32, s->concurrency);
    else if (s->rate_from < s->rate_to || s->rate_from > s->rate_to)
        (void)snprintf(ret, n, "%g to %g requests/s", s->rate_from, s->rate_to);
    else
        (void)snprintf(ret, n, "%g requests/s", s->rate_from);
}

static int waiting_line(const struct run_progress *p, char *ret, size_t n)
{
    if (p->agents_ready >= p->agents_wanted && p->fence_left_ns > 0)
        return snprintf(ret, n,
                        "%zu agents are here; waiting %.0f s more, until no load of the earlier attempt can be left",
                        p->agents_ready, (double)p->fence_left_ns / 1e9);
    return snprintf(ret, n, "waiting for agents: %zu of %" PRIu32 "%s%s%s", p->agents_ready, p->agents_wanted,
                    p->endpoint ? " (plateau-agent --connect " : "", p->endpoint ? p->endpoint : "",
                    p->endpoint ? ")" : "");
}

int term_line(const struct run_progress *p, uint64_t step, uint64_t steps, char *ret, size_t n)
{
    char load[64], of[32] = "", latency[64] = "";
    if (p->state == RUN_GATHER) return waiting_line(p, ret, n);
    if (!p->stage || p->stage->t0_ns == 0)
        return snprintf(ret, n, "between stages: %zu agents, %zu of them ready", p->agents, p->agents_ready);
    if (steps) (void)snprintf(of, sizeof of, " of %" PRIu64, steps);
    load_words(&p->stage->step.load, load, sizeof load);
    const struct merge_live *l = &p->live;
    if (l->ttft && l->ttft->count)
        (void)snprintf(latency, sizeof latency, "  ttft p50 %.0f ms p99 %.0f ms",
                       (double)hist_quantile(l->ttft, 0.5) / 1e6, (double)hist_quantile(l->ttft, 0.99) / 1e6);
    return snprintf(
        ret, n,
        "stage %" PRIu64 "%s  %s  %.0f s  %" PRIu64 " in flight  %.0f token/s  %" PRIu64 " ok  %" PRIu64 " failed%s%s",
        step, of, load, p->elapsed_ns > 0 ? (double)p->elapsed_ns / 1e9 : 0.0, l->in_flight, l->tokens_per_s,
        l->counters[COUNTER_OK], counters_failed(l->counters), latency, p->state == RUN_DRAIN ? "  ending" : "");
}

/* Before anything else is printed. */
static void line_clear(struct term *t)
{
    if (t->dirty) fputs("\r\x1b[K", t->out);
    t->dirty = false;
    (void)fflush(t->out);
}

static void tick(void *arg, const struct sink_view *v)
{
    struct term *t = arg;
    struct run_progress p;
    char line[300];
    uint32_t epoch = run_loading(v->run);
    if (run_state(v->run) >= RUN_CLOSE || (v->now < t->next_ns && (epoch == 0 || epoch == t->epoch))) return;
    t->next_ns = v->now + (t->tty ? TTY_NS : PLAIN_NS);
    t->epoch = epoch;
    run_progress(v->run, v->now, &p);
    p.endpoint = t->endpoint;
    (void)term_line(&p, v->step, v->steps, line, sizeof line);
    if (log_is_json())
        log_info("%s", line);
    else if (t->tty)
        fprintf(t->out, "\r\x1b[K%s", line);
    else
        fprintf(t->out, "%s\n", line);
    t->dirty = t->tty && !log_is_json();
    (void)fflush(t->out);
}

static int event(void *arg, const char *kind, const char *text, struct err *e)
{
    bool quiet = strcmp(kind, "agent_joined") == 0 || strcmp(kind, "agent_back") == 0;
    (void)e;
    line_clear(arg);
    if (quiet)
        log_info("%s: %s", kind, text);
    else
        log_warn("%s: %s", kind, text);
    return 0;
}

static void over(void *arg, const struct sink_view *v)
{
    (void)v;
    line_clear(arg);
}

const struct sink_kind SINK_TERM = {.name = "terminal", .event = event, .tick = tick, .over = over};
