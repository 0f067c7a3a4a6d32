/* What this machine carries: measured once (plateau-agent --calibrate) against a null endpoint on its own loopback,
 * kept in a file, and sent in HELLO, so that the coordinator can give each machine its share.
 *
 *   capacity = 0.8 · usable cores / CPU time of a token        (token/s)
 *
 * The CPU time is that of the agent's own threads; the endpoint beside them does not count. */
#pragma once
#include <stdint.h>

#include "agent/host.h"
#include "common/err.h"

struct calibration {
    uint64_t capacity;   /* token/s */
    uint32_t cores;      /* usable ones it was measured on */
    double us_per_token; /* CPU time */
};
ERR_CHECKED int calibrate_measure(uint32_t workers, struct calibration *ret, struct err *e); /* a few seconds */

/* The folder of --state, else $XDG_STATE_HOME/plateau, else ~/.local/state/plateau. -1 when there is none. */
int calibrate_dir(const char *state, char *ret, size_t n);
ERR_CHECKED int calibrate_save(const char *dir, const struct calibration *c,
                               struct err *e); /* makes the folder; whole or not at all */
/* 0 with a capacity of 0 when there is no file; -1 when it cannot be used: malformed, or of another number of
 * cores. */
ERR_CHECKED int calibrate_load(const char *dir, const struct host *here, struct calibration *ret, struct err *e);
