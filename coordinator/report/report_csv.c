/* curve.csv: a line a point, for spreadsheets. RFC 4180; empty where n/a. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "coordinator/report/report_parts.h"

static const enum metric SHOWN[] = {METRIC_TTFT,      METRIC_TTFT_DUE, METRIC_TPOT,         METRIC_ITL,
                                    METRIC_CHUNK_GAP, METRIC_E2E,      METRIC_E2E_DUE,      METRIC_LATENESS,
                                    METRIC_DISPATCH,  METRIC_LAG,      METRIC_INPUT_TOKENS, METRIC_OUTPUT_TOKENS};
#define N_SHOWN (sizeof SHOWN / sizeof SHOWN[0])

static void number(struct buf *b, double v)
{
    (void)buf_putc(b, ',');
    if (isfinite(v)) (void)buf_printf(b, "%.9g", v);
}

/* Quoted; a text that a spreadsheet would take for a formula gets an apostrophe before it. */
static void text(struct buf *b, const char *s)
{
    (void)buf_puts(b, ",\"");
    if (*s && strchr("=+-@\t\r", *s)) (void)buf_putc(b, '\'');
    for (; *s; s++) {
        if (*s == '"') (void)buf_putc(b, '"');
        (void)buf_putc(b, *s);
    }
    (void)buf_putc(b, '"');
}

static void header(struct buf *b)
{
    char key[64];
    (void)buf_puts(
        b,
        "stage,repeat,load,kind,concurrency_requested,rate_requested_from,rate_requested_to,concurrency,requests_per_s,"
        "arrivals_per_s,window_s,output_tokens_per_s,output_tokens_per_s_lo,output_tokens_per_s_hi,input_tokens_per_s,"
        "total_tokens_per_s,goodput_per_s,error_rate");
    for (size_t i = 0; i < N_SHOWN; i++) {
        const char *k = report_metric_key(SHOWN[i], key);
        (void)buf_printf(b, ",%s_count,%s_mean,%s_min,%s_max,%s_p50,%s_p90,%s_p95,%s_p99,%s_p99_9", k, k, k, k, k, k, k,
                         k, k);
    }
    (void)buf_puts(b, ",due,ok,failed,cancelled,aborted,lost,steady,drift,littles_law,cost_per_mtok_out,cost_per_mtok_"
                      "in,degraded,verdict,reasons,server_running,server_waiting,server_kv_use,server_prefix_hit_rate,"
                      "server_preemptions,"
                      "server_generation_tokens,server_queue_ms,server_ttft_ms\r\n");
}

static void line(struct buf *b, const struct point *p)
{
    char load[64], reasons[VERDICT_REASONS * 202];
    const struct plan_stage *q = &p->requested;
    bool closed = q->kind == LOAD_CLOSED;
    uint64_t failed = 0;
    (void)buf_printf(b, "%" PRIu32 ",%" PRIu32, p->stage, p->repeat);
    text(b, report_load(q, load));
    (void)buf_printf(b, ",%s", closed ? "closed" : "open");
    number(b, closed ? q->concurrency : (double)NAN);
    number(b, closed ? (double)NAN : q->rate_from);
    number(b, closed ? (double)NAN : q->rate_to);
    const double rates[] = {p->concurrency,         p->requests_per_s, p->arrivals_per_s, p->window_s,
                            p->output_tokens_per_s, p->output_lo,      p->output_hi,      p->input_tokens_per_s,
                            p->total_tokens_per_s,  p->goodput_per_s,  p->error_rate};
    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++)
        number(b, rates[i]);
    for (size_t i = 0; i < N_SHOWN; i++) {
        const struct metric_stat *s = &p->metric[SHOWN[i]];
        (void)buf_printf(b, ",%" PRIu64, s->count);
        number(b, s->mean);
        number(b, s->min);
        number(b, s->max);
        for (int k = 0; k < POINT_Q; k++)
            number(b, s->q[k]);
    }
    for (size_t i = 0; i < sizeof p->ledger.failed / sizeof p->ledger.failed[0]; i++)
        failed += p->ledger.failed[i];
    (void)buf_printf(b, ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64, p->ledger.due,
                     p->ledger.ok, failed, p->ledger.cancelled, p->ledger.aborted, p->ledger.lost);
    (void)buf_printf(b, ",%s", report_steady(p->steady) ? report_steady(p->steady) : "");
    number(b, p->drift);
    number(b, p->littles_law);
    number(b, p->cost_per_mtok_out);
    number(b, p->cost_per_mtok_in);
    (void)buf_printf(b, ",%s,%s", p->degraded ? "true" : "false", verdict_name(p->verdict.status));
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
    text(b, reasons);
    const struct server_stage *w = &p->server.window;
    const double server[] = {w->mean[SERVER_RUNNING],      w->mean[SERVER_WAITING],
                             w->mean[SERVER_KV_USE],       w->prefix_hit_rate,
                             w->delta[SERVER_PREEMPTIONS], w->delta[SERVER_GENERATION_TOKENS],
                             p->server.queue_ms,           w->ttft_ms};
    for (size_t i = 0; i < sizeof server / sizeof server[0]; i++)
        number(b, p->server.any ? server[i] : (double)NAN);
    (void)buf_puts(b, "\r\n");
}

int report_curve_csv(const struct analysis *in, struct buf *out, struct err *e)
{
    header(out);
    for (size_t i = 0; i < in->n_points; i++)
        line(out, &in->points[i]);
    return out->bad ? err_set(e, ERR_NOMEM, "curve.csv is larger than %zu bytes, or memory ran out", out->max) : 0;
}
