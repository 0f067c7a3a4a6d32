#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "common/clock.h"
#include "coordinator/hold.h"

#define LONG_NS (3600 * NS_PER_S) /* a test that waits for it has failed by its own time limit */

static int signals(void)
{
    sigset_t s;
    sigemptyset(&s);
    sigaddset(&s, SIGTERM);
    sigaddset(&s, SIGCHLD);
    assert_int_equal(sigprocmask(SIG_BLOCK, &s, NULL), 0);
    int fd = signalfd(-1, &s, SFD_NONBLOCK | SFD_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

static void test_ends(void **state)
{
    (void)state;
    char dir[] = "/tmp/hold-XXXXXX", file[64];
    assert_non_null(mkdtemp(dir));
    (void)snprintf(file, sizeof file, "%s/" HOLD_FETCHED, dir);
    int fd = signals();

    assert_false(hold_until_fetched(dir, NS_PER_MS, fd)); /* its time is over */

    assert_int_equal(raise(SIGCHLD), 0);
    assert_int_equal(raise(SIGTERM), 0);
    assert_false(hold_until_fetched(dir, LONG_NS, fd));

    FILE *f = fopen(file, "w");
    assert_non_null(f);
    (void)fclose(f);
    assert_true(hold_until_fetched(dir, LONG_NS, fd));
    (void)unlink(file);
    (void)rmdir(dir);
    (void)close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_ends)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
