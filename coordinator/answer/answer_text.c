#include "coordinator/answer/answer_text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/human.h"
#include "common/plan/gate.h"
#include "common/plan/plan_api.h"
#include "common/text.h"
#include "coordinator/answer/answer_say.h"
#include "coordinator/answer/censored.h"
#include "coordinator/answer/left_out.h"
#include "coordinator/answer/old_build.h"
#include "coordinator/answer/part_words.h"
#include "coordinator/answer/scenario.h"
#include "coordinator/answer/stage_words.h"
#include "coordinator/answer/statuses.h"
#include "coordinator/answer/steady.h"
#include "coordinator/answer/stream_words.h"
#include "coordinator/answer/twice_words.h"
#include "coordinator/answer/verdict.h"

#define FIRST_MOST 200      /* bytes of the server's words; the reports have all of them */
#define RETRIES_TELL 0.01   /* of the attempts: as many that were sent again are told */
#define CANCELLED_TELL 0.01 /* of the requests due in the window */
#define REST_TELL 0.02      /* of the slots' time in which they rested after failures */
#define PARTS_WORDS 1600    /* bytes of what other files say */
#define FAILURES_TELL 0.01  /* from this share on, "valid" does not stand alone */
#define FEW 10              /* requests: a figure of fewer says of how many it is */

/* "64 concurrent requests", "1 request/s" */
static void say_load(struct answer *a, const char *before, double load, const char *after)
{
    char b[HUMAN_THINGS_MAX];
    answer_say(a, "%s%s%s", before, human_things(load, load_thing(a->axis), b), after);
}

/* "25.5 requests/s", "25.5 requests/s on average of the ramp 1-50/s" */
static void say_load_of(struct answer *a, const char *before, double load, const struct plan_stage *ramp,
                        const char *after)
{
    char label[LOAD_LABEL];
    say_load(a, before, load, ramp ? "" : after);
    if (ramp) answer_say(a, " on average of the ramp %s%s", load_label(ramp, label), after);
}

/* The mean over a ramp is a rate that the server had for a moment, if at all. */
static void say_ramp(struct answer *a)
{
    bool most = a->most_ramp && !a->has_plateau, slo = a->has_slo && a->slo_ramp;
    bool good = a->has_goodput && a->goodput_ramp, least = a->has_plateau && a->plateau_ramp;
    if (most || slo || good || least || a->tokenless.ramp)
        answer_say(a, "Figures of a ramp are means over all its loads, and no one load gave them. ");
}

static const char *count(uint32_t n, const char *thing, char buf[HUMAN_THINGS_MAX])
{
    return human_things((double)n, thing, buf);
}

static void say_rate(struct answer *a, double v, double lo, double hi)
{
    answer_say_number(a, "", v, " output token/s");
    if (isnan(lo) || isnan(hi)) return;
    answer_say_number(a, " (95 %: ", lo, "–");
    answer_say_number(a, "", hi, ")");
}

/* A figure of a handful of requests is one all the same, but nobody would decide by it. */
static void say_few(struct answer *a, uint64_t ended)
{
    char requests[HUMAN_THINGS_MAX];
    if (ended && ended < FEW) answer_say(a, ", of only %s", human_things((double)ended, "request", requests));
}

static void say_cost(const struct plan *plan, double cost, struct answer *a)
{
    if (isnan(cost)) return;
    answer_say_number(a, ", ", cost, " ");
    answer_say(a, "%s per million output tokens", plan->currency);
}

/* ", with 3 of 10 points left out (2 invalid, 1 not steady)"; "all 8 points are invalid" */
static void say_left_out(const char *before, size_t n, struct answer *a)
{
    const struct {
        const char *word;
        uint32_t n;
    } kinds[] = {{"invalid", a->left_invalid},
                 {"not steady", a->left_unsteady},
                 {"without a token", a->points_left_out - a->left_invalid - a->left_unsteady}};
    const char *sep = "";
    char points[HUMAN_THINGS_MAX];
    bool all = a->points_left_out == n, one_kind = false;
    (void)human_things((double)n, "point", points);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        one_kind |= kinds[i].n == a->points_left_out;
    if (all && one_kind)
        answer_say(a, n == 1 ? "%sthe one point is " : "%sall %s are ", before, points);
    else
        answer_say(a, "%s%u of %s left out (", before, a->points_left_out, points);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (!kinds[i].n) continue;
        if (one_kind)
            answer_say(a, "%s", kinds[i].word);
        else
            answer_say(a, "%s%u %s", sep, kinds[i].n, kinds[i].word);
        sep = ", ";
    }
    if (!(all && one_kind)) answer_say(a, ")");
}

