/* AES-GCM by either way: the known answers of its authors, every length against what OpenSSL seals, no byte beyond, and
 * nothing accepted that was changed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "agent/transport/gcm.h"

enum { HEAD = 5, LONGEST = 16384 + 1 };
static const size_t KEYS[] = {16, 32};
static uint8_t *flush_from, *flush_to; /* a page follows that nobody may touch */

static uint8_t *guarded(size_t n)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), all = (n + page - 1) / page * page;
    uint8_t *at = mmap(NULL, all + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(at, MAP_FAILED);
    assert_int_equal(mprotect(at + all, page, PROT_NONE), 0);
    return at + all;
}

static int set_up(void **state)
{
    (void)state;
    flush_from = guarded(HEAD + LONGEST + GCM_TAG);
    flush_to = guarded(LONGEST);
    return 0;
}

static size_t unhex(const char *text, uint8_t *to)
{
    size_t n = 0;
    for (; *text; text += 2) {
        const char pair[] = {text[0], text[1], '\0'};
        to[n++] = (uint8_t)strtoul(pair, NULL, 16);
    }
    return n;
}

/* McGrew and Viega, "The Galois/Counter Mode of Operation", test cases 3, 4, 15, 16. */
static void test_known_answers(void **state)
{
#define KEY "feffe9928665731c6d6a8f9467308308"
#define PLAIN                                                                                                          \
    "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657" \
    "ba637b39"
#define BY_128                                                                                                         \
    "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac97" \
    "3d58e091"
#define BY_256                                                                                                         \
    "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0a" \
    "bcc9f662"
#define BESIDE "feedfacedeadbeeffeedfacedeadbeefabaddad2"
    static const struct {
        const char *key, *beside, *cipher, *tag, *plain;
    } CASES[] = {{KEY, "", BY_128 "473f5985", "4d5c2af327cd64a62cf35abd2ba6fab4", PLAIN "1aafd255"},
                 {KEY, BESIDE, BY_128, "5bc94fbc3221a5db94fae95ae7121a47", PLAIN},
                 {KEY KEY, "", BY_256 "898015ad", "b094dac5d93471bdec1a502270e3cc6c", PLAIN "1aafd255"},
                 {KEY KEY, BESIDE, BY_256, "76fc6ece0f4e1768cddf8853bb2d551b", PLAIN}};
    (void)state;
    for (int library = 0; library < 2; library++)
        for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
            uint8_t key[32], nonce[GCM_NONCE], bytes[128], plain[64], opened[64];
            struct gcm g = {0};
            unhex("cafebabefacedbaddecaf888", nonce);
            size_t key_bytes = unhex(CASES[i].key, key), head = unhex(CASES[i].beside, bytes);
            size_t n = unhex(CASES[i].cipher, bytes + head);
            assert_int_equal(unhex(CASES[i].tag, bytes + head + n), GCM_TAG);
            assert_int_equal(unhex(CASES[i].plain, plain), n);
            (void)gcm_by_library(library);
            assert_true(gcm_set_key(&g, key, key_bytes, nonce));
            for (int again = 0; again < 2; again++) {
                assert_true(gcm_open(&g, nonce, bytes + head, head, n, opened));
                assert_memory_equal(opened, plain, n);
            }
            gcm_clear(&g);
        }
}

/* A record of n bytes right before the page, as OpenSSL seals it; where its bytes begin. */
static uint8_t *seal(const uint8_t *key, size_t key_bytes, const uint8_t *nonce, const uint8_t *plain, size_t n)
{
    uint8_t *at = flush_from - GCM_TAG - n;
    int len;
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    memcpy(at - HEAD, "\x17\x03\x03\x00\x00", HEAD);
    assert_true(EVP_EncryptInit_ex(ctx, key_bytes == 16 ? EVP_aes_128_gcm() : EVP_aes_256_gcm(), NULL, key, nonce) &&
                EVP_EncryptUpdate(ctx, NULL, &len, at - HEAD, HEAD) &&
                EVP_EncryptUpdate(ctx, at, &len, plain, (int)n) && EVP_EncryptFinal_ex(ctx, at + len, &len) &&
                EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, GCM_TAG, at + n));
    EVP_CIPHER_CTX_free(ctx);
    return at;
}

