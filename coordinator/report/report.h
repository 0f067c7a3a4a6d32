/* The reports of a run. All are made from its analysis alone, so that `plateau report DIR` makes the same files again.
 */
#pragma once
#include "common/buf.h"
#include "coordinator/answer/analysis.h"

/* Each appends the whole file to `out`. */
#define X(function, file, readers) int function(const struct analysis *a, struct buf *out, struct err *e);
#include "coordinator/report/report.def"
#undef X
/* The data of report.html alone, one line of JSON: what the live page is given while the run is loading. */
ERR_CHECKED int report_html_data(const struct analysis *a, struct buf *out, struct err *e);
/* The same page for a run that is under way: without data, which come from the server of the page (report_live.js).
 * token: what it shows to be allowed to end the run. policy: its content security policy, for a header. */
ERR_CHECKED int report_html_live(const char *title, const char *token, struct buf *out, struct buf *policy,
                                 struct err *e);
/* The terminal's last screen: the answer first, then the curve, the table and what speaks against them. */
struct report_style {
    bool color;
    unsigned width; /* columns; from REPORT_WIDE on the table has all its columns, and nothing needs fewer than 80 */
};
#define REPORT_WIDE 96u
ERR_CHECKED int report_text(const struct analysis *a, const struct report_style *style, struct buf *out, struct err *e);

/* -1: a folder without run.sqlite holds files with the names of those that a run leaves; whose they are nobody knows.
 */
ERR_CHECKED int report_folder_is_free(const char *dir, struct err *e);
/* Analyses the run, writes every report into dir (each whole or not at all), prints the text to stdout when `print`,
 * and gives the exit status that the run deserves (analysis.h). */
ERR_CHECKED int report_all(const struct run_data *run, const char *dir, bool print, int *ret_status, struct err *e);

/* The first line of standard output where an old run is reported again: when it ended, so that nobody takes its numbers
 * for new ones. */
void report_say_ended(const struct run_data *run);
