/* summary.json: all that a program may want to know of a run. Field names are a promise; README.md of this folder says
 * what each means. */
#include <math.h>
#include <stdio.h>

#include "common/clock.h"
#include "coordinator/answer/curve.h"
#include "coordinator/answer/early_stop.h"
#include "coordinator/answer/figure.h"
#include "coordinator/answer/gates.h"
#include "coordinator/answer/load_axis.h"
#include "coordinator/answer/scenario.h"
#include "coordinator/answer/verdict.h"
#include "coordinator/report/headline.h"
#include "coordinator/report/reasons.h"
#include "coordinator/report/report_answer.h"
#include "coordinator/report/report_counts.h"
#include "coordinator/report/report_mix.h"
#include "coordinator/report/report_parts.h"
#include "coordinator/report/report_server.h"

#define CAUSES 32u

static const char *const Q_NAMES[POINT_Q] = {"p50", "p90", "p95", "p99", "p99_9"};

static void put_stat(struct json_out *j, const char *key, const struct metric_stat *s)
{
    json_object(j, key);
    json_u64(j, "count", s->count);
    json_double(j, "mean", s->mean);
    json_double(j, "min", s->min);
    json_double(j, "max", s->max);
    for (int i = 0; i < POINT_Q; i++)
        json_double(j, Q_NAMES[i], s->q[i]);
    json_object(j, "ci95");
    report_pair(j, "mean", s->mean_lo, s->mean_hi);
    for (int i = 0; i < POINT_Q; i++)
        report_pair(j, Q_NAMES[i], s->q_lo[i], s->q_hi[i]);
    json_end_object(j);
    json_end_object(j);
}

static void put_requested(struct json_out *j, const struct plan_stage *p)
{
    char text[64];
    json_object(j, "requested");
    json_string(j, "load", load_label(p, text));
    json_string(j, "kind", p->kind == LOAD_CLOSED ? "closed" : "open");
    if (p->kind == LOAD_CLOSED) {
        json_u64(j, "concurrency", p->concurrency);
    } else {
        static const char *const ARRIVALS[] = {[ARRIVALS_CONSTANT] = "constant",
                                               [ARRIVALS_POISSON] = "poisson",
                                               [ARRIVALS_GAMMA] = "gamma",
                                               [ARRIVALS_RECORDED] = "recorded"};
        json_double(j, "rate_from", p->rate_from);
        json_double(j, "rate_to", p->rate_to);
        json_string(j, "arrivals", ARRIVALS[p->arrivals]);
        json_known_u64(j, "max_concurrency", p->max_concurrency != 0, p->max_concurrency);
    }
    json_double(j, "duration_s", (double)p->duration_ns / 1e9);
    json_known_u64(j, "requests", p->requests != 0, p->requests);
    json_double(j, "warmup_s", (double)p->warmup_ns / 1e9);
    json_double(j, "ramp_s", (double)p->ramp_ns / 1e9);
    json_end_object(j);
}

static void put_verdict(struct json_out *j, const struct verdict *v)
{
    json_object(j, "verdict");
    json_string(j, "status", verdict_name(v->status));
    json_array(j, "reasons");
    for (uint32_t i = 0; i < v->n_reasons; i++)
        json_string(j, NULL, v->reason[i]);
    json_end_array(j);
    json_end_object(j);
}

static void put_ledger(struct json_out *j, const struct point *p)
{
    json_object(j, "ledger");
    json_u64(j, "due", p->ledger.due);
    json_u64(j, "ok", p->ledger.ok);
    json_object(j, "failed");
    for (int i = COUNTER_FAILED_FIRST; i <= COUNTER_FAILED_LAST; i++) {
        uint64_t n = p->ledger.failed[i - COUNTER_FAILED_FIRST];
        if (n) json_u64(j, COUNTERS[i].name, n);
    }
    json_end_object(j);
    json_u64(j, "cancelled", p->ledger.cancelled);
    json_u64(j, "aborted", p->ledger.aborted);
    json_u64(j, "lost", p->ledger.lost);
    json_bool(j, "balanced", p->ledger.balanced);
    json_end_object(j);
}

/* How many answers gave which reason for their end. */
static void put_finish(struct json_out *j, const struct stage_data *d)
{
    json_object(j, "finish");
    for (int i = 0; d && i < FINISH_N; i++)
        if (d->counters[COUNTER_FINISH_NONE + i]) json_u64(j, FINISH_NAMES[i], d->counters[COUNTER_FINISH_NONE + i]);
    json_end_object(j);
}

