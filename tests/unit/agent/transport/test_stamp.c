#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/transport/stamp.h"
#include "common/clock.h"

static void test_convert(void **state)
{
    (void)state;
    struct stamp_clock c = {0};
    const int64_t offset = 1700000000 * NS_PER_S, now = 5000 * NS_PER_S;
    assert_false(stamp_clock_update(&c, offset, now)); /* the first sample is no step */
    assert_true(stamp_clock_convert(&c, offset + now - 100, now, 0) == now - 100);
    assert_true(stamp_clock_convert(&c, offset + now + 100, now, 0) == now);          /* rounding */
    assert_true(stamp_clock_convert(&c, offset + now + NS_PER_S, now, 0) == 0);       /* from the future */
    assert_true(stamp_clock_convert(&c, offset + now - NS_PER_S, now, now - 5) == 0); /* too old to be true */
}

static void test_steps(void **state)
{
    (void)state;
    struct stamp_clock c = {0};
    const int64_t offset = 1700000000 * NS_PER_S;
    int64_t now = 5000 * NS_PER_S;
    stamp_clock_update(&c, offset, now);
    for (int i = 1; i <= 100; i++) /* slewing is followed and is no step */
        assert_false(stamp_clock_update(&c, offset + i * 100000, now + i * STAMP_REFRESH_NS));
    assert_int_equal(c.steps, 0);
    assert_false(stamp_clock_wary(&c, now));
    assert_true(c.offset == offset + 100 * 100000);
    assert_true(stamp_clock_update(&c, offset + NS_PER_S, now + NS_PER_S));
    assert_true(stamp_clock_update(&c, offset - NS_PER_S, now + 2 * NS_PER_S));
    assert_int_equal(c.steps, 2);
    assert_true(stamp_clock_wary(&c, now + 3 * NS_PER_S));
    assert_false(stamp_clock_wary(&c, now + 60 * NS_PER_S));
}

/* Bytes that wait for 30 ms carry the time they came, not the time we look. */
static void test_kernel_stamp(void **state)
{
    (void)state;
    int hold = stamp_hold();
    if (hold < 0) skip();
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    int listener = socket(AF_INET, SOCK_STREAM, 0), fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&a, &len), 0);
    assert_int_equal(stamp_enable(fd), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    int peer = accept(listener, NULL, NULL);
    struct stamp_clock c = {0};
    stamp_clock_sample(&c);
    int64_t wall;
    assert_int_equal(stamp_peek(fd, &wall), 0); /* nothing waits */
    for (int i = 0; i < 3; i++) {
        char byte[2];
        int64_t before = clock_mono_ns();
        assert_int_equal(send(peer, "xy", 2, 0), 2);
        int64_t after = clock_mono_ns();
        poll(NULL, 0, 30);
        assert_int_equal(stamp_peek(fd, &wall), 1);
        int64_t now = clock_mono_ns(), at = stamp_clock_convert(&c, wall, now, 1);
        assert_true(at >= before - NS_PER_MS && at <= after + NS_PER_MS);
        assert_true(now - at >= 28 * NS_PER_MS);
        assert_int_equal(recv(fd, byte, 2, 0), 2); /* the peek took nothing */
    }
    close(fd), close(peer), close(listener), close(hold);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_convert), cmocka_unit_test(test_steps),
                                       cmocka_unit_test(test_kernel_stamp)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
