/* Reads the server's metrics page once a second, in a thread of its own: the run is never held up by it. Bounded: a
 * page of SERVER_PAGE_MAX bytes, SCRAPE_TIMEOUT_MS, no redirect, no compression, http and https only; by target.proxy,
 * if there is one. Addresses that are never connected to (addr.h) are refused at each connect. Carries no secret: a
 * page behind a login is not read, nor one behind a proxy that wants one. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "common/plan/plan.h"
#include "coordinator/answer/server_side.h"

#define SCRAPE_TIMEOUT_MS 900L
#define SCRAPE_HELD 4096 /* samples that wait to be taken; later ones are dropped and counted as failed */

struct scrape_state {
    uint64_t readings, failed;
    bool blank;      /* the last page that was read held no figure that is known */
    char first[300]; /* why the first failed reading failed; "" when none did */
};

struct scrape;
ERR_CHECKED struct scrape *scrape_start(const struct plan_target *t,
                                        struct err *e); /* of t->metrics_url, with its TLS settings; borrows t */
void scrape_now(struct scrape *s); /* a reading at once, beside those of each second; does not wait for it */
bool scrape_take(struct scrape *s, struct server_sample *ret,
                 int64_t *ret_mono_ns); /* the oldest; its moment is when the page was asked for */
void scrape_state(struct scrape *s, struct scrape_state *ret);
void scrape_finish(
    struct scrape *s); /* ends the thread, after a reading that was asked for; samples can still be taken */
void scrape_destroy(struct scrape **s);
