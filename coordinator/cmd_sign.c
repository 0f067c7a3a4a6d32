/* plateau sign PLAN: a signature that lets agents with --require-signed run this plan, until it expires. */
#include <stdio.h>

#include "common/args.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/plan/plan.h"
#include "common/sign.h"
#include "coordinator/cmd.h"
#include "coordinator/corpus/shelf.h"
#include "coordinator/plan_file.h"

#define EXPIRES_NS (24 * 3600 * NS_PER_S)

struct wish {
    const char *key, *run, *audience, *seed;
    int64_t expires_ns;
    struct arg_list set;
};

static void tell_data(void *arg, const char *text)
{
    (void)arg;
    log_info("%s", text);
}

static int sign_plan(const char *path, const struct wish *w, struct buf *out, struct err *e)
{
    const char *set[ARG_LIST_MAX + 1];
    char seed[64], hash[65];
    size_t n = 0;
    while (n < w->set.n) {
        set[n] = w->set.item[n];
        n++;
    }
    if (w->seed) {
        if ((size_t)snprintf(seed, sizeof seed, "seed=%s", w->seed) >= sizeof seed)
            return err_set(e, ERR_USAGE, "--seed: expected a number");
        set[n++] = seed;
    }
    struct plan *p = plan_file_load(path, set, n, e);
    if (!p) return -1;
    struct shelf *data = shelf_fill(p, path, NULL, false, tell_data, NULL, e);
    if (!data) {
        plan_destroy(&p);
        return -1;
    }
    shelf_destroy(&data);
    int bad = plan_hash(p, hash);
    plan_destroy(&p);
    if (bad) return err_set(e, ERR_NOMEM, "no memory for the plan's hash");
    struct sign_claim c = {
        .run = w->run, .audience = w->audience, .expires_wall_ns = clock_wall_ns() + w->expires_ns, .plan_hash = hash};
    return sign_make(w->key, &c, out, e);
}

int cmd_sign(int argc, char **argv)
{
    static struct wish w = {.run = "*", .audience = "*", .expires_ns = EXPIRES_NS};
    static const struct arg TABLE[] = {
        {"key", ARG_TEXT, &w.key, "FILE", "the signing key, plan.sign of plateau keys"},
        {"run", ARG_TEXT, &w.run, "ID", "only this run; may end with * (any)"},
        {"audience", ARG_TEXT, &w.audience, "NAME", "only agents of this name; may end with * (any)"},
        {"expires", ARG_DURATION, &w.expires_ns, "TIME", "no stage begins after this time (24h)"},
        {"set", ARG_MANY, &w.set, "path=value", "as will be given to plateau run; may be given again"},
        {"seed", ARG_TEXT, &w.seed, "N", "as will be given to plateau run"},
        {NULL, ARG_FLAG, NULL, NULL, NULL},
    };
    static const struct args ARGS = {
        .program = "plateau sign",
        .usage = "PLAN --key FILE [options] > PLAN.sig",
        .about =
            "Signs a plan as it is when resolved, for plateau run --signature PLAN.sig. Give every --set and --seed "
            "here\n"
            "that the run will get; --local N stands for --set agents.count=N.",
        .table = TABLE,
        .least = 1,
        .most = 1,
    };
    const char *file;
    size_t n;
    struct err e = {0};
    struct buf out = BUF_INIT(SIGN_ENVELOPE_MAX);
    int rc = args_parse(&ARGS, argc, argv, &file, &n, &e);
    if (rc == 1) return 0;
    if (rc == 0 && !w.key) rc = err_set(&e, ERR_USAGE, "--key FILE is needed: the signing key made by plateau keys");
    if (rc == 0) rc = sign_plan(file, &w, &out, &e);
    if (rc == 0 && (fwrite(out.data, 1, out.len, stdout) != out.len || fflush(stdout)))
        rc = err_set(&e, ERR_IO, "the signature cannot be written");
    buf_clear(&out);
    if (rc == 0) return 0;
    log_error("%s", e.text);
    return err_exit_status(&e);
}
