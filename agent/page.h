/* What an agent's status page says (--http): ready or why not, and its figures. The control thread feeds it and
 * publishes once a second; the hot path does not use it. Outlives runs, so that the counters of a standing agent
 * continue. */
#pragma once
#include "agent/engine.h"
#include "agent/session.h"
#include "common/prom.h"
#include "common/status.h"

struct page {
    struct status *status; /* NULL: no page; every call does nothing then */
    bool stands_by;        /* ready also while no coordinator is there */
    struct prom_totals totals;
    uint64_t in_flight, waiting;
    double lag_p99_s, lateness_p99_s, ttft_p99_s; /* of the last snapshot */
    int64_t next_ns;                              /* when it publishes again */
};

ERR_CHECKED int page_open(struct page *p, const char *address, bool stands_by,
                          struct err *e); /* address NULL: no page */
void page_close(struct page *p);
void page_event(struct page *p, const struct engine_event *ev); /* before the session takes the snapshot over */
void page_tick(struct page *p, const struct session *s, const char *name, uint32_t workers, int64_t now);
