/* series.csv: a row per second of every stage, of all agents together (agent empty) and of each. Empty where n/a. */
#include <inttypes.h>
#include <math.h>

#include "common/clock.h"
#include "coordinator/answer/load_axis.h"
#include "coordinator/report/csv_text.h"
#include "coordinator/report/export.h"
#include "coordinator/report/report_parts.h"

static void row(const struct analysis *a, const struct point *p, const struct series_row *r, struct buf *b)
{
    char load[64], time[40], started[40];
    double span = r->span_s > 0 ? r->span_s : (double)NAN;
    (void)buf_puts(b, a->run->run_id);
    csv_text(b, export_model(a));
    (void)buf_printf(b, ",%s,%s,%" PRIu32 ",%" PRIu32 ",%s,%s,%s,",
                     clock_wall_text(a->run->started_wall_ns, started, sizeof started),
                     clock_wall_text(p->data->started_wall_ns + (int64_t)(r->t_s * 1e9), time, sizeof time),
                     p->stage + 1, p->repeat + 1, load_label(&p->requested, load),
                     p->requested.kind == LOAD_CLOSED ? "closed" : "open", verdict_name(p->verdict.status));
    if (r->agent >= 0) (void)buf_printf(b, "%" PRId32, r->agent);
    const double v[] = {r->t_s,       r->span_s,      r->tokens / span, r->done / span, r->failed / span, r->due / span,
                        r->in_flight, r->ttft_p50_ms, r->ttft_p99_ms,   r->itl_p50_ms,  r->itl_p99_ms};
    for (size_t i = 0; i < sizeof v / sizeof v[0]; i++)
        csv_number(b, v[i]);
    (void)buf_puts(b, "\r\n");
}

int export_csv(const struct analysis *a, const struct export_to *to, struct err *e)
{
    struct buf b = BUF_INIT(EXPORT_FILE_MAX);
    (void)buf_puts(&b, "run,model,started,time,stage,repeat,load,kind,verdict,agent,t_s,span_s,token_events_per_s,ok_"
                       "per_s,failed_per_s,due_per_s,"
                       "in_flight,ttft_p50_ms,ttft_p99_ms,itl_p50_ms,itl_p99_ms\r\n");
    for (size_t i = 0; i < a->n_points; i++) /* invalid points too: each row has its verdict */
        for (size_t k = 0; a->points[i].data && k < a->points[i].data->n_series; k++)
            row(a, &a->points[i], &a->points[i].data->series[k], &b);
    int rc = b.bad ? err_set(e, ERR_NOMEM, "series.csv is larger than %zu bytes, or memory ran out", b.max)
                   : to->put(to->arg, "series.csv", &b, e);
    buf_clear(&b);
    return rc;
}
