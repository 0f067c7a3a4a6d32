/* Which proxy a target's requests go through, by plan and environment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "agent/transport/proxy.h"

static const char *const *environment; /* name, value, … NULL */

static char *env(const char *name)
{
    for (const char *const *p = environment; *p; p += 2)
        if (strcmp(p[0], name) == 0) return (char *)(uintptr_t)p[1];
    return NULL;
}

struct row {
    const char *url, *proxy; /* of the plan */
    const char *env[9];
    const char *host; /* NULL: straight; "!": an error */
    uint16_t port;
    const char *login;
};
#define ENV PLAN_PROXY_ENVIRONMENT
static const struct row ROWS[] = {
    {"http://h/", NULL, {"http_proxy", "http://p:1", "all_proxy", "http://p:1"}, NULL, 0, ""},
    {"http://h/", "http://p:1", {"http_proxy", "http://other:2"}, "p", 1, ""},
    {"http://h/", "http://p:1", {"no_proxy", "*"}, "p", 1, ""}, /* the plan's own word */
    {"http://h/", ENV, {NULL}, NULL, 0, ""},
    {"http://h/", ENV, {"http_proxy", "http://p:1"}, "p", 1, ""},
    {"http://h/", ENV, {"HTTP_PROXY", "http://p:1"}, NULL, 0, ""},
    {"http://h/", ENV, {"https_proxy", "http://p:1"}, NULL, 0, ""},
    {"http://h/", ENV, {"ALL_PROXY", "http://p:1"}, "p", 1, ""},
    {"http://h/", ENV, {"http_proxy", "", "all_proxy", "http://p:1"}, "p", 1, ""},
    {"https://h/", ENV, {"http_proxy", "http://p:1"}, NULL, 0, ""},
    {"https://h/", ENV, {"HTTPS_PROXY", "http://p:1"}, "p", 1, ""},
    {"https://h/", ENV, {"https_proxy", "http://small:1", "HTTPS_PROXY", "http://p:1"}, "small", 1, ""},
    {"http://h/", ENV, {"http_proxy", "p:3128"}, "p", 3128, ""},
    {"http://h/", ENV, {"http_proxy", "http://p/"}, "p", 80, ""},
    {"http://h/", ENV, {"http_proxy", "http://[::1]:3128/"}, "::1", 3128, ""},
    {"http://h/", ENV, {"http_proxy", "http://me:a%40b%3A%zz@p:1"}, "p", 1, "me:a@b:%zz"},
    {"http://h/", ENV, {"http_proxy", "http://me:a@b@p:1"}, "p", 1, "me:a@b"},
    {"http://h/", ENV, {"http_proxy", "http://me:a%0d%0aX@p:1"}, "!", 0, ""},
    {"http://h/", ENV, {"http_proxy", "socks5://p:1"}, "!", 0, ""},
    {"http://h/", ENV, {"http_proxy", "http://p:99999"}, "!", 0, ""},
    {"http://h.example.com/", ENV, {"http_proxy", "p:1", "no_proxy", "example.com"}, NULL, 0, ""},
    {"http://h.example.com/", ENV, {"http_proxy", "p:1", "no_proxy", "a, .Example.Com"}, NULL, 0, ""},
    {"http://h.example.com/", ENV, {"http_proxy", "p:1", "NO_PROXY", "h.example.com"}, NULL, 0, ""},
    {"http://h.example.com/", ENV, {"http_proxy", "p:1", "no_proxy", "ample.com,x.h.example.com"}, "p", 1, ""},
    {"http://h.example.com/", ENV, {"http_proxy", "p:1", "no_proxy", "", "NO_PROXY", "*"}, "p", 1, ""},
    {"http://10.1.2.3/", ENV, {"http_proxy", "p:1", "no_proxy", "10.0.0.0/8"}, NULL, 0, ""},
    {"http://10.1.2.3/", ENV, {"http_proxy", "p:1", "no_proxy", "10.1.2.3"}, NULL, 0, ""},
    {"http://11.1.2.3/", ENV, {"http_proxy", "p:1", "no_proxy", "10.0.0.0/8,1.2.3"}, NULL, 0, ""},
    {"http://[fd00::1]/", ENV, {"http_proxy", "p:1", "no_proxy", "fd00::/8"}, NULL, 0, ""},
    {"http://h/", ENV, {"http_proxy", "p:1", "no_proxy", "*"}, NULL, 0, ""},
};

static void the_right_one(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        const struct row *r = &ROWS[i];
        struct plan_target t = {.proxy = r->proxy};
        struct proxy p;
        struct url to;
        struct err e = {0};
        environment = r->env;
        assert_int_equal(url_parse(r->url, &to, &e), 0);
        int rc = proxy_choose(&t, &to, env, &p, &e), expected = !r->host ? 0 : *r->host == '!' ? -1 : 1;
        if (rc != expected) fail_msg("row %zu: %d, expected %d: %s", i, rc, expected, e.text);
        if (rc < 0 && strstr(e.text, r->env[1])) fail_msg("row %zu repeats the value: %s", i, e.text);
        if (rc <= 0) continue;
        assert_string_equal(p.url.host, r->host);
        assert_int_equal(p.url.port, r->port);
        assert_string_equal(p.login, r->login);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_right_one)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