static double ratio(uint64_t a, uint64_t b)
{
    return b ? (double)a / (double)b : (double)NAN;
}

static void put_evidence(struct json_out *j, const struct stage_data *s)
{
    const uint64_t *c = s->counters;
    json_object(j, "evidence");
    json_string(j, "stamps", report_stamps(s));
    json_double(j, "cpu_s", (double)c[COUNTER_CPU_NS] / 1e9);
    json_double(j, "cpu_max_s", (double)c[COUNTER_CPU_MAX_NS] / 1e9);
    json_double(j, "run_queue_s", (double)c[COUNTER_RUNQ_NS] / 1e9);
    json_u64(j, "throttled", c[COUNTER_THROTTLED]);
    json_u64(j, "reads", c[COUNTER_READS]);
    json_u64(j, "unstamped", c[COUNTER_UNSTAMPED]);
    json_u64(j, "clock_steps", c[COUNTER_CLOCK_STEPS]);
    json_u64(j, "waiting_bytes_max", c[COUNTER_WAITING_BYTES_MAX]);
    json_u64(j, "dropped", c[COUNTER_DROPPED]);
    json_u64(j, "capped", c[COUNTER_CAPPED]);
    json_double(j, "events_per_read", ratio(c[COUNTER_EVENTS], c[COUNTER_READS]));
    json_double(j, "usage_share", ratio(c[COUNTER_USAGE_REQUESTS], c[COUNTER_OK]));
    report_counters(j, s);
    json_end_object(j);
}

static void put_stage_agents(struct json_out *j, const struct stage_data *s)
{
    json_array(j, "agents");
    for (size_t i = 0; i < s->n_agents; i++) {
        const struct agent_data *a = &s->agents[i];
        double window = (double)a->counters[COUNTER_MEASURED_NS] / 1e9;
        json_object(j, NULL);
        json_u64(j, "agent", a->agent);
        json_string(j, "name", a->name);
        json_u64(j, "weight", a->weight);
        json_u64(j, "slots", a->slots);
        json_u64(j, "due", a->counters[COUNTER_DUE]);
        json_u64(j, "ok", a->counters[COUNTER_OK]);
        json_u64(j, "failed", counters_failed(a->counters));
        json_u64(j, "cancelled", a->counters[COUNTER_CANCELLED]);
        json_u64(j, "aborted", a->counters[COUNTER_ABORTED]);
        json_u64(j, "lost", a->lost_requests);
        json_bool(j, "died", a->lost);
        json_double(j, "output_tokens_per_s",
                    window > 0 ? (double)a->counters[COUNTER_WIN_TOKENS_MICRO] / 1e6 / window : (double)NAN);
        json_double(j, "start_skew_ms", (double)a->start_skew_ns / 1e6);
        json_u64(j, "snapshots", a->snapshots);
        put_verdict(j, &a->verdict);
        json_end_object(j);
    }
    json_end_array(j);
}

static void put_figures(struct json_out *j, const struct point *p, enum figure_json place)
{
    for (int f = 0; f < FIGURE_N; f++) {
        char key[64];
        if (FIGURES[f].json != place) continue;
        struct reading r = figure_read(p, (enum figure)f);
        json_double(j, FIGURES[f].key, r.value);
        if (FIGURES[f].interval != FIGURE_CI) continue;
        (void)snprintf(key, sizeof key, "%s_ci95", FIGURES[f].key);
        report_pair(j, key, r.lo, r.hi);
    }
}

static void put_rates(struct json_out *j, const struct point *p, enum load_axis axis)
{
    json_object(j, "achieved");
    json_double(j, "load", load_on(p, axis));
    put_figures(j, p, FIGURE_ACHIEVED);
    json_double(j, "requests_per_s", p->requests_per_s);
    json_end_object(j);
    put_figures(j, p, FIGURE_POINT);
    json_object(j, "window");
    json_u64(j, "due", p->window_due);
    json_double(j, "expected", p->data ? verdict_expected(p->data->counters, &p->requested) : (double)NAN);
    json_u64(j, "ok", p->window_ok);
    json_u64(j, "failed", p->window_failed);
    json_u64(j, "good", p->window_good);
    json_u64(j, "cut_off", p->window_cut);
    json_u64(j, "unanswered", p->window_unanswered);
    json_u64(j, "unanswered_earlier", p->earlier_unanswered);
    json_u64(j, "cancelled", p->window_cancelled);
    json_u64(j, "cancelled_early", p->cancelled_early);
    json_u64(j, "cancelled_over", p->cancelled_over);
    json_u64(j, "done", p->window_done);
    json_double(j, "warmup_cut_s", p->warmup_cut_s);
    json_array(j, "warmup_cut_metrics");
    for (int m = 0; m < METRIC_N; m++)
        if (p->cut[m]) json_string(j, NULL, METRICS[m].name);
    json_end_array(j);
    json_end_object(j);
}

