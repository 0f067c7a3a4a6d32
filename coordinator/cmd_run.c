/* plateau run PLAN: the whole way from a plan to its report. */
#include <errno.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "common/addr.h"
#include "common/args.h"
#include "common/clock.h"
#include "common/harden.h"
#include "common/keys.h"
#include "common/log.h"
#include "common/sign.h"
#include "coordinator/answer/compare.h"
#include "coordinator/answer/gate_plan.h"
#include "coordinator/cmd.h"
#include "coordinator/corpus/shelf.h"
#include "coordinator/drive.h"
#include "coordinator/hold.h"
#include "coordinator/plan_file.h"
#include "coordinator/quick.h"
#include "coordinator/report/report.h"
#include "coordinator/todo.h"
#include "coordinator/run_page.h"
#include "coordinator/run_ui.h"
#include "coordinator/sinks.h"
#include "coordinator/store/store.h"
#include "coordinator/term.h"

#define LISTEN_DEFAULT "tcp://127.0.0.1:7717"
#define LISTEN_LOCAL "tcp://127.0.0.1:*"
#define DIFFERENCES_MAX 64    /* between two plans; the first that counts is named */
#define OTHER_DESCRIPTORS 64u /* sockets, the run's file, reports */

static struct {
    uint32_t local;
    const char *listen, *out, *seed, *data, *http, *ui, *signature, *keys, *resume_hint, *agents_hint;
    int64_t hold_ns;
    struct arg_list set;
    bool insecure, resume_if_there, no_probe;
    const char *resume;
    struct quick quick;
} opt = {.local = UINT32_MAX}; /* not given */

/* What is to be run, and where. */
struct order {
    char dir[512];
    struct run_data meta;
    struct buf signature;
    struct store *store; /* of a run that continues; NULL: it is made when the run can begin */
    struct store_past past;
    int lock; /* of the folder; -1 = not yet held */
    char data_dir[512];
    struct shelf *shelf; /* the plan's data */
};

static const struct arg TABLE[] = {
#define X(option, kind, field, value, help) {option, kind, &opt.quick.field, value, help},
#include "coordinator/quick.def"
#undef X
    {"local", ARG_U32, &opt.local, "N",
     "start N agents as processes of this machine; without --listen, no other agent is admitted"},
    {"listen", ARG_TEXT, &opt.listen, "tcp://ADDR:PORT",
     "where agents connect (" LISTEN_DEFAULT "); ADDR * is every address, IPv4 and IPv6"},
    {"out", ARG_TEXT, &opt.out, "DIR", "folder of the run (./run-DATE-TIME)"},
    {"resume", ARG_TEXT, &opt.resume, "DIR",
     "continue the interrupted run in DIR; without PLAN, --set, --seed and --out"},
    {"resume-if-there", ARG_FLAG, &opt.resume_if_there, NULL,
     "with --out: continue the run in that folder, report it again if it is finished, else begin one"},
    {"set", ARG_MANY, &opt.set, "path=value", "overrides a key of the plan; may be given again"},
    {"seed", ARG_TEXT, &opt.seed, "N", "overrides the plan's seed"},
    {"data", ARG_TEXT, &opt.data, "DIR",
     "where data sets and traces are kept for agents ($XDG_CACHE_HOME/plateau, ~/.cache/plateau)"},
    {"signature", ARG_TEXT, &opt.signature, "FILE", "of the plan, made by plateau sign"},
    {"no-probe", ARG_FLAG, &opt.no_probe, NULL,
     "begin without the one short request that shows whether the target answers as the plan wants it"},
    {"http", ARG_TEXT, &opt.http, "ADDR:PORT", "status page: /healthz, /readyz, /metrics; ADDR * as above"},
    {"ui", ARG_TEXT, &opt.ui, "ADDR:PORT",
     "live page for a browser: the report as it fills, progress, a button that ends the run"},
    {"hold", ARG_DURATION, &opt.hold_ns, "TIME",
     "wait after the run until DIR/" HOLD_FETCHED " exists, at most this long"},
    {"resume-hint", ARG_TEXT, &opt.resume_hint, "TEXT",
     "how a person continues this run, where that is not plateau run --resume DIR (in a container)"},
    {"agents-hint", ARG_TEXT, &opt.agents_hint, "TEXT",
     "how a person sees where the agents are; logged while they are waited for, and when one is lost"},
    {"keys", ARG_TEXT, &opt.keys, "DIR",
     "admit only agents whose keys DIR/allowed names (plateau keys); SIGHUP rereads it"},
    {"insecure", ARG_FLAG, &opt.insecure, NULL, "listen off loopback without authentication"},
    {NULL, ARG_FLAG, NULL, NULL, NULL},
};
static const struct args ARGS = {
    .program = "plateau run",
    .usage = "PLAN [options] | --url URL --model NAME [options] | --resume DIR [options]",
    .about =
        "Runs a plan over agents and reports; PLAN may be - for standard input. Without --local it waits for\n"
        "agents.count agents to connect (plateau-agent --connect). With --url no plan is needed: the options make\n"
        "one, and an agent is started on this machine. Ctrl-C once drains and reports, twice ends at once.\n\n"
        "  plateau run --url http://127.0.0.1:8000 --model llama-3.1-8b\n"
        "  plateau run --url http://127.0.0.1:8000 --model m --rate 5,10,20 --duration 30s\n"
        "  plateau run --url https://gw.example.com --model m --key-env API_KEY --search --slo 'ttft.p99 < 800ms'\n"
        "  plateau run plan.yaml --local 2 --set load.concurrency=1,2,4\n"
        "  plateau run plan.yaml --listen tcp://0.0.0.0:7717 --keys keys",
    .table = TABLE,
    .least = 0,
    .most = 1,
};

