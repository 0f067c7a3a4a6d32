#include "common/plan/gate.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/args.h"
#include "common/clock.h"

static const char *const OPERATORS[] = {[OP_LT] = "<", [OP_LE] = "<=", [OP_GT] = ">", [OP_GE] = ">="};

/* What is not a percentile of a metric. `whole` is how it is written; the second spelling follows agg(metric). */
static const struct {
    const char *dotted, *called;
    enum gate_subject subject;
} SUBJECTS[] = {
    {"throughput", "rate(tokens)", GATE_THROUGHPUT},
    {"requests.rate", "rate(requests)", GATE_REQUESTS_PER_S},
    {"goodput", "rate(good)", GATE_GOODPUT},
    {"errors.rate", "rate(errors)", GATE_ERROR_RATE},
    {"errors.count", "count(errors)", GATE_ERROR_COUNT},
};
enum { SUBJECT_N = sizeof SUBJECTS / sizeof *SUBJECTS };

bool gates_bound_errors(const struct plan *p)
{
    for (size_t i = 0; i < p->n_gates; i++) {
        const struct plan_gate *g = &p->gates[i];
        bool errors = g->subject == GATE_ERROR_RATE || g->subject == GATE_ERROR_COUNT;
        if (errors && (g->op == OP_LT || g->op == OP_LE)) return true;
    }
    return false;
}

bool gate_asks_for_load(const struct plan_gate *g)
{
    bool grows = g->subject == GATE_THROUGHPUT || g->subject == GATE_REQUESTS_PER_S || g->subject == GATE_GOODPUT;
    return grows && (g->op == OP_GT || g->op == OP_GE);
}

const char *gate_subject_name(enum gate_subject subject)
{
    for (size_t i = 0; i < SUBJECT_N; i++)
        if (SUBJECTS[i].subject == subject) return SUBJECTS[i].dotted;
    return NULL;
}

static int agg_parse(const char *s, struct plan_gate *gate)
{
    char digits[16];
    size_t n = 0;
    gate->agg = AGG_QUANTILE;
    if (strcmp(s, "mean") == 0 || strcmp(s, "avg") == 0)
        gate->agg = AGG_MEAN;
    else if (strcmp(s, "min") == 0)
        gate->agg = AGG_MIN;
    else if (strcmp(s, "max") == 0)
        gate->agg = AGG_MAX;
    else if (strcmp(s, "median") == 0)
        gate->q = 0.5;
    else {
        if (*s++ != 'p') return -1;
        for (; *s && n < sizeof digits - 1; s++) {
            char c = *s == '_' ? '.' : *s; /* p99_9 is p99.9 */
            if ((c < '0' || c > '9') && c != '.') return -1;
            digits[n++] = c;
        }
        digits[n] = 0;
        char *end;
        double p = strtod(digits, &end);
        if (n == 0 || *s || *end || digits[0] == '.' || !(p > 0 && p < 100)) return -1;
        gate->q = p / 100;
    }
    return 0;
}

/* `whole` is the left side as written ("errors.rat"), `word` the metric's name in it. */
static int unknown(const char *whole, const char *word, struct err *e)
{
    const char *all[SUBJECT_N], *metrics[METRIC_N];
    for (size_t i = 0; i < SUBJECT_N; i++)
        all[i] = SUBJECTS[i].dotted;
    for (size_t i = 0; i < METRIC_N; i++)
        metrics[i] = METRICS[i].name;
    const char *near = args_nearest(whole, all, SUBJECT_N), *last = strrchr(word, '_');
    for (size_t i = 0; last && i < METRIC_N; i++) /* ttft_p99, as others write it */
        if (strlen(metrics[i]) == (size_t)(last - word) && strncmp(metrics[i], word, (size_t)(last - word)) == 0)
            return err_set(e, ERR_PLAN, "unknown metric \"%.40s\"; did you mean \"%s.%.20s\"?", word, metrics[i],
                           last + 1);
    if (!near) near = args_nearest(word, metrics, METRIC_N);
    if (near) return err_set(e, ERR_PLAN, "unknown metric \"%.40s\"; did you mean \"%s\"?", word, near);
    return err_set(
        e, ERR_PLAN,
        "unknown metric \"%.40s\"; expected throughput, goodput, requests.rate, errors.rate, errors.count or a metric "
        "such as ttft.p99",
        word);
}

/* `left` is what stands before the operator, without blanks: "ttft.p99", "p99(ttft)", "errors.rate". */
static int left_parse(char *left, struct plan_gate *gate, struct err *e)
{
    for (size_t i = 0; i < SUBJECT_N; i++)
        if (strcmp(left, SUBJECTS[i].dotted) == 0 || strcmp(left, SUBJECTS[i].called) == 0) {
            gate->subject = SUBJECTS[i].subject;
            return 0;
        }
    char whole[GATE_TEXT_MAX];
    (void)snprintf(whole, sizeof whole, "%s", left);
    char *open = strchr(left, '('), *dot = strchr(left, '.');
    const char *metric = left, *agg = "";
    size_t n = strlen(left);
    if (open && n && left[n - 1] == ')') {
        left[n - 1] = 0;
        *open = 0;
        agg = left;
        metric = open + 1;
    } else if (dot) {
        *dot = 0;
        agg = dot + 1;
    }
    gate->subject = GATE_METRIC;
    gate->metric = metric_find(metric);
    if (gate->metric == METRIC_N) return unknown(whole, metric, e);
    if (!agg[0]) return err_set(e, ERR_PLAN, "%s needs a statistic, such as %s.p99 or %s.mean", metric, metric, metric);
    if (agg_parse(agg, gate))
        return err_set(
            e, ERR_PLAN,
            "unknown statistic \"%.20s\"; expected mean, min, max, median or a percentile such as p99 or p99.9", agg);
    return 0;
}

