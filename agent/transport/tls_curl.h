/* TLS as libcurl is told to do it, and what its failures mean. One handshake with the target is tried before READY, so
 * that a wrong certificate is one sentence and not a stage of failed requests. */
#pragma once
#include <curl/curl.h>
#include <stdbool.h>

#include "common/err.h"
#include "common/plan/plan.h"

/* What a handshake that is tried tells. */
struct tls_try {
    char why[CURL_ERROR_SIZE]; /* libcurl's own words */
    bool http2;                /* the server agreed to speak it */
};

/* A handle's TLS options. The authorities come from one file, never from a folder as well: only then does libcurl keep
 * them in memory, once for all handles of a multi handle, instead of reading them for each connection. */
void tls_setup(CURL *c, const struct plan_target *p);
/* Makes a handle end after the handshake, and note what came of it. `y` must outlive the transfer. */
void tls_try_setup(CURL *c, const struct plan_target *p, struct tls_try *y);
/* 0 when the handshake with `address` came about as the plan wants it, else -1 with the reason. */
ERR_CHECKED int tls_try_result(const struct tls_try *y, CURLcode code, const struct plan_target *p, const char *address,
                               struct err *e);
