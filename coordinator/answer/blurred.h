/* What tokens that were read late and together leave unknown, percentile by percentile. Pure.
 * A read has one stamp, that of its last bytes. In a late read tokens that came before share it: the gaps between them
 * are reported as zero, and the gap before them as too long; a first token among them makes ttft too long and tpot too
 * short. So a percentile is known as far as that many wrong samples cannot move it. Of the gaps of a late read the sum
 * is known, which limits each of them (itl_least, itl_most): then the percentile lies between those of the limits. */
#pragma once
#include "coordinator/answer/stat.h"
#include "coordinator/data.h"

struct blurred {
    double share;                              /* of the token events */
    enum verdict_status at[ASPECT_N][POINT_Q]; /* ttft, due, tpot, itl */
    enum verdict_status worst, used;           /* of all; of those that the answer or a gate of the plan goes by */
};

/* hist: NULL for metrics that have no sample. starved: the agents often waited for a CPU, so that tokens may have
 * waited too which came right after others. */
void blurred_judge(const uint64_t counters[COUNTER_N], struct hist *const hist[METRIC_N], const struct plan *plan,
                   bool starved, struct blurred *ret);
