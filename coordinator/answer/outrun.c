#include "coordinator/answer/outrun.h"

#include <math.h>
#include <stdio.h>

#include "common/human.h"

#define QUEUED 3     /* times the shortest wait for a first token, or for a whole answer */
#define CHANCE 3     /* standard deviations of a count */
#define LOST_MAX 256 /* characters */

bool outrun_waited_in_vain(const struct stage_data *s)
{
    return s->plan.kind == LOAD_OPEN && s->plan.max_concurrency && verdict_waited(s->counters, &s->plan) &&
           s->counters[COUNTER_SENT] < s->counters[COUNTER_DUE];
}

bool outrun_look(const struct stage_data *s, const struct steadiness *st, const struct plan *plan,
                 const struct outrun_window *w)
{
    double due = (double)s->counters[COUNTER_DUE], sent = (double)s->counters[COUNTER_SENT];
    double others = outrun_failed_in_time(s, w->to_s) + (double)(w->cancelled + w->hung);
    double ended = w->requests_per_s + others / w->length_s;
    double kept = 1 - plan->verdict_achieved;
    return s->plan.max_concurrency ? outrun_waited_in_vain(s) && sent < due * kept
                                   : st->backlog && (plan_stage_is_ramp(&s->plan) || ended < w->arrivals_per_s * kept);
}

/* How much of the window's beginning lies before the first answers' end; 0: none, or it is not known. */
static double missing_start(const struct stage_data *s, const struct outrun_window *w)
{
    bool known = s->plan.kind == LOAD_OPEN && !s->plan.requests && !s->plan.warmup_auto && w->length_s > 0;
    if (plan_stage_is_ramp(&s->plan)) return 0; /* never built up */
    double missing = w->e2e->q[0] / 1e3 - (double)s->plan.warmup_ns / 1e9;
    return known && missing > 0 ? fmin(missing, w->length_s) : 0;
}

double outrun_failed_in_time(const struct stage_data *s, double to_s)
{
    double late = 0;
    for (size_t i = 0; i < s->n_series; i++)
        if (s->series[i].agent < 0 && s->series[i].t_s >= to_s - 0.5) late += s->series[i].failed;
    return fmax(0, (double)s->counters[COUNTER_WIN_FAILED] - late);
}

/* Did most wait in a queue, which those that came first did not? Else it is start-up, or prompts and answers that
 * differ. Whole answers have no wait of their own: there the requests that are open grow until the last one is due. */
static bool is_queued(const struct stage_data *s, const struct outrun_window *w)
{
    const struct metric_stat *ttft = w->ttft, *e2e = w->e2e;
    if (ttft->count) return ttft->q[0] > QUEUED * ttft->min && steady_waits_grew(s);
    return e2e->count && e2e->q[0] > QUEUED * e2e->min && steady_times_grew(s);
}

/* What the verdict says of requests that had not ended, and of those that failed. */
static const char *had_not_ended(double open, double failed, double due, const char *when, char out[LOST_MAX])
{
    char n[2][HUMAN_MAX], t[HUMAN_THINGS_MAX];
    (void)human_things(due, "request", t);
    (void)human_count((uint64_t)open, n[0]);
    if (failed > 0)
        (void)snprintf(out, LOST_MAX,
                       "of %s due in the window %s failed while waits grew, and %s had not ended when %s", t,
                       human_count((uint64_t)failed, n[1]), n[0], when);
    else
        (void)snprintf(out, LOST_MAX, "%s of %s due in the window had not ended when %s", n[0], t, when);
    return out;
}

bool outrun_tell(const struct stage_data *s, const struct steadiness *st, const struct plan *plan,
                 const struct outrun_window *w, bool overrun, struct verdict *v)
{
    double due = (double)s->counters[COUNTER_WIN_DUE];
    bool ramp = plan_stage_is_ramp(&s->plan);
    bool last = w->by_count || (ramp && s->plan.requests); /* its window may end long after */
    double failed = outrun_failed_in_time(s, last ? HUGE_VAL : w->to_s);
    double open = last ? steady_open_at_last(s) : due - (double)s->counters[COUNTER_WIN_DONE] - failed;
    open -= (double)w->hung;
    open -= (double)(last ? s->counters[COUNTER_CANCELLED] : w->cancelled); /* users left; nothing waits */
    if (s->plan.kind != LOAD_OPEN || s->plan.max_concurrency || !(open > 0)) return false;
    bool queued = is_queued(s, w); /* no start-up: those that came first did not wait so */
    bool few = w->by_count ? queued : st->batches < STEADY_BATCHES_MIN; /* a count's window ends with the last answer */
    double more = fmax(due * plan->verdict_achieved, CHANCE * sqrt(due)); /* than chance brings of as many arrivals */
    bool refused = !ramp && queued && failed > due * plan->verdict_achieved && open + failed > more;
    bool seen = refused || (!ramp && few && open > more);
    if (w->by_count && queued && s->plan.arrivals != ARRIVALS_POISSON)
        seen |= steady_piled_up(s, HUGE_VAL, (double)w->hung);
    if (!overrun && !seen) return false;
    char lost[LOST_MAX];
    verdict_doubt(v, DOUBT_CAPPED, VERDICT_SUSPECT, "%s: the server did not keep up with the rate%s",
                  had_not_ended(open, refused ? failed : 0, due, last ? "the last became due" : "it did", lost),
                  last || refused                      ? ""
                  : missing_start(s, w) > 0 && !queued ? ", or load.warmup is too short for its answers"
                  : overrun                            ? ""
                                                       : ", or the stage is too short for its answers");
    return true;
}

void outrun_early_window(const struct stage_data *s, const struct plan *plan, const struct outrun_window *w,
                         struct verdict *v)
{
    double e2e = w->e2e->q[0] / 1e3, missing = missing_start(s, w);
    double share =
        missing * missing / 2 / (e2e * w->length_s); /* requests in flight rise in a line until an answer's time */
    char n[4][HUMAN_MAX];
    if (!(missing > 0) || share <= plan->verdict_achieved) return;
    verdict_doubt(
        v, DOUBT_EARLY_WINDOW, VERDICT_SUSPECT,
        "the window began %s s after the first request, and an answer takes %s s: until then fewer were in flight, "
        "and the means are too low by about %s. Make load.warmup at least %s s",
        human_number((double)s->plan.warmup_ns / 1e9, n[0]), human_number(e2e, n[1]), human_percent(share, n[2]),
        human_number(ceil(e2e), n[3]));
}
