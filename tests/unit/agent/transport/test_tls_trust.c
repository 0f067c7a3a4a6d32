/* TLS on our own sockets against OpenSSL's server: whom it trusts, what it shows, sessions that are taken up again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/tls_peer.h"

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
            expect_nothing(&p, true); /* takes the sessions that came after the handshake */
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
    {HOST, "DNS:" HOST, -60, false, NOT_ACCEPTED "certificate has expired"},
    {HOST, "DNS:other.invalid", TLS_DAY, false,
     NOT_ACCEPTED "no subject name in it is " HOST ", the host of target.url"},
    {"a.b.example.com", "DNS:*.example.com", TLS_DAY, false,
     NOT_ACCEPTED "no subject name in it is a.b.example.com, the host of target.url"},
    {HOST, "DNS:h*.example.com", TLS_DAY, false,
     NOT_ACCEPTED "no subject name in it is " HOST ", the host of target.url"},
    {"127.0.0.1", "IP:127.0.0.2", TLS_DAY, false,
     NOT_ACCEPTED "no subject name in it is 127.0.0.1, the host of target.url"},
    {"127.0.0.1", "DNS:127.0.0.1", TLS_DAY, false,
     NOT_ACCEPTED "no subject name in it is 127.0.0.1, the host of target.url"},
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
    char why[sizeof e.text];
    struct tm until;
    assert_int_equal(ASN1_TIME_to_tm(X509_get0_notAfter(leaf.cert), &until), 1);
    int n = snprintf(why, sizeof why, "%s", t->why && verify ? t->why : "");
    if (t->seconds < 0 && verify)
        (void)strftime(why + n, sizeof why - (size_t)n, " (it was valid until %Y-%m-%d %H:%M:%S UTC)", &until);
    assert_string_equal(e.text, why);
    assert_int_equal(rc, t->why && verify ? -1 : 1);
    peer_clear(&p);
    tls_pair_clear(&leaf);
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
    assert_int_equal(e.code, ERR_SECRET);
    if (!strstr(e.text, why)) fail_msg("\"%s\" is not in \"%s\"", why, e.text);
}

static void test_files(void **state)
{
    (void)state;
    char other[] = "/tmp/test_tls.XXXXXX", secret[] = "/tmp/test_tls.XXXXXX", rsa[] = "/tmp/test_tls.XXXXXX", text[256],
         password[] = "password";
    EVP_PKEY *rsa_key = EVP_RSA_gen(2048);
    tls_write_file(other, NULL, stranger.key, NULL);
    tls_write_file(secret, NULL, client.key, password);
    tls_write_file(rsa, NULL, rsa_key, NULL);
    EVP_PKEY_free(rsa_key);
    expect_no_file("/absent/ca.pem", NULL, NULL,
                   "target.tls.ca_file: /absent/ca.pem cannot be read as certificates: No such file or directory");
    expect_no_file(client_key, NULL, NULL, "cannot be read as certificates: no certificate or crl found");
    expect_no_file(ca_file, "/absent/c.pem", client_key,
                   "target.tls.cert_file: /absent/c.pem cannot be read as a certificate: No such file or directory");
    expect_no_file(ca_file, client_key, client_key, "cannot be read as a certificate: no start line");
    expect_no_file(
        ca_file, client_file, "/absent/k.pem",
        "target.tls.key_file: /absent/k.pem cannot be read as a key without a password: No such file or directory");
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
        cmocka_unit_test(test_session),        cmocka_unit_test(test_certificates),
        cmocka_unit_test(test_no_server_name), cmocka_unit_test(test_client_certificate),
        cmocka_unit_test(test_files),          cmocka_unit_test(test_types_are_not_used_up),
    };
    return cmocka_run_group_tests(tests, make_files, drop_files);
}
