#include "coordinator/answer/blurred.h"

#include <math.h>

#include "coordinator/answer/numeric.h"
#include "coordinator/answer/stat.h"

#define BLURRED_SUSPECT 0.0025 /* of token events: each falsifies two gaps at most, so half of the 1 % beyond p99 */
#define BLURRED_INVALID 0.05   /* of them */
#define BLURRED_FEW 0.5        /* of the samples beyond a percentile: so few wrong ones are not seen in it */
#define BLURRED_SAME 0.01      /* a percentile that wrong samples can move by no more than this is known */
#define BLURRED_SAME_NS 20000  /* … or this */
#define BLURRED_MOST 0.5       /* of the first tokens */

static enum verdict_aspect aspect_of(enum metric m)
{
    switch (m) {
    case METRIC_TTFT:
    case METRIC_TTFC:
    case METRIC_TTFT_FIRST_TURN:
    case METRIC_TTFT_SECOND_TURN:
    case METRIC_TTFT_LATER_TURNS:
        return ASPECT_TTFT;
    case METRIC_TTFT_DUE:
    case METRIC_E2E_DUE:
        return ASPECT_DUE;
    case METRIC_TPOT:
    case METRIC_TPOT_SUFFIX:
    case METRIC_USER_SPEED:
        return ASPECT_TPOT;
    case METRIC_ITL:
    case METRIC_CHUNK_GAP:
        return ASPECT_ITL;
    default:
        return ASPECT_E2E;
    }
}

/* Do the answer, which says p50 and p99 of ttft and tpot, or the plan's gates go by this percentile? */
static bool is_used(const struct plan *plan, enum verdict_aspect a, int k)
{
    static const int P50 = 0, P99 = 3;
    if ((a == ASPECT_TTFT || a == ASPECT_TPOT) && (k == P50 || k == P99)) return true;
    for (size_t i = 0; i < plan->n_gates; i++) {
        const struct plan_gate *g = &plan->gates[i];
        if (g->subject != GATE_METRIC || aspect_of(g->metric) != a) continue;
        int next = 0; /* a percentile between two of ours is judged as the upper one */
        while (g->agg == AGG_QUANTILE && next < POINT_Q - 1 && POINT_QS[next] < g->q - 1e-9)
            next++;
        if (g->agg != AGG_QUANTILE || next == k) return true;
    }
    return false;
}

/* Of `h` a share `above` of the samples may in truth be larger, and a share `below` smaller. What does that say of its
 * percentile q? The true one lies between those at q - below and at q + above; beyond the sample's ends nothing is
 * known. */
static enum verdict_status known_at(const struct hist *h, double q, double below, double above, enum verdict_status s)
{
    double beyond = 1 - q < 0.01 ? 1 - q : 0.01;
    if (h && h->count < samples_needed(q)) return VERDICT_VALID; /* it is n/a */
    if (fmax(below, above) <= BLURRED_FEW * beyond) return VERDICT_VALID;
    if (!h || q - below <= 0 || q + above > 1) return s;
    double spread = (double)hist_quantile(h, q + above) - (double)hist_quantile(h, q - below);
    return spread <= BLURRED_SAME * (double)hist_quantile(h, q) + BLURRED_SAME_NS ? VERDICT_VALID : s;
}

static const struct hist *hist_of(struct hist *const hist[METRIC_N], enum metric m)
{
    return hist && hist[m] && hist[m]->count ? hist[m] : NULL;
}

static void worsen(enum verdict_status *io, enum verdict_status s)
{
    if (s > *io) *io = s;
}

/* What the late reads leave of the gaps. */
struct gaps {
    const struct hist *all, *blurred, *least, *most; /* itl and those of its samples that have limits; NULL: none */
    double rest;                                     /* share of the others that may be wrong */
};

