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
#include "agent/transport/tls_record.h"

/* The system's authorities as one file, which is read once. A folder would be searched at each handshake. */
#define SYSTEM_AUTHORITIES "/etc/ssl/certs/ca-certificates.crt"
#define RAW_BYTES (64u * 1024)

/* Bytes between the socket and the caller. */
struct span {
    size_t at, n; /* those from at to n are still to be taken */
};

struct tls {
    const struct target *target;
    SSL_CTX *ctx;
    BIO_METHOD *socket;
    char *host;   /* as certificates name it: without the last dot */
    bool literal; /* … an IP address */
    enum plan_http offers;
    const char *version;                      /* of the latest handshake; NULL: there was none */
    SSL_SESSION *session[TARGET_ADDRESS_MAX]; /* the latest, to be taken up again */
    /* of the connection that is being read; what is left afterwards is kept with it */
    struct stamp_box box;
    struct span raw_left, plain_left;
    struct stamp_parts raw_parts, *parts; /* when the records of the read came; the caller's, NULL: not wanted */
    uint8_t raw[RAW_BYTES];               /* as they came */
    uint8_t plain[TLS_RECORD_MAX];        /* of a record that the caller has no room for */
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
    uint8_t *kept;    /* what was left of the last read: plain bytes, then raw ones; else NULL */
    uint32_t kept_plain, kept_raw;
    /* TLS 1.3: records are opened here. Until the first one with data, OpenSSL is given those of its own, sessions. */
    struct tls_record_key key;
    uint8_t secret[TLS_RECORD_SECRET]; /* the server's first one for data, in the handshake */
    size_t secret_n;
    bool ours;       /* that record has come */
    bool owes;       /* the server wants our key to change too */
    uint32_t unread; /* bytes of a message that nobody needs, in the next record */
};

/* ---- the socket under it ---- */

/* One read of the socket, behind what is left of the last. As recv. */
static ssize_t fill(struct tls_conn *c)
{
    struct tls *t = c->tls;
    size_t left = t->raw_left.n - t->raw_left.at;
    if (t->raw_left.at > 0) memmove(t->raw, t->raw + t->raw_left.at, left);
    t->box.iov = (struct iovec){.iov_base = t->raw + left, .iov_len = RAW_BYTES - left};
    ssize_t got;
    c->dry = true;
    if (t->parts && left == 0)
        got = stamp_receive_units(&t->box, c->fd, TLS_RECORD_HEAD, tls_record_bytes, &t->raw_parts, &c->dry);
    else
        got = stamp_receive(&t->box, c->fd, 0);
    t->raw_left = (struct span){0, left + (got > 0 ? (size_t)got : 0)};
    if (got > 0) c->wall = t->box.wall_ns;
    if (t->raw_left.n == RAW_BYTES) c->dry = false; /* else a short read: nothing is left to ask for */
    c->eof = got == 0;
    if (got < 0 && errno == EINTR) errno = EAGAIN;
    if (got < 0 && errno != EAGAIN) c->system = errno;
    return got;
}

static int on_read(BIO *b, char *to, int n)
{
    struct tls_conn *c = BIO_get_data(b);
    struct span *left = &c->tls->raw_left;
    ssize_t got = 0;
    BIO_clear_retry_flags(b);
    if (left->at == left->n && !c->dry && (got = fill(c)) == 0) return 0;
    size_t take = left->n - left->at < (size_t)n ? left->n - left->at : (size_t)n;
    memcpy(to, c->tls->raw + left->at, take);
    left->at += take;
    if (take > 0) return (int)take;
    if (got == 0 || errno == EAGAIN) BIO_set_retry_read(b);
    return -1;
}

/* What the last call left is there again. */
static void take_up(struct tls_conn *c)
{
    struct tls *t = c->tls;
    t->raw_left = (struct span){0, c->kept_raw};
    t->plain_left = (struct span){0, c->kept_plain};
    if (!c->kept) return;
    memcpy(t->plain, c->kept, c->kept_plain);
    memcpy(t->raw, c->kept + c->kept_plain, c->kept_raw);
    free(c->kept);
    c->kept = NULL;
    c->kept_plain = c->kept_raw = 0;
}

