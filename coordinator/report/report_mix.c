/* A mix by workload and by model: groups.csv, a line for each of them at each point, and the same for summary.json. */
#include "coordinator/report/report_mix.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "coordinator/answer/mix.h"
#include "coordinator/report/csv_text.h"
#include "coordinator/report/report_parts.h"
#include "coordinator/answer/load_axis.h"

static void put_part(struct json_out *j, const struct mix_part *part,
                     void (*put_stat)(struct json_out *j, const char *key, const struct metric_stat *s))
{
    char key[64];
    json_object(j, NULL);
    json_string(j, "name", part->name);
    json_u64(j, "ok", part->ok);
    json_u64(j, "failed", part->failed);
    json_u64(j, "closed", part->closed);
    json_double(j, "share", part->share);
    json_double(j, "error_rate", part->error_rate);
    json_double(j, "requests_per_s", part->requests_per_s);
    json_double(j, "output_tokens_per_s", part->output_tokens_per_s);
    json_double(j, "input_tokens_per_s", part->input_tokens_per_s);
    json_double(j, "goodput_per_s", part->goodput_per_s);
    json_u64(j, "stage_output_tokens", part->tokens);
    json_u64(j, "stage_cached_tokens", part->cached_tokens);
    json_object(j, "counters");
    for (int i = 0; i < GROUP_COUNT_N; i++)
        if (part->counters[i]) json_u64(j, COUNTERS[GROUP_COUNTERS[i]].name, part->counters[i]);
    json_end_object(j);
    for (int m = 0; m < GROUP_METRIC_N; m++)
        put_stat(j, report_metric_key(GROUP_METRICS[m], key), &part->metric[m]);
    json_end_object(j);
}

void report_by_group(struct json_out *j, const struct analysis *in, size_t point,
                     void (*put_stat)(struct json_out *j, const char *key, const struct metric_stat *s))
{
    const struct point *p = &in->points[point];
    for (int k = 0; k < GROUP_KIND_N; k++) {
        char key[32];
        (void)snprintf(key, sizeof key, "by_%s", group_kind_name((enum group_kind)k));
        json_array(j, key);
        for (size_t i = 0; i < mix_parts(p); i++) {
            struct mix_part part;
            if (mix_part(p, in->run->plan, i, &part) && part.kind == (enum group_kind)k) put_part(j, &part, put_stat);
        }
        json_end_array(j);
    }
}

static void header(struct buf *b)
{
    char key[64];
    (void)buf_puts(b, "run,stage,repeat,load,kind,verdict,by,name,ok,failed,closed,share,error_rate,requests_per_s,"
                      "output_tokens_per_s,input_tokens_per_s,goodput_per_s");
    for (int m = 0; m < GROUP_METRIC_N; m++) {
        const char *k = report_metric_key(GROUP_METRICS[m], key);
        (void)buf_printf(b, ",%s_count,%s_mean,%s_min,%s_max,%s_p50,%s_p90,%s_p95,%s_p99,%s_p99_9", k, k, k, k, k, k, k,
                         k, k);
    }
    (void)buf_puts(b, "\r\n");
}

static void stats(struct buf *b, const struct metric_stat *s)
{
    (void)buf_printf(b, ",%" PRIu64, s->count);
    csv_number(b, s->mean);
    csv_number(b, s->min);
    csv_number(b, s->max);
    for (int k = 0; k < POINT_Q; k++)
        csv_number(b, s->q[k]);
}

/* `by`: what the part is one of; "all": the point itself, so that parts and whole stand in one file. */
static void line(struct buf *b, const struct analysis *in, const struct point *p, const char *by,
                 const struct mix_part *part)
{
    char load[64];
    (void)buf_printf(b, "%s,%" PRIu32 ",%" PRIu32, in->run->run_id, p->stage + 1, p->repeat + 1);
    csv_text(b, load_label(&p->requested, load));
    (void)buf_printf(b, ",%s,%s,%s", p->requested.kind == LOAD_CLOSED ? "closed" : "open",
                     verdict_name(p->verdict.status), by);
    if (part->name[0])
        csv_text(b, part->name);
    else
        (void)buf_putc(b, ',');
    (void)buf_printf(b, ",%" PRIu64 ",%" PRIu64 ",%" PRIu64, part->ok, part->failed, part->closed);
    const double v[] = {
        part->share,        part->error_rate, part->requests_per_s, part->output_tokens_per_s, part->input_tokens_per_s,
        part->goodput_per_s};
    for (size_t i = 0; i < sizeof v / sizeof v[0]; i++)
        csv_number(b, v[i]);
    for (int m = 0; m < GROUP_METRIC_N; m++)
        stats(b, &part->metric[m]);
    (void)buf_puts(b, "\r\n");
}

int report_groups_csv(const struct analysis *in, struct buf *out, struct err *e)
{
    struct mix_part part;
    for (size_t i = 0; i < in->n_points; i++) {
        const struct point *p = &in->points[i];
        if (mix_parts(p) == 0) continue;
        if (out->len == 0) header(out);
        mix_whole(p, &part);
        line(out, in, p, "all", &part);
        for (size_t k = 0; k < mix_parts(p); k++)
            if (mix_part(p, in->run->plan, k, &part)) line(out, in, p, group_kind_name(part.kind), &part);
    }
    return out->bad ? err_set(e, ERR_NOMEM, "groups.csv is larger than %zu bytes, or memory ran out", out->max) : 0;
}
