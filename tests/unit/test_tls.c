/* TLS on our own sockets against OpenSSL's server, which lives in memory here: a case decides which of its bytes come when. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "agent/stamp.h"
#include "agent/tls.h"
#include "common/clock.h"
#include "tests/unit/tls_server.h"

#define ADDRESS "192.0.2.1:443"
#define HOST "host.example.com"
static const int VERSIONS[] = {TLS1_2_VERSION, TLS1_3_VERSION};
enum { N_VERSIONS = sizeof VERSIONS / sizeof *VERSIONS };

/* Files that all cases share: an authority, another, a client of the first. */
static struct tls_pair authority, stranger, client;
static char ca_file[] = "/tmp/test_tls.XXXXXX", client_file[] = "/tmp/test_tls.XXXXXX", client_key[] = "/tmp/test_tls.XXXXXX";

static int make_files(void **state)
{
    (void)state;
    authority = tls_certify(NULL, "authority", NULL, true, TLS_DAY);
    stranger = tls_certify(NULL, "stranger", NULL, true, TLS_DAY);
    client = tls_certify(&authority, "client", NULL, false, TLS_DAY);
    tls_write_file(ca_file, authority.cert, NULL, NULL);
    tls_write_file(client_file, client.cert, NULL, NULL);
    tls_write_file(client_key, NULL, client.key, NULL);
    return 0;
}

static int drop_files(void **state)
{
    (void)state;
    tls_pair_free(&authority);
    tls_pair_free(&stranger);
    tls_pair_free(&client);
    unlink(ca_file);
    unlink(client_file);
    unlink(client_key);
    return 0;
}

/* ---- a target, a server in memory, a socket between them ---- */

struct peer {
    struct plan_target plan;
    struct target target;
    struct tls *tls;
    struct tls_conn *c;
    SSL_CTX *ctx;
    SSL *ssl;      /* reads from and writes into memory */
    int here, there; /* the ends of the socket: ours, the server's */
};

static void target_set(struct peer *p, const char *host)
{
    p->target.plan = &p->plan;
    p->target.host = (char *)(uintptr_t)host;
    p->target.tls = true;
    p->target.n_addresses = 2;
    for (int i = 0; i < 2; i++) snprintf(p->target.address[i].text, sizeof p->target.address[i].text, ADDRESS);
}

/* Trusts `authority`; the server's certificate is of it, for HOST. */
static void peer_init(struct peer *p, int version)
{
    struct err e = {0};
    struct tls_pair leaf = tls_certify(&authority, "leaf", "DNS:" HOST, false, TLS_DAY);
    *p = (struct peer){.plan = {.tls_verify = true, .tls_ca_file = ca_file}, .here = -1, .there = -1};
    target_set(p, HOST);
    p->ctx = tls_server_with(&leaf);
    SSL_CTX_set_min_proto_version(p->ctx, version);
    SSL_CTX_set_max_proto_version(p->ctx, version);
    p->tls = tls_new(&p->target, &e);
    if (!p->tls) fail_msg("%s", e.text);
    tls_pair_free(&leaf);
}

static void peer_close(struct peer *p)
{
    tls_conn_destroy(&p->c);
    assert_null(p->c);
    SSL_free(p->ssl);
    p->ssl = NULL;
    if (p->here >= 0) close(p->here);
    if (p->there >= 0) close(p->there);
    p->here = p->there = -1;
}

static void peer_clear(struct peer *p)
{
    peer_close(p);
    tls_destroy(&p->tls);
    assert_null(p->tls);
    SSL_CTX_free(p->ctx);
}

static void tcp_pair(int ret[2])
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&a, &len), 0);
    ret[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(ret[0], (struct sockaddr *)&a, sizeof a), 0);
    ret[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(ret[1] >= 0);
    close(listener);
}

