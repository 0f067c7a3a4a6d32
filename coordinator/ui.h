/* The server of a run's live page (--ui): the page, a stream of events (server-sent events), a button that ends the
 * run. libmicrohttpd serves each connection in a thread of its own, off the loop that drives the run. The owner puts
 * texts; each viewer gets the latest of each kind, and what it is too slow for is left out. So nothing here waits for a
 * viewer, and one that takes nothing for UI_IDLE_S is dropped.
 *
 * Whoever reaches the port of a loopback address may watch. Off loopback a token in the URL is asked for. Ending the
 * run takes the token everywhere, which the page holds: another site's page cannot read it. Requests under a foreign
 * name (Host, where the address is loopback) or from a foreign page (Origin) are refused. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"

enum { UI_VIEWERS = 8, UI_IDLE_S = 10 };

/* In the order in which a viewer gets them. */
enum ui_kind { UI_REPORT, UI_NOW, UI_OVER, UI_KIND_N };

struct ui;
/* address: "ADDR:PORT" ("127.0.0.1:0" for any port). stop: called for each accepted press of the button, in a thread of
 * the server's. */
ERR_CHECKED struct ui *ui_open(const char *address, void (*stop)(void *arg), void *arg, struct err *e);
void ui_close(struct ui **u);
const char *ui_token(const struct ui *u);
const char *ui_url(const struct ui *u); /* for a person; with the token where it is needed */

/* Callable from any thread. The page, and its content security policy; copied. */
void ui_page(struct ui *u, const struct buf *page, const struct buf *policy);
void ui_put(struct ui *u, enum ui_kind kind, const struct buf *json); /* one line; copied */
unsigned ui_viewers(struct ui *u);                                    /* streams that are open */
void ui_end(struct ui *u); /* nothing more is put: a stream ends when its viewer has the latest of each kind */
void ui_wait(struct ui *u, int64_t ns); /* until no viewer is left, at most this long */
