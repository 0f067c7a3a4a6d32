#include "agent/transport/tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

#include "agent/transport/stamp.h"

/* The system's authorities as one file, which is read once. A folder would be searched at each handshake. */
#define SYSTEM_AUTHORITIES "/etc/ssl/certs/ca-certificates.crt"

struct tls {
    const struct target *target;
    SSL_CTX *ctx;
    BIO_METHOD *socket;
    char *host;   /* as certificates name it: without the last dot */
    bool literal; /* … an IP address */
    enum plan_http offers;
    const char *version;                      /* of the latest handshake; NULL: there was none */
    SSL_SESSION *session[TARGET_ADDRESS_MAX]; /* the latest, to be taken up again */
};

struct tls_conn {
    struct tls *tls;
    SSL *ssl;
    int fd;
    uint32_t address;
    int64_t wall; /* stamp of the last read */
    int system;   /* errno of the socket's last failure */
    bool dry;     /* the socket has nothing more for this call */
    bool eof;     /* the socket's end was read */
    bool asked;   /* the server asked for a client's certificate, and there is none to show */
    enum { OPEN, CLOSED, BROKEN } state;
    char outside[96]; /* with a certificate outside its time: when that ended, or begins */
};

/* ---- the socket under it ---- */

static int on_read(BIO *b, char *to, int n)
{
    struct tls_conn *c = BIO_get_data(b);
    BIO_clear_retry_flags(b);
    if (c->dry) {
        BIO_set_retry_read(b);
        return -1;
    }
    struct stamp_box box;
    stamp_box_init(&box, to, (size_t)n);
    ssize_t got = stamp_receive(&box, c->fd, 0);
    if (got > 0) c->wall = box.wall_ns;
    c->dry = got < n; /* a short read: nothing is left to ask for */
    c->eof = got == 0;
    if (got >= 0) return (int)got;
    if (errno == EAGAIN || errno == EINTR)
        BIO_set_retry_read(b);
    else
        c->system = errno;
    return -1;
}

static int on_write(BIO *b, const char *bytes, int n)
{
    struct tls_conn *c = BIO_get_data(b);
    BIO_clear_retry_flags(b);
    ssize_t sent = send(c->fd, bytes, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0) return (int)sent;
    if (errno == EAGAIN || errno == EINTR)
        BIO_set_retry_write(b);
    else
        c->system = errno;
    return -1;
}

static long on_control(BIO *b, int what, long number, void *more)
{
    const struct tls_conn *c = BIO_get_data(b);
    (void)number, (void)more;
    if (what == BIO_CTRL_EOF) return c->eof;
    return what == BIO_CTRL_FLUSH;
}

/* ---- of a target ---- */

static const char *openssl_says(void)
{
    unsigned long code = ERR_peek_error(); /* the first of several; the last may say no more than "system lib" */
    if (ERR_SYSTEM_ERROR(code)) return strerror(ERR_GET_REASON(code));
    const char *text = code ? ERR_reason_error_string(code) : NULL;
    return text ? text : "no reason given";
}

/* Sessions of TLS 1.3 come some time after the handshake, often several. Returns 1: the reference is ours. */
static int on_session(SSL *ssl, SSL_SESSION *session)
{
    struct tls_conn *c = SSL_get_app_data(ssl);
    SSL_SESSION **at = &c->tls->session[c->address];
    SSL_SESSION_free(*at);
    *at = session;
    return 1;
}

static int no_password(char *buf, int size, int writing, void *user)
{
    (void)buf, (void)size, (void)writing, (void)user;
    return -1; /* OpenSSL must not ask for it at the terminal */
}

