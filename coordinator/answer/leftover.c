#include "coordinator/answer/leftover.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/human.h"
#include "coordinator/answer/load_axis.h"
#include "coordinator/answer/silence.h"

#define SLACK 2        /* times as long as its last rate tells, a server may be at work on what was left open */
#define LATE_LEAST_S 2 /* a first token comes late from here on, … */
#define LATE_WAITS 3   /* … and from so many times the wait before */
#define WORDS 200

/* From the end of the drain that is meant to the beginning of this stage, at least. */
static double gap_s(const struct leftover *l, const struct plan *plan, const struct point *p)
{
    double gap = (double)plan->cooldown_ns / 1e9;
    if (l->ended_wall_ns && p->data->started_wall_ns)
        gap = fmax(gap, (double)(p->data->started_wall_ns - l->ended_wall_ns) / 1e9);
    return gap;
}

/* May the server have been at work on what was left open until then, seconds from the stage's start? */
static bool busy_until(const struct leftover *l, const struct plan *plan, const struct point *p, double slack, double s)
{
    return l->open > 0 && l->rate > 0 && slack * l->open / l->rate > gap_s(l, plan, p) + s;
}

/* When the first of anything came, to the second; nothing came: how long it was waited for. */
static double came_s(const struct stage_data *s)
{
    for (size_t i = 0; i < s->n_series; i++)
        if (s->series[i].agent < 0 && s->series[i].tokens + s->series[i].done + s->series[i].failed > 0)
            return s->series[i].t_s;
    return s->n_series ? silence_s(s->hist, &s->plan) : 0;
}

static void left_words(const struct leftover *l, const char *who, char buf[static WORDS])
{
    char n[HUMAN_THINGS_MAX], load[LOAD_LABEL];
    (void)snprintf(buf, WORDS,
                   "%s may still have been at work on %s that the drain of stage %u (load %s) left open: make "
                   "load.drain or load.cooldown longer",
                   who, human_things(l->most, "request", n), l->most_stage + 1, load_label(&l->most_load, load));
}

/* Nothing came. That the server hangs is said where it had answered sooner by far, with as many in flight as it has
 * now. */
static bool silent(const struct leftover *l, const struct plan *plan, struct point *p)
{
    const struct stage_data *s = p->data;
    char words[VERDICT_REASON_MAX], why[WORDS], load[LOAD_LABEL], took[HUMAN_MAX];
    double waited = silence_s(s->hist, &s->plan), more = fmax(1, p->concurrency / l->in_flight);
    bool left = busy_until(l, plan, p, SLACK, waited);
    if (!silence_words(s->counters, s->hist, &s->plan, plan, NULL, words, sizeof words)) return false;
    if (left)
        left_words(l, "The server", why);
    else if (waited >= STAGE_ANSWERS * more * l->answer_s)
        (void)snprintf(why, sizeof why,
                       "The server seems to hang: in stage %u before it (load %s) answers took %s s (p50)",
                       l->stage + 1, load_label(&l->load, load), human_number(l->answer_s, took));
    else
        return true;
    for (uint32_t k = 0; k < p->verdict.n_reasons; k++)
        if (strcmp(p->verdict.reason[k], words) == 0)
            (void)silence_words(s->counters, s->hist, &s->plan, plan, why, p->verdict.reason[k],
                                sizeof p->verdict.reason[k]);
    p->leftover = left;
    return true;
}

/* Was it slower than it would have been, as far as it shows? Nothing came of it at first; it got faster; or more load
 * gave less. */
static bool slower(const struct leftover *l, const struct plan *plan, const struct point *p)
{
    double warmup = (double)p->requested.warmup_ns / 1e9, came = came_s(p->data);
    bool late = came >= LATE_LEAST_S && came > LATE_WAITS * l->wait_s && busy_until(l, plan, p, SLACK, came);
    if (late && (p->window_ok == 0 || came + l->answer_s > warmup)) return true;
    if (p->steady == STEADY_NO && p->drift > 0 && busy_until(l, plan, p, SLACK, warmup)) return true;
    return p->concurrency >= l->in_flight && p->output_hi < l->output_lo &&
           busy_until(l, plan, p, 1, warmup + p->window_s / 2);
}

static void judge(const struct leftover *l, const struct plan *plan, struct point *p)
{
    char why[WORDS];
    p->server.others_left = p->server.others > 0 && busy_until(l, plan, p, SLACK, 0);
    if (silent(l, plan, p) || !slower(l, plan, p)) return;
    p->leftover = true;
    left_words(l, "the server", why);
    for (uint32_t k = 0;
         p->still && came_s(p->data) * 1e9 >= (double)p->requested.warmup_ns && k < p->verdict.n_reasons; k++)
        if (strncmp(p->verdict.reason[k], STILL_WORDS, sizeof STILL_WORDS - 1) == 0) { /* that is when it did */
            (void)snprintf(p->verdict.reason[k], sizeof p->verdict.reason[k], "%s", why);
            return;
        }
    verdict_doubt(&p->verdict, DOUBT_LEFTOVER, VERDICT_SUSPECT, "%s", why);
}

/* Requests that were sent, and open when the drain ended. */
static double left_open(const struct stage_data *s)
{
    const uint64_t *c = s->counters;
    double unsent = c[COUNTER_DUE] > c[COUNTER_SENT] ? (double)(c[COUNTER_DUE] - c[COUNTER_SENT]) : 0;
    return fmax(0, (double)c[COUNTER_ABORTED] - unsent) + (double)s->lost;
}

static void after(struct leftover *io, const struct plan *plan, const struct point *p)
{
    const struct metric_stat *e2e = &p->metric[METRIC_E2E], *ttft = &p->metric[METRIC_TTFT];
    const struct stage_data *s = p->data;
    double open = left_open(s), length = (double)s->plan.warmup_ns / 1e9 + p->window_s;
    bool answered = e2e->count > 0 || (s->counters[COUNTER_OK] > 0 && length > 0);
    if (answered) {
        double rate = p->requests_per_s > 0 ? p->requests_per_s : (double)s->counters[COUNTER_OK] / length;
        double answer = !e2e->count ? length : isnan(e2e->q[0]) ? e2e->mean / 1e3 : e2e->q[0] / 1e3;
        *io = (struct leftover){.any = true,
                                .stage = p->stage,
                                .load = p->requested,
                                .answer_s = answer,
                                .wait_s = ttft->count ? ttft->min / 1e3 : answer,
                                .rate = rate,
                                .in_flight = p->concurrency,
                                .output_lo = p->output_lo};
        if (s->started_wall_ns)
            io->ended_wall_ns = s->started_wall_ns + (int64_t)(length * 1e9) + (open > 0 ? plan->drain_ns : 0);
    }
    io->open += open;
    if (open <= io->most) return;
    io->most = open;
    io->most_stage = p->stage;
    io->most_load = p->requested;
}

void leftover_tell(struct leftover *io, const struct plan *plan, struct point *p)
{
    if (!p->data) return;
    if (io->any) judge(io, plan, p);
    after(io, plan, p);
}
