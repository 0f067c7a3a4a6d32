#include "common/counter.h"

const struct counter_row COUNTERS[COUNTER_N] = {
#define X(id, name, kind, meaning) {name, meaning, COUNTER_IS_##kind},
#include "common/counter.def"
#undef X
};

const char *counter_kind_name(enum counter_kind k)
{
    static const char *const NAMES[] = {"count", "amount", "estimate", "maximum"};
    return NAMES[k];
}

void counters_add(uint64_t total[COUNTER_N], const uint64_t part[COUNTER_N])
{
    for (int i = 0; i < COUNTER_N; i++)
        if (COUNTERS[i].kind != COUNTER_IS_MAXIMUM)
            total[i] += part[i];
        else if (part[i] > total[i])
            total[i] = part[i];
}

uint64_t counters_failed(const uint64_t c[COUNTER_N])
{
    uint64_t sum = 0;
    for (int i = COUNTER_FAILED_FIRST; i <= COUNTER_FAILED_LAST; i++)
        sum += c[i];
    return sum;
}
