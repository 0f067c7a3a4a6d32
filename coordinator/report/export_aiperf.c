/* AIPerf's profile_export_aiperf.json, schema 1.4: a metric is {unit, avg, p1 … p99, min, max, std, count, sum}. Its
 * inter_token_latency is our tpot (one value per request), its inter_chunk_latency our chunk_gap. The records of single
 * requests (profile_export.jsonl), which `aiperf plot` wants too, are not kept, so that they are not made up. */
#include <math.h>

#include "common/clock.h"
#include "coordinator/report/export.h"

static void put_metric(struct json_out *j, const struct point *p, enum metric m, const char *key, const char *unit)
{
    static const struct {
        const char *key;
        double q;
    } P[] = {{"p1", 0.01},  {"p5", 0.05}, {"p10", 0.1},  {"p25", 0.25}, {"p50", 0.5},
             {"p75", 0.75}, {"p90", 0.9}, {"p95", 0.95}, {"p99", 0.99}};
    const struct metric_stat *s = &p->metric[m];
    if (!s->count) return;
    json_object(j, key);
    json_string(j, "unit", unit);
    json_double(j, "avg", s->mean);
    for (size_t i = 0; i < sizeof P / sizeof P[0]; i++)
        json_double(j, P[i].key, export_quantile(p, m, P[i].q));
    json_double(j, "min", s->min);
    json_double(j, "max", s->max);
    json_double(j, "std", export_sd(p, m));
    json_u64(j, "count", s->count);
    json_double(j, "sum", s->mean * (double)s->count);
    json_end_object(j);
}

static void put_one(struct json_out *j, const char *key, const char *unit, double v)
{
    if (!isfinite(v)) return;
    json_object(j, key);
    json_string(j, "unit", unit);
    json_double(j, "avg", v);
    json_end_object(j);
}

static void put_config(struct json_out *j, const struct analysis *a, const struct point *p)
{
    const struct plan *plan = a->run->plan;
    json_object(j, "input_config");
    json_object(j, "endpoint");
    json_array(j, "model_names");
    for (size_t i = 0; i < plan->target.n_models; i++)
        json_string(j, NULL, plan->target.models[i].name);
    json_end_array(j);
    json_array(j, "urls");
    json_string(j, NULL, plan->target.url);
    json_end_array(j);
    json_bool(j, "streaming", true);
    json_end_object(j);
    json_object(j, "loadgen");
    if (p->requested.kind == LOAD_CLOSED)
        json_u64(j, "concurrency", p->requested.concurrency);
    else
        json_double(j, "request_rate", p->requested.rate_to);
    json_end_object(j);
    json_end_object(j);
}

static void put_point(struct json_out *j, const struct analysis *a, const struct point *p)
{
    char text[40];
    json_string(j, "schema_version", "1.4");
    json_string(j, "aiperf_version", "none: written by plateau " PLATEAU_VERSION);
    json_string(j, "benchmark_id", a->run->run_id);
    put_one(j, "request_throughput", "requests/sec", p->requests_per_s);
    put_one(j, "output_token_throughput", "tokens/sec", p->output_tokens_per_s);
    put_one(j, "input_token_throughput", "tokens/sec", p->input_tokens_per_s);
    put_one(j, "total_token_throughput", "tokens/sec", p->total_tokens_per_s);
    put_one(j, "request_count", "requests", (double)export_requests(p));
    put_one(j, "completed_request_count", "requests", (double)p->window_ok);
    put_one(j, "effective_concurrency", "requests", p->concurrency);
    put_one(j, "benchmark_duration", "sec", p->window_s);
    put_one(j, "request_error_rate", "%", 100 * p->error_rate);
    put_metric(j, p, METRIC_TTFT, "time_to_first_token", "ms");
    put_metric(j, p, METRIC_TPOT, "inter_token_latency", "ms");
    put_metric(j, p, METRIC_CHUNK_GAP, "inter_chunk_latency", "ms");
    put_metric(j, p, METRIC_E2E, "request_latency", "ms");
    put_metric(j, p, METRIC_E2E_DUE, "effective_latency", "ms");
    put_metric(j, p, METRIC_INPUT_TOKENS, "input_sequence_length", "tokens");
    put_metric(j, p, METRIC_OUTPUT_TOKENS, "output_sequence_length", "tokens");
    put_config(j, a, p);
    json_bool(j, "was_cancelled", p->data && p->data->aborted);
    json_bool(j, "is_complete", !(p->data && p->data->aborted));
    json_array(j, "error_summary");
    for (size_t i = 0; i < sizeof p->ledger.failed / sizeof p->ledger.failed[0]; i++) {
        if (!p->ledger.failed[i]) continue;
        json_object(j, NULL);
        json_object(j, "error_details");
        json_string(j, "type", COUNTERS[COUNTER_FAILED_FIRST + (int)i].name);
        json_string(j, "message", COUNTERS[COUNTER_FAILED_FIRST + (int)i].meaning);
        json_end_object(j);
        json_u64(j, "count", p->ledger.failed[i]);
        json_end_object(j);
    }
    json_end_array(j);
    if (p->data) json_string(j, "start_time", clock_wall_text(p->data->started_wall_ns, text, sizeof text));
    if (p->data && p->data->ended_wall_ns)
        json_string(j, "end_time", clock_wall_text(p->data->ended_wall_ns, text, sizeof text));
}

int export_aiperf(const struct analysis *a, const struct export_to *to, struct err *e)
{
    return export_each(a, to, "load_%s/profile_export_aiperf.json", put_point, e);
}
