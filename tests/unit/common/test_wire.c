#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <msgpack.h>

#include "common/rng.h"
#include "common/unpack.h"
#include "common/fingerprint.h"
#include "common/wire.h"

static uint32_t OWN[] = {0, 3, 4, 9};
#define SHARD_INIT                                                                                                     \
    {                                                                                                                  \
        .kind = LOAD_OPEN, .slots = 5, .slots_all = 50, .rate_from = 1.5, .rate_to = 99.25,                            \
        .arrivals = ARRIVALS_GAMMA, .burstiness = 0.5, .seed = UINT64_MAX - 7, .requests_all = 1000, .requests = 10,   \
        .request_first = 20, .cycle = 10, .n_turns = 4, .turns = OWN, .duration_ns = INT64_C(60000000000),             \
        .warmup_ns = 2, .ramp_ns = 3, .drain_ns = 4, .before = UINT64_C(1) << 33, .part = 2049,                        \
    }
static const struct shard SHARD = SHARD_INIT;

/* One message of every type, every field different from zero and from its neighbours. */
static const struct wire_msg MESSAGES[WIRE_N] = {
    {.type = WIRE_HELLO,
     .u.hello = {"agent-1", "b00t", "0.1.0", "host-ä", 8, 100, 3.5, 65536, 12345678901234, "guard words", "kernel", 7,
                 9}},
    {.type = WIRE_WELCOME, .u.welcome = {"run-1", 3, 4, 10000000000, 1000000000}},
    {.type = WIRE_REFUSE, .u.refuse = {"too many", true}},
    {.type = WIRE_CLOCK, .u.clock = {5, -6}},
    {.type = WIRE_CLOCK_ECHO, .u.clock_echo = {5, INT64_MIN, INT64_MAX, 8}},
    {.type = WIRE_PLAN, .u.plan = {"abc123", {"\0plan", 5}, {"signed", 6}}},
    {.type = WIRE_PLAN_OK, .u.plan_ok = {"abc123", "no secret", ERR_SECRET}},
    {.type = WIRE_ARM, .u.arm = {1, 2, SHARD_INIT}},
    {.type = WIRE_READY, .u.ready = {1, 2, "no ports", ERR_LIMIT, "127.0.0.1:80", "open files 1024", "HTTP/2", 10, 20}},
    {.type = WIRE_GO, .u.go = {1, 2, 123456789012345}},
    {.type = WIRE_SNAPSHOT, .u.snapshot = {1, 2, 77, {"snap", 4}}},
    {.type = WIRE_ACK, .u.ack = {1, 2, 77}},
    {.type = WIRE_DONE, .u.done = {1, 2, 78, -250, "stopped", ERR_NET}},
    {.type = WIRE_HEARTBEAT, .u.heartbeat = {9, 10}},
    {.type = WIRE_STOP, .u.stop = {1, 2, true}},
    {.type = WIRE_BYE, .u.bye = {"done", ERR_NET}},
    {.type = WIRE_WANT, .u.want = {"abc123", 1 << 20}},
    {.type = WIRE_DATA, .u.data = {"abc123", 2 << 20, 3 << 20, {"\0data", 5}}},
    {.type = WIRE_PROBE, .u.probe = {6}},
    {.type = WIRE_PROBED, .u.probed = {6, {"a line\n", 7}, "status 401", ERR_NET, true, {{{1.25, 20}, {2, 3}}}}},
};

static struct buf encoded(const struct wire_msg *m)
{
    struct buf b = BUF_INIT(WIRE_MESSAGE_MAX);
    assert_int_equal(wire_encode(m, &b), 0);
    return b;
}

/* Decodes into memory of its own, flush against its end, so that the sanitizers see a read past it. */
static int decode(struct wire_msg *ret, const void *bytes, size_t n, struct err *e)
{
    void *exact = malloc(n ? n : 1);
    if (n) memcpy(exact, bytes, n);
    int rc = wire_decode(ret, exact, n, e);
    free(exact); /* and nothing of the message points into it */
    return rc;
}

#define SAME(m, f) assert_true(got.u.m.f == want->u.m.f)
#define SAME_TEXT(m, f) assert_string_equal(got.u.m.f, want->u.m.f)
#define SAME_BYTES(m, f)                                                                                               \
    (assert_int_equal(got.u.m.f.n, want->u.m.f.n), assert_memory_equal(got.u.m.f.data, want->u.m.f.data, want->u.m.f.n))
