#include "common/harden.h"

#include <sys/prctl.h>
#include <sys/resource.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#endif

void harden_process(void)
{
    (void)setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
#ifndef SANITIZED
    (void)prctl(PR_SET_DUMPABLE, 0L, 0L, 0L, 0L);
#endif
}
