/* The terminal's last screen. The order is that of a reader in a hurry: one line with the result, the answer in words,
 * latency where it matters, gates; then the curve, the table, doubts about the numbers, and the ledger. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/human.h"
#include "common/text.h"
#include "coordinator/answer/curve.h"
#include "coordinator/answer/figure.h"
#include "coordinator/answer/load_axis.h"
#include "coordinator/answer/mix.h"
#include "coordinator/report/headline.h"
#include "coordinator/report/report_counts.h"
#include "coordinator/report/reasons.h"
#include "coordinator/answer/gates.h"
#include "coordinator/answer/statuses.h"
#include "coordinator/report/report_parts.h"
#include "coordinator/report/report_server.h"

#define WIDTH_LEAST 60u
#define WIDTH_MOST 110u /* longer lines of prose are hard to read */
#define BARS_MOST 40u   /* loads that are drawn */
#define REASONS 24u     /* causes that are shown */
#define FAILURES_SHOWN 5u
#define MIX_NAME 24u /* bytes of a workload's or a model's name */
#define RED "\x1b[31m"
#define GREEN "\x1b[32m"
#define YELLOW "\x1b[33m"
#define BOLD "\x1b[1m"
#define FAINT "\x1b[2m"
#define PLAIN "\x1b[0m"

struct page {
    struct buf *out;
    bool color;
    unsigned width;
};

static void paint(const struct page *p, const char *code)
{
    if (p->color) (void)buf_puts(p->out, code);
}

/* Foreign text (names, the plan) may hold escape sequences: control characters become '?'. */
static void put_safe(const struct page *p, const char *s, size_t most)
{
    for (size_t i = 0; s[i] && i < most; i++)
        (void)buf_putc(p->out, (unsigned char)s[i] < 0x20 || s[i] == 0x7f ? '?' : s[i]);
}

/* A number in at most `width` columns, right-aligned after a blank. */
static void number(const struct page *p, int width, double v)
{
    char t[HUMAN_MAX];
    (void)buf_printf(p->out, " %*s", width, human_short(v, (size_t)width, t));
}

static const char *verdict_color(enum verdict_status s)
{
    return s == VERDICT_VALID ? GREEN : s == VERDICT_SUSPECT ? YELLOW : RED;
}

/* "3", and "3.2" for its second run. */
static const char *stage_number(const struct point *q, char *buf, size_t n)
{
    (void)snprintf(buf, n, q->repeat ? "%" PRIu32 ".%" PRIu32 : "%" PRIu32, q->stage + 1, q->repeat + 1);
    return buf;
}

static void row(const struct page *p, const struct point *q, enum load_axis axis)
{
    char load[64], stage[32];
    uint64_t failed = 0;
    const struct metric_stat *ttft = &q->metric[METRIC_TTFT], *tpot = &q->metric[METRIC_TPOT];
    for (size_t i = 0; i < sizeof q->ledger.failed / sizeof q->ledger.failed[0]; i++)
        failed += q->ledger.failed[i];
    (void)buf_printf(p->out, "%5.5s %9.9s", stage_number(q, stage, sizeof stage), load_label(&q->requested, load));
    if (p->width >= REPORT_WIDE) number(p, 8, load_on(q, axis));
    number(p, 8, q->output_tokens_per_s);
    number(p, 7, ttft->q[0]);
    number(p, 7, ttft->q[3]);
    number(p, 6, tpot->q[0]);
    number(p, 6, tpot->q[3]);
    number(p, 6, q->metric[METRIC_ITL].q[3]);
    (void)buf_printf(p->out, " %6" PRIu64 " ", failed + q->ledger.lost + q->window_unanswered);
    paint(p, verdict_color(q->verdict.status));
    (void)buf_puts(p->out, verdict_name(q->verdict.status));
    paint(p, PLAIN);
    (void)buf_puts(p->out, q->steady == STEADY_NO ? " ~\n" : "\n");
}