static int load_files(struct tls *t, struct err *e)
{
    const struct plan_target *p = t->target->plan;
    const char *authorities = p->tls_ca_file ? p->tls_ca_file : SYSTEM_AUTHORITIES;
    if (p->tls_verify && SSL_CTX_load_verify_file(t->ctx, authorities) != 1 &&
        (p->tls_ca_file || SSL_CTX_set_default_verify_paths(t->ctx) != 1))
        return err_set(e, ERR_SECRET, "target.tls.ca_file: %s cannot be read as certificates: %s", authorities,
                       openssl_says());
    if (!p->tls_cert_file) return 0;
    ERR_clear_error(); /* the system's file may have been missing */
    SSL_CTX_set_default_passwd_cb(t->ctx, no_password);
    if (SSL_CTX_use_certificate_chain_file(t->ctx, p->tls_cert_file) != 1)
        return err_set(e, ERR_SECRET, "target.tls.cert_file: %s cannot be read as a certificate: %s", p->tls_cert_file,
                       openssl_says());
    bool read = SSL_CTX_use_PrivateKey_file(t->ctx, p->tls_key_file, SSL_FILETYPE_PEM) == 1;
    if (read && SSL_CTX_check_private_key(t->ctx) == 1)
        return 0; /* a key of another kind than the certificate's is taken without a word */
    if (read || ERR_GET_REASON(ERR_peek_last_error()) == X509_R_KEY_VALUES_MISMATCH)
        return err_set(e, ERR_SECRET, "target.tls.key_file: %s is not the key of %s", p->tls_key_file,
                       p->tls_cert_file);
    return err_set(e, ERR_SECRET, "target.tls.key_file: %s cannot be read as a key without a password: %s",
                   p->tls_key_file, openssl_says());
}

static int take_host(struct tls *t)
{
    const char *host = t->target->plan->sni ? t->target->plan->sni : t->target->url.host;
    size_t n = strlen(host);
    if (n > 1 && host[n - 1] == '.') n--;
    t->host = strndup(host, n);
    ASN1_OCTET_STRING *ip = t->host ? a2i_IPADDRESS(t->host) : NULL;
    t->literal = ip != NULL;
    ASN1_OCTET_STRING_free(ip);
    return t->host ? 0 : -1;
}

static int make_method(struct tls *t)
{
    /* no type of its own: a process has 127 of them, and each worker makes this for each plan */
    t->socket = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "socket");
    return t->socket && BIO_meth_set_read(t->socket, on_read) && BIO_meth_set_write(t->socket, on_write) &&
                   BIO_meth_set_ctrl(t->socket, on_control)
               ? 0
               : -1;
}

/* Called where the server asks for a certificate and the plan names none. */
static int on_asked(SSL *ssl, X509 **ret_cert, EVP_PKEY **ret_key)
{
    struct tls_conn *c = SSL_get_app_data(ssl);
    (void)ret_cert, (void)ret_key;
    c->asked = true;
    return 0;
}

/* Once a certificate is not accepted OpenSSL keeps no copy of it, so that its times are taken here. */
static int on_verified(int good, X509_STORE_CTX *store)
{
    struct tm tm;
    int why = X509_STORE_CTX_get_error(store);
    const X509 *cert = X509_STORE_CTX_get_current_cert(store);
    const SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    bool over = why == X509_V_ERR_CERT_HAS_EXPIRED, early = why == X509_V_ERR_CERT_NOT_YET_VALID;
    if (good || !(over || early) || !cert || !ssl) return good;
    if (ASN1_TIME_to_tm(over ? X509_get0_notAfter(cert) : X509_get0_notBefore(cert), &tm) != 1) return good;
    struct tls_conn *c = SSL_get_app_data(ssl);
    (void)strftime(
        c->outside, sizeof c->outside,
        over ? " (it was valid until %Y-%m-%d %H:%M:%S UTC)" : " (it is valid from %Y-%m-%d %H:%M:%S UTC on)", &tm);
    return good;
}

