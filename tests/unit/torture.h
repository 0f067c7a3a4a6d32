/* Every allocation of a piece of work failed in turn, as curl does it: the work is repeated, and each time one more
 * allocation succeeds before one fails, until none is left to fail. Each time it must end with an error (or
 * have done all of its work without the memory), and everything that it took must be given back. The linker puts these
 * wrappers in the place of malloc and its kin (tests/CMakeLists.txt), in our code and its static libraries, not in
 * shared ones. */
#pragma once
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__real_aligned_alloc(size_t align, size_t n);
char *__real_strdup(const char *s);
void __real_free(void *p);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_aligned_alloc(size_t align, size_t n);
char *__wrap_strdup(const char *s);
void __wrap_free(void *p);

static struct {
    bool on, failed;
    long before; /* allocations that still succeed */
    long live;   /* taken and not given back while `on` */
} torture;

static bool torture_fails(void)
{
    if (!torture.on) return false;
    if (torture.before-- > 0) return false;
    bool first = !torture.failed;
    torture.failed = true;
    return first; /* one only: what comes after it works again, which is where half-made things are used */
}

static void *torture_count(void *p)
{
    if (torture.on && p) torture.live++;
    return p;
}

void *__wrap_malloc(size_t n)
{
    return torture_fails() ? NULL : torture_count(__real_malloc(n));
}
void *__wrap_calloc(size_t n, size_t size)
{
    return torture_fails() ? NULL : torture_count(__real_calloc(n, size));
}
void *__wrap_realloc(void *p, size_t n)
{
    if (torture_fails()) return NULL;
    return p ? __real_realloc(p, n) : torture_count(__real_malloc(n));
}
void *__wrap_aligned_alloc(size_t align, size_t n)
{
    return torture_fails() ? NULL : torture_count(__real_aligned_alloc(align, n));
}
char *__wrap_strdup(const char *s)
{
    return torture_fails() ? NULL : torture_count(__real_strdup(s));
}
void __wrap_free(void *p)
{
    if (torture.on && p) torture.live--;
    __real_free(p);
}

/* `work` returns 0 when all of it was done and -1 when it ended with an error. Returns how many allocations were
 * failed; a fault is printed and counted in *ret_faults. With `quiet` the work need not end with an error. */
static long torture_work(const char *name, int (*work)(void), int *ret_faults)
{
    for (long k = 0;; k++) {
        torture.before = k;
        torture.live = 0;
        torture.failed = false;
        torture.on = true;
        int rc = work();
        torture.on = false;
        if (!torture.failed && rc) {
            (void)fprintf(stderr, "%s: fails with all the memory it wants\n", name);
            ++*ret_faults;
        }
        if (!torture.failed) return k;
        if (rc == 0) {
            (void)fprintf(stderr, "%s: allocation %ld failed and nobody said so\n", name, k);
            ++*ret_faults;
        }
        if (torture.live) {
            (void)fprintf(stderr, "%s: allocation %ld failed: %ld blocks were not given back\n", name, k, torture.live);
            ++*ret_faults;
        }
    }
}