static void say_gates(const struct plan *plan, struct answer *a)
{
    for (size_t i = 0; i < plan->n_gates; i++)
        answer_say(a, "%s%s", i == 0 ? "" : i + 1 == plan->n_gates ? " and " : ", ", plan->gates[i].text);
}

/* Fewer loads than a curve needs: what was measured. */
static void say_most(const struct plan *plan, struct answer *a)
{
    bool said = a->has_slo && fabs(a->slo_load - a->most_load) < 1e-9; /* that sentence names this load already */
    if (a->has_plateau || !a->has_most || said) return;
    say_load_of(a, "At ", a->most_load, a->most_ramp, ": ");
    say_rate(a, a->most_tokens_per_s, a->most_lo, a->most_hi);
    say_few(a, a->most_ended);
    say_cost(plan, a->cost_most, a);
    answer_say(a, ". ");
}

static void say_tokenless(struct answer *a)
{
    const struct answer_tokenless *t = &a->tokenless;
    if (!(t->requests_per_s > 0)) return;
    say_load_of(a, "At ", t->load, t->ramp, ": ");
    answer_say_number(a, "", t->requests_per_s, " requests/s");
    if (isfinite(t->e2e_p50)) answer_say_number(a, ", e2e p50 ", t->e2e_p50, " ms");
    if (isfinite(t->e2e_p99)) answer_say_number(a, " and p99 ", t->e2e_p99, " ms");
    answer_say(a, ". ");
}

static const char *refused_status(const struct answer *a)
{
    uint64_t limited = a->counters[COUNTER_FAILED_HTTP_429], busy = a->counters[COUNTER_STATUS_503],
             over = a->counters[COUNTER_STATUS_529];
    return busy > limited && busy >= over ? "503" : over > limited ? "529" : "429";
}

static void say_plateau(const struct plan *plan, bool whole, size_t n, struct answer *a)
{
    char load[LOAD_LABEL], cap[HUMAN_THINGS_MAX];
    if (!a->has_plateau) return;
    answer_say(a, a->plateau_reached ? "Plateau: " : "The plateau was not reached: at least ");
    say_rate(a, a->plateau, a->plateau_lo, a->plateau_hi);
    if (a->plateau_ramp) answer_say(a, " on average of the ramp %s", load_label(a->plateau_ramp, load));
    if (a->plateau_reached && isfinite(a->knee)) say_load(a, " from ", whole ? ceil(a->knee) : a->knee, " on");
    say_cost(plan, a->cost_plateau, a);
    if (a->plateau_reached && a->overrun_cap) /* it is that of the cap, which the server may be far from filled by */
        answer_say(a, ", with at most %s in flight (load.max_concurrency)", count(a->overrun_cap, "request", cap));
    if (!a->plateau_reached && a->points_left_out) say_left_out(", with ", n, a);
    answer_say(a, ". ");
    if (a->plateau_reached && isnan(a->knee) && isnan(a->refused_from))
        answer_say(a, "Where it begins was not seen: the first load tried gives it already. ");
    if (a->plateau_reached && isfinite(a->refused_from)) {
        answer_say(a, "More load gives no more: the server refuses requests (status %s)", refused_status(a));
        say_load(a, " from ", a->refused_from, " on. ");
    }
}

