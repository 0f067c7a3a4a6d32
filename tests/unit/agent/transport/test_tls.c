/* TLS on our own sockets against OpenSSL's server: the handshake, and bytes in and out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/tls_peer.h"

/* ---- handshake ---- */

static int choose_http1(SSL *ssl, const unsigned char **ret, unsigned char *ret_n, const unsigned char *in, unsigned n,
                        void *arg)
{
    (void)ssl, (void)arg;
    if (n != 9 || memcmp(in, "\x08http/1.1", 9) != 0) return SSL_TLSEXT_ERR_ALERT_FATAL;
    *ret = in + 1;
    *ret_n = 8;
    return SSL_TLSEXT_ERR_OK;
}

static void test_versions(void **state)
{
    (void)state;
    for (int i = 0; i < N_VERSIONS; i++) {
        struct peer p;
        char bytes[16];
        const unsigned char *chosen;
        unsigned chosen_n;
        peer_init(&p, VERSIONS[i]);
        SSL_CTX_set_alpn_select_cb(p.ctx, choose_http1, NULL);
        peer_connect(&p, false, 0);
        assert_int_equal(SSL_version(p.ssl), VERSIONS[i]);
        assert_string_equal(SSL_get_servername(p.ssl, TLSEXT_NAMETYPE_host_name), HOST);
        SSL_get0_alpn_selected(p.ssl, &chosen, &chosen_n);
        assert_int_equal(chosen_n, 8);
        assert_memory_equal(chosen, "http/1.1", 8);
        expect_nothing(&p, true); /* sessions are no bytes of anybody's */
        assert_int_equal(tls_write(p.c, "hello", 5), 5);
        to_server(&p);
        assert_int_equal(SSL_read(p.ssl, bytes, sizeof bytes), 5);
        assert_memory_equal(bytes, "hello", 5);
        say(&p, "answer", 6);
        to_us(&p, SIZE_MAX);
        assert_int_equal(take(&p, bytes, sizeof bytes, true), 6);
        assert_memory_equal(bytes, "answer", 6);
        expect_nothing(&p, true);
        peer_clear(&p);
    }
}

static void test_old_version(void **state)
{
    (void)state;
    struct peer p;
    struct err e = {0};
    peer_init(&p, TLS1_1_VERSION);
    SSL_CTX_set_security_level(p.ctx, 0); /* else it would not even try */
    peer_open(&p, false, 0);
    assert_int_equal(shake(&p), -1);
    tls_why(p.c, &e);
    assert_string_equal(e.text, "no TLS with " ADDRESS ": tlsv1 alert protocol version");
    peer_clear(&p);
}

