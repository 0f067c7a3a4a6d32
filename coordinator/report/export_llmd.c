/* llm-d's benchmark report, version 0.2.1: unknown keys are refused there, so nothing is added. Statistics have units
 * and a mean; percentiles are p0p1 … p99p9. */
#include <math.h>

#include "coordinator/report/export.h"

static void put_statistics(struct json_out *j, const struct point *p, enum metric m, const char *key, const char *units)
{
    static const struct {
        const char *key;
        double q;
    } P[] = {{"p0p1", 0.001}, {"p1", 0.01}, {"p5", 0.05},  {"p10", 0.1},  {"p25", 0.25},   {"p50", 0.5},
             {"p75", 0.75},   {"p90", 0.9}, {"p95", 0.95}, {"p99", 0.99}, {"p99p9", 0.999}};
    const struct metric_stat *s = &p->metric[m];
    if (!s->count) return;
    json_object(j, key);
    json_string(j, "units", units);
    json_double(j, "mean", s->mean);
    json_double(j, "min", s->min);
    for (size_t i = 0; i < sizeof P / sizeof P[0]; i++)
        json_double(j, P[i].key, export_quantile(p, m, P[i].q));
    json_double(j, "max", s->max);
    json_double(j, "stddev", export_sd(p, m));
    json_end_object(j);
}

static void put_mean(struct json_out *j, const char *key, const char *units, double v)
{
    if (!isfinite(v)) return;
    json_object(j, key);
    json_string(j, "units", units);
    json_double(j, "mean", v);
    json_end_object(j);
}

static void put_length(struct json_out *j, const char *key, const struct dist *d)
{
    static const char *const NAMES[] = {
        [DIST_FIXED] = "fixed",     [DIST_UNIFORM] = "uniform",   [DIST_NORMAL] = "gaussian",
        [DIST_LOGNORMAL] = "other", [DIST_EXPONENTIAL] = "other", [DIST_CHOICE] = "other"};
    json_object(j, key);
    json_string(j, "distribution", NAMES[d->kind]);
    json_double(j, "value", round(dist_mean(d)));
    json_end_object(j);
}

static void put_scenario(struct json_out *j, const struct analysis *a, const struct point *p)
{
    const struct plan_workload *w = a->run->plan->workloads;
    struct buf plan = BUF_INIT(4u << 20);
    json_object(j, "scenario");
    json_object(j, "load");
    json_object(j, "metadata");
    json_string(j, "schema_version", "0.0.1");
    json_string(j, "cfg_id", a->run->plan_hash);
    json_end_object(j);
    json_object(j, "standardized");
    json_string(j, "tool", "plateau");
    json_string(j, "tool_version", a->run->version);
    json_string(j, "source", "random");
    json_u64(j, "stage", p->stage);
    put_length(j, "input_seq_len", &w->input_tokens);
    put_length(j, "output_seq_len", &w->output_tokens);
    if (p->requested.kind == LOAD_CLOSED)
        json_u64(j, "concurrency", p->requested.concurrency);
    else
        json_double(j, "rate_qps", p->requested.rate_to);
    json_end_object(j);
    json_object(j, "native");
    if (plan_to_json(a->run->plan, false, &plan) == 0) json_raw(j, "config", buf_str(&plan));
    json_end_object(j);
    json_end_object(j);
    json_end_object(j);
    buf_clear(&plan);
}

static void put_point(struct json_out *j, const struct analysis *a, const struct point *p)
{
    json_string(j, "version", "0.2.1");
    json_object(j, "run");
    json_string(j, "uid", a->run->run_id);
    json_end_object(j);
    put_scenario(j, a, p);
    json_object(j, "results");
    json_object(j, "request_performance");
    json_object(j, "aggregate");
    json_object(j, "requests");
    uint64_t all = export_requests(p), ended = point_ended(p);
    json_u64(j, "total", all);
    json_u64(j, "failures", point_errors(p));
    json_u64(j, "incomplete", all > ended ? all - ended : 0);
    put_statistics(j, p, METRIC_INPUT_TOKENS, "input_length", "count");
    put_statistics(j, p, METRIC_OUTPUT_TOKENS, "output_length", "count");
    json_end_object(j);
    json_object(j, "latency");
    put_statistics(j, p, METRIC_TTFT, "time_to_first_token", "ms");
    put_statistics(j, p, METRIC_NORMALIZED, "normalized_time_per_output_token", "ms/token");
    put_statistics(j, p, METRIC_TPOT, "time_per_output_token", "ms/token");
    put_statistics(j, p, METRIC_ITL, "inter_token_latency", "ms/token");
    put_statistics(j, p, METRIC_E2E, "request_latency", "ms");
    json_end_object(j);
    json_object(j, "throughput");
    put_mean(j, "input_token_rate", "tokens/s", p->input_tokens_per_s);
    put_mean(j, "output_token_rate", "tokens/s", p->output_tokens_per_s);
    put_mean(j, "total_token_rate", "tokens/s", p->total_tokens_per_s);
    put_mean(j, "request_rate", "queries/s", p->requests_per_s);
    json_end_object(j);
    json_end_object(j);
    json_end_object(j);
    json_end_object(j);
}

int export_llmd(const struct analysis *a, const struct export_to *to, struct err *e)
{
    return export_each(a, to, "benchmark_report_%s.json", put_point, e);
}
