#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <netdb.h>
#include <string.h>

#include "agent/guard.h"
#include "agent/guard_meter.h"
#include "common/clock.h"

static int check(const struct guard *g, const char *host)
{
    struct err e = {0};
    struct addrinfo hint = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST}, *ai = NULL;
    if (getaddrinfo(host, "80", &hint, &ai)) fail_msg("%s is no address", host);
    int rc = guard_check_address(g, ai->ai_addr, &e);
    freeaddrinfo(ai);
    if (rc) assert_int_equal(e.code, ERR_REFUSED);
    return rc;
}

static void test_never(void **state)
{
    (void)state;
    const struct guard g = {0};
    static const char *const NEVER[] = {
        "169.254.169.254",
        "169.254.0.1",
        "2852039166",
        "0xa9fea9fe",
        "0251.0376.0251.0376",
        "169.254.43518",
        "::ffff:169.254.169.254",
        "::ffff:a9fe:a9fe",
        "::169.254.169.254",
        "2002:a9fe:a9fe::1",
        "64:ff9b::a9fe:a9fe",
        "fe80::1",
        "fd00:ec2::254",
        "100.100.100.200",
        "0.0.0.0",
        "::",
        "224.0.0.1",
        "ff02::1",
        "255.255.255.255",
        "168.63.129.16",
        "192.0.0.192",
    };
    for (size_t i = 0; i < sizeof NEVER / sizeof *NEVER; i++)
        if (check(&g, NEVER[i]) != -1) fail_msg("%s was let through", NEVER[i]);
    static const char *const FINE[] = {"127.0.0.1",       "::1",         "10.1.2.3",    "8.8.8.8",
                                       "169.253.255.255", "169.255.0.0", "2001:db8::1", "::ffff:10.0.0.1"};
    for (size_t i = 0; i < sizeof FINE / sizeof *FINE; i++)
        if (check(&g, FINE[i]) != 0) fail_msg("%s was refused", FINE[i]);
}

/* Allowing everything does not allow what is forbidden. */
static void test_networks(void **state)
{
    (void)state;
    struct guard g = {0};
    struct err e = {0};
    assert_int_equal(guard_allow(&g, "10.16.0.0/12", &e), 0);
    assert_int_equal(guard_allow(&g, "fd12:3456::/33", &e), 0);
    assert_int_equal(check(&g, "10.16.0.1"), 0);
    assert_int_equal(check(&g, "10.31.255.255"), 0);
    assert_int_equal(check(&g, "10.32.0.0"), -1);
    assert_int_equal(check(&g, "127.0.0.1"), -1);
    assert_int_equal(check(&g, "::ffff:10.16.0.1"), 0);
    assert_int_equal(check(&g, "fd12:3456:7fff::1"), 0);
    assert_int_equal(check(&g, "fd12:3456:8000::1"), -1);
    struct guard all = {0};
    assert_int_equal(guard_allow(&all, "0.0.0.0/0", &e), 0);
    assert_int_equal(guard_allow(&all, "::/0", &e), 0);
    assert_int_equal(check(&all, "169.254.169.254"), -1);
    static const char *const BAD[] = {"10.0.0.0/33", "10.0.0/8", "x/8", "10.0.0.0/", "10.0.0.0/-1", "::/129",
                                      "ftp://x",     "http://",  "x:0", "x:65536",   "x:a",         "http://x/y"};
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++)
        if (guard_allow(&all, BAD[i], &e) == 0) fail_msg("%s was taken for a rule", BAD[i]);
}

static int url(const struct guard *g, const char *u)
{
    struct err e = {0};
    struct plan p = {.target.url = u};
    return guard_check_plan(g, &p, &e);
}

static int beyond(const struct guard *g, const char *text)
{
    struct err e = {0};
    struct url u;
    assert_int_equal(url_parse(text, &u, &e), 0);
    return guard_check_beyond(g, &u, &e);
}

