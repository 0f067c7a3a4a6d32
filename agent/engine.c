#include "agent/engine.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/guard.h"
#include "agent/host.h"
#include "agent/transport/stamp.h"
#include "agent/worker.h"
#include "common/clock.h"
#include "common/log.h"

#define WORKERS_MAX 256u
#define SOURCES_MAX 64u
/* Descriptors an agent needs beside its connections. */
#define OTHER_DESCRIPTORS 64u
/* Events that one note of a worker can make, and some. */
#define QUEUE_MAX 4u
#define SPARE_MAX 8u
/* Connections an open loop keeps ready beside those in use: what may arrive while new ones are made. */
#define OPEN_RESERVE_S 0.05
#define OPEN_RESERVE_LEAST 4u
#define OPEN_RESERVE_MAX 256u
/* Requests in flight of an open loop without a cap. */
#define OPEN_CAP_MAX 65536u

enum engine_state { ENGINE_IDLE, ENGINE_ARMING, ENGINE_ARMED, ENGINE_RUNNING };

/* What the engine knows of each worker in the stage under way. */
struct part {
    bool fresh;                   /* its snapshot is in `merging` */
    bool last;                    /* … and was its last */
    uint64_t counters[COUNTER_N]; /* its latest, cumulative */
    uint64_t in_flight, waiting;
};

struct engine {
    struct guard guard;
    struct host host;
    int stamps;   /* descriptor that keeps kernel stamps on, or -1 */
    int notes[2]; /* pipe from the workers */
    struct worker *workers;
    struct part *parts;
    uint32_t n_workers, n_started;
    struct sockaddr_storage sources[SOURCES_MAX];
    uint32_t n_sources;

    const struct plan *plan;
    const struct corpus *const *corpora;
    struct target_ref *target;
    struct resolver resolver;
    _Atomic int64_t allowed;
    enum engine_state state;
    uint32_t ready, ended; /* workers that have reported it */
    struct err err;        /* the first one's of this stage */
    int refusal;           /* as in struct worker_note; logged once per stage */
    bool noticed;          /* a worker's notice was logged; once a plan */
    int64_t skew;
    uint64_t arming;          /* number of this arming: notes of an earlier one are late */
    struct snapshot *merging; /* of this second, not all parts in yet */
    struct snapshot *spare[SPARE_MAX];
    uint32_t n_spare;
    struct engine_event queue[QUEUE_MAX]; /* ring; notes are read only while it is empty */
    uint32_t q_at, q_n;
};

/* ---- making and ending ---- */

static int add_sources(struct engine *g, const char *const *list, struct err *e)
{
    for (; list && *list; list++) {
        struct sockaddr_storage *a = &g->sources[g->n_sources];
        struct sockaddr_in *v4 = (struct sockaddr_in *)a;
        struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)a;
        if (g->n_sources == SOURCES_MAX) return err_set(e, ERR_USAGE, "more than %u source addresses", SOURCES_MAX);
        memset(a, 0, sizeof *a);
        if (inet_pton(AF_INET, *list, &v4->sin_addr) == 1)
            a->ss_family = AF_INET;
        else if (inet_pton(AF_INET6, *list, &v6->sin6_addr) == 1)
            a->ss_family = AF_INET6;
        else
            return err_set(e, ERR_USAGE, "source address %s is no IP address", *list);
        g->n_sources++;
    }
    return 0;
}

static int make_pipes(struct engine *g, struct err *e)
{
    if (pipe2(g->notes, O_CLOEXEC) < 0) return err_set(e, ERR_IO, "pipe: %s", strerror(errno));
    fcntl(g->notes[0], F_SETFL, O_NONBLOCK);
    return 0;
}

struct engine *engine_new(const struct engine_options *o, struct err *e)
{
    struct engine *g = calloc(1, sizeof *g);
    if (!g) {
        err_set(e, ERR_NOMEM, "no memory for the engine");
        return NULL;
    }
    if (o->guard) g->guard = *o->guard;
    g->notes[0] = g->notes[1] = -1;
    atomic_init(&g->allowed, INT64_MAX);
    host_read(&g->host);
    g->stamps = stamp_hold();
    g->n_workers = o->workers ? o->workers : g->host.usable;
    if (g->n_workers > WORKERS_MAX) g->n_workers = WORKERS_MAX;
    g->workers = calloc(g->n_workers, sizeof *g->workers);
    g->parts = calloc(g->n_workers, sizeof *g->parts);
    g->merging = snapshot_new(false);
    int rc = g->workers && g->parts && g->merging ? 0 : err_set(e, ERR_NOMEM, "no memory for %u workers", g->n_workers);
    if (rc == 0) rc = add_sources(g, o->source_addresses, e);
    if (rc == 0) rc = make_pipes(g, e);
    for (; rc == 0 && g->n_started < g->n_workers; g->n_started += rc == 0)
        rc = worker_start(&g->workers[g->n_started], g->n_started, g->notes[1], &g->allowed, e);
    if (rc < 0) engine_destroy(&g);
    return g;
}

