/* A null endpoint: streams of tokens that mean nothing, from a thread of this process on its own loopback, so that an
 * agent can measure what a token costs it. It paces: one token per write and stream, as real servers send them. Its
 * only client is the engine beside it. */
#pragma once
#include <stdint.h>

#include "common/err.h"

#define NULL_END_TOKENS 64u /* of each answer */

struct null_end;
ERR_CHECKED struct null_end *null_end_open(uint32_t streams, int64_t gap_ns,
                                           struct err *e); /* most connections; time between two tokens of a stream */
uint16_t null_end_port(const struct null_end *n);
void null_end_close(struct null_end **n);
