#include "tests/sim/h2.h"

#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/clock.h"

#define FIELDS_MAX 16
#define TEXT_MAX 4096 /* path, authorization, head of an answer */

static const struct sim_conn_kind SIM_H2_STREAM;

/* How an answer's bytes are read. */
enum { AT_HEAD, AT_LENGTH, AT_SIZE, AT_CHUNK, AT_CHUNK_END, AT_TRAILER, AT_END };

struct h2_stream {
    struct sim_conn c; /* first; `in` is the request's body, `out` DATA that nghttp2 has not taken */
    struct sim_h2 *h;
    struct h2_stream *before, *next; /* of its connection */
    struct h2_stream *next_asked;    /* requests that came whole in the read under way */
    int32_t id;
    char method[16];
    struct buf path, authorization, head;
    uint8_t at;
    uint64_t left;
    bool probe;
    bool over; /* nghttp2 may end the stream when `out` is empty */
    bool gone; /* … and has, while the answer was being written: closed when that is done */
};

struct sim_h2 {
    struct sim_server *v;
    struct sim_conn *carrier;
    nghttp2_session *session;
    struct h2_stream *streams, *asked, **last_asked;
    struct buf out;
    uint32_t answers;
    bool reading, leaving;
    bool held; /* nothing is sent yet: --late-settings */
};

/* -1: the connection is closed, and h gone with it, or to be closed. What is needed afterwards is kept before. */
static int flush(struct sim_h2 *h)
{
    const uint8_t *bytes;
    ssize_t n;
    if (h->reading || h->held || h->carrier->closing) return 0;
    buf_reset(&h->out);
    while ((n = nghttp2_session_mem_send(h->session, &bytes)) > 0)
        buf_put(&h->out, bytes, (size_t)n);
    if (n < 0 || h->out.bad) return -1;
    return h->out.len ? sim_conn_send(h->v, h->carrier, h->out.data, h->out.len) : 0;
}

/* ---- requests in ---- */

