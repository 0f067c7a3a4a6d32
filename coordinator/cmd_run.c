/* plateau run PLAN: the whole way from a plan to its report. */
#include <errno.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "common/args.h"
#include "common/clock.h"
#include "common/harden.h"
#include "common/log.h"
#include "common/sign.h"
#include "coordinator/cmd.h"
#include "coordinator/drive.h"
#include "coordinator/hold.h"
#include "coordinator/report.h"

#define LISTEN_DEFAULT "tcp://127.0.0.1:7717"
#define LISTEN_LOCAL "tcp://127.0.0.1:*"
#define PLAN_TEXT_MAX (1u << 20)

static struct {
    uint32_t local;
    const char *listen, *out, *seed, *http, *signature, *keys;
    int64_t hold_ns;
    struct arg_list set;
    bool insecure;
} opt;

static const struct arg TABLE[] = {
    {"local", ARG_U32, &opt.local, "N", "start N agents as processes of this machine"},
    {"listen", ARG_TEXT, &opt.listen, "tcp://ADDR:PORT", "where agents dial in (" LISTEN_DEFAULT ")"},
    {"out", ARG_TEXT, &opt.out, "DIR", "folder of the run (./run-DATE-TIME)"},
    {"set", ARG_MANY, &opt.set, "path=value", "overrides a key of the plan; may be given again"},
    {"seed", ARG_TEXT, &opt.seed, "N", "overrides the plan's seed"},
    {"signature", ARG_TEXT, &opt.signature, "FILE", "of the plan, made by plateau sign"},
    {"http", ARG_TEXT, &opt.http, "ADDR:PORT", "status page: /healthz, /readyz, /metrics"},
    {"hold", ARG_DURATION, &opt.hold_ns, "TIME",
     "live on after the run until DIR/" HOLD_FETCHED " is there, at most so long"},
    {"keys", ARG_TEXT, &opt.keys, "DIR", "admit only agents whose keys DIR/allowed names (plateau keys); SIGHUP rereads it"},
    {"insecure", ARG_FLAG, &opt.insecure, NULL, "listen off loopback without authentication"},
    {NULL, ARG_FLAG, NULL, NULL, NULL},
};
static const struct args ARGS = {
    .program = "plateau run",
    .usage = "PLAN [options]",
    .about = "Runs a plan over agents and reports. Without --local it waits for agents.count agents to dial in\n"
             "(plateau-agent --connect). Ctrl-C once drains and reports, twice ends at once.",
    .table = TABLE,
    .least = 1,
    .most = 1,
};

static int read_file(const char *path, struct buf *out, struct err *e)
{
    FILE *f = fopen(path, "re");
    if (!f) return err_set(e, ERR_PLAN, "%s: %s", path, strerror(errno));
    char part[65536];
    size_t n;
    while ((n = fread(part, 1, sizeof part, f)) > 0)
        (void)buf_put(out, part, n);
    bool failed = ferror(f) != 0;
    (void)fclose(f);
    if (failed) return err_set(e, ERR_PLAN, "%s: cannot be read", path);
    return out->bad ? err_set(e, ERR_PLAN, "%s: is larger than %u bytes", path, (unsigned)out->max) : 0;
}

/* What the command line overrides goes the way of --set, so that the resolved plan and its hash tell the truth. */
static int load_plan(const char *path, struct run_data *run, struct err *e)
{
    char count[40], seed[64];
    const char *set[ARG_LIST_MAX + 2];
    size_t n = 0;
    for (size_t i = 0; i < opt.set.n; i++)
        set[n++] = opt.set.item[i];
    if (opt.local) {
        (void)snprintf(count, sizeof count, "agents.count=%u", opt.local);
        set[n++] = count;
    }
    if (opt.seed) {
        if ((size_t)snprintf(seed, sizeof seed, "seed=%s", opt.seed) >= sizeof seed)
            return err_set(e, ERR_USAGE, "--seed: expected a number");
        set[n++] = seed;
    }
    run->plan_text = (struct buf)BUF_INIT(PLAN_TEXT_MAX);
    if (read_file(path, &run->plan_text, e)) return -1;
    run->plan = plan_load(path, buf_str(&run->plan_text), run->plan_text.len, set, n, e);
    if (!run->plan) return -1;
    run->seed = run->plan->seed;
    return plan_hash(run->plan, run->plan_hash) ? err_set(e, ERR_NOMEM, "no memory for the plan's hash") : 0;
}

