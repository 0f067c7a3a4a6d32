/* The server's own figures: its metrics page, second by second, and what they make of a stage. Pure; the caller
 * fetches the page. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"
#include "coordinator/server_sample.h"

#define SERVER_PAGE_MAX (4u << 20) /* bytes; a longer page is refused */

const char *
server_known(const char *name); /* the static name of a server (see struct server_sample), "" when it is none we know */
const char *server_field_name(enum server_field f); /* "running", "kv_use" …; of those below SERVER_SPEC_FIRST */

/* -1 when the page is malformed or too long; a page without a name we know is no error (all NaN). t_s is kept. */
ERR_CHECKED int server_read(const char *page, size_t n, struct server_sample *ret, struct err *e);

/* A stage from its samples in order of time. Counters may begin anew (a server that restarted): what they had counted
 * before stays counted. Where they fall and come back, the page is of several servers in turn, as behind a balancer:
 * then no figure is known. */
struct server_stage {
    const char *server;
    size_t samples;
    bool restarted, several;
    double mean[SERVER_COUNTER_FIRST], max[SERVER_COUNTER_FIRST]; /* gauges, time-weighted; NaN: unknown */
    double delta[SERVER_FIELD_N];                                 /* counters */
    double prefix_queries;    /* tokens that were looked up in the cache; NaN when unknown */
    double prefix_hit_rate;   /* hits / queries; NaN when unknown */
    double ttft_ms, queue_ms; /* means as the server saw them; NaN when unknown */
    double acceptance_rate; /* of speculative decoding: accepted tokens / tokens in drafts; NaN: no draft, or unknown */
    double acceptance_length; /* tokens that a step with a draft made: 1 + accepted tokens / drafts; likewise */
    double acceptance_at[SERVER_PLACES]; /* drafts whose token at this place was accepted / drafts; likewise */
};
void server_stage_compute(const struct server_sample *s, size_t n, double from_s, double to_s,
                          struct server_stage *ret);
void server_stage_forget(struct server_stage *ret); /* no figure is known of several servers' */
