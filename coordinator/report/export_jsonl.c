/* points.jsonl: a point of summary.json per line, with its run, so that files of many runs can be put together. Invalid
 * points are there with their verdict. */
#include "coordinator/report/export.h"
#include "coordinator/report/report_parts.h"

int export_jsonl(const struct analysis *a, const struct export_to *to, struct err *e)
{
    struct buf b = BUF_INIT(EXPORT_FILE_MAX);
    for (size_t i = 0; i < a->n_points; i++) {
        struct json_out j = JSON_OUT(&b);
        json_object(&j, NULL);
        json_string(&j, "run", a->run->run_id);
        json_string(&j, "model", export_model(a));
        report_point_members(&j, a, i);
        json_end_object(&j);
        (void)buf_putc(&b, '\n');
    }
    int rc = b.bad ? err_set(e, ERR_NOMEM, "points.jsonl is larger than %zu bytes, or memory ran out", b.max)
                   : to->put(to->arg, "points.jsonl", &b, e);
    buf_clear(&b);
    return rc;
}
