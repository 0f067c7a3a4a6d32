#include "agent/transport/gcm.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#ifdef PLATEAU_IPSEC_MB
#include <intel-ipsec-mb.h>
#include <pthread.h>
#endif

struct gcm_way {
    void *(*make)(size_t key_bytes); /* NULL: no memory */
    bool (*set)(void *made, const uint8_t *key, size_t key_bytes, const uint8_t *nonce);
    bool (*open)(const struct gcm *g, const uint8_t *nonce, const uint8_t *bytes, size_t head, size_t n, uint8_t *to);
    void (*destroy)(void *made);
};

/* ---- OpenSSL ---- */

static void openssl_destroy(void *made)
{
    EVP_CIPHER_CTX_free(made);
}

static void *openssl_make(size_t key_bytes)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    if (ctx && EVP_DecryptInit_ex(ctx, key_bytes == 16 ? EVP_aes_128_gcm() : EVP_aes_256_gcm(), NULL, NULL, NULL) == 1)
        return ctx;
    openssl_destroy(ctx);
    return NULL;
}

static bool openssl_set(void *made, const uint8_t *key, size_t key_bytes, const uint8_t *nonce)
{
    (void)key_bytes;
    /* with a nonce that is "fixed", the nonce of a record can be set together with its tag, in one call */
    return EVP_DecryptInit_ex(made, NULL, NULL, key, NULL) == 1 &&
           EVP_CIPHER_CTX_ctrl(made, EVP_CTRL_GCM_SET_IV_FIXED, -1, (void *)(uintptr_t)nonce) == 1;
}

static bool openssl_open(const struct gcm *g, const uint8_t *nonce, const uint8_t *bytes, size_t head, size_t n,
                         uint8_t *to)
{
    const OSSL_PARAM set[] = {
        OSSL_PARAM_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, (void *)(uintptr_t)(bytes + n), GCM_TAG),
        OSSL_PARAM_octet_string(OSSL_CIPHER_PARAM_AEAD_TLS1_SET_IV_INV, (void *)(uintptr_t)nonce, GCM_NONCE),
        OSSL_PARAM_END};
    /* EVP_Cipher is what EVP_DecryptUpdate and EVP_DecryptFinal_ex come down to with this cipher */
    return EVP_CIPHER_CTX_set_params(g->key, set) == 1 && EVP_Cipher(g->key, NULL, bytes - head, (unsigned)head) >= 0 &&
           EVP_Cipher(g->key, to, bytes, (unsigned)n) >= 0 && EVP_Cipher(g->key, NULL, NULL, 0) >= 0;
}

static const struct gcm_way OPENSSL = {openssl_make, openssl_set, openssl_open, openssl_destroy};

/* ---- the library ---- */

#ifdef PLATEAU_IPSEC_MB

#define CACHE_LINE 64u

/* Its functions for this processor; NULL: it cannot be used. */
static struct {
    aes_gcm_pre_t set_128, set_256;
    aes_gcm_enc_dec_t open_128, open_256;
} library;

static void choose(void)
{
    const uint64_t need = IMB_FEATURE_AESNI | IMB_FEATURE_PCLMULQDQ;
    IMB_MGR *m = alloc_mb_mgr(0);
    if (!m) return;
    init_mb_mgr_auto(m, NULL);
    if (imb_get_errno(m) == 0 && (m->features & need) == need) {
        library.set_128 = m->gcm128_pre;
        library.set_256 = m->gcm256_pre;
        library.open_128 = m->gcm128_dec;
        library.open_256 = m->gcm256_dec;
    }
    free_mb_mgr(m); /* the functions need nothing of it */
}

static void library_destroy(void *made)
{
    OPENSSL_cleanse(made, sizeof(struct gcm_key_data));
    free(made);
}

static void *library_make(size_t key_bytes)
{
    (void)key_bytes;
    return aligned_alloc(CACHE_LINE, (sizeof(struct gcm_key_data) + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE);
}

static bool library_set(void *made, const uint8_t *key, size_t key_bytes, const uint8_t *nonce)
{
    (void)nonce;
    (key_bytes == 16 ? library.set_128 : library.set_256)(key, made);
    return true;
}

static bool library_open(const struct gcm *g, const uint8_t *nonce, const uint8_t *bytes, size_t head, size_t n,
                         uint8_t *to)
{
    struct gcm_context_data state;
    uint8_t tag[GCM_TAG] = {0};
    (g->key_bytes == 16 ? library.open_128 : library.open_256)(g->key, &state, to, bytes, n, nonce, bytes - head, head,
                                                               tag, sizeof tag);
    return CRYPTO_memcmp(tag, bytes + n, sizeof tag) == 0;
}

static const struct gcm_way *the_library(void)
{
    static const struct gcm_way LIBRARY = {library_make, library_set, library_open, library_destroy};
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, choose);
    return library.open_256 ? &LIBRARY : NULL;
}

#else

static const struct gcm_way *the_library(void)
{
    return NULL;
}

#endif

/* ---- either ---- */

static atomic_bool unwanted; /* the library */

bool gcm_by_library(bool wanted)
{
    atomic_store(&unwanted, !wanted);
    return the_library() != NULL;
}

void gcm_clear(struct gcm *g)
{
    if (g->way) g->way->destroy(g->key);
    *g = (struct gcm){0};
}

bool gcm_set_key(struct gcm *g, const uint8_t *key, size_t key_bytes, const uint8_t *nonce)
{
    if (!g->way) {
        const struct gcm_way *way = atomic_load(&unwanted) ? NULL : the_library();
        if (!way) way = &OPENSSL;
        void *made = way->make(key_bytes);
        if (!made) return false;
        *g = (struct gcm){way, key_bytes, made};
    }
    if (g->way->set(g->key, key, key_bytes, nonce)) return true;
    gcm_clear(g);
    return false;
}

bool gcm_open(const struct gcm *g, const uint8_t *nonce, const uint8_t *bytes, size_t head, size_t n, uint8_t *to)
{
    return g->way->open(g, nonce, bytes, head, n, to);
}
