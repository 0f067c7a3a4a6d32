#include "common/counter.h"

const struct counter_row COUNTERS[COUNTER_N] = {
#define X(id, name, kind, meaning) {name, meaning, COUNTER_IS_##kind},
#include "common/counter.def"
#undef X
};

const struct counter_status COUNTER_STATUSES[COUNTER_STATUSES_N] = {
#define COUNTED(status, label) {COUNTER_STATUS_##status, FAILURE_##label, status},
#define COUNTED_OTHER(id, name, label) {COUNTER_STATUS_##id, FAILURE_##label, 0},
#include "common/http_counted.def"
#undef COUNTED
#undef COUNTED_OTHER
};

enum counter counter_of_status(enum failure label, uint32_t status)
{
    enum counter other = COUNTER_N;
    for (int i = 0; i < COUNTER_STATUSES_N; i++) {
        const struct counter_status *c = &COUNTER_STATUSES[i];
        if (c->label != label) continue;
        if (c->status == status) return c->counter;
        if (c->status == 0) other = c->counter;
    }
    return other;
}

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
