/* Shared by the files that write the events of an API. */
#pragma once
#include "tests/sim/api.h"

enum { SIM_WORD = 4 };
/* Word i of the answer: four bytes, as they stand in JSON. */
const char *sim_word(const struct sim_frame *f, uint32_t i);
void sim_put_words(const struct sim_frame *f, uint32_t from, uint32_t to, struct buf *out);
const char *sim_nl(const struct sim_frame *f);

/* A chunk that holds an event, and its end with the blank line (lines of JSON: without). */
size_t sim_open_chunk(const struct sim_frame *f, struct buf *out);
void sim_close_chunk(const struct sim_frame *f, size_t at, struct buf *out);
/* The same with the event's name, and what stands in front of its data. `name` NULL: none. */
size_t sim_open_event(const struct sim_frame *f, const char *name, struct buf *out);
