#include "coordinator/answer/failed_at.h"

#include <math.h>
#include <stdio.h>

#include "common/human.h"
#include "coordinator/answer/load_axis.h"

#define ALIKE 1.5 /* times the lowest share, or less: the same at all loads */

static bool any_unanswered(const struct point *points, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (points[i].window_unanswered) return true;
    return false;
}

static void add_stage(const struct point *p, double *bad, double *all)
{
    double failed = 0;
    for (int i = 0; i < FAILURE_N; i++)
        failed += (double)p->ledger.failed[i];
    *bad += failed;
    *all += failed + (double)p->ledger.ok;
}

double failed_at_share(const struct point *points, size_t n, const struct plan_stage *load, enum failed_kind kind)
{
    double bad = 0, all = 0;
    bool stages = kind == FAILED_ENDED || (kind == FAILED_BAD && !any_unanswered(points, n));
    for (size_t i = 0; i < n; i++) {
        const struct point *p = &points[i];
        if (!load_same(&p->requested, load)) continue;
        if (stages) {
            add_stage(p, &bad, &all);
            continue;
        }
        bad += (double)(p->window_cut + (kind == FAILED_CUT ? 0 : p->window_failed));
        all += (double)point_due(p);
    }
    return all > 0 ? bad / all : (double)NAN;
}

void failed_at_compute(const struct point *points, size_t n, enum failed_kind kind, struct failed_at *ret)
{
    *ret = (struct failed_at){0};
    for (size_t i = 0; i < n; i++) {
        const struct plan_stage *load = &points[i].requested;
        if (load_seen_before(points, i)) continue;
        double share = failed_at_share(points, n, load, kind);
        ret->loads++;
        if (!(share > 0)) continue;
        if (ret->with < FAILED_NAMED) ret->named[ret->with] = load;
        if (!ret->with || share < ret->least) ret->least = share, ret->least_at = load;
        if (!ret->with || share > ret->most) ret->most = share, ret->most_at = load;
        ret->with++;
    }
}

const char *failed_at_words(const struct failed_at *f, char ret[static FAILED_AT_WORDS])
{
    char load[2][LOAD_LABEL], share[2][HUMAN_MAX];
    int n = 0;
    ret[0] = '\0';
    if (f->loads < 2 || f->with == 0) return ret;
    if (f->with == f->loads) {
        if (f->most > ALIKE * f->least)
            (void)snprintf(ret, FAILED_AT_WORDS, "from %s at load %s to %s at load %s",
                           human_percent(f->least, share[0]), load_label(f->least_at, load[0]),
                           human_percent(f->most, share[1]), load_label(f->most_at, load[1]));
        return ret;
    }
    for (uint32_t i = 0; i < f->with && i < FAILED_NAMED; i++)
        n += snprintf(ret + n, FAILED_AT_WORDS - (size_t)n, "%s%s",
                      i             ? ", "
                      : f->with > 1 ? "at loads "
                                    : "at load ",
                      load_label(f->named[i], load[0]));
    if (f->with > FAILED_NAMED)
        (void)snprintf(ret + n, FAILED_AT_WORDS - (size_t)n, " and %u more", f->with - FAILED_NAMED);
    return ret;
}
