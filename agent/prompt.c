#include "agent/prompt.h"

#include <math.h>

uint32_t prompt_length(const struct dist *d, struct rng *r)
{
    double v = dist_sample(d, r);
    if (!(v >= 1)) return 1;
    return v >= PROMPT_TOKENS_MAX ? PROMPT_TOKENS_MAX : (uint32_t)lround(v);
}
