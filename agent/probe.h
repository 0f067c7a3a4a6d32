/* A probe: one short request outside of any stage, with the plan's own key, model and shape, on a thread of its own, so
 * that a slow server holds nobody up. It is in no ledger. Where the answer says that the path is wrong, other paths of
 * the same host are tried, a few and one after the other. */
#pragma once
#include <stdbool.h>

#include "agent/transport/target.h"
#include "common/err.h"
#include "common/plan/plan.h"
#include "common/shard.h"
#include "common/wire.h"

/* A request that a probe sends has this header, so that a server's operator can tell it from load. */
#define PROBE_HEADER "X-Plateau-Probe"

struct probe_result {
    struct err err;          /* ERR_NONE: an answer as the plan wants it */
    bool final;              /* every request would end so */
    struct word_costs costs; /* target.lengths: measured */
    size_t n;
    char said[WIRE_SAID_MAX]; /* lines */
};

struct probe;
/* `done` is called on the probe's thread when the result is there. Plan and target are borrowed until probe_close. */
ERR_CHECKED struct probe *probe_open(const struct plan *p, const struct target *t, void (*done)(void *arg), void *arg,
                                     struct err *e);
void probe_close(struct probe **p);                             /* gives up what is open; NULL is allowed */
const struct probe_result *probe_result(const struct probe *p); /* after `done` */