/* What the true percentile lies below with 99 % confidence; null under a floor of samples. */
static void put_early_stopping(struct json_out *j, const struct point *p)
{
    static const enum metric SHOWN[] = {METRIC_TTFT, METRIC_TPOT, METRIC_E2E};
    char key[64];
    json_object(j, "early_stopping");
    for (size_t i = 0; i < sizeof SHOWN / sizeof *SHOWN; i++) {
        json_object(j, report_metric_key(SHOWN[i], key));
        for (int k = 0; k < POINT_Q; k++)
            json_double(j, Q_NAMES[k],
                        early_stop_bound(p->hist ? p->hist[SHOWN[i]] : NULL, POINT_QS[k]) / METRICS[SHOWN[i]].scale);
        json_end_object(j);
    }
    json_end_object(j);
}

static void put_steady_window(struct json_out *j, const struct steady_pass *w)
{
    if (!w->any) {
        json_null(j, "steady_window");
        return;
    }
    json_object(j, "steady_window");
    json_string(j, "status", super_pass_status_name(w->at.status));
    json_string(j, "verdict", super_pass_verdict_name(w->at.verdict));
    json_double(j, "begin_s", w->begin_s);
    json_double(j, "end_s", w->end_s);
    json_u64(j, "super_passes", w->at.end - w->at.begin);
    json_u64(j, "super_passes_in_all", w->n);
    json_u64(j, "super_passes_of_the_ramp", w->at.cropped);
    json_known_u64(j, "super_pass_size", w->size > 0, w->size);
    json_double(j, "cov_tpot_p50", w->at.end > w->at.begin ? w->at.cov_p50 : (double)NAN);
    json_double(j, "cov_tpot_p90", w->at.end > w->at.begin ? w->at.cov_p90 : (double)NAN);
    json_end_object(j);
}

void report_point_members(struct json_out *j, const struct analysis *in, size_t point)
{
    const struct point *p = &in->points[point];
    const struct stage_data *s = report_stage(in, point);
    char key[64];
    json_u64(j, "stage", p->stage + 1); /* as people count */
    json_u64(j, "repeat", p->repeat + 1);
    if (s) json_u64(j, "epoch", s->epoch);
    put_requested(j, &p->requested);
    put_rates(j, p, in->answer.axis);
    for (int m = 0; m < METRIC_N; m++)
        put_stat(j, report_metric_key((enum metric)m, key), &p->metric[m]);
    report_with_cut(j, p);
    put_early_stopping(j, p);
    put_ledger(j, p);
    put_finish(j, p->data);
    put_verdict(j, &p->verdict);
    json_object(j, "verdict_by_figure");
    for (int a = 0; a < ASPECT_N; a++)
        json_string(j, verdict_aspect_name((enum verdict_aspect)a), verdict_name(p->verdict.aspect[a]));
    json_end_object(j);
    json_object(j, "verdict_by_percentile");
    for (int a = ASPECT_TTFT; a < ASPECT_N; a++) {
        json_object(j, verdict_aspect_name((enum verdict_aspect)a));
        for (int k = 0; k < POINT_Q; k++)
            json_string(j, Q_NAMES[k], verdict_name(p->verdict.at[a][k]));
        json_end_object(j);
    }
    json_end_object(j);
    json_string(j, "steady", report_steady(p->steady));
    put_steady_window(j, &p->passes);
    json_string(j, "region", in->run->plan ? curve_region(in->run->plan, &p->requested) : NULL);
    report_server(j, &p->server);
    json_bool(j, "degraded", p->degraded);
    json_bool(j, "aborted", s && s->aborted);
    if (s) {
        report_by_group(j, in, point, put_stat);
        report_sessions(j, in, s);
        report_retries(j, in, s);
        report_recorded(j, s);
        put_evidence(j, s);
        report_addresses(j, s);
        report_first_failures(j, s);
        report_remarks(j, s);
        put_stage_agents(j, s);
    }
}

