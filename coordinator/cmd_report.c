/* plateau report DIR: the reports of a run again, from its file alone. */
#include <stdio.h>
#include <unistd.h>

#include "common/args.h"
#include "common/log.h"
#include "coordinator/cmd.h"
#include "coordinator/report/report.h"
#include "coordinator/store/store.h"

static int report_dir(const char *dir, int *ret_status, struct err *e)
{
    struct run_data run;
    struct store *s = store_open(dir, e);
    if (!s) return -1;
    int rc = store_load(s, &run, e);
    store_close(&s);
    if (rc) return -1;
    report_say_ended(&run);
    rc = report_all(&run, dir, true, ret_status, e);
    run_data_clear(&run);
    if (rc == 0 || e->code != ERR_IO || access(dir, W_OK) == 0) return rc;
    /* a run on a read-only medium, or in another user's folder: it is as good as it was */
    log_warn("%s: the files of the report were not made again; what is printed above comes from run.sqlite alone",
             e->text);
    return 0;
}

int cmd_report(int argc, char **argv)
{
    static const struct arg TABLE[] = {{0}};
    static const struct args ARGS = {
        .program = "plateau report",
        .usage = "DIR",
        .about = "Makes report.html, summary.json, curve.csv, histograms.hlog and junit.xml again from DIR/run.sqlite, "
                 "and prints "
                 "the table.\n"
                 "The exit status is the one the run deserves. In a folder that cannot be written it prints the table "
                 "alone.",
        .table = TABLE,
        .least = 1,
        .most = 1,
    };
    char folder[1024];
    const char *dir;
    size_t n;
    int status = 1;
    struct err e = {0};
    int rc = args_parse(&ARGS, argc, argv, &dir, &n, &e);
    if (rc == 1) return 0;
    if (rc == 0 && report_dir(store_folder(dir, folder, sizeof folder), &status, &e) == 0) return status;
    log_error("%s", e.text);
    return err_exit_status(&e);
}
