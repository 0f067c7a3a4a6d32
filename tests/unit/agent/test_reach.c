#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/reach.h"
#include "common/clock.h"

/* A port of loopback that is bound; listen() is the test's. */
static int door(char *ret_endpoint, size_t n)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof sa;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&sa, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
    (void)snprintf(ret_endpoint, n, "tcp://127.0.0.1:%u", ntohs(sa.sin_port));
    return fd;
}

static void test_refused_and_accepted(void **state)
{
    struct reach r = {0};
    char at[64], why[200];
    (void)state;
    int fd = door(at, sizeof at);
    assert_false(reach_knock(&r, at, why, sizeof why));
    assert_non_null(strstr(why, "connection refused (is the coordinator running there?)"));
    assert_int_equal(listen(fd, 4), 0);
    assert_true(reach_knock(&r, at, why, sizeof why));
    assert_non_null(strstr(why, "something accepts connections there"));
    (void)close(fd);
    reach_clear(&r);
}

/* A queue that is full drops new connections, as a firewall does. */
static void test_silent(void **state)
{
    struct reach r = {0};
    char at[64], why[200];
    int in[4];
    (void)state;
    int fd = door(at, sizeof at);
    struct sockaddr_in sa;
    socklen_t len = sizeof sa;
    assert_int_equal(listen(fd, 0), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
    for (unsigned i = 0; i < 4; i++) {
        in[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)connect(in[i], (struct sockaddr *)&sa, len);
    }
    int64_t began = clock_mono_ns();
    assert_false(reach_knock(&r, at, why, sizeof why));
    assert_non_null(strstr(why, "does not answer within 1 s"));
    assert_in_range(clock_mono_ns() - began, REACH_NS, 3 * REACH_NS);
    for (unsigned i = 0; i < 4; i++)
        (void)close(in[i]);
    (void)close(fd);
    reach_clear(&r);
}

static int knows_nobody(const char *host, const char *port, const struct addrinfo *hints, struct addrinfo **ret)
{
    (void)host, (void)port, (void)hints, (void)ret;
    return EAI_NONAME;
}
static int is_slow(const char *host, const char *port, const struct addrinfo *hints, struct addrinfo **ret)
{
    (void)usleep(600000);
    (void)host;
    return getaddrinfo("127.0.0.1", port, hints, ret);
}

static void test_names(void **state)
{
    struct reach r = {.resolver.ask = knows_nobody};
    char at[64], named[80], why[200];
    (void)state;
    assert_false(reach_knock(&r, "tcp://nosuch.invalid:7717", why, sizeof why));
    assert_string_equal(why, "nosuch.invalid cannot be resolved: Name or service not known");
    int fd = door(at, sizeof at);
    r.resolver.ask = is_slow;
    (void)snprintf(named, sizeof named, "tcp://slow.test%s", strrchr(at, ':'));
    assert_false(reach_knock(&r, named, why, sizeof why));
    assert_string_equal(why, "slow.test cannot be resolved: the name server has not answered yet");
    (void)usleep(700000);
    assert_false(reach_knock(&r, named, why, sizeof why)); /* by now it has */
    assert_non_null(strstr(why, "connection refused"));
    (void)close(fd);
    reach_clear(&r);
}

static void test_endpoints(void **state)
{
    struct reach r = {0};
    char at[64], other[80], why[200];
    (void)state;
    int fd = door(at, sizeof at);
    assert_int_equal(listen(fd, 4), 0);
    (void)snprintf(other, sizeof other, "tcp://127.0.0.1:0;127.0.0.1%s", strrchr(at, ':'));
    assert_true(reach_knock(&r, other, why, sizeof why));
    (void)snprintf(other, sizeof other, "tcp://[::ffff:127.0.0.1]%s", strrchr(at, ':'));
    assert_true(reach_knock(&r, other, why, sizeof why));
    assert_false(reach_knock(&r, "tcp://nothing", why, sizeof why));
    assert_false(reach_knock(&r, "tcp://:1", why, sizeof why));
    (void)close(fd);
    reach_clear(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused_and_accepted),
        cmocka_unit_test(test_silent),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_endpoints),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