/* A proxy gets the connections, and connects where nobody here can look. A socket is a way into this machine. */
static void test_ways(void **state)
{
    (void)state;
    struct guard any = {0}, names = {0}, nets = {0}, socket = {0};
    struct err e = {0};
    struct plan p = {.target = {.url = "https://gw.example.com/v1", .proxy = "http://proxy:3128"}};
    assert_int_equal(guard_check_plan(&any, &p, &e), 0);
    assert_int_equal(guard_allow(&names, "gw.example.com", &e), 0);
    assert_int_equal(guard_check_plan(&names, &p, &e), -1);
    assert_non_null(strstr(e.text, "the proxy http://proxy:3128"));
    assert_int_equal(guard_allow(&names, "http://proxy:3128", &e), 0);
    assert_int_equal(guard_check_plan(&names, &p, &e), 0);
    assert_int_equal(beyond(&names, p.target.url), 0);
    p.target.url = "https://elsewhere.example.com/";
    assert_int_equal(guard_check_plan(&names, &p, &e), -1);
    p.target.proxy = PLAN_PROXY_ENVIRONMENT; /* this machine's own word */
    p.target.url = "https://gw.example.com/v1";
    assert_int_equal(guard_check_plan(&names, &p, &e), 0);
    assert_int_equal(guard_allow(&nets, "10.0.0.0/8", &e), 0);
    assert_int_equal(beyond(&nets, "https://gw.example.com/v1"), -1);
    assert_int_equal(beyond(&nets, "https://10.1.2.3/v1"), 0);
    assert_int_equal(beyond(&nets, "https://11.1.2.3/v1"), -1);
    assert_int_equal(beyond(&any, "http://169.254.169.254/"), -1);
    assert_int_equal(beyond(&any, "http://2852039166/"), -1);
    p.target = (struct plan_target){.url = "http://x/", .address = "unix:/run/docker.sock"};
    assert_int_equal(guard_check_plan(&any, &p, &e), -1);
    assert_non_null(strstr(e.text, "--allow unix:/run/docker.sock"));
    assert_int_equal(guard_allow(&socket, "unix:run/llm.sock", &e), -1);
    assert_int_equal(guard_allow(&socket, "unix:/run/llm.sock", &e), 0);
    assert_int_equal(guard_check_plan(&socket, &p, &e), -1);
    p.target.address = "unix:/run/llm.sock";
    assert_int_equal(guard_check_plan(&socket, &p, &e), 0);
    char words[128];
    guard_describe(&socket, words, sizeof words);
    assert_string_equal(words, "any host, unix:/run/llm.sock");
}

static void test_targets(void **state)
{
    (void)state;
    struct guard g = {0};
    struct err e = {0};
    assert_int_equal(url(&g, "http://anything:1/x"), 0);
    assert_int_equal(url(&g, "ftp://anything/x"), -1);
    assert_int_equal(url(&g, "file:///etc/passwd"), -1);
    assert_int_equal(guard_allow(&g, "https://*.example.com", &e), 0);
    assert_int_equal(guard_allow(&g, "http://10.0.0.1:8000", &e), 0);
    assert_int_equal(url(&g, "https://gw.example.com/v1"), 0);
    assert_int_equal(url(&g, "https://GW.Example.COM:8443/v1"), 0);
    assert_int_equal(url(&g, "http://gw.example.com/v1"), -1);
    assert_int_equal(url(&g, "https://example.com/v1"), -1);
    assert_int_equal(url(&g, "https://badexample.com/v1"), -1);
    assert_int_equal(url(&g, "https://gw.example.com.evil.net/v1"), -1);
    assert_int_equal(url(&g, "https://evil.net/@gw.example.com"), -1);
    assert_int_equal(url(&g, "https://gw.example.com@evil.net/"), -1);
    assert_int_equal(url(&g, "http://10.0.0.1:8000/v1"), 0);
    assert_int_equal(url(&g, "http://10.0.0.1:8001/v1"), -1);
}

