/* Seeds that only the program itself can write, since their bytes change with its tables: into the folder that the
 * environment's FUZZ_SEEDS names (run.sh sets it), before the first input is read. */
#pragma once
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

static inline void fuzz_seed(int number, const void *bytes, size_t n)
{
    char path[4096];
    const char *dir = getenv("FUZZ_SEEDS");
    if (!dir) return;
    (void)snprintf(path, sizeof path, "%s/seed_%d", dir, number);
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(bytes, 1, n, f) != n || fclose(f)) abort();
}
