#include "agent/outbox.h"

static struct buf *slot(struct outbox *o, uint64_t seq)
{
    return &o->bytes[seq % OUTBOX_WINDOW];
}

static int enclose(struct outbox *o, const struct snapshot *s)
{
    struct buf *b = slot(o, o->last + 1);
    buf_free(b); /* also clears `bad` */
    b->max = WIRE_MESSAGE_MAX - 1024;
    if (snapshot_encode(s, b) || b->bad) {
        buf_free(b);
        return -1;
    }
    o->last++;
    return 0;
}

static bool window_open(const struct outbox *o)
{
    return o->last - o->acked < OUTBOX_WINDOW;
}

/* The one that waits gets its number as soon as there is room. */
static void promote(struct outbox *o)
{
    if (o->waiting && window_open(o) && enclose(o, o->waiting) == 0) snapshot_destroy(&o->waiting);
}

int outbox_add(struct outbox *o, const struct snapshot *s)
{
    if (!o->waiting && window_open(o)) return enclose(o, s);
    bool fresh = !o->waiting;
    if (fresh && !(o->waiting = snapshot_new(false))) return -1;
    if (fresh) { /* an empty one has no span yet: the first gives its beginning */
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
        buf_free(slot(o, ++o->acked));
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
        buf_free(&o->bytes[i]);
    snapshot_destroy(&o->waiting);
    *o = (struct outbox){0};
}
