/* The server's own word: what its metrics page says, second by second, and what that makes of a stage. Pure; whoever fetches the page gives its bytes. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"

#define SERVER_PAGE_MAX (4u << 20) /* bytes; a longer page is refused */

enum server_field {
    /* gauges: summed over engines, but KV_USE, of which the greatest counts */
    SERVER_RUNNING, SERVER_WAITING, SERVER_KV_USE,
    /* counters: summed over engines */
    SERVER_PREFIX_HITS, SERVER_PREFIX_QUERIES, SERVER_PREEMPTIONS, SERVER_PROMPT_TOKENS, SERVER_GENERATION_TOKENS,
    SERVER_TTFT_SUM, SERVER_TTFT_COUNT, SERVER_QUEUE_SUM, SERVER_QUEUE_COUNT, /* seconds, requests */
    SERVER_FIELD_N,
};
#define SERVER_COUNTER_FIRST SERVER_PREFIX_HITS
const char *server_known(const char *name); /* the static name of a server (see struct server_sample), "" when it is none we know */
const char *server_field_name(enum server_field f); /* "running", "kv_use" … */

struct server_sample {
    double t_s;                     /* on the stage's time axis; set by the caller */
    const char *server;             /* "vllm", "sglang", "tgi", "llama.cpp", "" when known by pattern only; static */
    double value[SERVER_FIELD_N];   /* NaN: the page does not say */
};
/* -1 when the page is malformed or too long; a page that says nothing we know is no error (all NaN). t_s is kept. */
int server_read(const char *page, size_t n, struct server_sample *ret, struct err *e);

/* A stage from its samples in order of time. Counters may begin anew (a server that restarted): what they had counted before stays counted. */
struct server_stage {
    const char *server;
    size_t samples;
    bool restarted;
    double mean[SERVER_COUNTER_FIRST], max[SERVER_COUNTER_FIRST]; /* gauges, time-weighted; NaN: unknown */
    double delta[SERVER_FIELD_N];                                  /* counters */
    double prefix_hit_rate;                                        /* hits / queries; NaN when unknown */
    double ttft_ms, queue_ms;                                      /* means as the server saw them; NaN when unknown */
};
void server_stage_compute(const struct server_sample *s, size_t n, double from_s, double to_s, struct server_stage *ret);
