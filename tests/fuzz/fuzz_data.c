/* Bytes as a file of each format: refused with a sentence, or a corpus whose records can be read. The first byte says
 * which format, whether broken records are left out, and what becomes of zeros. */
#define _GNU_SOURCE 1
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "coordinator/corpus/compile.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);
static void must(int true_)
{
    if (!true_) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    if (n < 2) return 0;
    unsigned which = (bytes[0] & 0x1f) % (DATASET_N + TRACE_N); /* so that seeds keep theirs when another is added */
    struct plan_workload w = {.name = "w", .source = which < DATASET_N ? SOURCE_DATASET : SOURCE_TRACE};
    w.data.dataset = (enum dataset_format)(which < DATASET_N ? which : 0);
    w.data.trace = (enum trace_format)(which < DATASET_N ? 0 : which - DATASET_N);
    w.data.skip = bytes[0] & 0x40 ? 1 : 0;
    w.data.zero_output = bytes[0] & 0x80 ? ZERO_ONE : ZERO_DROP;
    w.data.speed = 2;
    int fd = memfd_create("data", MFD_CLOEXEC), out = memfd_create("corpus", MFD_CLOEXEC);
    must(fd >= 0 && out >= 0 && write(fd, bytes + 1, n - 1) == (ssize_t)n - 1);
    char path[40];
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    FILE *f = fdopen(out, "w+");
    must(f != NULL);
    struct compile_result result;
    struct err e = {.text = ""};
    if (compile_run(&w, NULL, path, f, &result, &e))
        must(e.code != ERR_NONE && e.text[0]);
    else {
        struct corpus *c = corpus_open(fileno(f), &e);
        must(c != NULL && corpus_count(c) == result.records && strlen(result.hash) == 64);
        int64_t last = 0;
        for (uint64_t i = 0; i < corpus_count(c); i++) {
            struct corpus_record r;
            must(corpus_get(c, i, &r) == 0 && r.at_ns >= last);
            last = r.at_ns;
        }
        corpus_close(&c);
    }
    (void)fclose(f);
    (void)close(fd);
    return 0;
}