static void say_none_keeps(const struct plan *plan, struct answer *a)
{
    char points[HUMAN_THINGS_MAX];
    const char *sep = ": ";
    answer_say(a, "No load%s is shown to keep ", a->slo_drifting ? " with a steady window" : " tried");
    say_gates(plan, a);
    if (a->slo_failed) answer_say(a, "%s%u %s", sep, a->slo_failed, a->slo_failed == 1 ? "fails" : "fail"), sep = ", ";
    if (a->slo_undecided) answer_say(a, "%s%u undecided", sep, a->slo_undecided), sep = ", ";
    if (a->slo_drifting)
        answer_say(a, "%skept at %s whose window drifted", sep, count(a->slo_drifting, "point", points)), sep = ", ";
    if (a->slo_apart) answer_say(a, "%skept at %s whose runs are apart", sep, count(a->slo_apart, "load", points));
    answer_say(a, ". ");
}

/* Those that lower loads break. */
static void say_gates_of_load(const struct plan *plan, struct answer *a)
{
    const char *sep = "";
    for (size_t i = 0; i < plan->n_gates; i++) {
        if (!gate_asks_for_load(&plan->gates[i])) continue;
        answer_say(a, "%s%s", sep, plan->gates[i].text);
        sep = ", ";
    }
}

/* A search without a load whose figures can be given. */
static void say_no_load(const struct plan *plan, struct answer *a)
{
    bool at_from = a->search.over && a->search.failed_load <= plan->search.from; /* not of NaN */
    if (a->search.found) {
        say_load(a, "The search found ", a->search.load, ": the runs of that load together keep the limits, ");
        answer_say(a, a->loads_apart ? "and are apart from each other. "
                                     : "and none of them has a valid and steady window. ");
        return;
    }
    answer_say(a, a->search.over ? "No load tried is shown to keep the limits" : "The search was not finished");
    if (!isnan(a->search.failed_load))
        say_load(a, a->search.over ? "; they are broken at " : "; the limits are broken at ", a->search.failed_load,
                 at_from ? ", where the search began, so that no higher load was tried" : "");
    if (at_from && (plan->search.over_rate || plan->search.from > 1))
        answer_say(a, ". A lower load.search.from may find one that keeps them");
    if (!isnan(a->search.low_load)) {
        say_load(a, "; a load up to ", a->search.low_load, " is too low for ");
        say_gates_of_load(plan, a);
    }
    answer_say(a, ". ");
}

static void say_no_slo(const struct plan *plan, struct answer *a)
{
    bool nowhere = a->search.loads == 1 && !isnan(a->search.nothing_load); /* say_search has said it */
    if (plan->search.goal != SEARCH_SLO && (a->has_most || a->of_requests || a->loads_apart))
        say_none_keeps(plan, a);
    else if (plan->search.goal == SEARCH_SLO && !nowhere)
        say_no_load(plan, a);
}

static void say_searched(struct answer *a)
{
    char loads[HUMAN_THINGS_MAX], runs[HUMAN_THINGS_MAX];
    answer_say(a, " (%s, %s in %s", a->search.confirmed ? "confirmed" : "not confirmed",
               count(a->search.loads, "load", loads), count(a->search.runs, "run", runs));
    if (!isnan(a->search.failed_load)) answer_say_number(a, "; ", a->search.failed_load, " fails");
    if (!isnan(a->search.low_load)) {
        answer_say_number(a, "; kept from ", a->search.kept_from, " on");
        answer_say_number(a, ", ", a->search.low_load, " is too low");
    }
    answer_say(a, ")");
}

