#include "coordinator/answer/lengths.h"

#include <math.h>

#include "common/plan/plan_api.h"
#include "coordinator/answer/load_axis.h"

#define LENGTH_DRAWS 4096
#define LENGTH_GUESSED 0.5 /* of the tokens that a text seems to have, counted at least where nothing is cut */
#define LENGTH_SAID 0.9    /* the same of tokens that are known */
#define SOME_FAIL 0.01     /* of the requests */
#define LENGTH_OTHER 0.1   /* the ok requests are others than the plan's mean */

static bool counts(const struct point *p)
{
    return load_usable(p) || load_tokenless(p);
}

static double mean_got(const struct point *points, size_t n, enum metric m)
{
    double sum = 0, count = 0;
    for (size_t i = 0; i < n; i++) {
        const struct metric_stat *s = &points[i].metric[m];
        if (!counts(&points[i]) || !s->count) continue;
        sum += s->mean * (double)s->count;
        count += (double)s->count;
    }
    return count > 0 ? sum / count : (double)NAN;
}

/* The mean of a clamped distribution has no simple form, so samples are drawn. */
static double length_asked(const struct dist *d)
{
    struct rng r;
    double sum = 0;
    if (!(d->min > 0) && !(d->max > 0)) return dist_mean(d);
    rng_seed(&r, 1);
    for (int i = 0; i < LENGTH_DRAWS; i++)
        sum += dist_sample(d, &r);
    return sum / LENGTH_DRAWS;
}

static double pair_mean(const double *length, const struct dist_pairs *d)
{
    double sum = 0, all = 0;
    for (size_t i = 0; i < d->n; i++) {
        sum += length[i] * d->weight[i];
        all += d->weight[i];
    }
    return sum / all;
}

/* What came is of requests that ended ok. Of a mix these may be other workloads' than was asked for, so each counts by
 * its ok requests. 0: nobody knows them. */
static double workload_ok(const struct point *points, size_t n, uint32_t workload)
{
    double ok = 0;
    for (size_t i = 0; i < n; i++) {
        if (!counts(&points[i]) || !points[i].data) continue;
        const struct mix_group *g = groups_find(&points[i].data->groups, GROUP_WORKLOAD, workload);
        if (g) ok += (double)g->counters[GROUP_COUNT_WIN_OK];
    }
    return ok;
}

/* Output and input tokens of a workload's requests; NaN: not known. `limit`: of the target's body. */
static void workload_asked(const struct plan_workload *w, uint32_t limit, double *ret_out, double *ret_in)
{
    bool file = workload_reads_file(w);
    double out = limit          ? limit
                 : file         ? length_asked(&w->data.output_tokens)
                 : w->lengths.n ? pair_mean(w->lengths.output, &w->lengths)
                                : length_asked(&w->output_tokens),
           in = file || w->sessions.on ? (double)NAN /* what was said before is part of each prompt */
                : w->lengths.n         ? pair_mean(w->lengths.input, &w->lengths)
                                       : length_asked(&w->input_tokens);
    *ret_out = out > 0 ? out : (double)NAN;
    *ret_in = in > 0 ? in : (double)NAN;
}

/* As the agents counted it, request by request; NaN: a run of an older version, or no answers. */
static double asked_by_count(const struct point *points, size_t n, enum counter asked, enum metric m)
{
    double sum = 0, count = 0;
    for (size_t i = 0; i < n; i++) {
        if (!counts(&points[i]) || !points[i].data) continue;
        sum += (double)points[i].data->counters[asked];
        count += (double)points[i].metric[m].count;
    }
    return sum > 0 && count > 0 ? sum / count : (double)NAN;
}

/* How much of what was sent usage counts at least, where the server takes all of it. A text's tokens may be guessed by
 * its characters; of a conversation they are known, and templates add to each of its messages. 0: both ways. */
