#include "common/shard.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

__extension__ typedef unsigned __int128 wide;

enum { PARTS_MAX = 65536 };
#define LONGEST (10 * INT64_C(366) * 24 * 3600 * 1000000000)
#define RATE_MAX 1e9

void shard_clear(struct shard *s)
{
    free(s->turns);
    *s = (struct shard){0};
}

static bool is_valid(const struct word_cost *c)
{
    if (c->word == 0) return c->beside == 0;
    return c->word >= 0.05 && c->word <= 20 && c->beside >= 0 && c->beside <= 1e6;
}

bool shard_costs_valid(const struct word_costs *c)
{
    for (uint32_t i = 0; i < WORD_COSTS_MAX; i++)
        if (!is_valid(&c->of[i])) return false;
    return true;
}

static int check_load(const struct shard *s, struct err *e)
{
    if (s->kind == LOAD_CLOSED) {
        if (s->slots_all == 0) return err_set(e, ERR_PLAN, "shard: a closed loop without slots");
        if ((uint64_t)s->slot_first + s->slots > s->slots_all)
            return err_set(e, ERR_PLAN, "shard: slots beyond those of the cluster");
        if (s->n_turns) return err_set(e, ERR_PLAN, "shard: a closed loop has no arrivals");
        if (s->requests > s->requests_all || s->request_first > s->requests_all - s->requests)
            return err_set(e, ERR_PLAN, "shard: more requests than the cluster has");
        return 0;
    }
    if (s->kind != LOAD_OPEN) return err_set(e, ERR_PLAN, "shard: unknown kind of load %d", (int)s->kind);
    if (s->slots > s->slots_all) return err_set(e, ERR_PLAN, "shard: slots beyond those of the cluster");
    if (!(s->rate_from >= 0 && s->rate_from <= RATE_MAX && s->rate_to >= 0 && s->rate_to <= RATE_MAX &&
          s->rate_from + s->rate_to > 0))
        return err_set(e, ERR_PLAN, "shard: impossible rate from %g to %g", s->rate_from, s->rate_to);
    if (s->rate_from != s->rate_to && s->duration_ns == 0)
        return err_set(e, ERR_PLAN, "shard: a ramp of the rate needs a duration");
    if (s->arrivals > ARRIVALS_RECORDED) return err_set(e, ERR_PLAN, "shard: unknown arrivals %d", (int)s->arrivals);
    if (s->arrivals == ARRIVALS_GAMMA && !(s->burstiness >= 1e-3 && s->burstiness <= 1e6))
        return err_set(e, ERR_PLAN, "shard: impossible burstiness %g", s->burstiness);
    return 0;
}

int shard_check(const struct shard *s, struct err *e)
{
    if (check_load(s, e)) return -1;
    const int64_t times[] = {s->duration_ns, s->warmup_ns, s->ramp_ns, s->drain_ns};
    for (size_t i = 0; i < sizeof times / sizeof *times; i++)
        if (times[i] < 0 || times[i] > LONGEST)
            return err_set(e, ERR_PLAN, "shard: impossible time %" PRId64 " ns", times[i]);
    if (s->duration_ns == 0 && s->requests_all == 0)
        return err_set(e, ERR_PLAN, "shard: neither a duration nor a count of requests");
    if (!shard_costs_valid(&s->costs)) return err_set(e, ERR_PLAN, "shard: such tokens of a word cannot be");
    if (s->cycle == 0 || s->cycle > SHARD_CYCLE_MAX || s->n_turns > s->cycle)
        return err_set(e, ERR_PLAN, "shard: impossible cycle");
    for (uint32_t i = 0; i < s->n_turns; i++)
        if (s->turns[i] >= s->cycle || (i && s->turns[i] <= s->turns[i - 1]))
            return err_set(e, ERR_PLAN, "shard: arrivals out of order");
    return 0;
}

int shard_whole(const struct plan *p, const struct plan_stage *s, uint64_t stage_seed, struct shard *ret, struct err *e)
{
    uint32_t slots = s->kind == LOAD_CLOSED ? s->concurrency : s->max_concurrency;
    *ret = (struct shard){
        .kind = s->kind,
        .slots = slots,
        .slots_all = slots,
        .rate_from = s->rate_from,
        .rate_to = s->rate_to,
        .arrivals = s->arrivals,
        .burstiness = s->burstiness,
        .seed = stage_seed,
        .requests_all = s->requests,
        .requests = s->requests,
        .cycle = 1,
        .n_turns = s->kind == LOAD_OPEN,
        .duration_ns = s->duration_ns,
        .warmup_ns = s->warmup_ns,
        .ramp_ns = s->ramp_ns,
        .drain_ns = p->drain_ns,
    };
    ret->turns = ret->n_turns ? calloc(1, sizeof *ret->turns) : NULL;
    if (ret->n_turns && !ret->turns) return err_set(e, ERR_NOMEM, "out of memory for a shard");
    if (shard_check(ret, e)) {
        shard_clear(ret);
        return -1;
    }
    return 0;
}

