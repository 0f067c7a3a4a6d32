/* A fingerprint of tables: FNV-1a over their names and numbers, 64 bits. Two programs whose tables differ in a row, its
 * place or what it means for the bytes on the wire have different fingerprints. So no version has to be raised by hand.
 * It does not protect against forgery. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#define FINGERPRINT_INIT UINT64_C(14695981039346656037)

static inline uint64_t fingerprint_u64(uint64_t h, uint64_t v)
{
    for (int i = 0; i < 8; i++)
        h = (h ^ (v >> 8 * i & 0xff)) * UINT64_C(1099511628211);
    return h;
}

static inline uint64_t fingerprint_bytes(uint64_t h, const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        h = (h ^ (unsigned char)s[i]) * UINT64_C(1099511628211);
    return h;
}

/* With its end, so that "ab", "c" is not "a", "bc". */
static inline uint64_t fingerprint_text(uint64_t h, const char *s)
{
    for (; *s; s++)
        h = (h ^ (unsigned char)*s) * UINT64_C(1099511628211);
    return fingerprint_u64(h, 0);
}
