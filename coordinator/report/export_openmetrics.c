/* OpenMetrics 1.0 (https://prometheus.io/docs/specs/om/open_metrics_spec/): gauges in base units (seconds, ratios), one
 * family after the other, a sample per load, with the moment at which its stage began. */
#include <inttypes.h>
#include <math.h>

#include "common/clock.h"
#include "coordinator/answer/load_axis.h"
#include "coordinator/report/export.h"
#include "coordinator/report/report_parts.h"

static void label_text(struct buf *b, const char *s)
{
    for (; *s; s++) {
        if (*s == '"' || *s == '\\') (void)buf_putc(b, '\\');
        if (*s == '\n')
            (void)buf_puts(b, "\\n");
        else
            (void)buf_putc(b, *s);
    }
}

static void sample(struct buf *b, const struct analysis *a, const struct point *p, const char *family,
                   const char *quantile, double v)
{
    char load[64];
    if (!isfinite(v)) return;
    (void)buf_printf(b, "plateau_%s{run=\"", family);
    label_text(b, a->run->run_id);
    (void)buf_puts(b, "\",model=\"");
    label_text(b, export_model(a));
    (void)buf_printf(b, "\",load=\"%s\",stage=\"%" PRIu32 "\",repeat=\"%" PRIu32 "\",verdict=\"%s\"%s%s%s} %.17g",
                     load_label(&p->requested, load), p->stage + 1, p->repeat + 1, verdict_name(p->verdict.status),
                     quantile ? ",q=\"" : "", quantile ? quantile : "", quantile ? "\"" : "", v);
    if (p->data) (void)buf_printf(b, " %.3f", (double)p->data->started_wall_ns / 1e9);
    (void)buf_putc(b, '\n');
}

static void begin(struct buf *b, const char *family, const char *unit, const char *help)
{
    (void)buf_printf(b, "# TYPE plateau_%s gauge\n", family);
    if (unit[0]) (void)buf_printf(b, "# UNIT plateau_%s %s\n", family, unit);
    (void)buf_printf(b, "# HELP plateau_%s %s\n", family, help);
}

static void put_latencies(struct buf *b, const struct analysis *a)
{
    static const struct {
        enum metric metric;
        const char *family, *help;
    } M[] = {{METRIC_TTFT, "ttft_seconds", "Time to first token, from sent."},
             {METRIC_TPOT, "tpot_seconds", "Time per output token after the first."},
             {METRIC_ITL, "itl_seconds", "Gap between tokens."},
             {METRIC_E2E, "e2e_seconds", "Whole request, from sent."}};
    static const char *const Q[POINT_Q] = {"0.5", "0.9", "0.95", "0.99", "0.999"};
    for (size_t k = 0; k < sizeof M / sizeof M[0]; k++) {
        begin(b, M[k].family, "seconds", M[k].help);
        for (size_t i = 0; i < a->n_points; i++)
            for (int q = 0; q < POINT_Q; q++)
                sample(b, a, &a->points[i], M[k].family, Q[q], a->points[i].metric[M[k].metric].q[q] / 1000);
    }
}

#define FAMILY(family, unit, help, value)                                                                              \
    do {                                                                                                               \
        begin(&b, family, unit, help);                                                                                 \
        for (size_t i = 0; i < a->n_points; i++) {                                                                     \
            const struct point *p = &a->points[i];                                                                     \
            sample(&b, a, p, family, NULL, value);                                                                     \
        }                                                                                                              \
    } while (0)

int export_openmetrics(const struct analysis *a, const struct export_to *to, struct err *e)
{
    struct buf b = BUF_INIT(EXPORT_FILE_MAX);
    FAMILY("output_tokens_per_second", "", "Output tokens that arrived in the window, per second.",
           p->output_tokens_per_s);
    FAMILY("input_tokens_per_second", "", "Input tokens, per second.", p->input_tokens_per_s);
    FAMILY("requests_per_second", "", "Requests that ended ok, per second.", p->requests_per_s);
    FAMILY("goodput_per_second", "", "Requests within every per-request limit, per second.", p->goodput_per_s);
    FAMILY("concurrency", "", "Requests in flight, mean over the window.", p->concurrency);
    FAMILY("error_ratio", "ratio", "Failed of all requests that ended.", p->error_rate);
    FAMILY("window_seconds", "seconds", "Length of the measured window.", p->window_s);
    put_latencies(&b, a);
    (void)buf_puts(&b, "# EOF\n");
    int rc = b.bad ? err_set(e, ERR_NOMEM, "metrics.txt is larger than %zu bytes, or memory ran out", b.max)
                   : to->put(to->arg, "metrics.txt", &b, e);
    buf_clear(&b);
    return rc;
}
