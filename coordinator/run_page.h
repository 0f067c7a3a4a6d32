/* The coordinator's status page (--http): ready or why not, and the run's figures. It follows the run as a sink
 * (SINK_STATUS) that publishes once a second. */
#pragma once
#include "common/prom.h"
#include "common/status.h"

struct run_page {
    struct status *status; /* NULL: no page; every call then does nothing */
    struct prom_totals totals;
    int64_t next_ns;
};

ERR_CHECKED int run_page_open(struct run_page *p, const char *address, struct err *e); /* address NULL: no page */
void run_page_close(struct run_page *p);
void run_page_ready(struct run_page *p, bool ready, const char *reason);
