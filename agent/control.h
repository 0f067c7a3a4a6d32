/* The agent's link to its coordinator, and the thread that keeps it: a DEALER socket that dials, the session's state
 * machine, and the engine's events. Load never runs on this thread, so heartbeats cannot be starved by it. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "agent/engine.h"
#include "agent/page.h"
#include "common/err.h"
#include "common/keys.h"

struct control_options {
    const char *connect; /* tcp://HOST:PORT */
    const char *name;    /* NULL: host name and process id */
    const struct guard *guard;
    bool stay;           /* a run that this agent has refused does not count as a failure: there will be others */
    int64_t patience_ns; /* give up when no coordinator was heard for this long; 0 = never */
    const struct key_pair *keys; /* own pair; NULL = no keys */
    const char *server_key;      /* the only coordinator that is trusted; with `keys` */
    const uint8_t *signed_by;    /* a key of SIGN_PUBLIC_BYTES: only plans that it signed are run; NULL = any */
    bool told;                   /* this machine's coordinator started it, and logs what it refuses: not said twice */
    uint32_t weight;             /* share of the load; 0 = not given */
    uint64_t capacity;           /* calibrated token/s; 0 = unknown */
    const char *data;            /* folder of data sets and traces; NULL: files without a name */
    bool data_checked;           /* … and who started this agent has checked what lies there */
    struct page *page;           /* fed and published; NULL = none */
};
/* Takes the engine over, since the engine borrows the plan that arrives here. Returns
 *   0    when the coordinator says goodbye; also after a plan or a stage that this agent refused, with `stay`;
 *   -1   when the coordinator refuses or is no longer heard; after the goodbye, if this agent refused (without `stay`);
 * or when a signal ends the agent (*ret_signal). The caller blocks SIGINT, SIGTERM and SIGHUP before any thread begins;
 * they are read here. */
ERR_CHECKED int control_run(const struct control_options *o, struct engine **engine, int *ret_signal, struct err *e);
