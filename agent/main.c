/* plateau-agent: dials its coordinator and carries the shards it is given. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "agent/calibrate.h"
#include "agent/control.h"
#include "agent/guard.h"
#include "common/addr.h"
#include "common/args.h"
#include "common/harden.h"
#include "common/keys.h"
#include "common/log.h"
#include "common/sign.h"

#define NO_FD UINT32_MAX

static struct {
    const char *connect, *name, *http, *require_signed, *keys, *state, *data;
    uint32_t workers, weight, keys_fd;
    struct arg_list sources, allow;
    uint64_t max_connections;
    double max_requests_per_s, max_tokens_per_s;
    int64_t max_duration_ns, wait_ns;
    bool stay, calibrate, data_checked;
} opt = {.keys_fd = NO_FD, .wait_ns = INT64_C(600000000000)};

static const struct arg TABLE[] = {
    {"connect", ARG_TEXT, &opt.connect, "tcp://HOST:PORT", "the coordinator to dial"},
    {"name", ARG_TEXT, &opt.name, "NAME", "name in reports (host name and process id)"},
    {"workers", ARG_U32_ABOVE_0, &opt.workers, "N", "worker threads (one for each usable core)"},
    {"weight", ARG_U32_ABOVE_0, &opt.weight, "N",
     "share of the load beside other agents (by capacity when all are calibrated, else 1)"},
    {"calibrate", ARG_FLAG, &opt.calibrate, NULL, "measure what this machine carries against itself, keep it, and end"},
    {"data", ARG_TEXT, &opt.data, "DIR",
     "where data sets and traces are looked for and kept, as HASH.corpus; without it they go with the agent"},
    {"data-checked", ARG_FLAG, &opt.data_checked, NULL,
     "who starts this agent has checked what lies there (plateau run --local)"},
    {"state", ARG_TEXT, &opt.state, "DIR", "where that is kept ($XDG_STATE_HOME/plateau, ~/.local/state/plateau)"},
    {"source-address", ARG_MANY, &opt.sources, "IP", "local address to connect from; may be given again"},
    {"wait", ARG_DURATION, &opt.wait_ns, "TIME", "give up when no coordinator is heard for so long (10m; 0 = never)"},
    {"stay", ARG_FLAG, &opt.stay, NULL, "after a run stand by for the next one, for ever (then --wait is never)"},
    {"keys", ARG_TEXT, &opt.keys, "DIR", "agent.key and coordinator.pub made by plateau keys"},
    {"keys-fd", ARG_U32, &opt.keys_fd, "N", "the same in an inherited descriptor (plateau run --local)"},
    {"require-signed", ARG_TEXT, &opt.require_signed, "FILE",
     "run only plans signed by this key (plan.verify of plateau keys)"},
    {"http", ARG_TEXT, &opt.http, "ADDR:PORT",
     "status page: /healthz, /readyz, /metrics; ADDR * is every address, IPv4 and IPv6"},
    {"allow", ARG_MANY, &opt.allow, "RULE",
     "host, URL, network or unix:PATH this agent may load; may be given again (any, and no socket)"},
    {"max-connections", ARG_U64_ABOVE_0, &opt.max_connections, "N",
     "maximum requests in flight that it accepts (no limit)"},
    {"max-requests-per-s", ARG_DOUBLE_ABOVE_0, &opt.max_requests_per_s, "N", "maximum requests per second (no limit)"},
    {"max-tokens-per-s", ARG_DOUBLE_ABOVE_0, &opt.max_tokens_per_s, "N", "maximum tokens per second (no limit)"},
    {"max-duration", ARG_DURATION_ABOVE_0, &opt.max_duration_ns, "TIME", "longest stage (no limit)"},
    {NULL, ARG_FLAG, NULL, NULL, NULL},
};
static const struct args ARGS = {
    .program = "plateau-agent",
    .usage = "--connect tcp://HOST:PORT [options]",
    .about = "Dials a coordinator (plateau run), takes its share of a plan's load and reports what it sees. Ends when "
             "the run\n"
             "is over, or with --stay waits for the next. Only these options limit what a coordinator may ask of it.",
    .table = TABLE,
    .least = 0,
    .most = 0,
};

static int make_guard(struct guard *guard, struct err *e)
{
    *guard = (struct guard){.max_connections = opt.max_connections,
                            .max_requests_per_s = opt.max_requests_per_s,
                            .max_tokens_per_s = opt.max_tokens_per_s,
                            .max_duration_ns = opt.max_duration_ns};
    for (size_t i = 0; i < opt.allow.n; i++)
        if (guard_allow(guard, opt.allow.item[i], e)) return -1;
    return 0;
}

/* Before any thread exists, so that all inherit the mask; control.c reads them. */
static void block_signals(void)
{
    sigset_t s;
    sigemptyset(&s);
    sigaddset(&s, SIGINT);
    sigaddset(&s, SIGTERM);
    sigaddset(&s, SIGHUP);
    (void)sigprocmask(SIG_BLOCK, &s, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
}

/* Without keys any program that answers at that address is taken for the coordinator. */
static void warn_open(const char *connect)
{
    static const char *const LOOPBACK[] = {"tcp://127.", "tcp://localhost:", "tcp://[::1]:"};
    for (size_t i = 0; i < sizeof LOOPBACK / sizeof *LOOPBACK; i++)
        if (strncmp(connect, LOOPBACK[i], strlen(LOOPBACK[i])) == 0) return;
    log_warn("%s is dialled without keys (--keys): nobody proves who he is, and anybody can listen", connect);
}

static int load_keys(struct key_pair *own, char server[KEY_TEXT], struct err *e)
{
    if (opt.keys_fd != NO_FD) return key_bundle_read((int)opt.keys_fd, own, server, e);
    if (opt.keys)
        return key_pair_load(opt.keys, "agent", own, e) || key_public_load(opt.keys, "coordinator", server, e);
    warn_open(opt.connect);
    return 0;
}

static int calibrate(struct err *e)
{
    char dir[512];
    struct calibration c;
    if (calibrate_dir(opt.state, dir, sizeof dir))
        return err_set(e, ERR_USAGE, "--calibrate: no folder to keep it in; give --state DIR");
    if (calibrate_measure(opt.workers, &c, e) || calibrate_save(dir, &c, e)) return -1;
    (void)printf("capacity %" PRIu64 " token/s: %.2f us of CPU a token, %" PRIu32 " cores; kept in %s\n", c.capacity,
                 c.us_per_token, c.cores, dir);
    return 0;
}

/* What was measured before, if anything and if it is of this machine. */
static uint64_t known_capacity(void)
{
    char dir[512];
    struct calibration c;
    struct host h;
    struct err e;
    host_read(&h);
    if (calibrate_dir(opt.state, dir, sizeof dir)) return 0;
    if (calibrate_load(dir, &h, &c, &e)) {
        log_warn("%s", e.text);
        return 0;
    }
    if (c.capacity) log_info("carries %" PRIu64 " token/s by the calibration in %s", c.capacity, dir);
    return c.capacity;
}

static int serve(int *ret_signal, struct err *e)
{
    struct guard guard;
    uint8_t signer[SIGN_PUBLIC_BYTES];
    struct key_pair own;
    char server[KEY_TEXT];
    if (!opt.connect) return err_set(e, ERR_USAGE, "--connect tcp://HOST:PORT is needed: the coordinator to dial");
    if (!addr_port_valid(opt.connect, false))
        return err_set(e, ERR_USAGE, "--connect: expected tcp://HOST:PORT, PORT a number up to 65535, got \"%s\"",
                       opt.connect);
    if (make_guard(&guard, e)) return -1;
    if (opt.require_signed && sign_public_load(opt.require_signed, signer, e)) return -1;
    if (load_keys(&own, server, e)) return -1;
    opt.sources.item[opt.sources.n < ARG_LIST_MAX ? opt.sources.n : ARG_LIST_MAX - 1] = NULL;
    struct page page;
    struct engine_options eo = {.workers = opt.workers, .guard = &guard, .source_addresses = opt.sources.item};
    struct control_options co = {.connect = opt.connect,
                                 .name = opt.name,
                                 .guard = &guard,
                                 .stay = opt.stay,
                                 .patience_ns = opt.stay ? 0 : opt.wait_ns,
                                 .keys = opt.keys || opt.keys_fd != NO_FD ? &own : NULL,
                                 .server_key = server,
                                 .signed_by = opt.require_signed ? signer : NULL,
                                 .told = opt.keys_fd != NO_FD,
                                 .weight = opt.weight,
                                 .capacity = known_capacity(),
                                 .data = opt.data,
                                 .data_checked = opt.data_checked,
                                 .page = &page};
    int rc = page_open(&page, opt.http, opt.stay, e);
    if (rc) {
        key_pair_clear(&own);
        return -1;
    }
    do {
        struct engine *engine = engine_new(&eo, e);
        rc = engine ? control_run(&co, &engine, ret_signal, e) : -1;
    } while (rc == 0 && opt.stay && !*ret_signal);
    page_close(&page);
    key_pair_clear(&own);
    return rc;
}

int main(int argc, char **argv)
{
    size_t n;
    int sig = 0;
    struct err e = {0};
    int rc = args_parse(&ARGS, argc, argv, NULL, &n, &e);
    if (rc == 1) return 0;
    harden_process();
    block_signals();
    if (rc == 0) rc = opt.calibrate ? calibrate(&e) : serve(&sig, &e);
    if (sig) return 128 + sig;
    if (rc == 0) return 0;
    if (e.text[0]) log_error("%s", e.text);
    return err_exit_status(&e);
}
