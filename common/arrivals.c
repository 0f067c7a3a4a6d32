#include <math.h>

#include "common/clock.h"
#include "common/corpus.h"
#include "common/shard.h"

enum { ARRIVALS_STREAM = 1 }; /* the schedule's own branch of the stage's seed */

void arrivals_init(struct arrivals *a, const struct shard *s)
{
    *a = (struct arrivals){.shard = s};
    rng_seed(&a->rng, rng_mix(s->seed, ARRIVALS_STREAM, 0, 0));
}

/* The time, in seconds, at which the expected number of arrivals since T0 reaches x: with rate a + b·t it is a·t +
 * b·t²/2, solved for t in the form that does not cancel. Infinite when a falling rate never gets there. */
static double time_of(const struct shard *s, double x)
{
    if (x <= 0) return 0;
    if (s->rate_from == s->rate_to) return x / s->rate_from;
    double b = (s->rate_to - s->rate_from) / ((double)s->duration_ns * 1e-9),
           square = s->rate_from * s->rate_from + 2 * b * x;
    return square < 0 ? HUGE_VAL : 2 * x / (s->rate_from + sqrt(square));
}

/* Moves x to arrival k. */
static void step(struct arrivals *a)
{
    const struct shard *s = a->shard;
    switch (s->arrivals) {
    case ARRIVALS_CONSTANT:
        a->x = (double)a->k;
        break;
    case ARRIVALS_POISSON:
        a->x += rng_exp(&a->rng);
        break;
    case ARRIVALS_GAMMA:
        a->x += rng_gamma(&a->rng, s->burstiness) / s->burstiness;
        break;
    case ARRIVALS_RECORDED:
        break;
    }
}

/* When arrival k comes, in ns from T0; infinite when it never does. */
static double next_time(struct arrivals *a)
{
    const struct shard *s = a->shard;
    struct corpus_record r;
    if (s->arrivals != ARRIVALS_RECORDED) {
        step(a);
        return time_of(s, a->x) * (double)NS_PER_S;
    }
    return s->recorded && corpus_get(s->recorded, a->k, &r) == 0 ? (double)r.at_ns : HUGE_VAL;
}

int arrivals_next(struct arrivals *a, int64_t *ret_ns, uint64_t *ret_k)
{
    const struct shard *s = a->shard;
    int64_t end = s->duration_ns ? s->duration_ns : INT64_MAX / 4;
    while (s->n_turns && !(s->requests_all && a->k >= s->requests_all)) {
        double t = next_time(a);
        if (!(t < (double)end) || llround(t) >= end) return 0;
        uint64_t k = a->k++;
        bool ours = s->turns[a->at] == a->in_cycle;
        if (ours && ++a->at == s->n_turns) a->at = 0;
        if (++a->in_cycle == s->cycle) a->in_cycle = 0;
        if (!ours) continue;
        *ret_ns = llround(t);
        *ret_k = k;
        return 1;
    }
    return 0;
}

int64_t arrivals_over(const struct arrivals *a)
{
    const struct shard *s = a->shard;
    struct arrivals next = *a;
    struct corpus_record last;
    bool counted = s->requests_all && a->k >= s->requests_all;
    double t = counted ? next_time(&next) : HUGE_VAL;
    if (!(t < HUGE_VAL) && s->arrivals == ARRIVALS_RECORDED && s->recorded && a->k > 0 &&
        corpus_get(s->recorded, a->k - 1, &last) == 0)
        t = (double)last.at_ns * (a->k > 1 ? (double)a->k / (double)(a->k - 1) : 1);
    int64_t over = t < (double)(INT64_MAX / 4) ? llround(t) : 0;
    if (s->duration_ns > 0 && (!counted || over > s->duration_ns)) over = s->duration_ns;
    return over;
}

uint32_t arrivals_peak(const struct shard *s, int64_t within_ns, uint32_t enough)
{
    struct arrivals head, tail; /* the schedule is walked twice instead of stored */
    int64_t last, first = 0;
    uint64_t k;
    uint32_t n = 0, most = 0;
    arrivals_init(&head, s);
    arrivals_init(&tail, s);
    bool some = arrivals_next(&tail, &first, &k) != 0;
    while (most < enough && arrivals_next(&head, &last, &k)) {
        for (n++; some && last - first >= within_ns; n--)
            some = arrivals_next(&tail, &first, &k) != 0;
        if (n > most) most = n;
    }
    return most;
}