struct remainder {
    uint64_t part;
    uint32_t i;
};

static int greatest_first(const void *a, const void *b)
{
    struct remainder x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    if (x.part != y.part) return x.part < y.part ? 1 : -1;
    return (x.i > y.i) - (x.i < y.i);
}

/* Each part's remainder of total · weight / sum, largest first. The whole parts go to out[]. Returns what is left over.
 */
static uint64_t whole_parts(uint64_t total, const uint32_t *weights, uint32_t n, uint64_t *out)
{
    uint64_t sum = 0, left = total;
    for (uint32_t i = 0; i < n; i++)
        sum += weights[i];
    for (uint32_t i = 0; i < n; i++) {
        out[i] = (uint64_t)((wide)total * weights[i] / sum);
        left -= out[i];
    }
    return left;
}

void shard_largest_remainder(uint64_t total, const uint32_t *weights, uint32_t n, uint64_t *out)
{
    uint64_t sum = 0, left = whole_parts(total, weights, n, out);
    for (uint32_t i = 0; i < n; i++)
        sum += weights[i];
    struct remainder *rest = left ? malloc(n * sizeof *rest) : NULL;
    for (uint32_t i = 0; rest && i < n; i++)
        rest[i] = (struct remainder){(uint64_t)((wide)total * weights[i] % sum), i};
    if (rest) {
        qsort(rest, n, sizeof *rest, greatest_first);
        for (uint32_t i = 0; i < left; i++)
            out[rest[i].i]++;
    } else /* without memory to sort, the first parts get it: the sum stays exact */
        for (uint32_t i = 0; left && i < n; i++)
            if (weights[i]) {
                out[i]++;
                left--;
            }
    free(rest);
}

static uint64_t gcd(uint64_t a, uint64_t b)
{
    while (b) {
        uint64_t r = a % b;
        a = b;
        b = r;
    }
    return a;
}

/* How often a part's own positions are repeated so that the weights come out exactly; when that is too often, as often
 * as there is room for. */
static uint32_t repeats(const struct shard *s, const uint32_t *weights, uint32_t n)
{
    uint64_t sum = 0, common = 0;
    for (uint32_t i = 0; i < n; i++) {
        sum += weights[i];
        common = gcd(common, weights[i]);
    }
    sum /= common;
    uint64_t exact = sum / gcd(sum, s->n_turns), room = SHARD_CYCLE_MAX / s->cycle;
    return (uint32_t)(exact < room ? exact : room);
}

/* Parts that are dealt equally many positions: each has its n-th before any has its n + 1st, the first part first. */
struct equals {
    uint64_t count, served; /* served: before this round */
    uint32_t *part, n, at;  /* at: who is next in this round */
};

struct dealt {
    uint64_t count;
    uint32_t part;
};
static int by_count(const void *a, const void *b)
{
    const struct dealt *x = a, *y = b;
    if (x->count != y->count) return x->count < y->count ? -1 : 1;
    return x->part < y->part ? -1 : x->part > y->part;
}

/* `group` and `part` have room for n each. */
static uint32_t group_equals(const uint64_t *count, uint32_t n, struct dealt *sorted, struct equals *group,
                             uint32_t *part)
{
    uint32_t groups = 0;
    for (uint32_t i = 0; i < n; i++)
        sorted[i] = (struct dealt){count[i], i};
    qsort(sorted, n, sizeof *sorted, by_count);
    for (uint32_t i = 0; i < n; i++) {
        part[i] = sorted[i].part;
        if (sorted[i].count == 0) continue;
        if (!groups || group[groups - 1].count != sorted[i].count)
            group[groups++] = (struct equals){.count = sorted[i].count, .part = &part[i]};
        group[groups - 1].n++;
    }
    return groups;
}

/* Distributes the positions over the parts in proportion to count[], as evenly as possible: nginx's smooth weighted
 * round robin. In each turn every part earns its weight; the part with the most, the first of several, is served and
 * pays the sum. Only the next of those that earn the same can have the most, so that thousands of parts are not looked
 * at for each of 65,536 positions. */
