/* HTTP/2 over TLS and in the clear, against a server that does exactly what a case wants: requests end under the labels
 * that they have over HTTP/1.1. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/engine.h"
#include "common/clock.h"
#include "tests/unit/h2_server.h"

struct expected {
    struct h2_script script;
    enum counter label;     /* of the requests that are not ok */
    unsigned ok;            /* of REQUESTS */
    unsigned not_processed; /* least number that is sent again */
    unsigned connections;   /* 0: any number */
    unsigned more;          /* … or so many more */
    const char *why;        /* the label's sample says so */
    unsigned input;
    uint32_t concurrency;
    uint32_t requests; /* 0: REQUESTS */
    bool held;         /* responses stay open after their end marker */
};
enum { REQUESTS = 12, STREAMS = 4 };

/* Of server-sent events all of this is legal and means nothing. */
#define H2_IGNORED "data:\n\ndata\n\n\nwhat: is this\nno colon here\nretry: x\n\n" H2_EVENTS
#define LONG_HEAD "data: {\"choices\":[{\"delta\":{\"content\":\"a\"},\"ids\":\""
static char long_comment[(1 << 20) + 200], long_event[(7 << 20) + 200], longest_event[(9 << 20) + 200];

/* `n` bytes between `head` and `tail`, and the usual events after them. */
static void fill(char *to, const char *head, size_t n, const char *tail)
{
    size_t at = strlen(head);
    memcpy(to, head, at);
    memset(to + at, 'x', n);
    at += n;
    memcpy(to + at, tail, strlen(tail) + 1);
}

