/* What happened to two runs beside their plans, and what was measured in another way. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/human.h"
#include "common/text.h"
#include "coordinator/answer/compare.h"
#include "coordinator/answer/load_axis.h"

#define ERROR_MOST 200 /* bytes of the words of an error */
#define LENGTH_OFF 0.1 /* windows further apart than this are named */

__attribute__((format(printf, 2, 3))) static void add(char to[COMPARE_STATE], const char *fmt, ...)
{
    size_t n = strlen(to);
    va_list ap;
    if (n) n += (size_t)snprintf(to + n, COMPARE_STATE - n, "; ");
    if (n >= COMPARE_STATE) return;
    va_start(ap, fmt);
    (void)vsnprintf(to + n, COMPARE_STATE - n, fmt, ap);
    va_end(ap);
}

static size_t count_events(const struct run_data *r, enum run_event_kind k)
{
    size_t n = 0;
    for (size_t i = 0; i < r->n_events; i++)
        n += r->events[i].kind == k;
    return n;
}

/* How it ended. */
static void add_end(const struct run_data *r, char to[COMPARE_STATE])
{
    char words[ERROR_MOST + 4];
    const char *error = run_data_error(r);
    if (r->signal == 2)
        add(to, "it was ended by Ctrl-C");
    else if (r->signal)
        add(to, "it was ended by signal %d", r->signal);
    else if (error)
        add(to, "it ended with an error: %s", text_cut(error, ERROR_MOST, words));
    else if (run_data_finished(r))
        add(to, "slo.abort_on_fail ended it");
    else if (r->ended_wall_ns == 0)
        add(to, "it has not ended: it still runs, or its coordinator was killed");
}

/* Its stages are then not of one time. */
static void add_resumed(const struct run_data *r, char to[COMPARE_STATE])
{
    size_t n = count_events(r, RUN_EVENT_RESUMED);
    int64_t gap = 0;
    char times[HUMAN_THINGS_MAX], words[32];
    for (size_t i = 1; i < r->n_stages; i++)
        if (r->stages[i - 1].ended_wall_ns > 0 && r->stages[i].started_wall_ns - r->stages[i - 1].ended_wall_ns > gap)
            gap = r->stages[i].started_wall_ns - r->stages[i - 1].ended_wall_ns;
    if (!n) return;
    add(to, "it was interrupted and resumed%s%s", n > 1 ? " " : "",
        n > 1 ? human_things((double)n, "time", times) : "");
    if (gap >= NS_PER_S)
        add(to, "between two of its stages lie %s",
            clock_duration_text(gap / NS_PER_S * NS_PER_S, words, sizeof words));
}

static void add_agents(const struct run_data *r, char to[COMPARE_STATE])
{
    size_t n = 0, again = count_events(r, RUN_EVENT_STAGE_RETRY);
    const char *first = NULL;
    char things[HUMAN_THINGS_MAX];
    for (size_t i = 0; i < r->n_agents; i++) {
        if (!r->agents[i].lost) continue;
        if (n++ == 0) first = r->agents[i].name;
    }
    if (n)
        add(to, n > 1 ? "it lost %s, the first %.40s" : "it lost %s, %.40s", human_things((double)n, "agent", things),
            first);
    if (again) add(to, "%s run again", human_things((double)again, "stage", things));
}

static bool is_cut(const struct stage_data *d)
{
    return d->degraded || d->aborted;
}

static void add_stages(const struct compare_asked *s, char to[COMPARE_STATE])
{
    const struct stage_data *first = NULL;
    size_t n = 0;
    char load[LOAD_LABEL], more[HUMAN_THINGS_MAX];
    for (size_t i = 0; i < s->n; i++) {
        if (!s->points[i].data || !is_cut(s->points[i].data)) continue;
        if (n++ == 0) first = s->points[i].data;
    }
    if (!n) return;
    add(to, "its stage %u.%u (load %s) %s%s%s", first->stage + 1, first->repeat + 1, load_label(&first->plan, load),
        first->degraded ? "misses an agent" : "was cut short", n > 1 ? ", and so it is with " : "",
        n > 1 ? human_things((double)(n - 1), "other", more) : "");
}