static void deal(const struct shard *s, uint64_t positions, struct equals *group, uint32_t groups, struct shard *ret)
{
    for (uint64_t p = 0; p < positions; p++) {
        struct equals *best = NULL;
        int64_t most = INT64_MIN;
        for (uint32_t g = 0; g < groups; g++) {
            struct equals *e = &group[g];
            int64_t credit = (int64_t)(e->count * (p + 1)) - (int64_t)(positions * e->served);
            if (credit < most || (credit == most && e->part[e->at] > best->part[best->at])) continue;
            best = e;
            most = credit;
        }
        if (!best) return;
        struct shard *to = &ret[best->part[best->at]];
        to->turns[to->n_turns++] = (uint32_t)(p / s->n_turns) * s->cycle + s->turns[p % s->n_turns];
        best->at = (best->at + 1) % best->n;
        best->served += best->at == 0;
    }
}

static int split_arrivals(const struct shard *s, const uint32_t *weights, uint32_t n, struct shard *ret,
                          uint64_t *count)
{
    uint32_t times = s->n_turns ? repeats(s, weights, n) : 1;
    uint64_t positions = (uint64_t)times * s->n_turns;
    shard_largest_remainder(positions, weights, n, count);
    for (uint32_t i = 0; i < n; i++) {
        ret[i].cycle = s->cycle * times;
        ret[i].n_turns = 0;
        ret[i].turns = count[i] ? malloc(count[i] * sizeof *ret[i].turns) : NULL;
        if (count[i] && !ret[i].turns) return -1;
    }
    struct dealt *sorted = calloc(n, sizeof *sorted);
    struct equals *group = calloc(n, sizeof *group);
    uint32_t *part = calloc(n, sizeof *part);
    int rc = sorted && group && part ? 0 : -1;
    if (rc == 0) deal(s, positions, group, group_equals(count, n, sorted, group, part), ret);
    free(sorted);
    free(group);
    free(part);
    return rc;
}

/* Copies with the slots and requests of each part. `share` is the weight for arrivals: 0 for a part without a slot. */
static void split_slots(const struct shard *s, const uint32_t *weights, uint32_t n, uint32_t part_base,
                        struct shard *ret, uint64_t *count, uint32_t *share)
{
    uint32_t first = s->slot_first;
    shard_largest_remainder(s->slots, weights, n, count);
    for (uint32_t i = 0; i < n; i++) {
        ret[i] = *s;
        ret[i].turns = NULL;
        ret[i].n_turns = 0;
        ret[i].part = part_base + i;
        ret[i].slots = (uint32_t)count[i];
        ret[i].slot_first = s->kind == LOAD_CLOSED ? first : 0;
        first += ret[i].slots;
        share[i] = s->slots && !count[i] ? 0 : weights[i];
    }
    if (s->kind == LOAD_OPEN || s->slots == 0) return;
    uint32_t *slots = share; /* requests follow the slots: a part without one could send none */
    for (uint32_t i = 0; i < n; i++)
        slots[i] = ret[i].slots;
    shard_largest_remainder(s->requests, slots, n, count);
    uint64_t first_request = s->request_first;
    for (uint32_t i = 0; i < n; i++) {
        ret[i].requests = count[i];
        ret[i].request_first = first_request;
        first_request += count[i];
    }
}

int shard_split(const struct shard *whole, const uint32_t *weights, uint32_t n, uint32_t part_base, struct shard *ret,
                struct err *e)
{
    if (n == 0 || n > PARTS_MAX) return err_set(e, ERR_INTERNAL, "a stage cannot be split into %" PRIu32 " parts", n);
    for (uint32_t i = 0; i < n; i++)
        if (weights[i] == 0) return err_set(e, ERR_INTERNAL, "part %" PRIu32 " of a stage has no weight", i);
    uint64_t *count = calloc(n, sizeof *count);
    uint32_t *share = calloc(n, sizeof *share);
    int rc = count && share ? 0 : -1;
    if (rc == 0) {
        split_slots(whole, weights, n, part_base, ret, count, share);
        rc = split_arrivals(whole, share, n, ret, count);
        for (uint32_t i = 0; rc && i < n; i++)
            shard_clear(&ret[i]);
    }
    free(count);
    free(share);
    return rc ? err_set(e, ERR_NOMEM, "out of memory for the parts of a stage") : 0;
}