static const struct expected CASES[] = {
    {.script = {.name = "good", .status = "200", .body = H2_EVENTS, .then = H2_END},
     .label = COUNTER_OK,
     .ok = REQUESTS,
     .connections = 1},
    {.script = {.name = "held open after the end marker", .status = "200", .body = H2_EVENTS, .then = H2_HANG},
     .label = COUNTER_OK,
     .ok = REQUESTS,
     .held = true},
    /* a slot is free at the end marker: when the trailer comes later, its stream still takes a place of the connection
     */
    {.script = {.name = "trailer", .status = "200", .body = H2_EVENTS, .then = H2_TRAILER},
     .label = COUNTER_OK,
     .ok = REQUESTS,
     .connections = 1,
     .more = 1},
    {.script = {.name = "interim", .status = "200", .body = H2_EVENTS, .then = H2_END, .interim = true},
     .label = COUNTER_OK,
     .ok = REQUESTS,
     .connections = 1},
    {.script = {.name = "ping", .status = "200", .body = H2_EVENTS, .then = H2_END, .ping = true},
     .label = COUNTER_OK,
     .ok = REQUESTS,
     .connections = 1},
    {.script = {.name = "a long body is taken", .status = "200", .body = H2_EVENTS, .then = H2_END},
     .label = COUNTER_OK,
     .ok = REQUESTS,
     .connections = 1,
     .input = 300000},
    {.script = {.name = "no end of the stream", .status = "200", .body = H2_HALF, .then = H2_END},
     .label = COUNTER_FAILED_TRUNCATED,
     .connections = 1},
    {.script = {.name = "no body at all", .status = "204", .body = NULL, .then = H2_END},
     .label = COUNTER_FAILED_EMPTY,
     .connections = 1},
    {.script = {.name = "429", .status = "429", .body = "slow down", .then = H2_END},
     .label = COUNTER_FAILED_HTTP_429,
     .connections = 1},
    {.script = {.name = "encoded", .status = "200", .body = "\x1f\x8b\x08", .then = H2_END, .encoded = true},
     .label = COUNTER_FAILED_MALFORMED,
     .connections = 1},
    {.script = {.name = "lines that the standard ignores", .status = "200", .body = H2_IGNORED, .then = H2_END},
     .label = COUNTER_OK,
     .ok = REQUESTS,
     .connections = 1},
    {.script = {.name = "a comment of 1 MB", .status = "200", .body = long_comment, .then = H2_END},
     .label = COUNTER_OK,
     .ok = REQUESTS,
     .connections = 1},
    {.script = {.name = "an event of 7 MB", .status = "200", .body = long_event, .then = H2_END},
     .label = COUNTER_OK,
     .ok = REQUESTS,
     .connections = 1},
    {.script = {.name = "an event of 9 MB", .status = "200", .body = longest_event, .then = H2_END},
     .label = COUNTER_FAILED_MALFORMED,
     .why = "an event of more than 8 MiB"},
    {.script = {.name = "a head of 40 KB", .status = "200", .body = H2_EVENTS, .then = H2_END, .head_bytes = 40000},
     .label = COUNTER_OK,
     .ok = REQUESTS,
     .connections = 1},
    /* all data are there: the end is of no matter */
    {.script = {.name = "reset after the end",
                .status = "200",
                .body = H2_EVENTS,
                .then = H2_END_RST,
                .code = NGHTTP2_NO_ERROR},
     .label = COUNTER_OK,
     .ok = REQUESTS,
     .connections = 1},
    {.script =
         {.name = "reset after [DONE]", .status = "200", .body = H2_EVENTS, .then = H2_RST, .code = NGHTTP2_NO_ERROR},
     .label = COUNTER_OK,
     .ok = REQUESTS,
     .connections = 1},
    {.script =
         {.name = "cancelled after [DONE]", .status = "200", .body = H2_EVENTS, .then = H2_RST, .code = NGHTTP2_CANCEL},
     .label = COUNTER_OK,
     .ok = REQUESTS,
     .connections = 1},
    {.script = {.name = "reset in the body",
                .status = "200",
                .body = H2_HALF,
                .then = H2_RST,
                .code = NGHTTP2_INTERNAL_ERROR},
     .label = COUNTER_FAILED_RESET,
     .connections = 1,
     .why = "INTERNAL_ERROR"},
    {.script = {.name = "refused", .status = NULL, .body = NULL, .then = H2_RST, .code = NGHTTP2_REFUSED_STREAM},
     .label = COUNTER_FAILED_RESET,
     .connections = 1,
     .why = "REFUSED_STREAM"},
    {.script = {.name = "HTTP/1.1 wanted", .then = H2_RST, .code = NGHTTP2_HTTP_1_1_REQUIRED},
     .label = COUNTER_FAILED_RESET,
     .connections = 1,
     .why = "HTTP_1_1_REQUIRED"},
    {.script = {.name = "a code of nobody", .then = H2_RST, .code = 0x4711},
     .label = COUNTER_FAILED_RESET,
     .connections = 1,
     .why = "unknown"},
    {.script = {.name = "calm", .status = NULL, .body = NULL, .then = H2_RST, .code = NGHTTP2_ENHANCE_YOUR_CALM},
     .label = COUNTER_FAILED_RESET,
     .connections = 1,
     .why = "ENHANCE_YOUR_CALM"},
    {.script = {.name = "data without a head", .status = NULL, .body = NULL, .then = H2_CLOSE},
     .label = COUNTER_FAILED_RESET},
    /* with several streams open, each of them ends at once */
    {.script = {.name = "closed in the body", .status = "200", .body = H2_HALF, .then = H2_CLOSE, .wait = 4},
     .label = COUNTER_FAILED_TRUNCATED,
     .why = "the connection was closed"},
    {.script = {.name = "closed without a word", .status = "200", .body = H2_HALF, .then = H2_CLOSE_BARE, .wait = 4},
     .label = COUNTER_FAILED_TRUNCATED},
    {.script = {.name = "broken in the body", .status = "200", .body = H2_HALF, .then = H2_BREAK, .wait = 4},
     .label = COUNTER_FAILED_RESET,
     .why = "the connection was reset"},
    /* GOAWAY: those above its last stream are sent again; no connection more than the server wants, but for one that is
     * made ahead when the last of all requests are under way */
    {.script = {.name = "renewed", .status = "200", .body = H2_EVENTS, .then = H2_END, .goaway_after = 2},
     .label = COUNTER_OK,
     .ok = REQUESTS,
     .not_processed = 1,
     .connections = REQUESTS / 2,
     .more = 1},
    {.script = {.name = "renewed after each", .status = "200", .body = H2_EVENTS, .then = H2_END, .goaway_after = 1},
     .label = COUNTER_OK,
     .ok = REQUESTS,
     .not_processed = 1,
     .connections = REQUESTS,
     .more = 1},
    {.script = {.name = "renewed one by one", .status = "200", .body = H2_EVENTS, .then = H2_END, .goaway_after = 3},
     .label = COUNTER_OK,
     .ok = REQUESTS,
     .connections = REQUESTS / 3,
     .more = 1,
     .concurrency = 1},
    {.script = {.name = "one of two is renewed",
                .status = "200",
                .body = H2_EVENTS,
                .then = H2_END,
                .goaway_after = 3,
                .goaway_first = true},
     .label = COUNTER_OK,
     .ok = REQUESTS,
     .connections = 2,
     .more = 1,
     .concurrency = STREAMS + 2},
    {.script = {.name = "renewed with notice",
                .status = "200",
                .body = H2_EVENTS,
                .then = H2_END,
                .goaway_after = 3,
                .goaway_twice = true},
     .label = COUNTER_OK,
     .ok = REQUESTS},
    {.script = {.name = "renewed without end", .status = "200", .body = H2_EVENTS, .goaway_at_once = true},
     .label = COUNTER_FAILED_RESET,
     .why = "GOAWAY again and again",
     .connections = 1,
     .more = 4 * REQUESTS},
    {.script = {.name = "sent away in anger",
                .status = "200",
                .body = H2_EVENTS,
                .then = H2_END,
                .goaway_after = 2,
                .goaway_code = NGHTTP2_ENHANCE_YOUR_CALM},
     .label = COUNTER_FAILED_RESET,
     .ok = UINT32_MAX,
     .why = "ENHANCE_YOUR_CALM"},
    {.script = {.name = "few streams", .status = "200", .body = H2_EVENTS, .then = H2_END, .max_streams = 2},
     .label = COUNTER_OK,
     .ok = REQUESTS,
     .connections = 2},
    {.script = {.name = "one stream", .status = "200", .body = H2_EVENTS, .then = H2_END, .max_streams = 1},
     .label = COUNTER_OK,
     .ok = REQUESTS,
     .connections = 4},
    {.script = {.name = "settings come late",
                .status = "200",
                .body = H2_EVENTS,
                .then = H2_END,
                .max_streams = 2,
                .late_settings_ms = 200},
     .label = COUNTER_OK,
     .ok = REQUESTS,
     .connections = 2},
    {.script = {.name = "no streams at first",
                .status = "200",
                .body = H2_EVENTS,
                .then = H2_END,
                .max_streams = 2,
                .no_streams_ms = 200},
     .label = COUNTER_OK,
     .ok = REQUESTS,
     .connections = 2},
    {.script = {.name = "fewer streams later", .status = "200", .body = H2_EVENTS, .then = H2_END, .lower_after = 3},
     .label = COUNTER_OK,
     .ok = REQUESTS},
    {.script = {.name = "windows come and go", .status = "200", .body = H2_EVENTS, .then = H2_END, .waves = true},
     .label = COUNTER_OK,
     .ok = REQUESTS,
     .connections = 1,
     .input = 300000},
    {.script = {.name = "a head of 100 KB in 10 headers",
                .status = "200",
                .body = H2_EVENTS,
                .then = H2_END,
                .head_bytes = 10000,
                .heads = 10},
     .label = COUNTER_FAILED_MALFORMED,
     .connections = 1,
     .why = "more than 64 KiB"},
    {.script = {.name = "a header of 70 KB", .status = "200", .body = H2_EVENTS, .then = H2_END, .head_bytes = 70000},
     .label = COUNTER_FAILED_MALFORMED,
     .why = "more than 64 KiB"},
    {.script =
         {.name = "answered before it was read", .status = "200", .body = H2_EVENTS, .then = H2_END, .early = true},
     .label = COUNTER_OK,
     .ok = REQUESTS,
     .connections = 1,
     .input = 300000},
};

