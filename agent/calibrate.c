#include "agent/calibrate.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/engine.h"
#include "agent/null_end.h"
#include "common/clock.h"

#define STREAMS 64u /* a worker */
#define GAP_NS (10 * NS_PER_MS)
#define HEADROOM 0.8
#define WAIT_MS 15000
#define CAPACITY_MAX UINT64_C(1000000000000)

/* ---- measuring ---- */

/* An agent reads no YAML, but the JSON of a plan. */
static struct plan *make_plan(uint16_t port, uint32_t streams, struct err *e)
{
    struct buf b = BUF_INIT(4096);
    (void)buf_printf(&b,
                     "{\"plan\":1,\"target\":{\"url\":\"http://127.0.0.1:%u/v1/chat/completions\",\"model\":\"null\"},"
                     "\"workload\":{\"synthetic\":{\"input_tokens\":16,\"output_tokens\":%d}},"
                     "\"load\":{\"concurrency\":%" PRIu32 ",\"duration\":\"3s\",\"warmup\":0}}",
                     port, NULL_END_TOKENS, streams);
    struct plan *p = b.bad ? NULL : plan_from_json(buf_str(&b), b.len, e);
    buf_clear(&b);
    return p;
}

/* Runs the stage and adds up its snapshots. Every wait has a time limit. */
static int run_stage(struct engine *engine, struct snapshot *all, struct err *e)
{
    struct pollfd pfd = {.fd = engine_fd(engine), .events = POLLIN};
    for (;;) {
        struct engine_event ev;
        if (!engine_next(engine, &ev)) {
            if (poll(&pfd, 1, WAIT_MS) <= 0) return err_set(e, ERR_INTERNAL, "calibration: the engine says nothing");
            continue;
        }
        if (ev.kind == ENGINE_SNAPSHOT) {
            int rc = snapshot_extend(all, ev.snapshot);
            engine_recycle(engine, &ev.snapshot);
            if (rc) return err_set(e, ERR_NOMEM, "calibration: no memory");
            continue;
        }
        if (ev.err.code != ERR_NONE) {
            *e = ev.err;
            return -1;
        }
        if (ev.kind == ENGINE_DONE) return 0;
        if (engine_go(engine, clock_mono_ns() + 50 * NS_PER_MS, e)) return -1;
    }
}

static int conclude(const struct snapshot *all, uint32_t cores, struct calibration *ret, struct err *e)
{
    const uint64_t *c = all->counters;
    if (c[COUNTER_OK] == 0 || c[COUNTER_EVENTS] == 0 || c[COUNTER_CPU_NS] == 0)
        return err_set(e, ERR_INTERNAL, "calibration: nothing was measured: %" PRIu64 " requests, %" PRIu64 " failed",
                       c[COUNTER_DUE], counters_failed(c));
    double ns = (double)c[COUNTER_CPU_NS] / (double)c[COUNTER_EVENTS];
    ret->cores = cores;
    ret->us_per_token = ns / 1e3;
    ret->capacity = (uint64_t)(HEADROOM * cores * 1e9 / ns);
    return 0;
}

int calibrate_measure(uint32_t workers, struct calibration *ret, struct err *e)
{
    struct host h;
    host_read(&h);
    struct engine_options o = {.workers = workers};
    struct engine *engine = engine_new(&o, e);
    if (!engine) return -1;
    uint32_t streams = STREAMS * engine_workers(engine);
    struct null_end *end = null_end_open(streams * 2, GAP_NS, e);
    struct plan *p = end ? make_plan(null_end_port(end), streams, e) : NULL;
    struct snapshot *all = snapshot_new(false);
    struct shard shard = {0};
    int rc = -1;
    if (p && all && engine_plan(engine, p, e) == 0 && shard_whole(p, &p->stages[0], 1, &shard, e) == 0 &&
        engine_arm(engine, &shard, e) == 0 && run_stage(engine, all, e) == 0)
        rc = conclude(all, h.usable, ret, e);
    shard_clear(&shard);
    snapshot_destroy(&all);
    engine_destroy(&engine);
    plan_destroy(&p);
    null_end_close(&end);
    return rc;
}

/* ---- the file ---- */

int calibrate_dir(const char *state, char *ret, size_t n)
{
    const char *xdg = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    int len = -1;
    if (state)
        len = snprintf(ret, n, "%s", state);
    else if (xdg && *xdg == '/')
        len = snprintf(ret, n, "%s/plateau", xdg);
    else if (home && *home)
        len = snprintf(ret, n, "%s/.local/state/plateau", home);
    return len > 0 && (size_t)len < n ? 0 : -1;
}

static int make_dirs(const char *dir, struct err *e)
{
    char path[512];
    int n = snprintf(path, sizeof path, "%s", dir);
    if (n <= 0 || (size_t)n >= sizeof path) return err_set(e, ERR_USAGE, "%.100s: not a usable folder name", dir);
    for (char *p = path + 1;; p++) {
        if (*p && *p != '/') continue;
        char was = *p;
        *p = 0;
        if (mkdir(path, 0755) && errno != EEXIST)
            return err_set(e, ERR_IO, "%s: cannot make the folder: %s", path, strerror(errno));
        *p = was;
        if (!was) return 0;
    }
}

int calibrate_save(const char *dir, const struct calibration *c, struct err *e)
{
    char path[600], half[620];
    if (make_dirs(dir, e)) return -1;
    (void)snprintf(path, sizeof path, "%s/capacity", dir);
    (void)snprintf(half, sizeof half, "%s.new", path);
    FILE *f = fopen(half, "we");
    if (!f) return err_set(e, ERR_IO, "%s: %s", half, strerror(errno));
    bool bad = fprintf(f, "plateau-capacity 1\ncores %" PRIu32 "\ntokens_per_s %" PRIu64 "\nus_per_token %.3f\n",
                       c->cores, c->capacity, c->us_per_token) < 0;
    bad |= fclose(f) != 0;
    if (!bad && rename(half, path) == 0) return 0;
    (void)err_set(e, ERR_IO, "%s: %s", path, strerror(errno));
    (void)unlink(half);
    return -1;
}

int calibrate_load(const char *dir, const struct host *here, struct calibration *ret, struct err *e)
{
    char path[600], text[256];
    *ret = (struct calibration){0};
    (void)snprintf(path, sizeof path, "%s/capacity", dir);
    FILE *f = fopen(path, "re");
    if (!f) return errno == ENOENT || errno == ENOTDIR ? 0 : err_set(e, ERR_IO, "%s: %s", path, strerror(errno));
    size_t n = fread(text, 1, sizeof text - 1, f);
    (void)fclose(f);
    text[n] = 0;
    struct calibration c = {0};
    if (sscanf(text, "plateau-capacity 1 cores %" SCNu32 " tokens_per_s %" SCNu64 " us_per_token %lf", &c.cores,
               &c.capacity, &c.us_per_token) != 3 ||
        c.capacity == 0 || c.capacity > CAPACITY_MAX)
        return err_set(e, ERR_USAGE, "%s: is not a calibration; make it anew with --calibrate", path);
    if (c.cores != here->usable)
        return err_set(e, ERR_USAGE,
                       "%s: was measured on %" PRIu32 " cores and %" PRIu32
                       " are usable now; make it anew with --calibrate",
                       path, c.cores, here->usable);
    *ret = c;
    return 0;
}