static void order_all(struct engine *g, struct worker_order o)
{
    for (uint32_t i = 0; i < g->n_started; i++)
        worker_order(&g->workers[i], o);
}

static void close_if(int fd)
{
    if (fd >= 0) close(fd);
}

void engine_destroy(struct engine **pg)
{
    struct engine *g = *pg;
    struct worker_note n;
    if (!g) return;
    order_all(g, (struct worker_order){.kind = ORDER_QUIT});
    for (uint32_t i = 0; i < g->n_started; i++)
        worker_join(&g->workers[i]);
    while (g->notes[0] >= 0 && read(g->notes[0], &n, sizeof n) == (ssize_t)sizeof n)
        if (n.kind == NOTE_SNAPSHOT) snapshot_destroy(&n.snapshot);
    for (; g->q_n > 0; g->q_n--, g->q_at++)
        snapshot_destroy(&g->queue[g->q_at % QUEUE_MAX].snapshot);
    while (g->n_spare > 0)
        snapshot_destroy(&g->spare[--g->n_spare]);
    snapshot_destroy(&g->merging);
    target_ref_drop(&g->target);
    resolver_clear(&g->resolver);
    close_if(g->notes[0]);
    close_if(g->notes[1]);
    close_if(g->stamps);
    free(g->workers);
    free(g->parts);
    free(g);
    *pg = NULL;
}

/* ---- plan, arm, go, stop ---- */

int engine_plan(struct engine *g, const struct plan *p, struct err *e)
{
    if (g->state != ENGINE_IDLE) return err_set(e, ERR_INTERNAL, "a plan came while a stage is armed or running");
    if (guard_check_plan(&g->guard, p, e) < 0) return -1;
    struct target_ref *r = calloc(1, sizeof *r);
    if (!r) return err_set(e, ERR_NOMEM, "no memory for the target");
    atomic_init(&r->refs, 1);
    int rc = target_new(&p->target, &g->guard, &g->resolver, &r->target, e);
    if (rc) {
        free(r);
        return rc;
    }
    target_ref_drop(&g->target);
    g->target = r;
    g->noticed = false;
    g->plan = p;
    g->corpora = NULL;
    return 0;
}

void engine_corpora(struct engine *g, const struct corpus *const *corpora)
{
    g->corpora = corpora;
}

/* Descriptors and ports for the stage; an open loop without a cap gets as many as there are. Returns the maximum number
 * of requests in flight. */
static int reserve(struct engine *g, const struct shard *s, uint32_t *ret_cap, struct err *e)
{
    uint64_t pairs = (uint64_t)g->target->target->n_addresses * (g->n_sources ? g->n_sources : 1);
    uint64_t per = g->plan->target.http == HTTP_2 && !g->plan->target.fresh_connections
                       ? g->plan->target.streams_per_connection
                       : 1;
    uint64_t other = OTHER_DESCRIPTORS + 8u * g->n_workers, cap = s->slots;
    if (s->kind == LOAD_OPEN && cap == 0) {
        uint64_t room = g->host.descriptors > other ? g->host.descriptors - other : 1;
        if (room > g->host.ports * pairs) room = g->host.ports * pairs;
        if (g->guard.max_connections && room > g->guard.max_connections) room = g->guard.max_connections;
        cap = room < OPEN_CAP_MAX ? room : OPEN_CAP_MAX;
    }
    *ret_cap = (uint32_t)cap;
    return host_reserve((cap + per - 1) / per, other, pairs, e);
}

/* For how many requests connections are made ahead. */
static uint32_t warm_wanted(const struct engine *g, const struct shard *s, uint32_t cap)
{
    const struct plan_target *t = &g->plan->target;
    if (t->fresh_connections) return 0;
    if (s->kind == LOAD_CLOSED) return s->slots;
    double own = s->cycle ? (double)s->n_own / s->cycle : 1;
    double rate = (s->rate_from > s->rate_to ? s->rate_from : s->rate_to) * own;
    double reserve = rate * OPEN_RESERVE_S + OPEN_RESERVE_LEAST;
    uint32_t n = reserve < OPEN_RESERVE_MAX ? (uint32_t)reserve : OPEN_RESERVE_MAX;
    return n < cap ? n : cap;
}

