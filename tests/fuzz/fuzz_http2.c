/* Any bytes of an HTTP/2 server: each request ends once, none is heard of afterwards, no socket is left. The kind runs
 * as it does in an agent, over a socket pair; the guard forbids connections in place of one that ends.
 *
 * The first byte of an input says what is done, see DO_…; the others are the server's. */
#include <nghttp2/nghttp2.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/transport/kind_http2.h"
#include "common/clock.h"
#include "tests/fuzz/fuzz_seed.h"
#include "tests/fuzz/fuzz_util.h"

#define DO_SETTINGS 1u /* the server's SETTINGS are not in the input: requests are open when it begins */
#define DO_ABORT 2u    /* a request is taken back half way */
#define DO_LONG 4u     /* long requests */
#define DO_FULL 8u     /* nobody reads them until the input has ended */
#define DO_MORE 16u    /* requests that end are followed by others */
enum { REQUESTS = 5, MORE = 8, LONG = 300000 };

static struct target *target;
static struct guard nobody;
static uint8_t zeros[LONG];
static const struct payload long_body = {.text = {.data = zeros, .len = LONG}},
                            short_body = {.text = {.data = zeros, .len = 40}};
static struct http2_case {
    struct transport t;
    struct transfer x[REQUESTS + MORE];
    unsigned n, begun[REQUESTS + MORE];
    bool ended[REQUESTS + MORE], more;
} now;

static unsigned index_of(const struct transfer *x)
{
    unsigned i = (unsigned)(x - now.x);
    MUST(i < now.n && !now.ended[i]);
    return i;
}

static void on_bytes(struct transfer *x, const char *bytes, size_t n, int64_t arrival)
{
    MUST(now.begun[index_of(x)] > 0 && n > 0 && arrival > 0 && x->status >= 200 && x->status <= 299);
    MUST(bytes[0] == bytes[0] && bytes[n - 1] == bytes[n - 1]); /* readable */
}

static void on_other(struct transfer *x, const char *bytes, size_t n)
{
    MUST(now.begun[index_of(x)] > 0 && n > 0 && bytes[n - 1] == bytes[n - 1]);
    MUST(x->status < 200 || x->status > 299);
}

static void on_header(struct transfer *x, const char *name, size_t name_n, const char *value, size_t value_n)
{
    (void)index_of(x);
    MUST(name && value && name_n + value_n <= 65536);
}

static void on_writing(struct transfer *x)
{
    now.begun[index_of(x)]++;
}

static void on_end(struct transfer *x, enum transport_end how, int64_t arrival)
{
    MUST(how != END_COMPLETE || x->status >= 200);
    MUST(!x->open && arrival > 0);
    now.ended[index_of(x)] = true;
}

static const struct transport_calls CALLS = {
    .bytes = on_bytes, .other_bytes = on_other, .header = on_header, .writing = on_writing, .end = on_end};

static void begin_one(bool is_long)
{
    struct transfer *x = &now.x[now.n++];
    transfer_init(x, &now.t, NULL, 0);
    transport_start(&now.t, x, is_long ? &long_body : &short_body);
}

static void turn(int epoll)
{
    struct epoll_event ev[4];
    int n = epoll_wait(epoll, ev, 4, 0);
    for (int i = 0; i < n; i++)
        transport_ready(&now.t, ev[i].data.u64, ev[i].events, clock_mono_ns());
    transport_tick(&now.t, clock_mono_ns());
}

static void drain(int fd)
{
    static char bytes[1 << 16];
    while (recv(fd, bytes, sizeof bytes, MSG_DONTWAIT) > 0) {
    }
}

/* The server's bytes, split anyhow. */
static void tell(int epoll, int server, const uint8_t *data, size_t size, uint8_t what)
{
    struct rng r;
    split_seed(&r, data, size, what);
    for (size_t at = 0, n; at < size; at += n) {
        n = what & DO_FULL ? size - at : split_next(&r, size - at);
        ssize_t sent = send(server, data + at, n, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0) return;
        n = (size_t)sent;
        if (!(what & DO_FULL)) drain(server);
        turn(epoll);
        if ((what & DO_ABORT) && at > size / 2 && now.x[1].open) transport_abort(&now.x[1]), now.ended[1] = true;
        if ((what & DO_MORE) && now.n < REQUESTS + MORE && now.ended[now.n % REQUESTS]) begin_one(false);
    }
}