static int choose_none(SSL *ssl, const unsigned char **out, unsigned char *outlen, const unsigned char *in,
                       unsigned int inlen, void *arg)
{
    (void)ssl, (void)out, (void)outlen, (void)in, (void)inlen, (void)arg;
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* A server that ends the handshake since it speaks nothing of what was offered: what that was is not turned around. */
static void test_no_protocol(void **state)
{
    (void)state;
    static const struct {
        enum plan_http http;
        const char *why;
    } OFFERS[] = {{HTTP_1, " does not speak HTTP/1.1 (it was offered http/1.1 in the TLS handshake): set target.http "
                           "to \"2\""},
                  {HTTP_2, " does not speak HTTP/2 (it was offered h2 in the TLS handshake): leave target.http at "
                           "\"1.1\""},
                  {HTTP_AUTO, " speaks neither HTTP/2 nor HTTP/1.1 (it was offered h2 and http/1.1 in the TLS "
                              "handshake): is target.url that of the API?"}};
    for (size_t i = 0; i < sizeof OFFERS / sizeof *OFFERS; i++) {
        struct peer p;
        struct err e = {0};
        peer_init(&p, TLS1_3_VERSION);
        tls_offer(p.tls, OFFERS[i].http);
        SSL_CTX_set_alpn_select_cb(p.ctx, choose_none, NULL);
        peer_open(&p, false, 0);
        assert_int_equal(shake(&p), -1);
        tls_why(p.c, &e);
        assert_memory_equal(e.text, ADDRESS, strlen(ADDRESS));
        assert_string_equal(e.text + strlen(ADDRESS), OFFERS[i].why);
        peer_clear(&p);
    }
}

/* Each byte of the server's in an event of its own. */
static void test_handshake_in_pieces(void **state)
{
    (void)state;
    for (int i = 0; i < N_VERSIONS; i++) {
        struct peer p;
        uint32_t events;
        int rc;
        peer_init(&p, VERSIONS[i]);
        peer_open(&p, false, 0);
        while ((rc = tls_handshake(p.c, &events)) == 0) {
            assert_int_equal(events, EPOLLIN);
            to_server(&p);
            SSL_do_handshake(p.ssl);
            assert_int_equal(to_us(&p, 1), 1);
        }
        assert_int_equal(rc, 1);
        peer_clear(&p);
    }
}

/* A socket without room for what we have to say asks for room. */
static void test_handshake_without_room(void **state)
{
    (void)state;
    struct peer p;
    uint32_t events = 0;
    char fill[4096] = {0};
    peer_init(&p, TLS1_3_VERSION);
    peer_open(&p, false, 0);
    while (send(p.here, fill, sizeof fill, MSG_DONTWAIT) > 0) {
    }
    assert_int_equal(tls_handshake(p.c, &events), 0);
    assert_int_equal(events, EPOLLOUT);
    while (recv(p.there, fill, sizeof fill, MSG_DONTWAIT) > 0) {
    }
    assert_int_equal(shake(&p), 1);
    peer_clear(&p);
}

static void expect_no_tls(const char *said, bool reset, const char *why)
{
    struct peer p;
    struct err e = {0};
    uint32_t events;
    peer_init(&p, TLS1_3_VERSION);
    peer_open(&p, true, 0);
    assert_int_equal(tls_handshake(p.c, &events), 0);
    if (said) assert_int_equal(send(p.there, said, strlen(said), 0), strlen(said));
    if (!said && !reset) assert_true(to_server(&p) > 0); /* a close with bytes unread resets */
    if (!said) close(p.there);
    if (!said) p.there = -1;
    assert_int_equal(tls_handshake(p.c, &events), -1);
    tls_why(p.c, &e);
    assert_string_equal(e.text, why);
    peer_clear(&p);
}

static void test_no_tls(void **state)
{
    (void)state;
    expect_no_tls("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", false,
                  "no TLS with " ADDRESS ": wrong version number (no TLS is spoken there: is it http://?)");
    expect_no_tls(NULL, false, "no TLS with " ADDRESS ": the connection was closed in the handshake");
    expect_no_tls(NULL, true, "no TLS with " ADDRESS ": Connection reset by peer");
}

/* ---- bytes ---- */

/* More than OpenSSL takes from a socket at once. */
static void test_many_records(void **state)
{
    (void)state;
    enum { RECORDS = 2000, EACH = 10 };
    static char bytes[65536], said[RECORDS * EACH];
    for (int i = 0; i < N_VERSIONS; i++) {
        struct peer p;
        peer_init(&p, VERSIONS[i]);
        peer_connect(&p, false, 0);
        for (size_t k = 0; k < sizeof said; k++)
            said[k] = (char)('a' + k % 23);
        for (size_t k = 0; k < RECORDS; k++)
            say(&p, said + k * EACH, EACH);
        assert_true(to_us(&p, SIZE_MAX) > 40000);
        assert_int_equal(take(&p, bytes, sizeof bytes, true), sizeof said);
        assert_memory_equal(bytes, said, sizeof said);
        assert_int_equal(waiting(&p), 0);
        expect_nothing(&p, true);
        peer_clear(&p);
    }
}

static void test_record_in_pieces(void **state)
{
    (void)state;
    for (int i = 0; i < N_VERSIONS; i++) {
        struct peer p;
        char bytes[64];
        peer_init(&p, VERSIONS[i]);
        peer_connect(&p, false, 0);
        expect_nothing(&p, true);
        say(&p, "whole", 5);
        while (to_us(&p, 1) == 1) {
            if (BIO_pending(SSL_get_wbio(p.ssl)) > 0) expect_nothing(&p, true);
        }
        assert_int_equal(take(&p, bytes, sizeof bytes, true), 5);
        assert_memory_equal(bytes, "whole", 5);
        /* one and a half: the whole one is not held back */
        say(&p, "first", 5);
        int first = (int)BIO_pending(SSL_get_wbio(p.ssl));
        say(&p, "second", 6);
        to_us(&p, (size_t)first + 7);
        assert_int_equal(take(&p, bytes, sizeof bytes, true), 5);
        expect_nothing(&p, true);
        to_us(&p, SIZE_MAX);
        assert_int_equal(take(&p, bytes, sizeof bytes, true), 6);
        assert_memory_equal(bytes, "second", 6);
        peer_clear(&p);
    }
}

/* What was read and did not fit the caller's buffer is had without the socket. */
static void test_full_buffer(void **state)
{
    (void)state;
    for (int i = 0; i < N_VERSIONS; i++) {
        struct peer p;
        char said[500], bytes[1000];
        peer_init(&p, VERSIONS[i]);
        peer_connect(&p, false, 0);
        expect_nothing(&p, true);
        for (size_t k = 0; k < sizeof said; k++)
            said[k] = (char)('a' + k % 23);
        for (size_t k = 0; k < sizeof said; k += 100)
            say(&p, said + k, 100);
        to_us(&p, SIZE_MAX);
        assert_int_equal(take(&p, bytes, 150, true), 150);
        assert_int_equal(waiting(&p), 0);
        say(&p, "later", 5);
        int later = (int)to_us(&p, SIZE_MAX);
        assert_int_equal(take(&p, bytes + 150, 10, false), 10);
        assert_int_equal(take(&p, bytes + 160, sizeof bytes - 160, false), 340);
        assert_memory_equal(bytes, said, sizeof said);
        expect_nothing(&p, false);
        assert_int_equal(waiting(&p), later);
        assert_int_equal(take(&p, bytes, sizeof bytes, true), 5);
        assert_memory_equal(bytes, "later", 5);
        peer_clear(&p);
    }
}

enum goodbye { NOTIFIED, SILENT, CUT };

static void expect_end(int version, enum goodbye how)
{
    struct peer p;
    char bytes[64];
    peer_init(&p, version);
    peer_connect(&p, false, 0);
    expect_nothing(&p, true);
    say(&p, "last", 4);
    if (how == NOTIFIED) SSL_shutdown(p.ssl);
    to_us(&p, SIZE_MAX);
    if (how == CUT) {
        say(&p, "lost", 4);
        to_us(&p, 9);
    }
    if (how != NOTIFIED) assert_int_equal(shutdown(p.there, SHUT_WR), 0);
    assert_int_equal(take(&p, bytes, sizeof bytes, true), 4);
    assert_memory_equal(bytes, "last", 4);
    /* the socket stays silent after close_notify; the end that only TCP reports is an event of its own */
    assert_int_equal(tls_ended(p.c), how == NOTIFIED);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(take(&p, bytes, sizeof bytes, true), 0);
        assert_true(tls_ended(p.c));
    }
    peer_clear(&p);
}