#define SAME_STAGE(m)                                                                                                  \
    do {                                                                                                               \
        SAME(m, stage);                                                                                                \
        SAME(m, epoch);                                                                                                \
    } while (0)

static void compare_shard(const struct shard *a, const struct shard *b)
{
    assert_memory_equal(a->turns, b->turns, b->n_turns * sizeof *b->turns);
    struct shard x = *a, y = *b;
    x.turns = y.turns = NULL;
    assert_true(x.kind == y.kind && x.slots == y.slots && x.slot_first == y.slot_first && x.slots_all == y.slots_all &&
                x.rate_from == y.rate_from);
    assert_true(x.rate_to == y.rate_to && x.arrivals == y.arrivals && x.burstiness == y.burstiness &&
                x.seed == y.seed && x.n_turns == y.n_turns);
    assert_true(x.requests_all == y.requests_all && x.requests == y.requests && x.request_first == y.request_first &&
                x.cycle == y.cycle && x.duration_ns == y.duration_ns);
    assert_true(x.warmup_ns == y.warmup_ns && x.ramp_ns == y.ramp_ns && x.drain_ns == y.drain_ns && x.part == y.part);
    assert_int_equal(x.before, y.before);
    assert_memory_equal(&x.costs, &y.costs, sizeof x.costs);
}

static void compare_setup(const struct wire_msg *want, struct wire_msg got)
{
    switch (want->type) {
    case WIRE_HELLO:
        SAME_TEXT(hello, name);
        SAME_TEXT(hello, boot_id);
        SAME_TEXT(hello, version);
        SAME_TEXT(hello, host);
        SAME_TEXT(hello, guard);
        SAME_TEXT(hello, stamps);
        SAME(hello, cores);
        SAME(hello, weight);
        SAME(hello, quota);
        SAME(hello, descriptors);
        SAME(hello, capacity);
        SAME_STAGE(hello);
        break;
    case WIRE_WELCOME:
        SAME_TEXT(welcome, run_id);
        SAME(welcome, epoch);
        SAME(welcome, agent);
        SAME(welcome, lease_ns);
        SAME(welcome, heartbeat_ns);
        break;
    case WIRE_REFUSE:
        SAME_TEXT(refuse, reason);
        SAME(refuse, retry);
        break;
    case WIRE_CLOCK:
        SAME(clock, seq);
        SAME(clock, t1);
        break;
    case WIRE_CLOCK_ECHO:
        SAME(clock_echo, seq);
        SAME(clock_echo, t1);
        SAME(clock_echo, t2);
        SAME(clock_echo, t3);
        break;
    case WIRE_WANT:
        SAME_TEXT(want, hash);
        SAME(want, offset);
        break;
    case WIRE_DATA:
        SAME_TEXT(data, hash);
        SAME(data, offset);
        SAME(data, size);
        SAME_BYTES(data, bytes);
        break;
    case WIRE_PROBE:
        SAME(probe, number);
        break;
    case WIRE_PROBED:
        SAME(probed, number);
        SAME_BYTES(probed, said);
        SAME_TEXT(probed, error);
        SAME(probed, code);
        SAME(probed, final);
        assert_memory_equal(&want->u.probed.costs, &got.u.probed.costs, sizeof got.u.probed.costs);
        break;
    case WIRE_PLAN:
        SAME_TEXT(plan, hash);
        SAME_BYTES(plan, plan);
        SAME_BYTES(plan, signature);
        break;
    case WIRE_PLAN_OK:
        SAME_TEXT(plan_ok, hash);
        SAME_TEXT(plan_ok, error);
        SAME(plan_ok, code);
        break;
    default:
        fail();
    }
}

