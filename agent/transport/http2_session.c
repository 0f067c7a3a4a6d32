#include "agent/transport/http2_session.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "agent/transport/http1.h"

/* ---- the end of a request ---- */

void http2_let_go(struct http2_state *o, struct stream2 *s)
{
    if (s->conn) {
        (void)nghttp2_session_set_stream_user_data(s->conn->session, s->id, NULL);
        list2_remove(&s->conn->open, s);
    } else {
        list2_remove(&o->waiting[s->x->address], s);
    }
    s->next = o->spare;
    o->spare = s;
}

void http2_end(struct http2_state *o, struct stream2 *s, enum transport_end how, const char *why)
{
    struct transfer *x = s->x;
    http2_let_go(o, s);
    transport_end(x, how, why);
}

/* The server has reported that it did not process this request: it waits as if it had not been sent, before those that
 * came later. */
static void wait_again(struct http2_state *o, struct stream2 *s)
{
    (void)nghttp2_session_set_stream_user_data(s->conn->session, s->id, NULL);
    list2_remove(&s->conn->open, s);
    s->conn = NULL;
    payload_begin(&s->body, s->body.of);
    s->x->begun = false;
    list2_prepend(&o->waiting[s->x->address], s);
    o->conns.t->counts.not_processed++;
}

/* The response is complete, perhaps before the request is. */
static void finish(struct h2_conn *c, struct http2_state *o, struct stream2 *s)
{
    bool whole = s->body.left == 0;
    int32_t id = s->id;
    o->barren[c->c.address] = 0;
    bool good = s->x->status >= 200 && !s->encoded;
    http2_end(o, s, good ? END_COMPLETE : END_MALFORMED,
              good         ? NULL
              : s->encoded ? HTTP1_ENCODED
                           : "a response without a status");
    if (!whole) (void)nghttp2_submit_rst_stream(c->session, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
}

/* ---- called by nghttp2 ---- */

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_n,
                     const uint8_t *value, size_t value_n, uint8_t flags, void *user)
{
    struct stream2 *s = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    long status = 0;
    (void)flags;
    if (s && (s->head += name_n + value_n + 4) > HTTP1_HEAD_MAX) { /* as HTTP/1.1 would write it */
        http2_end(((struct h2_conn *)user)->o, s, END_MALFORMED, HTTP2_LONG_HEAD);
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE; /* nghttp2 resets the stream */
    }
    if (s && s->x->tr->calls->header)
        s->x->tr->calls->header(s->x, (const char *)name, name_n, (const char *)value, value_n);
    if (s && name_n == 16 && memcmp(name, "content-encoding", 16) == 0)
        s->encoded = value_n != 8 || memcmp(value, "identity", 8) != 0;
    if (!s || name_n != 7 || memcmp(name, ":status", 7) != 0) return 0;
    for (size_t i = 0; i < value_n && i < 4; i++)
        status = isdigit(value[i]) ? status * 10 + (value[i] - '0') : 1000;
    if (value_n != 3 || status < 100 || status > 599) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    if (status >= 200) s->x->status = status; /* an interim one is followed by the real one */
    return 0;
}

void http2_deliver(const struct h2_conn *c, const struct stream2 *s, const uint8_t *bytes, size_t n)
{
    struct transport *t = s->x->tr;
    t->shared = true;
    t->more = bytes + n < c->o->part_end;
    transport_deliver(s->x, (const char *)bytes, n);
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *bytes, size_t n, void *user)
{
    struct stream2 *s = nghttp2_session_get_stream_user_data(session, id);
    (void)flags;
    if (s) http2_deliver(user, s, bytes, n);
    return 0;
}

static const char *code_name(uint32_t code)
{
    return nghttp2_http2_strerror(code); /* a constant text, "unknown" for unknown ones */
}

