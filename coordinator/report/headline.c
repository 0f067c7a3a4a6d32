#include "coordinator/report/headline.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/failure_sample.h"
#include "common/human.h"
#include "coordinator/answer/gates.h"
#include "coordinator/answer/load_axis.h"
#include "coordinator/answer/verdict.h"
#include "coordinator/report/reasons.h"
#include "coordinator/report/report_parts.h"

#define CAUSES 32u
#define MISSING_NAMED 3u /* stages that were not run */

__attribute__((format(printf, 2, 3))) static void add(struct headline *h, const char *fmt, ...)
{
    size_t n = strlen(h->why);
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(h->why + n, sizeof h->why - n, fmt, ap);
    va_end(ap);
}

/* Between what stands there and what follows. */
static const char *more(const struct headline *h)
{
    size_t n = strlen(h->why);
    return n > 0 && h->why[n - 1] == '?' ? "" : ";";
}

static void add_gate(const struct analysis *a, size_t g, struct headline *h)
{
    const struct plan_gate *gate = &a->run->plan->gates[g];
    const struct gate_outcome *o = report_gate(a, g);
    char value[HUMAN_MAX + 24], load[64];
    add(h, "%.60s", gate->text);
    if (!o) return;
    if (gate_reading_words(o, value, sizeof value)[0]) add(h, ": it is %s", value);
    add(h, " at load %s", load_label(&a->points[o->point].requested, load));
}

/* The gates with one result: the first in words, the others counted. never: those of them that this plan gives no
 * sample for, else the others. */
static size_t add_gates(const struct analysis *a, enum gate_result which, bool never, const char *before,
                        struct headline *h)
{
    size_t n = 0;
    for (size_t g = 0; g < a->run->plan->n_gates; g++) {
        const struct gate_outcome *o = report_gate(a, g);
        if ((o ? o->result : GATE_INCONCLUSIVE) != which || (o && o->never) != never || n++) continue;
        add(h, "%s", before);
        add_gate(a, g, h);
    }
    if (n > 1) add(h, ", and %zu more", n - 1);
    return n;
}

/* More samples decide a gate only where there are some, and where the plan gives any. */
static bool add_undecided(const struct analysis *a, struct headline *h)
{
    const struct gate_outcome *first = NULL;
    for (size_t g = 0; g < a->run->plan->n_gates; g++) {
        const struct gate_outcome *o = report_gate(a, g);
        if (!o || o->result != GATE_INCONCLUSIVE) continue;
        if (!first || (o->never && !first->never)) first = o;
    }
    if (first && first->never) {
        (void)add_gates(a, GATE_INCONCLUSIVE, true, "no sample can ever decide ", h);
        add(h, ": %s", first->never);
        return true;
    }
    if (first && first->grows)
        return add_gates(a, GATE_INCONCLUSIVE, false, "the rate outran the server, which leaves undecided: ", h);
    if (first && first->gone)
        return add_gates(a, GATE_INCONCLUSIVE, false, "the server was gone, which leaves undecided: ", h);
    if (first && first->hung)
        return add_gates(a, GATE_INCONCLUSIVE, false, "users got no answer, which leaves undecided: ", h);
    bool none = first && first->gate->subject == GATE_METRIC && !(first->had > 0) &&
                a->points[first->point].metric[first->gate->metric].count == 0;
    return add_gates(a, GATE_INCONCLUSIVE, false,
                     none ? "there is no sample to decide " : "the sample is too small to decide ", h);
}

static void failed(const struct analysis *a, struct headline *h)
{
    h->word = "FAIL";
    if (add_gates(a, GATE_FAIL, false, "gate broken: ", h)) return;
    const struct plan_capacity *capacity = &a->run->plan->capacity;
    if (a->answer.capacity == GATE_FAIL) {
        add(h, "slo.capacity %.60s is not kept", capacity->text);
        return;
    }
    h->word = "UNDECIDED";
    if (add_undecided(a, h)) return;
    if (a->answer.capacity != GATE_PASS) {
        add(h, "slo.capacity %.60s is not decided", capacity->text);
        if (a->answer.capacity_open) add(h, ": %s", a->answer.capacity_open);
        return;
    }
    const struct search_outcome *search = &a->answer.search;
    if (a->run->plan->search.goal != SEARCH_SLO)
        add(h, "no single load keeps every gate"); /* each gate passes somewhere */
    else if (!search->over)
        add(h, "the search was not finished");
    else if (search->found)
        add(h, "no confirming run showed clear of chance that the load which the search found keeps every gate");
    else
        add(h, "the search found no load that keeps every gate clear of chance");
}