static void fill(uint8_t *to, size_t n, uint32_t seed)
{
    for (size_t i = 0; i < n; i++)
        to[i] = (uint8_t)((seed += 2654435769u) >> 23);
}

/* The key is another one after some time, as TLS has it. */
static void test_every_length(void **state)
{
    static uint8_t plain[LONGEST];
    uint8_t key[32], nonce[GCM_NONCE];
    (void)state;
    for (int library = 0; library < 2; library++)
        for (int k = 0; k < 2; k++) {
            struct gcm g = {0};
            (void)gcm_by_library(library);
            for (size_t n = 1; n <= LONGEST; n += n < 1100 ? 1 : n < LONGEST - 900 ? 797 : LONGEST - n > 40 ? 31 : 1) {
                fill(plain, n, (uint32_t)n);
                fill(nonce, sizeof nonce, (uint32_t)n + 1);
                if (n % 100 == 1) {
                    fill(key, sizeof key, (uint32_t)n + 2);
                    assert_true(gcm_set_key(&g, key, KEYS[k], nonce));
                }
                const uint8_t *at = seal(key, KEYS[k], nonce, plain, n);
                uint8_t *to = flush_to - n;
                assert_true(gcm_open(&g, nonce, at, HEAD, n, to));
                assert_memory_equal(to, plain, n);
            }
            gcm_clear(&g);
        }
}

/* One bit in the head, the bytes, the tag or the nonce is another; afterwards the key still opens what is right. */
static void test_changed(void **state)
{
    static const size_t LENGTHS[] = {1, 17, 250, 1400};
    static uint8_t plain[1400];
    uint8_t key[32], nonce[GCM_NONCE];
    (void)state;
    fill(key, sizeof key, 1);
    fill(nonce, sizeof nonce, 2);
    fill(plain, sizeof plain, 3);
    for (int library = 0; library < 2; library++)
        for (int k = 0; k < 2; k++)
            for (size_t i = 0; i < sizeof LENGTHS / sizeof *LENGTHS; i++) {
                size_t n = LENGTHS[i];
                struct gcm g = {0};
                (void)gcm_by_library(library);
                assert_true(gcm_set_key(&g, key, KEYS[k], nonce));
                uint8_t *at = seal(key, KEYS[k], nonce, plain, n);
                for (size_t bit = 0; bit < 8 * (HEAD + n + GCM_TAG); bit++) {
                    at[bit / 8 - HEAD] ^= (uint8_t)(1u << bit % 8);
                    assert_false(gcm_open(&g, nonce, at, HEAD, n, flush_to - n));
                    at[bit / 8 - HEAD] ^= (uint8_t)(1u << bit % 8);
                }
                nonce[GCM_NONCE - 1] ^= 1;
                assert_false(gcm_open(&g, nonce, at, HEAD, n, flush_to - n));
                nonce[GCM_NONCE - 1] ^= 1;
                assert_true(gcm_open(&g, nonce, at, HEAD, n, flush_to - n));
                assert_memory_equal(flush_to - n, plain, n);
                gcm_clear(&g);
            }
}

/* Where the library can be used it is, unless it is not wanted. */
static void test_choice(void **state)
{
    const uint8_t zero[32] = {0};
    struct gcm with = {0}, without = {0};
    (void)state;
    bool can = gcm_by_library(false);
    assert_true(gcm_set_key(&without, zero, 32, zero));
    assert_int_equal(gcm_by_library(true), can);
    assert_true(gcm_set_key(&with, zero, 32, zero));
    assert_int_equal(with.way != without.way, can);
    gcm_clear(&with);
    gcm_clear(&without);
    gcm_clear(&without);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_answers),
        cmocka_unit_test(test_every_length),
        cmocka_unit_test(test_changed),
        cmocka_unit_test(test_choice),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
