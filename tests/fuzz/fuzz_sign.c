/* Hostile signature envelopes: no input may be believed, for the key below has signed nothing. */
#include <stdlib.h>

#include "common/sign.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const uint8_t KEY[SIGN_PUBLIC_BYTES] = {0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7, 0xd5, 0x4b, 0xfe,
                                                   0xd3, 0xc9, 0x64, 0x07, 0x3a, 0x0e, 0xe1, 0x72, 0xf3, 0xda, 0xa6,
                                                   0x23, 0x25, 0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07, 0x51, 0x1a};
    struct err e;
    if (sign_check(KEY, data, n, "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", "run", "agent", 0,
                   &e) == 0)
        abort();
    return 0;
}
