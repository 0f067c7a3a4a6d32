#include "tests/sim/fault.h"

#include "common/rng.h"

enum sim_fault sim_fault_choose(const struct sim_options *o, uint64_t request)
{
    enum sim_fault on[SIM_FAULT_N];
    uint64_t n = 0;
    for (int f = SIM_FAULT_NONE + 1; f < SIM_FAULT_N; f++)
        if (o->fault[f]) on[n++] = (enum sim_fault)f;
    if (n == 0) return SIM_FAULT_NONE;
    struct rng r;
    rng_seed(&r, rng_mix(o->seed, request, 0xfa, 0));
    if (rng_double(&r) >= o->fault_rate) return SIM_FAULT_NONE;
    return on[rng_below(&r, n)];
}

uint32_t sim_fault_position(const struct sim_options *o, enum sim_fault f, uint32_t tokens)
{
    if (f == SIM_FAULT_EMPTY || f == SIM_FAULT_STATUS) return 0;
    return o->fault_after < tokens ? o->fault_after : tokens - 1;
}