static void table(const struct page *p, const struct analysis *in, const size_t *order)
{
    bool unsteady = false;
    paint(p, BOLD);
    bool wide = p->width >= REPORT_WIDE;
    (void)buf_printf(p->out, "%*s %15s %13s %6s\n", wide ? 33 : 24, "output", "TTFT ms", "TPOT ms", "ITL ms");
    (void)buf_printf(p->out, "%5s %9s ", "stage", "load");
    if (wide) (void)buf_printf(p->out, "%8s ", "achieved");
    (void)buf_printf(p->out, "%8s %7s %7s %6s %6s %6s %6s %s\n", "token/s", "p50", "p99", "p50", "p99", "p99", "errors",
                     "verdict");
    paint(p, PLAIN);
    for (size_t i = 0; i < in->n_points; i++) {
        row(p, &in->points[order[i]], in->answer.axis);
        unsteady |= in->points[i].steady == STEADY_NO;
    }
    if (!in->n_points) (void)buf_puts(p->out, "  no stage was finished\n");
    if (unsteady)
        (void)buf_puts(p->out, "  ~ not steady: throughput or requests in flight still drifted over the window\n");
}

/* A mix by workload and by model, beside all of it. */
static void mix_row(const struct page *p, const char *name, const struct mix_part *part)
{
    const struct metric_stat *m = part->metric;
    const double v[] = {m[GROUP_METRIC_TTFT].q[0], m[GROUP_METRIC_TTFT].q[3], m[GROUP_METRIC_TPOT].q[0],
                        m[GROUP_METRIC_TPOT].q[3], m[GROUP_METRIC_E2E].q[0]};
    char cut[MIX_NAME + 4];
    const char *shown = text_cut(name, MIX_NAME - 1, cut);
    size_t columns = 0;
    for (const char *c = shown; *c; c++)
        columns += ((unsigned char)*c & 0xc0) != 0x80;
    (void)buf_puts(p->out, "  ");
    put_safe(p, shown, strlen(shown));
    (void)buf_printf(p->out, "%*s", columns < MIX_NAME ? (int)(MIX_NAME - columns) : 0, "");
    number(p, 6, 100 * part->share);
    number(p, 8, part->output_tokens_per_s);
    for (size_t i = 0; i < sizeof v / sizeof v[0]; i++)
        number(p, 6, v[i]);
    number(p, 8, 100 * part->error_rate);
    (void)buf_putc(p->out, '\n');
}

static void mix(const struct page *p, const struct analysis *in, const size_t *order)
{
    char load[64];
    struct mix_part part;
    for (size_t i = 0; i < in->n_points; i++) {
        const struct point *q = &in->points[order[i]];
        size_t n = mix_parts(q);
        if (n == 0) continue;
        paint(p, BOLD);
        (void)buf_printf(p->out, "\nLoad %-21.21s %6s %8s %13s %13s %6s %8s\n", load_label(&q->requested, load),
                         "share", "output", "TTFT ms", "TPOT ms", "E2E ms", "errors");
        (void)buf_printf(p->out, "%-26s %6s %8s %6s %6s %6s %6s %6s %8s\n", "", "%", "token/s", "p50", "p99", "p50",
                         "p99", "p50", "%");
        paint(p, PLAIN);
        for (size_t k = 0; k < n; k++)
            if (mix_part(q, in->run->plan, k, &part)) mix_row(p, part.name, &part);
        mix_whole(q, &part);
        mix_row(p, "together", &part);
    }
}

/* A paragraph, broken at blanks, indented from the second line on. */
static void wrap(const struct page *p, const char *text, unsigned indent)
{
    unsigned column = indent;
    const char *at = text;
    while (*at) {
        size_t n = strcspn(at, " \n");
        unsigned columns = 0;
        for (size_t i = 0; i < n; i++)
            columns += ((unsigned char)at[i] & 0xc0) != 0x80;
        if (column > indent && column + 1 + columns > p->width) {
            (void)buf_printf(p->out, "\n%*s", (int)indent, "");
            column = indent;
        } else if (column > indent) {
            (void)buf_putc(p->out, ' ');
            column++;
        }
        put_safe(p, at, n);
        column += columns;
        at += n + strspn(at + n, " \n");
    }
    (void)buf_putc(p->out, '\n');
}

