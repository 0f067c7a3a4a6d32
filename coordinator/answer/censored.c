#include "coordinator/answer/censored.h"

#include <math.h>
#include <stdio.h>

#include "coordinator/answer/numeric.h"
#include "coordinator/answer/load_axis.h"
#include "common/human.h"

#define CENSORED_MOVES 0.01 /* a percentile that moves by less is the same */

enum { PARTS = 2 }; /* of a sample: what ended, and was seen afterwards; what was cut off, and later than that */

static uint64_t all_of(const struct hist *const h[PARTS])
{
    return (h[0] ? h[0]->count : 0) + (h[1] ? h[1]->count : 0);
}

/* The highest value of a bucket, never above the exact maximum of those that are in it. */
static double high(uint32_t i, const struct hist *const h[PARTS])
{
    int64_t v = hist_bucket_high(i), most = 0;
    for (int k = 0; k < PARTS; k++)
        if (h[k] && h[k]->max > most) most = h[k]->max;
    return (double)(v < most ? v : most);
}

/* The buckets that either part has. */
static void extent(const struct hist *const part[PARTS], uint32_t *io_from, uint32_t *io_to)
{
    for (int k = 0; k < PARTS; k++) {
        const struct hist *h = part[k];
        if (!h || !h->n) continue;
        if (h->lo < *io_from) *io_from = h->lo;
        if (h->lo + h->n > *io_to) *io_to = h->lo + h->n;
    }
}

/* Walks the buckets of both parts upwards. */
static void walk(const struct hist *const seen[PARTS], const struct hist *const cut[PARTS], struct censored *ret)
{
    uint64_t n = all_of(seen) + all_of(cut), left = n, below = 0, ended = 0;
    double s = 1;
    uint32_t from = UINT32_MAX, to = 0;
    extent(seen, &from, &to);
    extent(cut, &from, &to);
    for (uint32_t i = from; i < to; i++) {
        uint64_t d = hist_in_bucket(seen[0], i) + hist_in_bucket(seen[1], i),
                 c = hist_in_bucket(cut[0], i) + hist_in_bucket(cut[1], i);
        if (d + c == 0) continue;
        s *= 1 - (double)d / (double)left;
        left -= d + c;
        below += d + c;
        ended += d;
        for (int k = 0; k < POINT_Q && n >= samples_needed(POINT_QS[k]); k++) { /* each needs more than those before */
            double rank = ceil(POINT_QS[k] * (double)n - 1e-9);
            if (isnan(ret->lo[k]) && (double)below >= rank) ret->lo[k] = fmax(high(i, seen), high(i, cut));
            if (isnan(ret->q[k]) && d && 1 - s >= POINT_QS[k] - 1e-12) ret->q[k] = high(i, seen);
            if (isnan(ret->hi[k]) && (double)ended >= rank) ret->hi[k] = high(i, seen);
        }
    }
    for (int k = 0; k < POINT_Q; k++)
        if (n >= samples_needed(POINT_QS[k]) && isnan(ret->hi[k])) ret->hi[k] = INFINITY;
}

bool censored_read(const struct point *p, enum metric m, struct censored *ret)
{
    const struct hist *seen[PARTS] = {p->hist ? p->hist[m] : NULL, point_cut_after(p, m)},
                      *cut[PARTS] = {point_cut(p, m), point_cut_within(p, m)};
    uint64_t off = all_of(cut) + (seen[1] ? seen[1]->count : 0), n = all_of(seen) + all_of(cut);
    double scale = METRICS[m].scale;
    *ret = (struct censored){0};
    for (int k = 0; k < POINT_Q; k++)
        ret->q[k] = ret->lo[k] = ret->hi[k] = NAN;
    if (off == 0) return false;
    ret->share = (double)off / (double)n;
    walk(seen, cut, ret);
    for (int k = 0; k < POINT_Q; k++)
        ret->q[k] /= scale, ret->lo[k] /= scale, ret->hi[k] /= scale;
    return true;
}

/* Of the percentiles up to p99 the one that moves most; -1: none moves by CENSORED_MOVES. */
static int moved_most(const struct point *p, enum metric m, const struct censored *c)
{
    double most = CENSORED_MOVES;
    int found = -1;
    for (int k = 0; k < 4; k++) {
        double now = isfinite(c->q[k]) ? c->q[k] : c->lo[k], moved = fabs(now / p->metric[m].q[k] - 1);
        if (!(moved >= most)) continue; /* NaN too */
        most = moved;
        found = k;
    }
    return found;
}

static size_t put(const struct point *p, enum metric m, const char *before, size_t at, char ret[static CENSORED_WORDS])
{
    struct censored c;
    char q[HUMAN_MAX], v[HUMAN_MAX], was[HUMAN_MAX];
    int k = censored_read(p, m, &c) && c.share >= CENSORED_TELL ? moved_most(p, m, &c) : -1;
    if (k < 0 || at >= CENSORED_WORDS) return at;
    bool known = isfinite(c.q[k]);
    return at + (size_t)snprintf(ret + at, CENSORED_WORDS - at, "%s p%s is %s %s ms (%s ms without them)", before,
                                 human_plain(100 * POINT_QS[k], q), known ? "about" : "at least",
                                 human_number(known ? c.q[k] : c.lo[k], v), human_number(p->metric[m].q[k], was));
}

static double share_of(const struct point *p)
{
    struct censored ttft, e2e;
    bool a = censored_read(p, METRIC_TTFT, &ttft), b = censored_read(p, METRIC_E2E, &e2e);
    return fmax(a ? ttft.share : 0, b ? e2e.share : 0);
}

const char *censored_words(const struct point *points, size_t n, char ret[static CENSORED_WORDS])
{
    const struct point *most = NULL;
    double share = 0;
    char load[LOAD_LABEL], percent[HUMAN_MAX];
    ret[0] = '\0';
    for (size_t i = 0; i < n; i++) {
        double s = points[i].verdict.status == VERDICT_INVALID ? 0 : share_of(&points[i]);
        if (s < CENSORED_TELL || s <= share) continue;
        share = s;
        most = &points[i];
    }
    if (!most) return ret;
    size_t head = (size_t)snprintf(ret, CENSORED_WORDS, "With the %s of the requests at load %s that were %s, ",
                                   human_percent(share, percent), load_label(&most->requested, load),
                                   !most->window_cancelled ? "cut off"
                                   : most->window_cut      ? "cut off or cancelled"
                                                           : "cancelled");
    size_t at = put(most, METRIC_TTFT, "TTFT", head, ret);
    at = put(most, METRIC_E2E, at > head ? ", e2e" : "e2e", at, ret);
    if (at == head) {
        ret[0] = '\0';
        return ret;
    }
    if (at < CENSORED_WORDS) (void)snprintf(ret + at, CENSORED_WORDS - at, ". ");
    return ret;
}