static int make_context(struct tls *t)
{
    t->ctx = SSL_CTX_new(TLS_client_method());
    if (!t->ctx || SSL_CTX_set_min_proto_version(t->ctx, TLS1_2_VERSION) != 1) return -1;
    tls_offer(t, t->target->plan->http);
    /* many servers end a connection without close_notify; the answer's own end marker shows whether it is whole */
    SSL_CTX_set_options(t->ctx, SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_mode(t->ctx,
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(t->ctx, 1); /* a record's head is not a read of its own */
    SSL_CTX_set_quiet_shutdown(t->ctx, 1);
    SSL_CTX_set_verify(t->ctx, t->target->plan->tls_verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, on_verified);
    SSL_CTX_set_session_cache_mode(t->ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(t->ctx, on_session);
    SSL_CTX_set_client_cert_cb(t->ctx, on_asked);
    return 0;
}

void tls_offer(struct tls *t, enum plan_http http)
{
    static const struct {
        const unsigned char *names;
        unsigned n;
    } OFFERS[] = {[HTTP_1] = {(const unsigned char *)"\x08http/1.1", 9},
                  [HTTP_2] = {(const unsigned char *)"\x02h2", 3},
                  [HTTP_AUTO] = {(const unsigned char *)"\x02h2\x08http/1.1", 12}};
    t->offers = http;
    (void)SSL_CTX_set_alpn_protos(t->ctx, OFFERS[http].names,
                                  OFFERS[http].n); /* fails without memory only: none is offered */
}

enum plan_http tls_offers(const struct tls *t)
{
    return t->offers;
}

bool tls_speaks_http2(const struct tls_conn *c)
{
    const unsigned char *name;
    unsigned n;
    SSL_get0_alpn_selected(c->ssl, &name, &n);
    return n == 2 && memcmp(name, "h2", 2) == 0;
}

struct tls *tls_new(const struct target *target, struct err *e)
{
    struct tls *t = calloc(1, sizeof *t);
    int rc = -1;
    ERR_clear_error();
    if (t) t->target = target;
    if (!t || take_host(t) < 0 || make_method(t) < 0 || make_context(t) < 0)
        err_set(e, ERR_NOMEM, "no memory for TLS");
    else
        rc = load_files(t, e);
    ERR_clear_error();
    if (rc < 0) tls_destroy(&t);
    return t;
}

void tls_destroy(struct tls **pt)
{
    struct tls *t = *pt;
    if (!t) return;
    for (size_t i = 0; i < TARGET_ADDRESS_MAX; i++)
        SSL_SESSION_free(t->session[i]);
    SSL_CTX_free(t->ctx);
    BIO_meth_free(t->socket);
    free(t->host);
    free(t);
    *pt = NULL;
}

/* ---- of a socket ---- */

static int expect_host(const struct tls *t, SSL *ssl)
{
    if (!t->literal && SSL_set_tlsext_host_name(ssl, t->host) != 1) return -1;
    if (!t->target->plan->tls_verify) return 0;
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    int rc = t->literal ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), t->host) : SSL_set1_host(ssl, t->host);
    return rc == 1 ? 0 : -1;
}

struct tls_conn *tls_conn_new(struct tls *t, int fd, uint32_t address)
{
    struct tls_conn *c = calloc(1, sizeof *c);
    BIO *bio = c ? BIO_new(t->socket) : NULL;
    if (!bio || !(c->ssl = SSL_new(t->ctx))) {
        BIO_free(bio);
        free(c);
        return NULL;
    }
    c->tls = t;
    c->fd = fd;
    c->address = address;
    BIO_set_data(bio, c);
    BIO_set_init(bio, 1);
    SSL_set_bio(c->ssl, bio, bio);
    SSL_set_app_data(c->ssl, c);
    SSL_set_connect_state(c->ssl);
    if (t->session[address]) SSL_set_session(c->ssl, t->session[address]);
    if (expect_host(t, c->ssl) < 0) tls_conn_destroy(&c);
    return c;
}

void tls_conn_destroy(struct tls_conn **pc)
{
    struct tls_conn *c = *pc;
    if (!c) return;
    SSL_set_shutdown(c->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN); /* else OpenSSL would discard its session */
    SSL_free(c->ssl);
    ERR_clear_error(); /* tls_read leaves that to us */
    free(c);
    *pc = NULL;
}

int tls_handshake(struct tls_conn *c, uint32_t *ret_events)
{
    c->dry = false;
    ERR_clear_error();
    int rc = SSL_do_handshake(c->ssl);
    if (rc == 1) {
        c->tls->version = SSL_get_version(c->ssl);
        /* of many streams a buffer of its own is a small part, and one less allocation a read */
        if (tls_speaks_http2(c)) (void)SSL_clear_mode(c->ssl, SSL_MODE_RELEASE_BUFFERS);
        return 1;
    }
    int why = SSL_get_error(c->ssl, rc);
    *ret_events = why == SSL_ERROR_WANT_WRITE ? EPOLLOUT : EPOLLIN;
    return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

const char *tls_version(const struct tls *t)
{
    return t->version;
}

const char *tls_alert(void)
{
    unsigned long code = ERR_peek_error();
    bool alert = code && !ERR_SYSTEM_ERROR(code) && ERR_GET_LIB(code) == ERR_LIB_SSL &&
                 ERR_GET_REASON(code) > SSL_AD_REASON_OFFSET;
    return alert ? ERR_reason_error_string(code) : NULL;
}

const char *tls_reason(const struct tls_conn *c)
{
    unsigned long code = ERR_peek_error();
    const char *text = code && !ERR_SYSTEM_ERROR(code) ? ERR_reason_error_string(code) : NULL;
    if (text && ERR_GET_REASON(code) == SSL_R_WRONG_VERSION_NUMBER) return "no TLS is spoken there";
    return text ? text : c->system ? "the connection was reset" : "the connection was closed in the handshake";
}

void tls_why(const struct tls_conn *c, struct err *e)
{
    char buf[TARGET_PEER_MAX];
    const char *at = target_peer(c->tls->target, c->address, buf, sizeof buf);
    long verified = SSL_get_verify_result(c->ssl);
    if (c->tls->target->plan->tls_verify && verified != X509_V_OK) {
        const char *why = X509_verify_cert_error_string(verified), *host = c->tls->host;
        if (verified == X509_V_ERR_HOSTNAME_MISMATCH || verified == X509_V_ERR_IP_ADDRESS_MISMATCH)
            err_set(e, ERR_TARGET, "the certificate of %s is not accepted: no subject name in it is %s, %s", at, host,
                    c->tls->target->plan->sni ? "target.sni" : "the host of target.url");
        else
            err_set(e, ERR_TARGET, "the certificate of %s is not accepted: %s%s", at, why,
                    verified == X509_V_ERR_CERT_HAS_EXPIRED || verified == X509_V_ERR_CERT_NOT_YET_VALID
                        ? c->outside
                        : " (target.tls.ca_file names the authority to trust)");
        return;
    }
    if (ERR_GET_REASON(ERR_peek_error()) == SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL)
        err_set(e, ERR_TARGET,
                "%s does not speak HTTP/2 (it was offered h2 in the TLS handshake): leave target.http at \"1.1\"", at);
    else if (ERR_peek_error() != 0)
        err_set(
            e, ERR_SYSTEM_ERROR(ERR_peek_error()) ? ERR_NET : ERR_TARGET, "no TLS with %s: %s%s", at, openssl_says(),
            ERR_GET_REASON(ERR_peek_error()) == SSL_R_WRONG_VERSION_NUMBER ? " (no TLS is spoken there: is it http://?)"
            : c->asked
                ? " (it asked for a client's certificate: target.tls.cert_file and key_file name the one to show)"
                : "");
    else
        err_set(e, ERR_NET, "no TLS with %s: %s", at,
                c->system ? strerror(c->system) : "the connection was closed in the handshake");
}

/* ---- bytes ---- */

/* What the last call's failure means; false when it only has to be called again. */
static bool over(struct tls_conn *c)
{
    /* as SSL_get_error does, but without the queue of errors, which costs more than everything else here */
    if (SSL_want_read(c->ssl) && BIO_should_retry(SSL_get_rbio(c->ssl))) return false;
    int why = SSL_get_error(c->ssl, 0);
    if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) return false;
    c->state = why == SSL_ERROR_ZERO_RETURN ? CLOSED : BROKEN;
    return true;
}

ssize_t tls_read(struct tls_conn *c, void *bytes, size_t n, bool more, int64_t *ret_wall_ns)
{
    size_t have = 0, got;
    c->dry = !more;
    while (have < n && c->state == OPEN) {
        if (SSL_read_ex(c->ssl, (char *)bytes + have, n - have, &got) == 1) {
            have += got;
            if (c->dry && !SSL_has_pending(c->ssl)) break; /* asking again would cost half as much as the read */
        } else if (!over(c)) {
            break;
        }
    }
    *ret_wall_ns = c->wall;
    if (have > 0) return (ssize_t)have;
    if (c->state == CLOSED) return 0;
    errno = c->state == BROKEN ? ECONNRESET : EAGAIN;
    return -1;
}

bool tls_ended(const struct tls_conn *c)
{
    return c->state != OPEN;
}

ssize_t tls_write(struct tls_conn *c, const void *bytes, size_t n)
{
    size_t sent;
    ERR_clear_error();
    if (SSL_write_ex(c->ssl, bytes, n, &sent) == 1) return (ssize_t)sent;
    /* after a failed write there may still be something to read */
    int why = SSL_get_error(c->ssl, 0);
    errno = why == SSL_ERROR_WANT_WRITE || why == SSL_ERROR_WANT_READ ? EAGAIN : EPIPE;
    return -1;
}
