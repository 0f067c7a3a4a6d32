/* The APIs the simulator speaks (api.def), and what an answer in one of them is made of. */
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

struct sim_frame;
/* How an API writes its answer; each appends whole events. `end` writes usage and the end marker; `done` false leaves
 * the marker out. NULL: none. */
struct sim_frames {
    void (*begin)(const struct sim_frame *f, struct buf *out); /* before the first token */
    void (*tokens)(const struct sim_frame *f, uint32_t first, uint32_t n, bool last, struct buf *out);
    void (*finish)(const struct sim_frame *f, struct buf *out); /* an end without a token */
    void (*error)(const struct sim_frame *f, struct buf *out);
    void (*end)(const struct sim_frame *f, uint32_t tokens, bool done, struct buf *out);
    void (*whole)(const struct sim_frame *f, uint32_t tokens, struct buf *out); /* an answer that is no stream */
};
#define X(id, word, begins, ends, needs, stream, type, frames) extern const struct sim_frames sim_frames_##frames;
#include "tests/sim/api.def"
#undef X

struct sim_api_row {
    const char *word, *begins, *ends;
    enum sim_needs needs;
    enum sim_streams stream;
    enum sim_type type;
    const struct sim_frames *frames;
};
extern const struct sim_api_row API_ROWS[SIM_API_N];

/* What a request asks for, after all defaults. */
struct sim_ask {
    enum sim_api api;
    bool stream, include_usage, continuous_usage;
    bool probe;              /* in no record */
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