static void on_settings(struct http2_state *o, struct h2_conn *c)
{
    struct transport *t = o->conns.t;
    uint32_t theirs = nghttp2_session_get_remote_settings(c->session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
    uint32_t ours = t->target->plan->streams_per_connection;
    c->limit = t->target->plan->fresh_connections ? 1 : theirs < ours ? theirs : ours;
    c->heard = true;
    t->streams = theirs < ours ? theirs : 0;
    if (c->limit > 0) o->limit = c->limit;
    if (c->greeted || c->limit == 0) return; /* without a stream it is not ready, and times out */
    c->greeted = o->met = true;
    c->since = t->now;
    o->pending[c->c.address]--;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct h2_conn *c = user;
    struct http2_state *o = c->o;
    if (frame->hd.type == NGHTTP2_DATA && !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
        return 0; /* as nearly all are */
    struct stream2 *s = frame->hd.stream_id ? nghttp2_session_get_stream_user_data(session, frame->hd.stream_id) : NULL;
    c->touched = true;
    switch (frame->hd.type) {
    case NGHTTP2_SETTINGS:
        if (!(frame->hd.flags & NGHTTP2_FLAG_ACK)) on_settings(o, c);
        return 0;
    case NGHTTP2_GOAWAY:                         /* streams above its last one are closed by nghttp2 after this call */
        o->conns.t->counts.ended += !c->leaving; /* fresh ones leave from their first request on */
        c->leaving = true;
        c->goaway = frame->goaway.error_code;
        c->renew = c->goaway == NGHTTP2_NO_ERROR && !o->conns.t->target->plan->fresh_connections;
        if (c->used ? frame->goaway.last_stream_id == 0 && c->open.n > 0 : o->waiting[c->c.address].n > 0)
            o->barren[c->c.address]++;
        if (c->goaway != NGHTTP2_NO_ERROR) c->why = code_name(c->goaway);
        return 0;
    case NGHTTP2_RST_STREAM:
        if (s) {
            s->reset = true;
            s->code = frame->rst_stream.error_code;
        }
        return 0;
    case NGHTTP2_HEADERS:
    case NGHTTP2_DATA:
        if (s && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)) finish(c, o, s);
        return 0;
    default:
        return 0;
    }
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *user)
{
    struct h2_conn *c = user;
    struct http2_state *o = c->o;
    struct stream2 *s = nghttp2_session_get_stream_user_data(session, id);
    c->touched = true;
    if (--c->streams == 0) c->since = o->conns.t->now;
    if (!s) return 0;
    if (s->reset)
        http2_end(o, s, s->code == NGHTTP2_NO_ERROR ? END_CUT : END_RESET, code_name(s->code));
    else if (code == NGHTTP2_REFUSED_STREAM && c->leaving && c->goaway == NGHTTP2_NO_ERROR)
        wait_again(o, s);
    else if (c->leaving)
        http2_end(o, s, END_RESET, c->why ? c->why : "GOAWAY");
    else
        http2_end(o, s, END_MALFORMED, code_name(code));
    return 0;
}

/* A request that nghttp2 did not send after all: the connection is leaving. */
static int on_not_sent(nghttp2_session *session, const nghttp2_frame *frame, int why, void *user)
{
    struct h2_conn *c = user;
    struct stream2 *s;
    (void)why;
    if (frame->hd.type != NGHTTP2_HEADERS) return 0;
    c->leaving = true; /* whatever the reason, it takes no other either */
    s = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    if (s) wait_again(c->o, s);
    return 0;
}

static int on_invalid(nghttp2_session *session, const nghttp2_frame *frame, int why, void *user)
{
    struct h2_conn *c = user;
    (void)session, (void)frame;
    c->why = nghttp2_strerror(why);
    return 0;
}

static int on_error(nghttp2_session *session, int code, const char *text, size_t n, void *user)
{
    struct h2_conn *c = user;
    (void)session, (void)text, (void)n;
    c->why = code == NGHTTP2_ERR_SETTINGS_EXPECTED ? HTTP2_NOT_SPOKEN : nghttp2_strerror(code);
    return 0;
}

ssize_t http2_body(nghttp2_session *session, int32_t id, uint8_t *to, size_t n, uint32_t *flags,
                   nghttp2_data_source *source, void *user)
{
    struct stream2 *s = nghttp2_session_get_stream_user_data(session, id);
    (void)source, (void)user;
    if (!s) return NGHTTP2_ERR_DEFERRED; /* abandoned: its reset is on the way */
    n = payload_read(&s->body, (char *)to, n);
    if (s->body.left > 0) return (ssize_t)n;
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    s->x->written = s->x->tr->now;
    return (ssize_t)n;
}

/* ---- the table of them ---- */

int http2_session_init(struct http2_state *o)
{
    if (nghttp2_session_callbacks_new(&o->callbacks) != 0 || nghttp2_option_new(&o->option) != 0) return -1;
    /* the callbacks check what matters of a head */
    nghttp2_option_set_no_http_messaging(o->option, 1);
    nghttp2_option_set_no_closed_streams(o->option, 1);
    nghttp2_session_callbacks_set_on_header_callback(o->callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(o->callbacks, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(o->callbacks, on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(o->callbacks, on_stream_close);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(o->callbacks, on_not_sent);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(o->callbacks, on_invalid);
    nghttp2_session_callbacks_set_error_callback2(o->callbacks, on_error);
    return 0;
}

void http2_session_clear(struct http2_state *o)
{
    nghttp2_session_callbacks_del(o->callbacks);
    nghttp2_option_del(o->option);
}
