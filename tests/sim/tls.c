#include "tests/sim/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>

struct sim_tls_keys {
    SSL_CTX *ctx;
    bool http2;
};

struct sim_tls {
    SSL *ssl;
    BIO *in, *out; /* the SSL's own */
};

static int choose(SSL *ssl, const unsigned char **ret, unsigned char *ret_n, const unsigned char *in, unsigned n,
                  void *arg)
{
    const struct sim_tls_keys *k = arg;
    static const unsigned char BOTH[] = "\x02h2\x08http/1.1";
    const unsigned char *ours = BOTH + (k->http2 ? 0 : 3);
    unsigned len = k->http2 ? 12 : 9;
    (void)ssl;
    return SSL_select_next_proto((unsigned char **)(uintptr_t)ret, ret_n, ours, len, in, n) == OPENSSL_NPN_NEGOTIATED
               ? SSL_TLSEXT_ERR_OK
               : SSL_TLSEXT_ERR_ALERT_FATAL;
}

struct sim_tls_keys *sim_tls_keys_new(const char *cert, const char *key, bool http2, struct err *e)
{
    struct sim_tls_keys *k = calloc(1, sizeof *k);
    if (!k || !(k->ctx = SSL_CTX_new(TLS_server_method()))) {
        (void)err_set(e, ERR_NOMEM, "no memory for TLS");
    } else if (SSL_CTX_use_certificate_chain_file(k->ctx, cert) != 1) {
        (void)err_set(e, ERR_USAGE, "--tls-cert: %s cannot be read as a certificate", cert);
    } else if (SSL_CTX_use_PrivateKey_file(k->ctx, key, SSL_FILETYPE_PEM) != 1) {
        (void)err_set(e, ERR_USAGE, "--tls-key: %s cannot be read as its key", key);
    } else {
        k->http2 = http2;
        SSL_CTX_set_alpn_select_cb(k->ctx, choose, k);
        SSL_CTX_set_mode(k->ctx, SSL_MODE_RELEASE_BUFFERS);
        return k;
    }
    sim_tls_keys_destroy(&k);
    return NULL;
}

void sim_tls_keys_destroy(struct sim_tls_keys **pk)
{
    if (!*pk) return;
    SSL_CTX_free((*pk)->ctx);
    free(*pk);
    *pk = NULL;
}

struct sim_tls *sim_tls_new(const struct sim_tls_keys *k)
{
    struct sim_tls *t = calloc(1, sizeof *t);
    if (!t || !(t->ssl = SSL_new(k->ctx))) {
        free(t);
        return NULL;
    }
    t->in = BIO_new(BIO_s_mem());
    t->out = BIO_new(BIO_s_mem());
    SSL_set_bio(t->ssl, t->in, t->out);
    SSL_set_accept_state(t->ssl);
    return t;
}

void sim_tls_destroy(struct sim_tls **pt)
{
    if (!*pt) return;
    SSL_free((*pt)->ssl);
    free(*pt);
    *pt = NULL;
}

int sim_tls_feed(struct sim_tls *t, const void *bytes, size_t n)
{
    size_t took;
    return BIO_write_ex(t->in, bytes, n, &took) == 1 && took == n ? 0 : -1;
}

long sim_tls_read(struct sim_tls *t, void *to, size_t n)
{
    size_t got;
    ERR_clear_error();
    if (SSL_read_ex(t->ssl, to, n, &got) == 1) return (long)got;
    int why = SSL_get_error(t->ssl, 0);
    return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

int sim_tls_write(struct sim_tls *t, const void *bytes, size_t n)
{
    size_t sent;
    ERR_clear_error();
    return n == 0 || (SSL_write_ex(t->ssl, bytes, n, &sent) == 1 && sent == n) ? 0 : -1;
}

int sim_tls_take(struct sim_tls *t, struct buf *out)
{
    char *bytes;
    long n = BIO_get_mem_data(t->out, &bytes);
    int rc = n > 0 ? buf_put(out, bytes, (size_t)n) : 0;
    (void)BIO_reset(t->out);
    return rc;
}

void sim_tls_bye(struct sim_tls *t)
{
    (void)SSL_shutdown(t->ssl);
}

bool sim_tls_speaks_http2(const struct sim_tls *t)
{
    const unsigned char *name;
    unsigned n;
    SSL_get0_alpn_selected(t->ssl, &name, &n);
    return n == 2 && memcmp(name, "h2", 2) == 0;
}
