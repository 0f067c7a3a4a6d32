/* Which fault a request meets, decided by seed and request number alone, so that a run can be repeated. */
#pragma once
#include <stdint.h>

#include "tests/sim/options.h"

enum sim_fault sim_fault_choose(const struct sim_options *o, uint64_t request);

/* Tokens that are sent before the fault: --fault-after, but never all of them. */
uint32_t sim_fault_position(const struct sim_options *o, enum sim_fault f, uint32_t tokens);