static void compare(const struct wire_msg *want, struct wire_msg got)
{
    assert_int_equal(got.type, want->type);
    switch (want->type) {
    case WIRE_ARM:
        SAME_STAGE(arm);
        compare_shard(&got.u.arm.shard, &want->u.arm.shard);
        break;
    case WIRE_READY:
        SAME_STAGE(ready);
        SAME_TEXT(ready, error);
        SAME(ready, code);
        SAME_TEXT(ready, address);
        SAME_TEXT(ready, limit);
        SAME_TEXT(ready, http);
        SAME(ready, streams);
        SAME(ready, connections);
        break;
    case WIRE_GO:
        SAME_STAGE(go);
        SAME(go, t0_ns);
        break;
    case WIRE_SNAPSHOT:
        SAME_STAGE(snapshot);
        SAME(snapshot, seq);
        SAME_BYTES(snapshot, snapshot);
        break;
    case WIRE_ACK:
        SAME_STAGE(ack);
        SAME(ack, seq);
        break;
    case WIRE_DONE:
        SAME_STAGE(done);
        SAME(done, seq);
        SAME(done, start_skew_ns);
        SAME_TEXT(done, error);
        SAME(done, code);
        break;
    case WIRE_HEARTBEAT:
        SAME(heartbeat, seq);
        SAME(heartbeat, now_ns);
        break;
    case WIRE_STOP:
        SAME_STAGE(stop);
        SAME(stop, now);
        break;
    case WIRE_BYE:
        SAME_TEXT(bye, reason);
        break;
    default:
        compare_setup(want, got);
    }
}

static void test_every_message_round_trips(void **state)
{
    (void)state;
    for (int t = 0; t < WIRE_N; t++) {
        struct wire_msg m;
        struct err e = {0};
        struct buf b = encoded(&MESSAGES[t]);
        if (decode(&m, b.data, b.len, &e)) fail_msg("%s: %s", wire_type_name((enum wire_type)t), e.text);
        compare(&MESSAGES[t], m);
        wire_msg_clear(&m);
        wire_msg_clear(&m);
        buf_clear(&b);
        /* all zero is a message too (but an empty shard is none) */
        struct wire_msg zero = {.type = (enum wire_type)t};
        b = encoded(&zero);
        int rc = decode(&m, b.data, b.len, &e);
        assert_int_equal(rc, t == WIRE_ARM ? -1 : 0);
        if (rc == 0) assert_int_equal(m.type, t);
        wire_msg_clear(&m);
        buf_clear(&b);
    }
    assert_string_equal(wire_type_name(WIRE_CLOCK_ECHO), "CLOCK_ECHO");
    assert_string_equal(wire_type_name(WIRE_N), "?");
    assert_int_equal(wire_type_direction(WIRE_HELLO), 'A');
    assert_int_equal(wire_type_direction(WIRE_GO), 'C');
}

static void test_shard_is_taken(void **state)
{
    (void)state;
    struct wire_msg m;
    struct buf b = encoded(&MESSAGES[WIRE_ARM]);
    assert_int_equal(decode(&m, b.data, b.len, NULL), 0);
    struct shard mine = m.u.arm.shard;
    m.u.arm.shard = (struct shard){0};
    wire_msg_clear(&m);
    compare_shard(&mine, &SHARD);
    shard_clear(&mine);
    m = MESSAGES[WIRE_ARM]; /* a message to send borrows: clearing it must not free */
    wire_msg_clear(&m);
    assert_int_equal(OWN[3], 9);
    buf_clear(&b);
}

static void refuse(const void *bytes, size_t n, const char *why)
{
    struct wire_msg m;
    struct err e = {0};
    if (decode(&m, bytes, n, &e) == 0) fail_msg("accepted, but: %s", why);
    assert_int_equal(e.code, ERR_WIRE);
    if (!strstr(e.text, why)) fail_msg("\"%s\" says nothing of \"%s\"", e.text, why);
    assert_null(m.memory);
}

static void test_version_mismatch_names_both(void **state)
{
    (void)state;
    struct buf b = BUF_INIT(100);
    msgpack_packer pk;
    msgpack_packer_init(&pk, &b, buf_pack);
    msgpack_pack_array(&pk, 3);
    msgpack_pack_int(&pk, 17);
    msgpack_pack_str_with_body(&pk, "another world", 13);
    msgpack_pack_nil(&pk);
    refuse(b.data, b.len, "wire version 17");
    char here[40];
    (void)snprintf(here, sizeof here, "speaks version %u", WIRE_VERSION);
    refuse(b.data, b.len, here);
    buf_clear(&b);
}