static void headline(const struct page *p, const struct analysis *in)
{
    struct headline h;
    char line[920];
    headline_make(in, &h);
    paint(p, BOLD);
    paint(p, strcmp(h.word, "PASS") == 0 || strcmp(h.word, "DONE") == 0 ? GREEN
             : strcmp(h.word, "UNDECIDED") == 0                         ? YELLOW
                                                                        : RED);
    (void)snprintf(line, sizeof line, "%s: %s%s", h.word, h.why, human_stop(h.why));
    wrap(p, line, 0);
    paint(p, PLAIN);
}

/* Latency at the loads that matter: at the knee, and at the limit of the SLO. */
static void latency(const struct page *p, const struct point *q, const char *where)
{
    static const enum metric SHOWN[] = {METRIC_TTFT, METRIC_TPOT, METRIC_E2E};
    char line[400], load[64], number[HUMAN_MAX];
    bool any = false;
    int n = snprintf(line, sizeof line, "%s (load %s):", where, load_label(&q->requested, load));
    for (size_t i = 0; i < sizeof SHOWN / sizeof SHOWN[0]; i++) {
        const struct metric_stat *s = &q->metric[SHOWN[i]];
        if (!s->count || isnan(s->q[0])) continue; /* of fewer requests than a median needs */
        n += snprintf(line + n, sizeof line - (size_t)n, "%s %s p50 %s ms", any ? "," : "", METRICS[SHOWN[i]].name,
                      human_number(s->q[0], number));
        any = true;
        if (isfinite(s->q[3]))
            n += snprintf(line + n, sizeof line - (size_t)n, " p99 %s ms", human_number(s->q[3], number));
    }
    (void)snprintf(line + n, sizeof line - (size_t)n, ".");
    if (any) wrap(p, line, 2);
}

/* A limit only where a greater load is known to fail. */
static const char *slo_name(const struct analysis *in)
{
    return in->answer.slo_next_fails ? "the SLO's limit" : "the most within the SLO";
}

static void latencies(const struct page *p, const struct analysis *in)
{
    size_t knee, slo = in->answer.slo_point;
    bool bent = report_knee_point(in, &knee), both = bent && in->answer.has_slo && knee == slo;
    char at[80];
    (void)snprintf(at, sizeof at, "At the knee%s%s", both ? " and at " : "", both ? slo_name(in) : "");
    if (bent) latency(p, &in->points[knee], at);
    (void)snprintf(at, sizeof at, "At %s", slo_name(in));
    if (in->answer.has_slo && !both) latency(p, &in->points[slo], at);
}

static void gate_line(const struct page *p, const struct analysis *in, size_t g)
{
    const struct gate_outcome *o = report_gate(in, g);
    const struct plan_gate *gate = &in->run->plan->gates[g];
    enum gate_result r = o ? o->result : GATE_INCONCLUSIVE;
    char load[64], words[300];
    struct buf text = BUF_INIT(1000);
    (void)buf_puts(p->out, "  ");
    paint(p, r == GATE_PASS ? GREEN : r == GATE_FAIL ? RED : YELLOW);
    (void)buf_puts(p->out, r == GATE_PASS ? "✓ " : r == GATE_FAIL ? "✗ " : "? ");
    paint(p, PLAIN);
    (void)buf_printf(&text, "%.60s", gate->text);
    if (o && o->point < in->n_points)
        (void)buf_printf(&text, " at load %s: %s", load_label(&in->points[o->point].requested, load),
                         gate_words(o, &in->points[o->point], words, sizeof words));
    else
        (void)buf_puts(&text, ": not judged, no valid point was measured");
    wrap(p, buf_str(&text), 4);
    p->out->bad |= text.bad;
    buf_clear(&text);
}

static void gates(const struct page *p, const struct analysis *in)
{
    if (!in->run->plan || !in->run->plan->n_gates) return;
    (void)buf_printf(p->out, "\nGates: %s\n", gates_rule(in->run->plan));
    if (in->answer.window_failed) {
        (void)buf_puts(p->out, "       ");
        wrap(p, gates_failed_rule(in->run->plan), 7);
    }
    for (size_t g = 0; g < in->run->plan->n_gates; g++)
        gate_line(p, in, g);
}