static double input_least(const struct plan *plan, const struct point *points, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (counts(&points[i]) && points[i].data && points[i].data->counters[COUNTER_WIN_GUESSED_IN])
            return LENGTH_GUESSED;
    return plan_has_sessions(plan) ? LENGTH_SAID : 0;
}

/* Where users leave and requests fail, it is the short ones that end well. */
static bool some_fail(const struct point *points, size_t n)
{
    double failed = 0, ok = 0;
    for (size_t i = 0; i < n; i++) {
        if (!counts(&points[i])) continue;
        failed += (double)(points[i].window_failed + points[i].window_cut);
        ok += (double)points[i].window_ok;
    }
    return failed > SOME_FAIL * (failed + ok);
}

/* What came is compared with what was asked of the same requests, where the agents have counted that. */
static void of_the_ok(struct answer_length *l, double asked)
{
    if (isnan(asked)) return;
    if (l->asked > 0 && fabs(asked / l->asked - 1) > LENGTH_OTHER) l->planned = l->asked;
    l->asked = asked;
}

void lengths_compute(const struct plan *plan, const struct point *points, size_t n, struct lengths *ret)
{
    double weight = 0, out = 0, in = 0, known = 0, o, k;
    size_t workloads = plan ? plan->n_workloads : 0;
    uint32_t limit = plan ? plan_target_limit(&plan->target) : 0;
    for (size_t i = 0; i < workloads && workloads <= GROUPS_OF_A_KIND; i++)
        known += workload_ok(points, n, (uint32_t)i);
    for (size_t i = 0; i < workloads; i++) {
        const struct plan_workload *w = &plan->workloads[i];
        double share = known > 0 ? workload_ok(points, n, (uint32_t)i) : w->weight;
        if (!(share > 0)) continue;
        workload_asked(w, limit, &o, &k);
        out += share * o;
        in += share * k;
        weight += share;
    }
    uint32_t answers = plan ? plan_body_number(plan->target.body, "n") : 0; /* to each request */
    if (answers > 1) out *= answers;
    ret->output =
        (struct answer_length){weight > 0 ? out / weight : (double)NAN, mean_got(points, n, METRIC_OUTPUT_TOKENS), 0};
    ret->input =
        (struct answer_length){weight > 0 ? in / weight : (double)NAN, mean_got(points, n, METRIC_INPUT_TOKENS), 0};
    double asked = asked_by_count(points, n, COUNTER_WIN_ASKED_OUT, METRIC_OUTPUT_TOKENS);
    bool some = plan && answers <= 1 && (plan->cancel_fraction > 0 || some_fail(points, n));
    if (isnan(ret->output.asked)) ret->output.asked = asked;
    if (some) of_the_ok(&ret->output, asked);
    if (!plan) return;
    double sent = asked_by_count(points, n, COUNTER_WIN_ASKED_IN, METRIC_INPUT_TOKENS),
           least = input_least(plan, points, n);
    if (!isnan(ret->input.asked)) {
        if (some) of_the_ok(&ret->input, sent);
        return;
    }
    ret->input_cut = ret->input.got < least * sent;
    if (least == 0 || ret->input_cut) ret->input.asked = sent;
}

const char *lengths_source(const struct plan *plan, bool more)
{
    bool dataset = false, media = false;
    for (size_t i = 0; i < plan->n_workloads; i++) {
        dataset |= plan->workloads[i].source == SOURCE_DATASET;
        media |= plan->workloads[i].image_count || plan->workloads[i].audio_ns;
    }
    if (media && more) return " of text asked for: usage counts pictures and sounds too. ";
    if (!dataset) return " asked for. ";
    if (!plan->target.tokenizer.file) return " by the data set. ";
    return plan->target.lengths == LENGTHS_MEASURED
               ? " by target.tokenizer, with the template's around one message, without tools and further messages' "
                 "templates. "
               : " by target.tokenizer, without tools and what a chat template adds. ";
}