static int right_parse(const char *right, struct plan_gate *gate, struct err *e)
{
    const struct metric_row *m = gate->subject == GATE_METRIC ? &METRICS[gate->metric] : NULL;
    if (m && strcmp(m->unit, "ms") == 0) {
        int64_t ns;
        if (clock_duration_parse(right, &ns))
            return err_set(e, ERR_PLAN, "%s is a time: expected a value such as 800ms, got \"%.20s\"", m->name, right);
        gate->value = (double)ns;
        return 0;
    }
    char *end;
    bool digit = right[0] >= '0' && right[0] <= '9';
    double v = digit ? strtod(right, &end) : (double)NAN;
    if (digit && strcmp(end, "%") == 0 && gate->subject == GATE_ERROR_RATE)
        v /= 100;
    else if (!digit || *end || strpbrk(right, "xX"))
        v = (double)NAN;
    if (!isfinite(v))
        return err_set(e, ERR_PLAN, "expected a number%s, got \"%.20s\"",
                       gate->subject == GATE_ERROR_RATE ? " such as 1% or 0.01" : "", right);
    if (gate->subject == GATE_ERROR_RATE && v > 1)
        return err_set(e, ERR_PLAN, "a rate of errors is at most 100%%, got %.20s", right);
    gate->value = m ? v * m->scale : v;
    return 0;
}

/* Cuts text into the part before the operator, the operator, and the part after it, all without blanks. */
static int cut(const char *text, char *left, char *right, enum gate_op *ret_op)
{
    const char *at = strpbrk(text, "<>");
    if (!at || strlen(text) >= GATE_TEXT_MAX - 4) return -1;
    bool equal = at[1] == '=';
    *ret_op = *at == '<' ? (equal ? OP_LE : OP_LT) : (equal ? OP_GE : OP_GT);
    size_t n = 0;
    for (const char *s = text; s < at; s++)
        if (*s != ' ' && *s != '\t' && *s != '\n') left[n++] = *s;
    left[n] = 0;
    n = 0;
    for (const char *s = at + 1 + equal; *s; s++)
        if (*s != ' ' && *s != '\t' && *s != '\n') right[n++] = *s;
    right[n] = 0;
    return left[0] && right[0] ? 0 : -1;
}

int gate_parse(const char *text, struct plan_gate *ret, struct err *e)
{
    char left[GATE_TEXT_MAX], right[GATE_TEXT_MAX];
    *ret = (struct plan_gate){.text = NULL};
    if (cut(text, left, right, &ret->op))
        return err_set(
            e, ERR_PLAN,
            "expected METRIC OPERATOR VALUE with <, <=, > or >=, such as \"ttft.p99 < 800ms\", got \"%.60s\"", text);
    if (left_parse(left, ret, e)) return -1;
    return right_parse(right, ret, e);
}

int gate_fold(const char *text, char *buf)
{
    char left[GATE_TEXT_MAX], right[GATE_TEXT_MAX];
    enum gate_op op;
    if (cut(text, left, right, &op)) return -1;
    int n = snprintf(buf, GATE_TEXT_MAX, "%s %s %s", left, OPERATORS[op], right);
    return n > 0 && n < (int)GATE_TEXT_MAX ? 0 : -1;
}

int gate_capacity_parse(const char *text, struct plan_capacity *ret, char *folded, struct err *e)
{
    const char *at = text + strspn(text, " \t\n");
    bool equal = at[0] == '>' && at[1] == '=';
    double v = NAN;
    char *end = NULL;
    *ret = (struct plan_capacity){.op = equal ? OP_GE : OP_GT};
    if (*at == '>') {
        at += 1 + equal;
        at += strspn(at, " \t\n");
        if (*at >= '0' && *at <= '9') v = strtod(at, &end);
    }
    const char *unit = end ? end + strspn(end, " \t\n") : "";
    size_t n = strcspn(unit, " \t\n");
    ret->requests = n == 10 && strncmp(unit, "requests/s", n) == 0;
    bool tokens = (n == 7 && strncmp(unit, "token/s", n) == 0) || (n == 8 && strncmp(unit, "tokens/s", n) == 0);
    if (!isfinite(v) || !(v > 0) || !(tokens || ret->requests) || unit[n + strspn(unit + n, " \t\n")])
        return err_set(e, ERR_PLAN,
                       "expected a limit such as \">= 5000 token/s\" or \"> 40 requests/s\", got \"%.60s\"", text);
    ret->value = v;
    (void)snprintf(folded, GATE_TEXT_MAX, "%s %.15g %s", OPERATORS[ret->op], v,
                   ret->requests ? "requests/s" : "token/s");
    return 0;
}
