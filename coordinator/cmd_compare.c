/* plateau compare A B [C …]: is today slower than yesterday? */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/args.h"
#include "common/log.h"
#include "coordinator/cmd.h"
#include "coordinator/report/compare_report.h"
#include "coordinator/store/store.h"
#include "coordinator/report/write_file.h"

#define RUNS_MAX 16
#define DIFFERENCES_MAX 20
#define OUT_MAX (32u << 20)
#define STATUS_UNKNOWN 3
#define STATUS_GATE 99

struct options {
    const char *fail_on, *markdown, *html;
    bool fails;   /* --fail-on was given */
    double share; /* of it */
};

struct side {
    struct run_data run;
    struct analysis a;
    char label[8];
    struct buf differences;
    struct comparison change; /* against the first */
};

/* "worse" or "worse:3%" */
static int fail_on_parse(struct options *o, struct err *e)
{
    const char *s = o->fail_on;
    if (!s) return 0;
    o->fails = true;
    if (strcmp(s, "worse") == 0) return 0;
    if (strncmp(s, "worse:", 6) == 0) {
        char *end;
        errno = 0;
        double v = strtod(s + 6, &end);
        if (end != s + 6 && !errno && v >= 0 && v <= 100 && (strcmp(end, "%") == 0 || strcmp(end, " %") == 0)) {
            o->share = v / 100;
            return 0;
        }
    }
    return err_set(e, ERR_USAGE, "--fail-on: expected \"worse\" or \"worse:3%%\", got \"%s\"", s);
}

static int side_load(struct side *s, const char *dir, size_t index, struct err *e)
{
    char folder[1024];
    struct store *store = store_open(store_folder(dir, folder, sizeof folder), e);
    if (!store) return -1;
    int rc = store_load(store, &s->run, e);
    store_close(&store);
    if (rc) return -1;
    if (!s->run.plan) return err_set(e, ERR_IO, "%s: the run has no plan", dir);
    snprintf(s->label, sizeof s->label, "%c", (char)('A' + index));
    s->differences = (struct buf)BUF_INIT(65536);
    return analysis_init(&s->a, &s->run, e);
}

static void side_clear(struct side *s)
{
    compare_clear(&s->change);
    buf_clear(&s->differences);
    analysis_clear(&s->a);
    run_data_clear(&s->run);
}

static int write_out(const char *path, const struct buf *b, struct err *e)
{
    char dir[4096];
    const char *slash = strrchr(path, '/');
    if (strcmp(path, "-") == 0)
        return fwrite(b->data, 1, b->len, stdout) == b->len
                   ? 0
                   : err_set(e, ERR_IO, "standard output: %s", strerror(errno));
    int n = slash ? snprintf(dir, sizeof dir, "%.*s", (int)(slash - path + 1), path) : snprintf(dir, sizeof dir, ".");
    if (n < 0 || (size_t)n >= sizeof dir) return err_set(e, ERR_USAGE, "%s: the path is too long", path);
    return write_file_atomic(dir, slash ? slash + 1 : path, b, e);
}

static int put(const char *path, int (*make)(const struct compare_input *in, struct buf *out, struct err *e),
               const struct compare_input *in, struct err *e)
{
    struct buf b = BUF_INIT(OUT_MAX);
    int rc = !path ? 0 : make(in, &b, e) ? -1 : write_out(path, &b, e);
    buf_clear(&b);
    return rc;
}

static struct compare_asked asked_of(const struct side *s)
{
    return (struct compare_asked){&s->run, s->run.plan, s->a.points, s->a.n_points};
}

/* What --fail-on makes of a run beside the first. */
static void judge(const char *const *dirs, const struct comparison *c, size_t i, const struct options *o,
                  int *io_status)
{
    if (!o->fails) return;
    if (compare_fails(c, o->share)) *io_status = STATUS_GATE;
    if (c->say != COMPARE_UNKNOWN || c->errors_rose) return;
    if (c->one_run)
        log_error("--fail-on cannot be decided: %s holds the same run as %s", dirs[i], dirs[0]);
    else if (c->question[0])
        log_error("--fail-on cannot be decided: %s did not ask the same question as %s: %s", dirs[i], dirs[0],
                  c->question);
    else
        log_error("--fail-on cannot be decided: %s has no load in common with %s that was measured in both", dirs[i],
                  dirs[0]);
    if (*io_status == 0) *io_status = STATUS_UNKNOWN;
}

