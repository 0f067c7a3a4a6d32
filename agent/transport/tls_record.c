#include "agent/transport/tls_record.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

#define PLAIN_MAX 16384u /* bytes that a record carries */

static long refuse(int reason)
{
    ERR_clear_error();
    ERR_raise(ERR_LIB_SSL, reason);
    return -1;
}

/* HKDF-Expand-Label of RFC 8446, 7.1, without a context, where one block is enough. */
static bool expand(const EVP_MD *digest, const uint8_t *secret, const char *label, uint8_t *to, size_t n)
{
    uint8_t info[32] = {0, (uint8_t)n}, block[EVP_MAX_MD_SIZE];
    size_t len = strlen(label), size = (size_t)EVP_MD_get_size(digest);
    info[2] = (uint8_t)(6 + len);
    memcpy(info + 3, "tls13 ", 6);
    memcpy(info + 9, label, len);
    info[9 + len] = 0;     /* no context */
    info[9 + len + 1] = 1; /* the first block */
    bool made = HMAC(digest, secret, (int)size, info, 9 + len + 2, block, NULL) != NULL;
    if (made) memcpy(to, block, n);
    OPENSSL_cleanse(block, sizeof block);
    return made;
}

/* Key and nonces of the secret. */
static bool set_key(struct tls_record_key *k, size_t key_bytes)
{
    uint8_t key[32];
    k->opened = 0;
    bool set = expand(k->digest, k->secret, "iv", k->nonce, TLS_RECORD_NONCE) &&
               expand(k->digest, k->secret, "key", key, key_bytes) && gcm_set_key(&k->cipher, key, key_bytes, k->nonce);
    OPENSSL_cleanse(key, sizeof key);
    return set;
}

bool tls_record_key_init(struct tls_record_key *k, const SSL *ssl, const uint8_t *secret, size_t n)
{
    const SSL_CIPHER *suite = SSL_get_current_cipher(ssl);
    int nid = suite ? SSL_CIPHER_get_cipher_nid(suite) : NID_undef;
    size_t key_bytes = nid == NID_aes_128_gcm ? 16 : nid == NID_aes_256_gcm ? 32 : 0;
    *k = (struct tls_record_key){.digest = suite ? SSL_CIPHER_get_handshake_digest(suite) : NULL};
    if (SSL_version(ssl) != TLS1_3_VERSION || !key_bytes || !k->digest || n != (size_t)EVP_MD_get_size(k->digest))
        return false;
    memcpy(k->secret, secret, n);
    if (set_key(k, key_bytes)) return true;
    tls_record_key_clear(k);
    return false;
}

void tls_record_key_clear(struct tls_record_key *k)
{
    gcm_clear(&k->cipher);
    OPENSSL_cleanse(k, sizeof *k);
    *k = (struct tls_record_key){0};
}

bool tls_record_key_renew(struct tls_record_key *k)
{
    uint8_t next[TLS_RECORD_SECRET];
    size_t n = (size_t)EVP_MD_get_size(k->digest);
    bool made = expand(k->digest, k->secret, "traffic upd", next, n);
    if (made) memcpy(k->secret, next, n);
    OPENSSL_cleanse(next, sizeof next);
    return made && set_key(k, k->cipher.key_bytes);
}

long tls_record_length(const uint8_t *bytes, size_t n)
{
    if (n < TLS_RECORD_HEAD) return 0;
    size_t length = tls_record_bytes(bytes);
    if (bytes[1] != 3 || bytes[2] != 3) return refuse(SSL_R_WRONG_VERSION_NUMBER);
    if (bytes[0] != TLS_CONTENT_DATA) return refuse(SSL_R_BAD_RECORD_TYPE);
    if (length > TLS_RECORD_MAX) return refuse(SSL_R_PACKET_LENGTH_TOO_LONG);
    if (length <= TLS_RECORD_HEAD + TLS_RECORD_TAG) return refuse(SSL_R_LENGTH_TOO_SHORT);
    return n < length ? 0 : (long)length;
}

long tls_record_open(struct tls_record_key *k, const uint8_t *record, size_t length, uint8_t *to, enum tls_content *ret)
{
    size_t n = length - TLS_RECORD_HEAD - TLS_RECORD_TAG;
    uint8_t nonce[TLS_RECORD_NONCE];
    uint64_t number = __builtin_bswap64(k->opened++), low;
    memcpy(nonce, k->nonce, sizeof nonce);
    memcpy(&low, nonce + 4, sizeof low);
    low ^= number;
    memcpy(nonce + 4, &low, sizeof low);
    if (!gcm_open(&k->cipher, nonce, record + TLS_RECORD_HEAD, TLS_RECORD_HEAD, n, to))
        return refuse(SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC);
    while (n > 0 && to[n - 1] == 0) /* padding */
        n--;
    if (n == 0) return refuse(SSL_R_BAD_RECORD_TYPE);
    if (--n > PLAIN_MAX) return refuse(SSL_R_DATA_LENGTH_TOO_LONG);
    *ret = (enum tls_content)to[n];
    return (long)n;
}
