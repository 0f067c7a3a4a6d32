/* Ways to a target that cannot be: proxy, socket, names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "common/plan/plan.h"

#define P "plan: 1\n"
#define L "load: {concurrency: [1, 2], duration: 10s}\n"

struct row {
    const char *yaml, *says;
};
static const struct row ROWS[] = {
    {P "target: {url: \"http://h:1\", model: m, proxy: proxy}\n" L,
     "p.yaml:2:46: target.proxy: expected a URL that begins with http:// or https://"},
    {P "target: {url: \"http://h:1\", model: m, proxy: \"socks5://h:1080\"}\n" L,
     "p.yaml:2:46: target.proxy: expected an HTTP proxy in the clear, such as http://proxy.example.com:3128 (socks5 "
     "is not built)"},
    {P "target: {url: \"http://h:1\", model: m, proxy: \"http://me:Pa55word@h:3128\"}\n" L,
     "p.yaml:2:46: target.proxy: a URL must not hold a user or password: use target.proxy_auth"},
    {P "target: {url: \"http://h:1\", model: m, proxy: \"http://h:3128/x\"}\n" L,
     "p.yaml:2:46: target.proxy: a proxy has no path: http://HOST:PORT"},
    {P "target: {url: \"http://h:1\", model: m, proxy_auth: {basic: {user: me, env: P}}}\n" L,
     "p.yaml:2:39: target.proxy_auth: is for a proxy: target.proxy"},
    {P "target: {url: \"http://h:1\", model: m, address: \"10.0.0.1:80\"}\n" L,
     "p.yaml:2:48: target.address: expected unix: and the whole path of a socket, such as unix:/run/llm.sock (another "
     "host belongs into url, with host and sni)"},
    {P "target: {url: \"http://h:1\", model: m, address: \"unix:/s\", proxy: \"http://h:1\"}\n" L,
     "p.yaml:2:39: target.address: a socket is not reached through a proxy"},
    {P "target: {url: \"http://h:1\", model: m, sni: x}\n" L, "p.yaml:2:39: target.sni: is for https"},
    {P "target: {url: \"https://h:1\", model: m, sni: \"x:443\"}\n" L,
     "p.yaml:2:45: target.sni: expected the name of a host, such as llm.example.com"},
    {P "target: {url: \"http://h:1\", model: m, host: \"x/y\"}\n" L,
     "p.yaml:2:45: target.host: expected the name of a host, such as llm.example.com or llm.example.com:8443"},
    {P "target: {url: \"http://h:1\", model: m, headers: {Host: x}}\n" L,
     "p.yaml:2:49: target.headers.Host: is set by target.host"},
};

static void ways_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct err e = {0};
        struct plan *p = plan_load("p.yaml", ROWS[i].yaml, strlen(ROWS[i].yaml), NULL, 0, &e);
        assert_null(p);
        assert_string_equal(e.text, ROWS[i].says);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(ways_are_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
