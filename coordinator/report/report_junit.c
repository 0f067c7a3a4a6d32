/* junit.xml: what a run promised, as tests a CI system knows how to show. A suite of gates (one test each) and a suite
 * of measurements (one test per point: is the number the server's?). Inconclusive gates are skipped tests when the plan
 * lets them pass, else failures. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/human.h"
#include "coordinator/answer/left_out.h"
#include "coordinator/answer/load_axis.h"
#include "coordinator/answer/verdict.h"
#include "coordinator/report/headline.h"
#include "coordinator/report/report_parts.h"

static void put_xml(struct buf *out, const char *s)
{
    report_put_markup(out, s, strlen(s), true);
}

static void put_gate(const struct analysis *in, size_t gate, struct buf *out)
{
    const struct plan *plan = in->run->plan;
    const struct gate_outcome *o = report_gate(in, gate);
    enum gate_result result = o ? o->result : GATE_INCONCLUSIVE;
    char load[64], words[300];
    (void)buf_puts(out, "    <testcase classname=\"slo.run\" name=\"");
    put_xml(out, plan->gates[gate].text);
    if (result == GATE_PASS) {
        (void)buf_puts(out, "\"/>\n");
        return;
    }
    bool skip = result == GATE_INCONCLUSIVE && plan->on_inconclusive == INCONCLUSIVE_PASS;
    (void)buf_printf(out, "\">\n      <%s message=\"%s",
                     result == GATE_FAIL ? "failure"
                     : skip              ? "skipped"
                                         : "error",
                     result == GATE_FAIL ? "limit broken" : "not decided");
    if (o) {
        (void)buf_puts(out, " at load ");
        put_xml(out, load_label(&in->points[o->point].requested, load));
    }
    (void)buf_puts(out, result == GATE_FAIL || skip ? ": " : ", and slo.inconclusive is fail: ");
    if (o && o->point < in->n_points)
        put_xml(out, gate_words(o, &in->points[o->point], words, sizeof words));
    else
        (void)buf_puts(out, "no valid point was measured");
    (void)buf_puts(out, "\"/>\n    </testcase>\n");
}

/* slo.capacity, a gate on the answer. */
static void put_capacity(const struct analysis *in, struct buf *out)
{
    const struct plan *plan = in->run->plan;
    const struct answer *a = &in->answer;
    char value[HUMAN_MAX];
    (void)buf_puts(out, "    <testcase classname=\"slo.capacity\" name=\"");
    put_xml(out, plan->capacity.text);
    if (a->capacity == GATE_PASS) {
        (void)buf_puts(out, "\"/>\n");
        return;
    }
    bool skip = a->capacity == GATE_INCONCLUSIVE && plan->on_inconclusive == INCONCLUSIVE_PASS;
    (void)buf_printf(out, "\">\n      <%s message=\"%s",
                     a->capacity == GATE_FAIL ? "failure"
                     : skip                   ? "skipped"
                                              : "error",
                     a->capacity == GATE_FAIL ? "not kept"
                     : skip                   ? "not decided"
                                              : "not decided, and slo.inconclusive is fail");
    if (isfinite(a->capacity_value))
        (void)buf_printf(out, ": it is %s %s", human_number(a->capacity_value, value),
                         plan->capacity.requests ? "requests/s" : "token/s");
    if (a->capacity_open) (void)buf_printf(out, "; %s", a->capacity_open);
    (void)buf_puts(out, "\"/>\n    </testcase>\n");
}

/* How many of a stage's requests failed or were never answered, and the server's own words. */
static void failures_words(const struct analysis *in, size_t i, struct buf *ret)
{
    const struct point *p = &in->points[i];
    const struct stage_data *s = report_stage(in, i);
    uint64_t failed = 0;
    int most = 0;
    char n[HUMAN_MAX], all[HUMAN_THINGS_MAX], share[HUMAN_MAX];
    for (int f = 0; f < FAILURE_N; f++) {
        failed += p->ledger.failed[f];
        if (p->ledger.failed[f] > p->ledger.failed[most]) most = f;
    }
    if (failed) {
        const struct failure_sample *first = s ? failure_samples_find(&s->failures, (enum failure)most) : NULL;
        double ended = (double)(failed + p->ledger.ok);
        (void)buf_printf(ret, "%s of %s failed (%s), ", human_count(failed, n), human_things(ended, "request", all),
                         human_percent((double)failed / ended, share));
        (void)buf_printf(ret, p->ledger.failed[most] < failed ? "%s of them by %s: %s." : "all%s by %s: %s.",
                         p->ledger.failed[most] < failed ? human_count(p->ledger.failed[most], n) : "",
                         FAILURES[most].name, COUNTERS[COUNTER_FAILED_FIRST + most].meaning);
        if (first && first->status) (void)buf_printf(ret, " The first: status %u.", (unsigned)first->status);
        if (first && first->text[0]) (void)buf_printf(ret, " The server's words: %s", first->text);
        (void)buf_putc(ret, '\n');
    }
    if (p->window_cut)
        (void)buf_printf(ret, "%s of %s due in the window%s got no %sanswer (%s).\n", human_count(p->window_cut, n),
                         human_things((double)point_due(p), "request", all), p->earlier_cut ? " or before it" : "",
                         p->metric[METRIC_CUT_TTFT].count ? "whole " : "",
                         human_percent((double)p->window_cut / (double)point_due(p), share));
}

