/* HTTP/1.1 requests out of bytes. Pure: slices into the caller's buffer, no allocation, no state between calls, so that
 * a request may be split anywhere. Chunked request bodies are refused (411): no client of ours sends them. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

enum { SIM_HEAD_MAX = 16 * 1024, SIM_BODY_MAX = 16 * 1024 * 1024 };

struct sim_slice {
    const char *p;
    size_t n;
};
struct sim_request {
    struct sim_slice method, path, authorization, body; /* path without the query */
    bool probe; /* a request of a probe: in no record, and no fault is spent on it */
    bool keep_alive;
    bool wants_continue; /* "Expect: 100-continue"; set while the body is still missing */
};

/* Bytes consumed by the first request of p[0 … n); 0 when it is incomplete; else minus the HTTP status to answer before
 * closing. */
long sim_http_parse(const char *p, size_t n, struct sim_request *ret);

bool sim_slice_is(struct sim_slice s, const char *text);