static void put_run(struct json_out *j, const struct run_data *r)
{
    char text[40];
    json_object(j, "run");
    json_string(j, "id", r->run_id);
    json_string(j, "name", r->plan ? r->plan->name : NULL);
    json_string(j, "started", clock_wall_text(r->started_wall_ns, text, sizeof text));
    json_string(j, "ended", r->ended_wall_ns ? clock_wall_text(r->ended_wall_ns, text, sizeof text) : NULL);
    json_string(j, "plan_hash", r->plan_hash);
    json_u64(j, "seed", r->seed);
    json_bool(j, "insecure", r->insecure);
    json_i64(j, "signal", r->signal);
    json_end_object(j);
}

static void put_agents(struct json_out *j, const struct run_data *r)
{
    json_array(j, "agents");
    for (size_t i = 0; i < r->n_agents; i++) {
        const struct run_agent *a = &r->agents[i];
        json_object(j, NULL);
        json_u64(j, "agent", a->agent);
        json_string(j, "name", a->name);
        json_string(j, "host", a->host);
        json_string(j, "version", a->version);
        json_u64(j, "cores", a->cores);
        json_double(j, "quota", a->quota > 0 ? a->quota : (double)NAN);
        json_u64(j, "weight", a->weight);
        json_string(j, "stamps", a->stamps);
        json_string(j, "addresses", a->addresses);
        json_double(j, "clock_offset_ms", (double)a->clock_offset_ns / 1e6);
        json_double(j, "clock_bound_ms", (double)a->clock_bound_ns / 1e6);
        json_bool(j, "lost", a->lost);
        json_end_object(j);
    }
    json_end_array(j);
}

static void put_outcome(struct json_out *j, const struct analysis *in, const struct gate_outcome *o)
{
    char words[300];
    json_u64(j, "point", o->point);
    json_known_u64(j, "stage", o->point < in->n_points, o->point < in->n_points ? in->points[o->point].stage + 1 : 0);
    json_string(j, "result", gate_result_name(o->result));
    json_double(j, "value", o->value);
    json_string(j, "bound", o->bound);
    json_u64(j, "failed", o->failed);
    json_double(j, "lo", o->lo);
    json_double(j, "hi", o->hi);
    json_double(j, "needs", o->needs);
    json_double(j, "had", o->had);
    json_double(j, "needs_s", o->needs_s);
    if (o->point < in->n_points) json_string(j, "words", gate_words(o, &in->points[o->point], words, sizeof words));
}

static void put_gates(struct json_out *j, const struct analysis *in)
{
    json_array(j, "gates");
    for (size_t g = 0; in->run->plan && g < in->run->plan->n_gates; g++) {
        const struct plan_gate *gate = &in->run->plan->gates[g];
        const struct gate_outcome *o = report_gate(in, g);
        json_object(j, NULL);
        json_string(j, "gate", gate->text);
        json_string(j, "unit", gate_unit(gate));
        if (o)
            put_outcome(j, in, o);
        else
            json_string(j, "result", gate_result_name(GATE_INCONCLUSIVE));
        json_array(j, "points");
        for (size_t i = 0; i < in->n_gates; i++) {
            if (in->gates[i].gate != gate) continue;
            json_object(j, NULL);
            put_outcome(j, in, &in->gates[i]);
            json_end_object(j);
        }
        json_end_array(j);
        json_end_object(j);
    }
    json_end_array(j);
}

/* All gates together, with the rule that decided. */
static void put_gates_result(struct json_out *j, const struct analysis *in)
{
    const struct plan *plan = in->run->plan;
    const struct answer *a = &in->answer;
    bool any = plan && (plan->n_gates || plan->capacity.text);
    json_string(j, "gates_result", any ? gate_result_name(analysis_gates(in)) : NULL);
    json_string(j, "gates_rule", plan && plan->n_gates ? gates_rule(plan) : NULL);
    json_string(j, "gates_failed_rule", plan && plan->n_gates ? gates_failed_rule(plan) : NULL);
    if (!plan || !plan->capacity.text) {
        json_null(j, "capacity");
        return;
    }
    json_object(j, "capacity");
    json_string(j, "gate", plan->capacity.text);
    json_string(j, "result", gate_result_name(a->capacity));
    json_double(j, "value", a->capacity_value);
    json_double(j, "lo", a->capacity_lo);
    json_double(j, "hi", a->capacity_hi);
    json_end_object(j);
}

