/* A coordinator that stays alive after its run, so that the run's folder can be fetched out of its container.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#define HOLD_FETCHED "fetched" /* a file of this name in the folder: it has been copied, the wait may end */

/* Waits until DIR/fetched is there (true), a signal comes on `signal_fd`, or `hold_ns` have passed (false). */
bool hold_until_fetched(const char *dir, int64_t hold_ns, int signal_fd);
