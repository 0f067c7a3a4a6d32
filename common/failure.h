/* The table of failures (failure.def) as an enum and as rows. */
#pragma once

enum failure {
#define FAILURE(id, name, by, meaning, look) FAILURE_##id,
#include "common/failure.def"
#undef FAILURE
    FAILURE_N
};

enum failure_by {
    FAILURE_BY_CONNECTION, /* the transport, before anything was sent: nothing overrules it */
    FAILURE_BY_STATUS,     /* the HTTP status */
    FAILURE_BY_STREAM,     /* what the body contained */
    FAILURE_BY_CUT         /* the transport or a timeout ended it: decides where the body does not */
};

struct failure_row {
    const char *name, *meaning;
    const char *look; /* continues a sentence: where to look when most requests fail this way; may be "" */
    enum failure_by by;
};
extern const struct failure_row FAILURES[FAILURE_N];
