/* What a worker thread can prove about itself: its CPU time, and how long it waited for a CPU while it could have run.
 * Made and read by the thread itself. */
#pragma once
#include <stdint.h>

struct evidence {
    int schedstat; /* descriptor of /proc/thread-self/schedstat, or -1 */
    int64_t cpu_base, runq_base;
};
void evidence_open(struct evidence *v);
void evidence_close(struct evidence *v);
void evidence_begin(struct evidence *v); /* what follows counts from here */
void evidence_read(const struct evidence *v, int64_t *ret_cpu_ns, int64_t *ret_runq_ns);
