/* The status page of a program, for probes and dashboards: GET /healthz (200 while the process lives), /readyz (200
 * when ready, else 503 with the reason), /metrics (Prometheus text). Served by libmicrohttpd in a thread of its own,
 * off every hot path: the owner publishes a text, readers get the last one. Answers GET and HEAD only; at most 64
 * connections. */
#pragma once
#include <stdbool.h>

#include "common/err.h"

struct status;

/* address: "ADDR:PORT" ("127.0.0.1:0" for any port). */
ERR_CHECKED struct status *status_open(const char *address, struct err *e);
void status_close(struct status **s);
unsigned status_port(const struct status *s);

/* All callable from any thread; NULL is allowed, so that a program without a page needs no ifs. */
void status_ready(struct status *s, bool ready, const char *reason);
void status_publish(struct status *s, const char *metrics); /* copied */
