/* report.html: one file that needs no network. The page is report.html with its style and scripts put in; all data of
 * the run are in one block of JSON, which the scripts show as text, never as markup. */
#include <math.h>
#include <string.h>

#include "coordinator/report/page.h"
#include "coordinator/report/report_parts.h"

extern const unsigned char report_page[], report_css[], report_js[], report_charts_js[], report_picture_js[],
    report_svg_js[], report_time_js[], report_asked_js[], report_live_js[], chart_js[], human_js[];
extern const size_t report_page_len, report_css_len, report_js_len, report_charts_js_len, report_picture_js_len,
    report_svg_js_len, report_time_js_len, report_asked_js_len, report_live_js_len, chart_js_len, human_js_len;

/* A page of many stages stays one that can be mailed: each of them is then drawn more coarsely. */
#define ROWS_MAX 600u   /* of a stage's series; longer ones are shown coarser */
#define ROWS_RUN 6000u  /* of all stages together */
#define CURVE_MAX 200u  /* points of a distribution */
#define CURVE_RUN 3200u /* of all stages together */
#define COARSEST 60u
#define HEAT_COLUMNS 480u /* of the whole run */

/* What one of n stages may have of a budget for the whole run. */
static size_t part_of(size_t run, size_t most, size_t n)
{
    size_t part = run / (n ? n : 1);
    return part > most ? most : part < COARSEST ? COARSEST : part;
}

static void put_definitions(struct json_out *j)
{
    char key[64];
    json_array(j, "definitions");
    for (int m = 0; m < METRIC_N; m++) {
        json_object(j, NULL);
        json_string(j, "key", report_metric_key((enum metric)m, key));
        json_string(j, "name", METRICS[m].name);
        json_string(j, "unit", METRICS[m].unit);
        json_string(j, "per", METRICS[m].per);
        json_string(j, "formula", METRICS[m].formula);
        json_bool(j, "window", METRICS[m].window);
        json_end_object(j);
    }
    json_end_array(j);
    json_object(j, "counters");
    for (int i = 0; i < COUNTER_N; i++)
        json_string(j, COUNTERS[i].name, COUNTERS[i].meaning);
    json_end_object(j);
}

static void put_row(struct json_out *j, const struct series_row *r)
{
    double span = r->span_s > 0 ? r->span_s : (double)NAN;
    const double v[] = {r->t_s,         r->span_s,        r->tokens / span, r->in_flight,
                        r->done / span, r->failed / span, r->itl_p50_ms,    r->itl_p99_ms,
                        r->ttft_p50_ms, r->ttft_p99_ms,   r->due / span};
    json_array(j, NULL);
    for (size_t i = 0; i < sizeof v / sizeof v[0]; i++)
        json_double(j, NULL, isfinite(v[i]) ? round(v[i] * 1e4) / 1e4 : v[i]);
    json_end_array(j);
}

/* Several rows as one: sums and time-weighted means; of percentiles the maximum, so that no stall is hidden. */
static void fold(struct series_row *to, const struct series_row *r)
{
    double span = to->span_s + r->span_s;
    if (span > 0) to->in_flight = (to->in_flight * to->span_s + r->in_flight * r->span_s) / span;
    to->span_s = span;
    to->tokens += r->tokens;
    to->done += r->done;
    to->failed += r->failed;
    to->due += r->due;
    to->itl_p50_ms = fmax(to->itl_p50_ms, r->itl_p50_ms);
    to->itl_p99_ms = fmax(to->itl_p99_ms, r->itl_p99_ms);
    to->ttft_p50_ms = fmax(to->ttft_p50_ms, r->ttft_p50_ms);
    to->ttft_p99_ms = fmax(to->ttft_p99_ms, r->ttft_p99_ms);
}

/* [t, running, waiting, KV cache use] of the server's page; of a long stage every k-th reading, with the maximum of
 * those in between. */
static void put_server(struct json_out *j, const struct stage_data *s, size_t rows)
{
    size_t together = s->n_server / rows + 1;
    json_array(j, "server");
    for (size_t i = 0; i < s->n_server; i += together) {
        double v[] = {NAN, NAN, NAN};
        for (size_t k = i; k < i + together && k < s->n_server; k++)
            for (int f = 0; f < SERVER_COUNTER_FIRST; f++)
                v[f] = fmax(v[f], s->server[k].value[f]);
        json_array(j, NULL);
        json_double(j, NULL, round(s->server[i].t_s * 1e3) / 1e3);
        for (int f = 0; f < SERVER_COUNTER_FIRST; f++)
            json_double(j, NULL, isfinite(v[f]) ? round(v[f] * 1e4) / 1e4 : (double)NAN);
        json_end_array(j);
    }
    json_end_array(j);
}

static void put_series(struct json_out *j, const struct run_data *run, const struct stage_data *s)
{
    size_t n = 0, held = 0;
    for (size_t i = 0; i < s->n_series; i++)
        n += s->series[i].agent < 0;
    size_t rows = part_of(ROWS_RUN, ROWS_MAX, run->n_stages), together = n / rows + 1;
    struct series_row sum = {0};
    json_object(j, NULL);
    json_double(j, "start_s", (double)(s->started_wall_ns - run->started_wall_ns) / 1e9);
    json_array(j, "rows");
    for (size_t i = 0; i < s->n_series; i++) {
        if (s->series[i].agent >= 0) continue;
        if (held++)
            fold(&sum, &s->series[i]);
        else
            sum = s->series[i];
        if (held < together) continue;
        put_row(j, &sum);
        held = 0;
    }
    if (held) put_row(j, &sum);
    json_end_array(j);
    put_server(j, s, rows);
    report_heat(j, s, HEAT_COLUMNS / run->n_stages + 1);
    json_end_object(j);
}

