#include "agent/transport/http2_read.h"

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

int http2_read(struct h2_conn *c, const void *bytes, size_t n)
{
    const uint8_t *at = bytes, *stop = at + n;
    int rc = 0;
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
        rc = give(c, at, head + take);
        c->frame_left -= (uint32_t)take;
        at += head + take;
    }
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
