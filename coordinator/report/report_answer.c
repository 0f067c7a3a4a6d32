#include "coordinator/report/report_answer.h"

#include <math.h>

#include "coordinator/answer/load_axis.h"
#include "coordinator/answer/verdict.h"
#include "coordinator/report/report_parts.h"
#include "coordinator/report/report_server.h"

/* null: the load was one and the same. */
static void put_ramp(struct json_out *j, const char *key, const struct plan_stage *ramp)
{
    char load[LOAD_LABEL];
    json_string(j, key, ramp ? load_label(ramp, load) : NULL);
}

static void put_goodput(struct json_out *j, const struct answer *a)
{
    if (!a->has_goodput) {
        json_null(j, "goodput");
        return;
    }
    json_object(j, "goodput");
    json_double(j, "attainment_asked", ANSWER_ATTAINMENT);
    json_double(j, "attainment", a->goodput_attainment);
    json_double(j, "load", a->goodput_load);
    put_ramp(j, "ramp", a->goodput_ramp);
    json_bool(j, "at_least", a->goodput_open_end);
    json_double(j, "requests_per_s", a->goodput_requests_per_s);
    json_double(j, "requests_per_s_per_gpu", a->goodput_per_gpu);
    json_end_object(j);
}

static void put_search(struct json_out *j, const struct answer *a)
{
    const struct search_outcome *s = &a->search;
    if (!s->runs) {
        json_null(j, "search");
        return;
    }
    json_object(j, "search");
    json_bool(j, "over", s->over);
    json_bool(j, "found", s->found);
    json_bool(j, "confirmed", s->confirmed);
    json_bool(j, "end_reached", s->end_reached);
    json_bool(j, "client_limited", s->client_limited);
    json_double(j, "load", s->load);
    json_double(j, "failed_load", s->failed_load);
    json_double(j, "low_load", s->low_load);
    json_double(j, "kept_from", s->kept_from);
    json_double(j, "nothing_ok_load", s->nothing_load);
    json_double(j, "plateau_tokens_per_s", s->plateau);
    json_u64(j, "loads", s->loads);
    json_u64(j, "runs", s->runs);
    json_end_object(j);
}

static void put_residuals(struct json_out *j, const struct answer *a)
{
    json_array(j, "residuals");
    for (uint32_t i = 0; i < a->n_residuals; i++) {
        const struct answer_residual *r = &a->residual[i];
        json_object(j, NULL);
        json_double(j, "load", r->load);
        json_double(j, "measured", r->measured);
        json_double(j, "fitted", r->fitted);
        json_double(j, "relative", r->measured / r->fitted - 1);
        json_end_object(j);
    }
    json_end_array(j);
}

static double if_known(bool known, double v)
{
    return known ? v : (double)NAN;
}

/* null when the curve has the expected direction. */
static void put_dip(struct json_out *j, const char *name, const struct answer_dip *d)
{
    if (!(d->share > 0)) {
        json_null(j, name);
        return;
    }
    json_object(j, name);
    json_double(j, "from_load", d->from_load);
    json_double(j, "to_load", d->to_load);
    json_double(j, "share", d->share);
    json_bool(j, "resumed_between", d->resumed);
    json_end_object(j);
}

/* null: no runs of one load are apart. */
static void put_apart(struct json_out *j, const struct runs_apart *r)
{
    char load[LOAD_LABEL], stage[LOOK_TWICE_STAGE];
    if (!r->low) {
        json_null(j, "runs_apart");
        return;
    }
    json_object(j, "runs_apart");
    json_string(j, "load", load_label(&r->low->requested, load));
    json_string(j, "figure", look_twice_figure(r->figure));
    json_double(j, "low", r->low_value);
    json_string(j, "low_stage", look_twice_stage(r->low, true, stage));
    json_double(j, "high", r->high_value);
    json_string(j, "high_stage", look_twice_stage(r->high, true, stage));
    json_bool(j, "resumed_between", r->resumed);
    json_u64(j, "other_loads", r->more);
    json_end_object(j);
}

/* null: answers of all loads are much the same. */
static void put_lengths_apart(struct json_out *j, const struct lengths_apart *l)
{
    char load[LOAD_LABEL];
    if (!l->low) {
        json_null(j, "lengths_apart");
        return;
    }
    json_object(j, "lengths_apart");
    json_double(j, "low", l->low_value);
    json_string(j, "low_load", load_label(&l->low->requested, load));
    json_double(j, "high", l->high_value);
    json_string(j, "high_load", load_label(&l->high->requested, load));
    json_end_object(j);
}

