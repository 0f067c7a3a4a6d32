/* The states of a snapshot: waiting (only while the window is full), to be sent, out, acknowledged. It gets its number
 * when it is encoded.
 *
 *   outbox_add ──┬── the window has room ────────> encode, number last + 1
 *                └── the window is full ─┐                  ^
 *                                        v                  │ an acknowledgement made room
 *                            waiting: one open snapshot ────┘
 *                            later ones are added to it
 *
 *                 acked = 6      sent = 7      last = 8
 *                     v              v             v
 *   number   1  …  6  │      7       │      8      │  none yet
 *            released │  out, bytes  │  to be sent │  waiting
 *                     │  are kept    │  next       │  (or NULL)
 *                     └─── bytes[], at most ───────┘
 *                          OUTBOX_WINDOW
 *
 * A slow link does not make more snapshots wait: each covers a longer time instead. So memory is bounded, and nothing
 * is lost, since histograms add up and counters are cumulative. After a reconnect, or when no acknowledgement comes,
 * outbox_rewind sets `sent` back to `acked`: the same bytes go out again under the same numbers, and the coordinator
 * ignores those that it has. */
#include "agent/outbox.h"

static struct buf *slot(struct outbox *o, uint64_t seq)
{
    return &o->bytes[seq % OUTBOX_WINDOW];
}

static int enclose(struct outbox *o, const struct snapshot *s)
{
    struct buf *b = slot(o, o->last + 1);
    buf_clear(b); /* also clears `bad` */
    b->max = WIRE_MESSAGE_MAX - 1024;
    if (snapshot_encode(s, b) || b->bad) {
        buf_clear(b);
        return -1;
    }
    o->last++;
    return 0;
}

static bool window_open(const struct outbox *o)
{
    return o->last - o->acked < OUTBOX_WINDOW;
}

/* The waiting snapshot gets its number as soon as there is room. Without memory it keeps waiting. */
static void promote(struct outbox *o)
{
    if (o->waiting && window_open(o) && enclose(o, o->waiting) == 0) snapshot_destroy(&o->waiting);
}

int outbox_add(struct outbox *o, const struct snapshot *s)
{
    if (!o->waiting && window_open(o)) return enclose(o, s);
    bool fresh = !o->waiting;
    if (fresh && !(o->waiting = snapshot_new(false))) return -1;
    if (fresh) { /* an empty one has no span yet: it begins where the first snapshot begins */
        o->waiting->from_ns = s->from_ns;
        o->waiting->to_ns = s->from_ns;
    }
    if (snapshot_extend(o->waiting, s) == 0) {
        promote(o);
        return 0;
    }
    if (fresh) snapshot_destroy(&o->waiting);
    return -1;
}

bool outbox_next(const struct outbox *o, uint64_t *ret_seq, struct wire_bytes *ret)
{
    if (o->sent >= o->last) return false;
    const struct buf *b = &o->bytes[(o->sent + 1) % OUTBOX_WINDOW];
    *ret_seq = o->sent + 1;
    *ret = (struct wire_bytes){b->data, b->len};
    return true;
}

void outbox_sent(struct outbox *o, uint64_t seq)
{
    if (seq == o->sent + 1 && seq <= o->last) o->sent = seq;
}

void outbox_acknowledge(struct outbox *o, uint64_t seq)
{
    if (seq <= o->acked || seq > o->last) return;
    while (o->acked < seq)
        buf_clear(slot(o, ++o->acked));
    if (o->sent < o->acked) o->sent = o->acked;
    o->stalled = false;
    promote(o);
}

void outbox_rewind(struct outbox *o)
{
    o->sent = o->acked;
}
bool outbox_pending(const struct outbox *o)
{
    return o->waiting || o->sent < o->last;
}

bool outbox_stalled(struct outbox *o)
{
    bool was = o->stalled && o->acked < o->last;
    o->stalled = true;
    return was;
}

uint64_t outbox_last(const struct outbox *o)
{
    return o->last;
}
size_t outbox_count(const struct outbox *o)
{
    return (size_t)(o->last - o->acked) + (o->waiting ? 1 : 0);
}

void outbox_clear(struct outbox *o)
{
    for (unsigned i = 0; i < OUTBOX_WINDOW; i++)
        buf_clear(&o->bytes[i]);
    snapshot_destroy(&o->waiting);
    *o = (struct outbox){0};
}