static void carry(const uint8_t *data, size_t size, uint8_t what)
{
    static const uint8_t SETTINGS[9] = {0, 0, 0, NGHTTP2_SETTINGS};
    int pair[2], epoll = epoll_create1(EPOLL_CLOEXEC);
    struct transport_options o = {.kind = &KIND_HTTP2, .epoll = epoll};
    MUST(epoll >= 0 && socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0);
    memset(&now, 0, sizeof now);
    MUST(transport_init(&now.t, target, &CALLS, &o, NULL) == 0);
    transport_adopt(&now.t, (struct warm_socket){.fd = pair[0], .tcp_ns = -1, .tls_ns = -1});
    if (what & DO_SETTINGS) {
        MUST(send(pair[1], SETTINGS, sizeof SETTINGS, 0) == sizeof SETTINGS);
        turn(epoll);
        for (int i = 0; i < REQUESTS; i++)
            begin_one(what & DO_LONG);
    }
    tell(epoll, pair[1], data, size, what);
    drain(pair[1]);
    turn(epoll);
    close(pair[1]);
    for (int i = 0; i < 8; i++) /* a TCP socket would say the same again and again */
        turn(epoll);
    for (unsigned i = 0; i < now.n; i++) {
        MUST(now.ended[i] == !now.x[i].open);
        MUST(now.ended[i]);
        transfer_clear(&now.x[i]);
    }
    MUST(now.t.sockets == 0);
    transport_clear(&now.t);
    close(epoll);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 0) carry(data + 1, size - 1, data[0]);
    return 0;
}

/* ---- seeds: what a server by nghttp2 sends ---- */

struct script {
    uint8_t what;
    const char *status;
    uint32_t reset; /* plus 1; 0: none */
    bool goaway, trailer, ping, settings, update;
    size_t head; /* bytes of another header */
};
static const struct script SCRIPTS[] = {
    {DO_SETTINGS, "200", 0, .trailer = true},
    {DO_SETTINGS | DO_MORE, "200", 0, .ping = true, .settings = true},
    {DO_SETTINGS | DO_ABORT, "200", 0, .goaway = true},
    {DO_SETTINGS | DO_LONG, "429", 1 + NGHTTP2_REFUSED_STREAM, .update = true},
    {DO_SETTINGS | DO_LONG | DO_FULL, "200", 1 + NGHTTP2_NO_ERROR, .update = true, .settings = true},
    {DO_SETTINGS, "103", 1 + NGHTTP2_HTTP_1_1_REQUIRED, .goaway = true, .ping = true},
    {DO_SETTINGS | DO_MORE, "200", 0, .head = 20000},
    {0, "200", 0, .settings = true},
};

static ssize_t body(nghttp2_session *s, int32_t id, uint8_t *to, size_t n, uint32_t *flags, nghttp2_data_source *source,
                    void *user)
{
    static const char EVENT[] = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\ndata: [DONE]\n\n";
    const struct script *c = user;
    nghttp2_nv end = {(uint8_t *)(uintptr_t) "x-end", (uint8_t *)(uintptr_t) "1", 5, 1, 0};
    (void)source;
    MUST(n >= sizeof EVENT);
    memcpy(to, EVENT, sizeof EVENT - 1);
    *flags |= NGHTTP2_DATA_FLAG_EOF | (c->trailer ? NGHTTP2_DATA_FLAG_NO_END_STREAM : 0);
    if (c->trailer) MUST(nghttp2_submit_trailer(s, id, &end, 1) == 0);
    return sizeof EVENT - 1;
}

