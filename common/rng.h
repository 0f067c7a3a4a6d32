/* Seeded random numbers: xoshiro256** (Blackman & Vigna), seeded by splitmix64. The same seed gives the same numbers on
 * every machine, so a run can be repeated. Not for secrets. */
#pragma once
#include <stdint.h>

struct rng {
    uint64_t s[4];
};

void rng_seed(struct rng *r, uint64_t seed);
/* Inline: a prompt's words take one for each 32 bytes. */
static inline uint64_t rng_u64(struct rng *r)
{
    uint64_t *s = r->s, out = s[1] * 5, t = s[1] << 17;
    out = (out << 7 | out >> 57) * 9;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = s[3] << 45 | s[3] >> 19;
    return out;
}
double rng_double(struct rng *r);              /* [0, 1), 53 bits */
uint64_t rng_below(struct rng *r, uint64_t n); /* [0, n), n > 0, unbiased */
double rng_exp(struct rng *r);                 /* exponential, mean 1 */
double rng_normal(struct rng *r);              /* mean 0, sd 1 (polar method) */
double rng_gamma(struct rng *r, double shape); /* mean = shape, scale 1 (Marsaglia & Tsang), shape > 0 */

/* A seed of its own for each thing: hash of a parent seed and up to three numbers (splitmix64 finaliser). */
uint64_t rng_mix(uint64_t seed, uint64_t a, uint64_t b, uint64_t c);
