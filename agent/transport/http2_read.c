#include "agent/transport/http2_read.h"

#include <errno.h>
#include <string.h>

#define FRAME_BYTES 16384u /* that a frame may carry: we have not allowed more */

static uint32_t frame_length(const uint8_t *head)
{
    return (uint32_t)head[0] << 16 | (uint32_t)head[1] << 8 | head[2];
}

/* The stream of a frame that is data and no more; NULL: the frame is nghttp2's. */
static struct stream2 *stream_of(const struct h2_conn *c, const uint8_t *head, uint32_t length)
{
    if (head[3] != NGHTTP2_DATA || head[4] != NGHTTP2_FLAG_NONE || c->in_head) return NULL;
    if (length == 0 || length > FRAME_BYTES) return NULL;
    uint32_t id = (uint32_t)(head[5] & 0x7f) << 24 | (uint32_t)head[6] << 16 | (uint32_t)head[7] << 8 | head[8];
    struct stream2 *s = nghttp2_session_get_stream_user_data(c->session, (int32_t)id);
    /* nghttp2 opens the stream's window from what it sees, so the last part is left to it */
    return s && s->x->status >= 200 && s->past + length <= HTTP2_PAST_MAX ? s : NULL;
}

/* A head of nghttp2's begins: until it is whole, only its own frames may follow. */
static void note_frame(struct h2_conn *c, const uint8_t *head)
{
    c->frame_left = frame_length(head);
    if (head[3] == NGHTTP2_HEADERS || head[3] == NGHTTP2_PUSH_PROMISE || head[3] == NGHTTP2_CONTINUATION)
        c->in_head = !(head[4] & NGHTTP2_FLAG_END_HEADERS);
}

static int give(struct h2_conn *c, const uint8_t *bytes, size_t n)
{
    ssize_t used = nghttp2_session_mem_recv(c->session, bytes, n);
    return used < 0 ? (int)used : 0;
}

/* A frame's head that a read's end has cut. */
static int gather(struct h2_conn *c, const uint8_t **at, const uint8_t *stop)
{
    while (*at < stop && c->frame_head_n < HTTP2_FRAME_HEAD)
        c->frame_head[c->frame_head_n++] = *(*at)++;
    if (c->frame_head_n < HTTP2_FRAME_HEAD) return 0;
    c->frame_head_n = 0;
    note_frame(c, c->frame_head);
    return give(c, c->frame_head, HTTP2_FRAME_HEAD);
}

static size_t frame_bytes(const uint8_t *head)
{
    return HTTP2_FRAME_HEAD + frame_length(head);
}

/* Behind a network card what waits is merged, and has one stamp: then stamps of its parts are seldom asked for. */
static bool asks_for_parts(struct http2_state *o, const struct h2_conn *c)
{
    if (c->open.n < 2 || !o->conns.t->stamps) return false;
    if (!c->c.tls && (c->frame_left > 0 || c->frame_head_n > 0)) return false; /* no frame begins there */
    return o->alike < HTTP2_ALIKE_MAX || ++o->unasked % HTTP2_ALIKE_MAX == 0;
}

ssize_t http2_receive(struct h2_conn *c, bool more)
{
    struct http2_state *o = c->o;
    struct conns *s = &o->conns;
    struct stamp_parts *p = &s->parts;
    bool dry;
    stamp_parts_clear(p);
    if (c->failed) {
        errno = c->failed;
        return -1;
    }
    if (!more || !asks_for_parts(o, c)) return conn_receive(s, &c->c, more);
    ssize_t n = c->c.tls ? tls_read(c->c.tls, s->bytes, sizeof s->bytes, true, &s->box.wall_ns, p)
                         : stamp_receive_units(&s->box, c->c.fd, HTTP2_FRAME_HEAD, frame_bytes, p, &dry);
    conn_note_arrival(s, n);
    if (n > 0 && (p->n > 1 || p->alike)) o->alike = p->alike ? o->alike + 1 : 0;
    if (n > 0 && p->failed) c->failed = p->failed;
    return n;
}

/* When the frame came that ends there. */
static void note_arrival(struct http2_state *o, const uint8_t *end)
{
    const struct stamp_parts *p = &o->conns.parts;
    const uint8_t *bytes = (const uint8_t *)o->conns.bytes;
    if (end <= o->part_end) return;
    while (o->part + 1 < p->n && end > bytes + p->of[o->part].end)
        o->part++;
    o->part_end = o->part + 1 < p->n ? bytes + p->of[o->part].end : o->read_end;
    o->conns.t->arrival = transport_arrival(o->conns.t, p->of[o->part].wall_ns);
}

int http2_read(struct h2_conn *c, const void *bytes, size_t n)
{
    struct http2_state *o = c->o;
    const uint8_t *at = bytes, *stop = at + n;
    const int64_t last = o->conns.t->arrival;
    int rc = 0;
    o->read_end = stop;
    o->part = 0;
    o->part_end = o->conns.parts.n > 1 ? at : stop;
    while (at < stop && rc == 0) {
        size_t have = (size_t)(stop - at), head = 0;
        if (c->frame_left == 0 && (c->frame_head_n > 0 || have < HTTP2_FRAME_HEAD)) {
            rc = gather(c, &at, stop);
            continue;
        }
        if (c->frame_left == 0) {
            uint32_t length = frame_length(at);
            struct stream2 *s = have - HTTP2_FRAME_HEAD >= length ? stream_of(c, at, length) : NULL;
            if (s) {
                note_arrival(o, at + HTTP2_FRAME_HEAD + length);
                http2_deliver(c, s, at + HTTP2_FRAME_HEAD, length);
                s->past += length;
                c->past += length;
                at += HTTP2_FRAME_HEAD + length;
                continue;
            }
            note_frame(c, at);
            head = HTTP2_FRAME_HEAD;
        }
        size_t take = have - head < c->frame_left ? have - head : c->frame_left;
        note_arrival(o, at + head + take);
        rc = give(c, at, head + take);
        c->frame_left -= (uint32_t)take;
        at += head + take;
    }
    o->conns.t->arrival = last;
    if (c->past >= HTTP2_PAST_MAX) c->touched = true;
    return rc;
}

size_t http2_put_update(struct h2_conn *c, uint8_t *to)
{
    if (c->past < HTTP2_PAST_MAX) return 0;
    const uint8_t frame[HTTP2_UPDATE_BYTES] = {0,
                                               0,
                                               4,
                                               NGHTTP2_WINDOW_UPDATE,
                                               0,
                                               0,
                                               0,
                                               0,
                                               0,
                                               (uint8_t)(c->past >> 24),
                                               (uint8_t)(c->past >> 16),
                                               (uint8_t)(c->past >> 8),
                                               (uint8_t)c->past};
    memcpy(to, frame, sizeof frame);
    c->past = 0;
    return sizeof frame;
}