static struct worker_stage *stage_for(const struct engine *g, struct shard *part, uint32_t cap)
{
    struct worker_stage *w = calloc(1, sizeof *w);
    if (!w) return NULL;
    w->shard = *part;
    memset(part, 0, sizeof *part);
    w->plan = g->plan;
    w->corpora = g->corpora;
    w->target = g->target;
    atomic_fetch_add(&g->target->refs, 1);
    w->sources = g->n_sources ? g->sources : NULL;
    w->n_sources = g->n_sources;
    w->cap = w->shard.kind == LOAD_OPEN && w->shard.slots ? w->shard.slots : cap / g->n_workers;
    if (w->cap == 0) w->cap = 1;
    w->ready = warm_wanted(g, &w->shard, w->cap);
    w->stamps = g->stamps >= 0;
    w->arming = g->arming;
    return w;
}

/* All parts are made before the first is handed over, so that a failure leaves no worker armed. */
static int hand_out(struct engine *g, struct shard *parts, uint32_t cap, struct err *e)
{
    struct worker_stage *stages[WORKERS_MAX];
    uint32_t n = 0;
    while (n < g->n_workers && (stages[n] = stage_for(g, &parts[n], cap)))
        n++;
    if (n == g->n_workers) {
        for (uint32_t i = 0; i < n; i++)
            worker_order(&g->workers[i], (struct worker_order){.kind = ORDER_ARM, .u.stage = stages[i]});
        return 0;
    }
    while (n-- > 0) {
        shard_clear(&stages[n]->shard);
        target_ref_drop(&stages[n]->target);
        free(stages[n]);
    }
    return err_set(e, ERR_NOMEM, "no memory to arm a stage");
}

int engine_arm(struct engine *g, const struct shard *s, struct err *e)
{
    uint32_t weights[WORKERS_MAX], cap;
    struct shard parts[WORKERS_MAX];
    if (!g->plan) return err_set(e, ERR_INTERNAL, "a stage came before its plan");
    if (g->state != ENGINE_IDLE) return err_set(e, ERR_INTERNAL, "a stage is armed or running already");
    if (!g->merging && !(g->merging = snapshot_new(false))) return err_set(e, ERR_NOMEM, "no memory for a snapshot");
    if (guard_check_shard(&g->guard, s, e) < 0 || reserve(g, s, &cap, e) < 0) return -1;
    for (uint32_t i = 0; i < g->n_workers; i++)
        weights[i] = 1;
    memset(parts, 0, sizeof parts);
    if (shard_split(s, weights, g->n_workers, s->part * 1024, parts, e) < 0) return -1;
    g->arming++;
    int rc = hand_out(g, parts, cap, e);
    for (uint32_t i = 0; i < g->n_workers; i++)
        shard_clear(&parts[i]);
    if (rc < 0) return -1;
    memset(g->parts, 0, g->n_workers * sizeof *g->parts);
    snapshot_reset(g->merging);
    g->ready = g->ended = 0;
    g->err = (struct err){0};
    g->refusal = 0;
    g->skew = INT64_MAX;
    g->state = ENGINE_ARMING;
    return 0;
}

int engine_go(struct engine *g, int64_t t0_ns, struct err *e)
{
    if (g->state != ENGINE_ARMED) return err_set(e, ERR_INTERNAL, "no stage is armed");
    g->state = ENGINE_RUNNING;
    order_all(g, (struct worker_order){.kind = ORDER_GO, .t0 = t0_ns});
    return 0;
}

/* Notes of the workers about an arming that is taken back come late and are ignored. */
static void disarm(struct engine *g)
{
    order_all(g, (struct worker_order){.kind = ORDER_STOP, .now = true});
    g->arming++;
    g->state = ENGINE_IDLE;
}

void engine_stop(struct engine *g, bool now)
{
    if (g->state == ENGINE_RUNNING)
        order_all(g, (struct worker_order){.kind = ORDER_STOP, .now = now});
    else if (g->state != ENGINE_IDLE)
        disarm(g);
}

void engine_allow(struct engine *g, int64_t until_ns)
{
    atomic_store_explicit(&g->allowed, until_ns, memory_order_relaxed);
}

/* ---- events ---- */

static struct engine_event *push(struct engine *g, enum engine_event_kind kind)
{
    struct engine_event *ev = &g->queue[(g->q_at + g->q_n++) % QUEUE_MAX];
    memset(ev, 0, sizeof *ev);
    ev->kind = kind;
    return ev;
}

/* The merged snapshot becomes an event. Without memory for the next one it is kept and covers a longer span. */
static void publish(struct engine *g, bool last)
{
    struct snapshot *s = g->merging, *next = g->n_spare > 0 ? g->spare[--g->n_spare] : snapshot_new(false);
    if (!next && !last) return;
    memset(s->counters, 0, sizeof s->counters);
    s->in_flight = s->waiting = 0;
    for (uint32_t i = 0; i < g->n_workers; i++) {
        counters_add(s->counters, g->parts[i].counters);
        s->in_flight += g->parts[i].in_flight;
        s->waiting += g->parts[i].waiting;
        g->parts[i].fresh = false;
    }
    struct engine_event *ev = push(g, ENGINE_SNAPSHOT);
    ev->snapshot = s;
    ev->last = last;
    g->merging = next;
}