static struct plan *plan_of(const struct h2_server *s, const struct expected *x, const char *http)
{
    char yaml[1024];
    struct err e = {0};
    int n = snprintf(yaml, sizeof yaml,
                     "plan: 1\ntarget: {url: \"%s://127.0.0.1:%u/v1/chat/completions\", model: m, http: %s, "
                     "streams_per_connection: %d, timeouts: {connect: 2s, idle: 20s, total: 20s}, tls: {verify: "
                     "false}}\nworkload: {name: t, synthetic: {input_tokens: %u, output_tokens: 1}}\n"
                     "load: {stages: [{concurrency: %u, requests: %u}]}\n",
                     s->tls ? "https" : "http", s->port, http, STREAMS, x->input ? x->input : 8,
                     x->concurrency ? x->concurrency : STREAMS, x->requests ? x->requests : REQUESTS);
    struct plan *p = plan_load("test", yaml, (size_t)n, NULL, 0, &e);
    if (!p) fail_msg("%s", e.text);
    return p;
}

static struct engine *engine_of(const struct plan *p)
{
    struct err e = {0};
    struct engine_options o = {.workers = 1};
    struct engine *g = engine_new(&o, &e);
    assert_non_null(g);
    assert_int_equal(engine_plan(g, p, &e), 0);
    return g;
}

