/* curve.csv: one line per point, for spreadsheets. RFC 4180; empty where n/a. Lines are written in the order of their
 * tables, and then given the order in which people read: whose a row is, what was asked, and the figures that matter.
 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "common/clock.h"
#include "coordinator/answer/figure.h"
#include "coordinator/answer/load_axis.h"
#include "coordinator/report/csv_text.h"
#include "coordinator/report/export.h"
#include "coordinator/report/report_parts.h"

static const enum metric SHOWN[] = {METRIC_TTFT,      METRIC_TTFT_DUE, METRIC_TPOT,         METRIC_ITL,
                                    METRIC_CHUNK_GAP, METRIC_E2E,      METRIC_E2E_DUE,      METRIC_LATENESS,
                                    METRIC_DISPATCH,  METRIC_LAG,      METRIC_INPUT_TOKENS, METRIC_OUTPUT_TOKENS};
#define N_SHOWN (sizeof SHOWN / sizeof SHOWN[0])

static const char *const FIRST[] = {"run",
                                    "model",
                                    "started",
                                    "stage",
                                    "repeat",
                                    "load",
                                    "kind",
                                    "verdict",
                                    "output_tokens_per_s",
                                    "requests_per_s",
                                    "error_rate",
                                    "ttft_ms_p50",
                                    "ttft_ms_p99",
                                    "tpot_ms_p50",
                                    "tpot_ms_p99",
                                    "itl_ms_p99",
                                    "e2e_ms_p50",
                                    "e2e_ms_p99"};

#define CELLS 400u
#define LINE_MAX_BYTES (1u << 20)
struct cells {
    const char *at[CELLS];
    size_t len[CELLS], n;
};

/* The cells of a line, which end at commas outside of quotes. */
static void split(const char *s, struct cells *ret)
{
    bool quoted = false;
    ret->n = 0;
    for (const char *from = s; ret->n < CELLS; s++) {
        quoted ^= *s == '"';
        if (*s && (quoted || *s != ',')) continue;
        ret->at[ret->n] = from;
        ret->len[ret->n++] = (size_t)(s - from);
        if (!*s) break;
        from = s + 1;
    }
}

/* One after the other: FIRST, then all others as they stand. */
static void put_ordered(struct buf *out, const struct cells *names, const struct cells *line)
{
    const size_t n_first = sizeof FIRST / sizeof *FIRST;
    bool put[CELLS] = {false};
    for (size_t pass = 0; pass <= n_first; pass++)
        for (size_t i = 0; i < line->n; i++) {
            bool is = pass == n_first ||
                      (strlen(FIRST[pass]) == names->len[i] && memcmp(FIRST[pass], names->at[i], names->len[i]) == 0);
            if (put[i] || !is) continue;
            (void)buf_put(out, line->at[i], line->len[i]);
            put[i] = true;
            (void)buf_puts(out, pass == n_first && i + 1 == line->n ? "" : ",");
        }
    (void)buf_puts(out, "\r\n");
}

static void names(struct buf *b, enum figure_csv place)
{
    for (int f = 0; f < FIGURE_N; f++) {
        if (FIGURES[f].csv != place) continue;
        (void)buf_printf(b, ",%s", FIGURES[f].key);
        if (FIGURES[f].interval == FIGURE_CI) (void)buf_printf(b, ",%s_lo,%s_hi", FIGURES[f].key, FIGURES[f].key);
    }
}

static void figures(struct buf *b, const struct point *p, enum figure_csv place)
{
    for (int f = 0; f < FIGURE_N; f++) {
        if (FIGURES[f].csv != place) continue;
        struct reading r = figure_read(p, (enum figure)f);
        csv_number(b, r.value);
        if (FIGURES[f].interval != FIGURE_CI) continue;
        csv_number(b, r.lo);
        csv_number(b, r.hi);
    }
}