static void tell_data(void *arg, const char *text)
{
    (void)arg;
    log_info("%s", text);
}

/* The data of the plan; known: those of a run that continues. */
static int fill_shelf(struct order *o, const char *plan_path, bool known, struct err *e)
{
    if (opt.data ? (size_t)snprintf(o->data_dir, sizeof o->data_dir, "%s", opt.data) >= sizeof o->data_dir
                 : shelf_default_dir(o->data_dir, sizeof o->data_dir) != 0)
        o->data_dir[0] = 0;
    o->shelf = shelf_fill(o->meta.plan, plan_path, o->data_dir, known, tell_data, NULL, e);
    return o->shelf ? 0 : -1;
}

/* Options that override the plan are set as by --set, so that the resolved plan and its hash show what was run. */
static struct plan *plan_of_options(const char *path, const struct buf *text, uint32_t agents, struct err *e)
{
    char count[40], seed[64];
    const char *set[ARG_LIST_MAX + 2];
    size_t n = 0;
    for (size_t i = 0; i < opt.set.n; i++)
        set[n++] = opt.set.item[i];
    if (agents) {
        (void)snprintf(count, sizeof count, "agents.count=%u", agents);
        set[n++] = count;
    }
    if (opt.seed) {
        if ((size_t)snprintf(seed, sizeof seed, "seed=%s", opt.seed) >= sizeof seed) {
            (void)err_set(e, ERR_USAGE, "--seed: expected a number");
            return NULL;
        }
        set[n++] = seed;
    }
    if (!path) path = "the plan of the command line";
    return plan_load(strcmp(path, "-") == 0 ? "standard input" : path, buf_str(text), text->len, set, n, e);
}

/* path: NULL where options make the plan. */
static int read_plan(const char *path, struct buf *text, struct err *e)
{
    return path ? plan_file_read(path, text, e) : quick_plan(&opt.quick, text, e);
}

