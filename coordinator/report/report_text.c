/* The terminal's table and last words: at most 100 columns. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "coordinator/report/report_parts.h"

#define WIDTH 100u
#define RED "\x1b[31m"
#define GREEN "\x1b[32m"
#define YELLOW "\x1b[33m"
#define BOLD "\x1b[1m"
#define FAINT "\x1b[2m"
#define PLAIN "\x1b[0m"

struct page {
    struct buf *out;
    bool color;
};

static void paint(const struct page *p, const char *code)
{
    if (p->color) (void)buf_puts(p->out, code);
}

/* What others wrote (names, plan text) may hold escape sequences: control characters become '?'. */
static void put_safe(const struct page *p, const char *s, size_t most)
{
    for (size_t i = 0; s[i] && i < most; i++)
        (void)buf_putc(p->out, (unsigned char)s[i] < 0x20 || s[i] == 0x7f ? '?' : s[i]);
}

/* A number in at most `width` columns, right-aligned after a blank; three significant digits or all whole ones. */
static void number(const struct page *p, int width, double v)
{
    char t[32];
    if (!isfinite(v))
        (void)snprintf(t, sizeof t, "n/a");
    else if (fabs(v) >= 1e7)
        (void)snprintf(t, sizeof t, "%.2e", v);
    else
        (void)snprintf(t, sizeof t, "%.*f", fabs(v) >= 100 ? 0 : fabs(v) >= 10 ? 1 : 2, v);
    (void)buf_printf(p->out, " %*s", width, t);
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
    (void)buf_printf(p->out, "%5.5s %9.9s", stage_number(q, stage, sizeof stage), report_load(&q->requested, load));
    number(p, 8, load_on(q, axis));
    number(p, 8, q->output_tokens_per_s);
    number(p, 8, ttft->q[0]);
    number(p, 8, ttft->q[3]);
    number(p, 7, tpot->q[0]);
    number(p, 7, tpot->q[3]);
    number(p, 7, q->metric[METRIC_ITL].q[3]);
    (void)buf_printf(p->out, " %7" PRIu64 " ", failed + q->ledger.lost);
    paint(p, verdict_color(q->verdict.status));
    (void)buf_puts(p->out, verdict_name(q->verdict.status));
    paint(p, PLAIN);
    (void)buf_puts(p->out, q->steady == STEADY_NO ? " ~\n" : "\n");
}