/* A new connection; no handshake yet. */
static void peer_open(struct peer *p, bool tcp, uint32_t address)
{
    int ends[2];
    if (tcp)
        tcp_pair(ends);
    else
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    p->here = ends[0];
    p->there = ends[1];
    p->ssl = SSL_new(p->ctx);
    SSL_set_bio(p->ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_accept_state(p->ssl);
    p->c = tls_conn_new(p->tls, p->here, address);
    assert_non_null(p->c);
}

/* What we sent goes to the server. */
static size_t to_server(struct peer *p)
{
    char bytes[16384];
    size_t all = 0;
    for (ssize_t n; (n = recv(p->there, bytes, sizeof bytes, MSG_DONTWAIT)) > 0; all += (size_t)n)
        assert_int_equal(BIO_write(SSL_get_rbio(p->ssl), bytes, (int)n), n);
    return all;
}

/* So many bytes of what the server has to say come to us; how many it were. */
static size_t to_us(struct peer *p, size_t most)
{
    char bytes[16384];
    size_t all = 0;
    while (all < most) {
        int n = BIO_read(SSL_get_wbio(p->ssl), bytes, (int)(most - all < sizeof bytes ? most - all : sizeof bytes));
        if (n <= 0) break;
        assert_int_equal(send(p->there, bytes, (size_t)n, MSG_NOSIGNAL), n);
        all += (size_t)n;
    }
    return all;
}

/* Until both have done all they can: as tls_handshake. */
static int shake(struct peer *p)
{
    uint32_t events = 0;
    for (int i = 0; i < 20; i++) {
        int rc = tls_handshake(p->c, &events);
        if (rc < 0) return rc; /* OpenSSL's reason is still there */
        to_server(p);
        SSL_do_handshake(p->ssl);
        ERR_clear_error();
        to_us(p, SIZE_MAX);
        if (rc == 1) return 1;
        assert_int_equal(events, EPOLLIN);
    }
    return 0;
}

static void peer_connect(struct peer *p, bool tcp, uint32_t address)
{
    peer_open(p, tcp, address);
    assert_int_equal(shake(p), 1);
    assert_true(SSL_is_init_finished(p->ssl));
}

/* The server says n bytes in a record of their own; they are not sent yet. */
static void say(struct peer *p, const void *bytes, size_t n) { assert_int_equal(SSL_write(p->ssl, bytes, (int)n), n); }

static ssize_t take(struct peer *p, void *bytes, size_t n, bool more)
{
    int64_t wall;
    errno = 0;
    return tls_read(p->c, bytes, n, more, &wall);
}

static void expect_nothing(struct peer *p, bool more)
{
    char byte;
    assert_int_equal(take(p, &byte, 1, more), -1);
    assert_int_equal(errno, EAGAIN);
    assert_false(tls_ended(p->c));
}

static int waiting(const struct peer *p)
{
    int n = -1;
    assert_int_equal(ioctl(p->here, FIONREAD, &n), 0);
    return n;
}

/* ---- handshake ---- */

static int choose_http1(SSL *ssl, const unsigned char **ret, unsigned char *ret_n, const unsigned char *in, unsigned n, void *arg)
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
    while (send(p.here, fill, sizeof fill, MSG_DONTWAIT) > 0) {}
    assert_int_equal(tls_handshake(p.c, &events), 0);
    assert_int_equal(events, EPOLLOUT);
    while (recv(p.there, fill, sizeof fill, MSG_DONTWAIT) > 0) {}
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
    if (!said && !reset) assert_true(to_server(&p) > 0); /* whoever closes with bytes unread resets */
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
    expect_no_tls("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", false, "no TLS with " ADDRESS ": wrong version number");
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
        for (size_t k = 0; k < sizeof said; k++) said[k] = (char)('a' + k % 23);
        for (size_t k = 0; k < RECORDS; k++) say(&p, said + k * EACH, EACH);
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
        for (size_t k = 0; k < sizeof said; k++) said[k] = (char)('a' + k % 23);
        for (size_t k = 0; k < sizeof said; k += 100) say(&p, said + k, 100);
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
    /* the socket stays silent behind close_notify; the end that only TCP has said is an event of its own */
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
        for (enum goodbye how = NOTIFIED; how <= CUT; how++) expect_end(VERSIONS[i], how);
}

/* The bytes fill the caller's buffer: the end behind them is told by the next call that leaves the socket alone. */
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

/* What is no TLS in the middle of it is a broken connection, behind the bytes before it. */
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
    for (size_t k = 0; k < ALL; k++) said[k] = (char)(k * 2654435761u >> 13);
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
            for (int n; have < ALL && (n = SSL_read(p.ssl, heard + have, (int)(ALL - have))) > 0;) have += (size_t)n;
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
    assert_int_equal(tls_read(p.c, bytes, 2, true, &wall), 2);
    assert_in_range(wall, between, clock_wall_ns());
    int64_t same = wall;
    assert_int_equal(tls_read(p.c, bytes, sizeof bytes, false, &wall), 4);
    assert_true(wall == same);
    assert_int_equal(setsockopt(p.here, SOL_SOCKET, SO_TIMESTAMPNS, &off, sizeof off), 0);
    say(&p, "none", 4);
    to_us(&p, SIZE_MAX);
    assert_int_equal(poll(&pfd, 1, 1000), 1);
    assert_int_equal(tls_read(p.c, bytes, sizeof bytes, true, &wall), 4);
    assert_true(wall == 0);
    peer_clear(&p);
    close(hold);
}