static size_t points_with(const struct analysis *a, enum verdict_status s)
{
    size_t n = 0;
    for (size_t i = 0; i < a->n_points; i++)
        n += a->points[i].verdict.status == s;
    return n;
}

/* The cause that most invalid points have stands here and nowhere else; the others, in their own place. */
static void add_invalid(const struct analysis *a, size_t bad, struct headline *h)
{
    struct reason_group g[CAUSES];
    char words[HUMAN_THINGS_MAX], where[120], load[64];
    size_t n = reasons_group(a, VERDICT_INVALID, g, CAUSES);
    if (a->n_points == 1)
        add(h, "the one point cannot be trusted");
    else
        add(h, "%zu of %s cannot be trusted", bad, human_things((double)a->n_points, "point", words));
    if (n == 0) return;
    reasons_where(a, &g[0], where, sizeof where);
    if (g[0].n < bad)
        add(h, ": %s", where);
    else if (reasons_differ(a, &g[0])) /* its figures are those of one load */
        add(h, "; at load %s", load_label(&a->points[g[0].first].requested, load));
    add(h, ": %.*s", VERDICT_REASON_MAX, g[0].text);
    h->cause = g[0].text;
    if (n == 1) return;
    add(h, "; %s stand%s with the points", human_things((double)(n - 1), "other reason", words), n == 2 ? "s" : "");
}

/* "…: stage 2 (load 4), stage 3 (load 8) and 2 more" */
static void add_missing(const struct analysis *a, struct headline *h)
{
    size_t n = 0, at = 0;
    uint32_t stage, repeat;
    char load[LOAD_LABEL];
    while (analysis_missing(a, &at, &stage, &repeat)) {
        if (n++ >= MISSING_NAMED) continue;
        add(h, "%sstage %u", n == 1 ? ": " : ", ", stage + 1);
        if (a->run->plan->repeats > 1) add(h, ".%u", repeat + 1);
        add(h, " (load %s)", load_label(&a->run->plan->stages[stage], load));
    }
    if (n > MISSING_NAMED) add(h, " and %zu more", n - MISSING_NAMED);
}

static bool is_missing(const struct analysis *a)
{
    size_t at = 0;
    uint32_t stage, repeat;
    return !run_data_finished(a->run) && analysis_missing(a, &at, &stage, &repeat);
}

static void invalid(const struct analysis *a, struct headline *h)
{
    size_t bad = points_with(a, VERDICT_INVALID);
    char error[640] = "";
    h->word = "INVALID";
    for (size_t i = 0; i < a->run->n_events; i++)
        if (a->run->events[i].kind == RUN_EVENT_ERROR)
            failure_words(error, sizeof error, a->run->events[i].text, strlen(a->run->events[i].text));
    if (a->n_points == 0)
        add(h, "no stage was finished%s%s",
            error[0]                     ? ": "
            : a->run->ended_wall_ns == 0 ? " yet: the run has no end in its file"
                                         : "",
            error);
    else if (bad)
        add_invalid(a, bad, h);
    if (a->n_points == 0 || (bad && !is_missing(a))) return;
    add(h, "%sstages that the plan asks for are missing", bad ? "; " : "");
    add_missing(a, h);
    add(h, "%s%s", error[0] ? ": " : "", error);
    if (!error[0] && a->run->ended_wall_ns == 0)
        add(h, "; the run has not ended: it is under way, or its coordinator was killed");
}

/* An agent that ended its part itself, as its guard does, is not lost. NULL: none did. */
static const char *part_ended(const struct run_data *run)
{
    for (size_t i = run->n_events; i-- > 0;)
        if (run->events[i].kind == RUN_EVENT_AGENT_FAILED) return run->events[i].text;
    return NULL;
}

static void lost(const struct analysis *a, struct headline *h)
{
    size_t n = 0;
    h->word = "INVALID";
    for (size_t i = 0; i < a->run->n_agents; i++) {
        if (!a->run->agents[i].lost) continue;
        if (n++ < 3) add(h, "%s%.40s", n == 1 ? "agents were lost: " : ", ", a->run->agents[i].name);
    }
    if (n > 3) add(h, " and %zu more", n - 3);
    const char *why = n ? NULL : part_ended(a->run);
    if (why)
        add(h, "a part of a stage ended before its time: %s", why);
    else if (!n)
        add(h, "a stage misses an agent that was lost");
}