/* Percentile q of the gaps, with these in the place of those that are not known. */
static double quantile_with(const struct gaps *g, const struct hist *limit, double q)
{
    double rank = fmax(1, ceil(q * (double)g->all->count - 1e-6)), seen = 0;
    uint32_t lo = g->all->used_lo < limit->used_lo ? g->all->used_lo : limit->used_lo;
    for (uint32_t i = lo; i < HIST_BUCKETS; i++) {
        uint64_t n = hist_in_bucket(g->all, i) + hist_in_bucket(limit, i), out = hist_in_bucket(g->blurred, i);
        seen += n > out ? (double)(n - out) : 0;
        if (seen >= rank) return (double)hist_bucket_high(i);
    }
    return (double)HIST_HIGHEST;
}

static enum verdict_status gap_known_at(const struct gaps *g, double q, enum verdict_status s)
{
    if (!g->all || !g->blurred || !g->least || !g->most) return known_at(g->all, q, g->rest, g->rest, s);
    if (g->all->count < samples_needed(q)) return VERDICT_VALID; /* it is n/a */
    if (q - g->rest <= 0 || q + g->rest > 1) return s;
    double spread = quantile_with(g, g->most, q + g->rest) - quantile_with(g, g->least, q - g->rest);
    return spread <= BLURRED_SAME * (double)hist_quantile(g->all, q) + BLURRED_SAME_NS ? VERDICT_VALID : s;
}

static double share_of(uint64_t part, uint64_t all)
{
    return all ? (double)part / (double)all : 0;
}

void blurred_judge(const uint64_t c[COUNTER_N], struct hist *const hist[METRIC_N], const struct plan *plan,
                   bool starved, struct blurred *ret)
{
    const struct hist *answers = hist_of(hist, METRIC_TTFT);
    uint64_t blurred = c[COUNTER_BLURRED], bound = c[COUNTER_BLURRED_BOUND];
    uint64_t open = blurred > bound ? blurred - bound : 0;
    if (starved && bound) open += c[COUNTER_GATHERED];
    struct gaps gaps = {hist_of(hist, METRIC_ITL), hist_of(hist, METRIC_ITL_BLURRED), hist_of(hist, METRIC_ITL_LEAST),
                        hist_of(hist, METRIC_ITL_MOST), fmin(1, 2 * share_of(open, c[COUNTER_EVENTS]))};
    double share = share_of(blurred, c[COUNTER_EVENTS]),
           first = answers ? fmin(1, share_of(c[COUNTER_BLURRED_FIRST], answers->count)) : 0;
    enum verdict_status of_gaps = share > BLURRED_INVALID ? VERDICT_INVALID : VERDICT_SUSPECT,
                        of_first = first > BLURRED_MOST ? VERDICT_INVALID : VERDICT_SUSPECT;
    const struct {
        enum verdict_aspect aspect;
        enum metric metric;
        double below, above;
    } FIRSTS[] = {{ASPECT_TTFT, METRIC_TTFT, first, 0},
                  {ASPECT_DUE, METRIC_TTFT_DUE, first, 0},
                  {ASPECT_TPOT, METRIC_TPOT, 0, first}};
    *ret = (struct blurred){.share = share};
    if (share_of(open, c[COUNTER_EVENTS]) <= BLURRED_SUSPECT && !gaps.blurred && first <= BLURRED_FEW * 0.01) return;
    for (int k = 0; k < POINT_Q; k++) {
        ret->at[ASPECT_ITL][k] = gap_known_at(&gaps, POINT_QS[k], of_gaps);
        for (size_t i = 0; i < sizeof FIRSTS / sizeof *FIRSTS; i++)
            ret->at[FIRSTS[i].aspect][k] =
                known_at(hist_of(hist, FIRSTS[i].metric), POINT_QS[k], FIRSTS[i].below, FIRSTS[i].above, of_first);
    }
    for (int a = 0; a < ASPECT_N; a++)
        for (int k = 0; k < POINT_Q; k++) {
            worsen(&ret->worst, ret->at[a][k]);
            if (is_used(plan, (enum verdict_aspect)a, k)) worsen(&ret->used, ret->at[a][k]);
        }
}