static void say_slo(const struct plan *plan, const struct point *points, size_t n, struct answer *a)
{
    if (!plan || plan->n_gates == 0) return;
    if (!a->has_slo) {
        say_no_slo(plan, a);
        return;
    }
    bool most = !a->slo_open_end && !a->slo_next_fails &&
                plan->search.goal != SEARCH_SLO; /* the most of what was tried: no higher load is known to fail */
    answer_say(a, most ? "The most within " : "Within ");
    say_gates(plan, a);
    answer_say(a, ": %s", a->slo_open_end ? "at least " : "");
    if (a->of_requests)
        answer_say_number(a, "", a->slo_requests_per_s, " requests/s");
    else
        say_rate(a, a->slo_tokens_per_s, a->slo_lo, a->slo_hi);
    say_load_of(a, " at ", a->slo_load, a->slo_ramp, "");
    say_few(a, a->slo_ended);
    double bad = a->bad_at.loads > 1 && a->slo_point < n
                     ? failed_at_share(points, n, &points[a->slo_point].requested, FAILED_BAD)
                     : 0;
    if (bad >= FAILURES_TELL) answer_say_percent(a, ", where ", bad, " of the requests were not answered well");
    if (!isnan(a->slo_passes_to)) answer_say_number(a, "; ", a->slo_passes_to, " passes too");
    if (!isnan(a->slo_fails_below)) answer_say_number(a, ", though ", a->slo_fails_below, " fails");
    say_cost(plan, a->cost_slo, a);
    if (plan->search.goal == SEARCH_SLO) say_searched(a);
    answer_say(a, ". ");
}

/* A load at which nothing ended ok: what happened there, the failures say. A search may ask for a load again, and
 * another run of it may have gone well. */
static void say_search(const struct plan *plan, const struct point *points, size_t n, struct answer *a)
{
    uint32_t runs = 0, good = 0;
    char b[HUMAN_THINGS_MAX];
    if (!plan || plan->search.goal == SEARCH_NONE || isnan(a->search.nothing_load)) return;
    for (size_t i = 0; i < n && i < a->search.runs; i++) { /* beyond them is a stage that was cut short */
        if (fabs(load_asked(&points[i].requested) / a->search.nothing_load - 1) > 1e-9) continue;
        runs++;
        good += points[i].window_ok > 0;
    }
    if (good) {
        answer_say(a, "Of %s that asked for ", count(runs, "run", b));
        say_load(a, "", a->search.nothing_load, "");
        answer_say(a, ", %u had no request due in the window that ended ok. ", runs - good);
        return;
    }
    say_load(a, a->search.loads == 1 ? "The search ended at its first load: at " : "At ", a->search.nothing_load,
             " no request due in the window ended ok. ");
}

static void say_capacity(const struct plan *plan, struct answer *a)
{
    static const char *const WORDS[] = {"is kept", "is not kept", "is not decided"};
    if (!plan || !plan->capacity.text) return;
    answer_say(a, "slo.capacity %s %s", plan->capacity.text, WORDS[a->capacity]);
    if (!isnan(a->capacity_value))
        answer_say_number(a, ": ", a->capacity_value, plan->capacity.requests ? " requests/s" : " token/s");
    if (a->capacity_open) answer_say(a, "; %s", a->capacity_open);
    answer_say(a, ". ");
}

static void say_shape(bool whole, struct answer *a)
{
    bool waits = a->plateau_reached && a->latency_per_doubling > 1.05 && (whole || isfinite(a->knee));
    if (waits && isfinite(a->knee)) answer_say_number(a, "Past ", whole ? ceil(a->knee) : a->knee, ", ");
    if (waits) {
        answer_say(a, "%s", isfinite(a->knee) ? "r" : "R");
        answer_say_number(a, "equests wait: each doubling of the load makes latency ", a->latency_per_doubling,
                          " × as long");
        if (a->fall > 0) answer_say_percent(a, ", and throughput falls by ", a->fall, " in the end");
        answer_say(a, ". ");
    } else if (a->plateau_reached && a->fall > 0) {
        answer_say_percent(a, "Throughput falls by ", a->fall, " from its maximum to the highest load. ");
    }
    twice_words(a);
    if (a->has_goodput) {
        answer_say_number(a, a->goodput_open_end ? "Goodput: at least " : "Goodput: ", a->goodput_requests_per_s,
                          " requests/s");
        if (!isnan(a->goodput_per_gpu)) answer_say_number(a, " (", a->goodput_per_gpu, " per GPU)");
        say_load_of(a, " at ", a->goodput_load, a->goodput_ramp, ", ");
        answer_say_percent(a, "", a->goodput_attainment, " of requests within their limits. ");
    } else if (!isnan(a->attained)) {
        answer_say_percent(a, "Goodput: no load keeps ", ANSWER_ATTAINMENT,
                           " of requests within their limits; the most, ");
        answer_say_percent(a, "", a->attained, ",");
        say_load(a, " at ", a->attained_load, ". ");
    }
}