static void test_limits(void **state)
{
    (void)state;
    const struct guard g = {
        .max_connections = 100, .max_requests_per_s = 50, .max_tokens_per_s = 1000, .max_duration_ns = 60 * NS_PER_S};
    struct err e = {0};
    struct shard s = {.kind = LOAD_CLOSED, .slots = 100, .duration_ns = 60 * NS_PER_S};
    assert_int_equal(guard_check_shard(&g, &s, &e), 0);
    s.slots = 101;
    assert_int_equal(guard_check_shard(&g, &s, &e), -1);
    s.slots = 1, s.duration_ns = 61 * NS_PER_S;
    assert_int_equal(guard_check_shard(&g, &s, &e), -1);
    assert_non_null(strstr(e.text, "61s"));
    s.duration_ns = 0;
    assert_int_equal(guard_check_shard(&g, &s, &e), -1);
    struct shard o = {.kind = LOAD_OPEN,
                      .slots = 10,
                      .duration_ns = NS_PER_S,
                      .rate_from = 10,
                      .rate_to = 200,
                      .cycle = 4,
                      .n_turns = 1};
    assert_int_equal(guard_check_shard(&g, &o, &e), 0); /* a quarter of 200/s */
    o.n_turns = 2;
    assert_int_equal(guard_check_shard(&g, &o, &e), -1);
    o.n_turns = 1, o.slots = 0;
    assert_int_equal(guard_check_shard(&g, &o, &e), -1); /* no cap: connections without a bound */
    assert_int_equal(guard_check_rate(&g, 50, 1000, NS_PER_S, &e), 0);
    assert_int_equal(guard_check_rate(&g, 51, 0, NS_PER_S, &e), -1);
    assert_int_equal(guard_check_rate(&g, 0, 2001, 2 * NS_PER_S, &e), -1);
    char words[200];
    guard_describe(&g, words, sizeof words);
    assert_string_equal(
        words, "any host; at most 100 connections; at most 50 requests/s; at most 1000 token/s; stages of at most 1m");
}

static void test_meter(void **state)
{
    (void)state;
    const struct guard g = {.max_requests_per_s = 50, .max_tokens_per_s = 1000};
    struct err e = {0};
    struct guard_meter m;
    struct shard closed = {.kind = LOAD_CLOSED}, open = {.kind = LOAD_OPEN};
    struct snapshot s = {.to_ns = NS_PER_S, .series_tokens = 1000};
    s.counters[COUNTER_SENT] = 50;
    guard_meter_begin(&m, &closed);
    assert_int_equal(guard_meter_add(&m, &g, &s, &e), 0);
    s = (struct snapshot){.from_ns = NS_PER_S, .to_ns = 2 * NS_PER_S};
    s.counters[COUNTER_SENT] = 101; /* 51 in this second */
    assert_int_equal(guard_meter_add(&m, &g, &s, &e), -1);
    assert_int_equal(e.code, ERR_REFUSED);
    assert_non_null(strstr(e.text, "51 requests/s"));
    guard_meter_begin(&m, &open); /* Poisson arrivals cluster: their rate was held at ARM */
    assert_int_equal(guard_meter_add(&m, &g, &s, &e), 0);
    guard_meter_begin(&m, &closed); /* the short last span of a stage is no second */
    s = (struct snapshot){.to_ns = NS_PER_S / 10, .series_tokens = 500};
    s.counters[COUNTER_SENT] = 10;
    assert_int_equal(guard_meter_add(&m, &g, &s, &e), 0);
    s = (struct snapshot){.from_ns = NS_PER_S / 10, .to_ns = NS_PER_S, .series_tokens = 501};
    s.counters[COUNTER_SENT] = 10;
    assert_int_equal(guard_meter_add(&m, &g, &s, &e), -1);
    guard_meter_begin(&m, &open); /* four tokens per event, by usage */
    s = (struct snapshot){.to_ns = NS_PER_S, .series_tokens = 300};
    s.counters[COUNTER_TOKENS] = 1200;
    assert_int_equal(guard_meter_add(&m, &g, &s, &e), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_never),   cmocka_unit_test(test_networks),
                                       cmocka_unit_test(test_targets), cmocka_unit_test(test_ways),
                                       cmocka_unit_test(test_limits),  cmocka_unit_test(test_meter)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
