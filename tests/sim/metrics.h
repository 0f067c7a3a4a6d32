/* The page at /metrics: Prometheus text with vLLM's names. */
#pragma once
#include <stdint.h>

#include "common/buf.h"
#include "tests/sim/options.h"

enum { SIM_TTFT_BUCKETS = 22 };

enum sim_finish { SIM_FINISH_STOP, SIM_FINISH_LENGTH, SIM_FINISH_ABORT, SIM_FINISH_ERROR, SIM_FINISH_N };

struct sim_metrics {
    uint64_t prompt_tokens, generation_tokens, finished[SIM_FINISH_N];
    uint64_t ttft_count, ttft_bucket[SIM_TTFT_BUCKETS]; /* not cumulative */
    double ttft_sum;                                    /* s */
    uint32_t running, waiting;                          /* gauges, set before writing */
    double kv_usage;
    uint32_t draft; /* tokens in one; 0: it makes none */
    uint64_t drafts, accepted, accepted_at[SIM_DRAFT_MAX];
};

void sim_metrics_tokens(struct sim_metrics *m,
                        uint32_t n); /* of one step: the model's own, and accepted ones of its draft */

void sim_metrics_ttft(struct sim_metrics *m, int64_t ns);
void sim_metrics_write(const struct sim_metrics *m, const char *model, struct buf *out);