/* Throughput by load as bars, of the points that may carry an answer. */
static void curve(const struct page *p, const struct analysis *in, const size_t *order)
{
    double most = 0;
    size_t n = 0, knee = SIZE_MAX, bar = p->width - 50;
    char load[64], number[HUMAN_MAX];
    for (size_t i = 0; i < in->n_points; i++) {
        if (!load_usable(&in->points[i])) continue;
        n++;
        most = fmax(most, in->points[i].output_tokens_per_s);
    }
    if (n < 3 || n > BARS_MOST) return;
    (void)report_knee_point(in, &knee);
    (void)buf_puts(p->out, "\nOutput token/s by load\n");
    for (size_t i = 0; i < in->n_points; i++) {
        const struct point *q = &in->points[order[i]];
        if (!load_usable(q)) continue;
        (void)buf_printf(p->out, "%10.10s ", load_label(&q->requested, load));
        double eighths = 8 * (double)bar * q->output_tokens_per_s / most;
        for (size_t k = 0; k < (size_t)eighths / 8; k++)
            (void)buf_puts(p->out, "█");
        static const char *const PART[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
        (void)buf_printf(p->out, "%s %s%s%s%s\n", PART[(size_t)eighths % 8],
                         human_number(q->output_tokens_per_s, number), order[i] == knee ? "  ← knee" : "",
                         in->answer.has_slo && order[i] == in->answer.slo_point ? "  ← " : "",
                         in->answer.has_slo && order[i] == in->answer.slo_point ? slo_name(in) + 4 : "");
    }
}

static void put_deviation(void *arg, const char *sentence)
{
    const struct page *p = arg;
    (void)buf_puts(p->out, "  - ");
    wrap(p, sentence, 4);
}

/* The plan's curve in the rules' own figures: system token/s, and token/s of a slow user. */
static void standard(const struct page *p, const struct analysis *in, const size_t *order)
{
    const struct plan *plan = in->run->plan;
    char load[64];
    if (!plan || plan->curve.kind == CURVE_NONE) return;
    (void)buf_printf(p->out, "\nMLPerf Endpoints' curve, %" PRIu32 " to %" PRIu32 "\n", plan->curve.min_concurrency,
                     plan->curve.max_concurrency);
    (void)buf_printf(p->out, "%-10s %10s %12s %12s %9s\n", "region", "load", "system tok/s", "user tok/s", "TTFT p90");
    for (size_t i = 0; i < in->n_points; i++) {
        const struct point *q = &in->points[order[i]];
        const char *region = curve_region(plan, &q->requested);
        (void)buf_printf(p->out, "%-10s %10.10s", region ? region : "", load_label(&q->requested, load));
        number(p, 12, q->output_tokens_per_s);
        number(p, 12, point_user_tps(q));
        number(p, 9, q->metric[METRIC_TTFT].q[1]);
        (void)buf_printf(p->out, "%s\n",
                         curve_is_offline(plan, &q->requested) && !q->offline ? "  elected as Offline" : "");
    }
    (void)buf_puts(p->out, "Not to the rules:\n");
    curve_deviations(plan, in->points, in->n_points, put_deviation, (void *)(uintptr_t)p);
}

/* Doubts about the numbers, by cause. */
static void reasons(const struct page *p, const struct analysis *in)
{
    struct reason_group g[REASONS];
    struct headline h;
    size_t n = reasons_group(in, VERDICT_SUSPECT, g, REASONS);
    headline_make(in, &h);
    for (size_t i = 0; i < n; i++) {
        char line[VERDICT_REASON_MAX + 124], where[120];
        if (reasons_quoted(in, h.cause, &g[i])) continue;
        reasons_where(in, &g[i], where, sizeof where);
        (void)snprintf(line, sizeof line, "%s: %s", where, g[i].text);
        (void)buf_puts(p->out, "  ");
        paint(p, g[i].aside ? PLAIN : verdict_color(g[i].status));
        (void)buf_printf(p->out, "%-7s ", g[i].aside ? "note" : verdict_name(g[i].status));
        paint(p, PLAIN);
        wrap(p, line, 10);
    }
}

/* The first failure of each label. The words of the commonest stand in the answer. */
static void failures(const struct page *p, const struct analysis *in)
{
    struct report_failure f[FAILURE_N];
    size_t n = report_failures(in, f);
    char load[64], number[HUMAN_MAX];
    if (n) (void)buf_puts(p->out, "Failures, and the first of each:\n");
    for (size_t i = 0; i < n && i < FAILURES_SHOWN; i++) {
        const struct failure_sample *s = f[i].first;
        const struct point *q = &in->points[f[i].point];
        struct buf text = BUF_INIT(2000);
        (void)buf_printf(&text, "%s %s", FAILURES[f[i].label].name, human_count(f[i].n, number));
        char statuses[STATUSES_WORDS];
        if (statuses_words(in->answer.counters, f[i].label, statuses)[0]) (void)buf_printf(&text, " (%s)", statuses);
        if (s)
            (void)buf_printf(&text, ": %s s into stage %" PRIu32 " (load %s)",
                             human_number((double)s->at_ns / 1e9, number), q->stage + 1,
                             load_label(&q->requested, load));
        if (s && s->status) (void)buf_printf(&text, ", status %" PRIu32, s->status);
        if (s && s->address[0]) (void)buf_printf(&text, ", from %s", s->address);
        char words[204];
        if (s && s->text[0] && strstr(in->answer.text, text_cut(s->text, 200, words)))
            (void)buf_puts(&text, ", words as above");
        else if (s && s->text[0])
            (void)buf_printf(&text, ": \"%s\"", text_cut(s->text, 200, words));
        (void)buf_puts(p->out, "  ");
        wrap(p, buf_str(&text), 4);
        p->out->bad |= text.bad;
        buf_clear(&text);
    }
    if (n > FAILURES_SHOWN) (void)buf_printf(p->out, "  and %zu more labels, in the report\n", n - FAILURES_SHOWN);
    if (n) (void)buf_puts(p->out, "\n");
}

static void ledger(const struct page *p, const struct analysis *in)
{
    uint64_t due = 0, ok = 0, cancelled = 0, aborted = 0, lost = 0, failed[FAILURE_N] = {0};
    bool balanced = true;
    for (size_t i = 0; i < in->n_points; i++) {
        const struct point *q = &in->points[i];
        due += q->ledger.due;
        ok += q->ledger.ok;
        cancelled += q->ledger.cancelled;
        aborted += q->ledger.aborted;
        lost += q->ledger.lost;
        balanced &= q->ledger.balanced;
        for (size_t k = 0; k < sizeof failed / sizeof failed[0]; k++)
            failed[k] += q->ledger.failed[k];
    }
    struct buf text = BUF_INIT(2000);
    (void)buf_printf(&text, "due %" PRIu64 " = ok %" PRIu64, due, ok);
    for (size_t k = 0; k < sizeof failed / sizeof failed[0]; k++)
        if (failed[k])
            (void)buf_printf(&text, " + %s %" PRIu64, COUNTERS[COUNTER_FAILED_FIRST + (int)k].name, failed[k]);
    (void)buf_printf(&text, " + cancelled %" PRIu64 " + aborted %" PRIu64 " + lost %" PRIu64 "%s", cancelled, aborted,
                     lost, balanced ? "" : "  DOES NOT BALANCE");
    (void)buf_puts(p->out, "Ledger: ");
    wrap(p, buf_str(&text), 8);
    p->out->bad |= text.bad;
    buf_clear(&text);
}

/* Conversations: how many, how they ended, and what a turn's place in them means for its first token. */
static void sessions(const struct page *p, const struct analysis *in)
{
    static const enum metric BY_TURN[] = {METRIC_TTFT_FIRST_TURN, METRIC_TTFT_SECOND_TURN, METRIC_TTFT_LATER_TURNS};
    static const char *const TURNS[] = {"first", "second", "later"};
    bool trees = plan_has_trees(in->run->plan);
    if (!plan_has_sessions(in->run->plan) && !trees) return;
    for (size_t i = 0; i < in->n_points; i++) {
        const struct stage_data *s = report_stage(in, i);
        char n[HUMAN_MAX], load[64];
        if (!s || !s->counters[COUNTER_SESSIONS]) continue;
        struct buf text = BUF_INIT(1000);
        (void)buf_printf(&text, "load %s: %" PRIu64 " begun, %" PRIu64 " ended with all their %s",
                         load_label(&in->points[i].requested, load), s->counters[COUNTER_SESSIONS],
                         s->counters[COUNTER_SESSIONS_DONE], trees ? "requests" : "turns");
        if (s->counters[COUNTER_SESSIONS_BROKEN])
            (void)buf_printf(&text, ", %" PRIu64 " %s", s->counters[COUNTER_SESSIONS_BROKEN],
                             trees ? "with a failed request" : "broken off by a failure");
        const char *mark = "; ttft p50 by turn: ";
        for (size_t k = 0; k < 3; k++) {
            const struct hist *h = s->hist[BY_TURN[k]];
            if (!h || !h->count) continue;
            (void)buf_printf(&text, "%s%s %s ms", mark, TURNS[k], human_number((double)hist_quantile(h, 0.5) / 1e6, n));
            mark = ", ";
        }
        (void)buf_puts(p->out, trees ? "Session trees: " : "Sessions: ");
        wrap(p, buf_str(&text), trees ? 15 : 10);
        p->out->bad |= text.bad;
        buf_clear(&text);
    }
}

/* What was sent again: it is in no line of the ledger, since a request ends once. */
static void retries(const struct page *p, const struct analysis *in)
{
    if (in->run->plan->retries.max == 0) return;
    struct buf text = BUF_INIT(REPORT_RETRIES_WORDS);
    report_retries_words(in, &text);
    (void)buf_puts(p->out, "Retries: ");
    wrap(p, buf_str(&text), 9);
    p->out->bad |= text.bad;
    buf_clear(&text);
}

/* Rows of single requests that the plan asks for. */
static void recorded(const struct page *p, const struct analysis *in)
{
    uint64_t wanted = 0, kept = 0;
    for (size_t i = 0; i < in->n_points; i++) {
        const struct stage_data *s = report_stage(in, i);
        wanted += s ? s->counters[COUNTER_RECORDED] : 0;
        kept += s ? s->request_rows : 0;
    }
    if (wanted == 0) return;
    struct buf text = BUF_INIT(500);
    (void)buf_printf(&text, "%" PRIu64 " in run.sqlite; plateau export %s writes them", kept, "DIR --to requests-csv");
    if (kept < wanted)
        (void)buf_printf(&text,
                         ". %" PRIu64 " more were wanted and not kept: record.rows is %" PRIu64
                         ", an agent sends at most %u per second, a lost agent sends none, and what came after a disk "
                         "was full was not written",
                         wanted - kept, in->run->plan->record_rows, REQUEST_ROWS_MAX);
    (void)buf_puts(p->out, "Rows:   ");
    wrap(p, buf_str(&text), 8);
    p->out->bad |= text.bad;
    buf_clear(&text);
}

/* Why answers ended. */
static void ends(const struct page *p, const struct analysis *in)
{
    uint64_t n[FINISH_N] = {0}, given = 0;
    char number[HUMAN_MAX];
    struct buf text = BUF_INIT(600);
    for (size_t i = 0; i < in->n_points; i++)
        for (int k = 0; in->points[i].data && k < FINISH_N; k++)
            n[k] += in->points[i].data->counters[COUNTER_FINISH_NONE + k];
    for (int k = FINISH_NONE + 1; k < FINISH_N; k++) {
        if (n[k]) (void)buf_printf(&text, "%s%s %s", given ? ", " : "", FINISH_NAMES[k], human_count(n[k], number));
        given += n[k];
    }
    if (n[FINISH_NONE])
        (void)buf_printf(&text, "%sno reason %s", given ? ", " : "", human_count(n[FINISH_NONE], number));
    if (given || n[FINISH_NONE]) {
        (void)buf_puts(p->out, "Finish reasons: ");
        wrap(p, buf_str(&text), 16);
    }
    p->out->bad |= text.bad;
    buf_clear(&text);
}

/* Where requests went, when that was more than one place: an uneven balance, a bad server among many. */
static void addresses(const struct page *p, const struct analysis *in)
{
    struct per_address all = {0};
    for (size_t i = 0; i < in->n_points; i++) {
        const struct stage_data *s = report_stage(in, i);
        if (s) per_address_add(&all, &s->addresses);
    }
    if (all.n < 2) return;
    per_address_sort(&all);
    struct buf text = BUF_INIT(8000);
    for (uint32_t i = 0; i < all.n; i++) {
        (void)buf_printf(&text, "%s%s %" PRIu64, i ? ", " : "requests, by address: ", all.row[i].address,
                         all.row[i].requests);
        if (all.row[i].failed) (void)buf_printf(&text, " (%" PRIu64 " failed)", all.row[i].failed);
    }
    (void)buf_puts(p->out, "Target: ");
    wrap(p, buf_str(&text), 8);
    p->out->bad |= text.bad;
    buf_clear(&text);
}

/* What warmup: auto left out, and of what. */
static void cuts(const struct page *p, const struct analysis *in)
{
    double least = INFINITY, most = 0;
    char line[300], span[2 * HUMAN_MAX + 8], n[2][HUMAN_MAX];
    bool blocks = true;
    for (size_t i = 0; i < in->n_points; i++) {
        const struct point *q = &in->points[i];
        if (!(q->warmup_cut_s > 0)) continue;
        least = fmin(least, q->warmup_cut_s);
        most = fmax(most, q->warmup_cut_s);
        blocks &= q->cut[METRIC_TTFT] || q->cut[METRIC_ITL];
    }
    if (!(most > 0)) return;
    (void)snprintf(span, sizeof span, "%s%s%s s", most > least ? human_number(round(least), n[0]) : "",
                   most > least ? " to " : "", human_number(round(most), n[1]));
    (void)snprintf(
        line, sizeof line,
        "warmup: auto cut %s off where throughput still rose: from rates%s. %s percentiles include the cut part.", span,
        blocks ? ", TTFT and token gaps" : "", blocks ? "TPOT's and E2E's" : "All");
    wrap(p, line, 0);
}

/* From which stage on the server's own queue explains TTFT. */
static void server_queue(const struct page *p, const struct analysis *in)
{
    const struct point *from = NULL; /* the first point from which on all points show it */
    char line[300], load[64], t[HUMAN_THINGS_MAX], n[2][HUMAN_MAX];
    for (size_t i = 0; i < in->n_points; i++) {
        const struct point *q = &in->points[i];
        if (!q->server.any) continue;
        bool explains = q->server.queue_share >= SERVER_EXPLAINS && q->server.window.mean[SERVER_WAITING] >= 1;
        from = !explains ? NULL : from ? from : q;
    }
    if (!from) return;
    (void)snprintf(line, sizeof line,
                   "The server's own queue explains TTFT from stage %" PRIu32
                   " (load %s) on: %s waited there, %s of %s ms.",
                   from->stage + 1, load_label(&from->requested, load),
                   human_things(from->server.window.mean[SERVER_WAITING], "request", t),
                   human_number(fmin(from->server.queue_ms, from->metric[METRIC_TTFT].mean), n[0]),
                   human_number(from->metric[METRIC_TTFT].mean, n[1]));
    wrap(p, line, 0);
}

static void server_others(const struct page *p, const struct analysis *in)
{
    char line[300];
    if (server_others_words(in, line, sizeof line)) wrap(p, line, 0);
}

static bool server_several(const struct page *p, const struct analysis *in)
{
    for (size_t i = 0; i < in->n_points; i++) {
        if (!in->points[i].server.several) continue;
        wrap(p, "Server: " SERVER_SEVERAL, 0);
        return true;
    }
    return false;
}

/* Whether both sides counted the same tokens. */
static void server_tokens(const struct page *p, const struct analysis *in)
{
    const struct point *any = NULL, *restarted = NULL;
    double theirs = 0, ours = 0;
    char line[300], why[120], t[HUMAN_THINGS_MAX], n[2][HUMAN_MAX];
    for (size_t i = 0; i < in->n_points; i++) {
        const struct point *q = &in->points[i];
        if (!q->server.any) continue;
        any = q;
        if (q->server.restarted && !restarted) restarted = q;
        if (isnan(q->server.tokens)) continue;
        theirs += q->server.tokens;
        ours += q->server.client_tokens;
    }
    if (!any || !(theirs > 0) || !(ours > 0)) return;
    double off = theirs / ours - 1;
    const char *words = off > 0.02    ? ": it served others too, or continued with requests that had ended here."
                        : off < -0.02 ? ": the page is not of all that answered."
                                      : ".";
    (void)snprintf(why, sizeof why, "%s", words);
    if (off < -0.02 && restarted)
        (void)snprintf(why, sizeof why,
                       ": its counters began anew in stage %" PRIu32
                       ", so it was restarted, and some counts were lost.",
                       restarted->stage + 1);
    (void)snprintf(line, sizeof line, "Server%s%s: counted %s, the client %s (%s)%s",
                   any->server.window.server[0] ? " " : "", any->server.window.server,
                   human_things(theirs, "generated token", t), human_number(ours, n[0]), human_change(off, n[1]), why);
    wrap(p, line, 0);
}

/* "40 %", "40 to 60 %": the spread of a figure over the points; false: none has it. */
#define SPREAD (2 * HUMAN_MAX + 8)
static bool spread(const struct analysis *in, enum figure f, double scale, char buf[static SPREAD])
{
    double lo = HUGE_VAL, hi = -HUGE_VAL;
    char n[2][HUMAN_MAX];
    for (size_t i = 0; i < in->n_points; i++) {
        double v = scale * figure_value(&in->points[i], f);
        if (isnan(v)) continue;
        lo = fmin(lo, v);
        hi = fmax(hi, v);
    }
    if (!(lo <= hi)) return false;
    bool one = strcmp(human_number(lo, n[0]), human_number(hi, n[1])) == 0;
    (void)snprintf(buf, SPREAD, "%s%s%s", one ? "" : n[0], one ? "" : " to ", n[1]);
    return true;
}

static void server_drafts(const struct page *p, const struct analysis *in)
{
    char line[4 * SPREAD], rate[SPREAD], length[SPREAD];
    bool has_rate = spread(in, FIGURE_SERVER_ACCEPTANCE, 100, rate);
    bool has_length = spread(in, FIGURE_SERVER_ACCEPTANCE_LENGTH, 1, length);
    if (!has_rate && !has_length) return;
    (void)snprintf(line, sizeof line, "Speculative decoding: the server accepted %s%s%s%s%s.", has_rate ? rate : "",
                   has_rate ? " % of the tokens in its drafts" : "drafts",
                   has_length ? "; a step with a draft made " : "", has_length ? length : "",
                   has_length ? " tokens" : "");
    wrap(p, line, 0);
}

/* What the server's own page says. */
static void server(const struct page *p, const struct analysis *in)
{
    server_queue(p, in);
    server_others(p, in);
    server_drafts(p, in);
    if (!server_several(p, in)) server_tokens(p, in);
}

int report_text(const struct analysis *in, const struct report_style *style, struct buf *out, struct err *e)
{
    const struct page p = {out, style->color,
                           style->width < WIDTH_LEAST  ? WIDTH_LEAST
                           : style->width > WIDTH_MOST ? WIDTH_MOST
                                                       : style->width};
    size_t *order = calloc(in->n_points + 1, sizeof *order);
    if (!order) return err_set(e, ERR_NOMEM, "no memory for the report");
    report_order(in, order);
    (void)buf_puts(out, "\n");
    headline(&p, in);
    if (in->answer.text[0]) wrap(&p, in->answer.text, 0);
    latencies(&p, in);
    gates(&p, in);
    curve(&p, in, order);
    (void)buf_puts(out, "\n");
    table(&p, in, order);
    reasons(&p, in);
    mix(&p, in, order);
    standard(&p, in, order);
    (void)buf_puts(out, "\n");
    failures(&p, in);
    ledger(&p, in);
    sessions(&p, in);
    retries(&p, in);
    recorded(&p, in);
    ends(&p, in);
    addresses(&p, in);
    cuts(&p, in);
    server(&p, in);
    if (in->run->insecure) {
        paint(&p, YELLOW);
        (void)buf_puts(out, "The control plane ran without authentication (--insecure).\n");
        paint(&p, PLAIN);
    }
    free(order);
    return out->bad ? err_set(e, ERR_NOMEM, "no memory for the report") : 0;
}