/* A HELLO of another release is refused by its first two fields, whatever the others are. */
static void test_other_tables_are_named(void **state)
{
    (void)state;
    struct buf b = BUF_INIT(100);
    msgpack_packer pk;
    msgpack_packer_init(&pk, &b, buf_pack);
    msgpack_pack_array(&pk, 5);
    msgpack_pack_int(&pk, WIRE_VERSION);
    msgpack_pack_int(&pk, WIRE_HELLO);
    msgpack_pack_uint64(&pk, wire_fingerprint() ^ 1);
    msgpack_pack_str_with_body(&pk, "9.8.7", 5);
    msgpack_pack_nil(&pk);
    refuse(b.data, b.len, "plateau 9.8.7 with tables");
    refuse(b.data, b.len, "this is plateau " PLATEAU_VERSION " with tables");
    char here[40];
    (void)snprintf(here, sizeof here, "%016" PRIx64, wire_fingerprint());
    refuse(b.data, b.len, here);
    buf_reset(&b);
    msgpack_pack_array(&pk, 3);
    msgpack_pack_int(&pk, WIRE_VERSION);
    msgpack_pack_int(&pk, WIRE_HELLO);
    msgpack_pack_str_with_body(&pk, "a name", 6);
    refuse(b.data, b.len, "tables or version");
    buf_clear(&b);
}

/* Each fact that two programs must share changes it. */
static void test_fingerprint(void **state)
{
    (void)state;
    uint64_t h = fingerprint_text(FINGERPRINT_INIT, "a");
    assert_true(fingerprint_text(h, "bc") != fingerprint_text(fingerprint_text(FINGERPRINT_INIT, "ab"), "c"));
    assert_true(fingerprint_u64(h, 1) != fingerprint_u64(h, UINT64_C(1) << 56));
    assert_true(wire_fingerprint() != 0 && wire_fingerprint() == wire_fingerprint());
}

static void test_cut_and_trailing(void **state)
{
    (void)state;
    for (int t = 0; t < WIRE_N; t++) {
        struct buf b = encoded(&MESSAGES[t]);
        for (size_t cut = 0; cut < b.len; cut++)
            refuse(b.data, cut, "message");
        assert_int_equal(buf_putc(&b, 0), 0);
        refuse(b.data, b.len, "bytes after its end");
        b.data[0]++; /* one element more, and it is there */
        refuse(b.data, b.len, t == WIRE_HELLO ? "message" : "fields, expected");
        buf_clear(&b);
    }
}

/* Each byte of each message replaced by each value: refused or read, never more (the sanitizers watch). */
static void test_every_byte_changed(void **state)
{
    (void)state;
    for (int t = 0; t < WIRE_N; t++) {
        struct buf b = encoded(&MESSAGES[t]);
        for (size_t i = 0; i < b.len; i++) {
            uint8_t was = b.data[i];
            for (unsigned v = 0; v < 256; v++) {
                struct wire_msg m;
                b.data[i] = (uint8_t)v;
                if (decode(&m, b.data, b.len, NULL) == 0) {
                    struct buf again = encoded(&m); /* what was accepted is a message */
                    buf_clear(&again);
                }
                wire_msg_clear(&m);
            }
            b.data[i] = was;
        }
        buf_clear(&b);
    }
}

