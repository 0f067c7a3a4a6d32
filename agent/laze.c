#include "agent/laze.h"

#define TIMED_IN 8u
/* With so many packets a quantum sleeping always pays: reads that follow each other are cheaper, too. */
#define PACKETS_SURE 16
/* With fewer than that nobody is kept waiting for them. */
#define PACKETS_LEAST 2
/* A nap must save more than it costs before it is begun. */
#define MARGIN 1.25
#define LEARN (1.0 / 16)

void laze_begin(struct laze *l, int64_t now)
{
    l->on = false;
    l->from = now;
    l->packets = l->waits = 0;
}

bool laze_times_nap(struct laze *l)
{
    return l->turn_nap++ % TIMED_IN == 0;
}

bool laze_times_wait(struct laze *l)
{
    return !l->on && l->turn_wait++ % TIMED_IN == 0;
}

static void learn(double *known, int64_t seen)
{
    if (seen < 0) return;
    *known = *known > 0 ? *known + LEARN * ((double)seen - *known) : (double)seen;
}

void laze_nap(struct laze *l, int64_t cpu_ns)
{
    learn(&l->nap_ns, cpu_ns);
}

void laze_wait(struct laze *l, uint32_t packets, int64_t cpu_ns)
{
    l->packets += packets;
    l->waits++;
    if (!l->on) learn(&l->wait_ns, cpu_ns);
}

void laze_judge(struct laze *l, int64_t quantum_ns, bool hurried, int64_t now)
{
    double quanta = (double)(now - l->from) / (double)quantum_ns, packets = l->packets / quanta;
    if (!l->on && l->packets > 0) l->waits_a_packet = (double)l->waits / l->packets;
    double saves = packets * l->waits_a_packet * l->wait_ns; /* in a quantum */
    /* a nap's price is learnt by the first few */
    bool pays = l->nap_ns > 0 ? saves > l->nap_ns * (l->on ? 1 : MARGIN) : saves > 0;
    l->on = packets >= PACKETS_SURE || (packets >= PACKETS_LEAST && pays && !hurried);
    l->from = now;
    l->packets = l->waits = 0;
}
