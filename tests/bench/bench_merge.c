/* What a second of an agent costs its coordinator to be merged, and its bytes, by how much the agent did: the part of a
 * coordinator's cost that grows with streams and their rate. What does not, the words of the control plane, is the rest
 * of what bench_cluster prints. One line of JSON for each. */
#include <inttypes.h>
#include <stdio.h>

#include "tests/bench/merge_cost.h"

enum { AGENTS = 500, SECONDS = 30, TEMPLATES = 16 };

int main(void)
{
    static const uint32_t REQUESTS[] = {1, 8, 30, 125, 500};
    struct buf b = BUF_INIT(WIRE_MESSAGE_MAX);
    for (size_t i = 0; i < sizeof REQUESTS / sizeof *REQUESTS; i++) {
        struct snapshot *templates[TEMPLATES], s;
        uint64_t c[COUNTER_N] = {0};
        for (uint64_t k = 0; k < TEMPLATES; k++)
            templates[k] = made_up_second(rng_mix(1, k, 0, 0), REQUESTS[i], true);
        made_up_next(templates[0], 0, 8, false, c, &s);
        buf_reset(&b);
        if (snapshot_encode(&s, &b)) abort();
        printf("{\"requests_per_s\":%" PRIu32 ",\"tokens_per_s\":%" PRIu32 ",\"bytes\":%zu,\"merge_us\":%.1f}\n",
               REQUESTS[i], REQUESTS[i] * MADE_UP_TOKENS, b.len, merge_cost_us(templates, TEMPLATES, AGENTS, SECONDS));
        for (uint64_t k = 0; k < TEMPLATES; k++)
            snapshot_destroy(&templates[k]);
    }
    buf_clear(&b);
    return 0;
}
