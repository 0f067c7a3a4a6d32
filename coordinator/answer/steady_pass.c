#include "coordinator/answer/steady_pass.h"

#include <math.h>
#include <stdlib.h>

#define EDGE 0.25        /* s: a second that begins before the window by less than this is a part of it */
#define ANSWERS_LEAST 32 /* of a super-pass: fewer make no p90 */
#define SLICES (2 * SUPER_PASS_LEAST)
#define COV 0.05 /* the middle of the rules' three bounds */

/* Requests that became due in [from, to). */
static double due_in(const struct stage_data *s, double from, double to)
{
    double n = 0;
    for (size_t i = 0; i < s->n_series; i++) {
        const struct series_row *r = &s->series[i];
        if (r->agent < 0 && r->t_s >= from - EDGE && r->t_s < to - EDGE) n += r->due;
    }
    return n;
}

struct walk {
    struct super_pass pass[SUPER_PASS_MAX];
    double answers[SUPER_PASS_MAX];
    size_t n;
    struct hist *now; /* of the pass that is open */
    double begin_s;
};

static bool is_full(const struct walk *w, const struct stage_data *s, double end_s, uint64_t size, double slice_s)
{
    if (w->now->count < ANSWERS_LEAST) return false;
    if (size) return due_in(s, w->begin_s, end_s) >= (double)size;
    return end_s - w->begin_s >= slice_s - EDGE;
}

static void close_pass(struct walk *w, double end_s)
{
    w->pass[w->n] = (struct super_pass){.begin_s = w->begin_s,
                                        .end_s = end_s,
                                        .tpot_p50 = (double)hist_quantile(w->now, 0.5) / 1e6,
                                        .tpot_p90 = (double)hist_quantile(w->now, 0.9) / 1e6};
    w->answers[w->n++] = (double)w->now->count;
    hist_reset(w->now);
    w->begin_s = end_s;
}

/* Blocks ascend in time; those of one time are of several agents. -1 without memory. */
static int walk(struct walk *w, const struct stage_data *s, double from_s, uint64_t size, double slice_s)
{
    w->begin_s = from_s;
    for (size_t i = 0; i < s->n_blocks && w->n < SUPER_PASS_MAX; i++) {
        const struct block *b = &s->blocks[i];
        if (b->t_s < from_s - EDGE) continue;
        if (b->tpot && hist_merge(w->now, b->tpot)) return -1;
        bool last_of_time = i + 1 == s->n_blocks || s->blocks[i + 1].t_s > b->t_s;
        double end_s = b->t_s + b->span_s;
        if (last_of_time && is_full(w, s, end_s, size, slice_s)) close_pass(w, end_s);
    }
    return 0;
}

void steady_pass_find(const struct stage_data *s, double from_s, uint64_t size, double least_s, struct steady_pass *ret)
{
    struct walk *w = calloc(1, sizeof *w);
    *ret = (struct steady_pass){.any = true, .size = size, .begin_s = NAN, .end_s = NAN};
    if (w) w->now = hist_new();
    if (!w || !w->now || walk(w, s, from_s, size, least_s / SLICES)) {
        ret->no_memory = true;
    } else {
        super_pass_find(w->pass, w->n, least_s, COV, &ret->at);
        ret->n = w->n;
        for (size_t i = ret->at.begin; i < ret->at.end; i++)
            ret->answers += w->answers[i];
        if (ret->at.end > ret->at.begin) {
            ret->begin_s = w->pass[ret->at.begin].begin_s;
            ret->end_s = w->pass[ret->at.end - 1].end_s;
        }
    }
    if (w) hist_destroy(&w->now);
    free(w);
}

void steady_pass_of(const struct stage_data *s, const struct plan *plan, struct steady_pass *ret)
{
    const struct plan_stage *load = &s->plan;
    bool curve = plan->curve.kind != CURVE_NONE && !plan_stage_is_batch(load);
    const struct hist *tpot = s->hist[METRIC_TPOT_SUFFIX];
    *ret = (struct steady_pass){0};
    if ((!load->steady_ns && !curve) || !tpot || !tpot->count) return;
    double least = load->steady_ns
                       ? (double)load->steady_ns / 1e9 /* a point of a curve that ends by its passes has none */
                       : (double)plan_curve_window_ns(load->concurrency) / 1e9 * plan->curve.scale;
    steady_pass_find(s, (double)load->warmup_ns / 1e9, plan->curve.samples, least, ret);
}
