#include "coordinator/report/report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/clock.h"
#include "coordinator/report/write_file.h"

#define FILE_MAX (256u << 20)

static const struct {
    const char *file;
    int (*make)(const struct analysis *a, struct buf *out, struct err *e);
} REPORTS[] = {
#define X(function, file, readers) {file, function},
#include "coordinator/report/report.def"
#undef X
};

/* One that has no room leaves others that have: e is of the first. */
static int write_reports(const struct analysis *a, const char *dir, struct err *e)
{
    int failed = 0;
    for (size_t i = 0; i < sizeof REPORTS / sizeof REPORTS[0]; i++) {
        struct buf b = BUF_INIT(FILE_MAX);
        struct err *first = failed ? NULL : e;
        int rc = REPORTS[i].make(a, &b, first);
        if (!rc && b.len > 0) rc = write_file_atomic(dir, REPORTS[i].file, &b, first);
        buf_clear(&b);
        if (rc) failed = -1;
    }
    write_file_sync(dir);
    return failed;
}

/* failed: why not all files are written, NULL when they are. */
static int print_text(const struct analysis *a, const char *dir, const char *failed, struct err *e)
{
    struct buf b = BUF_INIT(FILE_MAX);
    bool tty = isatty(STDOUT_FILENO) == 1;
    struct winsize w = {0};
    bool known = tty && ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 0;
    const struct report_style style = {.color = tty && !getenv("NO_COLOR"), .width = known ? w.ws_col : REPORT_WIDE};
    int rc = report_text(a, &style, &b, e);
    if (!rc) {
        if (failed) (void)printf("Not every file of the run is written: %s\n", failed);
        (void)fwrite(b.data, 1, b.len, stdout);
        if (!failed) (void)printf("Report: %s/report.html\n", dir);
        if (fflush(stdout)) rc = err_set(e, ERR_IO, "standard output: %s", strerror(errno));
    }
    buf_clear(&b);
    return rc;
}

int report_folder_is_free(const char *dir, struct err *e)
{
    static const char *const LEFT[] = {"run.sqlite-wal", "run.sqlite-shm"}; /* SQLite would take them for its own */
    const size_t n_reports = sizeof REPORTS / sizeof REPORTS[0], n_left = sizeof LEFT / sizeof *LEFT;
    char path[1200];
    struct buf found = BUF_INIT(400);
    int rc = 0;
    for (size_t i = 0; i < n_reports + n_left; i++) {
        const char *name = i < n_reports ? REPORTS[i].file : LEFT[i - n_reports];
        int n = snprintf(path, sizeof path, "%s/%s", dir, name);
        if (n < 0 || (size_t)n >= sizeof path || access(path, F_OK)) continue;
        (void)buf_printf(&found, "%s%s", found.len ? ", " : "", name);
    }
    if (found.len)
        rc = err_set(e, ERR_USAGE,
                     "%.200s: holds %s, but no run (run.sqlite is not there). A new run's files have these names, and "
                     "would replace them or be taken together with them. Give another folder, or move them away",
                     dir, buf_str(&found));
    buf_clear(&found);
    return rc;
}

int report_all(const struct run_data *run, const char *dir, bool print, int *ret_status, struct err *e)
{
    struct analysis a;
    *ret_status = 1;
    if (analysis_init(&a, run, e)) return -1;
    struct err why = {0};
    int rc = write_reports(&a, dir, &why);
    if (rc && e) *e = why;
    if (print && print_text(&a, dir, rc ? why.text : NULL, rc ? NULL : e))
        rc = -1; /* the table is shown even where no file can be written */
    *ret_status = a.measured_status;
    analysis_clear(&a);
    return rc;
}

void report_say_ended(const struct run_data *run)
{
    char when[40];
    bool ended = run->ended_wall_ns != 0;
    (void)clock_wall_text(ended ? run->ended_wall_ns : run->started_wall_ns, when, sizeof when);
    if (ended)
        (void)printf("Reported again: the run ended at %s; nothing was measured now.\n\n", when);
    else
        (void)printf("Reported in between: the run began at %s and has no end in its file. It is under way, or its "
                     "coordinator was "
                     "killed; or the file was copied without run.sqlite-wal, which holds its latest part.\n\n",
                     when);
}