/* One stage; adds to `all`, or gives the reason why it cannot be. */
static void carry_stage(struct engine *g, const struct plan *p, struct snapshot *all, struct err *ret)
{
    struct err e = {0};
    struct shard shard;
    struct engine_event ev = {0};
    assert_int_equal(shard_whole(p, &p->stages[0], 1, &shard, &e), 0);
    assert_int_equal(engine_arm(g, &shard, &e), 0);
    struct pollfd pfd = {.fd = engine_fd(g), .events = POLLIN};
    while (ev.kind != ENGINE_DONE && ret->code == ERR_NONE) {
        if (!engine_next(g, &ev)) {
            assert_true(poll(&pfd, 1, 60000) > 0);
            continue;
        }
        if (ev.kind == ENGINE_READY) *ret = ev.err;
        if (ev.kind == ENGINE_READY && ev.err.code == ERR_NONE) assert_int_equal(engine_go(g, clock_mono_ns(), &e), 0);
        if (ev.kind != ENGINE_SNAPSHOT) continue;
        snapshot_extend(all, ev.snapshot);
        engine_recycle(g, &ev.snapshot);
    }
    shard_clear(&shard);
}

static void carry(const struct plan *p, struct snapshot *all, struct err *ret)
{
    struct engine *g = engine_of(p);
    carry_stage(g, p, all, ret);
    engine_destroy(&g);
}

static void run(struct h2_server *s, const struct expected *x)
{
    struct snapshot *all = snapshot_new(false);
    struct err e = {0};
    int64_t begun = clock_mono_ns();
    h2_server_start(s);
    struct plan *p = plan_of(s, x, "\"2\"");
    carry(p, all, &e);
    if (e.code != ERR_NONE) fail_msg("%s: %s", x->script.name, e.text);
    const uint64_t *c = all->counters;
    uint64_t ok = x->ok == UINT32_MAX ? c[COUNTER_OK] : x->ok;
    bool right = c[COUNTER_OK] == ok && (x->label == COUNTER_OK || c[x->label] == REQUESTS - ok) &&
                 c[COUNTER_NOT_PROCESSED] >= x->not_processed &&
                 (x->not_processed || x->script.goaway_twice || x->script.goaway_first || x->script.goaway_at_once ||
                  c[COUNTER_NOT_PROCESSED] == 0) &&
                 (x->connections == 0 || c[COUNTER_CONNECTIONS] - x->connections <= x->more);
    const struct failure_sample *sample =
        x->why ? failure_samples_find(&all->failures, (enum failure)(x->label - COUNTER_FAILED_FIRST)) : NULL;
    if (x->why && (!sample || !strstr(sample->text, x->why)))
        fail_msg("%s: \"%s\" is not in \"%s\"", x->script.name, x->why, sample ? sample->text : "");
    for (int k = 0; !right && k < COUNTER_N; k++)
        if (c[k]) print_message("%s = %llu\n", COUNTERS[k].name, (unsigned long long)c[k]);
    if (!right) fail_msg("%s%s", x->script.name, s->tls ? ", TLS" : "");
    /* nothing that the server looked at is sent twice, nothing waits for a timeout */
    unsigned seen = atomic_load(&s->requests);
    if (seen != REQUESTS && (seen > REQUESTS || (x->script.then < H2_CLOSE && !x->script.goaway_code && !x->why)))
        fail_msg("%s: %u requests were seen", x->script.name, seen);
    if (x->script.ping) assert_in_range(atomic_load(&s->pongs), 1, c[COUNTER_CONNECTIONS]);
    assert_true(clock_mono_ns() - begun < 15 * NS_PER_S);
    if (x->held)
        assert_in_range(hist_mean(all->hist[METRIC_HELD]), 5 * NS_PER_MS, 500 * NS_PER_MS);
    else
        assert_true(atomic_load(&s->streams_max) <= (x->script.max_streams ? x->script.max_streams : STREAMS));
    plan_destroy(&p);
    snapshot_destroy(&all);
    h2_server_stop(s);
}