static int load_plan(const char *path, struct order *o, struct err *e)
{
    struct run_data *run = &o->meta;
    run->plan_text = (struct buf)BUF_INIT(PLAN_FILE_MAX);
    if (read_plan(path, &run->plan_text, e)) return -1;
    run->plan = plan_of_options(path, &run->plan_text, opt.local, e);
    if (!run->plan) return -1;
    run->seed = run->plan->seed;
    if (fill_shelf(o, path, false, e)) return -1;
    return plan_hash(run->plan, run->plan_hash) ? err_set(e, ERR_NOMEM, "no memory for the plan's hash") : 0;
}

static int name_folder(const char *name, char *dir, size_t n, struct err *e)
{
    int len = snprintf(dir, n, "%s", name);
    return len <= 0 || (size_t)len >= n ? err_set(e, ERR_USAGE, "the folder's name is empty or too long") : 0;
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
    if (opt.out) return name_folder(opt.out, dir, n, e);
    (void)snprintf(dir, n, "run-%s", stamp);
    if (access(dir, F_OK) == 0) (void)snprintf(dir, n, "run-%s", run->run_id); /* two runs began in one second */
    return 0;
}

/* ---- a run that is there already ---- */

/* Nothing is left to do; if the run was killed after its last stage, only its end is missing. Returns 1. */
static int report_again(struct order *o, int *ret_status, struct err *e)
{
    struct run_data whole = {0};
    char ended[40];
    if (o->meta.ended_wall_ns == 0 && store_run_end(o->store, 0, e)) return -1;
    if (store_load(o->store, &whole, e)) return -1;
    (void)clock_wall_text(whole.ended_wall_ns, ended, sizeof ended);
    log_warn("%s: this run ended at %s. Its reports are made again; nothing is measured now", o->dir, ended);
    report_say_ended(&whole);
    int rc = report_all(&whole, o->dir, true, ret_status, e);
    if (rc == 0) log_warn("exit status %d is that of the run that ended at %s", *ret_status, ended);
    run_data_clear(&whole);
    return rc ? -1 : 1;
}

/* What follows from a file is in a plan only when that was read. */
static bool follows_from_file(const struct plan *p, const char *line)
{
    static const char *const FROM[] = {"workload", "load", "target.tokenizer"};
    bool reads = p->target.tokenizer.file;
    for (size_t i = 0; i < p->n_workloads; i++)
        reads |= workload_reads_file(&p->workloads[i]) || p->workloads[i].lengths.file;
    for (size_t i = 0; reads && i < sizeof FROM / sizeof *FROM; i++)
        if (strncmp(line, FROM[i], strlen(FROM[i])) == 0) return true;
    return false;
}

/* Options such as --set and --seed are part of the plan, and its text does not hold them. How many agents there are
 * belongs to each start. */
static int same_options(const struct order *o, const char *path, const struct buf *text, struct err *e)
{
    struct buf lines = BUF_INIT(1u << 16);
    struct plan *now = plan_of_options(path, text, o->meta.plan->agents_count, e);
    int rc = now ? compare_plans(o->meta.plan, now, DIFFERENCES_MAX, &lines, e) : -1;
    for (const char *at = buf_str(&lines); rc == 0 && *at; at += strcspn(at, "\n") + 1)
        if (!follows_from_file(o->meta.plan, at))
            rc = err_set(e, ERR_USAGE, "%.200s: holds a run of another plan (%.*s); give another folder", o->dir,
                         (int)strcspn(at, "\n"), at);
    plan_destroy(&now);
    buf_clear(&lines);
    return rc;
}

/* The plan that is given, by a file or by options, must be the run's. */
static int same_plan(const struct order *o, const char *path, struct err *e)
{
    struct buf text = BUF_INIT(PLAN_FILE_MAX);
    int rc = read_plan(path, &text, e);
    if (rc == 0 &&
        (text.len != o->meta.plan_text.len || (text.len && memcmp(text.data, o->meta.plan_text.data, text.len) != 0)))
        rc = err_set(e, ERR_USAGE, "%.200s: holds a run of another plan than %.200s; give another folder", o->dir,
                     path ? path : "these options make");
    if (rc == 0) rc = same_options(o, path, &text, e);
    buf_clear(&text);
    return rc;
}