/* The server's own words about the first failure. */
static void say_first(const struct failure_sample *f, struct answer *a)
{
    char words[FIRST_MOST + 4], buf[FAILURE_HINT];
    bool odd = f && f->status && (f->status < 200 || f->status > 299); /* a good status alone tells nothing */
    if (!f || !(odd || f->text[0])) return;
    answer_say(a, "The first: ");
    if (f->status) answer_say(a, "status %u%s", (unsigned)f->status, f->text[0] ? ", " : "");
    if (f->text[0]) answer_say(a, "\"%s\"", text_cut(f->text, FIRST_MOST, words));
    const char *hint = failure_hint(f, a->answered > 0, buf);
    answer_say(a, "%s%s ", hint, human_stop(hint));
}

static const char *unanswered_how(const struct answer *a)
{
    uint64_t due = a->counters[COUNTER_DUE], sent = a->counters[COUNTER_SENT];
    uint64_t unsent = due > sent ? due - sent : 0;
    if (a->earlier == a->cut) return ": they were open in the whole window, at its end the oldest for ";
    if (unsent == 0)
        return a->earlier ? ": the end of the window or of the drain cut them off, the oldest after "
                          : ": the drain's end cut them off, the oldest after ";
    return a->counters[COUNTER_ABORTED] > unsent
               ? ": they were never sent, or the drain's end cut them off, the oldest after "
               : ": they waited for a free slot and were never sent, the oldest for ";
}

/* Slots of a closed loop wait a little after a failure, so that less is offered than was asked for. */
static void say_rest(struct answer *a)
{
    if (!(a->rest_share > REST_TELL)) return;
    answer_say_percent(a, "After failures slots rested for ", a->rest_share,
                       " of their time: fewer requests were in flight than asked for. ");
}

/* What a retry saved is in no count of failures, and its wait is in every latency. */
static void say_retries(struct answer *a)
{
    uint64_t n = a->counters[COUNTER_RETRIES], cut = a->counters[COUNTER_RETRIES_CUT];
    int most = 0;
    char number[HUMAN_THINGS_MAX], by[HUMAN_MAX];
    for (int i = 1; i < FAILURE_N; i++)
        if (a->counters[COUNTER_RETRIED_FIRST + i] > a->counters[COUNTER_RETRIED_FIRST + most]) most = i;
    if ((double)n <= RETRIES_TELL * (double)a->counters[COUNTER_SENT]) return;
    answer_say(a, "%s failed and %s sent again (%s by %s)", human_things((double)n, "attempt", number),
               cut      ? "were to be"
               : n == 1 ? "was"
                        : "were",
               human_count(a->counters[COUNTER_RETRIED_FIRST + most], by), FAILURES[most].name);
    if (cut)
        answer_say(a, ", and %s of them never were, since the drain's end or a timeout came first",
                   human_count(cut, by));
    answer_say(a, "%s. ", cut < n ? "; latencies hold their waits" : "");
    const struct remark *first = a->remark[REMARK_RETRIED_FIRST + most];
    char words[FIRST_MOST + 4];
    if (first) answer_say(a, "The first such: %s. ", text_cut(first->text, FIRST_MOST, words));
}

/* " (40 %)", " (40 %; at loads 64, 128)": of the whole run, which is not that of any one load. */
static void say_share(struct answer *a, double share, const struct failed_at *at)
{
    char where[FAILED_AT_WORDS];
    answer_say_percent(a, " (", share, failed_at_words(at, where)[0] ? "; " : "");
    answer_say(a, "%s)", where);
}

