/* Records of TLS 1.3 that a server sends, opened here: OpenSSL has made the handshake and the keys and has the cipher,
 * but its own way from a record to its bytes costs more than the cipher does. Bytes in, bytes out: no socket, no
 * allocation once there is a key. Reasons of failures are put into OpenSSL's queue of errors, as it would itself. */
#pragma once
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/transport/gcm.h"

#define TLS_RECORD_HEAD 5u
#define TLS_RECORD_TAG GCM_TAG
#define TLS_RECORD_MAX (TLS_RECORD_HEAD + 16384u + 256u) /* a whole record */
#define TLS_RECORD_NONCE GCM_NONCE
#define TLS_RECORD_SECRET 48u

/* What the bytes of a record are. */
enum tls_content { TLS_CONTENT_ALERT = 21, TLS_CONTENT_HANDSHAKE = 22, TLS_CONTENT_DATA = 23 };

/* The key of one connection and direction. */
struct tls_record_key {
    struct gcm cipher;
    const EVP_MD *digest;
    uint8_t secret[TLS_RECORD_SECRET], nonce[TLS_RECORD_NONCE];
    uint64_t opened; /* records, with this key */
};

/* From the server's first secret for data, after the handshake. False: its records are not opened here (TLS 1.2,
 * another cipher than AES-GCM), or there is no memory. */
bool tls_record_key_init(struct tls_record_key *k, const SSL *ssl, const uint8_t *secret, size_t n);
void tls_record_key_clear(struct tls_record_key *k); /* also one that is zero */
/* The key that the server has announced as its next one; false: no memory. */
bool tls_record_key_renew(struct tls_record_key *k);

/* How long a record with this head says that it is. */
static inline size_t tls_record_bytes(const uint8_t *head)
{
    return TLS_RECORD_HEAD + ((size_t)head[3] << 8 | head[4]);
}
/* How long the record is that begins there; 0: it has not come whole, -1: none can begin like this. */
long tls_record_length(const uint8_t *bytes, size_t n);
/* Opens a whole record of `length` bytes. `to` has room for all but head and tag and lies elsewhere. How many bytes it
 * carries and what they are, or -1: it is not the server's. */
long tls_record_open(struct tls_record_key *k, const uint8_t *record, size_t length, uint8_t *to,
                     enum tls_content *ret);