static int on_begin(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct sim_h2 *h = user;
    if (frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
    struct h2_stream *s = calloc(1, sizeof *s);
    if (!s || sim_conn_open(h->v, &s->c, -1)) {
        free(s);
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    s->c.kind = &SIM_H2_STREAM;
    s->c.carrier = h->carrier;
    s->c.number = h->carrier->number;
    s->h = h;
    s->id = frame->hd.stream_id;
    s->path = s->authorization = s->head = (struct buf)BUF_INIT(TEXT_MAX);
    s->next = h->streams;
    if (s->next) s->next->before = s;
    h->streams = s;
    (void)nghttp2_session_set_stream_user_data(session, s->id, s);
    return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_n,
                     const uint8_t *value, size_t n, uint8_t flags, void *user)
{
    struct h2_stream *s = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    (void)flags, (void)user;
    if (!s) return 0;
    if (name_n == 7 && memcmp(name, ":method", 7) == 0 && n < sizeof s->method)
        memcpy(s->method, value, n);
    else if (name_n == 5 && memcmp(name, ":path", 5) == 0)
        buf_put(&s->path, value, n);
    else if (name_n == 13 && memcmp(name, "authorization", 13) == 0)
        buf_put(&s->authorization, value, n);
    else if (name_n == 15 && memcmp(name, "x-plateau-probe", 15) == 0)
        s->probe = true;
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *bytes, size_t n, void *user)
{
    struct h2_stream *s = nghttp2_session_get_stream_user_data(session, id);
    (void)flags, (void)user;
    if (s && buf_put(&s->c.in, bytes, n)) return nghttp2_submit_rst_stream(session, 0, id, NGHTTP2_REFUSED_STREAM);
    return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct sim_h2 *h = user;
    bool head = frame->hd.type == NGHTTP2_HEADERS;
    if (!head && frame->hd.type != NGHTTP2_DATA) return 0;
    if (h->v->o->answer_early ? !head : !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM)) return 0;
    struct h2_stream *s = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    if (!s) return 0;
    *h->last_asked = s;
    h->last_asked = &s->next_asked;
    return 0;
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t code, void *user)
{
    struct sim_h2 *h = user;
    struct h2_stream *s = nghttp2_session_get_stream_user_data(session, id);
    (void)code;
    if (!s) return 0;
    for (struct h2_stream **at = &h->asked; *at; at = &(*at)->next_asked)
        if (*at == s) {
            *at = s->next_asked;
            if (h->last_asked == &s->next_asked) h->last_asked = at;
            break;
        }
    if (h->reading || !s->over)
        sim_conn_close(h->v, &s->c, "client-closed");
    else
        s->gone = true;
    return 0;
}

static void answer(struct sim_h2 *h, struct h2_stream *s, int64_t received)
{
    const char *path = buf_str(&s->path);
    struct sim_request r = {.method = {s->method, strlen(s->method)},
                            .path = {path, strcspn(path, "?")},
                            .authorization = {buf_str(&s->authorization), s->authorization.len},
                            .body = {buf_str(&s->c.in), s->c.in.len},
                            .probe = s->probe,
                            .keep_alive = true};
    s->c.arrived = h->carrier->arrived;
    sim_route(h->v, &s->c, &r, received);
    if (!s->c.dead) buf_clear(&s->c.in);
}

int sim_h2_feed(struct sim_h2 *h, const void *bytes, size_t n, int64_t received)
{
    struct sim_conn *carrier = h->carrier;
    h->reading = true;
    ssize_t used = nghttp2_session_mem_recv(h->session, bytes, n);
    h->reading = false;
    while (h->asked) {
        struct h2_stream *s = h->asked;
        h->asked = s->next_asked;
        if (!h->asked) h->last_asked = &h->asked;
        answer(h, s, received);
        if (carrier->dead) return 0; /* and h is gone */
    }
    if (used < 0 || flush(h)) return -1;
    if (carrier->dead) return 0;
    return nghttp2_session_want_read(h->session) || nghttp2_session_want_write(h->session) ? 0 : 1;
}

/* ---- answers out ---- */

static ssize_t on_body(nghttp2_session *session, int32_t id, uint8_t *to, size_t n, uint32_t *flags,
                       nghttp2_data_source *source, void *user)
{
    struct h2_stream *s = nghttp2_session_get_stream_user_data(session, id);
    (void)source, (void)user;
    if (!s) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    struct buf *out = &s->c.out;
    size_t left = out->len - s->c.out_at;
    if (n > left) n = left;
    if (n) memcpy(to, out->data + s->c.out_at, n);
    s->c.out_at += n;
    if (s->c.out_at == out->len) {
        buf_reset(out);
        s->c.out_at = 0;
        if (s->over) {
            *flags |= NGHTTP2_DATA_FLAG_EOF;
            if (s->h->v->o->reset_end) {
                *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
                (void)nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, id, NGHTTP2_NO_ERROR);
            }
        } else if (n == 0)
            return NGHTTP2_ERR_DEFERRED;
    }
    return (ssize_t)n;
}

/* The head is whole, without its empty line: its lines become fields. */
static int submit_head(struct h2_stream *s)
{
    nghttp2_nv fields[FIELDS_MAX];
    nghttp2_data_provider body = {.read_callback = on_body};
    char *line = (char *)s->head.data, *end, status[4] = "";
    size_t n = 1;
    (void)snprintf(status, sizeof status, "%.3s", line + strlen("HTTP/1.1 "));
    fields[0] = (nghttp2_nv){(uint8_t *)(uintptr_t) ":status", (uint8_t *)status, 7, 3, 0};
    s->at = AT_END;
    for (line = strstr(line, "\r\n"); line && n < FIELDS_MAX; line = end) {
        line += 2;
        if ((end = strstr(line, "\r\n"))) *end = '\0';
        char *colon = strstr(line, ": ");
        if (!colon) continue;
        size_t name = (size_t)(colon - line), value = strlen(colon + 2);
        if (strncmp(line, "connection:", 11) == 0) continue; /* of HTTP/1.1 only */
        if (strncmp(line, "transfer-encoding:", 18) == 0) {
            s->at = AT_SIZE;
            continue;
        }
        if (strncmp(line, "content-length:", 15) == 0) {
            s->left = strtoull(colon + 2, NULL, 10);
            s->at = s->left ? AT_LENGTH : AT_END;
        }
        fields[n++] = (nghttp2_nv){(uint8_t *)line, (uint8_t *)(colon + 2), name, value, 0};
    }
    s->over = s->at == AT_END;
    size_t more = s->h->v->o->head_bytes;
    char *padding = more && n < FIELDS_MAX ? malloc(more) : NULL;
    if (padding) {
        memset(padding, 'x', more);
        fields[n++] = (nghttp2_nv){(uint8_t *)(uintptr_t) "x-padding", (uint8_t *)padding, 9, more, 0};
    }
    int rc = nghttp2_submit_response(s->h->session, s->id, fields, n, &body);
    free(padding);
    return rc;
}