/* ---- sessions ---- */

static void test_session(void **state)
{
    (void)state;
    for (int i = 0; i < N_VERSIONS; i++) {
        struct peer p;
        peer_init(&p, VERSIONS[i]);
        for (int k = 0; k < 3; k++) {
            peer_connect(&p, false, 1);
            assert_int_equal(SSL_session_reused(p.ssl), k > 0);
            expect_nothing(&p, true); /* takes the sessions that came behind the handshake */
            assert_int_equal(tls_write(p.c, "hello", 5), 5);
            peer_close(&p);
        }
        peer_connect(&p, false, 0); /* another address may be another server */
        assert_int_equal(SSL_session_reused(p.ssl), 0);
        peer_clear(&p);
    }
}

/* ---- certificates ---- */

#define NOT_ACCEPTED "the certificate of " ADDRESS " is not accepted: "
#define HINT " (target.tls.ca_file names the authority to trust)"
static const struct certificate {
    const char *host, *names;
    long seconds;
    bool unknown;    /* of an authority that is not in ca_file */
    const char *why; /* NULL: accepted */
} CERTIFICATES[] = {
    {HOST, "DNS:" HOST, TLS_DAY, false, NULL},
    {"HOST.Example.com.", "DNS:other.invalid,DNS:" HOST, TLS_DAY, false, NULL},
    {HOST, "DNS:*.example.com", TLS_DAY, false, NULL},
    {"127.0.0.1", "IP:127.0.0.1", TLS_DAY, false, NULL},
    {"[::1]", "DNS:other.invalid,IP:::1", TLS_DAY, false, NULL},
    {HOST, "DNS:" HOST, TLS_DAY, true, NOT_ACCEPTED "unable to get local issuer certificate" HINT},
    {HOST, "DNS:" HOST, -60, false, NOT_ACCEPTED "certificate has expired" HINT},
    {HOST, "DNS:other.invalid", TLS_DAY, false, NOT_ACCEPTED "no subject name in it is " HOST ", the host of target.url"},
    {"a.b.example.com", "DNS:*.example.com", TLS_DAY, false, NOT_ACCEPTED "no subject name in it is a.b.example.com, the host of target.url"},
    {HOST, "DNS:h*.example.com", TLS_DAY, false, NOT_ACCEPTED "no subject name in it is " HOST ", the host of target.url"},
    {"127.0.0.1", "IP:127.0.0.2", TLS_DAY, false, NOT_ACCEPTED "no subject name in it is 127.0.0.1, the host of target.url"},
    {"127.0.0.1", "DNS:127.0.0.1", TLS_DAY, false, NOT_ACCEPTED "no subject name in it is 127.0.0.1, the host of target.url"},
    {"[::1]", "IP:::2", TLS_DAY, false, NOT_ACCEPTED "no subject name in it is ::1, the host of target.url"},
};

static void try_certificate(const struct certificate *t, int version, bool verify)
{
    struct peer p;
    struct err e = {0};
    struct tls_pair leaf = tls_certify(t->unknown ? &stranger : &authority, "leaf", t->names, false, t->seconds);
    peer_init(&p, version);
    p.plan.tls_verify = verify;
    target_set(&p, t->host);
    tls_destroy(&p.tls);
    p.tls = tls_new(&p.target, &e);
    assert_int_equal(SSL_CTX_use_certificate(p.ctx, leaf.cert), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(p.ctx, leaf.key), 1);
    peer_open(&p, false, 0);
    int rc = shake(&p);
    if (rc < 0) tls_why(p.c, &e);
    assert_string_equal(e.text, t->why && verify ? t->why : "");
    assert_int_equal(rc, t->why && verify ? -1 : 1);
    peer_clear(&p);
    tls_pair_free(&leaf);
}

static void test_certificates(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof CERTIFICATES / sizeof *CERTIFICATES; i++)
        for (int k = 0; k < N_VERSIONS; k++) {
            try_certificate(&CERTIFICATES[i], VERSIONS[k], true);
            try_certificate(&CERTIFICATES[i], VERSIONS[k], false);
        }
}

/* An address is no server name. */
static void test_no_server_name(void **state)
{
    (void)state;
    static const char *const HOSTS[] = {"127.0.0.1", "[::1]"};
    for (int i = 0; i < 2; i++) {
        struct peer p;
        struct err e = {0};
        peer_init(&p, TLS1_3_VERSION);
        p.plan.tls_verify = false;
        target_set(&p, HOSTS[i]);
        tls_destroy(&p.tls);
        p.tls = tls_new(&p.target, &e);
        peer_connect(&p, false, 0);
        assert_null(SSL_get_servername(p.ssl, TLSEXT_NAMETYPE_host_name));
        peer_clear(&p);
    }
}

