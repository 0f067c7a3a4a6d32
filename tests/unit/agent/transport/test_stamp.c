#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/transport/stamp.h"
#include "common/clock.h"
#include "tests/unit/tcp_pair.h"

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
    int ends[2];
    tcp_pair(ends);
    const int fd = ends[0], peer = ends[1];
    assert_int_equal(stamp_enable(fd), 0);
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
    close(fd), close(peer), close(hold);
}

/* ---- reads of several units: the first byte of each is its length, in tens ---- */

static size_t unit_bytes(const uint8_t *head)
{
    return 10u * *head;
}

struct line {
    int hold, here, there;
    struct stamp_box box;
    struct stamp_parts parts;
    uint8_t bytes[4096];
};

static bool line_init(struct line *l)
{
    int ends[2];
    l->hold = stamp_hold();
    if (l->hold < 0) return false;
    tcp_pair(ends);
    l->here = ends[0];
    l->there = ends[1];
    assert_int_equal(stamp_enable(l->here), 0);
    stamp_box_init(&l->box, l->bytes, sizeof l->bytes);
    return true;
}

static void line_clear(struct line *l)
{
    close(l->here);
    if (l->there >= 0) close(l->there);
    close(l->hold);
}

/* Units of these lengths in one segment; the last one is `cut` bytes shorter. When it was sent. */
static struct tcp_sent say(const struct line *l, const char *tens, size_t cut)
{
    char bytes[8192];
    size_t n = 0;
    for (const char *p = tens; *p; n += 10u * (size_t)(uint8_t)*p++)
        memset(bytes + n, *p, 10u * (size_t)(uint8_t)*p);
    struct tcp_sent sent = {.from = clock_wall_ns()};
    assert_int_equal(send(l->there, bytes, n - cut, MSG_NOSIGNAL), n - cut);
    sent.to = clock_wall_ns();
    poll(NULL, 0, 2);
    return sent;
}

/* The same for several segments that wait unmerged; the last one is cut. */
static void say_all(const struct line *l, const char *const *tens, size_t n, size_t cut, struct tcp_sent *ret)
{
    char bytes[8192];
    for (int tries = 0, whole = 0; !whole; tries++) {
        size_t waiting = 0;
        assert_true(tries < TCP_TRIES);
        while (recv(l->here, bytes, sizeof bytes, MSG_DONTWAIT) > 0) {
        }
        whole = 1;
        for (size_t i = 0; i < n && whole; i++) {
            if (i > 0) whole = tcp_unmerged(l->there, waiting);
            ret[i] = say(l, tens[i], i + 1 == n ? cut : 0);
            for (const char *p = tens[i]; *p; p++)
                waiting += 10u * (size_t)(uint8_t)*p;
        }
    }
}

static ssize_t hear(struct line *l, bool *ret_dry)
{
    errno = 0;
    return stamp_receive_units(&l->box, l->here, 1, unit_bytes, &l->parts, ret_dry);
}

static void expect_part(const struct line *l, uint32_t i, size_t end, struct tcp_sent sent)
{
    assert_true(i < l->parts.n);
    assert_int_equal(l->parts.of[i].end, end);
    tcp_expect_sent(sent, l->parts.of[i].wall_ns);
}

/* Units that waited together have the stamp of their own segment each; those of one segment share it. */
static void test_units(void **state)
{
    (void)state;
    struct line l;
    bool dry;
    if (!line_init(&l)) skip();
    assert_int_equal(hear(&l, &dry), -1);
    assert_int_equal(errno, EAGAIN);
    struct tcp_sent sent[3];
    say_all(&l, (const char *[]){"\5", "\7\4\1", "\5"}, 3, 0, sent);
    assert_int_equal(hear(&l, &dry), 220);
    assert_true(dry && !l.parts.alike && l.parts.failed == 0);
    assert_int_equal(l.parts.n, 3);
    expect_part(&l, 0, 50, sent[0]);
    expect_part(&l, 1, 170, sent[1]);
    expect_part(&l, 2, 220, sent[2]);
    assert_true(l.box.wall_ns == l.parts.of[2].wall_ns);
    assert_int_equal(l.bytes[0] + l.bytes[50] + l.bytes[219], 5 + 7 + 5);
    struct tcp_sent a = say(&l, "\5\6", 0); /* one stamp */
    assert_int_equal(hear(&l, &dry), 110);
    assert_true(dry && l.parts.alike);
    assert_int_equal(l.parts.n, 1);
    expect_part(&l, 0, 110, a);
    a = say(&l, "\5", 0); /* alone: nothing to compare */
    assert_int_equal(hear(&l, &dry), 50);
    assert_true(dry && !l.parts.alike);
    expect_part(&l, 0, 50, a);
    assert_int_equal(hear(&l, &dry), -1);
    line_clear(&l);
}

/* A unit that has not come whole, one that is large, more of them than parts, no room for all. */
static void test_odd_units(void **state)
{
    (void)state;
    struct line l;
    bool dry;
    char many[STAMP_PARTS + 9] = "";
    if (!line_init(&l)) skip();
    struct tcp_sent sent[2];
    say_all(&l, (const char *[]){"\5", "\7"}, 2, 20, sent);
    assert_int_equal(hear(&l, &dry), 100);
    assert_true(dry);
    expect_part(&l, 0, 50, sent[0]);
    expect_part(&l, 1, 100, sent[1]);
    say_all(&l, (const char *[]){"\5", "\372\5"}, 2, 0, sent); /* the first of the second has 2,500 bytes */
    assert_int_equal(hear(&l, &dry), 2600);
    assert_true(dry && l.parts.alike);
    assert_int_equal(l.parts.n, 2);
    expect_part(&l, 0, 50, sent[0]);
    expect_part(&l, 1, 2600, sent[1]);
    memset(many, 1, sizeof many - 1);
    struct tcp_sent a = say(&l, many, 0);
    assert_int_equal(hear(&l, &dry), 10 * (sizeof many - 1));
    assert_true(dry && l.parts.n == 1);
    expect_part(&l, 0, 10 * (sizeof many - 1), a);
    (void)say(&l, "\370\370", 0);
    assert_int_equal(hear(&l, &dry), sizeof l.bytes);
    assert_false(dry);
    assert_int_equal(hear(&l, &dry), 4960 - sizeof l.bytes);
    assert_true(dry);
    line_clear(&l);
}

/* The end and the failure of a connection come after its bytes, and neither is lost. */
static void test_units_end(void **state)
{
    (void)state;
    struct line l;
    bool dry;
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    if (!line_init(&l)) skip();
    (void)say(&l, "\5\5", 49); /* the second has a head only */
    close(l.there);
    poll(NULL, 0, 4);
    assert_int_equal(hear(&l, &dry), 51);
    assert_int_equal(l.parts.failed, 0);
    assert_int_equal(hear(&l, &dry), 0);
    l.there = -1;
    line_clear(&l);
    assert_true(line_init(&l));
    (void)say(&l, "\5\5", 49);
    assert_int_equal(setsockopt(l.there, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
    close(l.there);
    poll(NULL, 0, 4);
    assert_int_equal(hear(&l, &dry), 51);
    assert_int_equal(l.parts.failed, ECONNRESET);
    l.there = -1;
    line_clear(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_convert),      cmocka_unit_test(test_steps),
                                       cmocka_unit_test(test_kernel_stamp), cmocka_unit_test(test_units),
                                       cmocka_unit_test(test_odd_units),    cmocka_unit_test(test_units_end)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
