/* Bytes as a corpus: refused, or walked without a read outside of it. */
#define _GNU_SOURCE 1
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/corpus.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    volatile uint64_t sum = 0;
    int fd = memfd_create("corpus", MFD_CLOEXEC);
    if (fd < 0 || write(fd, bytes, n) != (ssize_t)n) abort();
    struct corpus *c = corpus_open(fd, NULL);
    (void)close(fd);
    for (uint64_t i = 0; c && i < corpus_count(c) && i < 1000; i++) {
        struct corpus_record r;
        struct corpus_message m;
        if (corpus_get(c, i, &r) < 0) continue;
        for (size_t at = 0; corpus_message(&r, &at, &m);)
            for (size_t k = 0; k < m.len; k++)
                sum += (unsigned char)m.text[k];
        for (uint32_t k = 0; k < r.n_blocks; k++)
            sum += corpus_block(&r, k);
        if (r.body) sum += strlen(r.body);
    }
    (void)sum;
    corpus_close(&c);
    return 0;
}
