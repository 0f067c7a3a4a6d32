#include "coordinator/report/report_parts.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/human.h"
#include "common/text.h"
#include "coordinator/answer/gates.h"
#include "coordinator/answer/load_axis.h"

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

/* One character at s; returns its length. */
static size_t put_markup_char(struct buf *out, const char *s, size_t n, bool attribute)
{
    if (*s == '\n' && !attribute) {
        (void)buf_putc(out, '\n');
        return 1;
    }
    size_t len = text_char(s, n);
    if (len == 3 && (memcmp(s, "\xef\xbf\xbe", 3) == 0 || memcmp(s, "\xef\xbf\xbf", 3) == 0))
        (void)buf_puts(out, REPLACEMENT);
    else if (len)
        (void)buf_put(out, s, len);
    else
        (void)buf_puts(out, (unsigned char)*s < 0x20 || *s == 0x7f ? " " : REPLACEMENT);
    return len ? len : 1;
}

void report_put_markup(struct buf *out, const char *s, size_t n, bool attribute)
{
    static const struct {
        char c;
        const char *reference;
    } REFERENCES[] = {{'<', "&lt;"}, {'>', "&gt;"}, {'&', "&amp;"}, {'"', "&quot;"}, {'\n', "&#10;"}};
    const size_t n_references = sizeof REFERENCES / sizeof *REFERENCES - (attribute ? 0 : 1);
    for (size_t at = 0; at < n;) {
        size_t i = 0;
        while (i < n_references && REFERENCES[i].c != s[at])
            i++;
        if (i < n_references) {
            (void)buf_puts(out, REFERENCES[i].reference);
            at++;
        } else {
            at += put_markup_char(out, s + at, n - at, attribute);
        }
    }
}

const struct stage_data *report_stage(const struct analysis *in, size_t point)
{
    return point < in->run->n_stages ? &in->run->stages[point] : NULL;
}

const char *report_metric_key(enum metric m, char *buf)
{
    bool ms = METRICS[m].unit[0] == 'm' && METRICS[m].unit[1] == 's';
    (void)snprintf(buf, 64, "%s%s", METRICS[m].name, ms ? "_ms" : "");
    return buf;
}

const char *report_stamps(const struct stage_data *s)
{
    uint64_t reads = s->counters[COUNTER_READS], bare = s->counters[COUNTER_UNSTAMPED];
    if (!reads) return "";
    if (bare >= reads) return "program";
    return bare * 2 < reads ? "kernel" : "mixed";
}

const char *report_steady(enum steady s)
{
    return s == STEADY_YES ? "yes" : s == STEADY_NO ? "no" : NULL;
}

static const struct gate_outcome *outcome(const struct analysis *in, size_t gate, size_t point)
{
    size_t at = point * in->run->plan->n_gates + gate;
    return at < in->n_gates ? &in->gates[at] : NULL;
}

static bool worse(enum gate_result a, enum gate_result b)
{
    static const int RANK[] = {[GATE_PASS] = 0, [GATE_INCONCLUSIVE] = 1, [GATE_FAIL] = 2};
    return RANK[a] > RANK[b];
}

/* The worst that any run of the point's load says of a gate. NULL: none is valid. */
static const struct gate_outcome *of_load(const struct analysis *in, size_t gate, size_t point)
{
    const struct gate_outcome *worst = NULL;
    for (size_t i = 0; i < in->n_points; i++) {
        const struct gate_outcome *o = outcome(in, gate, i);
        if (!o || in->points[i].verdict.status == VERDICT_INVALID) continue;
        if (!load_same(&in->points[i].requested, &in->points[point].requested)) continue;
        if (!worst || worse(o->result, worst->result)) worst = o;
    }
    return worst;
}

static size_t passed(const struct analysis *in, size_t point)
{
    size_t n = 0;
    for (size_t g = 0; g < in->run->plan->n_gates; g++) {
        const struct gate_outcome *o = of_load(in, g, point);
        n += o && o->result == GATE_PASS;
    }
    return n;
}

/* How long a load would have to run until all its gates are decided; infinite where that is not known, or one fails. */
static double undecided_s(const struct analysis *in, size_t point)
{
    double most = 0;
    for (size_t i = 0; i < in->n_gates; i++) {
        const struct gate_outcome *o = &in->gates[i];
        if (o->point != point || o->result == GATE_PASS) continue;
        most = o->result == GATE_INCONCLUSIVE && isfinite(o->needs_s) ? fmax(most, o->needs_s) : (double)INFINITY;
        if (isinf(most)) break;
    }
    return most;
}

