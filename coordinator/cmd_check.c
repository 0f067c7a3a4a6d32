/* plateau check: is this plan right, and what does it mean with every default filled in? */
#include <stdio.h>
#include <string.h>

#include "common/args.h"
#include "common/plan/plan.h"
#include "coordinator/cmd.h"
#include "coordinator/corpus/shelf.h"
#include "coordinator/extent.h"
#include "coordinator/plan_doc.h"
#include "coordinator/plan_file.h"

enum { TEXT_MAX = 8 << 20 };

static int print(const struct buf *out)
{
    return fwrite(out->data, 1, out->len, stdout) == out->len && fflush(stdout) == 0 ? 0 : -1;
}

static int print_schema(struct err *e)
{
    struct buf out = BUF_INIT(TEXT_MAX);
    int bad = plan_schema_write(&out) || print(&out);
    buf_clear(&out);
    return bad ? err_set(e, ERR_IO, "the schema cannot be written") : 0;
}

static int print_plan(const struct plan *p, bool json, struct err *e)
{
    char hash[65];
    struct buf out = BUF_INIT(TEXT_MAX);
    int bad = plan_hash(p, hash);
    /* the hash is of the canonical JSON, which therefore stands alone on its line */
    if (!bad && json)
        bad = plan_to_json(p, false, &out) || buf_putc(&out, '\n');
    else if (!bad)
        bad = buf_printf(&out, "# resolved: every default is filled in\n") || plan_to_yaml(p, &out) ||
              buf_printf(&out, "# hash: sha256:%s\n", hash);
    if (!bad && !json) extent_words(p, "# ", &out);
    if (!bad) bad = print(&out);
    if (!bad && json) (void)fprintf(stderr, "sha256:%s\n", hash);
    buf_clear(&out);
    return bad ? err_set(e, ERR_IO, "the plan cannot be written") : 0;
}

static void tell_data(void *arg, const char *text)
{
    (void)arg;
    (void)fprintf(stderr, "%s\n", text);
}

/* Data sets and traces are read as well: their hashes belong to the plan. */
static int read_data(struct plan *p, const char *path, const char *dir, struct err *e)
{
    struct shelf *s = shelf_fill(p, path, dir, false, tell_data, NULL, e);
    if (!s) return -1;
    shelf_destroy(&s);
    return 0;
}

/* All that is wrong with the plan, on standard error. */
static struct plan *load(const char *path, const struct arg_list *set, struct err *e)
{
    struct buf text = BUF_INIT(PLAN_FILE_MAX), wrong = BUF_INIT(TEXT_MAX);
    const char *name = strcmp(path, "-") == 0 ? "standard input" : path;
    struct plan *p = NULL;
    int rc = plan_file_read(path, &text, e);
    if (rc) (void)fprintf(stderr, "%s\n", e->text);
    if (rc == 0) p = plan_load(name, buf_str(&text), text.len, set->item, set->n, e);
    if (rc == 0 && !p) {
        if (plan_mistakes(name, buf_str(&text), text.len, set->item, set->n, &wrong) == 0)
            (void)buf_printf(&wrong, "%s\n", e->text);
        (void)fputs(buf_str(&wrong), stderr);
    }
    buf_clear(&text);
    buf_clear(&wrong);
    return p;
}

int cmd_check(int argc, char **argv)
{
    static bool json, schema;
    static const char *data;
    static struct arg_list set;
    static const struct arg TABLE[] = {
        {"json", ARG_FLAG, &json, NULL, "print the plan as canonical JSON; the hash goes to standard error"},
        {"set", ARG_MANY, &set, "PATH=VALUE", "set a value of the plan, such as load.duration=5s; may be given again"},
        {"data", ARG_TEXT, &data, "DIR", "keep what agents would get of data sets and traces there, as HASH.corpus"},
        {"schema", ARG_FLAG, &schema, NULL, "print the JSON Schema of the plan file and exit"},
        {NULL, ARG_FLAG, NULL, NULL, NULL},
    };
    static const struct args ARGS = {
        .program = "plateau check",
        .usage = "PLAN [options]",
        .about = "Reads a plan (- for standard input) and reports all that is wrong with it, or prints it with every "
                 "default filled in,\n"
                 "its hash, how long it will run, how many requests it sends and how many are in flight at most.\n"
                 "Exit status: 0 the plan is valid, 2 it is not.",
        .table = TABLE,
        .least = 0,
        .most = 1,
    };
    struct err e = {.code = ERR_NONE};
    const char *word;
    size_t n;
    int done = args_parse(&ARGS, argc, argv, &word, &n, &e);
    if (done > 0) return 0;
    if (done == 0 && schema) return print_schema(&e) ? 1 : 0;
    if (done == 0 && n == 0)
        (void)err_set(&e, ERR_USAGE, "the file of a plan is needed; usage: %s %s", ARGS.program, ARGS.usage);
    if (e.code) (void)fprintf(stderr, "%s\n", e.text);
    struct plan *p = e.code ? NULL : load(word, &set, &e);
    if (p && (read_data(p, word, data, &e) || print_plan(p, json, &e))) (void)fprintf(stderr, "%s\n", e.text);
    plan_destroy(&p);
    return err_exit_status(&e);
}
