/* One reading of the server's metrics page: its known figures, as numbers. Read by the answer's room, kept in a run's
 * data. */
#pragma once

enum server_field {
    /* gauges: summed over engines, but KV_USE, where the maximum counts */
    SERVER_RUNNING,
    SERVER_WAITING,
    SERVER_KV_USE,
    /* counters: summed over engines */
    SERVER_PREFIX_HITS,
    SERVER_PREFIX_QUERIES,
    SERVER_PREEMPTIONS,
    SERVER_PROMPT_TOKENS,
    SERVER_GENERATION_TOKENS,
    SERVER_TTFT_SUM,
    SERVER_TTFT_COUNT,
    SERVER_QUEUE_SUM,
    SERVER_QUEUE_COUNT, /* seconds, requests */
    SERVER_FIELD_N,
};
#define SERVER_COUNTER_FIRST SERVER_PREFIX_HITS

struct server_sample {
    double t_s;                   /* on the stage's time axis; set by the caller */
    const char *server;           /* "vllm", "sglang", "tgi", "llama.cpp", "" when known by pattern only; static */
    double value[SERVER_FIELD_N]; /* NaN: not on the page */
};
