#include "tests/sim/metrics.h"

#include <inttypes.h>

/* vLLM's own bounds, in seconds. */
static const double BOUNDS[SIM_TTFT_BUCKETS] = {0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75,
                                                1,     2.5,   5,    7.5,  10,   20,   40,   80,  160,  640, 2560};

void sim_metrics_ttft(struct sim_metrics *m, int64_t ns)
{
    double s = (double)ns / 1e9;
    m->ttft_count++;
    m->ttft_sum += s;
    for (int i = 0; i < SIM_TTFT_BUCKETS; i++)
        if (s <= BOUNDS[i]) {
            m->ttft_bucket[i]++;
            return;
        }
}

void sim_metrics_tokens(struct sim_metrics *m, uint32_t n)
{
    m->generation_tokens += n;
    if (m->draft == 0) return;
    m->drafts++;
    m->accepted += n - 1;
    for (uint32_t i = 0; i + 1 < n; i++)
        m->accepted_at[i]++;
}

static void put(struct buf *out, const char *name, const char *type, const char *help, const char *model, double value)
{
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n%s{engine=\"0\",model_name=\"%s\"} %.17g\n", name, help, name, type,
               name, model, value);
}

static void put_ttft(const struct sim_metrics *m, const char *model, struct buf *out)
{
    const char *name = "vllm:time_to_first_token_seconds";
    uint64_t sum = 0;
    buf_printf(out, "# HELP %s Histogram of time to first token in seconds.\n# TYPE %s histogram\n", name, name);
    for (int i = 0; i < SIM_TTFT_BUCKETS; i++) {
        sum += m->ttft_bucket[i];
        buf_printf(out, "%s_bucket{engine=\"0\",le=\"%g\",model_name=\"%s\"} %" PRIu64 "\n", name, BOUNDS[i], model,
                   sum);
    }
    buf_printf(out, "%s_bucket{engine=\"0\",le=\"+Inf\",model_name=\"%s\"} %" PRIu64 "\n", name, model, m->ttft_count);
    buf_printf(out, "%s_count{engine=\"0\",model_name=\"%s\"} %" PRIu64 "\n", name, model, m->ttft_count);
    buf_printf(out, "%s_sum{engine=\"0\",model_name=\"%s\"} %.9g\n", name, model, m->ttft_sum);
}

static void put_drafts(const struct sim_metrics *m, const char *model, struct buf *out)
{
    const char *name = "vllm:spec_decode_num_accepted_tokens_per_pos_total";
    put(out, "vllm:spec_decode_num_drafts_total", "counter", "Number of spec decoding drafts.", model,
        (double)m->drafts);
    put(out, "vllm:spec_decode_num_draft_tokens_total", "counter", "Number of draft tokens.", model,
        (double)m->drafts * m->draft);
    put(out, "vllm:spec_decode_num_accepted_tokens_total", "counter", "Number of accepted tokens.", model,
        (double)m->accepted);
    buf_printf(out, "# HELP %s Accepted tokens per draft position.\n# TYPE %s counter\n", name, name);
    for (uint32_t i = 0; i < m->draft; i++)
        buf_printf(out, "%s{engine=\"0\",model_name=\"%s\",position=\"%" PRIu32 "\"} %" PRIu64 "\n", name, model, i,
                   m->accepted_at[i]);
}

void sim_metrics_write(const struct sim_metrics *m, const char *model, struct buf *out)
{
    static const char *const REASON[SIM_FINISH_N] = {"stop", "length", "abort", "error"};
    put(out, "vllm:num_requests_running", "gauge", "Number of requests in model execution batches.", model, m->running);
    put(out, "vllm:num_requests_waiting", "gauge", "Number of requests waiting to be processed.", model, m->waiting);
    put(out, "vllm:kv_cache_usage_perc", "gauge", "KV-cache usage. 1 means 100 percent usage.", model, m->kv_usage);
    put(out, "vllm:gpu_cache_usage_perc", "gauge", "KV-cache usage, under its older name.", model, m->kv_usage);
    put(out, "vllm:prefix_cache_queries_total", "counter", "Prefix cache queries, in tokens.", model,
        (double)m->prompt_tokens);
    put(out, "vllm:prefix_cache_hits_total", "counter", "Prefix cache hits, in tokens.", model, 0);
    put(out, "vllm:num_preemptions_total", "counter", "Cumulative number of preemptions.", model, 0);
    put(out, "vllm:prompt_tokens_total", "counter", "Number of prefill tokens processed.", model,
        (double)m->prompt_tokens);
    put(out, "vllm:generation_tokens_total", "counter", "Number of generation tokens processed.", model,
        (double)m->generation_tokens);
    buf_puts(
        out,
        "# HELP vllm:request_success_total Count of finished requests.\n# TYPE vllm:request_success_total counter\n");
    for (int i = 0; i < SIM_FINISH_N; i++)
        buf_printf(out,
                   "vllm:request_success_total{engine=\"0\",finished_reason=\"%s\",model_name=\"%s\"} %" PRIu64 "\n",
                   REASON[i], model, m->finished[i]);
    put_ttft(m, model, out);
    if (m->draft) put_drafts(m, model, out);
}
