#include "tests/sim/api.h"

const struct sim_api_row API_ROWS[SIM_API_N] = {
#define X(id, word, begins, ends, needs, stream, type, frames)                                                         \
    [SIM_##id] = {word, begins, ends, SIM_NEEDS_##needs, SIM_STREAM_##stream, SIM_TYPE_##type, &sim_frames_##frames},
#include "tests/sim/api.def"
#undef X
};
