/* histograms.hlog: the merged histograms as a HdrHistogram log, version 1.3. One line per metric and stage, tagged with
 * the metric's name; the time of a line is its window's beginning after BaseTime, and its length the window's. Values
 * are in the histogram's scale: ns for times. */
#include <inttypes.h>
#include <time.h>

#include "common/base64.h"
#include "common/clock.h"
#include "coordinator/answer/load_axis.h"
#include "coordinator/report/hdr_v2.h"
#include "coordinator/report/report_parts.h"

static void header(const struct run_data *r, struct buf *b)
{
    char text[40];
    double start = (double)r->started_wall_ns / 1e9;
    (void)buf_printf(b, "#[plateau %s: run %s]\n#[Histogram log format version 1.3]\n", r->version, r->run_id);
    (void)buf_printf(b, "#[BaseTime: %.3f (seconds since epoch)]\n", start);
    (void)buf_printf(b, "#[StartTime: %.3f (seconds since epoch), %s]\n", start,
                     clock_wall_text(r->started_wall_ns, text, sizeof text));
    (void)buf_puts(b, "#[Interval_Max: value / 1000000: milliseconds where the metric is a time]\n");
    for (int m = 0; m < METRIC_N; m++)
        (void)buf_printf(b, "#[Tag %s: unit %s, stored x %.0f, one sample per %s]\n", METRICS[m].name, METRICS[m].unit,
                         METRICS[m].scale, METRICS[m].per);
    (void)buf_puts(b, "\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"\n");
}

/* The length of the whole stage, from its series. */
static double stage_length(const struct stage_data *s)
{
    double end = 0;
    for (size_t i = 0; i < s->n_series; i++) {
        double t = s->series[i].t_s + s->series[i].span_s;
        if (s->series[i].agent == -1 && t > end) end = t;
    }
    return end;
}

static int line(const struct run_data *r, const struct stage_data *s, enum metric m, struct buf *b)
{
    struct buf packed = BUF_INIT(1u << 20);
    double start = (double)(s->started_wall_ns - r->started_wall_ns) / 1e9, length = stage_length(s);
    if (METRICS[m].window) {
        start += (double)s->plan.warmup_ns / 1e9;
        length = (double)s->counters[COUNTER_MEASURED_NS] / 1e9;
    }
    int rc = hdr_v2_encode_compressed(s->hist[m], &packed);
    if (!rc) {
        (void)buf_printf(b, "Tag=%s,%.3f,%.3f,%.3f,", METRICS[m].name, start > 0 ? start : 0, length,
                         (double)s->hist[m]->max / 1e6);
        rc = base64_put(b, packed.data, packed.len);
        (void)buf_putc(b, '\n');
    }
    buf_clear(&packed);
    return rc;
}

int report_hlog(const struct analysis *in, struct buf *out, struct err *e)
{
    header(in->run, out);
    for (size_t i = 0; i < in->run->n_stages; i++) {
        const struct stage_data *s = &in->run->stages[i];
        char load[64];
        (void)buf_printf(out, "#[Stage %" PRIu32 " repeat %" PRIu32 ": load %s]\n", s->stage + 1, s->repeat + 1,
                         load_label(&s->plan, load));
        for (int m = 0; m < METRIC_N; m++)
            if (s->hist[m] && s->hist[m]->count && line(in->run, s, (enum metric)m, out))
                return err_set(e, ERR_NOMEM, "no memory for histograms.hlog");
    }
    return out->bad ? err_set(e, ERR_NOMEM, "histograms.hlog is larger than %zu bytes, or memory ran out", out->max)
                    : 0;
}
