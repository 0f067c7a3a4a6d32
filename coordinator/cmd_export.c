/* plateau export DIR --to KIND: a run in the form of another tool. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/args.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/plan/node.h"
#include "coordinator/answer/compare.h"
#include "coordinator/cmd.h"
#include "coordinator/report/export.h"
#include "coordinator/report/write_file.h"
#include "coordinator/store/store.h"

#define PATH_LENGTH 1200
#define CLOCK_GRAIN_NS (NS_PER_S / 50) /* a file's time may be that of the kernel's last tick */

struct place {
    const char *dir;
    size_t files;
    struct store *store;
    FILE *open; /* the file that comes in pieces */
    bool rows;  /* rows of requests were written, those of invalid points too */
    char half[PATH_LENGTH], whole[PATH_LENGTH];
};

static int make_dir(const char *dir, struct err *e)
{
    if (mkdir(dir, 0777) == 0 || errno == EEXIST) return 0;
    return err_set(e, ERR_IO, "%s: cannot be made: %s", dir, strerror(errno));
}

/* The folders of a name, one in the other. */
static int make_dirs(const char *top, const char *name, struct err *e)
{
    char dir[PATH_LENGTH];
    for (const char *slash = strchr(name, '/'); slash; slash = strchr(slash + 1, '/')) {
        int n = snprintf(dir, sizeof dir, "%s/%.*s", top, (int)(slash - name), name);
        if (n < 0 || (size_t)n >= sizeof dir) return err_set(e, ERR_USAGE, "%.100s…: the path is too long", top);
        if (make_dir(dir, e)) return -1;
    }
    return 0;
}

static int put(void *arg, const char *name, const struct buf *content, struct err *e)
{
    struct place *at = arg;
    char dir[PATH_LENGTH];
    const char *slash = strrchr(name, '/');
    int n = slash ? snprintf(dir, sizeof dir, "%s/%.*s", at->dir, (int)(slash - name), name)
                  : snprintf(dir, sizeof dir, "%s", at->dir);
    if (n < 0 || (size_t)n >= sizeof dir) return err_set(e, ERR_USAGE, "%.100s…: the path is too long", at->dir);
    if (make_dirs(at->dir, name, e) || write_file_atomic(dir, slash ? slash + 1 : name, content, e)) return -1;
    (void)printf("%s/%s\n", at->dir, name);
    at->files++;
    return 0;
}

static int fail_write(const struct place *at, struct err *e)
{
    return err_set(e, ERR_IO, "%s: cannot be written: %s", at->whole,
                   errno == ENOSPC ? "the disk is full" : strerror(errno));
}

/* Under another name until it is whole. */
static int open_half(struct place *at, const char *name, struct err *e)
{
    if ((size_t)snprintf(at->whole, sizeof at->whole, "%s/%s", at->dir, name) >= sizeof at->whole ||
        (size_t)snprintf(at->half, sizeof at->half, "%s/%s.tmp", at->dir, name) >= sizeof at->half)
        return err_set(e, ERR_USAGE, "%.100s…: the path is too long", at->dir);
    at->open = fopen(at->half, "we");
    return at->open ? 0 : fail_write(at, e);
}

static void drop_half(struct place *at)
{
    if (!at->open) return;
    (void)fclose(at->open);
    (void)unlink(at->half);
    at->open = NULL;
}

static int append(void *arg, const char *name, const struct buf *piece, bool last, struct err *e)
{
    struct place *at = arg;
    if (!at->open && open_half(at, name, e)) return -1;
    if (piece->len && fwrite(piece->data, 1, piece->len, at->open) != piece->len) return fail_write(at, e);
    if (!last) return 0;
    if (fflush(at->open) || fsync(fileno(at->open)) || rename(at->half, at->whole)) return fail_write(at, e);
    (void)fclose(at->open);
    at->open = NULL;
    (void)printf("%s\n", at->whole);
    at->files++;
    return 0;
}

static int requests(void *arg, int (*each)(void *arg, const struct request_data *r, struct err *e), void *each_arg,
                    struct err *e)
{
    struct place *at = arg;
    at->rows = true;
    return store_each_request(at->store, each, each_arg, e);
}

static int read_file(const char *path, struct buf *out, struct err *e)
{
    char piece[4096];
    FILE *f = fopen(path, "re");
    if (!f) return err_set(e, ERR_USAGE, "%.300s: cannot be opened: %s", path, strerror(errno));
    for (size_t n; (n = fread(piece, 1, sizeof piece, f)) > 0;)
        (void)buf_put(out, piece, n);
    int bad = ferror(f);
    (void)fclose(f);
    if (bad) return err_set(e, ERR_USAGE, "%.300s: cannot be read", path);
    return out->bad ? err_set(e, ERR_USAGE, "%.300s: is larger than %zu bytes", path, out->max) : 0;
}

static const struct export_kind *kind_of(const char *word, struct err *e)
{
    char all[300] = "";
    const struct export_kind *k = word ? export_find(word) : NULL;
    for (size_t i = 0; !k && i < EXPORTS_N; i++)
        (void)snprintf(all + strlen(all), sizeof all - strlen(all), "%s%s", i ? ", " : "", EXPORTS[i].name);
    if (!k) (void)err_set(e, ERR_USAGE, "--to: expected one of %s%s%.40s", all, word ? ", got " : "", word ? word : "");
    return k;
}

struct wish { /* of mlperf-endpoints alone */
    const char *with;
    bool events;
};