/* 0: continues; 1: was finished, its status is known; -1: cannot. */
static int reopen(struct order *o, const char *plan, int *ret_status, struct err *e)
{
    if ((o->lock = store_lock(o->dir, e)) < 0 || !(o->store = store_open(o->dir, e))) return -1;
    if (store_load(o->store, &o->meta, e) || store_past(o->store, &o->past, e)) return -1;
    if (todo_can_continue(&o->meta, o->dir, PLATEAU_VERSION, e) || (!opt.resume && same_plan(o, plan, e))) return -1;
    int finished = todo_is_over(&o->meta, e);
    if (finished == 0) return fill_shelf(o, NULL, true, e);
    if (finished < 0) return -1;
    if (!opt.resume_if_there && o->meta.ended_wall_ns)
        return err_set(e, ERR_USAGE, "%.200s: this run is finished; plateau report makes its reports again", o->dir);
    return report_again(o, ret_status, e);
}

static bool holds_run(const char *dir)
{
    char path[560];
    (void)snprintf(path, sizeof path, "%s/run.sqlite", dir);
    return access(path, F_OK) == 0;
}

/* As above: 0: begin or continue; 1: was finished; -1. */
static int prepare(struct order *o, const char *plan, int *ret_status, struct err *e)
{
    char meant[sizeof o->dir];
    if (opt.resume)
        return name_folder(store_folder(opt.resume, meant, sizeof meant), o->dir, sizeof o->dir, e)
                   ? -1
                   : reopen(o, NULL, ret_status, e);
    if (opt.resume_if_there && holds_run(opt.out))
        return name_folder(opt.out, o->dir, sizeof o->dir, e) ? -1 : reopen(o, plan, ret_status, e);
    if (load_plan(plan, o, e) || name_run(&o->meta, o->dir, sizeof o->dir, e)) return -1;
    return holds_run(o->dir) ? 0 : report_folder_is_free(o->dir, e); /* a run that is there is refused later */
}

static int check_words(size_t n, struct err *e)
{
    if (opt.local == 0)
        return err_set(e, ERR_USAGE,
                       "--local: at least 1 agent is needed; without --local, agents connect by themselves");
    if (opt.local == UINT32_MAX) opt.local = 0;
    if (opt.local > LOCAL_MAX) return err_set(e, ERR_USAGE, "--local: at most %u agents on one machine", LOCAL_MAX);
    bool quick = quick_given(&opt.quick);
    if (opt.resume && (n || quick || opt.set.n || opt.seed || opt.out || opt.resume_if_there))
        return err_set(e, ERR_USAGE,
                       "--resume DIR continues with the plan of DIR: give no PLAN, --url, --set, --seed, --out or "
                       "--resume-if-there with it");
    if (n && quick)
        return err_set(e, ERR_USAGE,
                       "a PLAN and --url with its options: give one of them; --set changes a value of a plan");
    if (!opt.resume && n == 0 && !quick)
        return err_set(e, ERR_USAGE, "give a PLAN, or --url URL --model NAME to run without one");
    if (quick && opt.local == 0 && !opt.listen && !opt.keys) opt.local = 1;
    if (opt.resume_if_there && !opt.out)
        return err_set(e, ERR_USAGE, "--resume-if-there needs --out DIR: the folder to look into");
    if (opt.listen && !addr_port_valid(opt.listen, true))
        return err_set(
            e, ERR_USAGE,
            "--listen: expected tcp://ADDR:PORT, PORT a number up to 65535 or * for any that is free, got \"%s\"",
            opt.listen);
    if (opt.keys && opt.insecure) return err_set(e, ERR_USAGE, "give --keys or --insecure, not both");
    return 0;
}

