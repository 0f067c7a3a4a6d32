/* The bytes of an answer: events of a stream in vLLM's shape, each in an HTTP chunk of its own, and whole JSON bodies.
 * Pure: appends to a buffer whose memory is kept from one event to the next. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "tests/sim/options.h"

enum sim_api {
#define X(id, ...) SIM_##id,
#include "tests/sim/api.def"
#undef X
    SIM_API_N
};
enum sim_needs { SIM_NEEDS_MESSAGES, SIM_NEEDS_PROMPT, SIM_NEEDS_EITHER };
enum sim_streams { SIM_STREAM_ASKED, SIM_STREAM_ALWAYS, SIM_STREAM_NEVER };
enum sim_type { SIM_TYPE_EVENT_STREAM, SIM_TYPE_NDJSON };

struct sim_frames;
struct sim_api_row {
    const char *word, *begins, *ends;
    enum sim_needs needs;
    enum sim_streams stream;
    enum sim_type type;
    const struct sim_frames *frames;
};
extern const struct sim_api_row SIM_APIS[SIM_API_N];

/* What a request asks for, after all defaults. */
struct sim_ask {
    enum sim_api api;
    bool stream, include_usage, continuous_usage;
    bool no_done;            /* the end marker will be left out */
    uint32_t prompt, output; /* tokens */
    char model[64];
};

struct sim_frame {
    const struct sim_options *o;
    struct sim_ask ask;
    uint64_t number;
    int64_t created;
    size_t head_len;
    char head[256]; /* what all events of the stream begin with: data: {"id":… "choices":[ */
};

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