/* null: each trace was as long as wanted. */
static void put_short_trace(struct json_out *j, const struct short_trace *t)
{
    if (!t->at) {
        json_null(j, "short_trace");
        return;
    }
    json_object(j, "short_trace");
    json_u64(j, "stage", t->at->stage + 1);
    json_double(j, "last_due_s", t->last_s);
    json_double(j, "asked_s", t->asked_s);
    json_string(j, "asked_by", t->by_duration ? "load.duration" : "trace.to");
    json_u64(j, "other_stages", t->more);
    json_end_object(j);
}

/* null: no points stand on both sides of an interruption. */
static void put_interrupted(struct json_out *j, const struct interrupted *i)
{
    if (!i->times) {
        json_null(j, "interrupted");
        return;
    }
    json_object(j, "interrupted");
    json_u64(j, "times", i->times);
    json_u64(j, "after_stage", i->before->stage + 1);
    json_u64(j, "after_repeat", i->before->repeat + 1);
    json_double(j, "away_s", i->away_s);
    json_end_object(j);
}

/* null: answers did not stop in the middle. */
static void put_stalls(struct json_out *j, const struct stalls *s)
{
    if (!s->at) {
        json_null(j, "stalls");
        return;
    }
    json_object(j, "stalls");
    json_u64(j, "stage", s->at->stage + 1);
    json_u64(j, "gaps", s->gaps);
    json_u64(j, "answers", s->answers);
    json_double(j, "least_s", s->least_s);
    json_double(j, "longest_s", s->longest_s);
    json_double(j, "usual_ms", s->usual_ms);
    json_double(j, "p99_ms", s->p99_ms);
    json_bool(j, "at_once", s->at_once);
    json_u64(j, "other_stages", s->more);
    json_end_object(j);
}

static void put_latency(struct json_out *j, const char *key, const struct answer_latency *l)
{
    if (isnan(l->load)) {
        json_null(j, key);
        return;
    }
    json_object(j, key);
    json_double(j, "load", l->load);
    json_double(j, "ttft_ms_p50", l->ttft_p50);
    json_double(j, "ttft_ms_p99", l->ttft_p99);
    json_double(j, "tpot_ms_p50", l->tpot_p50);
    json_double(j, "tpot_ms_p99", l->tpot_p99);
    json_double(j, "e2e_ms_p50", l->e2e_p50);
    json_end_object(j);
}

static void put_failures(struct json_out *j, const struct answer *a)
{
    json_object(j, "failures");
    json_u64(j, "requests", a->requests);
    json_u64(j, "failed", a->failed);
    json_u64(j, "cut_off", a->cut);
    json_u64(j, "unanswered", a->unanswered);
    json_double(j, "share", a->bad_of ? (double)a->bad / (double)a->bad_of : (double)NAN);
    json_u64(j, "loads", a->bad_at.loads);
    json_u64(j, "loads_with_some", a->bad_at.with);
    json_double(j, "share_least", if_known(a->bad_at.with > 0, a->bad_at.least));
    json_double(j, "share_most", if_known(a->bad_at.with > 0, a->bad_at.most));
    json_string(j, "most_by", a->failed ? COUNTERS[a->failed_by].name : NULL);
    json_u64(j, "most_by_count", a->failed_by_n);
    json_double(j, "oldest_unanswered_s", a->oldest_s);
    json_double(j, "oldest_cut_off_s", a->oldest_cut_s);
    json_end_object(j);
}

static void put_length(struct json_out *j, const char *key, const struct answer_length *l)
{
    json_object(j, key);
    json_double(j, "asked", l->asked);
    json_double(j, "got", l->got);
    json_end_object(j);
}

