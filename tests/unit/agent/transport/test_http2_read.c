/* Data of HTTP/2 that passes nghttp2 by: wherever a read's end cuts the frames, each stream gets its bytes, and the
 * windows stay open. The server is nghttp2 in memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/transport/http2_read.h"
#include "agent/transport/kind_http2.h"
#include "common/clock.h"
#include "tests/unit/tcp_pair.h"

enum { STREAMS = 3 };

static struct target *target;
static struct answer {
    struct transfer x;
    char text[4096]; /* the beginning */
    uint64_t n;
    int64_t first, last; /* when bytes came */
    bool ended;
    enum transport_end how;
    int64_t over; /* when the end came */
} answers[STREAMS];

static void on_bytes(struct transfer *x, const char *bytes, size_t n, int64_t arrival)
{
    struct answer *a = x->owner;
    assert_true(n > 0 && arrival > 0 && !a->ended);
    for (size_t i = 0; i < n && a->n + i < sizeof a->text; i++)
        a->text[a->n + i] = bytes[i];
    if (a->n == 0) a->first = arrival;
    a->last = arrival;
    a->n += n;
}

static void on_writing(struct transfer *x)
{
    assert_true(x->open);
}

static void on_end(struct transfer *x, enum transport_end how, int64_t arrival)
{
    struct answer *a = x->owner;
    assert_true(arrival > 0 && !a->ended);
    a->ended = true;
    a->how = how;
    a->over = arrival;
}

static const struct transport_calls CALLS = {.bytes = on_bytes, .writing = on_writing, .end = on_end};

/* ---- the server ---- */

struct world {
    struct transport t;
    struct payload body;
    int epoll, here, there;
    nghttp2_session *server;
    uint64_t left[STREAMS]; /* what each stream still has to say */
    uint8_t *out;           /* what the server has sent, and nobody has read */
    size_t out_n, out_cap;
};

static ssize_t body(nghttp2_session *s, int32_t id, uint8_t *to, size_t n, uint32_t *flags, nghttp2_data_source *source,
                    void *user)
{
    struct world *w = user;
    size_t i = (size_t)id / 2;
    (void)s, (void)source;
    if (n > w->left[i]) n = w->left[i];
    if (n > 700 && w->left[i] < 100000) n = 700; /* short answers in many frames */
    memset(to, 'a' + (int)i + (int)(w->left[i] % 7), n);
    w->left[i] -= n;
    if (w->left[i] == 0) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)n;
}

static int on_frame(nghttp2_session *s, const nghttp2_frame *frame, void *user)
{
    const nghttp2_data_provider provider = {.read_callback = body};
    nghttp2_nv head = {(uint8_t *)(uintptr_t) ":status", (uint8_t *)(uintptr_t) "200", 7, 3, 0};
    (void)user;
    if (frame->hd.type == NGHTTP2_HEADERS)
        assert_int_equal(nghttp2_submit_response(s, frame->hd.stream_id, &head, 1, &provider), 0);
    return 0;
}

static void server_hears(struct world *w)
{
    static uint8_t bytes[1 << 16];
    for (ssize_t n; (n = recv(w->there, bytes, sizeof bytes, MSG_DONTWAIT)) > 0;)
        assert_int_equal(nghttp2_session_mem_recv(w->server, bytes, (size_t)n), n);
}

/* What the server has to say now, up to `most` bytes or a little more. */
static void server_says(struct world *w, size_t most)
{
    const uint8_t *bytes;
    ssize_t n;
    while (w->out_n < most && (n = nghttp2_session_mem_send(w->server, &bytes)) > 0) {
        if (w->out_n + (size_t)n > w->out_cap) {
            w->out_cap = 2 * (w->out_n + (size_t)n);
            w->out = realloc(w->out, w->out_cap);
            assert_non_null(w->out);
        }
        memcpy(w->out + w->out_n, bytes, (size_t)n);
        w->out_n += (size_t)n;
    }
}

static void turn(struct world *w)
{
    struct epoll_event ev[4];
    int n = epoll_wait(w->epoll, ev, 4, 0);
    for (int i = 0; i < n; i++)
        transport_ready(&w->t, ev[i].data.u64, ev[i].events, clock_mono_ns());
}

/* So many of those bytes are read, in one read. */
static void pass(struct world *w, size_t from, size_t n)
{
    assert_int_equal(send(w->there, w->out + from, n, MSG_DONTWAIT | MSG_NOSIGNAL), n);
    turn(w);
}