static void table(const struct page *p, const struct analysis *in)
{
    bool unsteady = false;
    paint(p, BOLD);
    (void)buf_printf(p->out, "%33s %17s %15s %7s\n", "output", "TTFT ms", "TPOT ms", "ITL ms");
    (void)buf_printf(p->out, "%5s %9s %8s %8s %8s %8s %7s %7s %7s %7s %s\n", "stage", "load", "achieved", "token/s",
                     "p50", "p99", "p50", "p99", "p99", "errors", "verdict");
    paint(p, PLAIN);
    for (size_t i = 0; i < in->n_points; i++) {
        row(p, &in->points[i], in->answer.axis);
        unsteady |= in->points[i].steady == STEADY_NO;
    }
    if (!in->n_points) (void)buf_puts(p->out, "  no stage was finished\n");
    if (unsteady)
        (void)buf_puts(p->out, "  ~ not steady: throughput or requests in flight still drifted over the window\n");
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
        if (column > indent && column + 1 + columns > WIDTH) {
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

static void reasons(const struct page *p, const struct analysis *in)
{
    for (size_t i = 0; i < in->n_points; i++) {
        const struct point *q = &in->points[i];
        if (q->verdict.status == VERDICT_VALID) continue;
        for (uint32_t k = 0; k < q->verdict.n_reasons; k++) {
            char line[320], load[64], stage[32];
            (void)snprintf(line, sizeof line, "stage %s (%s): %s", stage_number(q, stage, sizeof stage),
                           report_load(&q->requested, load), q->verdict.reason[k]);
            (void)buf_puts(p->out, "  ");
            paint(p, verdict_color(q->verdict.status));
            (void)buf_printf(p->out, "%-7s ", verdict_name(q->verdict.status));
            paint(p, PLAIN);
            wrap(p, line, 10);
        }
    }
}

static void gate_line(const struct page *p, const struct analysis *in, size_t g)
{
    const struct gate_outcome *o = report_gate(in, g);
    enum gate_result r = o ? o->result : GATE_INCONCLUSIVE;
    (void)buf_puts(p->out, "  ");
    paint(p, r == GATE_PASS ? GREEN : r == GATE_FAIL ? RED : YELLOW);
    (void)buf_puts(p->out, r == GATE_PASS ? "✓" : r == GATE_FAIL ? "✗" : "?");
    paint(p, PLAIN);
    (void)buf_putc(p->out, ' ');
    put_safe(p, in->run->plan->gates[g].text, 50);
    if (o && isfinite(o->value)) (void)buf_printf(p->out, ": %.4g", o->value);
    if (o && isfinite(o->lo) && isfinite(o->hi)) (void)buf_printf(p->out, " (95 %%: %.4g-%.4g)", o->lo, o->hi);
    if (o && o->point < in->n_points) {
        char load[64];
        (void)buf_printf(p->out, " at load %s", report_load(&in->points[o->point].requested, load));
    }
    (void)buf_puts(p->out, r == GATE_INCONCLUSIVE ? "; inconclusive: more samples are needed\n" : "\n");
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
    buf_free(&text);
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
    buf_free(&text);
}

/* What warmup: auto left out, and of what. */
static void cuts(const struct page *p, const struct analysis *in)
{
    double least = INFINITY, most = 0;
    char line[300], span[64];
    bool blocks = true;
    for (size_t i = 0; i < in->n_points; i++) {
        const struct point *q = &in->points[i];
        if (!(q->warmup_cut_s > 0)) continue;
        least = fmin(least, q->warmup_cut_s);
        most = fmax(most, q->warmup_cut_s);
        blocks &= q->cut[METRIC_TTFT] || q->cut[METRIC_ITL];
    }
    if (!(most > 0)) return;
    (void)snprintf(span, sizeof span, most > least ? "%.0f to %.0f s" : "%.0f s", least, most);
    (void)snprintf(
        line, sizeof line,
        "warmup: auto cut %s off where throughput still rose: from rates%s. %s percentiles include the cut part.", span,
        blocks ? ", TTFT and token gaps" : "", blocks ? "TPOT's and E2E's" : "All");
    wrap(p, line, 0);
}

/* What the server's own page says: the queue behind TTFT, and whether both sides counted the same tokens. */
static void server(const struct page *p, const struct analysis *in)
{
    const struct point *queued = NULL, *any = NULL;
    double theirs = 0, ours = 0;
    char line[300], load[64];
    for (size_t i = 0; i < in->n_points; i++) {
        const struct point *q = &in->points[i];
        if (!q->server.any) continue;
        any = q;
        bool explains = q->server.queue_share >= SERVER_EXPLAINS && q->server.window.mean[SERVER_WAITING] >= 1;
        queued = !explains ? NULL : queued ? queued : q; /* from there on, without a break */
        if (isnan(q->server.tokens)) continue;
        theirs += q->server.tokens;
        ours += q->server.client_tokens;
    }
    if (queued) {
        (void)snprintf(
            line, sizeof line,
            "The server's own queue explains TTFT from stage %" PRIu32
            " (%s) on: %.3g requests waited there, %.3g of %.3g ms.",
            queued->stage + 1, report_load(&queued->requested, load), queued->server.window.mean[SERVER_WAITING],
            fmin(queued->server.queue_ms, queued->metric[METRIC_TTFT].mean), queued->metric[METRIC_TTFT].mean);
        wrap(p, line, 0);
    }
    if (!any || !(theirs > 0) || !(ours > 0)) return;
    double off = theirs / ours - 1;
    (void)snprintf(line, sizeof line, "Server%s%s: counted %.0f generated tokens, the client %.0f (%+.2f %%)%s",
                   any->server.window.server[0] ? " " : "", any->server.window.server, theirs, ours, 100 * off,
                   off > 0.02    ? ": it served others too, or went on with requests that had ended here."
                   : off < -0.02 ? ": the page is not of all that answered."
                                 : ".");
    wrap(p, line, 0);
}

int report_text(const struct analysis *in, bool color, struct buf *out, struct err *e)
{
    const struct page p = {out, color};
    const struct run_data *r = in->run;
    (void)buf_puts(out, "\n");
    table(&p, in);
    reasons(&p, in);
    if (in->answer.text[0]) {
        (void)buf_puts(out, "\n");
        wrap(&p, in->answer.text, 0);
    }
    if (r->plan && r->plan->n_gates) {
        (void)buf_puts(out, "\nGates\n");
        for (size_t g = 0; g < r->plan->n_gates; g++)
            gate_line(&p, in, g);
    }
    (void)buf_puts(out, "\n");
    ledger(&p, in);
    addresses(&p, in);
    cuts(&p, in);
    server(&p, in);
    if (r->insecure) {
        paint(&p, YELLOW);
        (void)buf_puts(out, "The control plane ran without authentication (--insecure).\n");
        paint(&p, PLAIN);
    }
    return out->bad ? err_set(e, ERR_NOMEM, "no memory for the report") : 0;
}