static void test_end(void **state)
{
    (void)state;
    for (int i = 0; i < N_VERSIONS; i++)
        for (enum goodbye how = NOTIFIED; how <= CUT; how++)
            expect_end(VERSIONS[i], how);
}

/* The bytes fill the caller's buffer: the end after them is reported by the next call that leaves the socket alone. */
static void test_end_behind_full_buffer(void **state)
{
    (void)state;
    struct peer p;
    char bytes[4];
    peer_init(&p, TLS1_3_VERSION);
    peer_connect(&p, false, 0);
    expect_nothing(&p, true);
    say(&p, "last", 4);
    SSL_shutdown(p.ssl);
    to_us(&p, SIZE_MAX);
    assert_int_equal(take(&p, bytes, 4, true), 4);
    assert_int_equal(take(&p, bytes, 4, false), 0);
    assert_true(tls_ended(p.c));
    peer_clear(&p);
}

static void test_reset(void **state)
{
    (void)state;
    for (int i = 0; i < N_VERSIONS; i++) {
        struct peer p;
        char byte;
        peer_init(&p, VERSIONS[i]);
        peer_connect(&p, true, 0);
        expect_nothing(&p, true);
        setsockopt(p.there, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1}, sizeof(struct linger));
        close(p.there);
        p.there = -1;
        for (int k = 0; k < 2; k++) {
            assert_int_equal(take(&p, &byte, 1, true), -1);
            assert_int_equal(errno, ECONNRESET);
            assert_true(tls_ended(p.c));
        }
        assert_int_equal(tls_write(p.c, "x", 1), -1);
        assert_int_equal(errno, EPIPE);
        peer_clear(&p);
    }
}

