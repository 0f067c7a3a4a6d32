/* TLS on our own sockets and OpenSSL's server, which lives in memory: a case decides which of its bytes come when. */
#pragma once
#include <errno.h>
#include <openssl/err.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "agent/transport/stamp.h"
#include "agent/transport/tls.h"
#include "common/clock.h"
#include "tests/unit/tcp_pair.h"
#include "tests/unit/tls_server.h"

#define ADDRESS "192.0.2.1:443"
#define HOST "host.example.com"
static const int VERSIONS[] = {TLS1_2_VERSION, TLS1_3_VERSION};
enum { N_VERSIONS = sizeof VERSIONS / sizeof *VERSIONS };

/* Files that all cases share: an authority, another, a client of the first. */
static struct tls_pair authority, stranger, client;
static char ca_file[] = "/tmp/test_tls.XXXXXX", client_file[] = "/tmp/test_tls.XXXXXX",
            client_key[] = "/tmp/test_tls.XXXXXX";

static inline int make_files(void **state)
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

static inline int drop_files(void **state)
{
    (void)state;
    tls_pair_clear(&authority);
    tls_pair_clear(&stranger);
    tls_pair_clear(&client);
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
    SSL *ssl;        /* reads from and writes into memory */
    int here, there; /* the ends of the socket: ours, the server's */
};

static inline void target_set(struct peer *p, const char *host)
{
    p->target.plan = &p->plan;
    size_t n = strlen(host), literal = host[0] == '[';
    assert_true(n <= URL_HOST_MAX);
    memcpy(p->target.url.host, host + literal, n - 2 * literal);
    p->target.url.host[n - 2 * literal] = '\0';
    p->target.url.tls = true;
    p->target.n_addresses = 2;
    for (int i = 0; i < 2; i++)
        snprintf(p->target.address[i].text, sizeof p->target.address[i].text, ADDRESS);
}

/* Trusts `authority`; the server's certificate is of it, for HOST. */
static inline void peer_init(struct peer *p, int version)
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
    tls_pair_clear(&leaf);
}

static inline void peer_close(struct peer *p)
{
    tls_conn_destroy(&p->c);
    assert_null(p->c);
    SSL_free(p->ssl);
    p->ssl = NULL;
    if (p->here >= 0) close(p->here);
    if (p->there >= 0) close(p->there);
    p->here = p->there = -1;
}

static inline void peer_clear(struct peer *p)
{
    peer_close(p);
    tls_destroy(&p->tls);
    assert_null(p->tls);
    SSL_CTX_free(p->ctx);
}

/* A new connection; no handshake yet. */
static inline void peer_open(struct peer *p, bool tcp, uint32_t address)
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
static inline size_t to_server(struct peer *p)
{
    char bytes[16384];
    size_t all = 0;
    for (ssize_t n; (n = recv(p->there, bytes, sizeof bytes, MSG_DONTWAIT)) > 0; all += (size_t)n)
        assert_int_equal(BIO_write(SSL_get_rbio(p->ssl), bytes, (int)n), n);
    return all;
}

/* So many bytes of what the server has to say come to us; how many it were. */
static inline size_t to_us(struct peer *p, size_t most)
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
static inline int shake(struct peer *p)
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

static inline void peer_connect(struct peer *p, bool tcp, uint32_t address)
{
    peer_open(p, tcp, address);
    assert_int_equal(shake(p), 1);
    assert_true(SSL_is_init_finished(p->ssl));
}

/* The server says n bytes in a record of their own; they are not sent yet. */
static inline void say(struct peer *p, const void *bytes, size_t n)
{
    assert_int_equal(SSL_write(p->ssl, bytes, (int)n), n);
}

static inline ssize_t take(struct peer *p, void *bytes, size_t n, bool more)
{
    int64_t wall;
    errno = 0;
    return tls_read(p->c, bytes, n, more, &wall, NULL);
}

static inline void expect_nothing(struct peer *p, bool more)
{
    char byte;
    assert_int_equal(take(p, &byte, 1, more), -1);
    assert_int_equal(errno, EAGAIN);
    assert_false(tls_ended(p->c));
}

static inline int waiting(const struct peer *p)
{
    int n = -1;
    assert_int_equal(ioctl(p->here, FIONREAD, &n), 0);
    return n;
}