/* Failures belong in the answer: a number at which every third request failed is not good news. */
static void say_failures(struct answer *a)
{
    char n[HUMAN_MAX], all[HUMAN_THINGS_MAX], by[HUMAN_MAX];
    double ended = (double)a->requests;
    if (a->failed) {
        answer_say(a, "%s of %s failed", human_count(a->failed, n), human_things(ended, "request", all));
        say_share(a, (double)a->failed / ended, &a->failed_at);
        if (a->window_failed == 0) answer_say(a, ", none of those due after the warm-up");
        if (a->failed_by_n < a->failed)
            answer_say(a, ", %s of them by ", human_count(a->failed_by_n, by));
        else
            answer_say(a, ", all by ");
        answer_say(a, "%s: %s. ", COUNTERS[a->failed_by].name, COUNTERS[a->failed_by].meaning);
        char statuses[STATUSES_WORDS];
        if (statuses_words(a->counters, FAILURE_N, statuses)[0]) answer_say(a, "By status: %s. ", statuses);
        say_first(a->failed_first, a);
        if (a->remark[REMARK_OTHER_STATUS])
            answer_say(a, "One label had two causes: %s. ", a->remark[REMARK_OTHER_STATUS]->text);
        say_rest(a);
    }
    if (a->unanswered) {
        double due = (double)a->window_requests;
        answer_say(a, "%s of %s due in the window%s got no %sanswer", human_count(a->cut, n),
                   human_things(due, "request", all), a->earlier ? " or before it" : "", a->cut_within ? "whole " : "");
        say_share(a, (double)a->cut / due, &a->cut_at);
        answer_say_number(a, unanswered_how(a), a->oldest_cut_s, " s");
        if (a->hung) answer_say_number(a, ", where no answer took longer than ", a->slowest_s, " s");
        answer_say(a, ". ");
        if (a->cut > a->unanswered) /* a younger one might have ended well with a longer drain */
            answer_say(a, "errors.rate counts %s of them: those older than the slowest answer of their stage. ",
                       human_count(a->unanswered, n));
        if (a->earlier)
            answer_say(a, "Sent before the window began, and without an answer in all of it: %s of %s in flight. ",
                       human_count(a->earlier, n), human_things((double)a->earlier_of, "request", all));
    }
    say_retries(a);
}

/* Latencies are of answers that came before their users went away, and so of the faster ones. */
static void say_cancelled(const struct plan *plan, struct answer *a)
{
    char n[HUMAN_MAX], all[HUMAN_THINGS_MAX];
    if (!a->cancelled || (double)a->cancelled < CANCELLED_TELL * (double)a->window_due) return;
    answer_say(a, "%s of %s %s cancelled by load.cancel", human_count(a->cancelled, n),
               human_things((double)a->window_due, "request", all), a->cancelled == 1 ? "was" : "were");
    if (!plan->target.whole) answer_say(a, ", %s of them before a first token", human_count(a->cancelled_early, n));
    answer_say(a, "; latencies are of those that ended before. ");
}

/* The suspect point that the figures rest on most: that within the gates, else the one with the maximum of throughput.
 */
static const struct point *most_suspect(const struct point *points, size_t n, const struct answer *a)
{
    const struct point *most = NULL;
    for (size_t i = 0; i < n; i++) {
        const struct verdict *v = &points[i].verdict;
        if (v->status != VERDICT_SUSPECT || !v->n_reasons || !answer_carries(a, &points[i])) continue;
        if (a->has_slo && a->slo_point == i) return &points[i];
        bool more = most && (a->of_requests ? points[i].requests_per_s > most->requests_per_s
                                            : points[i].output_tokens_per_s > most->output_tokens_per_s);
        if (!most || more) most = &points[i];
    }
    return most;
}

/* One stage's reason never stands beside another stage's number: it is named. Of points that carry the answer; where
 * there are none there is no answer that a reason could be of, and the run's headline says why. */
static void say_reason(const struct point *points, size_t n, struct answer *a)
{
    char load[LOAD_LABEL], other[HUMAN_THINGS_MAX];
    const struct point *p = most_suspect(points, n, a);
    if (!p && a->twice.apart.low) answer_say(a, "Suspect: runs of one load are apart.");
    if (!p) return;
    answer_say(a, "Suspect");
    if (n > 1) answer_say(a, ", stage %u (load %s)", p->stage + 1, load_label(&p->requested, load));
    answer_say(a, ": %s.", p->verdict.reason[0]);
    if (a->points_suspect > 1)
        answer_say(a, " So %s %s of those used.", a->points_suspect > 2 ? "are" : "is",
                   count(a->points_suspect - 1, "other point", other));
}

