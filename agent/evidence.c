#include "agent/evidence.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/clock.h"

/* schedstat: "time on a CPU, time waiting on a run queue, time slices", in ns. */
static int64_t thread_runq_ns(const struct evidence *v)
{
    char text[128], *end;
    ssize_t n = v->schedstat >= 0 ? pread(v->schedstat, text, sizeof text - 1, 0) : 0;
    if (n <= 0) return 0;
    text[n] = '\0';
    strtoll(text, &end, 10);
    return strtoll(end, NULL, 10);
}

void evidence_open(struct evidence *v)
{
    v->schedstat = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
    v->cpu_base = v->runq_base = 0;
}

void evidence_close(struct evidence *v)
{
    if (v->schedstat >= 0) close(v->schedstat);
    v->schedstat = -1;
}

void evidence_begin(struct evidence *v)
{
    v->cpu_base = v->runq_base = 0;
    evidence_read(v, &v->cpu_base, &v->runq_base);
}

void evidence_read(const struct evidence *v, int64_t *ret_cpu_ns, int64_t *ret_runq_ns)
{
    *ret_cpu_ns = clock_thread_cpu_ns() - v->cpu_base;
    *ret_runq_ns = thread_runq_ns(v) - v->runq_base;
}
