/* How often statistical tests repeat a trial. PLATEAU_TRIALS=full runs them all. An ordinary build runs as many as fit
 * into seconds. Sanitizers look for other faults, so under them only enough run to reach all code. Seeds are fixed: the
 * same number of trials gives the same figures. */
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