/* What a client says, so that the server knows streams 1 to 9. */
static void introduce(nghttp2_session *server)
{
    nghttp2_session_callbacks *none;
    nghttp2_session *client;
    nghttp2_nv post[] = {{(uint8_t *)(uintptr_t) ":method", (uint8_t *)(uintptr_t) "GET", 7, 3, 0},
                         {(uint8_t *)(uintptr_t) ":scheme", (uint8_t *)(uintptr_t) "http", 7, 4, 0},
                         {(uint8_t *)(uintptr_t) ":authority", (uint8_t *)(uintptr_t) "a", 10, 1, 0},
                         {(uint8_t *)(uintptr_t) ":path", (uint8_t *)(uintptr_t) "/", 5, 1, 0}};
    const uint8_t *bytes;
    ssize_t n;
    MUST(nghttp2_session_callbacks_new(&none) == 0 && nghttp2_session_client_new(&client, none, NULL) == 0);
    MUST(nghttp2_submit_settings(client, 0, NULL, 0) == 0);
    for (int i = 0; i < REQUESTS; i++)
        MUST(nghttp2_submit_request(client, NULL, post, 4, NULL, NULL) > 0);
    while ((n = nghttp2_session_mem_send(client, &bytes)) > 0)
        MUST(nghttp2_session_mem_recv(server, bytes, (size_t)n) == n);
    nghttp2_session_del(client);
    nghttp2_session_callbacks_del(none);
}

static void answer(nghttp2_session *s, const struct script *c, int32_t id, char *filler)
{
    nghttp2_data_provider provider = {.read_callback = body};
    nghttp2_nv head[] = {{(uint8_t *)(uintptr_t) ":status", (uint8_t *)(uintptr_t)c->status, 7, 3, 0},
                         {(uint8_t *)(uintptr_t) "x-long", (uint8_t *)filler, 6, c->head, 0}};
    if (c->status[0] == '1') {
        MUST(nghttp2_submit_headers(s, 0, id, NULL, head, 1, NULL) == 0);
        head[0].value = (uint8_t *)(uintptr_t) "200";
    }
    MUST(nghttp2_submit_response(s, id, head, c->head ? 2 : 1, &provider) == 0);
}

static void write_seed(int number)
{
    const struct script *c = &SCRIPTS[number];
    static uint8_t out[1 << 18];
    static char filler[1 << 16];
    nghttp2_session_callbacks *none;
    nghttp2_session *s;
    nghttp2_settings_entry e[] = {{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 6},
                                  {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 100000}};
    const uint8_t *bytes;
    size_t used = 0;
    ssize_t n;
    memset(filler, 'x', sizeof filler);
    out[used++] = c->what;
    MUST(nghttp2_session_callbacks_new(&none) == 0 && nghttp2_session_server_new(&s, none, (void *)(uintptr_t)c) == 0);
    if (c->settings) MUST(nghttp2_submit_settings(s, 0, e, 2) == 0);
    introduce(s);
    if (c->ping) MUST(nghttp2_submit_ping(s, 0, NULL) == 0);
    for (int32_t id = 1; id < 2 * REQUESTS; id += 2) {
        if (c->update) MUST(nghttp2_submit_window_update(s, 0, id, 65536) == 0);
        answer(s, c, id, filler);
        if (c->goaway && id == 5) MUST(nghttp2_submit_goaway(s, 0, id, NGHTTP2_NO_ERROR, NULL, 0) == 0);
    }
    while ((n = nghttp2_session_mem_send(s, &bytes)) > 0 && used + (size_t)n < sizeof out) {
        memcpy(out + used, bytes, (size_t)n);
        used += (size_t)n;
        if (c->reset && used > 200 && used < 400) (void)nghttp2_submit_rst_stream(s, 0, 3, c->reset - 1);
    }
    fuzz_seed(number, out, used);
    nghttp2_session_del(s);
    nghttp2_session_callbacks_del(none);
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static const char PLAN[] =
        "plan: 1\ntarget: {url: \"http://127.0.0.1:1/v1/chat/completions\", model: m, http: \"2\", "
        "streams_per_connection: 8}\nload: {concurrency: 1, requests: 1}\n";
    static struct resolver resolver;
    struct err e = {0};
    (void)argc, (void)argv;
    struct plan *p = plan_load("fuzz", PLAN, sizeof PLAN - 1, NULL, 0, &e);
    MUST(p && target_new(&p->target, &nobody, &resolver, &target, &e) == 0);
    MUST(guard_allow(&target->guard, "10.0.0.0/8", &e) == 0);
    for (size_t i = 0; i < sizeof SCRIPTS / sizeof *SCRIPTS; i++)
        write_seed((int)i);
    return 0;
}