/* One descriptor per agent; without them agents could not connect, and no message would say why. */
static int raise_descriptors(uint32_t agents, struct err *e)
{
    struct rlimit r;
    rlim_t need = (rlim_t)agents + OTHER_DESCRIPTORS;
    if (getrlimit(RLIMIT_NOFILE, &r)) return 0;
    if (r.rlim_cur < r.rlim_max) {
        r.rlim_cur = r.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &r);
    }
    if (r.rlim_max >= need) return 0;
    return err_set(e, ERR_LIMIT,
                   "%u agents need %llu open files, but the limit is %llu: raise it (ulimit -n, LimitNOFILE=)", agents,
                   (unsigned long long)need, (unsigned long long)r.rlim_max);
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

/* The first that applies: a signal, the error that ended the run, what the numbers deserve (analysis.h). */
static int run_exit_status(const struct drive_result *r, int reported)
{
    if (r->signal) return 128 + r->signal;
    if (r->err.code) return err_exit_status(&r->err);
    if (r->incomplete && reported != 3) return 4;
    return reported;
}

static bool anything_ok(const struct run_data *run)
{
    for (size_t i = 0; i < run->n_stages; i++)
        if (run->stages[i].counters[COUNTER_OK]) return true;
    return false;
}

/* Where other programs would go through a proxy and these do not, a person would look for the fault elsewhere. */
static void tell_proxy(void)
{
    static const char *const NAMES[] = {"HTTPS_PROXY", "https_proxy", "HTTP_PROXY",
                                        "http_proxy",  "ALL_PROXY",   "all_proxy"};
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        const char *value = getenv(NAMES[i]);
        if (!value || !*value) continue;
        log_info("%s is set and not used: the plan decides, and requests go straight to target.url (target.proxy: "
                 "environment "
                 "uses it)",
                 NAMES[i]);
        return;
    }
}

static void tell_note(void *arg, const char *sentence)
{
    (void)arg;
    log_warn("%s", sentence);
}

/* In a container a person continues the run by a command of the orchestrator's, which alone knows it. */
static void tell_resume(const char *dir)
{
    if (opt.resume_hint)
        log_info("the run is not finished; what is missing is measured by: %s", opt.resume_hint);
    else
        log_info("the run is not finished: plateau run --resume %s continues with what is missing", dir);
}

/* What the exit status means, and what can be done about it. */
static void tell_end(int status, const struct run_data *run, const char *dir)
{
    static const struct {
        int status;
        const char *words;
    } WORDS[] = {
        {3, "a point is invalid or stages are missing; the first line says why"},
        {4, "agents were lost or did not come: stages are made of fewer than they should be, or are missing"},
        {99, "a gate of the SLO is broken, or could not be decided: the first line says which of them"},
        {128 + SIGINT, "ended by Ctrl-C, or by the stop button of the live page"},
        {128 + SIGTERM, "ended by SIGTERM"},
    };
    struct err e = {0};
    for (size_t i = 0; i < sizeof WORDS / sizeof *WORDS; i++)
        if (WORDS[i].status == status) log_info("exit status %d: %s", status, WORDS[i].words);
    if (status == 4 && opt.agents_hint) log_info("%s", opt.agents_hint);
    if (!anything_ok(run)) return; /* there is nothing to continue from */
    if (todo_is_over(run, &e) == 0 && todo_can_continue(run, dir, PLATEAU_VERSION, &e) == 0) tell_resume(dir);
}

/* A run that never came to a stage, in a folder that nobody asked for: its report would be empty. */
static bool is_litter(const struct order *o, const struct run_data *run, const struct drive_result *res)
{
    return run->n_stages == 0 && !res->unsaved && res->err.code && !opt.out && !opt.resume && !opt.ui && !opt.hold_ns &&
           shelf_is_empty(o->shelf);
}

