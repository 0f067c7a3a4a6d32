/* AES-GCM of records that come in: the key of one direction, and opening with it. By Intel's multi-buffer library where
 * the build has it and the processor has instructions for AES. Else by OpenSSL, whose way to the cipher costs more than
 * the cipher does with the short records of a stream. Pure. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GCM_NONCE 12u
#define GCM_TAG 16u

struct gcm {
    const struct gcm_way *way; /* NULL: there is no key */
    size_t key_bytes;          /* 16 or 32 */
    void *key;                 /* the way's */
};

/* Replaces the key. `nonce` is that of any record; key_bytes stay what they were first. False: no memory, and there is
 * no key. */
bool gcm_set_key(struct gcm *g, const uint8_t *key, size_t key_bytes, const uint8_t *nonce);
void gcm_clear(struct gcm *g); /* also one that is zero */

/* Opens n bytes, at least one. `head` bytes that the tag holds for too stand before them, the tag after them. `to` lies
 * elsewhere. False: the tag is not theirs, and what is in `to` is nobody's. */
bool gcm_open(const struct gcm *g, const uint8_t *nonce, const uint8_t *bytes, size_t head, size_t n, uint8_t *to);

/* For tests and benchmarks: whether later keys are the library's, where that can be used here. Returns whether it
 * can. */
bool gcm_by_library(bool wanted);