void compare_state_of(const struct compare_asked *s, char to[COMPARE_STATE])
{
    to[0] = '\0';
    if (!s->run) return;
    add_end(s->run, to);
    add_resumed(s->run, to);
    add_agents(s->run, to);
    add_stages(s, to);
}

static size_t cut_at(const struct compare_asked *s, const struct plan_stage *load)
{
    size_t n = 0;
    for (size_t i = 0; i < s->n; i++)
        n += s->points[i].data && is_cut(s->points[i].data) && load_same(&s->points[i].requested, load);
    return n;
}

static const struct plan_stage *stage_at(const struct compare_asked *s, const struct plan_stage *load)
{
    for (size_t i = 0; i < s->n; i++)
        if (load_same(&s->points[i].requested, load)) return &s->points[i].requested;
    return NULL;
}

static double window_at(const struct compare_asked *s, const struct plan_stage *load)
{
    double sum = 0, n = 0;
    for (size_t i = 0; i < s->n; i++) {
        if (!load_same(&s->points[i].requested, load) || !(s->points[i].window_s > 0)) continue;
        sum += s->points[i].window_s;
        n++;
    }
    return n > 0 ? sum / n : (double)NAN;
}

/* Tails, drift and what a warm-up hides depend on how long a load lasts. */
static void add_times(const struct compare_asked *a, const struct compare_asked *b, struct comparison *c)
{
    char x[HUMAN_MAX], y[HUMAN_MAX];
    const struct plan_stage *s = NULL, *t = NULL;
    for (size_t i = 0; i < c->n_loads && !s; i++) {
        double u = window_at(a, &c->loads[i].requested), v = window_at(b, &c->loads[i].requested);
        if (!(fabs(v / u - 1) > LENGTH_OFF)) continue;
        s = &c->loads[i].requested;
        char load[LOAD_LABEL];
        add(c->measured, "windows were of another length (at load %s %s s, now %s s)", load_label(s, load),
            human_number(u, x), human_number(v, y));
    }
    for (size_t i = 0; i < c->n_loads; i++) {
        s = stage_at(a, &c->loads[i].requested), t = stage_at(b, &c->loads[i].requested);
        if (!s || !t || s->warmup_ns == t->warmup_ns) continue;
        add(c->measured, "warm-ups were of another length (%s s, now %s s)",
            human_number((double)s->warmup_ns / 1e9, x), human_number((double)t->warmup_ns / 1e9, y));
        return;
    }
}

static bool same_text(const char *x, const char *y)
{
    return strcmp(x ? x : "", y ? y : "") == 0;
}

static bool same_gates(const struct plan *a, const struct plan *b)
{
    if (a->n_gates != b->n_gates || !same_text(a->capacity.text, b->capacity.text)) return false;
    for (size_t i = 0; i < a->n_gates; i++)
        if (!same_text(a->gates[i].text, b->gates[i].text)) return false;
    return true;
}

/* What answers are good is then another question. */
static void add_limits(const struct plan *a, const struct plan *b, struct comparison *c)
{
    bool same = true;
    for (int k = 0; k < SLO_REQUEST_N; k++)
        same &= a->slo_request_ns[k] == b->slo_request_ns[k];
    if (!same_gates(a, b)) add(c->measured, "the gates differ");
    if (same) return;
    add(c->measured, "slo.request differs, so goodput has no verdict");
    c->overall[FIGURE_GOODPUT].say = COMPARE_UNKNOWN;
    for (size_t i = 0; i < c->n_loads; i++)
        c->loads[i].change[FIGURE_GOODPUT].say = COMPARE_UNKNOWN;
}

/* What the server chose, where the plan left it open. */
static const char *spoken(const struct run_data *r)
{
    static const char WORD[] = " is spoken";
    for (size_t i = 0; i < r->n_events; i++)
        if (r->events[i].kind == RUN_EVENT_CONNECTIONS && strstr(r->events[i].text, WORD)) return r->events[i].text;
    return "";
}