static void test_labels(void **state)
{
    (void)state;
    SSL_CTX *tls = tls_server_new();
    signal(SIGPIPE, SIG_IGN); /* OpenSSL writes into closed sockets */
    for (size_t i = 0; i < 2 * sizeof CASES / sizeof *CASES; i++) {
        struct h2_server s = {.script = &CASES[i / 2].script, .tls = i % 2 ? tls : NULL};
        run(&s, &CASES[i / 2]);
    }
    SSL_CTX_free(tls);
}

/* The same as run(), for what a table of labels does not hold. */
static void carry_script(struct h2_server *s, const struct expected *x, struct snapshot *all)
{
    struct err e = {0};
    h2_server_start(s);
    struct plan *p = plan_of(s, x, "\"2\"");
    carry(p, all, &e);
    if (e.code != ERR_NONE) fail_msg("%s: %s", x->script.name, e.text);
    for (int k = 0; all->counters[COUNTER_OK] != x->ok && k < COUNTER_N; k++)
        if (all->counters[k]) print_message("%s = %llu\n", COUNTERS[k].name, (unsigned long long)all->counters[k]);
    assert_int_equal(all->counters[COUNTER_OK], x->ok);
    plan_destroy(&p);
}

/* A server that sends as much as the windows let it is never held back: 160 MB for each of four streams, at once. Half
 * of the connection's window is used up by that, and opened again. */
static void test_windows(void **state)
{
    enum { LINE = 1 << 20, LINES = 160 };
    (void)state;
    char *body = malloc((size_t)LINE * LINES + sizeof H2_EVENTS);
    assert_non_null(body);
    memset(body, 'x', (size_t)LINE * LINES);
    for (size_t i = 0; i < LINES; i++) {
        body[i * LINE] = ':'; /* a comment */
        body[(i + 1) * LINE - 1] = '\n';
    }
    memcpy(body + (size_t)LINE * LINES, H2_EVENTS, sizeof H2_EVENTS);
    struct expected x = {
        .script = {.name = "windows", .status = "200", .body = body, .wait = 4}, .ok = 4, .requests = 4};
    struct h2_server s = {.script = &x.script};
    struct snapshot *all = snapshot_new(false);
    carry_script(&s, &x, all);
    h2_server_stop(&s);
    assert_int_equal(atomic_load(&s.stalled), 0);
    assert_in_range(atomic_load(&s.updates), 2, 100); /* one opens the window at the start */
    assert_true(all->counters[COUNTER_BYTES_IN] > 4 * (uint64_t)LINE * LINES);
    snapshot_destroy(&all);
    free(body);
}

/* Four prompts of a megabyte share a connection, whose window is small: they go up side by side. */
static void test_fair(void **state)
{
    (void)state;
    struct expected x = {.script = {.name = "fair", .status = "200", .body = H2_EVENTS, .wait = 4, .fair = true},
                         .ok = 4,
                         .requests = 4,
                         .input = 300000};
    struct h2_server s = {.script = &x.script, .least = SIZE_MAX};
    struct snapshot *all = snapshot_new(false);
    carry_script(&s, &x, all);
    h2_server_stop(&s);
    assert_in_range(atomic_load(&s.least), 1000000, 10000000);
    snapshot_destroy(&all);
}

/* A request that is sent again has the time of its second sending. */
static void test_sent_anew(void **state)
{
    (void)state;
    struct expected x = {.script = {.name = "sent anew",
                                    .status = "200",
                                    .body = H2_EVENTS,
                                    .goaway_after = 2,
                                    .goaway_first = true,
                                    .goaway_late = true},
                         .ok = 4,
                         .requests = 4};
    struct h2_server s = {.script = &x.script};
    struct snapshot *all = snapshot_new(false);
    carry_script(&s, &x, all);
    h2_server_stop(&s);
    assert_in_range(all->counters[COUNTER_NOT_PROCESSED], 1, 2);
    const struct hist *ttft = all->hist[METRIC_TTFT], *due = all->hist[METRIC_TTFT_DUE];
    assert_int_equal(ttft->count, 4);
    assert_true(ttft->max < LATE_MS * NS_PER_MS / 2);
    assert_true(due->max > LATE_MS * NS_PER_MS / 2);
    snapshot_destroy(&all);
}

