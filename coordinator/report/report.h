/* The reports of a run: each a table line (name, function) and a file. `answer` may be NULL. All are made from run_data
 * alone, so that `plateau report DIR` makes the same files again. */
#pragma once
#include "common/buf.h"
#include "coordinator/answer/answer.h"
#include "coordinator/data.h"
#include "coordinator/answer/point.h"

struct report_input {
    const struct run_data *run;
    const struct point *points;
    size_t n_points;
    const struct gate_outcome *gates;
    size_t n_gates;
    const struct answer *answer;
};

int report_summary_json(const struct report_input *in, struct buf *out, struct err *e);
int report_curve_csv(const struct report_input *in, struct buf *out, struct err *e);
int report_hlog(const struct report_input *in, struct buf *out, struct err *e);
int report_html(const struct report_input *in, struct buf *out, struct err *e);
int report_junit(const struct report_input *in, struct buf *out,
                 struct err *e); /* gates and verdicts as tests, for CI */
int report_text(const struct report_input *in, bool color, struct buf *out,
                struct err *e); /* the terminal's table and last words */

/* Computes points, gates and answer, writes every report into dir (atomically: temp file, rename), prints the text to
 * stdout when `print`, and gives the exit status the run deserves (0, 3, 4, 99, 130/143). */
int report_all(const struct run_data *run, const char *dir, bool print, int *ret_status, struct err *e);