/* Of the points that are left out because they drift, the one that drifts most. */
static void say_drift(const struct point *points, size_t n, struct answer *a)
{
    const struct point *most = NULL;
    char load[HUMAN_THINGS_MAX];
    for (size_t i = 0; i < n; i++) {
        const struct point *p = &points[i];
        if (p->verdict.status == VERDICT_INVALID || p->steady != STEADY_NO || load_carries(p)) continue;
        if (fabs(p->drift) >= STEADY_DRIFT && (!most || fabs(p->drift) > fabs(most->drift))) most = p;
    }
    if (!most) return;
    const struct plan_stage *asked = &most->requested;
    answer_say(
        a, " At %s output token/s ",
        human_things(load_asked(asked), load_thing(asked->kind == LOAD_OPEN ? AXIS_RATE : AXIS_IN_FLIGHT), load));
    double first = 1 - most->drift / 2; /* the line's beginning, relative to the mean */
    if (most->drift < 0)
        answer_say_percent(a, "fell by ", fmin(1, -most->drift / first), " over the window.");
    else if (first > 0)
        answer_say_percent(a, "rose by ", most->drift / first, " over the window.");
    else
        answer_say(a, "rose from next to nothing over the window.");
}

static void say_verdict(const struct point *points, size_t n, struct answer *a)
{
    char where[FAILED_AT_WORDS];
    if (a->search.client_limited)
        answer_say(a, "The agents could not offer the loads above: more of them are needed to see further. ");
    if (a->worst_verdict == VERDICT_VALID && a->points_used) {
        answer_say(a, "Valid: the agents were %s",
                   a->points_left_out ? "not the limit in the points used" : "never the limit");
        if (!isnan(a->worst_lag_ms)) answer_say_number(a, " (worst loop lag ", a->worst_lag_ms, " ms at p99)");
        if ((double)a->bad >= FAILURES_TELL * (double)a->bad_of && a->bad)
            answer_say_percent(a, ", but ", (double)a->bad / (double)a->bad_of,
                               failed_at_words(&a->bad_at, where)[0]
                                   ? " of the whole run's requests were not answered well"
                                   : " of the requests were not answered well");
        answer_say(a, ".");
    } else if (a->worst_verdict != VERDICT_VALID) {
        say_reason(points, n, a);
    }
    if (a->points_left_out && (!a->has_plateau || a->plateau_reached)) {
        say_left_out(a->points_used ? " " : "No figure is given: ", n, a);
        answer_say(a, ".");
        say_drift(points, n, a);
    }
}

void answer_words(const struct plan *plan, const struct point *points, size_t n, struct answer *a)
{
    bool whole = a->axis == AXIS_IN_FLIGHT;
    char parts[PARTS_WORDS];
    a->text[0] = '\0';
    if (a->loads_apart) twice_apart_words(a); /* in place of the figures that are not given */
    say_plateau(plan, whole, n, a);
    say_search(plan, points, n, a);
    say_most(plan, a);
    say_tokenless(a);
    say_slo(plan, points, n, a);
    say_capacity(plan, a);
    say_shape(whole, a);
    say_ramp(a);
    answer_say(a, "%s", scenario_words(plan, points, n, parts, sizeof parts));
    stage_words(plan, points, n, a);
    say_failures(a);
    say_cancelled(plan, a);
    answer_say(a, "%s", censored_words(points, n, parts));
    part_words(plan, points, n, a);
    answer_say(a, "%s", left_out_of_plan(plan, parts, sizeof parts));
    answer_say(a, "%s", cache_hits_words(&a->hits, parts));
    stream_words(plan, points, n, a);
    answer_say(a, "%s", old_build_words(points, n, parts));
    say_verdict(points, n, a);
    size_t end = strlen(a->text);
    while (end && a->text[end - 1] == ' ')
        a->text[--end] = '\0';
}
