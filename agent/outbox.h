/* Snapshots on their way: at most OUTBOX_WINDOW encoded and unacknowledged, and one more in which later ones are added
 * up while the window is full. Numbers begin at 1 and have no gaps. Pure. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/snapshot.h"
#include "common/wire.h"

#define OUTBOX_WINDOW 2u /* more would delay heartbeats on a slow link; later ones are added up */

struct outbox {
    struct buf bytes[OUTBOX_WINDOW]; /* ring: number k sits at k mod OUTBOX_WINDOW */
    uint64_t acked, last, sent;      /* acked <= sent <= last: all up to this number */
    struct snapshot *waiting;        /* not yet numbered; NULL = none */
    bool stalled;                    /* nothing was acknowledged since outbox_stalled was last asked */
};

int outbox_add(struct outbox *o, const struct snapshot *s); /* copies; -1 without memory: nothing has been added */
bool outbox_next(const struct outbox *o, uint64_t *ret_seq, struct wire_bytes *ret); /* the next to be sent */
void outbox_sent(struct outbox *o, uint64_t seq);
void outbox_acknowledge(struct outbox *o, uint64_t seq); /* all up to seq; numbers never sent are ignored */
void outbox_rewind(struct outbox *o);                    /* all that is not acknowledged is to be sent again */
bool outbox_pending(const struct outbox *o);             /* something has not been sent yet */
bool outbox_stalled(struct outbox *o); /* something is out and nothing came back since the last call */
uint64_t outbox_last(const struct outbox *o);
size_t outbox_count(const struct outbox *o);
void outbox_clear(struct outbox *o); /* empties and releases */
