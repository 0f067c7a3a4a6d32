/* Time. One clock: CLOCK_MONOTONIC, signed 64-bit nanoseconds. Wall-clock time is for labels. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#define NS_PER_US INT64_C(1000)
#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S INT64_C(1000000000)

int64_t clock_mono_ns(void);
int64_t clock_wall_ns(void);
int64_t clock_thread_cpu_ns(void); /* what the calling thread has used */

/* "250us", "250ms", "30s", "5m", "2h", "1.5s" (a unit is needed; "0" alone is allowed) → ns. Returns -1 if it is none,
 * is negative, or exceeds 10 years. */
int clock_duration_parse(const char *text, int64_t *ret_ns);

/* The shortest exact form ("250ms", "30s", "1500ms"); writes at most n bytes with the NUL; returns buf. */
char *clock_duration_text(int64_t ns, char *buf, size_t n);

/* "2026-11-22T12:00:00Z" of a wall-clock time; buf of at least 32 bytes; returns buf. */
char *clock_wall_text(int64_t wall_ns, char *buf, size_t n);