static void header(struct buf *b)
{
    char key[64];
    (void)buf_puts(
        b,
        "run,model,started,stage,repeat,load,kind,verdict,concurrency_requested,rate_requested_from,rate_requested_to");
    names(b, FIGURE_BEFORE);
    for (size_t i = 0; i < N_SHOWN; i++) {
        const char *k = report_metric_key(SHOWN[i], key);
        (void)buf_printf(b, ",%s_count,%s_mean,%s_min,%s_max,%s_p50,%s_p90,%s_p95,%s_p99,%s_p99_9", k, k, k, k, k, k, k,
                         k, k);
    }
    (void)buf_puts(b, ",due,ok,failed,cancelled,aborted,lost,steady");
    names(b, FIGURE_AFTER);
    (void)buf_puts(b, ",degraded,reasons");
    names(b, FIGURE_END);
}

static void line(struct buf *b, const struct analysis *in, const struct point *p)
{
    char started[40], load[64], reasons[VERDICT_REASONS * (VERDICT_REASON_MAX + 2)];
    const struct plan_stage *q = &p->requested;
    bool closed = q->kind == LOAD_CLOSED;
    uint64_t failed = 0;
    (void)buf_puts(b, in->run->run_id);
    csv_text(b, export_model(in));
    (void)buf_printf(b, ",%s,%" PRIu32 ",%" PRIu32, clock_wall_text(in->run->started_wall_ns, started, sizeof started),
                     p->stage + 1, p->repeat + 1);
    csv_text(b, load_label(q, load));
    (void)buf_printf(b, ",%s,%s", closed ? "closed" : "open", verdict_name(p->verdict.status));
    csv_number(b, closed ? q->concurrency : (double)NAN);
    csv_number(b, closed ? (double)NAN : q->rate_from);
    csv_number(b, closed ? (double)NAN : q->rate_to);
    figures(b, p, FIGURE_BEFORE);
    for (size_t i = 0; i < N_SHOWN; i++) {
        const struct metric_stat *s = &p->metric[SHOWN[i]];
        (void)buf_printf(b, ",%" PRIu64, s->count);
        csv_number(b, s->mean);
        csv_number(b, s->min);
        csv_number(b, s->max);
        for (int k = 0; k < POINT_Q; k++)
            csv_number(b, s->q[k]);
    }
    for (size_t i = 0; i < sizeof p->ledger.failed / sizeof p->ledger.failed[0]; i++)
        failed += p->ledger.failed[i];
    (void)buf_printf(b, ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64, p->ledger.due,
                     p->ledger.ok, failed, p->ledger.cancelled, p->ledger.aborted, p->ledger.lost);
    (void)buf_printf(b, ",%s", report_steady(p->steady) ? report_steady(p->steady) : "");
    figures(b, p, FIGURE_AFTER);
    (void)buf_printf(b, ",%s", p->degraded ? "true" : "false");
    size_t at = 0;
    for (uint32_t i = 0; i < p->verdict.n_reasons && i < VERDICT_REASONS; i++) {
        size_t n = strlen(p->verdict.reason[i]);
        if (at) {
            memcpy(reasons + at, "; ", 2);
            at += 2;
        }
        memcpy(reasons + at, p->verdict.reason[i], n);
        at += n;
    }
    reasons[at] = 0;
    csv_text(b, reasons);
    figures(b, p, FIGURE_END);
}

int report_curve_csv(const struct analysis *in, struct buf *out, struct err *e)
{
    struct buf head = BUF_INIT(LINE_MAX_BYTES), row = BUF_INIT(LINE_MAX_BYTES);
    struct cells names_of, cells;
    header(&head);
    split(buf_str(&head), &names_of);
    put_ordered(out, &names_of, &names_of);
    for (size_t i = 0; i < in->n_points; i++) {
        buf_reset(&row);
        line(&row, in, &in->points[i]);
        split(buf_str(&row), &cells);
        put_ordered(out, &names_of, &cells);
    }
    out->bad |= head.bad || row.bad;
    buf_clear(&head);
    buf_clear(&row);
    return out->bad ? err_set(e, ERR_NOMEM, "curve.csv is larger than %zu bytes, or memory ran out", out->max) : 0;
}