/* Files of an export of another run, or of more loads, are read together with these. */
static void warn_older(const char *dir, int64_t began)
{
    char path[PATH_LENGTH], first[256] = "";
    size_t n = 0;
    DIR *d = opendir(dir);
    struct stat st;
    for (const struct dirent *f; d && (f = readdir(d));) {
        if (snprintf(path, sizeof path, "%s/%s", dir, f->d_name) >= (int)sizeof path || stat(path, &st) ||
            !S_ISREG(st.st_mode))
            continue;
        if (st.st_mtim.tv_sec * NS_PER_S + st.st_mtim.tv_nsec + CLOCK_GRAIN_NS >= began || f->d_name[0] == '.')
            continue;
        if (n++ == 0) (void)snprintf(first, sizeof first, "%s", f->d_name);
    }
    if (d) (void)closedir(d);
    if (n)
        log_warn("%s: %zu file%s there before this export and %s not of it, such as %s", dir, n,
                 n == 1 ? " was" : "s were", n == 1 ? "is" : "are", first);
}

static int export_run(const char *dir, const struct export_kind *k, const char *out, const struct wish *wish,
                      struct err *e)
{
    struct run_data run;
    struct analysis a;
    struct place at = {.dir = out};
    const struct export_to to = {
        .arg = &at, .put = put, .append = append, .requests = requests, .with = wish->with, .events = wish->events};
    size_t invalid = 0;
    int64_t began = clock_wall_ns();
    struct store *s = at.store = store_open(dir, e);
    if (!s) return -1;
    int rc = store_load(s, &run, e);
    if (rc) {
        store_close(&s);
        return -1;
    }
    rc = analysis_init(&a, &run, e);
    if (rc == 0) {
        for (size_t i = 0; i < a.n_points; i++)
            invalid += !export_counts(&a.points[i]);
        rc = make_dir(out, e) || k->run(&a, &to, e) ? -1 : 0;
        char state[COMPARE_STATE];
        compare_state_of(&(struct compare_asked){&run, run.plan, a.points, a.n_points}, state);
        if (rc == 0 && state[0]) log_warn("the files do not show what happened to this run: %s", state);
        if (rc == 0) warn_older(out, began);
        if (rc == 0 && invalid && (!at.rows || wish->events))
            log_warn("%zu of %zu points are invalid; they are left out where the form has no place for a verdict",
                     invalid, a.n_points);
        if (rc == 0 && at.files == 0) rc = err_set(e, ERR_USAGE, "%s: there is no valid point to export", dir);
        analysis_clear(&a);
    }
    drop_half(&at);
    store_close(&s);
    run_data_clear(&run);
    return rc;
}

int cmd_export(int argc, char **argv)
{
    static const char *to, *out, *with;
    static bool events;
    static const struct arg TABLE[] = {
        {"to", ARG_TEXT, &to, "FORM",
         "vllm, aiperf, llm-d, csv, jsonl, openmetrics, requests-jsonl, requests-csv or mlperf-endpoints"},
        {"out", ARG_TEXT, &out, "FOLDER", "where the files go (DIR/export-FORM)"},
        {"with", ARG_TEXT, &with, "FILE",
         "mlperf-endpoints: JSON that states what plateau does not measure, such as configs/mlperf-system.json"},
        {"events", ARG_FLAG, &events, NULL,
         "mlperf-endpoints: events.jsonl too, of each request (plans with record: {requests: true})"},
        {NULL, ARG_FLAG, NULL, NULL, NULL},
    };
    static char about[2000] =
        "Writes the run in DIR in the form of another tool, from run.sqlite alone, and prints the files' names:\n";
    static const struct args ARGS = {
        .program = "plateau export",
        .usage = "DIR --to FORM [--out FOLDER]",
        .about = about,
        .table = TABLE,
        .least = 1,
        .most = 1,
    };
    char folder[PATH_LENGTH], meant[PATH_LENGTH];
    const char *dir;
    size_t n;
    struct err e = {0};
    for (size_t i = 0; i < EXPORTS_N; i++)
        (void)snprintf(about + strlen(about), sizeof about - strlen(about), "\n  %-14s %s", EXPORTS[i].name,
                       EXPORTS[i].readers);
    int rc = args_parse(&ARGS, argc, argv, &dir, &n, &e);
    if (rc == 1) return 0;
    if (rc == 0) dir = store_folder(dir, meant, sizeof meant);
    const struct export_kind *k = rc == 0 ? kind_of(to, &e) : NULL;
    if (k && !out) {
        if ((size_t)snprintf(folder, sizeof folder, "%s/export-%s", dir, k->name) >= sizeof folder)
            rc = err_set(&e, ERR_USAGE, "the folder's name is too long");
        out = folder;
    }
    struct buf text = BUF_INIT(NODE_INPUT_MAX);
    if (k && rc == 0 && (with || events) && strcmp(k->name, "mlperf-endpoints") != 0)
        rc = err_set(&e, ERR_USAGE, "--%s is for --to mlperf-endpoints", with ? "with" : "events");
    if (k && rc == 0 && with) rc = read_file(with, &text, &e);
    if (rc == 0 && k) rc = export_run(dir, k, out, &(struct wish){with ? buf_str(&text) : NULL, events}, &e);
    buf_clear(&text);
    if (rc == 0 && k) return 0;
    log_error("%s", e.text);
    return err_exit_status(&e);
}