static int name_run(struct run_data *run, char *dir, size_t n, struct err *e)
{
    char stamp[24];
    unsigned char random[4];
    struct tm tm;
    if (sodium_init() < 0) return err_set(e, ERR_INTERNAL, "no random numbers");
    randombytes_buf(random, sizeof random);
    run->started_wall_ns = clock_wall_ns();
    time_t t = (time_t)(run->started_wall_ns / NS_PER_S);
    localtime_r(&t, &tm);
    (void)strftime(stamp, sizeof stamp, "%Y%m%d-%H%M%S", &tm);
    (void)snprintf(run->run_id, sizeof run->run_id, "%s-%02x%02x%02x%02x", stamp, random[0], random[1], random[2],
                   random[3]);
    (void)snprintf(run->version, sizeof run->version, "%s", PLATEAU_VERSION);
    int len = opt.out ? snprintf(dir, n, "%s", opt.out) : snprintf(dir, n, "run-%s", stamp);
    return len <= 0 || (size_t)len >= n ? err_set(e, ERR_USAGE, "--out: the folder's name is too long") : 0;
}

/* Before any thread exists, so that all inherit the mask. */
static int block_signals(struct err *e)
{
    sigset_t s;
    sigemptyset(&s);
    sigaddset(&s, SIGINT);
    sigaddset(&s, SIGTERM);
    sigaddset(&s, SIGHUP);
    sigaddset(&s, SIGCHLD);
    int fd = sigprocmask(SIG_BLOCK, &s, NULL) ? -1 : signalfd(-1, &s, SFD_NONBLOCK | SFD_CLOEXEC);
    (void)signal(SIGPIPE, SIG_IGN);
    return fd < 0 ? err_set(e, ERR_INTERNAL, "signals: %s", strerror(errno)) : fd;
}

/* A descriptor an agent. */
static void raise_descriptors(void)
{
    struct rlimit r;
    if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < r.rlim_max) {
        r.rlim_cur = r.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &r);
    }
}

/* Writes beyond RLIMIT_FSIZE fail as a full disk does, instead of killing the run without a report. */
static void survive_file_limit(void)
{
    (void)signal(SIGXFSZ, SIG_IGN);
}

static int add_unsaved(struct run_data *run, struct stage_data *unsaved)
{
    struct stage_data *grown = realloc(run->stages, (run->n_stages + 1) * sizeof *grown);
    if (!grown) return -1;
    run->stages = grown;
    run->stages[run->n_stages++] = *unsaved;
    free(unsaved);
    return 0;
}

/* The run's own end decides: a signal, then what broke, then what the numbers deserve. */
static int final_status(const struct drive_result *r, int reported)
{
    if (r->signal) return 128 + r->signal;
    if (r->err.code) return err_exit_status(&r->err);
    if (r->incomplete && reported != 3) return 4;
    return reported;
}

static int finish(struct store *store, const char *dir, struct drive_result *res, int *ret_status, struct err *e)
{
    struct err first = {0};
    struct run_data run = {0};
    int reported = 1, rc = store_run_end(store, res->signal, &first);
    if (store_load(store, &run, e)) return -1;
    run.signal = res->signal;
    if (res->unsaved && add_unsaved(&run, res->unsaved) == 0) res->unsaved = NULL;
    if (report_all(&run, dir, true, &reported, e))
        rc = -1;
    else if (rc)
        *e = first;
    run_data_clear(&run);
    *ret_status = final_status(res, reported);
    if (res->err.code) log_error("%s", res->err.text);
    if (rc && res->err.code) { /* a full disk has been told already */
        log_warn("%s", e->text);
        rc = 0;
    }
    return rc;
}