static void world_open(struct world *w, const uint64_t *bytes, bool tcp)
{
    const nghttp2_settings_entry ours = {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 100};
    int ends[2];
    nghttp2_session_callbacks *calls;
    *w = (struct world){.body = PAYLOAD_INIT(16), .epoll = epoll_create1(EPOLL_CLOEXEC)};
    struct transport_options o = {.kind = &KIND_HTTP2, .epoll = w->epoll, .stamps = tcp};
    (void)buf_puts(&w->body.text, "{}");
    memset(answers, 0, sizeof answers);
    if (tcp)
        tcp_pair(ends);
    else
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    if (tcp) assert_int_equal(stamp_enable(ends[0]), 0);
    w->here = ends[0];
    w->there = ends[1];
    assert_int_equal(nghttp2_session_callbacks_new(&calls), 0);
    nghttp2_session_callbacks_set_on_frame_recv_callback(calls, on_frame);
    assert_int_equal(nghttp2_session_server_new(&w->server, calls, w), 0);
    nghttp2_session_callbacks_del(calls);
    assert_int_equal(nghttp2_submit_settings(w->server, 0, &ours, 1), 0);
    assert_int_equal(transport_init(&w->t, target, &CALLS, &o, NULL), 0);
    transport_adopt(&w->t, (struct warm_socket){.fd = w->here, .tcp_ns = -1, .tls_ns = -1});
    server_hears(w);
    server_says(w, SIZE_MAX);
    pass(w, 0, w->out_n);
    w->out_n = 0;
    for (int i = 0; i < STREAMS; i++) {
        w->left[i] = bytes[i];
        transfer_init(&answers[i].x, &w->t, &answers[i], 0);
        if (bytes[i]) transport_start(&w->t, &answers[i].x, &w->body);
    }
    server_hears(w);
}

static void world_init(struct world *w, const uint64_t *bytes)
{
    world_open(w, bytes, false);
}

static void world_clear(struct world *w)
{
    for (int i = 0; i < STREAMS; i++)
        transfer_clear(&answers[i].x);
    transport_clear(&w->t);
    payload_clear(&w->body);
    nghttp2_session_del(w->server);
    if (w->there >= 0) close(w->there);
    close(w->epoll);
    free(w->out);
}

static void expect_answers(const uint64_t *bytes)
{
    for (int i = 0; i < STREAMS; i++) {
        assert_true(answers[i].ended);
        assert_int_equal(answers[i].how, END_COMPLETE);
        assert_int_equal(answers[i].n, bytes[i]);
        for (uint64_t left = bytes[i], n; left > 0; left -= n) { /* as `body` has made it */
            n = left < 700 ? left : 700;
            assert_int_equal(answers[i].text[bytes[i] - left], 'a' + i + (int)(left % 7));
            assert_int_equal(answers[i].text[bytes[i] - left + n - 1], 'a' + i + (int)(left % 7));
        }
    }
}

/* Two reads, parted at every byte; then a read for each byte. */
static void test_cuts(void **state)
{
    (void)state;
    static const uint64_t BYTES[STREAMS] = {2100, 1, 1500};
    size_t all = 1;
    for (size_t cut = 0; cut <= all; cut++) {
        struct world w;
        world_init(&w, BYTES);
        server_says(&w, SIZE_MAX);
        all = w.out_n;
        if (cut > 0) pass(&w, 0, cut);
        if (cut < all) pass(&w, cut, all - cut);
        expect_answers(BYTES);
        world_clear(&w);
    }
    struct world w;
    world_init(&w, BYTES);
    server_says(&w, SIZE_MAX);
    for (size_t i = 0; i < w.out_n; i++)
        pass(&w, i, 1);
    expect_answers(BYTES);
    world_clear(&w);
}

/* More than the windows of a stream and of its connection hold: the server never waits for room in them. */
static void test_windows(void **state)
{
    (void)state;
    static const uint64_t BYTES[STREAMS] = {UINT64_C(1300000000), UINT64_C(1300000000)};
    struct world w;
    int32_t least = INT32_MAX;
    world_init(&w, BYTES);
    while (!answers[0].ended || !answers[1].ended) {
        w.out_n = 0;
        server_says(&w, 60000);
        assert_true(w.out_n > 0);
        pass(&w, 0, w.out_n);
        server_hears(&w);
        int32_t window = nghttp2_session_get_remote_window_size(w.server);
        if (window < least) least = window;
        for (int32_t id = 1; id <= 3; id += 2)
            if (nghttp2_session_get_stream_remote_window_size(w.server, id) >= 0 &&
                nghttp2_session_get_stream_remote_window_size(w.server, id) < least)
                least = nghttp2_session_get_stream_remote_window_size(w.server, id);
    }
    assert_int_equal(answers[0].n, BYTES[0]);
    assert_int_equal(answers[1].n, BYTES[1]);
    assert_in_range(least, 1 << 27, 1 << 30);
    world_clear(&w);
}