static void add_http(const struct compare_asked *a, const struct compare_asked *b, struct comparison *c)
{
    static const char *const NAMES[] = {[HTTP_1] = "HTTP/1.1", [HTTP_2] = "HTTP/2", [HTTP_AUTO] = "HTTP as agreed"};
    const char *x = a->run ? spoken(a->run) : "", *y = b->run ? spoken(b->run) : "";
    if (a->plan->target.http != b->plan->target.http)
        add(c->measured, "target.http was %s, now %s", NAMES[a->plan->target.http], NAMES[b->plan->target.http]);
    if (*x && *y && strcmp(x, y) != 0)
        add(c->measured, "%.*s was spoken, now %.*s", (int)strcspn(x, " "), x, (int)strcspn(y, " "), y);
}

static bool same_retries(const struct plan *a, const struct plan *b)
{
    return a->retries.max == b->retries.max && (a->retries.max == 0 || (a->retries.labels == b->retries.labels &&
                                                                        a->retries.n_status == b->retries.n_status));
}

/* Points that both runs have of one measurement: a folder that was copied. */
static size_t shared_stages(const struct compare_asked *a, const struct compare_asked *b)
{
    size_t n = 0;
    for (size_t i = 0; i < a->n; i++)
        for (size_t k = 0; k < b->n; k++)
            n += a->points[i].data && b->points[k].data && a->points[i].stage == b->points[k].stage &&
                 a->points[i].repeat == b->points[k].repeat &&
                 a->points[i].data->started_wall_ns == b->points[k].data->started_wall_ns;
    return n;
}

static void add_programs(const struct run_data *a, const struct run_data *b, struct comparison *c)
{
    char x[HUMAN_THINGS_MAX], y[HUMAN_MAX];
    const char *u = a->n_agents ? a->agents[0].version : a->version,
               *v = b->n_agents ? b->agents[0].version : b->version;
    if (strcmp(a->version, b->version) != 0)
        add(c->measured, "plateau was %s, now %s", a->version, b->version);
    else if (strcmp(u, v) != 0)
        add(c->measured, "agents were %s, now %s", u, v);
    if (a->n_agents != b->n_agents)
        add(c->measured, "%s took part, now %s", human_things((double)a->n_agents, "agent", x),
            human_count(b->n_agents, y));
}

void compare_state(const struct compare_asked *a, const struct compare_asked *b, struct comparison *c)
{
    const struct plan *x = a->plan, *y = b->plan;
    compare_state_of(a, c->state_a);
    compare_state_of(b, c->state_b);
    for (size_t i = 0; i < c->n_loads; i++) {
        c->loads[i].cut_a = cut_at(a, &c->loads[i].requested);
        c->loads[i].cut_b = cut_at(b, &c->loads[i].requested);
    }
    c->measured[0] = '\0';
    add_times(a, b, c);
    add_http(a, b, c);
    if (!same_retries(x, y))
        add(c->measured, "load.retries differs, and latencies hold the waits of what was sent again");
    if (x->target.timeout_first_token_ns != y->target.timeout_first_token_ns ||
        x->target.timeout_idle_ns != y->target.timeout_idle_ns ||
        x->target.timeout_total_ns != y->target.timeout_total_ns || x->drain_ns != y->drain_ns)
        add(c->measured, "timeouts or load.drain differ, and with them which slow answers count");
    if (x->seed != y->seed) add(c->measured, "the seeds differ, and with them prompts and arrivals");
    add_limits(x, y, c);
    if (!a->run || !b->run) return;
    add_programs(a->run, b->run, c);
    bool same = a->run->run_id[0] && strcmp(a->run->run_id, b->run->run_id) == 0;
    c->one_run = same && shared_stages(a, b) == (a->n > b->n ? a->n : b->n);
    if (c->one_run || (same && shared_stages(a, b) > 0)) compare_no_verdict(c);
    if (same && !c->one_run)
        add(c->measured,
            "the folders are copies of one run, of which one went on: %zu of the points are the same measurement, so "
            "there is no verdict",
            shared_stages(a, b));
}
