/* Records of TLS 1.3, which are opened here where the cipher is AES-GCM: what a server may put into them besides its
 * bytes, and what it may not. OpenSSL opens those of the last way, and shows that all ways are one to the caller. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/transport/tls_record.h"
#include "tests/unit/tls_peer.h"

static const struct way {
    const char *suite;
    bool library; /* of gcm.h, where it can be used */
} WAYS[] = {{"TLS_AES_256_GCM_SHA384", true},
            {"TLS_AES_256_GCM_SHA384", false},
            {"TLS_AES_128_GCM_SHA256", true},
            {"TLS_AES_128_GCM_SHA256", false},
            {"TLS_CHACHA20_POLY1305_SHA256", false}};
enum { N_WAYS = sizeof WAYS / sizeof *WAYS };

static void init_peer(struct peer *p, const struct way *w)
{
    (void)gcm_by_library(w->library);
    peer_init(p, TLS1_3_VERSION);
    assert_int_equal(SSL_CTX_set_ciphersuites(p->ctx, w->suite), 1);
}

static void open_peer(struct peer *p, const struct way *w)
{
    init_peer(p, w);
    peer_connect(p, false, 0);
    assert_string_equal(SSL_get_cipher(p->ssl), w->suite);
}

static void expect(struct peer *p, const char *text)
{
    char bytes[64];
    assert_int_equal(take(p, bytes, sizeof bytes, true), strlen(text));
    assert_memory_equal(bytes, text, strlen(text));
}

static void tell(struct peer *p, const char *text)
{
    say(p, text, strlen(text));
    to_us(p, SIZE_MAX);
}

static void hear(struct peer *p, const char *text)
{
    char bytes[64];
    assert_int_equal(tls_write(p->c, text, strlen(text)), strlen(text));
    to_server(p);
    assert_int_equal(SSL_read(p->ssl, bytes, sizeof bytes), strlen(text));
    assert_memory_equal(bytes, text, strlen(text));
}

static void expect_broken(struct peer *p, const char *why)
{
    char byte;
    assert_int_equal(take(p, &byte, 1, true), -1);
    assert_int_equal(errno, ECONNRESET);
    assert_true(tls_ended(p->c));
    assert_string_equal(tls_reason(p->c), why);
}

static void test_suites(void **state)
{
    (void)state;
    for (int i = 0; i < N_WAYS; i++) {
        struct peer p;
        open_peer(&p, &WAYS[i]);
        for (int k = 0; k < 300; k++) { /* the number of a record grows over a byte */
            tell(&p, "one");
            expect(&p, "one");
        }
        hear(&p, "two");
        peer_clear(&p);
    }
}

/* Counts the changes of our keys that the server hears of. */
static void on_message(int sent, int version, int content, const void *bytes, size_t n, SSL *ssl, void *arg)
{
    (void)version, (void)ssl;
    if (!sent && content == SSL3_RT_HANDSHAKE && n > 0 && *(const uint8_t *)bytes == SSL3_MT_KEY_UPDATE) ++*(int *)arg;
}

/* The server changes its keys, before its first data and between any of it, and has us change ours. */
static void test_new_keys(void **state)
{
    (void)state;
    for (int i = 0; i < N_WAYS; i++)
        for (int early = 0; early < 2; early++) {
            struct peer p;
            int changes = 0;
            open_peer(&p, &WAYS[i]);
            SSL_set_msg_callback(p.ssl, on_message);
            SSL_set_msg_callback_arg(p.ssl, &changes);
            if (!early) {
                tell(&p, "before");
                expect(&p, "before");
            }
            for (int k = 0; k < 5; k++) {
                assert_int_equal(SSL_key_update(p.ssl, k % 2 ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED),
                                 1);
                tell(&p, "after");
                expect(&p, "after");
                hear(&p, "ours");
                assert_int_equal(changes, (k + 1) / 2);
            }
            expect_nothing(&p, true);
            peer_clear(&p);
        }
}

/* A session may come at any time, whole or in pieces, and is nobody's bytes. */
static void test_late_sessions(void **state)
{
    (void)state;
    for (int i = 0; i < N_WAYS; i++) {
        struct peer p;
        open_peer(&p, &WAYS[i]);
        for (int k = 0; k < 3; k++) {
            tell(&p, "some");
            expect(&p, "some");
            SSL_set_max_send_fragment(p.ssl, 512);
            for (int n = 0; n <= k; n++) {
                assert_int_equal(SSL_new_session_ticket(p.ssl), 1);
                assert_int_equal(SSL_do_handshake(p.ssl), 1);
            }
            tell(&p, "more");
            expect(&p, "more");
        }
        peer_clear(&p);
    }
}