/* A frame for each stream, sent some time after the other, and read together. */
static void test_moments(void **state)
{
    (void)state;
    static const uint64_t BYTES[STREAMS] = {600, 500, 400};
    struct world w;
    struct tcp_sent sent[STREAMS];
    int hold = stamp_hold();
    if (hold < 0) skip();
    for (int tries = 0, whole = 0; !whole; tries++) {
        size_t n = 0;
        assert_true(tries < TCP_TRIES);
        if (tries > 0) world_clear(&w);
        world_open(&w, BYTES, true);
        server_says(&w, SIZE_MAX);
        for (size_t at = 0, length; at < w.out_n; at += length) {
            const uint8_t *head = w.out + at;
            length = HTTP2_FRAME_HEAD + ((size_t)head[0] << 16 | (size_t)head[1] << 8 | head[2]);
            const int64_t from = clock_mono_ns();
            assert_int_equal(send(w.there, head, length, MSG_NOSIGNAL), length);
            if (head[3] == NGHTTP2_DATA && ++n) sent[head[8] / 2] = (struct tcp_sent){from, clock_mono_ns()};
            poll(NULL, 0, 2);
        }
        assert_int_equal(n, STREAMS);
        whole = tcp_unmerged(w.there, w.out_n);
    }
    turn(&w);
    assert_int_equal(w.t.counts.reads, 1);
    for (int i = 0; i < STREAMS; i++) {
        assert_true(answers[i].ended && answers[i].n == BYTES[i]);
        tcp_expect_sent(sent[i], answers[i].first);
        assert_true(answers[i].last == answers[i].first);
        assert_true(answers[i].over == answers[i].last);
    }
    world_clear(&w);
    close(hold);
}

/* Streams whose frames always come in one segment: after a while one in many reads asks for more than one stamp. */
static void test_alike(void **state)
{
    (void)state;
    static const uint64_t BYTES[STREAMS] = {90000, 90000, 90000};
    enum { APART = 2 * HTTP2_ALIKE_MAX };
    struct world w;
    int hold = stamp_hold(), asked = 0;
    if (hold < 0) skip();
    world_open(&w, BYTES, true);
    const struct http2_state *o = w.t.state;
    for (uint32_t i = 0; i < HTTP2_ALIKE_MAX; i++) {
        assert_int_equal(o->alike, i > 0 ? i : 0);
        w.out_n = 0;
        server_says(&w, 1000); /* two frames at least */
        pass(&w, 0, w.out_n);
    }
    assert_int_equal(o->alike, HTTP2_ALIKE_MAX);
    for (int i = 0; i < APART && o->alike > 0; i++) {
        w.out_n = 0;
        server_says(&w, 1000);
        const size_t first = HTTP2_FRAME_HEAD + 700;
        assert_int_equal(send(w.there, w.out, first, MSG_NOSIGNAL), first);
        pass(&w, first, w.out_n - first);
        asked += o->conns.parts.n > 0;
    }
    assert_int_equal(asked, 1); /* which was enough: its stamps differed */
    assert_int_equal(o->alike, 0);
    world_clear(&w);
    close(hold);
}

/* A connection breaks after a frame's head: the bytes count, and so does the reason. */
static void test_reset(void **state)
{
    (void)state;
    static const uint64_t BYTES[STREAMS] = {600, 500, 400};
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    struct world w;
    int hold = stamp_hold();
    if (hold < 0) skip();
    world_open(&w, BYTES, true);
    server_says(&w, SIZE_MAX);
    size_t last = w.out_n - 400;
    assert_int_equal(send(w.there, w.out, last, MSG_NOSIGNAL), last);
    assert_int_equal(setsockopt(w.there, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
    close(w.there);
    w.there = -1;
    poll(NULL, 0, 4);
    for (int i = 0; i < 4; i++)
        turn(&w);
    int whole = 0, reset = 0;
    for (int i = 0; i < STREAMS; i++) {
        assert_true(answers[i].ended);
        whole += answers[i].how == END_COMPLETE;
        reset += answers[i].how == END_RESET;
    }
    assert_int_equal(whole, STREAMS - 1);
    assert_int_equal(reset, 1);
    world_clear(&w);
    close(hold);
}

static int setup(void **state)
{
    static const char PLAN[] =
        "plan: 1\ntarget: {url: \"http://127.0.0.1:1/v1/chat/completions\", model: m, http: \"2\", "
        "streams_per_connection: 8}\nload: {concurrency: 1, requests: 1}\n";
    static struct resolver resolver;
    static struct guard nobody;
    struct err e = {0};
    (void)state;
    struct plan *p = *state = plan_load("test", PLAN, sizeof PLAN - 1, NULL, 0, &e);
    return p ? target_new(&p->target, &nobody, &resolver, &target, &e) : -1;
}

static int teardown(void **state)
{
    struct plan *p = *state;
    target_destroy(&target);
    plan_destroy(&p);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cuts), cmocka_unit_test(test_windows),
                                       cmocka_unit_test(test_moments), cmocka_unit_test(test_alike),
                                       cmocka_unit_test(test_reset)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
