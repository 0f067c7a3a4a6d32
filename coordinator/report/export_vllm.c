/* What `vllm bench serve --save-result` writes, an object per load: TTFT, TPOT, ITL and E2EL in ms; ITL is of chunks,
 * as there. `request_rate` is the string "inf" in a closed loop. A sweep's summary.json is an array of the same
 * objects. */
#include <math.h>
#include <stdio.h>
#include <time.h>

#include "common/clock.h"
#include "coordinator/answer/load_axis.h"
#include "coordinator/report/export.h"

static void put_stat(struct json_out *j, const struct point *p, enum metric m, const char *name)
{
    static const struct {
        const char *key;
        double q;
    } P[] = {{"median", 0.5}, {"p50", 0.5}, {"p90", 0.9}, {"p95", 0.95}, {"p99", 0.99}, {"p99.9", 0.999}};
    char key[48];
    (void)snprintf(key, sizeof key, "mean_%s_ms", name);
    json_double(j, key, p->metric[m].mean);
    for (size_t i = 0; i < sizeof P / sizeof P[0]; i++) {
        (void)snprintf(key, sizeof key, "%s_%s_ms", P[i].key, name);
        json_double(j, key, export_quantile(p, m, P[i].q));
        if (i) continue;
        (void)snprintf(key, sizeof key, "std_%s_ms", name);
        json_double(j, key, export_sd(p, m));
    }
}

/* The maximum over the seconds: of tokens per second, or of requests in flight. */
static double most(const struct point *p, bool tokens)
{
    double best = 0;
    for (size_t i = 0; p->data && i < p->data->n_series; i++) {
        const struct series_row *r = &p->data->series[i];
        if (r->agent >= 0 || !(r->span_s > 0.5)) continue;
        best = fmax(best, tokens ? r->tokens / r->span_s : r->in_flight);
    }
    return best;
}

static void put_point(struct json_out *j, const struct analysis *a, const struct point *p)
{
    char date[24];
    bool open = p->requested.kind == LOAD_OPEN;
    struct tm tm;
    time_t t = (time_t)((p->data ? p->data->started_wall_ns : a->run->started_wall_ns) / NS_PER_S);
    localtime_r(&t, &tm);
    (void)strftime(date, sizeof date, "%Y%m%d-%H%M%S", &tm);
    json_string(j, "date", date);
    json_string(j, "endpoint_type", "openai-chat");
    json_string(j, "backend", "openai-chat");
    json_null(j, "label");
    json_string(j, "model_id", export_model(a));
    json_string(j, "tokenizer_id", export_model(a));
    json_u64(j, "num_prompts", export_requests(p));
    if (open)
        json_double(j, "request_rate", p->requested.rate_to);
    else
        json_string(j, "request_rate", "inf");
    /* 1 is Poisson there, as when all are sent at once; constant and recorded arrivals are none of its gammas */
    bool even = open && !load_by_chance(&p->requested);
    json_double(j, "burstiness",
                open && p->requested.arrivals == ARRIVALS_GAMMA ? p->requested.burstiness
                : even                                          ? (double)NAN
                                                                : 1.0);
    uint32_t cap = open ? p->requested.max_concurrency : p->requested.concurrency;
    json_known_u64(j, "max_concurrency", cap != 0, cap);
    json_double(j, "duration", p->window_s);
    json_u64(j, "completed", p->window_ok);
    json_u64(j, "failed", point_errors(p));
    json_double(j, "total_input_tokens", export_tokens(p->input_tokens_per_s, p));
    json_double(j, "total_output_tokens", export_tokens(p->output_tokens_per_s, p));
    json_double(j, "request_throughput", p->requests_per_s);
    bool promised = false;
    for (int i = 0; i < SLO_REQUEST_N; i++)
        promised |= a->run->plan->slo_request_ns[i] > 0;
    json_double(j, "request_goodput", promised ? p->goodput_per_s : (double)NAN);
    json_double(j, "output_throughput", p->output_tokens_per_s);
    json_double(j, "total_token_throughput", p->total_tokens_per_s);
    json_double(j, "max_output_tokens_per_s", most(p, true));
    json_double(j, "max_concurrent_requests", ceil(most(p, false)));
    json_double(j, "rtfx", 0);
    json_array(j, "latencies"); /* of single requests: not kept */
    json_end_array(j);
    json_array(j, "queue_times");
    json_end_array(j);
    put_stat(j, p, METRIC_TTFT, "ttft");
    put_stat(j, p, METRIC_TPOT, "tpot");
    put_stat(j, p, METRIC_CHUNK_GAP, "itl");
    put_stat(j, p, METRIC_E2E, "e2el");
    json_string(j, "plateau_run", a->run->run_id);
    json_string(j, "plateau_version", a->run->version);
}

int export_vllm(const struct analysis *a, const struct export_to *to, struct err *e)
{
    struct buf b = BUF_INIT(EXPORT_FILE_MAX);
    struct json_out j = JSON_OUT(&b);
    if (export_each(a, to, "serving_%s.json", put_point, e)) return -1;
    json_array(&j, NULL);
    for (size_t i = 0; i < a->n_points; i++) {
        if (!export_counts(&a->points[i])) continue;
        json_object(&j, NULL);
        put_point(&j, a, &a->points[i]);
        json_end_object(&j);
    }
    json_end_array(&j);
    int rc = b.bad ? err_set(e, ERR_NOMEM, "no memory for summary.json") : to->put(to->arg, "summary.json", &b, e);
    buf_clear(&b);
    return rc;
}