/* Zeros behind a record's bytes hide how many these are. */
static void test_padding(void **state)
{
    (void)state;
    for (int i = 0; i < N_WAYS; i++) {
        struct peer p;
        char zeros[100] = {0}, bytes[200];
        open_peer(&p, &WAYS[i]);
        assert_int_equal(SSL_set_block_padding(p.ssl, 128), 1);
        tell(&p, "short");
        expect(&p, "short");
        say(&p, zeros, sizeof zeros); /* their own zeros are bytes */
        to_us(&p, SIZE_MAX);
        assert_int_equal(take(&p, bytes, sizeof bytes, true), sizeof zeros);
        assert_memory_equal(bytes, zeros, sizeof zeros);
        peer_clear(&p);
    }
}

/* The longest records, one after the other, into a buffer that holds one and a half. */
static void test_long_records(void **state)
{
    (void)state;
    static char said[4 * 16384], bytes[24000], heard[sizeof said];
    for (size_t k = 0; k < sizeof said; k++)
        said[k] = (char)(k * 2654435761u >> 11);
    for (int i = 0; i < N_WAYS; i++) {
        struct peer p;
        size_t have = 0;
        open_peer(&p, &WAYS[i]);
        say(&p, said, sizeof said);
        to_us(&p, SIZE_MAX);
        while (have < sizeof said) {
            ssize_t n = take(&p, bytes, sizeof bytes, true);
            assert_in_range(n, 1, sizeof bytes);
            memcpy(heard + have, bytes, (size_t)n);
            have += (size_t)n;
        }
        assert_int_equal(have, sizeof said);
        assert_memory_equal(heard, said, sizeof said);
        expect_nothing(&p, true);
        peer_clear(&p);
    }
}

/* Data in the handshake's last flight: it is had without another event. */
static void test_data_with_handshake(void **state)
{
    (void)state;
    for (int i = 0; i < N_WAYS; i++) {
        struct peer p;
        char bytes[64];
        size_t n;
        uint32_t events;
        init_peer(&p, &WAYS[i]);
        peer_open(&p, false, 0);
        assert_int_equal(tls_handshake(p.c, &events), 0);
        to_server(&p);
        assert_int_equal(SSL_read_early_data(p.ssl, bytes, sizeof bytes, &n), SSL_READ_EARLY_DATA_FINISH);
        assert_int_equal(SSL_write_early_data(p.ssl, "early", 5, &n), 1);
        to_us(&p, SIZE_MAX);
        assert_int_equal(tls_handshake(p.c, &events), 1);
        assert_int_equal(waiting(&p), 0);
        assert_int_equal(take(&p, bytes, sizeof bytes, false), 5);
        assert_memory_equal(bytes, "early", 5);
        to_server(&p);
        assert_int_equal(SSL_do_handshake(p.ssl), 1);
        tell(&p, "later");
        expect(&p, "later");
        peer_clear(&p);
    }
}

/* One bit of a record is another than the server's, in each of its bytes. The reason is OpenSSL's own for the same. */
static void test_changed_bits(void **state)
{
    (void)state;
    enum { WHOLE = TLS_RECORD_HEAD + 12 + 1 + TLS_RECORD_TAG };
    for (int i = 0; i < N_WAYS; i++)
        for (int at = 0; at < WHOLE; at++) {
            struct peer p;
            uint8_t record[2 * WHOLE] = {0};
            open_peer(&p, &WAYS[i]);
            tell(&p, "good");
            expect(&p, "good");
            say(&p, "twelve bytes", 12);
            assert_int_equal(BIO_read(SSL_get_wbio(p.ssl), record, sizeof record), WHOLE);
            record[at] ^= at == 3 ? 0x80 : 2;
            assert_int_equal(send(p.there, record, sizeof record, 0), sizeof record);
            expect_broken(&p, at == 0   ? "bad record type"
                              : at <= 2 ? "no TLS is spoken there"
                              : at == 3 ? "packet length too long"
                                        : "decryption failed or bad record mac");
            peer_clear(&p);
        }
}

/* An alert after data has its own words; that a close follows is no failure. */
static void test_alert(void **state)
{
    (void)state;
    for (int i = 0; i < N_WAYS; i++) {
        struct peer p;
        char bytes[64];
        open_peer(&p, &WAYS[i]);
        tell(&p, "data");
        expect(&p, "data");
        /* what is no record makes the server send one */
        assert_int_equal(BIO_write(SSL_get_rbio(p.ssl), "what is no TLS at all", 21), 21);
        assert_int_equal(SSL_read(p.ssl, bytes, sizeof bytes), -1);
        ERR_clear_error();
        to_us(&p, SIZE_MAX);
        char byte;
        assert_int_equal(take(&p, &byte, 1, true), -1);
        assert_int_equal(errno, ECONNRESET);
        assert_non_null(tls_alert());
        assert_string_equal(tls_alert(), "tlsv1 alert protocol version");
        peer_clear(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_suites),        cmocka_unit_test(test_new_keys),
        cmocka_unit_test(test_late_sessions), cmocka_unit_test(test_padding),
        cmocka_unit_test(test_long_records),  cmocka_unit_test(test_data_with_handshake),
        cmocka_unit_test(test_changed_bits),  cmocka_unit_test(test_alert),
    };
    return cmocka_run_group_tests(tests, make_files, drop_files);
}