/* What is no TLS in the middle of it is a broken connection, after the bytes before it. */
static void test_garbage(void **state)
{
    (void)state;
    struct peer p;
    char bytes[64];
    peer_init(&p, TLS1_3_VERSION);
    peer_connect(&p, false, 0);
    expect_nothing(&p, true);
    say(&p, "good", 4);
    to_us(&p, SIZE_MAX);
    assert_int_equal(send(p.there, "HTTP/1.1 500\r\n\r\n", 16, 0), 16);
    assert_int_equal(take(&p, bytes, sizeof bytes, true), 4);
    assert_true(tls_ended(p.c));
    assert_int_equal(take(&p, bytes, sizeof bytes, true), -1);
    assert_int_equal(errno, ECONNRESET);
    peer_clear(&p);
}

/* Writes in pieces of one record until the socket takes no more; true when all is written. */
static bool write_some(struct peer *p, const char *bytes, size_t n, size_t *at)
{
    static char piece[2][16384]; /* not the same memory at the next try */
    static int turn;
    while (*at < n) {
        size_t step = n - *at < sizeof *piece ? n - *at : sizeof *piece;
        char *from = memcpy(piece[turn++ % 2], bytes + *at, step);
        errno = 0;
        ssize_t sent = tls_write(p->c, from, step);
        memset(from, 'X', step);
        if (sent > 0) {
            *at += (size_t)sent;
            continue;
        }
        assert_int_equal(sent, -1);
        assert_int_equal(errno, EAGAIN);
        return false;
    }
    return true;
}