/* One byte of what stands between heads, chunks and bodies. */
static int take_byte(struct h2_stream *s, char c)
{
    struct buf *head = &s->head;
    if (buf_putc(head, c)) return -1;
    size_t n = head->len;
    if (s->at == AT_HEAD) {
        if (n < 4 || memcmp(head->data + n - 4, "\r\n\r\n", 4) != 0) return 0;
        int rc = submit_head(s);
        buf_reset(head);
        return rc;
    }
    if (n < 2 || memcmp(head->data + n - 2, "\r\n", 2) != 0) return 0;
    if (s->at == AT_SIZE) {
        s->left = strtoull(buf_str(head), NULL, 16);
        s->at = s->left ? AT_CHUNK : AT_TRAILER;
    } else if (s->at == AT_CHUNK_END) {
        s->at = AT_SIZE;
    } else if (n == 2) { /* the trailer's empty line */
        s->at = AT_END;
        s->over = true;
    }
    buf_reset(head);
    return 0;
}

/* What stands between two chunks, where it lies whole there: how many bytes it has. 0: it is taken byte by byte. */
static size_t take_between(struct h2_stream *s, const char *p, size_t n)
{
    const char *lf = s->head.len == 0 ? memchr(p, '\n', n < 10 ? n : 10) : NULL;
    if (!lf || lf == p || lf[-1] != '\r') return 0;
    if (s->at == AT_CHUNK_END && lf == p + 1) {
        s->at = AT_SIZE;
    } else if (s->at == AT_SIZE) {
        s->left = strtoull(p, NULL, 16);
        s->at = s->left ? AT_CHUNK : AT_TRAILER;
    } else {
        return 0;
    }
    return (size_t)(lf + 1 - p);
}

static void stream_reset(struct sim_conn *c)
{
    struct h2_stream *s = (struct h2_stream *)c;
    struct sim_h2 *h = s->h;
    (void)nghttp2_submit_rst_stream(h->session, NGHTTP2_FLAG_NONE, s->id, h->v->o->reset_code);
    sim_conn_close(h->v, c, "reset");
    (void)flush(h);
}

static int stream_send(struct sim_conn *c, const void *bytes, size_t n)
{
    struct h2_stream *s = (struct h2_stream *)c;
    struct sim_h2 *h = s->h;
    const char *p = bytes;
    for (size_t i = 0; i < n;) {
        bool bad = s->at == AT_END, body = s->at == AT_LENGTH || s->at == AT_CHUNK;
        size_t piece = body || bad ? 0 : take_between(s, p + i, n - i);
        if (piece > 0) {
            i += piece;
            continue;
        }
        piece = !body ? 1 : n - i < s->left ? n - i : (size_t)s->left;
        if (bad || (body ? buf_put(&c->out, p + i, piece) : take_byte(s, p[i]))) {
            stream_reset(c);
            return -1;
        }
        i += piece;
        if (!body) continue;
        s->left -= piece;
        if (s->left > 0) continue;
        s->over = s->at == AT_LENGTH;
        s->at = s->at == AT_LENGTH ? AT_END : AT_CHUNK_END;
    }
    (void)nghttp2_session_resume_data(h->session, s->id);
    struct sim_server *v = h->v;
    if (flush(h)) sim_conn_close(v, c->carrier, "client-closed");
    return c->dead ? -1 : 0;
}

static void stream_finish(struct sim_conn *c)
{
    struct h2_stream *s = (struct h2_stream *)c;
    struct sim_server *v = s->h->v;
    s->over = true;
    (void)nghttp2_session_resume_data(s->h->session, s->id);
    (void)flush(s->h);
    if (s->gone) sim_conn_close(v, c, "client-closed");
}

