/* Bytes as a corpus: refused, or walked without a read outside of it. */
#define _GNU_SOURCE 1
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/unit/corpus_walk.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    int fd = memfd_create("corpus", MFD_CLOEXEC);
    if (fd < 0 || write(fd, bytes, n) != (ssize_t)n) abort();
    struct corpus *c = corpus_open(fd, NULL);
    (void)close(fd);
    if (c) corpus_walk(c, 1000);
    corpus_close(&c);
    return 0;
}