static void drop_folder(struct order *o)
{
    static const char *const FILES[] = {"run.sqlite", "run.sqlite-wal", "run.sqlite-shm"};
    char path[560];
    store_close(&o->store);
    for (size_t i = 0; i < sizeof FILES / sizeof *FILES; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", o->dir, FILES[i]);
        (void)unlink(path);
    }
    if (rmdir(o->dir) == 0) log_info("nothing was measured, so folder %s was removed; --out DIR keeps one", o->dir);
}

static int finish(struct order *o, struct drive_result *res, int *ret_status, struct err *e)
{
    struct store *store = o->store;
    const char *dir = o->dir;
    struct err first = {0};
    struct run_data run = {0};
    int reported = 1, rc = store_run_end(store, res->signal, &first);
    if (store_load(store, &run, e)) return -1;
    run.signal = res->signal;
    if (res->unsaved && add_unsaved(&run, res->unsaved) == 0) res->unsaved = NULL;
    bool litter = is_litter(o, &run, res);
    if (!litter && report_all(&run, dir, true, &reported, e))
        rc = -1;
    else if (rc)
        *e = first;
    *ret_status = run_exit_status(res, reported);
    if (res->err.code) log_error("%s", res->err.text);
    tell_end(*ret_status, &run, dir);
    run_data_clear(&run);
    if (litter && !rc) drop_folder(o);
    if (rc && res->err.code) { /* a full disk has been logged already */
        log_warn("%s", e->text);
        rc = 0;
    }
    return rc;
}

/* The page turns to not ready first: a service must not send the agents of the next run here. */
static void hold(const char *dir, struct run_page *page, int signal_fd)
{
    char words[32];
    run_page_ready(page, false, "the run is over; its folder is waiting to be fetched");
    if (opt.hold_ns == 0) return;
    log_info("the folder %s can be fetched for %s; touch %s/" HOLD_FETCHED " ends the wait", dir,
             clock_duration_text(opt.hold_ns, words, sizeof words), dir);
    if (!hold_until_fetched(dir, opt.hold_ns, signal_fd))
        log_info("the wait is over: nobody marked the folder as fetched");
}

static int begin_or_go_on(struct order *o, struct err *e)
{
    char text[100];
    size_t whole = 0;
    if (!o->store) {
        if (!(o->store = store_create(o->dir, &o->meta, e))) return -1;
        return (o->lock = store_lock(o->dir, e)) < 0 ? -1 : 0;
    }
    for (size_t i = 0; i < o->meta.n_stages; i++)
        whole += !o->meta.stages[i].aborted;
    (void)snprintf(text, sizeof text, "the run is resumed: %zu of its stages %s finished", whole,
                   whole == 1 ? "is" : "are");
    log_info("%s", text);
    return store_go_on(o->store, o->meta.insecure, e) || store_event(o->store, RUN_EVENT_RESUMED, text, e) ? -1 : 0;
}

static int leave_or_finish(struct order *o, struct drive_result *res, int *ret_status, struct err *e)
{
    if (!res->left) return finish(o, res, ret_status, e);
    log_info("the run is left unfinished and its agents wait: --resume-if-there continues it");
    *ret_status = 128 + SIGTERM;
    return 0;
}