static void test_client_certificate(void **state)
{
    (void)state;
    for (int i = 0; i < 2 * N_VERSIONS; i++) {
        struct peer p;
        struct err e = {0};
        peer_init(&p, VERSIONS[i / 2]);
        assert_int_equal(X509_STORE_add_cert(SSL_CTX_get_cert_store(p.ctx), authority.cert), 1);
        SSL_CTX_set_verify(p.ctx, SSL_VERIFY_PEER, NULL);
        if (i % 2) p.plan.tls_cert_file = client_file;
        if (i % 2) p.plan.tls_key_file = client_key;
        tls_destroy(&p.tls);
        p.tls = tls_new(&p.target, &e);
        if (!p.tls) fail_msg("%s", e.text);
        peer_connect(&p, false, 0);
        const X509 *shown = SSL_get0_peer_certificate(p.ssl);
        assert_int_equal(shown != NULL, i % 2);
        if (shown) assert_int_equal(X509_cmp(shown, client.cert), 0);
        peer_clear(&p);
    }
}

/* ---- files ---- */

static void expect_no_file(const char *ca, const char *cert, const char *key, const char *why)
{
    struct plan_target plan = {.tls_verify = true, .tls_ca_file = ca, .tls_cert_file = cert, .tls_key_file = key};
    struct peer p = {.plan = plan};
    struct err e = {0};
    target_set(&p, HOST);
    ERR_clear_error();
    p.tls = tls_new(&p.target, &e);
    assert_int_equal(ERR_peek_error(), 0); /* nothing is left for the next who asks */
    assert_null(p.tls);
    assert_int_equal(e.code, ERR_NET);
    if (!strstr(e.text, why)) fail_msg("\"%s\" is not in \"%s\"", why, e.text);
}

static void test_files(void **state)
{
    (void)state;
    char other[] = "/tmp/test_tls.XXXXXX", secret[] = "/tmp/test_tls.XXXXXX", rsa[] = "/tmp/test_tls.XXXXXX", text[256], password[] = "password";
    EVP_PKEY *rsa_key = EVP_RSA_gen(2048);
    tls_write_file(other, NULL, stranger.key, NULL);
    tls_write_file(secret, NULL, client.key, password);
    tls_write_file(rsa, NULL, rsa_key, NULL);
    EVP_PKEY_free(rsa_key);
    expect_no_file("/absent/ca.pem", NULL, NULL, "target.tls.ca_file: /absent/ca.pem cannot be read as certificates: No such file or directory");
    expect_no_file(client_key, NULL, NULL, "cannot be read as certificates: no certificate or crl found");
    expect_no_file(ca_file, "/absent/c.pem", client_key, "target.tls.cert_file: /absent/c.pem cannot be read as a certificate: No such file or directory");
    expect_no_file(ca_file, client_key, client_key, "cannot be read as a certificate: no start line");
    expect_no_file(ca_file, client_file, "/absent/k.pem", "target.tls.key_file: /absent/k.pem cannot be read as a key without a password: No such file or directory");
    expect_no_file(ca_file, client_file, client_file, "cannot be read as a key without a password");
    expect_no_file(ca_file, client_file, secret, "cannot be read as a key without a password");
    snprintf(text, sizeof text, "target.tls.key_file: %s is not the key of %s", other, client_file);
    expect_no_file(ca_file, client_file, other, text);
    snprintf(text, sizeof text, "target.tls.key_file: %s is not the key of %s", rsa, client_file);
    expect_no_file(ca_file, client_file, rsa, text);
    unlink(other);
    unlink(secret);
    unlink(rsa);
}

/* A process has few types of BIO, and a worker makes a new `struct tls` for each plan. */
static void test_types_are_not_used_up(void **state)
{
    (void)state;
    struct peer p;
    peer_init(&p, TLS1_3_VERSION);
    peer_clear(&p);
    int before = BIO_get_new_index();
    for (int i = 0; i < 3; i++) {
        peer_init(&p, TLS1_3_VERSION);
        peer_clear(&p);
    }
    assert_int_equal(BIO_get_new_index(), before + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_versions),
        cmocka_unit_test(test_old_version),
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
        cmocka_unit_test(test_session),
        cmocka_unit_test(test_certificates),
        cmocka_unit_test(test_no_server_name),
        cmocka_unit_test(test_client_certificate),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_types_are_not_used_up),
    };
    return cmocka_run_group_tests(tests, make_files, drop_files);
}
