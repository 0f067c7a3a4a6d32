#include "coordinator/report/report_counts.h"

#include <inttypes.h>
#include <math.h>

#include "coordinator/answer/censored.h"
#include "coordinator/answer/statuses.h"
#include "coordinator/report/report_parts.h"
#include "coordinator/answer/load_axis.h"

void report_counters(struct json_out *j, const struct stage_data *s)
{
    json_object(j, "counters");
    for (int i = 0; i < COUNTER_N; i++)
        if (s->uncounted[i])
            json_null(j, COUNTERS[i].name);
        else
            json_u64(j, COUNTERS[i].name, s->counters[i]);
    json_end_object(j);
}

void report_with_cut(struct json_out *j, const struct point *p)
{
    static const enum metric OF[] = {METRIC_TTFT, METRIC_TTFT_DUE, METRIC_TTFC, METRIC_E2E, METRIC_E2E_DUE};
    static const char *const NAMES[POINT_Q] = {"p50", "p90", "p95", "p99", "p99_9"};
    struct censored c;
    char key[64];
    bool any = false;
    for (size_t i = 0; i < sizeof OF / sizeof *OF; i++) {
        if (!censored_read(p, OF[i], &c)) continue;
        if (!any) json_object(j, "with_cut");
        any = true;
        json_object(j, report_metric_key(OF[i], key));
        json_double(j, "share", c.share);
        for (int k = 0; k < POINT_Q; k++) {
            json_object(j, NAMES[k]);
            json_double(j, "value", c.q[k]);
            json_double(j, "low", c.lo[k]);
            json_double(j, "high", c.hi[k]);
            json_end_object(j);
        }
        json_end_object(j);
    }
    if (any)
        json_end_object(j);
    else
        json_null(j, "with_cut");
}

void report_retries(struct json_out *j, const struct analysis *a, const struct stage_data *s)
{
    if (a->run->plan->retries.max == 0) {
        json_null(j, "retries");
        return;
    }
    json_object(j, "retries");
    json_u64(j, "sent", s->counters[COUNTER_RETRIES] - s->counters[COUNTER_RETRIES_CUT]);
    json_u64(j, "cut", s->counters[COUNTER_RETRIES_CUT]);
    json_u64(j, "denied", s->counters[COUNTER_RETRIES_DENIED]);
    json_u64(j, "too_late", s->counters[COUNTER_RETRIES_TOO_LATE]);
    json_object(j, "after");
    for (int i = 0; i < FAILURE_N; i++)
        if (s->counters[COUNTER_RETRIED_FIRST + i])
            json_u64(j, FAILURES[i].name, s->counters[COUNTER_RETRIED_FIRST + i]);
    json_end_object(j);
    json_object(j, "first");
    for (int i = 0; i < FAILURE_N; i++)
        if (s->remarks.of[REMARK_RETRIED_FIRST + i].text[0])
            json_string(j, FAILURES[i].name, s->remarks.of[REMARK_RETRIED_FIRST + i].text);
    json_end_object(j);
    json_end_object(j);
}

void report_retries_words(const struct analysis *in, struct buf *text)
{
    uint64_t n = 0, cut = 0, denied = 0, late = 0, after[FAILURE_N] = {0};
    for (size_t i = 0; i < in->n_points; i++) {
        const struct stage_data *s = report_stage(in, i);
        if (!s) continue;
        n += s->counters[COUNTER_RETRIES] - s->counters[COUNTER_RETRIES_CUT];
        cut += s->counters[COUNTER_RETRIES_CUT];
        denied += s->counters[COUNTER_RETRIES_DENIED];
        late += s->counters[COUNTER_RETRIES_TOO_LATE];
        for (int k = 0; k < FAILURE_N; k++)
            after[k] += s->counters[COUNTER_RETRIED_FIRST + k];
    }
    (void)buf_printf(text, "%" PRIu64 " sent again", n);
    if (cut) (void)buf_printf(text, ", %" PRIu64 " never were, since the drain's end or a timeout came first", cut);
    const char *mark = ", after ";
    for (int k = 0; k < FAILURE_N; k++, mark = after[k - 1] ? ", " : mark)
        if (after[k]) (void)buf_printf(text, "%s%s %" PRIu64, mark, FAILURES[k].name, after[k]);
    if (n) (void)buf_puts(text, "; latencies of these requests begin with their first try");
    for (int k = 0; k < FAILURE_N; k++) {
        const struct remark *first = in->answer.remark[REMARK_RETRIED_FIRST + k];
        if (after[k] && first) (void)buf_printf(text, "; the first by %s: %s", FAILURES[k].name, first->text);
    }
    if (denied)
        (void)buf_printf(text, ". %" PRIu64 " failed and were not sent again: load.retries.budget was used up", denied);
    if (late)
        (void)buf_printf(text,
                         ". %" PRIu64 " failed and were not sent again: their Retry-After reached beyond "
                         "target.timeouts.total",
                         late);
}

