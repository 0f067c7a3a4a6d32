#include "common/base64.h"

#include <sodium.h>
#include <stdint.h>

enum { PIECE = 48, VARIANT = sodium_base64_VARIANT_ORIGINAL };

int base64_put(struct buf *out, const void *bytes, size_t n)
{
    const uint8_t *p = bytes;
    char text[sodium_base64_ENCODED_LEN(PIECE, VARIANT)];
    for (size_t at = 0; at < n; at += PIECE) {
        size_t piece =
            n - at < PIECE ? n - at : PIECE; /* pieces of whole triples, so that padding stands at the end only */
        (void)sodium_bin2base64(text, sizeof text, p + at, piece, VARIANT);
        (void)buf_puts(out, text);
    }
    sodium_memzero(text, sizeof text); /* it may have been a password */
    return out->bad ? -1 : 0;
}