static void stopped(int signal, struct headline *h)
{
    h->word = "INVALID";
    if (signal == 2)
        add(h, "ended by Ctrl-C before the plan was done");
    else
        add(h, "ended by signal %d before the plan was done", signal);
}

/* Of the load that is named as good, where others have another share. */
static void add_own_failures(const struct analysis *a, const struct plan_stage *load, struct headline *h)
{
    char share[HUMAN_MAX], where[FAILED_AT_WORDS];
    if (!a->answer.bad || !failed_at_words(&a->answer.bad_at, where)[0]) return;
    double own = failed_at_share(a->points, a->n_points, load, FAILED_BAD);
    const char *what = a->answer.unanswered ? "were not answered well" : "failed";
    if (own > 0)
        add(h, "; %s of its requests %s", human_percent(own, share), what);
    else
        add(h, "; %s there", a->answer.unanswered ? "all requests were answered well" : "no request failed");
}

/* Where one load is enough, it is named. */
static void add_kept(const struct analysis *a, struct headline *h)
{
    const struct plan *plan = a->run->plan;
    const struct gate_outcome *o = gates_any(plan) ? report_gate(a, 0) : NULL;
    char load[64], stages[HUMAN_THINGS_MAX];
    size_t drifted = 0;
    for (size_t i = 0; i < a->n_points; i++)
        drifted += a->points[i].steady == STEADY_NO;
    add(h, "%s kept ", plan->n_gates == 1 ? "the gate is" : "all gates are");
    if (!o) add(h, "in every stage");
    if (!o && drifted)
        add(h, "; the window drifted in %zu of %s", drifted, human_things((double)a->n_points, "stage", stages));
    if (o)
        add(h, "at load %s%s", load_label(&a->points[o->point].requested, load),
            a->points[o->point].steady == STEADY_NO ? ", whose window drifted" : "");
    if (o) add_own_failures(a, &a->points[o->point].requested, h);
}

static void passed(const struct analysis *a, struct headline *h)
{
    const struct plan *plan = a->run->plan;
    char points[HUMAN_THINGS_MAX], load[LOAD_LABEL];
    size_t suspect = points_with(a, VERDICT_SUSPECT);
    h->word = "PASS";
    if (plan->n_gates == 0 && plan->capacity.text)
        add(h, "slo.capacity %.60s is kept", plan->capacity.text);
    else if (plan->n_gates == 0) {
        h->word = "DONE"; /* nothing was asked, so nothing has passed */
        add(h, "every stage was measured; the plan sets no gates");
    } else if (analysis_gates(a) != GATE_PASS)
        add(h, "no gate is broken; the sample cannot decide all of them, which slo.inconclusive lets pass");
    else
        add_kept(a, h);
    if (suspect) add(h, "; suspect: %zu of %s", suspect, human_things((double)a->n_points, "point", points));
    if (a->answer.twice.apart.low)
        add(h, "; look twice: runs of load %s are apart", load_label(&a->answer.twice.apart.low->requested, load));
}

/* Requests that failed belong beside any word, above all beside PASS; as those of the whole run, where loads differ. */
static void add_failures(const struct analysis *a, struct headline *h)
{
    char share[HUMAN_MAX], where[FAILED_AT_WORDS];
    const char *what = a->answer.unanswered ? "were not answered well" : "failed";
    if (!a->answer.bad) return;
    (void)human_percent((double)a->answer.bad / (double)a->answer.bad_of, share);
    if (failed_at_words(&a->answer.bad_at, where)[0])
        add(h, "%s %s of the whole run's requests %s, %s", more(h), share, what, where);
    else
        add(h, "%s %s of the requests %s", more(h), share, what);
}

/* All stages may have been measured and the run has failed nonetheless: what it measured last may be kept nowhere. */
static void add_error(const struct run_data *run, struct headline *h)
{
    char error[640];
    const char *last = run_data_error(run);
    if (!last) return;
    failure_words(error, sizeof error, last, strlen(last));
    add(h, "%s but the run ended with an error: %s", more(h), error);
}

void headline_make(const struct analysis *a, struct headline *ret)
{
    *ret = (struct headline){0};
    if (a->measured_status > 128)
        stopped(a->measured_status - 128, ret);
    else if (a->measured_status == 4)
        lost(a, ret);
    else if (a->measured_status == 99)
        failed(a, ret);
    else if (a->measured_status == 0)
        passed(a, ret);
    else
        invalid(a, ret);
    add_failures(a, ret);
    if (a->measured_status == 0 || a->measured_status == 99) add_error(a->run, ret);
}