#define BYTES(s) s, sizeof s - 1
static void test_hostile_table(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t n;
        const char *why;
    } BAD[] = {
        {BYTES("\xdd\xff\xff\xff\xff\x01\x0f"), "not a message"}, /* 2^32 - 1 elements */
        {BYTES("\xdc\xff\xff\x01\x0f"), "not a message"},
        {BYTES("\x91\x01"), "not a message"}, /* no type */
        {BYTES("\x90"), "not a message"},
        {BYTES("\x83\x01\x0f\xa0"), "not a message"},     /* a map */
        {BYTES("\x93\xa1\x31\x0f\xa0"), "not a message"}, /* version as text */
        {BYTES("\x93\xff\x0f\xa0"), "not a message"},     /* version -1 */
        {BYTES("\x93\x05\x7e\xa0"), "unknown type"},
        {BYTES("\x93\x05\xce\xff\xff\xff\xff\xa0"), "unknown type"},
        {BYTES("\x93\x05\xff\xa0"), "unknown type"},
        {BYTES("\x93\x05\xcb\x40\x2e\0\0\0\0\0\0\xa0"), "unknown type"}, /* 15.0 */
        {BYTES("\x92\x05\x0f"), "0 fields, expected 2"},
        {BYTES("\x95\x05\x0f\xa0\x00\xa0"), "3 fields, expected 2"},
        {BYTES("\x94\x05\x0f\xc4\x01x\0"), "reason"},                        /* bytes for text */
        {BYTES("\x94\x05\x0f\xc0\0"), "reason"},                             /* nil */
        {BYTES("\x94\x05\x0f\xc1\0"), "reason"},                             /* never used */
        {BYTES("\x94\x05\x0f\x91\x91\x91\x91\x91\x91\x91\x90\0"), "reason"}, /* nested */
        {BYTES("\x94\x05\x0f\xdb\xff\xff\xff\xff\0"), "reason"},             /* 4 GiB of text */
        {BYTES("\x94\x05\x0f\xda\xff\xffxx\0"), "reason"},
        {BYTES("\x94\x05\x0f\xa3"
               "a\0b\0"),
         "reason"}, /* NUL */
        {BYTES("\x94\x05\x0f\xa3"
               "a\nb\0"),
         "reason"},
        {BYTES("\x94\x05\x0f\xa3"
               "a\x1b[\0"),
         "reason"}, /* escape */
        {BYTES("\x94\x05\x0f\xa1\x7f\0"), "reason"},
        {BYTES("\x94\x05\x0f\xa2\xc2\x85\0"), "reason"}, /* C1 control */
        {BYTES("\x94\x05\x0f\xa1\x80\0"), "reason"},     /* not UTF-8 … */
        {BYTES("\x94\x05\x0f\xa1\xc3\0"), "reason"},
        {BYTES("\x94\x05\x0f\xa2\xc0\x80\0"), "reason"},
        {BYTES("\x94\x05\x0f\xa3\xe0\x80\x80\0"), "reason"},
        {BYTES("\x94\x05\x0f\xa3\xed\xa0\x80\0"), "reason"},
        {BYTES("\x94\x05\x0f\xa4\xf4\x90\x80\x80\0"), "reason"},
        {BYTES("\x94\x05\x0f\xa4\xf0\x80\x80\x80\0"), "reason"},
        {BYTES("\x94\x05\x0d\x01\xcf\x80\0\0\0\0\0\0\0"), "now_ns"},     /* 2^63 for a signed field */
        {BYTES("\x94\x05\x0d\xff\x01"), "seq"},                          /* -1 for an unsigned one */
        {BYTES("\x94\x05\x03\xcf\0\0\0\x01\0\0\0\0\x01"), "seq"},        /* 2^32 for 32 bits */
        {BYTES("\x95\x05\x0e\x01\x02\x01"), "now"},                      /* 1 is no bool */
        {BYTES("\x95\x05\x05\xa0\xc6\xff\xff\xff\xff\xc4\x00"), "plan"}, /* 4 GiB of bytes */
        {BYTES("\x95\x05\x07\x01\x02\x90"), "shard"},
        {BYTES("\x95\x05\x07\x01\x02\xdd\xff\xff\xff\xff"), "shard"},
    };
    struct mallinfo2 before = mallinfo2();
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++)
        refuse(BAD[i].bytes, BAD[i].n, BAD[i].why);
    assert_true(mallinfo2().arena - before.arena < 1 << 20);
    struct wire_msg m;
    assert_int_equal(decode(&m, BYTES("\x94\x05\x0f\xa4\xf4\x8f\xbf\xbf\0"), NULL),
                     0); /* the last character there is */
    wire_msg_clear(&m);
    assert_int_equal(decode(&m, BYTES("\x94\x05\x0f\xd9\x02\xc2\xa0\0"), NULL), 0);
    wire_msg_clear(&m);
}

static void test_over_limits(void **state)
{
    (void)state;
    static uint8_t big[WIRE_MESSAGE_MAX + 1] = {0x94, WIRE_VERSION, 0x0f,
                                                0xda, 0x02,         0x58}; /* 600 characters, one too many */
    memset(big + 6, 'x', 600);
    refuse(big, 606, "reason");
    big[5]--;
    struct wire_msg m;
    big[605] = 0; /* no code */
    assert_int_equal(decode(&m, big, 606, NULL), 0);
    assert_int_equal(strlen(m.u.bye.reason), 599);
    wire_msg_clear(&m);
    refuse(big, sizeof big, "at most");

    struct wire_msg plan = {.type = WIRE_PLAN, .u.plan = {"h", {big, WIRE_MESSAGE_MAX}, {"", 0}}};
    struct buf b = BUF_INIT(2 * WIRE_MESSAGE_MAX);
    assert_int_equal(wire_encode(&plan, &b), -1);
    buf_reset(&b);
    plan.u.plan.plan.n = WIRE_MESSAGE_MAX - 100;
    assert_int_equal(wire_encode(&plan, &b), 0);
    assert_int_equal(decode(&m, b.data, b.len, NULL), 0);
    assert_int_equal(m.u.plan.plan.n, WIRE_MESSAGE_MAX - 100);
    wire_msg_clear(&m);
    buf_clear(&b);
}