/* What a person has to know of a measurement that a test's result alone does not tell. */
static void put_out(const struct analysis *in, size_t i, struct buf *out)
{
    const struct verdict *v = &in->points[i].verdict;
    struct buf words = BUF_INIT(1u << 16);
    failures_words(in, i, &words);
    for (uint32_t k = 0; k < v->n_reasons; k++)
        (void)buf_printf(&words, "%s: %s\n",
                         v->status == VERDICT_VALID        ? "Note"
                         : v->weight[k] == VERDICT_INVALID ? "Invalid"
                                                           : "Suspect",
                         v->reason[k]);
    if (words.len) {
        (void)buf_puts(out, "      <system-out>");
        report_put_markup(out, buf_str(&words), words.len - 1, false);
        (void)buf_puts(out, "</system-out>\n");
    }
    buf_clear(&words);
}

/* Invalid since the user, or an error, ended the stage: an error of the run, no failed test. */
static bool only_cut(const struct analysis *in, size_t i)
{
    const struct stage_data *s = report_stage(in, i);
    return in->points[i].verdict.status == VERDICT_INVALID && s && s->aborted && !run_data_finished(in->run) &&
           verdict_only_cut(s->counters, &s->plan);
}

static bool failed_test(const struct analysis *in, size_t i)
{
    return in->points[i].verdict.status == VERDICT_INVALID && !only_cut(in, i);
}

/* What makes the run's exit status 4 by this stage alone; NULL: nothing does. */
static const char *point_broken(const struct analysis *in, size_t i)
{
    const struct stage_data *s = report_stage(in, i);
    if (failed_test(in, i) || !s) return NULL;
    if (only_cut(in, i) && in->points[i].verdict.n_reasons) return in->points[i].verdict.reason[0];
    if (s->degraded) return "the result misses an agent, or a part of its time";
    return s->aborted && !run_data_finished(in->run) ? "the stage was cut short" : NULL;
}

static void put_point(const struct analysis *in, size_t i, struct buf *out)
{
    const struct point *p = &in->points[i];
    const char *broken = point_broken(in, i);
    char load[64];
    (void)buf_printf(out, "    <testcase classname=\"measurement\" name=\"stage %u.%u, load ", p->stage + 1,
                     p->repeat + 1);
    put_xml(out, load_label(&p->requested, load));
    (void)buf_printf(out, "\" time=\"%.3f\">\n", p->window_s);
    if (failed_test(in, i)) {
        (void)buf_puts(out, "      <failure message=\"invalid: ");
        put_xml(out, p->verdict.n_reasons ? p->verdict.reason[0] : "the number is the client's");
        (void)buf_puts(out, "\"/>\n");
    } else if (broken) {
        (void)buf_puts(out, "      <error message=\"");
        put_xml(out, broken);
        (void)buf_puts(out, "\"/>\n");
    }
    put_out(in, i, out);
    (void)buf_puts(out, "    </testcase>\n");
}

/* Why stages were not run. ret holds as much as a headline. */
static void missing_why(const struct analysis *in, struct headline *h)
{
    const struct run_data *run = in->run;
    headline_make(in, h);
    const char *why = run_data_finished(run)                                  ? "slo.abort_on_fail ended the run"
                      : in->measured_status == 4 || in->measured_status > 128 ? NULL
                      : run->ended_wall_ns == 0
                          ? "the run has not ended: it is under way, or its coordinator was killed"
                          : "the run ended before this stage, and its "
                            "file does not say why";
    if (why) (void)snprintf(h->why, sizeof h->why, "%s", why);
    for (size_t i = 0; i < run->n_events; i++)
        if (run->events[i].kind == RUN_EVENT_ERROR && !run_data_finished(run))
            failure_words(h->why, sizeof h->why, run->events[i].text, strlen(run->events[i].text));
}

/* A stage that the plan asks for and that was not run. out: NULL only counts them. */
static size_t put_missing(const struct analysis *in, struct buf *out)
{
    struct headline h;
    size_t n = 0, at = 0;
    uint32_t stage, repeat;
    char load[LOAD_LABEL];
    if (out) missing_why(in, &h);
    while (in->run->plan && analysis_missing(in, &at, &stage, &repeat)) {
        n++;
        if (!out) continue;
        (void)buf_printf(out, "    <testcase classname=\"measurement\" name=\"stage %u.%u, load ", stage + 1,
                         repeat + 1);
        put_xml(out, load_label(&in->run->plan->stages[stage], load));
        (void)buf_printf(out, "\">\n      <%s message=\"not run: ", run_data_finished(in->run) ? "skipped" : "error");
        put_xml(out, h.why);
        (void)buf_puts(out, "\"/>\n    </testcase>\n");
    }
    return n;
}

