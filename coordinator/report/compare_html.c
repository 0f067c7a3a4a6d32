/* compare.html with its style, scripts and data put in: one file that needs no network. */
#include <math.h>

#include "coordinator/report/compare_report.h"
#include "coordinator/report/page.h"
#include "coordinator/report/report_parts.h"
#include "coordinator/answer/load_axis.h"

extern const unsigned char compare_page[], compare_js[], report_css[], chart_js[], human_js[];
extern const size_t compare_page_len, compare_js_len, report_css_len, chart_js_len, human_js_len;

static void put_change(struct json_out *j, const char *key, const struct change *c)
{
    json_object(j, key);
    json_double(j, "a", c->a);
    json_double(j, "b", c->b);
    json_double(j, "rel", c->rel);
    json_double(j, "lo", c->lo);
    json_double(j, "hi", c->hi);
    json_string(j, "say", compare_say_name(c->say));
    json_end_object(j);
}

static void put_changes(struct json_out *j, const struct change *c)
{
    json_object(j, "change");
    for (int f = 0; f < FIGURE_N; f++)
        if (FIGURES[f].compare != FIGURE_NO_COMPARE) put_change(j, FIGURES[f].key, &c[f]);
    json_end_object(j);
}

static void put_run(struct json_out *j, const struct compared_run *r, enum load_axis axis)
{
    char found[COMPARE_FOUND_WORDS];
    json_object(j, NULL);
    json_string(j, "label", r->label);
    json_string(j, "dir", r->dir);
    json_string(j, "name", r->a->run->plan ? r->a->run->plan->name : NULL);
    json_string(j, "run", r->a->run->run_id);
    json_string(j, "plan_hash", r->a->run->plan_hash);
    json_string(j, "found", compare_found_words(r->a, found));
    json_array(j, "points");
    for (size_t i = 0; i < r->a->n_points; i++) {
        const struct point *p = &r->a->points[i];
        json_object(j, NULL);
        json_double(j, "load", load_on(p, axis));
        json_double(j, "output", p->output_tokens_per_s);
        json_double(j, "output_lo", p->output_lo);
        json_double(j, "output_hi", p->output_hi);
        json_double(j, "ttft_p50", p->metric[METRIC_TTFT].q[0]);
        json_double(j, "ttft_p99", p->metric[METRIC_TTFT].q[3]);
        json_double(j, "tpot_p50", p->metric[METRIC_TPOT].q[0]);
        json_double(j, "e2e_p50", p->metric[METRIC_E2E].q[0]);
        json_bool(j, "counts", load_usable(p));
        json_end_object(j);
    }
    json_end_array(j);
    json_end_object(j);
}

static void put_comparison(struct json_out *j, const struct compare_input *in, size_t k)
{
    const struct comparison *c = &in->changes[k];
    char load[64], words[COMPARE_FAILURES_WORDS], over[COMPARE_OVERRUN_WORDS], beside[COMPARE_BESIDE_WORDS];
    json_object(j, NULL);
    json_string(j, "a", in->runs[0].label);
    json_string(j, "b", in->runs[k + 1].label);
    json_string(j, "say", compare_say_name(c->say));
    json_string(j, "question", c->question[0] ? c->question : NULL);
    json_bool(j, "one_run", c->one_run);
    json_string(j, "state_a", c->state_a[0] ? c->state_a : NULL);
    json_string(j, "state_b", c->state_b[0] ? c->state_b : NULL);
    json_string(j, "measured", c->measured[0] ? c->measured : NULL);
    json_bool(j, "repeated", c->repeated);
    json_double(j, "run_noise", COMPARE_RUN_NOISE);
    json_string(j, "overrun", compare_overrun_words(&c->overrun, in->runs[0].label, in->runs[k + 1].label, over));
    json_string(j, "beside", compare_beside_words(c, beside));
    json_u64(j, "missing", c->missing);
    json_bool(j, "errors_rose", c->errors_rose);
    json_double(j, "errors_a", c->errors_a);
    json_double(j, "errors_b", c->errors_b);
    json_string(j, "failures_a", compare_failures_words(&c->failures_a, words));
    json_string(j, "failures_b", compare_failures_words(&c->failures_b, words));
    json_u64(j, "suspect_a", c->doubts_a.n);
    json_u64(j, "suspect_b", c->doubts_b.n);
    json_string(j, "doubt_a", c->doubts_a.first);
    json_string(j, "doubt_b", c->doubts_b.first);
    json_u64(j, "only_a", c->only_a);
    json_u64(j, "only_b", c->only_b);
    json_u64(j, "left_out_a", c->left_out_a);
    json_u64(j, "left_out_b", c->left_out_b);
    json_string(j, "plan_differences", in->plan_differences[k]);
    put_changes(j, c->overall);
    json_array(j, "loads");
    for (size_t i = 0; i < c->n_loads; i++) {
        json_object(j, NULL);
        json_string(j, "load", load_label(&c->loads[i].requested, load));
        json_bool(j, "cut_a", c->loads[i].cut_a > 0);
        json_bool(j, "cut_b", c->loads[i].cut_b > 0);
        put_changes(j, c->loads[i].change);
        json_end_object(j);
    }
    json_end_array(j);
    json_end_object(j);
}

static void put_data(const struct compare_input *in, struct buf *out)
{
    struct json_out j = JSON_OUT(out);
    enum load_axis axis = AXIS_RATE; /* all runs of the page share one unit */
    for (size_t i = 0; i < in->n_runs; i++)
        if (in->runs[i].a->answer.axis != AXIS_RATE) axis = AXIS_IN_FLIGHT;
    j.html = true;
    json_object(&j, NULL);
    json_bool(&j, "open_loop", axis == AXIS_RATE);
    json_array(&j, "measures");
    for (int f = 0; f < FIGURE_N; f++) {
        if (FIGURES[f].compare == FIGURE_NO_COMPARE) continue;
        json_object(&j, NULL);
        json_string(&j, "name", FIGURES[f].key);
        json_string(&j, "unit", FIGURES[f].unit);
        json_bool(&j, "headline", FIGURES[f].compare == FIGURE_HEADLINE);
        json_end_object(&j);
    }
    json_end_array(&j);
    json_array(&j, "runs");
    for (size_t i = 0; i < in->n_runs; i++)
        put_run(&j, &in->runs[i], axis);
    json_end_array(&j);
    json_array(&j, "comparisons");
    for (size_t k = 0; k + 1 < in->n_runs; k++)
        put_comparison(&j, in, k);
    json_end_array(&j);
    json_end_object(&j);
}

static int put_part(const void *arg, const char *name, struct buf *out)
{
    (void)name; /* DATA */
    put_data(arg, out);
    return 0;
}

int compare_html(const struct compare_input *in, struct buf *out, struct err *e)
{
    static const struct page_file FILES[] = {{"CSS", report_css, &report_css_len},
                                             {"CHART_JS", chart_js, &chart_js_len},
                                             {"HUMAN_JS", human_js, &human_js_len},
                                             {"JS", compare_js, &compare_js_len}};
    const struct page page = {.frame = compare_page,
                              .frame_len = compare_page_len,
                              .files = FILES,
                              .n_files = sizeof FILES / sizeof FILES[0],
                              .put = put_part,
                              .arg = in};
    if (page_fill(&page, out) == 0) return 0;
    return err_set(e, ERR_NOMEM, "the page is larger than %zu bytes, or memory ran out", out->max);
}