/* A server's answer may land in an error: it is made readable, never a message that the other side must refuse. */
static void test_words_are_cleaned(void **state)
{
    (void)state;
    char reason[2000];
    memset(reason, 'y', sizeof reason);
    static const char ODD[] = "a\nb\x1b[31m\xff\xc3\xa4\xe2\x82"; /* newline, escape, no UTF-8, ä, half a euro sign */
    memcpy(reason, ODD, sizeof ODD - 1);
    reason[sizeof reason - 1] = 0;
    struct wire_msg m = {.type = WIRE_BYE, .u.bye = {reason, ERR_NONE}}, got;
    struct buf b = encoded(&m);
    assert_int_equal(decode(&got, b.data, b.len, NULL), 0);
    assert_int_equal(strlen(got.u.bye.reason), 599);
    assert_memory_equal(got.u.bye.reason, "a?b?[31m?\xc3\xa4??yyy", 16);
    wire_msg_clear(&got);
    buf_clear(&b);
}

static void test_impossible_shards(void **state)
{
    (void)state;
    uint32_t unsorted[] = {3, 0, 4, 9}, beyond[] = {0, 3, 4, 10};
    struct shard bad[8];
    for (int i = 0; i < 8; i++)
        bad[i] = SHARD;
    bad[0].turns = unsorted;
    bad[1].turns = beyond;
    bad[2].cycle = 0;
    bad[3].cycle = SHARD_CYCLE_MAX + 1;
    bad[4].kind = (enum load_kind)7;
    bad[5].arrivals = (enum arrivals_kind)9;
    bad[6].rate_to = -1;
    bad[7].duration_ns = INT64_MAX;
    for (int i = 0; i < 8; i++) {
        struct buf b = encoded(&(struct wire_msg){.type = WIRE_ARM, .u.arm = {1, 2, bad[i]}});
        refuse(b.data, b.len, "ARM message: shard");
        buf_clear(&b);
    }
    /* a closed loop with arrivals of an impossible kind (found by fuzzing) */
    bad[0] = SHARD;
    bad[0].kind = LOAD_CLOSED;
    bad[0].burstiness = -1e300;
    struct buf closed = encoded(&(struct wire_msg){.type = WIRE_ARM, .u.arm = {1, 2, bad[0]}});
    refuse(closed.data, closed.len, "ARM message: shard");
    buf_clear(&closed);
    bad[0] = SHARD;
    bad[0].rate_from = (double)__builtin_inff();
    struct buf b = encoded(&(struct wire_msg){.type = WIRE_ARM, .u.arm = {1, 2, bad[0]}});
    refuse(b.data, b.len, "ARM message: shard");
    buf_clear(&b);
}

static void test_unknown_code_is_internal(void **state)
{
    (void)state;
    struct wire_msg m = MESSAGES[WIRE_DONE], got;
    m.u.done.code = 4000;
    struct buf b = encoded(&m);
    assert_int_equal(decode(&got, b.data, b.len, NULL), 0);
    assert_int_equal(got.u.done.code, ERR_INTERNAL);
    wire_msg_clear(&got);
    buf_clear(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_message_round_trips),
        cmocka_unit_test(test_shard_is_taken),
        cmocka_unit_test(test_version_mismatch_names_both),
        cmocka_unit_test(test_other_tables_are_named),
        cmocka_unit_test(test_fingerprint),
        cmocka_unit_test(test_cut_and_trailing),
        cmocka_unit_test(test_every_byte_changed),
        cmocka_unit_test(test_hostile_table),
        cmocka_unit_test(test_over_limits),
        cmocka_unit_test(test_words_are_cleaned),
        cmocka_unit_test(test_impossible_shards),
        cmocka_unit_test(test_unknown_code_is_internal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