static int compare(struct side *side, const char *const *dirs, size_t n, const struct options *o, int *ret_status,
                   struct err *e)
{
    struct compared_run runs[RUNS_MAX];
    struct comparison changes[RUNS_MAX];
    const char *differences[RUNS_MAX];
    for (size_t i = 0; i < n; i++) {
        if (side_load(&side[i], dirs[i], i, e)) return -1;
        runs[i] = (struct compared_run){side[i].label, dirs[i], &side[i].a};
        if (i == 0) continue;
        if (compare_runs(side[0].a.points, side[0].a.n_points, side[i].a.points, side[i].a.n_points, i, &side[i].change,
                         e))
            return -1;
        const struct compare_asked first = asked_of(&side[0]), other = asked_of(&side[i]);
        compare_question(&first, &other, &side[i].change);
        compare_state(&first, &other, &side[i].change);
        if (strcmp(side[0].run.plan_hash, side[i].run.plan_hash) != 0 &&
            compare_plans(side[0].run.plan, side[i].run.plan, DIFFERENCES_MAX, &side[i].differences, e))
            return -1;
        changes[i - 1] = side[i].change;
        differences[i - 1] = buf_str(&side[i].differences);
        judge(dirs, &side[i].change, i, o, ret_status);
    }
    struct compare_input in = {runs, n, changes, differences};
    bool quiet = o->markdown && strcmp(o->markdown, "-") == 0; /* standard output is the Markdown then */
    if (!quiet && put("-", compare_text, &in, e)) return -1;
    if (put(o->markdown, compare_markdown, &in, e)) return -1;
    return put(o->html, compare_html, &in, e);
}

int cmd_compare(int argc, char **argv)
{
    struct options o = {0};
    const struct arg table[] = {
        {"fail-on", ARG_TEXT, &o.fail_on, "worse:3%",
         "exit with 99 when a run is worse than the first, clear of the noise, by at least this (not less than 1 %); "
         "with 3 when nothing could be compared"},
        {"markdown", ARG_TEXT, &o.markdown, "FILE",
         "write the comparison as Markdown (\"-\": to standard output, instead of the table)"},
        {"html", ARG_TEXT, &o.html, "FILE", "write one HTML page with the curves laid over each other"},
        {0},
    };
    const struct args args = {
        .program = "plateau compare",
        .usage = "A B [C …] [--fail-on worse:3%] [--markdown FILE] [--html FILE]",
        .about =
            "Compares the runs in folders B, C … with the one in A, load by load and as a whole: better, worse, or no\n"
            "difference seen. A change counts when it stands out of the noise that the runs' repeats show "
            "(load.repeats).",
        .table = table,
        .least = 2,
        .most = RUNS_MAX,
    };
    const char *words[RUNS_MAX];
    size_t n = 0;
    int status = 0;
    struct err e = {0};
    int rc = args_parse(&args, argc, argv, words, &n, &e);
    if (rc == 1) return 0;
    struct side *side = calloc(RUNS_MAX, sizeof *side);
    if (rc == 0 && !side) rc = err_set(&e, ERR_NOMEM, "no memory to compare");
    if (rc == 0) rc = fail_on_parse(&o, &e);
    if (rc == 0) rc = compare(side, words, n, &o, &status, &e);
    for (size_t i = 0; side && i < RUNS_MAX; i++)
        side_clear(&side[i]);
    free(side);
    if (rc == 0 && fflush(stdout)) rc = err_set(&e, ERR_IO, "standard output: %s", strerror(errno));
    if (rc == 0) return status;
    log_error("%s", e.text);
    return err_exit_status(&e);
}
