/* One reading of the server's metrics page: its known figures, as numbers. Read by the answer's room, kept in a run's
 * data. */
#pragma once

#define SERVER_PLACES 8 /* in a draft; those beyond are in the sum only */

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
    /* counters of speculative decoding: steps that checked a draft, tokens in those drafts, tokens of them that were
     * accepted, and the same by their place in the draft */
    SERVER_DRAFTS,
    SERVER_DRAFT_TOKENS,
    SERVER_ACCEPTED,
    SERVER_ACCEPTED_AT,
    /* gauges of it, where a server has no such counters: the mean over engines */
    SERVER_ACCEPT_RATE = SERVER_ACCEPTED_AT + SERVER_PLACES,
    SERVER_ACCEPT_LENGTH,
    SERVER_FIELD_N,
};
#define SERVER_COUNTER_FIRST SERVER_PREFIX_HITS
#define SERVER_SPEC_FIRST SERVER_DRAFTS

struct server_sample {
    double t_s;                   /* on the stage's time axis; set by the caller */
    const char *server;           /* "vllm", "sglang", "tgi", "llama.cpp", "" when known by pattern only; static */
    double value[SERVER_FIELD_N]; /* NaN: not on the page */
};