/* How many times a point's values are beyond the limits that they break, at most; infinite where that is not known. */
static double beyond(const struct analysis *in, size_t point)
{
    double most = 1;
    for (size_t g = 0; g < in->run->plan->n_gates; g++) {
        const struct gate_outcome *o = outcome(in, g, point);
        const struct plan_gate *gate = &in->run->plan->gates[g];
        double scale = gate->subject == GATE_METRIC ? METRICS[gate->metric].scale : 1;
        if (!o || o->result != GATE_FAIL) continue;
        double times =
            gate->op == OP_LT || gate->op == OP_LE ? o->value * scale / gate->value : gate->value / (o->value * scale);
        if (!(times < HUGE_VAL)) return HUGE_VAL;
        most = fmax(most, times);
    }
    return most;
}

/* Where one load is enough: the load that keeps most gates, then the one that is decided soonest, then the one that
 * misses them by least. */
static bool nearer(const struct analysis *in, size_t a, size_t b)
{
    size_t x = passed(in, a), y = passed(in, b);
    if (x != y) return x > y;
    double s = undecided_s(in, a), t = undecided_s(in, b);
    return s < t || (!(s > t) && beyond(in, a) < beyond(in, b));
}

const struct gate_outcome *report_gate(const struct analysis *in, size_t gate)
{
    const struct plan *plan = in->run->plan;
    bool asks = gates_any(plan);
    if (asks && in->answer.has_slo) return outcome(in, gate, in->answer.slo_point);
    const struct gate_outcome *best = NULL;
    for (size_t i = 0; i < in->n_points; i++) {
        const struct gate_outcome *o = outcome(in, gate, i);
        if (!o || in->points[i].verdict.status == VERDICT_INVALID) continue;
        if (!best || (asks ? nearer(in, i, best->point) : worse(o->result, best->result))) best = o;
    }
    return asks && best ? of_load(in, gate, best->point) : best;
}

bool report_knee_point(const struct analysis *in, size_t *ret)
{
    const struct answer *a = &in->answer;
    bool found = false;
    if (!a->has_plateau || !a->plateau_reached || !isfinite(a->knee)) return false;
    for (size_t i = 0; i < in->n_points; i++) {
        /* the load at the knee may be achieved a little below what was asked for */
        if (!load_usable(&in->points[i]) || load_on(&in->points[i], a->axis) < 0.98 * a->knee) continue;
        const struct point *p = &in->points[i], *best = &in->points[*ret];
        if (!found || load_below(load_on(p, a->axis), &p->requested, load_on(best, a->axis), &best->requested))
            *ret = i;
        found = true;
    }
    return found;
}

static bool before(const struct point *a, const struct point *b)
{
    if (a->requested.kind != b->requested.kind) return a->requested.kind == LOAD_CLOSED;
    if (load_asked(&a->requested) < load_asked(&b->requested)) return true;
    if (load_asked(&a->requested) > load_asked(&b->requested)) return false;
    return a->stage != b->stage ? a->stage < b->stage : a->repeat < b->repeat;
}

void report_order(const struct analysis *in, size_t *ret)
{
    for (size_t i = 0; i < in->n_points; i++) { /* by insertion: a run has few points */
        size_t k = i;
        for (; k > 0 && before(&in->points[i], &in->points[ret[k - 1]]); k--)
            ret[k] = ret[k - 1];
        ret[k] = i;
    }
}

static int by_number(const void *x, const void *y)
{
    const struct report_failure *a = x, *b = y;
    if (a->n != b->n) return a->n < b->n ? 1 : -1;
    return (a->label > b->label) - (a->label < b->label);
}

size_t report_failures(const struct analysis *in, struct report_failure ret[FAILURE_N])
{
    size_t n = 0;
    for (int f = 0; f < FAILURE_N; f++) {
        struct report_failure r = {.label = (enum failure)f};
        for (size_t i = 0; i < in->n_points; i++) {
            const struct stage_data *s = report_stage(in, i);
            if (r.n == 0) r.point = i;
            r.n += in->points[i].ledger.failed[f];
            if (r.first || !s) continue;
            r.first = failure_samples_find(&s->failures, r.label);
            if (r.first) r.point = i;
        }
        if (r.n) ret[n++] = r;
    }
    qsort(ret, n, sizeof *ret, by_number);
    return n;
}

void report_pair(struct json_out *j, const char *key, double lo, double hi)
{
    if (isnan(lo) || isnan(hi)) {
        json_null(j, key);
        return;
    }
    json_array(j, key);
    json_double(j, NULL, lo);
    json_double(j, NULL, hi);
    json_end_array(j);
}
