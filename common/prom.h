/* Prometheus' text format (0.0.4) and the figures that agents and coordinator both show. Pure: bytes are appended to a
 * buffer, the owner publishes them (status.h). All names begin with plateau_; deploy/README.md lists them. */
#pragma once
#include <stdint.h>

#include "common/buf.h"
#include "common/counter.h"
#include "common/hist.h"

#define PROM_PAGE_MAX (64u << 10)

/* The head of a family of samples; `type` is gauge or counter. */
void prom_family(struct buf *out, const char *name, const char *type, const char *help);
/* A sample; `label` NULL = none. NaN: there is no value. */
void prom_sample(struct buf *out, const char *name, const char *label, const char *value, double v);

/* A family of one sample without a label. */
void prom_gauge(struct buf *out, const char *name, const char *help, double v);
void prom_counter(struct buf *out, const char *name, const char *help, double v);
/* Which of n names holds: 1 for `now`, 0 for the others. */
void prom_state(struct buf *out, const char *const *names, unsigned n, unsigned now);

/* Counters begin at zero again in each stage; Prometheus expects them to keep rising. */
struct prom_totals {
    uint64_t before[COUNTER_N], stage[COUNTER_N];
    uint64_t stages;
};
void prom_totals_see(struct prom_totals *t, const uint64_t counters[COUNTER_N]); /* of the running stage, cumulative */
void prom_totals_end(struct prom_totals *t);                                     /* the stage has ended */
uint64_t prom_total(const struct prom_totals *t, enum counter c);

/* What both programs count: requests by outcome, tokens, bytes, connections, CPU, throttling. */
void prom_put_totals(struct buf *out, const struct prom_totals *t);
/* Seconds at a quantile of a histogram of ns; NaN when it is NULL or empty. */
double prom_quantile(const struct hist *h, double q);