/* The run failed: its exit status is not 0. */
static bool is_red(const struct analysis *in)
{
    return in->measured_status != 0 || run_data_error(in->run);
}

/* Where no gate and no stage says why the run failed, a test of its own does: no file of a failed run is all green. */
static void put_run(const struct analysis *in, struct buf *out)
{
    struct headline h;
    headline_make(in, &h);
    (void)buf_printf(
        out, "    <testcase classname=\"measurement\" name=\"the whole run\">\n      <error message=\"%s: ", h.word);
    put_xml(out, h.why);
    (void)buf_puts(out, "\"/>\n    </testcase>\n");
}

/* What of the plan's files is in no request. */
static void put_left_out(const struct plan *plan, struct buf *out)
{
    char words[LEFT_OUT_WORDS];
    bool any = false;
    for (size_t i = 0; plan && i < plan->n_workloads; i++) {
        const struct plan_workload *w = &plan->workloads[i];
        const struct plan_found *f = &w->data.found;
        if (!left_out_words(w, words)) continue;
        if (!any) (void)buf_puts(out, "    <properties>\n");
        any = true;
        const struct {
            const char *name;
            uint64_t n;
        } COUNTS[] = {{"records", f->records}, {"broken", f->broken}, {"empty", f->empty}};
        for (size_t k = 0; k < sizeof COUNTS / sizeof *COUNTS; k++) {
            (void)buf_puts(out, "      <property name=\"workload.");
            put_xml(out, w->name);
            (void)buf_printf(out, ".%s\" value=\"%" PRIu64 "\"/>\n", COUNTS[k].name, COUNTS[k].n);
        }
        (void)buf_puts(out, "      <property name=\"workload.");
        put_xml(out, w->name);
        (void)buf_puts(out, ".left_out\" value=\"");
        put_xml(out, words);
        (void)buf_puts(out, "\"/>\n");
    }
    if (any) (void)buf_puts(out, "    </properties>\n");
}

int report_junit(const struct analysis *in, struct buf *out, struct err *e)
{
    const struct plan *plan = in->run->plan;
    size_t n_gates = plan ? plan->n_gates : 0, count[3] = {0, 0, 0}, invalid = 0, broken = 0, n_tests = n_gates;
    for (size_t i = 0; i < n_gates; i++) {
        const struct gate_outcome *o = report_gate(in, i);
        count[o ? o->result : GATE_INCONCLUSIVE]++;
    }
    if (plan && plan->capacity.text) {
        n_tests++;
        count[in->answer.capacity]++;
    }
    bool skip = plan && plan->on_inconclusive == INCONCLUSIVE_PASS;
    size_t failed = count[GATE_FAIL], open = count[GATE_INCONCLUSIVE], errors = skip ? 0 : open,
           skipped = open - errors;
    for (size_t i = 0; i < in->n_points; i++)
        invalid += failed_test(in, i), broken += point_broken(in, i) != NULL;
    size_t missing = put_missing(in, NULL), not_run = run_data_finished(in->run) ? 0 : missing;
    bool run = failed + errors + invalid + broken + not_run == 0 && is_red(in);
    size_t points = in->n_points + missing + run;
    broken += not_run + run;
    (void)buf_puts(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"plateau ");
    put_xml(out, plan && plan->name ? plan->name : in->run->run_id);
    (void)buf_printf(out, "\" tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" skipped=\"%zu\">\n", n_tests + points,
                     failed + invalid, errors + broken, skipped + missing - not_run);
    (void)buf_printf(out,
                     "  <testsuite name=\"gates\" tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" skipped=\"%zu\">\n",
                     n_tests, failed, errors, skipped);
    for (size_t i = 0; i < n_gates; i++)
        put_gate(in, i, out);
    if (n_tests > n_gates) put_capacity(in, out);
    (void)buf_printf(out,
                     "  </testsuite>\n  <testsuite name=\"measurements\" tests=\"%zu\" failures=\"%zu\" "
                     "errors=\"%zu\" skipped=\"%zu\">\n",
                     points, invalid, broken, missing - not_run);
    put_left_out(plan, out);
    for (size_t i = 0; i < in->n_points; i++)
        put_point(in, i, out);
    (void)put_missing(in, out);
    if (run) put_run(in, out);
    if (in->answer.text[0]) { /* what belongs to no single point, as that the run was interrupted */
        (void)buf_puts(out, "    <system-out>");
        report_put_markup(out, in->answer.text, strlen(in->answer.text), false);
        (void)buf_puts(out, "</system-out>\n");
    }
    (void)buf_puts(out, "  </testsuite>\n</testsuites>\n");
    return out->bad ? err_set(e, ERR_NOMEM, "no memory for junit.xml") : 0;
}
