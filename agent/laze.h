/* Whether a worker sleeps out the quantum or reads each packet at once. Sleeping pays when its timer takes less CPU
 * than the waits that it saves. What either takes differs tenfold between machines, and with how deep they sleep in
 * between, so both are measured: one wait and one nap in eight. Pure: what was measured goes in. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct laze {
    bool on;                      /* sleep */
    int64_t from;                 /* of the span under way */
    uint32_t packets, waits;      /* in it */
    uint32_t turn_wait, turn_nap; /* which of them are timed */
    double nap_ns, wait_ns;       /* CPU time of a nap, and of a wait when nobody naps; 0: not known */
    double waits_a_packet;        /* when nobody naps */
};
void laze_begin(struct laze *l, int64_t now); /* a stage; what was learnt about this machine stays */

/* The next nap, or wait, is to be timed. */
bool laze_times_nap(struct laze *l);
bool laze_times_wait(struct laze *l);
/* One nap, or wait that gave so many packets, has ended; cpu_ns: its CPU time, < 0: not timed. */
void laze_nap(struct laze *l, int64_t cpu_ns);
void laze_wait(struct laze *l, uint32_t packets, int64_t cpu_ns);

/* The end of a span of `laze_span(quantum)` is judged. `hurried`: a quantum is no small part of a request's time, and
 * whoever waits for its answer would be kept waiting. */
static inline bool laze_span_over(const struct laze *l, int64_t quantum_ns, int64_t now)
{
    return now - l->from >= 16 * quantum_ns;
}
void laze_judge(struct laze *l, int64_t quantum_ns, bool hurried, int64_t now);