/* The distribution itself: [share at most this value, value]. */
static void put_distribution(struct json_out *j, const char *key, const struct hist *h, double scale, size_t most)
{
    json_array(j, key);
    for (unsigned i = 0; h && h->count && i <= most; i++) {
        /* Evenly spaced in the middle, finer and finer towards the tail. */
        double q = i <= most / 2 ? 0.9 * i / ((double)most / 2)
                                 : 1 - 0.1 * pow(10, -3.0 * (i - (double)most / 2) / ((double)most / 2));
        if ((1 - q) * (double)h->count < 1) break; /* beyond this, every share is the one largest sample */
        json_array(j, NULL);
        json_double(j, NULL, round(q * 1e6) / 1e6);
        json_double(j, NULL, round((double)hist_quantile(h, q) / scale * 1e4) / 1e4);
        json_end_array(j);
    }
    json_end_array(j);
}

static int put_data(const struct analysis *in, struct buf *out)
{
    static const enum metric DRAWN[] = {METRIC_TTFT, METRIC_TPOT, METRIC_ITL, METRIC_E2E};
    struct json_out j = JSON_OUT(out);
    j.html = true;
    json_object(&j, NULL);
    json_object(&j, "summary");
    report_summary_members(&j, in);
    json_end_object(&j);
    json_array(&j, "series");
    for (size_t i = 0; i < in->run->n_stages; i++)
        put_series(&j, in->run, &in->run->stages[i]);
    json_end_array(&j);
    json_array(&j, "distributions");
    for (size_t i = 0; i < in->run->n_stages; i++) {
        json_object(&j, NULL);
        for (size_t k = 0; k < sizeof DRAWN / sizeof DRAWN[0]; k++)
            put_distribution(&j, METRICS[DRAWN[k]].name, in->run->stages[i].hist[DRAWN[k]], METRICS[DRAWN[k]].scale,
                             part_of(CURVE_RUN, CURVE_MAX, in->run->n_stages));
        json_end_object(&j);
    }
    json_end_array(&j);
    put_definitions(&j);
    json_string_n(&j, "plan_text", buf_str(&in->run->plan_text), in->run->plan_text.len);
    json_end_object(&j);
    return out->bad ? -1 : 0;
}

/* All that a page of one run is made of; live: of one that is under way. */
struct source {
    const struct analysis *in; /* NULL: live */
    const char *title, *token;
};

static int put_text(const struct analysis *in, struct buf *out)
{
    struct buf text = BUF_INIT(out->max);
    int rc = report_text(in, &(struct report_style){.width = REPORT_WIDE}, &text, NULL);
    report_put_markup(out, buf_str(&text), text.len, false);
    buf_clear(&text);
    return rc;
}

static void put_live(const struct source *s, struct buf *out)
{
    struct json_out j = JSON_OUT(out);
    j.html = true;
    json_object(&j, NULL);
    json_string(&j, "token", s->token);
    json_end_object(&j);
}

static int put_part(const void *arg, const char *name, struct buf *out)
{
    const struct source *s = arg;
    if (strcmp(name, "TITLE") == 0) {
        report_put_markup(out, s->title, strlen(s->title), false);
        return 0;
    }
    if (strcmp(name, "DATA") == 0) return s->in ? put_data(s->in, out) : buf_puts(out, "null");
    if (strcmp(name, "LIVE") == 0) {
        if (!s->in) put_live(s, out);
        return s->in ? buf_puts(out, "null") : 0;
    }
    /* TEXT: for a reader without scripts */
    return s->in ? put_text(s->in, out) : buf_puts(out, "This page needs scripts. The terminal shows the same run.");
}

static const struct page_file FILES[] = {
    {"CSS", report_css, &report_css_len},
    {"SVG_JS", report_svg_js, &report_svg_js_len},
    {"CHART_JS", chart_js, &chart_js_len},
    {"HUMAN_JS", human_js, &human_js_len},
    {"CHARTS_JS", report_charts_js, &report_charts_js_len},
    {"PICTURE_JS", report_picture_js, &report_picture_js_len},
    {"TIME_JS", report_time_js, &report_time_js_len},
    {"ASKED_JS", report_asked_js, &report_asked_js_len},
    {"LIVE_JS", report_live_js, &report_live_js_len},
    {"JS", report_js, &report_js_len},
};

static struct page page_of(const struct source *s)
{
    return (struct page){.frame = report_page,
                         .frame_len = report_page_len,
                         .files = FILES,
                         .n_files = sizeof FILES / sizeof FILES[0],
                         .connects = !s->in,
                         .put = put_part,
                         .arg = s};
}

int report_html(const struct analysis *in, struct buf *out, struct err *e)
{
    const struct plan *plan = in->run->plan;
    struct source s = {.in = in, .title = plan && plan->name ? plan->name : in->run->run_id};
    struct page page = page_of(&s);
    if (page_fill(&page, out) == 0) return 0;
    return err_set(e, ERR_NOMEM, "report.html is larger than %zu bytes, or memory ran out", out->max);
}

int report_html_data(const struct analysis *in, struct buf *out, struct err *e)
{
    return put_data(in, out) ? err_set(e, ERR_NOMEM, "the report is larger than %zu bytes, or memory ran out", out->max)
                             : 0;
}

int report_html_live(const char *title, const char *token, struct buf *out, struct buf *policy, struct err *e)
{
    struct source s = {.title = title, .token = token};
    struct page page = page_of(&s);
    page_policy(&page, policy);
    if (page_fill(&page, out) == 0 && !policy->bad) return 0;
    return err_set(e, ERR_NOMEM, "no memory for the live page");
}
