/* Bytes as a message: read or refused; what is read can be written, and that reads as the same bytes again. A shard
 * that is accepted can be split and walked. */
#include <stdlib.h>
#include <string.h>

#include "common/wire.h"
#include "tests/fuzz/fuzz_seed.h"

/* Only the program knows the fingerprint that a HELLO needs. */
int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    struct wire_msg m = {.type = WIRE_HELLO,
                         .u.hello = {.name = "a", .boot_id = "00ff", .version = "0.1.0", .host = "h", .guard = "all"}};
    struct buf b = BUF_INIT(1000);
    (void)argc, (void)argv;
    if (wire_encode(&m, &b) == 0) fuzz_seed(0, b.data, b.len);
    buf_clear(&b);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);
static void must(int true_)
{
    if (!true_) abort();
}

static void use_shard(const struct shard *s)
{
    struct shard part[3];
    if (shard_split(s, (const uint32_t[]){1, 2, 3}, 3, 0, part, NULL)) return;
    for (int i = 0; i < 3; i++) {
        struct arrivals a;
        int64_t ns, last = 0;
        uint64_t k;
        must(shard_check(&part[i], NULL) == 0);
        arrivals_init(&a, &part[i]);
        for (int turn = 0; turn < 3 && arrivals_next(&a, &ns, &k); turn++) {
            must(ns >= last);
            last = ns;
        }
        shard_clear(&part[i]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct wire_msg m, again;
    struct buf once = BUF_INIT(2 * WIRE_MESSAGE_MAX), twice = BUF_INIT(2 * WIRE_MESSAGE_MAX);
    if (wire_decode(&m, bytes, n, NULL) == 0) {
        must(wire_encode(&m, &once) == 0);
        must(wire_decode(&again, once.data, once.len, NULL) == 0);
        must(wire_encode(&again, &twice) == 0);
        must(once.len == twice.len && memcmp(once.data, twice.data, once.len) == 0);
        if (m.type == WIRE_ARM) use_shard(&m.u.arm.shard);
        wire_msg_clear(&m);
        wire_msg_clear(&again);
    }
    buf_clear(&once);
    buf_clear(&twice);
    return 0;
}
