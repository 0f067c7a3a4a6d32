/* Any bytes of a server after its handshake over TLS 1.3, sealed with its key or not: what is read is the beginning of
 * what its records of data carry, in their order; all of it where nothing else came between.
 *
 * The first byte of an input says what is done, see DO_…. Then records follow: how long each is (a byte, times 8 where
 * the input says so), how many zeros pad it, and its content, of which the last byte is the kind. */
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/kdf.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/transport/tls.h"
#include "agent/transport/tls_record.h"
#include "tests/fuzz/fuzz_util.h"
/* what tls_server.h has of cmocka */
#define assert_true MUST
#define assert_non_null(p) MUST((p) != NULL)
#define assert_int_equal(a, b) MUST((a) == (b))
#include "tests/unit/tls_server.h"

#define DO_PLAIN 1u    /* bytes that are not sealed */
#define DO_LONG 2u     /* long records */
#define DO_FLIP 4u     /* a bit of the last record is changed */
#define DO_SPLIT 8u    /* the bytes come in pieces */
#define DO_OPENSSL 16u /* opens the records, not the library of gcm.h */
enum { DATA_MAX = 1 << 16, RECORD_MAX = TLS_RECORD_MAX + 64 };

static const struct plan_target plan = {.http = HTTP_1};
static struct target target = {.plan = &plan, .n_addresses = 1};
static struct tls *ours;
static SSL_CTX *theirs;

/* The server's side: its secret, and what it seals with it. */
static uint8_t secret[TLS_RECORD_SECRET];
static size_t secret_n;
static uint8_t key[32], nonce[TLS_RECORD_NONCE];
static uint64_t sealed;

static void on_secret(const SSL *ssl, const char *line)
{
    static const char NAME[] = "SERVER_TRAFFIC_SECRET_0 ";
    (void)ssl;
    if (strncmp(line, NAME, sizeof NAME - 1) == 0)
        MUST(OPENSSL_hexstr2buf_ex(secret, sizeof secret, &secret_n, strrchr(line, ' ') + 1, '\0') == 1);
}

static void derive(const char *label, uint8_t *to, size_t n, const char *digest)
{
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "TLS13-KDF", NULL);
    EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);
    int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
    OSSL_PARAM p[] = {OSSL_PARAM_int(OSSL_KDF_PARAM_MODE, &mode),
                      OSSL_PARAM_utf8_string(OSSL_KDF_PARAM_DIGEST, (void *)(uintptr_t)digest, 0),
                      OSSL_PARAM_octet_string(OSSL_KDF_PARAM_KEY, secret, secret_n),
                      OSSL_PARAM_octet_string(OSSL_KDF_PARAM_PREFIX, (void *)(uintptr_t) "tls13 ", 6),
                      OSSL_PARAM_octet_string(OSSL_KDF_PARAM_LABEL, (void *)(uintptr_t)label, strlen(label)),
                      OSSL_PARAM_END};
    MUST(EVP_KDF_derive(ctx, to, n, p) == 1);
    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
}

/* A record of n bytes of content, the kind included, and so many zeros. */
static size_t seal(uint8_t *record, const uint8_t *content, size_t n, size_t zeros)
{
    static uint8_t inner[RECORD_MAX];
    uint8_t iv[TLS_RECORD_NONCE];
    int len = 0;
    size_t all = n + zeros + TLS_RECORD_TAG;
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    memcpy(inner, content, n);
    memset(inner + n, 0, zeros);
    memcpy(iv, nonce, sizeof iv);
    for (int i = 0; i < 8; i++)
        iv[4 + i] ^= (uint8_t)(sealed >> (56 - 8 * i));
    sealed++;
    memcpy(record, (uint8_t[]){TLS_CONTENT_DATA, 3, 3, (uint8_t)(all >> 8), (uint8_t)all}, TLS_RECORD_HEAD);
    MUST(EVP_EncryptInit_ex(ctx, EVP_aes_128_gcm(), NULL, key, iv) == 1 &&
         EVP_EncryptUpdate(ctx, NULL, &len, record, TLS_RECORD_HEAD) == 1 &&
         EVP_EncryptUpdate(ctx, record + TLS_RECORD_HEAD, &len, inner, (int)(n + zeros)) == 1 &&
         EVP_EncryptFinal_ex(ctx, record + TLS_RECORD_HEAD + len, &len) == 1 &&
         EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TLS_RECORD_TAG, record + TLS_RECORD_HEAD + n + zeros) == 1);
    EVP_CIPHER_CTX_free(ctx);
    return all + TLS_RECORD_HEAD;
}

