/* What is kept of a single request where the plan's `record` asks for it: its row in the snapshot. Pure. */
#pragma once
#include "agent/stream/stream.h"
#include "common/snapshot.h"

/* What the stream itself does not know. */
struct row_request {
    uint64_t number, session;
    uint32_t workload, model, turn, tries;
    long status;
    int64_t t0, sent_first; /* sent_first: when it was sent the first time; 0: as the stream says */
};

/* Whether a row of this request is wanted: by the stage's seed, so that the same requests are chosen each time. */
bool row_wanted(double part, uint64_t seed, uint32_t own, uint64_t number);

/* The request has ended, `outcome` by stream_outcome, at `ended`. Counts it (`recorded`) and keeps its row while there
 * is room. `address`: where it went; NULL: it was never sent. Before stream_clear. */
void row_put(struct snapshot *snap, const struct row_request *q, const struct stream *s, enum counter outcome,
             const char *address, int64_t ended);