/* The run in one line, and the causes for which its points are doubted. */
static void put_outcome_of_run(struct json_out *j, const struct analysis *in)
{
    struct headline h;
    struct reason_group g[CAUSES];
    char where[120];
    size_t n = reasons_group(in, VERDICT_SUSPECT, g, CAUSES);
    headline_make(in, &h);
    json_object(j, "outcome");
    json_string(j, "word", h.word);
    json_string(j, "why", h.why);
    json_i64(j, "exit_status", in->measured_status);
    json_array(j, "causes");
    for (size_t i = 0; i < n; i++) {
        reasons_where(in, &g[i], where, sizeof where);
        json_object(j, NULL);
        json_string(j, "status", verdict_name(g[i].aside ? VERDICT_VALID : g[i].status));
        json_u64(j, "points", g[i].n);
        json_string(j, "where", where);
        json_string(j, "text", g[i].text);
        json_bool(j, "quoted", reasons_quoted(in, h.cause, &g[i]));
        json_end_object(j);
    }
    json_end_array(j);
    json_end_object(j);
}

static void put_deviation(void *arg, const char *sentence)
{
    json_string(arg, NULL, sentence);
}

static void put_curve(struct json_out *j, const struct analysis *in)
{
    const struct plan *plan = in->run->plan;
    if (!plan || plan->curve.kind == CURVE_NONE) {
        json_null(j, "curve");
        return;
    }
    json_object(j, "curve");
    json_string(j, "standard", "mlperf-endpoints");
    json_u64(j, "max_concurrency", plan->curve.max_concurrency);
    json_u64(j, "min_concurrency", plan->curve.min_concurrency);
    json_double(j, "scale", plan->curve.scale);
    json_string(j, "offline", plan->curve.offline == OFFLINE_ELECTED ? "elected" : "all");
    json_array(j, "not_to_the_rules");
    curve_deviations(plan, in->points, in->n_points, put_deviation, j);
    json_end_array(j);
    json_end_object(j);
}

/* load.scenario, and what of its rules the run does not keep. */
static void put_scenario(struct json_out *j, const struct analysis *in)
{
    const char *title = scenario_title(in->run->plan);
    if (!title) {
        json_null(j, "scenario");
        return;
    }
    json_object(j, "scenario");
    json_string(j, "name", title);
    json_array(j, "not_to_the_rules");
    scenario_deviations(in->run->plan, in->points, in->n_points, put_deviation, j);
    json_end_array(j);
    json_end_object(j);
}

static void put_events(struct json_out *j, const struct run_data *r)
{
    json_array(j, "events");
    for (size_t i = 0; i < r->n_events; i++) {
        char text[40];
        json_object(j, NULL);
        json_string(j, "time", clock_wall_text(r->events[i].wall_ns, text, sizeof text));
        json_string(j, "kind", r->events[i].name);
        json_string(j, "text", r->events[i].text);
        json_end_object(j);
    }
    json_end_array(j);
}

void report_summary_members(struct json_out *j, const struct analysis *in)
{
    const struct run_data *r = in->run;
    json_u64(j, "format", 2);
    json_string(j, "version", r->version);
    put_run(j, r);
    put_outcome_of_run(j, in);
    report_answer(j, in);
    put_gates(j, in);
    put_gates_result(j, in);
    report_failures_of_run(j, in);
    put_agents(j, r);
    put_curve(j, in);
    put_scenario(j, in);
    json_array(j, "points");
    for (size_t i = 0; i < in->n_points; i++) {
        json_object(j, NULL);
        report_point_members(j, in, i);
        json_end_object(j);
    }
    json_end_array(j);
    put_events(j, r);
    struct buf plan = BUF_INIT(4u << 20);
    if (r->plan && plan_to_json(r->plan, false, &plan) == 0)
        json_raw(j, "plan", buf_str(&plan));
    else
        json_null(j, "plan");
    j->out->bad |= plan.bad;
    buf_clear(&plan);
}

int report_summary_json(const struct analysis *in, struct buf *out, struct err *e)
{
    struct json_out j = JSON_OUT(out);
    j.pretty = true;
    json_object(&j, NULL);
    report_summary_members(&j, in);
    json_end_object(&j);
    (void)buf_putc(out, '\n');
    return out->bad ? err_set(e, ERR_NOMEM, "summary.json is larger than %zu bytes, or memory ran out", out->max) : 0;
}
