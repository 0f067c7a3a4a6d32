/* Bytes as a snapshot: read or refused, empty when refused; what is read can be written and read again. */
#include <stdlib.h>
#include <string.h>

#include "common/snapshot.h"
#include "tests/fuzz/fuzz_seed.h"
#include "tests/fuzz/snapshot_seeds.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    for (int i = 0; i < SNAPSHOT_SEEDS; i++) {
        struct buf b = BUF_INIT(1 << 20);
        if (snapshot_seed(i, &b) == 0) fuzz_seed(i, b.data, b.len);
        buf_clear(&b);
    }
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);
static void must(int true_)
{
    if (!true_) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct snapshot *s = snapshot_new(false), *again = snapshot_new(false);
    struct hist_sparse list[METRIC_N] = {0};
    struct snapshot_bytes hists;
    must(s && again);
    int refused = snapshot_decode(s, bytes, n, NULL);
    must(snapshot_decode_sparse(again, list, bytes, n, &hists, NULL) == refused);
    for (int i = 0; i < METRIC_N; i++) {
        if (!refused) must(list[i].whole.count == (s->hist[i] ? s->hist[i]->count : 0));
        hist_sparse_clear(&list[i]);
    }
    if (refused) {
        must(s->from_ns == 0 && s->to_ns == 0 && s->counters[COUNTER_DUE] == 0);
        for (int i = 0; i < METRIC_N; i++)
            must(!s->hist[i] || s->hist[i]->count == 0);
    } else {
        struct buf b = BUF_INIT(64u << 20);
        must(snapshot_encode(s, &b) == 0);
        must(snapshot_decode(again, b.data, b.len, NULL) == 0);
        must(memcmp(s, again, offsetof(struct snapshot, hist)) == 0);
        must(s->to_ns >= s->from_ns && snapshot_add(again, s) == 0 && snapshot_extend(again, s) == 0);
        buf_clear(&b);
    }
    snapshot_destroy(&s);
    snapshot_destroy(&again);
    return 0;
}