static int run_it(struct order *o, int signal_fd, int *ret_status, struct err *e)
{
    struct key_pair own;
    struct link_options lo = {.listen = opt.listen  ? opt.listen
                                        : opt.local ? LISTEN_LOCAL
                                                    : LISTEN_DEFAULT,
                              .keys = opt.keys,
                              .local = opt.local && !opt.listen && !opt.keys ? &own : NULL,
                              .insecure = opt.insecure};
    struct run_page page;
    struct term term;
    struct run_ui ui;
    struct sink followers[] = {{&SINK_TERM, &term}, {&SINK_STATUS, &page}, {&SINK_STORE, NULL}, {&SINK_UI, &ui}};
    struct drive_options d = {.meta = &o->meta,
                              .past = o->past,
                              .signal_fd = signal_fd,
                              .sinks = {followers, sizeof followers / sizeof *followers},
                              .probe = !opt.no_probe,
                              .leave_on_term = opt.resume_if_there,
                              .signature = {o->signature.data, o->signature.len},
                              .shelf = o->shelf};
    struct drive_result res = {0};
    int rc = -1;
    if (run_page_open(&page, opt.http, e)) return -1;
    if (run_ui_open(&ui, opt.ui, o->dir, e) || !(d.link = link_open(&lo, e))) {
        run_ui_close(&ui);
        run_page_close(&page);
        return -1;
    }
    run_page_ready(&page, true, "listening");
    o->meta.insecure |= !link_is_loopback(d.link) && !link_is_authenticated(d.link);
    if (o->store) d.wanted = opt.local;
    const char *data = shelf_is_empty(o->shelf) ? NULL : o->data_dir;
    bool started =
        !opt.local || (d.local = drive_start_local(opt.local, d.link, opt.keys, lo.local, data, o->meta.plan, e));
    if (started && begin_or_go_on(o, e) == 0) { /* in this order: a start that fails leaves no folder behind */
        followers[2].arg = o->store;
        term_init(&term, stderr);
        term.endpoint = d.local ? NULL : link_endpoint(d.link);
        term.agents_hint = opt.agents_hint;
        if (!o->meta.plan->target.proxy) tell_proxy();
        gate_notes(o->meta.plan, tell_note, NULL);
        log_info("run %s: folder %s, listening on %s", o->meta.run_id, o->dir, link_endpoint(d.link));
        rc = drive_run(&d, &res, e);
    }
    local_close(&d.local);
    link_close(&d.link);
    if (rc == 0) rc = leave_or_finish(o, &res, ret_status, e);
    if (rc == 0 && !res.left) run_ui_over(&ui, *ret_status);
    if (res.unsaved) stage_data_clear(res.unsaved);
    free(res.unsaved);
    store_close(&o->store);
    if (rc == 0 && !res.signal) hold(o->dir, &page, signal_fd);
    run_ui_close(&ui);
    run_page_close(&page);
    return rc;
}

int cmd_run(int argc, char **argv)
{
    const char *plan = NULL;
    size_t n;
    struct err e = {0};
    struct order o = {.signature = BUF_INIT(SIGN_ENVELOPE_MAX), .lock = -1};
    int status = 1;
    int rc = args_parse(&ARGS, argc, argv, &plan, &n, &e);
    if (rc == 1) return 0;
    int fd = -1;
    if (rc == 0) rc = check_words(n, &e);
    if (rc == 0 && opt.signature) rc = plan_file_read(opt.signature, &o.signature, &e);
    if (rc == 0) rc = prepare(&o, plan, &status, &e);
    if (rc == 0 && opt.no_probe && o.meta.plan && o.meta.plan->target.lengths == LENGTHS_MEASURED)
        rc = err_set(&e, ERR_USAGE, "--no-probe: target.lengths is measured, and the probe is what measures them");
    if (rc == 0 && (fd = drive_signals(&e)) < 0) rc = -1;
    if (rc == 0) {
        harden_process();
        survive_file_limit();
        rc = raise_descriptors(o.meta.plan ? o.meta.plan->agents_count : 1, &e);
        if (rc == 0) rc = run_it(&o, fd, &status, &e);
    }
    if (rc < 0) {
        log_error("%s", e.text);
        status = err_exit_status(&e);
    }
    if (fd >= 0) (void)close(fd);
    store_close(&o.store);
    if (o.lock >= 0) (void)close(o.lock);
    run_data_clear(&o.meta);
    shelf_destroy(&o.shelf);
    buf_clear(&o.signature);
    return status;
}