void report_recorded(struct json_out *j, const struct stage_data *s)
{
    uint64_t wanted = s->counters[COUNTER_RECORDED];
    if (!wanted) {
        json_null(j, "recorded");
        return;
    }
    json_object(j, "recorded");
    json_u64(j, "wanted", wanted);
    json_u64(j, "kept", s->request_rows);
    json_end_object(j);
}

/* f: NULL when none was kept. */
static void put_failure_sample(struct json_out *j, const struct failure_sample *f)
{
    if (f && f->status)
        json_u64(j, "status", f->status);
    else
        json_null(j, "status");
    json_double(j, "time_s", f ? (double)f->at_ns / 1e9 : (double)NAN);
    json_string(j, "address", f ? f->address : "");
    json_string(j, "text", f ? f->text : "");
}

void report_first_failures(struct json_out *j, const struct stage_data *s)
{
    json_array(j, "first_failures");
    for (uint32_t i = 0; i < s->failures.n; i++) {
        json_object(j, NULL);
        json_string(j, "label", FAILURES[s->failures.row[i].label].name);
        put_failure_sample(j, &s->failures.row[i]);
        json_end_object(j);
    }
    json_end_array(j);
}

void report_remarks(struct json_out *j, const struct stage_data *s)
{
    json_array(j, "remarks");
    for (int k = 0; k < REMARK_N; k++) {
        const struct remark *r = &s->remarks.of[k];
        if (!r->text[0]) continue;
        json_object(j, NULL);
        json_string(j, "kind", REMARK_NAMES[k]);
        json_double(j, "time_s", (double)r->at_ns / 1e9);
        json_string(j, "text", r->text);
        json_end_object(j);
    }
    json_end_array(j);
}

void report_failures_of_run(struct json_out *j, const struct analysis *in)
{
    struct report_failure f[FAILURE_N];
    size_t n = report_failures(in, f);
    char load[64], hint[FAILURE_HINT], statuses[STATUSES_WORDS];
    json_array(j, "failures");
    for (size_t i = 0; i < n; i++) {
        const struct point *p = &in->points[f[i].point];
        json_object(j, NULL);
        json_string(j, "label", FAILURES[f[i].label].name);
        json_string(j, "meaning", COUNTERS[COUNTER_FAILED_FIRST + (int)f[i].label].meaning);
        json_u64(j, "requests", f[i].n);
        json_u64(j, "stage", p->stage + 1);
        json_string(j, "load", load_label(&p->requested, load));
        put_failure_sample(j, f[i].first);
        json_string(j, "statuses", statuses_words(in->answer.counters, f[i].label, statuses));
        json_string(j, "hint", f[i].first ? failure_hint(f[i].first, in->answer.answered > 0, hint) : "");
        json_end_object(j);
    }
    json_end_array(j);
}

void report_sessions(struct json_out *j, const struct analysis *a, const struct stage_data *s)
{
    if (!plan_has_sessions(a->run->plan) && !plan_has_trees(a->run->plan)) {
        json_null(j, "sessions");
        return;
    }
    json_object(j, "sessions");
    json_u64(j, "begun", s->counters[COUNTER_SESSIONS]);
    json_u64(j, "whole", s->counters[COUNTER_SESSIONS_DONE]);
    json_u64(j, "broken", s->counters[COUNTER_SESSIONS_BROKEN]);
    json_end_object(j);
}

void report_addresses(struct json_out *j, const struct stage_data *s)
{
    json_array(j, "addresses");
    for (uint32_t i = 0; i < s->addresses.n; i++) {
        const struct address_count *a = &s->addresses.row[i];
        json_object(j, NULL);
        json_string(j, "address", a->address);
        json_u64(j, "requests", a->requests);
        json_u64(j, "ok", a->ok);
        json_u64(j, "failed", a->failed);
        json_end_object(j);
    }
    json_end_array(j);
}
