#include "common/counter.h"

const struct counter_row COUNTERS[COUNTER_N] = {
#define X(id, name, meaning) {name, meaning},
#include "common/counter.def"
#undef X
};

void counters_add(uint64_t total[COUNTER_N], const uint64_t part[COUNTER_N])
{
    for (int i = 0; i < COUNTER_N; i++) {
        switch (i) {
        case COUNTER_CPU_MAX_NS:
        case COUNTER_WAITING_BYTES_MAX:
        case COUNTER_MEASURED_NS:
            if (part[i] > total[i]) total[i] = part[i];
            break;
        default:
            total[i] += part[i];
        }
    }
}

uint64_t counters_failed(const uint64_t c[COUNTER_N])
{
    uint64_t sum = 0;
    for (int i = COUNTER_FAILED_FIRST; i <= COUNTER_FAILED_LAST; i++)
        sum += c[i];
    return sum;
}