static void stream_answered(struct sim_conn *c)
{
    struct h2_stream *s = (struct h2_stream *)c;
    struct sim_h2 *h = s->h;
    uint32_t most = h->v->o->close_after;
    if (s->gone) sim_conn_close(h->v, c, "client-closed");
    if (++h->answers == h->v->o->drop_after) {
        sim_conn_finish(h->v, h->carrier);
        return;
    }
    if (!most || ++h->carrier->responses < most || h->leaving) return;
    h->leaving = true;
    int32_t last = nghttp2_session_get_last_proc_stream_id(h->session);
    (void)nghttp2_submit_goaway(h->session, NGHTTP2_FLAG_NONE, last, NGHTTP2_NO_ERROR, NULL, 0);
    (void)flush(h);
}

static void stream_closed(struct sim_conn *c)
{
    struct h2_stream *s = (struct h2_stream *)c;
    if (s->before)
        s->before->next = s->next;
    else
        s->h->streams = s->next;
    if (s->next) s->next->before = s->before;
    (void)nghttp2_session_set_stream_user_data(s->h->session, s->id, NULL);
    buf_clear(&s->path);
    buf_clear(&s->authorization);
    buf_clear(&s->head);
}

static const struct sim_conn_kind SIM_H2_STREAM = {.send = stream_send,
                                                   .finish = stream_finish,
                                                   .reset = stream_reset,
                                                   .answered = stream_answered,
                                                   .closed = stream_closed};

/* ---- a connection ---- */

static void h2_destroy(struct sim_h2 **ph)
{
    struct sim_h2 *h = *ph;
    if (!h) return;
    while (h->streams)
        sim_conn_close(h->v, &h->streams->c, "client-closed");
    nghttp2_session_del(h->session);
    buf_clear(&h->out);
    free(h);
    *ph = NULL;
}

static void carrier_closed(struct sim_conn *c)
{
    h2_destroy(&c->h2);
}

static void carrier_due(struct sim_conn *c)
{
    struct sim_server *v = c->h2->v;
    c->h2->held = false;
    if (flush(c->h2)) sim_conn_close(v, c, "client-closed");
}

static const struct sim_conn_kind SIM_H2_CARRIER = {.due = carrier_due, .closed = carrier_closed};

static struct sim_h2 *h2_new(struct sim_server *v, struct sim_conn *carrier)
{
    struct sim_h2 *h = calloc(1, sizeof *h);
    nghttp2_session_callbacks *calls = NULL;
    nghttp2_option *options = NULL;
    const bool early = v->o->answer_early; /* bodies end at the windows that there are at first */
    const nghttp2_settings_entry ours[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, v->o->max_streams ? v->o->max_streams : 1u << 20},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, SIM_BODY_MAX}};
    if (!h || nghttp2_session_callbacks_new(&calls) != 0 || nghttp2_option_new(&options) != 0) {
        nghttp2_session_callbacks_del(calls);
        free(h);
        return NULL;
    }
    nghttp2_option_set_no_auto_window_update(options, early);
    h->v = v;
    h->carrier = carrier;
    h->last_asked = &h->asked;
    h->out = (struct buf)BUF_INIT(SIM_OUT_MAX);
    nghttp2_session_callbacks_set_on_begin_headers_callback(calls, on_begin);
    nghttp2_session_callbacks_set_on_header_callback(calls, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(calls, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(calls, on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(calls, on_close);
    int rc = nghttp2_session_server_new2(&h->session, calls, h, options);
    nghttp2_session_callbacks_del(calls);
    nghttp2_option_del(options);
    if (rc == 0) rc = nghttp2_submit_settings(h->session, NGHTTP2_FLAG_NONE, ours, early ? 1 : 2);
    if (rc == 0 && !early) rc = nghttp2_session_set_local_window_size(h->session, NGHTTP2_FLAG_NONE, 0, 1 << 30);
    if (rc != 0) h2_destroy(&h);
    return h;
}

int sim_h2_open(struct sim_server *v, struct sim_conn *carrier)
{
    carrier->kind = &SIM_H2_CARRIER;
    carrier->h2 = h2_new(v, carrier);
    if (!carrier->h2) return -1;
    carrier->h2->held = v->o->late_settings > 0;
    if (carrier->h2->held) sim_timer_set(&v->timers, &carrier->token_timer, clock_mono_ns() + v->o->late_settings);
    return 0;
}