/* The end of a call that reads. */
static void keep(struct tls_conn *c)
{
    const struct tls *t = c->tls;
    size_t plain = t->plain_left.n - t->plain_left.at, raw = t->raw_left.n - t->raw_left.at;
    c->dry = true; /* a write reads nothing */
    if (plain + raw == 0) return;
    c->kept = malloc(plain + raw);
    if (!c->kept) {
        c->system = ENOMEM;
        c->state = BROKEN;
        return;
    }
    memcpy(c->kept, t->plain + t->plain_left.at, plain);
    memcpy(c->kept + plain, t->raw + t->raw_left.at, raw);
    c->kept_plain = (uint32_t)plain;
    c->kept_raw = (uint32_t)raw;
    c->tls->raw_left = c->tls->plain_left = (struct span){0};
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

/* OpenSSL tells the secrets of a handshake as lines of text. */
static void on_secret(const SSL *ssl, const char *line)
{
    static const char NAME[] = "SERVER_TRAFFIC_SECRET_0 ";
    struct tls_conn *c = SSL_get_app_data(ssl);
    const char *secret = strncmp(line, NAME, sizeof NAME - 1) == 0 ? strrchr(line, ' ') + 1 : NULL;
    if (secret && OPENSSL_hexstr2buf_ex(c->secret, sizeof c->secret, &c->secret_n, secret, '\0') != 1) c->secret_n = 0;
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
    SSL_CTX_set_quiet_shutdown(t->ctx, 1);
    SSL_CTX_set_verify(t->ctx, t->target->plan->tls_verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, on_verified);
    SSL_CTX_set_session_cache_mode(t->ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(t->ctx, on_session);
    SSL_CTX_set_client_cert_cb(t->ctx, on_asked);
    SSL_CTX_set_keylog_callback(t->ctx, on_secret);
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
    if (t) {
        t->target = target;
        stamp_box_init(&t->box, t->raw, RAW_BYTES);
    }
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
    tls_record_key_clear(&c->key);
    OPENSSL_cleanse(c->secret, sizeof c->secret);
    free(c->kept);
    free(c);
    *pc = NULL;
}

/* After the handshake: who opens the records. */
static void choose_reader(struct tls_conn *c)
{
    bool ours = tls_record_key_init(&c->key, c->ssl, c->secret, c->secret_n);
    OPENSSL_cleanse(c->secret, sizeof c->secret);
    if (ours) {
        (void)SSL_free_buffers(c->ssl);
        return;
    }
    SSL_set_read_ahead(c->ssl, 1); /* a record's head is not a read of its own */
    /* of many streams a buffer of its own is a small part, and one less allocation a read */
    if (tls_speaks_http2(c)) (void)SSL_clear_mode(c->ssl, SSL_MODE_RELEASE_BUFFERS);
}

int tls_handshake(struct tls_conn *c, uint32_t *ret_events)
{
    c->dry = false;
    ERR_clear_error();
    take_up(c);
    int rc = SSL_do_handshake(c->ssl);
    keep(c);
    if (rc == 1) {
        c->tls->version = SSL_get_version(c->ssl);
        choose_reader(c);
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

/* The server ended the handshake because it speaks nothing of what was offered. */
static void no_protocol(const struct tls_conn *c, const char *at, struct err *e)
{
    switch (tls_offers(c->tls)) {
    case HTTP_1:
        err_set(e, ERR_TARGET,
                "%s does not speak HTTP/1.1 (it was offered http/1.1 in the TLS handshake): set target.http to "
                "\"2\"",
                at);
        return;
    case HTTP_2:
        err_set(e, ERR_TARGET,
                "%s does not speak HTTP/2 (it was offered h2 in the TLS handshake): leave target.http at \"1.1\"", at);
        return;
    case HTTP_AUTO:
        err_set(e, ERR_TARGET,
                "%s speaks neither HTTP/2 nor HTTP/1.1 (it was offered h2 and http/1.1 in the TLS handshake): is "
                "target.url that of the API?",
                at);
    }
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
        no_protocol(c, at, e);
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

/* By OpenSSL's record layer. */
static size_t read_by_openssl(struct tls_conn *c, char *to, size_t n)
{
    const struct span *left = &c->tls->raw_left;
    size_t have = 0, got;
    while (have < n && c->state == OPEN) {
        if (SSL_read_ex(c->ssl, to + have, n - have, &got) == 1) {
            have += got;
            /* asking again would cost half as much as the read */
            if (c->dry && left->at == left->n && !SSL_has_pending(c->ssl)) break;
        } else if (!over(c)) {
            break;
        }
    }
    return have;
}

/* ---- records opened here ---- */

static void refuse(struct tls_conn *c, int reason)
{
    ERR_clear_error();
    ERR_raise(ERR_LIB_SSL, reason);
    c->state = BROKEN;
}

static void take_alert(struct tls_conn *c, const uint8_t *alert, size_t n)
{
    if (n != 2)
        refuse(c, SSL_R_BAD_LENGTH);
    else if (alert[1] == SSL_AD_CLOSE_NOTIFY)
        c->state = CLOSED;
    else if (alert[1] != SSL_AD_USER_CANCELLED) /* which only says that a close follows */
        refuse(c, SSL_AD_REASON_OFFSET + alert[1]);
}

/* What TLS itself says after a handshake; true: the server's keys changed. */
static bool take_messages(struct tls_conn *c, const uint8_t *m, size_t n)
{
    while (n > 0) {
        size_t skip = c->unread < n ? c->unread : n;
        m += skip;
        n -= skip;
        c->unread -= (uint32_t)skip;
        if (n == 0) break;
        if (n < SSL3_HM_HEADER_LENGTH) {
            refuse(c, SSL_R_LENGTH_TOO_SHORT);
            break;
        }
        uint32_t length = (uint32_t)m[1] << 16 | (uint32_t)m[2] << 8 | m[3];
        if (m[0] == SSL3_MT_KEY_UPDATE && length == 1 && n == SSL3_HM_HEADER_LENGTH + 1 && m[4] <= 1) {
            if (m[4]) c->owes = true;
            if (tls_record_key_renew(&c->key)) return true;
            c->system = ENOMEM;
            c->state = BROKEN;
            break;
        }
        if (m[0] != SSL3_MT_NEWSESSION_TICKET) {
            refuse(c, SSL_R_UNEXPECTED_MESSAGE);
            break;
        }
        c->unread = length;
        m += SSL3_HM_HEADER_LENGTH;
        n -= SSL3_HM_HEADER_LENGTH;
    }
    return false;
}

/* A record that is OpenSSL's own: the session in it is kept. */
static void give_to_openssl(struct tls_conn *c, size_t length)
{
    struct span *left = &c->tls->raw_left, all = *left;
    size_t got;
    char byte;
    bool dry = c->dry;
    left->n = left->at + length;
    c->dry = true;
    if (SSL_read_ex(c->ssl, &byte, 1, &got) != 1) (void)over(c);
    c->dry = dry;
    *left = (struct span){all.at + length, all.n};
}

/* Takes the next record; how many bytes for the caller are in it. */
static size_t take_record(struct tls_conn *c, size_t length, char *to, size_t room)
{
    struct tls *t = c->tls;
    const uint8_t *record = t->raw + t->raw_left.at;
    bool fits = length - TLS_RECORD_HEAD - TLS_RECORD_TAG <= room;
    uint8_t *plain = fits ? (uint8_t *)to : t->plain;
    enum tls_content content;
    long n = tls_record_open(&c->key, record, length, plain, &content);
    if (n < 0) {
        c->state = BROKEN;
        return 0;
    }
    if (content == TLS_CONTENT_DATA) {
        c->ours = true;
        t->raw_left.at += length;
        if (fits || (size_t)n <= room) {
            if (!fits) memcpy(to, plain, (size_t)n);
            return (size_t)n;
        }
        memcpy(to, plain, room);
        t->plain_left = (struct span){room, (size_t)n};
        return room;
    }
    if (content == TLS_CONTENT_HANDSHAKE) {
        if (take_messages(c, plain, (size_t)n)) c->ours = true; /* OpenSSL does not know its new key */
        if (!c->ours && c->state == OPEN) {
            give_to_openssl(c, length);
            return 0;
        }
    } else if (content == TLS_CONTENT_ALERT) {
        take_alert(c, plain, (size_t)n);
    } else {
        refuse(c, SSL_R_BAD_RECORD_TYPE);
    }
    t->raw_left.at += length;
    return 0;
}

/* One read of the socket at most. */
static size_t read_records(struct tls_conn *c, char *to, size_t n)
{
    struct tls *t = c->tls;
    size_t have = t->plain_left.n - t->plain_left.at;
    uint32_t part = 0;
    if (have > n) have = n;
    memcpy(to, t->plain + t->plain_left.at, have);
    t->plain_left.at += have;
    for (bool asked = false; have < n && c->state == OPEN;) {
        long length = tls_record_length(t->raw + t->raw_left.at, t->raw_left.n - t->raw_left.at);
        if (length > 0) {
            size_t end = t->raw_left.at + (size_t)length;
            have += take_record(c, (size_t)length, to + have, n - have);
            if (t->parts && have > 0) stamp_parts_pass(t->parts, have, &t->raw_parts, end, &part);
            continue;
        }
        if (length < 0) c->state = BROKEN;
        if (length < 0 || asked || c->dry) break;
        asked = true;
        ssize_t got = fill(c);
        if (got == 0) c->state = CLOSED;
        if (got < 0 && errno != EAGAIN) c->state = BROKEN;
    }
    if (t->raw_parts.failed) { /* after those bytes */
        c->system = t->raw_parts.failed;
        c->state = BROKEN;
    }
    return have;
}

ssize_t tls_read(struct tls_conn *c, void *bytes, size_t n, bool more, int64_t *ret_wall_ns,
                 struct stamp_parts *ret_parts)
{
    struct tls *t = c->tls;
    c->dry = !more;
    t->parts = ret_parts;
    stamp_parts_clear(&t->raw_parts);
    if (ret_parts) stamp_parts_clear(ret_parts);
    take_up(c);
    size_t have = c->key.cipher.way ? read_records(c, bytes, n) : read_by_openssl(c, bytes, n);
    keep(c);
    if (ret_parts) ret_parts->alike = t->raw_parts.alike;
    t->parts = NULL;
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
    /* not while a write waits for room: then after it */
    if (c->owes && SSL_key_update(c->ssl, SSL_KEY_UPDATE_NOT_REQUESTED) == 1) c->owes = false;
    ERR_clear_error();
    if (SSL_write_ex(c->ssl, bytes, n, &sent) == 1) return (ssize_t)sent;
    /* after a failed write there may still be something to read */
    int why = SSL_get_error(c->ssl, 0);
    errno = why == SSL_ERROR_WANT_WRITE || why == SSL_ERROR_WANT_READ ? EAGAIN : EPIPE;
    return -1;
}
