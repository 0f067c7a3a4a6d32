/* plateau probe PLAN: one short request of the plan, by one agent, and what came of it. Nothing is written. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/args.h"
#include "common/harden.h"
#include "common/log.h"
#include "coordinator/cmd.h"
#include "coordinator/corpus/shelf.h"
#include "coordinator/drive.h"
#include "coordinator/plan_file.h"
#include "coordinator/quick.h"

static struct {
    const char *listen, *keys, *signature;
    struct arg_list set;
    struct quick quick;
} opt;

static const struct arg TABLE[] = {
#define X(option, kind, field, value, help) {option, kind, &opt.quick.field, value, help},
#include "coordinator/quick.def"
#undef X
    {"set", ARG_MANY, &opt.set, "path=value", "overrides a key of the plan; may be given again"},
    {"listen", ARG_TEXT, &opt.listen, "tcp://ADDR:PORT", "wait here for an agent on another machine, with --keys"},
    {"keys", ARG_TEXT, &opt.keys, "DIR", "admit only agents whose keys DIR/allowed names"},
    {"signature", ARG_TEXT, &opt.signature, "FILE", "of the plan, made by plateau sign"},
    {NULL, ARG_FLAG, NULL, NULL, NULL},
};
static const struct args ARGS = {
    .program = "plateau probe",
    .usage = "PLAN [options] | --url URL --model NAME [options]",
    .about = "Sends one short request with the plan's key, model and shape, from an agent that is started on this "
             "machine,\nand shows what came. Exit status 0 when the answer is one that a run can measure, else 1. "
             "plateau run begins\nwith the same request.\n\n"
             "  plateau probe plan.yaml\n"
             "  plateau probe --url https://gw.example.com --model m --key-env API_KEY",
    .table = TABLE,
    .least = 0,
    .most = 1,
};

static int show(void *arg, enum run_event_kind kind, const char *text, struct err *e)
{
    (void)arg, (void)e;
    if (kind == RUN_EVENT_PROBE)
        (void)(puts(text), fflush(stdout));
    else if (kind != RUN_EVENT_ERROR && RUN_EVENTS[kind].level >= LOG_WARN)
        log_warn("%s", text);
    return 0;
}
static const struct sink_kind SHOW = {.name = "probe", .event = show};

static int load(const char *path, struct run_data *meta, struct shelf **ret_shelf, char *data, size_t data_n,
                struct err *e)
{
    const char *set[ARG_LIST_MAX + 1];
    size_t n = 0;
    for (size_t i = 0; i < opt.set.n; i++)
        set[n++] = opt.set.item[i];
    meta->plan_text = (struct buf)BUF_INIT(PLAN_FILE_MAX);
    if (path ? plan_file_read(path, &meta->plan_text, e) : quick_plan(&opt.quick, &meta->plan_text, e)) return -1;
    if (!path) path = "the plan of the command line";
    meta->plan = plan_load(strcmp(path, "-") == 0 ? "standard input" : path, buf_str(&meta->plan_text),
                           meta->plan_text.len, set, n, e);
    if (!meta->plan) return -1;
    meta->seed = meta->plan->seed;
    (void)snprintf(meta->run_id, sizeof meta->run_id, "probe");
    if (shelf_default_dir(data, data_n)) data[0] = '\0';
    if (!(*ret_shelf = shelf_fill(meta->plan, path, data, false, NULL, NULL, e))) return -1;
    return plan_hash(meta->plan, meta->plan_hash) ? err_set(e, ERR_NOMEM, "no memory for the plan's hash") : 0;
}

static int probe(struct run_data *meta, const struct shelf *shelf, const char *data, const struct buf *signature,
                 struct err *e)
{
    struct key_pair own;
    struct sink list[] = {{&SHOW, NULL}};
    struct link_options lo = {.listen = opt.listen ? opt.listen : "tcp://127.0.0.1:*",
                              .keys = opt.keys,
                              .local = opt.listen || opt.keys ? NULL : &own};
    struct drive_options d = {.meta = meta,
                              .wanted = 1,
                              .sinks = {list, sizeof list / sizeof *list},
                              .shelf = shelf,
                              .signature = {signature->data, signature->len},
                              .probe = true,
                              .only_probe = true};
    struct drive_result res = {0};
    int rc = -1;
    if ((d.signal_fd = drive_signals(e)) < 0) return -1;
    harden_process();
    if ((d.link = link_open(&lo, e)) &&
        (opt.listen || (d.local = drive_start_local(1, d.link, opt.keys, lo.local, shelf_is_empty(shelf) ? NULL : data,
                                                    meta->plan, e))))
        rc = drive_run(&d, &res, e);
    local_close(&d.local);
    link_close(&d.link);
    (void)close(d.signal_fd);
    if (rc == 0 && res.signal) return 128 + res.signal;
    if (rc == 0 && res.err.code) {
        *e = res.err;
        return -1;
    }
    return rc;
}

int cmd_probe(int argc, char **argv)
{
    const char *plan = NULL;
    char data[512];
    size_t n;
    struct err e = {0};
    struct run_data meta = {0};
    struct shelf *shelf = NULL;
    struct buf signature = BUF_INIT(64 << 10);
    int rc = args_parse(&ARGS, argc, argv, &plan, &n, &e);
    if (rc == 1) return 0;
    if (rc == 0 && (n == 0) != quick_given(&opt.quick))
        rc = err_set(&e, ERR_USAGE, "give a PLAN, or --url URL --model NAME: one of them");
    if (rc == 0 && opt.signature) rc = plan_file_read(opt.signature, &signature, &e);
    if (rc == 0) rc = load(plan, &meta, &shelf, data, sizeof data, &e);
    if (rc == 0) rc = probe(&meta, shelf, data, &signature, &e);
    if (rc < 0) {
        log_error("%s", e.text);
        rc = err_exit_status(&e);
    }
    shelf_destroy(&shelf);
    run_data_clear(&meta);
    buf_clear(&signature);
    return rc;
}
