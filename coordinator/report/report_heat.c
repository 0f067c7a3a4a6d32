/* The page's heat map: how the first tokens and the gaps of each moment spread, ten rows to a decade of milliseconds.
 */
#include <math.h>
#include <string.h>

#include "coordinator/report/report_parts.h"

/* Row i holds [10^((FIRST + i) / 10), 10^((FIRST + i + 1) / 10)) ms: from 1 us to the hour that a histogram reaches. */
enum { PER_DECADE = 10, FIRST = -30, ROWS = 97 };

struct column {
    double from_s, to_s;
    uint64_t n[ROWS];
};

static unsigned row_of(double ms)
{
    double row = floor(PER_DECADE * log10(ms)) - FIRST;
    return row < 0 ? 0 : row >= ROWS ? ROWS - 1 : (unsigned)row;
}

static void column_add(struct column *c, const struct hist *h, double scale)
{
    for (uint32_t b = h->used_lo; b < h->used_hi; b++) {
        uint64_t n = h->counts[b - h->lo];
        if (n) c->n[row_of((double)hist_bucket_high(b) / scale)] += n;
    }
}

/* [from, span, first row, counts …], without the empty rows at either end. */
static void column_put(struct json_out *j, const struct column *c)
{
    int lo = 0, hi = ROWS;
    while (lo < hi && !c->n[lo])
        lo++;
    while (hi > lo && !c->n[hi - 1])
        hi--;
    if (lo == hi) return;
    json_array(j, NULL);
    json_double(j, NULL, round(c->from_s * 1e3) / 1e3);
    json_double(j, NULL, round((c->to_s - c->from_s) * 1e3) / 1e3);
    json_i64(j, NULL, FIRST + lo);
    for (int i = lo; i < hi; i++)
        json_u64(j, NULL, c->n[i]);
    json_end_array(j);
}

static double length_s(const struct stage_data *s)
{
    double end = 0;
    for (size_t i = 0; i < s->n_blocks; i++)
        end = fmax(end, s->blocks[i].t_s + s->blocks[i].span_s);
    return end;
}

/* Blocks come in order of time; those that begin in one column are put together, whosever they are. */
static void put_metric(struct json_out *j, const struct stage_data *s, enum metric m, double width)
{
    struct column c = {.from_s = NAN};
    double column = -1;
    json_array(j, METRICS[m].name);
    for (size_t i = 0; i < s->n_blocks; i++) {
        const struct block *b = &s->blocks[i];
        const struct hist *h = m == METRIC_TTFT ? b->ttft : b->itl;
        if (!h || !h->count) continue;
        if (floor(b->t_s / width) > column) {
            column_put(j, &c);
            column = floor(b->t_s / width);
            c = (struct column){.from_s = b->t_s, .to_s = b->t_s};
        }
        column_add(&c, h, METRICS[m].scale);
        c.to_s = fmax(c.to_s, b->t_s + b->span_s);
    }
    column_put(j, &c);
    json_end_array(j);
}

void report_heat(struct json_out *j, const struct stage_data *s, size_t columns)
{
    double width = fmax(1, ceil(length_s(s) / (double)columns));
    json_object(j, "heat");
    put_metric(j, s, METRIC_TTFT, width);
    put_metric(j, s, METRIC_ITL, width);
    json_end_object(j);
}
