#include "coordinator/answer/scenario.h"

#include <math.h>
#include <stdio.h>

#include "common/clock.h"
#include "common/human.h"
#include "common/plan/node.h"
#include "coordinator/answer/load_axis.h"
#include "coordinator/answer/teller.h"

#define WINDOW_S 900
#define IDLE_NS (10 * NS_PER_S)
#define OVER_CONTEXT 0.01
#define FAILED 0.1
#define ALIVE 0.95
#define TOLD 3 /* in the answer; summary.json has all */

const char *scenario_title(const struct plan *plan)
{
    return plan && plan->scenario == SCENARIO_AGENTX ? "AgentX" : NULL;
}

static void of_trace(const struct plan_data *d, const struct teller *t)
{
    char text[HUMAN_MAX];
    if (d->trace != TRACE_WEKA)
        teller_say(t, "the session trees are not those of kv-cache-tester (trace.format: weka)");
    if (!d->marker) teller_say(t, "a cache may know a tree from the play before (trace.marker: true marks each play)");
    if (d->start != START_RANDOM) teller_say(t, "lanes begin at the first request of their tree (trace.start: random)");
    if (!d->barrier) teller_say(t, "lanes do not go on from the warming of the cache together (trace.barrier: true)");
    if (d->max_idle_ns != IDLE_NS) teller_say(t, "pauses are not cut at 10 s (trace.max_idle: 10s)");
    if (d->max_think_ns) teller_say(t, "trace.max_think cuts pauses once more");
    if (d->speed < 1 || d->speed > 1)
        teller_say(t, "recorded pauses pass %s times as fast (trace.speed)", human_number(d->speed, text));
}

static void of_stages(const struct plan *plan, const struct teller *t)
{
    char text[HUMAN_MAX];
    double least = HUGE_VAL;
    bool by_count = false;
    for (size_t i = 0; i < plan->n_stages; i++) {
        const struct plan_stage *s = &plan->stages[i];
        double window = (double)(s->duration_ns - s->warmup_ns) / (double)NS_PER_S;
        by_count |= s->requests || s->passes || !s->duration_ns;
        if (s->duration_ns && window < least) least = window;
    }
    if (by_count) teller_say(t, "a stage ends by a count; the rules want a time, in which lanes take tree after tree");
    if (least < WINDOW_S)
        teller_say(t, "the window is %s s long, the rules ask for %d s", human_number(least, text), WINDOW_S);
}

static void of_plan(const struct plan *plan, const struct teller *t)
{
    const struct node *eos = plan->target.body_tree ? node_get(plan->target.body_tree, "ignore_eos") : NULL;
    const struct plan_workload *w = &plan->workloads[0];
    if (plan->n_workloads > 1 || !plan_workload_has_trees(w))
        teller_say(t, "the requests are not those of session trees alone (workload: {trace: {format: weka, …}})");
    else
        of_trace(&w->data, t);
    if (plan->target.whole) teller_say(t, "answers are not streamed (target.stream)");
    if (!eos || eos->kind != NODE_BOOL || !eos->flag)
        teller_say(t, "answers may end before their recorded length (target.body: {ignore_eos: true})");
    if (plan->cancel_fraction > 0) teller_say(t, "users go away before their answer has ended (load.cancel)");
    if (plan->retries.max) teller_say(t, "failed requests are sent again (load.retries)");
    of_stages(plan, t);
}

/* When the window's last token came, as a share of it; the series is of all agents together, by the second. */
static double alive(const struct point *p)
{
    double from = (double)p->requested.warmup_ns / (double)NS_PER_S, last = 0;
    for (size_t i = 0; i < p->data->n_series; i++) {
        const struct series_row *r = &p->data->series[i];
        double end = r->t_s + r->span_s - from;
        if (r->agent >= 0 || !(r->tokens > 0) || r->t_s - from > p->window_s) continue;
        if (end > last) last = end;
    }
    return last / p->window_s;
}

static void of_point(const struct point *p, const struct teller *t)
{
    const uint64_t *c = p->data->counters;
    uint64_t over = c[COUNTER_STATUS_400] + c[COUNTER_STATUS_413] + c[COUNTER_STATUS_422],
             failed = counters_failed(c) + p->window_unanswered;
    double ended = (double)(c[COUNTER_OK] + failed);
    char load[HUMAN_MAX], n[HUMAN_MAX], text[2 * HUMAN_MAX];
    (void)snprintf(text, sizeof text, "at %s lanes", human_number(load_asked(&p->requested), load));
    if (p->data->aborted) teller_say(t, "%s the stage was cut short", text);
    if (p->degraded) teller_say(t, "%s an agent was lost", text);
    if (ended > 0 && (double)over / ended > OVER_CONTEXT)
        teller_say(
            t,
            "%s %s of the requests were refused with status 400, 413 or 422, as prompts longer than the server's "
            "context are: more than 1 %%",
            text, human_percent((double)over / ended, n));
    if (ended > 0 && (double)failed / ended > FAILED)
        teller_say(t, "%s %s of the requests failed%s: more than 10 %%", text, human_percent((double)failed / ended, n),
                   p->window_unanswered ? " or were never answered" : "");
    if (p->window_s > 0 && p->data->n_series > 0 && alive(p) < ALIVE)
        teller_say(t, "%s no token came after %s of the window: the rules ask for life to its last twentieth", text,
                   human_percent(alive(p), n));
    if (c[COUNTER_LANES_LATE])
        teller_say(t, "%s the cache of %s was still being warmed when the window began", text,
                   human_things((double)c[COUNTER_LANES_LATE], "lane", (char[HUMAN_THINGS_MAX]){0}));
}

void scenario_deviations(const struct plan *plan, const struct point *points, size_t n,
                         void (*tell)(void *arg, const char *sentence), void *arg)
{
    struct teller t = {tell, arg};
    if (!scenario_title(plan)) return;
    of_plan(plan, &t);
    if (points && n < plan->n_stages * plan->repeats) teller_say(&t, "the run ended before all its stages were done");
    for (size_t i = 0; points && i < n; i++)
        if (points[i].data) of_point(&points[i], &t);
}

struct telling {
    struct buf *out;
    const char *title;
    uint32_t n;
};
static void put_deviation(void *arg, const char *sentence)
{
    struct telling *t = arg;
    if (t->n == 0) (void)buf_printf(t->out, "Not to the rules of %s: ", t->title);
    if (t->n < TOLD) (void)buf_printf(t->out, "%s%s", t->n ? "; " : "", sentence);
    t->n++;
}

const char *scenario_words(const struct plan *plan, const struct point *points, size_t n, char *ret, size_t size)
{
    struct buf out = BUF_INIT(4096);
    struct telling t = {&out, scenario_title(plan), 0};
    ret[0] = '\0';
    if (!t.title || n == 0) return ret;
    scenario_deviations(plan, points, n, put_deviation, &t);
    if (t.n == 0) (void)buf_printf(&out, "To the rules of %s", t.title);
    if (t.n > TOLD) (void)buf_printf(&out, "; and %u more", t.n - TOLD);
    (void)snprintf(ret, size, "%s. ", buf_str(&out));
    buf_clear(&out);
    return ret;
}