/* Whether every worker that still runs has given its part of this second. */
static bool second_complete(const struct engine *g)
{
    bool running = false;
    for (uint32_t i = 0; i < g->n_workers; i++) {
        if (!g->parts[i].fresh && !g->parts[i].last) return false;
        running |= !g->parts[i].last;
    }
    return running; /* the last one of all is published when all have ended */
}

/* The ledger has one label for many statuses. Whoever mends the server needs the status itself. */
static void tell_refusal(struct engine *g, int status)
{
    static const struct {
        int status;
        const char *hint;
    } HINTS[] = {
        {400, ": does it take target.model, target.body and prompts of this length, and http://, not https://?"},
        {401, ": is the key right (target.auth)?"},
        {403, ": is the key right (target.auth)?"},
        {404, ": are the path of target.url and target.model right?"},
        {405, ": is the path of target.url right?"},
        {429, ": it limits how much it takes"},
    };
    const char *hint = status / 100 == 3 ? ": redirects are not followed, give the final URL" : "";
    for (size_t i = 0; i < sizeof HINTS / sizeof *HINTS; i++)
        if (HINTS[i].status == status) hint = HINTS[i].hint;
    g->refusal = status;
    log_warn("the target answered with status %d%s (logged once per stage)", status, hint);
}

static void take_snapshot(struct engine *g, const struct worker_note *n)
{
    struct part *p = &g->parts[n->worker];
    const struct snapshot *s = n->snapshot;
    if (n->arming == g->arming) {
        memcpy(p->counters, s->counters, sizeof p->counters);
        p->in_flight = s->in_flight;
        p->waiting = s->waiting;
        p->fresh = true;
        p->last = n->last;
        if (n->refusal && !g->refusal) tell_refusal(g, n->refusal);
        if (snapshot_add(g->merging, s) < 0 && g->err.code == ERR_NONE)
            err_set(&g->err, ERR_NOMEM, "no memory to merge the workers' snapshots: samples were lost");
    }
    worker_order(&g->workers[n->worker], (struct worker_order){.kind = ORDER_BACK, .u.snapshot = n->snapshot});
    if (n->arming == g->arming && second_complete(g)) publish(g, false);
}

static void note_error(struct engine *g, const struct worker *w)
{
    if (g->err.code == ERR_NONE && w->err.code != ERR_NONE) g->err = w->err;
}

static void all_ready(struct engine *g)
{
    struct engine_event *ev = push(g, ENGINE_READY);
    ev->err = g->err;
    target_addresses(g->target->target, ev->addresses, sizeof ev->addresses);
    g->state = ENGINE_ARMED;
    if (g->err.code != ERR_NONE) disarm(g); /* as if the stage had never been armed */
}

static void all_ended(struct engine *g)
{
    publish(g, true);
    struct engine_event *ev = push(g, ENGINE_DONE);
    ev->err = g->err;
    ev->start_skew_ns = g->skew == INT64_MAX ? 0 : g->skew;
    g->state = ENGINE_IDLE;
}

static void take_note(struct engine *g, const struct worker_note *n)
{
    const struct worker *w = &g->workers[n->worker];
    if (n->kind == NOTE_SNAPSHOT) {
        take_snapshot(g, n);
        return;
    }
    if (n->arming != g->arming) return;
    note_error(g, w);
    if (n->kind == NOTE_READY) {
        if (w->notice[0] && !g->noticed) log_warn("%s", w->notice);
        g->noticed |= w->notice[0] != '\0';
        if (++g->ready == g->n_workers) all_ready(g);
        return;
    }
    if (n->began && n->skew_ns < g->skew) g->skew = n->skew_ns;
    if (++g->ended == g->n_workers) all_ended(g);
}

int engine_fd(const struct engine *g)
{
    return g->notes[0];
}

bool engine_next(struct engine *g, struct engine_event *ret)
{
    struct worker_note n;
    while (g->q_n == 0) {
        ssize_t got = read(g->notes[0], &n, sizeof n);
        if (got < 0 && errno == EINTR) continue;
        if (got != (ssize_t)sizeof n) return false;
        take_note(g, &n);
    }
    *ret = g->queue[g->q_at++ % QUEUE_MAX];
    g->q_n--;
    return true;
}

void engine_recycle(struct engine *g, struct snapshot **s)
{
    if (!*s) return;
    if (g->n_spare == SPARE_MAX) {
        snapshot_destroy(s);
        return;
    }
    snapshot_reset(*s);
    g->spare[g->n_spare++] = *s;
    *s = NULL;
}

uint32_t engine_workers(const struct engine *g)
{
    return g->n_workers;
}

const char *engine_stamps(const struct engine *g)
{
    return g->stamps >= 0 ? "kernel" : "program";
}
