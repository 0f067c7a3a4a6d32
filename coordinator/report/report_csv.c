/* curve.csv: one line per point, for spreadsheets. RFC 4180; empty where n/a. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "common/clock.h"
#include "coordinator/answer/figure.h"
#include "coordinator/report/csv_text.h"
#include "coordinator/report/export.h"
#include "coordinator/report/report_parts.h"

static const enum metric SHOWN[] = {METRIC_TTFT,      METRIC_TTFT_DUE, METRIC_TPOT,         METRIC_ITL,
                                    METRIC_CHUNK_GAP, METRIC_E2E,      METRIC_E2E_DUE,      METRIC_LATENESS,
                                    METRIC_DISPATCH,  METRIC_LAG,      METRIC_INPUT_TOKENS, METRIC_OUTPUT_TOKENS};
#define N_SHOWN (sizeof SHOWN / sizeof SHOWN[0])

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
    (void)buf_puts(b, "\r\n");
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
    csv_text(b, report_load(q, load));
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
    (void)buf_puts(b, "\r\n");
}

int report_curve_csv(const struct analysis *in, struct buf *out, struct err *e)
{
    header(out);
    for (size_t i = 0; i < in->n_points; i++)
        line(out, in, &in->points[i]);
    return out->bad ? err_set(e, ERR_NOMEM, "curve.csv is larger than %zu bytes, or memory ran out", out->max) : 0;
}
