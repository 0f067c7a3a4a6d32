/* How often statistical tests try. In full with PLATEAU_TRIALS=full; else as often as an ordinary build can in seconds,
 * and under sanitizers, which look for other faults, only so often that all code is walked through. Seeds are fixed:
 * the same number of trials gives the same figures. */
#pragma once
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define TRIALS_SLOW
#endif
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define TRIALS_SLOW
#endif

static inline bool trials_full(void)
{
    const char *s = getenv("PLATEAU_TRIALS");
    return s && strcmp(s, "full") == 0;
}

static inline int trials(int full, int usual, int sanitized)
{
    if (trials_full()) return full;
#ifdef TRIALS_SLOW
    (void)usual;
    return sanitized;
#else
    (void)sanitized;
    return usual;
#endif
}
