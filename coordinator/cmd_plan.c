/* plateau plan, plateau init: the plan that a few options make, to read and to keep in git. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/plan/plan.h"
#include "coordinator/cmd.h"
#include "coordinator/plan_file.h"
#include "coordinator/quick.h"

#define FIRST_FILE "plan.yaml"

static struct quick quick;
static const struct arg TABLE[] = {
#define X(option, kind, field, value, help) {option, kind, &quick.field, value, help},
#include "coordinator/quick.def"
#undef X
    {NULL, ARG_FLAG, NULL, NULL, NULL},
};

/* The text, once it has been read back as a plan: what is printed can be run. */
static int make(struct buf *out, struct err *e)
{
    if (quick_plan(&quick, out, e)) return -1;
    struct plan *p = plan_load("the plan of the command line", buf_str(out), out->len, NULL, 0, e);
    int rc = p ? 0 : -1;
    plan_destroy(&p);
    return rc;
}

static int finish(int rc, struct buf *out, const struct err *e)
{
    buf_clear(out);
    if (rc == 0) return 0;
    log_error("%s", e->text);
    return err_exit_status(e);
}

int cmd_plan(int argc, char **argv)
{
    static const struct args ARGS = {
        .program = "plateau plan",
        .usage = "--url URL --model NAME [options] > plan.yaml",
        .about = "Prints, with comments, the plan that plateau run makes of the same options.",
        .table = TABLE,
        .least = 0,
        .most = 0,
    };
    struct err e = {0};
    struct buf out = BUF_INIT(PLAN_FILE_MAX);
    size_t n;
    int rc = args_parse(&ARGS, argc, argv, NULL, &n, &e);
    if (rc == 1) return 0;
    if (rc == 0) rc = make(&out, &e);
    if (rc == 0 && (fwrite(out.data, 1, out.len, stdout) != out.len || fflush(stdout)))
        rc = err_set(&e, ERR_IO, "standard output: %s", strerror(errno));
    return finish(rc, &out, &e);
}

/* Never over a file that is there. */
static int write_new(const char *path, const struct buf *b, struct err *e)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0 && errno == EEXIST)
        return err_set(e, ERR_USAGE, "%s is there already and is not overwritten; give another name", path);
    if (fd < 0) return err_set(e, ERR_IO, "%s: cannot be written: %s", path, strerror(errno));
    ssize_t n = write(fd, b->data, b->len);
    int bad = close(fd) || n != (ssize_t)b->len;
    return bad ? err_set(e, ERR_IO, "%s: cannot be written", path) : 0;
}

int cmd_init(int argc, char **argv)
{
    static const struct args ARGS = {
        .program = "plateau init",
        .usage = "[FILE] [options]",
        .about = "Writes a first plan with comments to FILE (" FIRST_FILE "). It asks nothing and overwrites nothing.",
        .table = TABLE,
        .least = 0,
        .most = 1,
    };
    struct err e = {0};
    struct buf out = BUF_INIT(PLAN_FILE_MAX);
    const char *path = FIRST_FILE;
    size_t n;
    int rc = args_parse(&ARGS, argc, argv, &path, &n, &e);
    if (rc == 1) return 0;
    if (!quick.url) quick.url = "http://127.0.0.1:8000";
    if (!quick.model) quick.model = "llama-3.1-8b";
    if (rc == 0) rc = make(&out, &e);
    if (rc == 0) rc = write_new(path, &out, &e);
    if (rc == 0)
        (void)printf(
            "wrote %s: set target.url and target.model in it, then plateau check %s, then plateau run %s --local "
            "1\n",
            path, path, path);
    return finish(rc, &out, &e);
}
