/* The bytes of an answer: events of a stream in vLLM's shape, each in an HTTP chunk of its own, and whole JSON bodies.
 * Pure: appends to a buffer whose memory is kept from one event to the next. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "tests/sim/api.h"

void sim_frame_init(struct sim_frame *f, const struct sim_options *o, const struct sim_ask *ask, uint64_t number,
                    int64_t created);

void sim_frame_role(const struct sim_frame *f, struct buf *out); /* nothing for completions, which have none */
/* Tokens first … first + n - 1 as one event; `last` adds the finish reason. */
void sim_frame_tokens(const struct sim_frame *f, uint32_t first, uint32_t n, bool last, struct buf *out);
void sim_frame_finish(const struct sim_frame *f, struct buf *out); /* a finish reason without a token */
void sim_frame_error(const struct sim_frame *f, struct buf *out);
void sim_frame_garbage(const struct sim_frame *f, struct buf *out);
/* Usage chunk when asked for, then as sim_frame_close. */
void sim_frame_end(const struct sim_frame *f, uint32_t tokens, bool done, struct buf *out);
/* [DONE] when `done`, and the chunk that ends the body. */
void sim_frame_close(const struct sim_frame *f, bool done, struct buf *out);
/* The JSON body of an answer that is no stream. */
void sim_frame_whole(const struct sim_frame *f, uint32_t tokens, struct buf *out);