/* While a write waits for room, the server's bytes are read, and its keys may change. */
static void test_large_write(void **state)
{
    (void)state;
    enum { ALL = 1000003 };
    static char said[ALL], heard[ALL];
    for (size_t k = 0; k < ALL; k++)
        said[k] = (char)(k * 2654435761u >> 13);
    for (int i = 0; i < N_VERSIONS; i++) {
        struct peer p;
        char bytes[64];
        size_t at = 0, have = 0;
        int waits = 0, changes = 0;
        peer_init(&p, VERSIONS[i]);
        peer_connect(&p, false, 0);
        expect_nothing(&p, true);
        while (have < ALL) {
            if (!write_some(&p, said, ALL, &at)) {
                waits++;
                if (VERSIONS[i] == TLS1_3_VERSION) {
                    assert_int_equal(SSL_key_update(p.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
                    changes++;
                }
                say(&p, "meanwhile", 9);
                to_us(&p, SIZE_MAX);
                assert_int_equal(take(&p, bytes, sizeof bytes, true), 9);
                assert_int_equal(tls_write(p.c, said + at, ALL - at < 16384 ? ALL - at : 16384), -1);
                assert_int_equal(errno, EAGAIN);
            }
            to_server(&p);
            for (int n; have < ALL && (n = SSL_read(p.ssl, heard + have, (int)(ALL - have))) > 0;)
                have += (size_t)n;
            ERR_clear_error();
        }
        assert_true(waits > 0);
        assert_int_equal(changes, VERSIONS[i] == TLS1_3_VERSION ? waits : 0);
        assert_int_equal(at, ALL);
        assert_memory_equal(heard, said, ALL);
        peer_clear(&p);
    }
}

/* A read has the stamp of the last bytes it took; one whose bytes had none does not take that of others. */
static void test_stamp(void **state)
{
    (void)state;
    struct peer p;
    char bytes[64];
    int64_t wall, between;
    int hold = stamp_hold(), off = 0;
    if (hold < 0) skip();
    peer_init(&p, TLS1_3_VERSION);
    peer_open(&p, true, 0);
    assert_int_equal(stamp_enable(p.here), 0);
    assert_int_equal(shake(&p), 1);
    expect_nothing(&p, true);
    say(&p, "halves", 6);
    to_us(&p, 10);
    struct pollfd pfd = {.fd = p.here, .events = POLLIN};
    assert_int_equal(poll(&pfd, 1, 1000), 1);
    expect_nothing(&p, true);
    poll(NULL, 0, 3);
    between = clock_wall_ns();
    to_us(&p, SIZE_MAX);
    assert_int_equal(poll(&pfd, 1, 1000), 1);
    assert_int_equal(tls_read(p.c, bytes, 2, true, &wall, NULL), 2);
    assert_in_range(wall, between, clock_wall_ns());
    int64_t same = wall;
    assert_int_equal(tls_read(p.c, bytes, sizeof bytes, false, &wall, NULL), 4);
    assert_true(wall == same);
    assert_int_equal(setsockopt(p.here, SOL_SOCKET, SO_TIMESTAMPNS, &off, sizeof off), 0);
    say(&p, "none", 4);
    to_us(&p, SIZE_MAX);
    assert_int_equal(poll(&pfd, 1, 1000), 1);
    assert_int_equal(tls_read(p.c, bytes, sizeof bytes, true, &wall, NULL), 4);
    assert_true(wall == 0);
    peer_clear(&p);
    close(hold);
}

/* Records that waited together have the stamp of their own segment each. */
static void test_parts(void **state)
{
    (void)state;
    struct peer p;
    struct stamp_parts parts;
    char bytes[64];
    struct tcp_sent sent[3];
    int64_t wall;
    int hold = stamp_hold();
    if (hold < 0) skip();
    peer_init(&p, TLS1_3_VERSION);
    peer_open(&p, true, 0);
    assert_int_equal(stamp_enable(p.here), 0);
    assert_int_equal(shake(&p), 1);
    expect_nothing(&p, true);
    for (int tries = 0, whole = 0; !whole; tries++) {
        size_t n = 0;
        assert_true(tries < TCP_TRIES);
        for (int i = 0; i < 3; i++) {
            say(&p, "record", (size_t)4 + (size_t)i);
            if (i == 1) say(&p, "and", 3); /* in one segment with it */
            sent[i].from = clock_wall_ns();
            n += to_us(&p, SIZE_MAX);
            sent[i].to = clock_wall_ns();
            poll(NULL, 0, 2);
        }
        whole = tcp_unmerged(p.there, n);
        assert_int_equal(tls_read(p.c, bytes, sizeof bytes, true, &wall, &parts), 18);
    }
    assert_memory_equal(bytes, "recorecorandrecord", 18);
    static const size_t ENDS[] = {4, 12, 18};
    assert_int_equal(parts.n, 3);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(parts.of[i].end, ENDS[i]);
        tcp_expect_sent(sent[i], parts.of[i].wall_ns);
    }
    assert_true(wall == parts.of[2].wall_ns && !parts.alike);
    assert_int_equal(tls_read(p.c, bytes, sizeof bytes, true, &wall, &parts), -1);
    assert_int_equal(parts.n, 0);
    say(&p, "last", 4); /* and half of a record, then the connection breaks */
    say(&p, "cut", 3);
    to_us(&p, 4 + 22 + 5);
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    assert_int_equal(setsockopt(p.there, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
    close(p.there);
    p.there = -1;
    poll(NULL, 0, 4);
    assert_int_equal(tls_read(p.c, bytes, sizeof bytes, true, &wall, &parts), 4);
    assert_true(tls_ended(p.c));
    assert_int_equal(tls_read(p.c, bytes, sizeof bytes, true, &wall, &parts), -1);
    assert_int_equal(errno, ECONNRESET);
    assert_string_equal(tls_reason(p.c), "the connection was reset");
    peer_clear(&p);
    close(hold);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_versions),
        cmocka_unit_test(test_old_version),
        cmocka_unit_test(test_no_protocol),
        cmocka_unit_test(test_handshake_in_pieces),
        cmocka_unit_test(test_handshake_without_room),
        cmocka_unit_test(test_no_tls),
        cmocka_unit_test(test_many_records),
        cmocka_unit_test(test_record_in_pieces),
        cmocka_unit_test(test_full_buffer),
        cmocka_unit_test(test_end),
        cmocka_unit_test(test_end_behind_full_buffer),
        cmocka_unit_test(test_reset),
        cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_large_write),
        cmocka_unit_test(test_stamp),
        cmocka_unit_test(test_parts),
    };
    return cmocka_run_group_tests(tests, make_files, drop_files);
}