/* Not ready any more: a service must not send the agents of the next run here. */
static void hold(const char *dir, struct run_page *page, int signal_fd)
{
    char words[32];
    run_page_ready(page, false, "the run is over; its folder waits to be fetched");
    if (opt.hold_ns == 0) return;
    log_info("the folder %s can be fetched for %s; touch %s/" HOLD_FETCHED " lets go", dir,
             duration_format(opt.hold_ns, words, sizeof words), dir);
    if (!hold_until_fetched(dir, opt.hold_ns, signal_fd)) log_info("nobody has said that the folder was fetched");
}

static int run_it(const char *dir, struct run_data *meta, const struct buf *signature, int signal_fd, int *ret_status,
                  struct err *e)
{
    struct link_options lo = {.listen = opt.listen  ? opt.listen
                                        : opt.local ? LISTEN_LOCAL
                                                    : LISTEN_DEFAULT,
                              .keys = opt.keys,
                              .insecure = opt.insecure};
    struct run_page page;
    struct drive_options d = {.meta = meta, .signal_fd = signal_fd, .page = &page, .signature = {signature->data, signature->len}};
    struct drive_result res = {0};
    int rc = -1;
    if (opt.keys && opt.insecure) return err_set(e, ERR_USAGE, "--keys and --insecure: one of them");
    if (run_page_open(&page, opt.http, e)) return -1;
    if (!(d.link = link_open(&lo, e))) {
        run_page_close(&page);
        return -1;
    }
    run_page_ready(&page, true, "listening");
    meta->insecure = !link_is_loopback(d.link) && !link_is_authenticated(d.link);
    d.store = store_create(dir, meta, e);
    if (d.store && (!opt.local || (d.local = local_start(opt.local, link_endpoint(d.link), opt.keys, e)))) {
        log_info("run %s: folder %s, listening on %s", meta->run_id, dir, link_endpoint(d.link));
        rc = drive_run(&d, &res, e);
    }
    local_stop(&d.local);
    link_close(&d.link);
    if (rc == 0) rc = finish(d.store, dir, &res, ret_status, e);
    if (res.unsaved) stage_data_clear(res.unsaved);
    free(res.unsaved);
    store_close(&d.store);
    if (rc == 0 && !res.signal) hold(dir, &page, signal_fd);
    run_page_close(&page);
    return rc;
}

int cmd_run(int argc, char **argv)
{
    const char **words = calloc((size_t)argc + 1, sizeof *words);
    size_t n = 0;
    struct err e = {0};
    struct run_data meta = {0};
    struct buf signature = BUF_INIT(SIGN_ENVELOPE_MAX);
    char dir[512];
    int status = 1;
    int rc = words ? args_parse(&ARGS, argc, argv, words, &n, &e) : err_set(&e, ERR_NOMEM, "no memory");
    if (rc == 1) {
        free(words);
        return 0;
    }
    int fd = -1;
    if (rc == 0) rc = load_plan(words[0], &meta, &e);
    if (rc == 0 && opt.signature) rc = read_file(opt.signature, &signature, &e);
    if (rc == 0) rc = name_run(&meta, dir, sizeof dir, &e);
    if (rc == 0 && (fd = block_signals(&e)) < 0) rc = -1;
    if (rc == 0) {
        harden_process();
        raise_descriptors();
        survive_file_limit();
        rc = run_it(dir, &meta, &signature, fd, &status, &e);
    }
    if (rc) {
        log_error("%s", e.text);
        status = err_exit_status(&e);
    }
    if (fd >= 0) (void)close(fd);
    run_data_clear(&meta);
    buf_free(&signature);
    free(words);
    return status;
}