static void set_up(void)
{
    (void)snprintf(target.url.host, sizeof target.url.host, "host.example.com");
    target.url.tls = true;
    ours = tls_new(&target, NULL);
    theirs = tls_server_new();
    MUST(ours && SSL_CTX_set_ciphersuites(theirs, "TLS_AES_128_GCM_SHA256") == 1);
    SSL_CTX_set_num_tickets(theirs, 0);
    SSL_CTX_set_keylog_callback(theirs, on_secret);
}

static void send_all(int fd, const uint8_t *bytes, size_t n)
{
    for (size_t at = 0; at < n;) {
        ssize_t put = send(fd, bytes + at, n - at, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (put < 0) return; /* more than a socket holds: the rest never comes */
        at += (size_t)put;
    }
}

/* The server's end of the pair reads and writes itself: it has nothing to wait for. */
static struct tls_conn *connect_both(int here, int there)
{
    SSL *ssl = SSL_new(theirs);
    struct tls_conn *c = tls_conn_new(ours, here, 0);
    uint32_t events;
    int rc = 0;
    MUST(ssl && c);
    SSL_set_fd(ssl, there);
    SSL_set_accept_state(ssl);
    for (int i = 0; i < 8 && rc == 0; i++) {
        rc = tls_handshake(c, &events);
        (void)SSL_do_handshake(ssl);
        ERR_clear_error();
    }
    MUST(rc == 1 && SSL_is_init_finished(ssl));
    SSL_free(ssl);
    return c;
}

/* What has come is read, and stands at the beginning of `said`; how much it was. */
static size_t read_all(struct tls_conn *c, const uint8_t *said, size_t n, size_t had, struct rng *r)
{
    uint8_t got[400];
    int64_t wall;
    for (ssize_t k; (k = tls_read(c, got, 1 + (size_t)rng_below(r, sizeof got), true, &wall, NULL)) > 0;
         had += (size_t)k)
        MUST((size_t)k <= n - had && memcmp(got, said + had, (size_t)k) == 0);
    ERR_clear_error();
    return had;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t wire[2 * DATA_MAX], said[DATA_MAX];
    if (!ours) set_up();
    if (size < 1 || size > 4096) return 0;
    uint8_t what = *data++;
    size_t left = size - 1, n_wire = 0, n_said = 0, had = 0, last = 0;
    bool data_only = true;
    int ends[2];
    struct rng r;
    split_seed(&r, data, left, what);
    (void)gcm_by_library(!(what & DO_OPENSSL));
    MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0);
    struct tls_conn *c = connect_both(ends[0], ends[1]);
    sealed = 0;
    derive("key", key, 16, "SHA256");
    derive("iv", nonce, sizeof nonce, "SHA256");
    if (what & DO_PLAIN) {
        memcpy(wire, data, n_wire = left);
        left = 0;
    }
    while (left > 2 && n_wire < DATA_MAX - RECORD_MAX) {
        size_t zeros = data[1] * (what & DO_LONG ? 64u : 1u), n = 1 + data[0] * (what & DO_LONG ? 8u : 1u);
        data += 2;
        left -= 2;
        if (n > left) n = left;
        if (n + zeros + TLS_RECORD_TAG > UINT16_MAX) zeros = 0;
        last = n_wire;
        n_wire += seal(wire + n_wire, data, n, zeros);
        size_t real = n; /* zeros at the content's end are padding too */
        while (real > 0 && data[real - 1] == 0)
            real--;
        bool fits = n + zeros + TLS_RECORD_TAG <= TLS_RECORD_MAX - TLS_RECORD_HEAD;
        bool carries = real > 0 && data[real - 1] == TLS_CONTENT_DATA;
        data_only = data_only && fits && carries;
        if (fits && carries) {
            memcpy(said + n_said, data, real - 1);
            n_said += real - 1;
        }
        data += n;
        left -= n;
    }
    if (what & DO_FLIP && n_wire > last) {
        wire[last + rng_below(&r, n_wire - last)] ^= (uint8_t)(1u << rng_below(&r, 8));
        data_only = false;
    }
    for (size_t at = 0; at < n_wire;) {
        size_t n = what & DO_SPLIT ? 1 + split_next(&r, n_wire - at - 1) : n_wire - at;
        send_all(ends[1], wire + at, n);
        at += n;
        had = read_all(c, said, n_said, had, &r);
    }
    MUST(!data_only || what & DO_PLAIN || had == n_said);
    tls_conn_destroy(&c);
    close(ends[0]);
    close(ends[1]);
    return 0;
}
