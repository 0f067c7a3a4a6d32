/* requests.jsonl and requests.csv: a row for each request of which the run kept one (`record` in the plan), in the
 * order in which the agents reported them. Of thousands to millions of rows, so they are written in pieces. Moments are
 * ms after `due_s`, which counts from the stage's start. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/counter.h"
#include "coordinator/report/export.h"

#define PIECE (1u << 20)

struct rows {
    const struct analysis *a;
    const struct export_to *to;
    const char *file;
    void (*put)(struct buf *b, const struct rows *w, const struct request_data *r);
    struct buf piece;
    uint64_t n;
};

static const char *workload_of(const struct rows *w, const struct request_row *r)
{
    const struct plan *p = w->a->run->plan;
    return r->workload < p->n_workloads ? p->workloads[r->workload].name : "";
}

static const char *model_of(const struct rows *w, const struct request_row *r)
{
    const struct plan_target *t = &w->a->run->plan->target;
    return r->model < t->n_models ? t->models[r->model].name : "";
}

static double ms(int64_t ns)
{
    return ns < 0 ? (double)NAN : (double)ns / 1e6;
}

/* NaN unless both moments are known. */
static double between(int64_t from, int64_t to)
{
    return from < 0 || to < 0 ? (double)NAN : (double)(to - from) / 1e6;
}

static const char *wall(const struct request_data *r, char *ret, size_t n)
{
    return clock_wall_text(r->started_wall_ns + r->row.due, ret, n);
}

/* ---- JSON lines ---- */

static void put_column(struct json_out *j, const struct rows *w, const struct request_data *r, uint32_t c)
{
    const char *name = REQUEST_COLUMNS[c].name;
    int64_t v = request_row_get(&r->row, c);
    char key[64];
    (void)snprintf(key, sizeof key, "%s_ms", name);
    if (strcmp(name, "workload") == 0)
        json_string(j, name, workload_of(w, &r->row));
    else if (strcmp(name, "model") == 0)
        json_string(j, name, model_of(w, &r->row));
    else if (REQUEST_COLUMNS[c].kind == REQUEST_OUTCOME)
        json_string(j, name, r->outcome);
    else if (REQUEST_COLUMNS[c].kind == REQUEST_ADDRESS)
        json_string(j, name, r->address);
    else if (REQUEST_COLUMNS[c].kind == REQUEST_MOMENT)
        json_double(j, key, ms(v));
    else
        json_i64(j, name, v);
}

static void put_line(struct buf *b, const struct rows *w, const struct request_data *r)
{
    char time[40];
    struct json_out j = JSON_OUT(b);
    json_object(&j, NULL);
    json_u64(&j, "stage", r->stage + 1);
    json_u64(&j, "repeat", r->repeat + 1);
    json_string(&j, "agent", r->agent_name);
    json_string(&j, "time", wall(r, time, sizeof time));
    json_double(&j, "due_s", (double)r->row.due / 1e9);
    for (uint32_t c = 0; c < REQUEST_COLUMNS_N; c++)
        put_column(&j, w, r, c);
    json_double(&j, "ttft_ms", between(r->row.sent, r->row.first_token));
    json_double(&j, "e2e_ms", between(r->row.sent, r->row.last_token));
    json_end_object(&j);
    (void)buf_putc(b, '\n');
}

/* ---- CSV ---- */

static void put_text(struct buf *b, const char *s)
{
    (void)buf_putc(b, ',');
    bool quote = strpbrk(s, ",\"\r\n") != NULL;
    if (quote) (void)buf_putc(b, '"');
    for (; *s; s++) {
        if (*s == '"') (void)buf_putc(b, '"');
        (void)buf_putc(b, *s);
    }
    if (quote) (void)buf_putc(b, '"');
}

static void put_number(struct buf *b, double v)
{
    (void)buf_putc(b, ',');
    if (isfinite(v)) (void)buf_printf(b, "%.9g", v);
}

static void put_cell(struct buf *b, const struct rows *w, const struct request_data *r, uint32_t c)
{
    const char *name = REQUEST_COLUMNS[c].name;
    int64_t v = request_row_get(&r->row, c);
    if (strcmp(name, "workload") == 0)
        put_text(b, workload_of(w, &r->row));
    else if (strcmp(name, "model") == 0)
        put_text(b, model_of(w, &r->row));
    else if (REQUEST_COLUMNS[c].kind == REQUEST_OUTCOME)
        put_text(b, r->outcome);
    else if (REQUEST_COLUMNS[c].kind == REQUEST_ADDRESS)
        put_text(b, r->address);
    else if (REQUEST_COLUMNS[c].kind == REQUEST_MOMENT)
        put_number(b, ms(v));
    else
        (void)buf_printf(b, ",%" PRId64, v);
}

static void put_cells(struct buf *b, const struct rows *w, const struct request_data *r)
{
    char time[40];
    (void)buf_printf(b, "%" PRIu32 ",%" PRIu32, r->stage + 1, r->repeat + 1);
    put_text(b, r->agent_name);
    put_text(b, wall(r, time, sizeof time));
    put_number(b, (double)r->row.due / 1e9);
    for (uint32_t c = 0; c < REQUEST_COLUMNS_N; c++)
        put_cell(b, w, r, c);
    put_number(b, between(r->row.sent, r->row.first_token));
    put_number(b, between(r->row.sent, r->row.last_token));
    (void)buf_puts(b, "\r\n");
}

/* ---- both ---- */

static int put_piece(struct rows *w, bool last, struct err *e)
{
    if (w->piece.bad) return err_set(e, ERR_NOMEM, "%s: no memory", w->file);
    int rc = w->to->append(w->to->arg, w->file, &w->piece, last, e);
    buf_reset(&w->piece);
    return rc;
}

static int put_row(void *arg, const struct request_data *r, struct err *e)
{
    struct rows *w = arg;
    w->n++;
    w->put(&w->piece, w, r);
    return w->piece.bad || w->piece.len > PIECE ? put_piece(w, false, e) : 0;
}

static int export_rows(struct rows *w, struct err *e)
{
    w->piece.max = EXPORT_FILE_MAX;
    int rc = w->to->requests(w->to->arg, put_row, w, e);
    if (rc == 0 && w->n == 0)
        rc = err_set(e, ERR_USAGE,
                     "the run kept no rows of single requests: its plan asks for them with record: {requests: true}");
    if (rc == 0) rc = put_piece(w, true, e);
    buf_clear(&w->piece);
    return rc;
}

int export_requests_jsonl(const struct analysis *a, const struct export_to *to, struct err *e)
{
    return export_rows(&(struct rows){.a = a, .to = to, .file = "requests.jsonl", .put = put_line}, e);
}

int export_requests_csv(const struct analysis *a, const struct export_to *to, struct err *e)
{
    struct rows w = {.a = a, .to = to, .file = "requests.csv", .put = put_cells, .piece = BUF_INIT(EXPORT_FILE_MAX)};
    (void)buf_puts(&w.piece, "stage,repeat,agent,time,due_s");
    for (uint32_t c = 0; c < REQUEST_COLUMNS_N; c++)
        (void)buf_printf(&w.piece, ",%s%s", REQUEST_COLUMNS[c].name,
                         REQUEST_COLUMNS[c].kind == REQUEST_MOMENT ? "_ms" : "");
    (void)buf_puts(&w.piece, ",ttft_ms,e2e_ms\r\n");
    return export_rows(&w, e);
}
