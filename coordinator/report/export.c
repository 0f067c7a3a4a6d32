#include "coordinator/report/export.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "coordinator/answer/load_axis.h"
#include "coordinator/report/report_parts.h"

const struct export_kind EXPORTS[] = {
#define X(id, name, readers) {name, readers, export_##id},
#include "coordinator/report/export.def"
#undef X
};
const size_t EXPORTS_N = sizeof EXPORTS / sizeof EXPORTS[0];

const struct export_kind *export_find(const char *name)
{
    for (size_t i = 0; i < EXPORTS_N; i++)
        if (strcmp(EXPORTS[i].name, name) == 0) return &EXPORTS[i];
    return NULL;
}

bool export_counts(const struct point *p)
{
    return p->verdict.status != VERDICT_INVALID;
}

/* The point's load as a part of a file's name; unique among the points before it. */
static void file_word(const struct analysis *a, size_t point, char *ret, size_t n)
{
    char load[64];
    size_t same = 1;
    for (size_t i = 0; i < point; i++)
        same += load_same(&a->points[i].requested, &a->points[point].requested) && export_counts(&a->points[i]);
    (void)load_label(&a->points[point].requested, load);
    for (char *c = load; *c; c++)
        if (*c == '/' || *c == ' ') *c = '-';
    (void)snprintf(ret, n, same > 1 ? "%s-%zu" : "%s", load, same);
}

int export_each(const struct analysis *a, const struct export_to *to, const char *name,
                void (*write)(struct json_out *j, const struct analysis *a, const struct point *p), struct err *e)
{
    const char *mark = strstr(name, "%s");
    for (size_t i = 0; i < a->n_points; i++) {
        char word[96], file[200];
        struct buf b = BUF_INIT(EXPORT_FILE_MAX);
        struct json_out j = JSON_OUT(&b);
        if (!export_counts(&a->points[i])) continue;
        file_word(a, i, word, sizeof word);
        (void)snprintf(file, sizeof file, "%.*s%s%s", (int)(mark - name), name, word, mark + 2);
        j.pretty = true;
        json_object(&j, NULL);
        write(&j, a, &a->points[i]);
        json_end_object(&j);
        (void)buf_putc(&b, '\n');
        int rc = b.bad ? err_set(e, ERR_NOMEM, "%s: no memory", file) : to->put(to->arg, file, &b, e);
        buf_clear(&b);
        if (rc) return -1;
    }
    return 0;
}

double export_quantile(const struct point *p, enum metric m, double q)
{
    const struct hist *h = p->hist ? p->hist[m] : NULL;
    return h && h->count ? (double)hist_quantile(h, q) / METRICS[m].scale : (double)NAN;
}

double export_sd(const struct point *p, enum metric m)
{
    const struct hist *h = p->hist ? p->hist[m] : NULL;
    if (!h || !h->count) return NAN;
    double mean = hist_mean(h), sum = 0;
    for (uint32_t i = h->used_lo; i < h->used_hi; i++) {
        double off = ((double)hist_bucket_low(i) + (double)hist_bucket_high(i)) / 2 - mean;
        sum += (double)h->counts[i - h->lo] * off * off;
    }
    return sqrt(sum / (double)h->count) / METRICS[m].scale;
}

uint64_t export_requests(const struct point *p)
{
    return p->window_due + p->earlier_unanswered;
}

double export_tokens(double per_s, const struct point *p)
{
    return isfinite(per_s) ? round(per_s * p->window_s) : 0;
}

const char *export_model(const struct analysis *a)
{
    const struct plan_target *t = &a->run->plan->target;
    return t->n_models ? t->models[0].name : "";
}
