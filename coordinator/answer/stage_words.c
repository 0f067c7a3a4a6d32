#include "coordinator/answer/stage_words.h"

#include <math.h>

#include "common/human.h"
#include "coordinator/answer/answer_say.h"

#define SKIPPED_MOST 8 /* loads that are named */
#define ENDED_BY_TIME_S 0.5

/* Which loads were not run, since one before them ended the run. */
static void say_skipped(const struct plan *plan, const struct point *points, size_t n, struct answer *a)
{
    uint32_t last = 0, said = 0;
    char load[LOAD_LABEL];
    if (!a->gave_up) return;
    for (size_t i = 0; i < n; i++)
        if (points[i].stage > last) last = points[i].stage;
    for (size_t i = (size_t)last + 1; i < plan->n_stages; i++) {
        if (said < SKIPPED_MOST)
            answer_say(a, "%s%s", said ? ", " : "Not run, since slo.abort_on_fail ended the run: load ",
                       load_label(&plan->stages[i], load));
        said++;
    }
    if (said > SKIPPED_MOST) answer_say(a, " and %u more", said - SKIPPED_MOST);
    if (said) answer_say(a, ". ");
}

/* A stage with a count and a duration ends with whichever comes first: of a recording or of whole passes a part is then
 * left. */
static void say_unfinished(const struct point *points, size_t n, struct answer *a)
{
    uint32_t more = 0;
    char got[HUMAN_MAX], all[HUMAN_THINGS_MAX], stages[HUMAN_THINGS_MAX];
    for (size_t i = 0; i < n; i++) {
        const struct plan_stage *s = &points[i].requested;
        double length = (double)s->duration_ns / 1e9, lasted = (double)s->warmup_ns / 1e9 + points[i].window_s;
        if (!s->requests || s->duration_ns <= 0 || points[i].ledger.due >= s->requests) continue;
        if (lasted < length - ENDED_BY_TIME_S || more++) continue;
        answer_say(a, "Stage %u ended by its duration, after %s of %s", points[i].stage + 1,
                   human_count(points[i].ledger.due, got), human_things((double)s->requests, "request", all));
    }
    if (more > 1) answer_say(a, ", and so did %s", human_things(more - 1, "other stage", stages));
    if (more) answer_say(a, ". ");
}

/* What the recording was to show, such as a whole day, is not in the figures. */
static void say_short_trace(struct answer *a)
{
    const struct short_trace *t = &a->trace;
    char stages[HUMAN_THINGS_MAX];
    if (!t->at) return;
    answer_say(a, "In stage %u the trace's last request was due", t->at->stage + 1);
    answer_say_number(a, " after ", t->last_s, " s");
    answer_say_number(a, ", and none in the rest of the ", t->asked_s,
                      t->by_duration ? " s of load.duration" : " s from trace.from to trace.to");
    if (t->more) answer_say(a, "; likewise in %s", human_things(t->more, "other stage", stages));
    answer_say(a, ". ");
}

/* A stage by count whose slots were not at work. */
static void say_ends(struct answer *a)
{
    if (isnan(a->ends_load)) return;
    answer_say_number(a, "At load ", a->ends_load, " only ");
    answer_say_number(
        a, "", a->ends_in_flight,
        " requests were in flight on average: the stage was mostly the wait for its last answers, so ask for "
        "more of them (load.requests, load.passes). ");
}

/* duration: steady came to its limit: what is reported is then not the steady window that was asked for. */
static void say_not_steady(const struct point *points, size_t n, struct answer *a)
{
    const struct point *first = NULL;
    uint32_t stages = 0;
    char number[HUMAN_MAX], all[HUMAN_THINGS_MAX], load[LOAD_LABEL];
    for (size_t i = 0; i < n; i++) {
        const struct steady_pass *w = &points[i].passes;
        bool found = w->any && w->at.status == SUPER_PASS_WINDOWABLE && w->at.verdict == SUPER_PASS_STEADY;
        if (points[i].requested.steady_ns == 0 || points[i].verdict.status == VERDICT_INVALID || found) continue;
        if (stages++ == 0) first = &points[i];
    }
    if (!first) return;
    answer_say(a, "No steady window of %s s was found in ",
               human_number((double)first->requested.steady_ns / 1e9, number));
    if (stages > 1) answer_say(a, "%s, the first ", human_things((double)stages, "stage", all));
    answer_say(a, "stage %u (load %s): the figures are of all its measured time. ", first->stage + 1,
               load_label(&first->requested, load));
}

void stage_words(const struct plan *plan, const struct point *points, size_t n, struct answer *a)
{
    say_skipped(plan, points, n, a);
    say_unfinished(points, n, a);
    say_short_trace(a);
    say_ends(a);
    say_not_steady(points, n, a);
}
