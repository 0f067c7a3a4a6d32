/* What the target agreed to before a stage: from the workers to the coordinator, which tells the user. */
#pragma once
#include <stdint.h>

struct target_terms {
    const char *http; /* "HTTP/1.1", "HTTP/2"; NULL = nothing was asked yet */
    uint32_t streams; /* it allows a connection so many, and more connections are needed for that; 0 = it does not */
    uint32_t connections; /* that were made ahead */
};