/* A connection serves the plan's next stages, also when one was armed and not begun; a plan taken anew has its own. */
static void test_stages(void **state)
{
    (void)state;
    struct expected x = {.script = {.name = "stages", .status = "200", .body = H2_EVENTS}};
    struct h2_server s = {.script = &x.script};
    struct snapshot *all = snapshot_new(false);
    struct err e = {0};
    struct shard shard;
    struct engine_event ev;
    h2_server_start(&s);
    struct plan *p = plan_of(&s, &x, "\"2\"");
    struct engine *g = engine_of(p);
    for (int i = 0; i < 3; i++) {
        carry_stage(g, p, all, &e);
        assert_int_equal(e.code, ERR_NONE);
        assert_int_equal(all->counters[COUNTER_OK], REQUESTS); /* of this stage */
        assert_int_equal(shard_whole(p, &p->stages[0], 1, &shard, &e), 0);
        assert_int_equal(engine_arm(g, &shard, &e), 0);
        struct pollfd pfd = {.fd = engine_fd(g), .events = POLLIN};
        while (!engine_next(g, &ev))
            assert_true(poll(&pfd, 1, 10000) > 0);
        assert_int_equal(ev.kind, ENGINE_READY);
        engine_stop(g, true); /* disarmed */
        shard_clear(&shard);
    }
    assert_int_equal(atomic_load(&s.requests), 3 * REQUESTS);
    assert_int_equal(atomic_load(&s.carriers), 1);
    assert_int_equal(engine_plan(g, p, &e), 0);
    carry_stage(g, p, all, &e);
    assert_int_equal(atomic_load(&s.requests), 4 * REQUESTS);
    assert_int_equal(atomic_load(&s.carriers), 2);
    engine_destroy(&g);
    plan_destroy(&p);
    snapshot_destroy(&all);
    h2_server_stop(&s);
}

/* Before READY, with the reason. */
static void expect_refused(const struct h2_script *script, const char *http, enum err_code code, const char *why)
{
    struct h2_server s = {.script = script};
    struct expected x = {.script = *script};
    struct err e = {0};
    struct snapshot *all = snapshot_new(false);
    h2_server_start(&s);
    struct plan *p = plan_of(&s, &x, http);
    carry(p, all, &e);
    if (e.code != code || !strstr(e.text, why))
        fail_msg("%s: \"%s\" (%s) is not \"%s\"", script->name, e.text, err_code_name(e.code), why);
    plan_destroy(&p);
    snapshot_destroy(&all);
    h2_server_stop(&s);
}

static void test_refused(void **state)
{
    (void)state;
    static const struct h2_script HTTP1 = {.name = "HTTP/1.1",
                                           .raw = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"},
                                  SILENT = {.name = "silent", .raw = ""},
                                  CLOSES = {.name = "closes", .raw = "", .then = H2_CLOSE},
                                  NONE = {.name = "no streams at all",
                                          .status = "200",
                                          .body = H2_EVENTS,
                                          .no_streams_ms = 3000};
    expect_refused(&NONE, "\"2\"", ERR_NET, "the server allows no streams");
    expect_refused(&HTTP1, "\"2\"", ERR_TARGET, "does not speak HTTP/2");
    expect_refused(&SILENT, "\"2\"", ERR_NET, "no SETTINGS have come");
    expect_refused(&CLOSES, "\"2\"", ERR_TARGET, "the connection was closed: is HTTP/2 spoken there?");
}

int main(void)
{
    fill(long_comment, ": ", 1 << 20, "\n\n" H2_EVENTS);
    fill(long_event, LONG_HEAD, 7 << 20, "\"}]}\n\n" H2_EVENTS);
    fill(longest_event, LONG_HEAD, 9 << 20, "\"}]}\n\n" H2_EVENTS);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_labels), cmocka_unit_test(test_windows),
                                       cmocka_unit_test(test_fair),   cmocka_unit_test(test_sent_anew),
                                       cmocka_unit_test(test_stages), cmocka_unit_test(test_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
