/* To each API a body, split anyhow, gives the timeline and the outcome that it gives in one piece. */
#include "tests/fuzz/stream_util.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct said one, two;
    for (int i = 0; i < DIALECTS; i++) {
        run_dialect(dialect_at(i), data, size, 0, false, &one);
        for (uint64_t salt = 1; salt <= 2; salt++) {
            run_dialect(dialect_at(i), data, size, salt, false, &two);
            MUST(memcmp(&one, &two, sizeof one) == 0);
        }
    }
    return 0;
}
