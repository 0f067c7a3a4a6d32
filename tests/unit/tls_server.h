/* A server's side of TLS for tests, with certificates made on the spot: one that nobody trusts, or those of an
 * authority of its own. */
#pragma once
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <unistd.h>

#define TLS_DAY 86400L

/* A certificate and its key. */
struct tls_pair {
    X509 *cert;
    EVP_PKEY *key;
};

static inline void tls_pair_clear(struct tls_pair *p)
{
    X509_free(p->cert);
    EVP_PKEY_free(p->key);
    *p = (struct tls_pair){0};
}

static inline void tls_extend(X509 *cert, int what, const char *value)
{
    X509_EXTENSION *x = X509V3_EXT_conf_nid(NULL, NULL, what, value);
    assert_non_null(x);
    assert_int_equal(X509_add_ext(cert, x, -1), 1);
    X509_EXTENSION_free(x);
}

/* By `authority`, NULL: by itself. `names` as "DNS:a.invalid,IP:127.0.0.1", NULL: none but the subject. Ends `seconds`
 * from now, and begins two days before that or now, whichever is earlier. */
static inline struct tls_pair tls_certify(const struct tls_pair *authority, const char *subject, const char *names,
                                          bool may_sign, long seconds)
{
    static long serial;
    struct tls_pair p = {X509_new(), EVP_EC_gen("P-256")};
    assert_true(p.cert && p.key);
    X509_set_version(p.cert, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(p.cert), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(p.cert), seconds < 0 ? seconds - 2 * TLS_DAY : 0);
    X509_gmtime_adj(X509_getm_notAfter(p.cert), seconds);
    X509_set_pubkey(p.cert, p.key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(p.cert), "CN", MBSTRING_ASC, (const unsigned char *)subject, -1,
                               -1, 0);
    X509_set_issuer_name(p.cert, X509_get_subject_name(authority ? authority->cert : p.cert));
    if (may_sign) tls_extend(p.cert, NID_basic_constraints, "critical,CA:TRUE");
    if (names) tls_extend(p.cert, NID_subject_alt_name, names);
    assert_true(X509_sign(p.cert, authority ? authority->key : p.key, EVP_sha256()) > 0);
    return p;
}

static inline SSL_CTX *tls_server_with(const struct tls_pair *p)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    assert_int_equal(SSL_CTX_use_certificate(ctx, p->cert), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(ctx, p->key), 1);
    return ctx;
}

static inline SSL_CTX *tls_server_new(void)
{
    struct tls_pair p = tls_certify(NULL, "nobody.invalid", NULL, false, TLS_DAY);
    SSL_CTX *ctx = tls_server_with(&p);
    tls_pair_clear(&p);
    return ctx;
}

/* A file of the certificate, or of the key where there is no certificate; `path` is a template of mkstemp. With a
 * password the key is encrypted. */
static inline void tls_write_file(char *path, X509 *cert, EVP_PKEY *key, char *password)
{
    int fd = mkstemp(path);
    FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;
    assert_non_null(f);
    if (cert)
        assert_int_equal(PEM_write_X509(f, cert), 1);
    else
        assert_int_equal(PEM_write_PrivateKey(f, key, password ? EVP_aes_256_cbc() : NULL, NULL, 0, NULL, password), 1);
    assert_int_equal(fclose(f), 0);
}