void report_answer(struct json_out *j, const struct analysis *in)
{
    const struct answer *a = &in->answer;
    size_t knee = 0;
    bool bent = report_knee_point(in, &knee);
    json_object(j, "answer");
    json_string(j, "text", a->text);
    json_string(j, "axis", load_axis_name(a->axis));
    json_double(j, "plateau_tokens_per_s", if_known(a->has_plateau, a->plateau));
    report_pair(j, "plateau_ci95", if_known(a->has_plateau, a->plateau_lo), a->plateau_hi);
    json_bool(j, "plateau_reached", a->has_plateau && a->plateau_reached);
    json_double(j, "knee_load", if_known(a->has_plateau, a->knee));
    report_pair(j, "knee_ci95", if_known(a->has_plateau, a->knee_lo), a->knee_hi);
    json_known_u64(j, "knee_point", bent, knee);
    json_double(j, "power_load", if_known(a->has_plateau, a->power_load));
    json_double(j, "latency_per_doubling", a->latency_per_doubling);
    json_double(j, "fall_past_most", a->fall);
    json_string(j, "model", a->model == FIT_NONE ? NULL : fit_model_name(a->model));
    json_array(j, "model_params");
    for (int i = 0; a->model != FIT_NONE && i < 3; i++) {
        json_object(j, NULL);
        json_string(j, "name", fit_param_name(a->model, (uint32_t)i));
        json_double(j, "value", a->param[i]);
        report_pair(j, "ci95", a->param_lo[i], a->param_hi[i]);
        json_end_object(j);
    }
    json_end_array(j);
    json_double(j, "rms_residual", if_known(a->model != FIT_NONE, a->rms_residual));
    put_residuals(j, a);
    put_dip(j, "throughput_dip", &a->throughput_dip);
    put_dip(j, "latency_dip", &a->latency_dip);
    put_apart(j, &a->twice.apart);
    put_lengths_apart(j, &a->twice.lengths);
    put_short_trace(j, &a->trace);
    put_interrupted(j, &a->twice.interrupted);
    put_stalls(j, &a->stalls);
    json_double(j, "most_load", a->most_load);
    put_ramp(j, "most_ramp", a->most_ramp);
    put_ramp(j, "plateau_ramp", a->plateau_ramp);
    json_double(j, "most_tokens_per_s", a->most_tokens_per_s);
    report_pair(j, "most_ci95", a->most_lo, a->most_hi);
    json_u64(j, "most_requests_ok", a->most_ended);
    json_double(j, "slo_load", if_known(a->has_slo, a->slo_load));
    put_ramp(j, "slo_ramp", a->slo_ramp);
    json_double(j, "slo_tokens_per_s", if_known(a->has_slo, a->slo_tokens_per_s));
    report_pair(j, "slo_ci95", if_known(a->has_slo, a->slo_lo), a->slo_hi);
    json_u64(j, "slo_requests_ok", a->slo_ended);
    json_known_u64(j, "slo_point", a->has_slo, a->slo_point);
    json_bool(j, "slo_at_least", a->slo_open_end);
    json_bool(j, "slo_next_fails", a->slo_next_fails);
    json_double(j, "slo_passes_to", a->slo_passes_to);
    json_double(j, "slo_fails_below", a->slo_fails_below);
    json_u64(j, "slo_loads_failed", a->slo_failed);
    json_u64(j, "slo_loads_undecided", a->slo_undecided);
    json_double(j, "cost_per_mtok_most", a->cost_most);
    json_double(j, "cost_per_mtok_plateau", a->cost_plateau);
    json_double(j, "cost_per_mtok_slo", a->cost_slo);
    put_goodput(j, a);
    put_search(j, a);
    put_latency(j, "at_knee", &a->at_knee);
    put_latency(j, "at_slo", &a->at_slo);
    put_failures(j, a);
    put_length(j, "output_tokens", &a->length.output);
    put_length(j, "input_tokens", &a->length.input);
    report_cache_hits(j, &a->hits);
    json_double(j, "after_last_token_ms", a->after_ms);
    json_double(j, "after_last_token_share", a->after_share);
    json_double(j, "rest_after_failures_share", a->rest_share);
    json_double(j, "response_open_ms", a->open_ms);
    json_string(j, "worst_verdict", verdict_name(a->worst_verdict));
    json_double(j, "worst_lag_ms", a->worst_lag_ms);
    json_u64(j, "points_suspect", a->points_suspect);
    json_u64(j, "points_used", a->points_used);
    json_u64(j, "points_left_out", a->points_left_out);
    json_u64(j, "left_out_invalid", a->left_invalid);
    json_u64(j, "left_out_unsteady", a->left_unsteady);
    json_end_object(j);
}
