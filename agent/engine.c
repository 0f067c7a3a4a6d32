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
#include "agent/probe.h"
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
#define TREE_BRANCHES 16u /* requests in flight of a session tree, on average */

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
    struct probe *probe; /* NULL: none was begun with this plan */
    bool probed;         /* its result is there */
    _Atomic int64_t allowed;
    _Atomic uint64_t failed_on_end; /* see struct stage */
    enum engine_state state;
    uint32_t ready, ended; /* workers that have reported it */
    struct err err;        /* the first one's of this stage */
    int refusal;           /* as in struct worker_note; logged once per stage */
    uint32_t tails;  /* of a worker's responses that stay open after their end marker: as many as there is room for */
    char limit[256]; /* of READY */
    struct target_terms terms; /* of the workers that are ready */
    int64_t skew;
    uint64_t arming;          /* number of this arming: notes of an earlier one are late */
    struct snapshot *merging; /* of this second, not all parts in yet */
    struct snapshot *spare[SPARE_MAX];
    uint32_t n_spare;
    struct engine_event queue[QUEUE_MAX]; /* ring; notes are read only while it is empty */
    uint32_t q_at, q_n;
};

/* ---- making and ending ---- */

static int add_sources(struct engine *eng, const char *const *list, struct err *e)
{
    for (; list && *list; list++) {
        struct sockaddr_storage *a = &eng->sources[eng->n_sources];
        struct sockaddr_in *v4 = (struct sockaddr_in *)a;
        struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)a;
        if (eng->n_sources == SOURCES_MAX) return err_set(e, ERR_USAGE, "more than %u source addresses", SOURCES_MAX);
        memset(a, 0, sizeof *a);
        if (inet_pton(AF_INET, *list, &v4->sin_addr) == 1)
            a->ss_family = AF_INET;
        else if (inet_pton(AF_INET6, *list, &v6->sin6_addr) == 1)
            a->ss_family = AF_INET6;
        else
            return err_set(e, ERR_USAGE, "source address %s is no IP address", *list);
        eng->n_sources++;
    }
    return 0;
}

static int make_pipes(struct engine *eng, struct err *e)
{
    if (pipe2(eng->notes, O_CLOEXEC) < 0) return err_set(e, ERR_IO, "pipe: %s", strerror(errno));
    fcntl(eng->notes[0], F_SETFL, O_NONBLOCK);
    return 0;
}

struct engine *engine_new(const struct engine_options *o, struct err *e)
{
    struct engine *eng = calloc(1, sizeof *eng);
    if (!eng) {
        err_set(e, ERR_NOMEM, "no memory for the engine");
        return NULL;
    }
    if (o->guard) eng->guard = *o->guard;
    eng->notes[0] = eng->notes[1] = -1;
    atomic_init(&eng->allowed, INT64_MAX);
    atomic_init(&eng->failed_on_end, 0);
    host_read(&eng->host);
    eng->stamps = stamp_hold();
    eng->n_workers = o->workers ? o->workers : eng->host.usable;
    if (eng->n_workers > WORKERS_MAX) eng->n_workers = WORKERS_MAX;
    eng->workers = calloc(eng->n_workers, sizeof *eng->workers);
    eng->parts = calloc(eng->n_workers, sizeof *eng->parts);
    eng->merging = snapshot_new(false);
    int rc = eng->workers && eng->parts && eng->merging
                 ? 0
                 : err_set(e, ERR_NOMEM, "no memory for %u workers", eng->n_workers);
    if (rc == 0) rc = add_sources(eng, o->source_addresses, e);
    if (rc == 0) rc = make_pipes(eng, e);
    for (; rc == 0 && eng->n_started < eng->n_workers; eng->n_started += rc == 0)
        rc = worker_start(&eng->workers[eng->n_started], eng->n_started, eng->notes[1], &eng->allowed,
                          &eng->failed_on_end, e);
    if (rc < 0) engine_destroy(&eng);
    return eng;
}

static void order_all(struct engine *eng, struct worker_order o)
{
    for (uint32_t i = 0; i < eng->n_started; i++)
        worker_order(&eng->workers[i], o);
}

static void close_if(int fd)
{
    if (fd >= 0) close(fd);
}

void engine_destroy(struct engine **pg)
{
    struct engine *eng = *pg;
    struct worker_note n;
    if (!eng) return;
    probe_close(&eng->probe);
    order_all(eng, (struct worker_order){.kind = ORDER_QUIT});
    for (uint32_t i = 0; i < eng->n_started; i++)
        worker_join(&eng->workers[i]);
    while (eng->notes[0] >= 0 && read(eng->notes[0], &n, sizeof n) == (ssize_t)sizeof n)
        if (n.kind == NOTE_SNAPSHOT) snapshot_destroy(&n.snapshot);
    for (; eng->q_n > 0; eng->q_n--, eng->q_at++)
        snapshot_destroy(&eng->queue[eng->q_at % QUEUE_MAX].snapshot);
    while (eng->n_spare > 0)
        snapshot_destroy(&eng->spare[--eng->n_spare]);
    snapshot_destroy(&eng->merging);
    worker_drop_target(&eng->target);
    resolver_clear(&eng->resolver);
    close_if(eng->notes[0]);
    close_if(eng->notes[1]);
    close_if(eng->stamps);
    free(eng->workers);
    free(eng->parts);
    free(eng);
    *pg = NULL;
}

/* ---- plan, arm, go, stop ---- */

int engine_plan(struct engine *eng, const struct plan *p, struct err *e)
{
    if (eng->state != ENGINE_IDLE) return err_set(e, ERR_INTERNAL, "a plan came while a stage is armed or running");
    if (guard_check_plan(&eng->guard, p, e) < 0) return -1;
    struct target_ref *r = calloc(1, sizeof *r);
    if (!r) return err_set(e, ERR_NOMEM, "no memory for the target");
    atomic_init(&r->refs, 1);
    int rc = target_new(&p->target, &eng->guard, &eng->resolver, &r->target, e);
    if (rc) {
        free(r);
        return rc;
    }
    probe_close(&eng->probe);
    eng->probed = false;
    worker_drop_target(&eng->target);
    eng->target = r;
    eng->plan = p;
    eng->corpora = NULL;
    return 0;
}

void engine_corpora(struct engine *eng, const struct corpus *const *corpora)
{
    eng->corpora = corpora;
}

/* On the probe's thread. */
static void say_probed(void *arg)
{
    const struct engine *eng = arg;
    struct worker_note n = {.kind = NOTE_PROBED};
    while (write(eng->notes[1], &n, sizeof n) < 0 && errno == EINTR) {
    }
}

int engine_probe(struct engine *eng, struct err *e)
{
    if (!eng->plan) return err_set(e, ERR_INTERNAL, "a probe came before its plan");
    probe_close(&eng->probe);
    eng->probed = false;
    eng->probe = probe_open(eng->plan, eng->target->target, say_probed, eng, e);
    return eng->probe ? 0 : -1;
}

const struct probe_result *engine_probed(const struct engine *eng)
{
    return eng->probe && eng->probed ? probe_result(eng->probe) : NULL;
}

/* Could so many requests be in flight? Not more than all arrivals of the stage; recorded ones are not counted here. */
static bool may_reach(const struct shard *s, uint64_t cap)
{
    double share = s->cycle ? (double)s->n_turns / s->cycle : 1, all = (double)s->requests_all;
    double rate = s->rate_from > s->rate_to ? s->rate_from : s->rate_to, length = (double)s->duration_ns / 1e9;
    if (s->arrivals == ARRIVALS_RECORDED) return true;
    if (s->duration_ns > 0 && (s->requests_all == 0 || rate * length < all)) all = rate * length;
    return all * share * 1.2 > (double)cap; /* Poisson arrivals may be more */
}

/* How many requests this machine can hold at once, and in ret_why which of its limits it is. */
static uint64_t machine_cap(const struct engine *eng, uint64_t other, uint64_t pairs, char ret_why[static 64])
{
    uint64_t files = eng->host.descriptors > other ? eng->host.descriptors - other : 1, ports = eng->host.ports * pairs,
             own = eng->guard.max_connections, room = files < ports ? files : ports;
    if (own && own <= room)
        (void)snprintf(ret_why, 64, "--max-connections %llu", (unsigned long long)(room = own));
    else if (files <= ports)
        (void)snprintf(ret_why, 64, "open files %llu", (unsigned long long)eng->host.descriptors);
    else
        (void)snprintf(ret_why, 64, "local ports %llu", (unsigned long long)eng->host.ports);
    return room < OPEN_CAP_MAX ? room : OPEN_CAP_MAX;
}

/* What an open loop without a cap can hold; where that may not do for its requests, the stage's result says so. */
static uint64_t open_cap(struct engine *eng, const struct shard *s, uint64_t other, uint64_t pairs)
{
    char why[64];
    uint64_t room = machine_cap(eng, other, pairs, why);
    if (room == OPEN_CAP_MAX || !may_reach(s, room)) return room;
    (void)snprintf(eng->limit, sizeof eng->limit,
                   "at most %llu requests in flight, by a limit of this machine (%s): arrivals beyond that wait, and "
                   "the point is then invalid",
                   (unsigned long long)room, why);
    log_info("this agent can hold %s", eng->limit);
    return room;
}

/* What lanes of session trees can hold: TREE_BRANCHES for each, within the limits of this machine. */
static uint64_t tree_cap(const struct engine *eng, const struct shard *s, uint64_t other, uint64_t pairs)
{
    char why[64];
    uint64_t cap = (uint64_t)s->slots * TREE_BRANCHES, room = machine_cap(eng, other, pairs, why);
    if (cap > room) cap = room;
    return cap > s->slots ? cap : s->slots;
}

/* Descriptors and ports for the stage; an open loop without a cap gets as many as there are. Returns the maximum number
 * of requests in flight. */
static int reserve(struct engine *eng, const struct shard *s, uint32_t *ret_cap, struct err *e)
{
    uint64_t pairs = (uint64_t)eng->target->target->n_addresses * (eng->n_sources ? eng->n_sources : 1);
    uint64_t per = eng->plan->target.http == HTTP_2 && !eng->plan->target.fresh_connections
                       ? eng->plan->target.streams_per_connection
                       : 1;
    uint64_t other = OTHER_DESCRIPTORS + 8u * eng->n_workers, cap = s->slots;
    eng->limit[0] = '\0';
    if (s->kind == LOAD_OPEN && cap == 0)
        cap = open_cap(eng, s, other, pairs);
    else if (plan_has_trees(eng->plan)) /* slots are lanes, and a tree has any number of requests in flight */
        cap = tree_cap(eng, s, other, pairs);
    *ret_cap = (uint32_t)cap;
    uint64_t connections = (cap + per - 1) / per;
    if (host_reserve(connections, other, pairs, e) < 0) return -1;
    uint64_t spare = per > 1 ? TAILS_MAX : host_spare(connections, other, pairs) / eng->n_workers;
    eng->tails = spare < TAILS_MAX ? (uint32_t)spare : TAILS_MAX;
    return 0;
}

/* For how many requests connections are made ahead. Recorded arrivals come in bursts that their mean rate does not
 * show: a trace whose clock has whole seconds sends a hundred at once. */
static uint32_t warm_wanted(const struct engine *eng, const struct shard *s, uint32_t cap)
{
    const struct plan_target *t = &eng->plan->target;
    if (t->fresh_connections) return 0;
    if (s->kind == LOAD_CLOSED) return s->slots;
    double own = s->cycle ? (double)s->n_turns / s->cycle : 1;
    double rate = (s->rate_from > s->rate_to ? s->rate_from : s->rate_to) * own;
    double reserve = rate * OPEN_RESERVE_S + OPEN_RESERVE_LEAST;
    if (s->arrivals == ARRIVALS_RECORDED && eng->corpora) {
        struct shard mine = *s;
        mine.recorded = eng->corpora[0];
        reserve = arrivals_peak(&mine, (int64_t)(OPEN_RESERVE_S * NS_PER_S), OPEN_RESERVE_MAX) + OPEN_RESERVE_LEAST;
    }
    uint32_t n = reserve < OPEN_RESERVE_MAX ? (uint32_t)reserve : OPEN_RESERVE_MAX;
    return n < cap ? n : cap;
}

static struct worker_stage *stage_for(const struct engine *eng, struct shard *part, uint64_t slots, uint32_t cap)
{
    struct worker_stage *w = calloc(1, sizeof *w);
    if (!w) return NULL;
    w->shard = *part;
    memset(part, 0, sizeof *part);
    w->plan = eng->plan;
    w->corpora = eng->corpora;
    w->target = eng->target;
    atomic_fetch_add(&eng->target->refs, 1);
    w->sources = eng->n_sources ? eng->sources : NULL;
    w->n_sources = eng->n_sources;
    w->cap = w->shard.kind == LOAD_OPEN && w->shard.slots ? w->shard.slots : cap / eng->n_workers;
    if (w->cap == 0) w->cap = 1;
    w->tails = eng->tails;
    w->slots = slots;
    w->ready = warm_wanted(eng, &w->shard, w->cap);
    w->stamps = eng->stamps >= 0;
    w->arming = eng->arming;
    return w;
}

/* All parts are made before the first is handed over, so that a failure leaves no worker armed. */
static int hand_out(struct engine *eng, struct shard *parts, uint64_t slots, uint32_t cap, struct err *e)
{
    struct worker_stage *stages[WORKERS_MAX];
    uint32_t n = 0;
    while (n < eng->n_workers && (stages[n] = stage_for(eng, &parts[n], slots, cap)))
        n++;
    if (n == eng->n_workers) {
        for (uint32_t i = 0; i < n; i++)
            worker_order(&eng->workers[i], (struct worker_order){.kind = ORDER_ARM, .u.stage = stages[i]});
        return 0; /* NOLINT(clang-analyzer-unix.Malloc): a worker owns what its pipe brings */
    }
    while (n-- > 0) {
        shard_clear(&stages[n]->shard);
        worker_drop_target(&stages[n]->target);
        free(stages[n]);
    }
    return err_set(e, ERR_NOMEM, "no memory to arm a stage");
}

int engine_arm(struct engine *eng, const struct shard *s, struct err *e)
{
    uint32_t weights[WORKERS_MAX], cap;
    struct shard parts[WORKERS_MAX];
    if (!eng->plan) return err_set(e, ERR_INTERNAL, "a stage came before its plan");
    if (eng->state != ENGINE_IDLE) return err_set(e, ERR_INTERNAL, "a stage is armed or running already");
    if (!eng->merging && !(eng->merging = snapshot_new(false)))
        return err_set(e, ERR_NOMEM, "no memory for a snapshot");
    if (guard_check_shard(&eng->guard, s, e) < 0 || reserve(eng, s, &cap, e) < 0) return -1;
    for (uint32_t i = 0; i < eng->n_workers; i++)
        weights[i] = 1;
    memset(parts, 0, sizeof parts);
    if (shard_split(s, weights, eng->n_workers, s->part * SHARD_WORKERS, parts, e) < 0) return -1;
    eng->arming++;
    atomic_store_explicit(&eng->failed_on_end, 0, memory_order_relaxed);
    int rc = hand_out(eng, parts, s->slots, cap, e);
    for (uint32_t i = 0; i < eng->n_workers; i++)
        shard_clear(&parts[i]);
    if (rc < 0) return -1;
    memset(eng->parts, 0, eng->n_workers * sizeof *eng->parts);
    snapshot_reset(eng->merging);
    eng->ready = eng->ended = 0;
    eng->terms = (struct target_terms){0};
    eng->err = (struct err){0};
    eng->refusal = 0;
    eng->skew = INT64_MAX;
    eng->state = ENGINE_ARMING;
    return 0;
}

int engine_go(struct engine *eng, int64_t t0_ns, struct err *e)
{
    if (eng->state != ENGINE_ARMED) return err_set(e, ERR_INTERNAL, "no stage is armed");
    eng->state = ENGINE_RUNNING;
    order_all(eng, (struct worker_order){.kind = ORDER_GO, .t0 = t0_ns});
    return 0;
}

/* Notes of the workers about an arming that is taken back come late and are ignored. */
static void disarm(struct engine *eng)
{
    order_all(eng, (struct worker_order){.kind = ORDER_STOP, .now = true});
    eng->arming++;
    eng->state = ENGINE_IDLE;
}

void engine_stop(struct engine *eng, bool now)
{
    if (eng->state == ENGINE_RUNNING)
        order_all(eng, (struct worker_order){.kind = ORDER_STOP, .now = now});
    else if (eng->state != ENGINE_IDLE)
        disarm(eng);
}

void engine_allow(struct engine *eng, int64_t until_ns)
{
    atomic_store_explicit(&eng->allowed, until_ns, memory_order_relaxed);
}

/* ---- events ---- */

static struct engine_event *push(struct engine *eng, enum engine_event_kind kind)
{
    struct engine_event *ev = &eng->queue[(eng->q_at + eng->q_n++) % QUEUE_MAX];
    memset(ev, 0, sizeof *ev);
    ev->kind = kind;
    return ev;
}

/* The merged snapshot becomes an event. Without memory for the next one it is kept and covers a longer span. */
static void publish(struct engine *eng, bool last)
{
    struct snapshot *s = eng->merging, *next = eng->n_spare > 0 ? eng->spare[--eng->n_spare] : snapshot_new(false);
    if (!next && !last) return;
    memset(s->counters, 0, sizeof s->counters);
    s->in_flight = s->waiting = 0;
    for (uint32_t i = 0; i < eng->n_workers; i++) {
        counters_add(s->counters, eng->parts[i].counters);
        s->in_flight += eng->parts[i].in_flight;
        s->waiting += eng->parts[i].waiting;
        eng->parts[i].fresh = false;
    }
    struct engine_event *ev = push(eng, ENGINE_SNAPSHOT);
    ev->snapshot = s;
    ev->last = last;
    eng->merging = next;
}

/* Whether every worker that still runs has given its part of this second. */
static bool second_complete(const struct engine *eng)
{
    bool running = false;
    for (uint32_t i = 0; i < eng->n_workers; i++) {
        if (!eng->parts[i].fresh && !eng->parts[i].last) return false;
        running |= !eng->parts[i].last;
    }
    return running; /* the last one of all is published when all have ended */
}

/* The ledger has one label for many statuses. Whoever mends the server needs the status itself. */
static void tell_refusal(struct engine *eng, int status)
{
    const char *hint = failure_status_hint((uint32_t)status);
    bool redirect = hint == FAILURES[FAILURE_HTTP_3XX].look; /* that of one request may be no reason to go there */
    eng->refusal = status;
    log_warn("a request was answered with status %d%s%s (other answers of this stage are counted, not logged)", status,
             redirect ? ", a redirect, and plateau follows none" : "", redirect ? "" : hint);
}

static void take_snapshot(struct engine *eng, const struct worker_note *n)
{
    struct part *p = &eng->parts[n->worker];
    const struct snapshot *s = n->snapshot;
    if (n->arming == eng->arming) {
        memcpy(p->counters, s->counters, sizeof p->counters);
        p->in_flight = s->in_flight;
        p->waiting = s->waiting;
        p->fresh = true;
        p->last = n->last;
        if (n->refusal && !eng->refusal) tell_refusal(eng, n->refusal);
        if (snapshot_add(eng->merging, s) < 0 && eng->err.code == ERR_NONE)
            err_set(&eng->err, ERR_NOMEM, "no memory to merge the workers' snapshots: samples were lost");
    }
    worker_order(&eng->workers[n->worker], (struct worker_order){.kind = ORDER_BACK, .u.snapshot = n->snapshot});
    if (n->arming == eng->arming && second_complete(eng)) publish(eng, false);
}

static void note_error(struct engine *eng, const struct worker *w)
{
    if (eng->err.code == ERR_NONE && w->err.code != ERR_NONE) eng->err = w->err;
}

static void all_ready(struct engine *eng)
{
    struct engine_event *ev = push(eng, ENGINE_READY);
    ev->err = eng->err;
    ev->terms = eng->terms;
    target_addresses(eng->target->target, ev->addresses, sizeof ev->addresses);
    memcpy(ev->limit, eng->limit, sizeof ev->limit);
    eng->state = ENGINE_ARMED;
    if (eng->err.code != ERR_NONE) disarm(eng); /* as if the stage had never been armed */
}

static void all_ended(struct engine *eng)
{
    publish(eng, true);
    struct engine_event *ev = push(eng, ENGINE_DONE);
    ev->err = eng->err;
    ev->start_skew_ns = eng->skew == INT64_MAX ? 0 : eng->skew;
    eng->state = ENGINE_IDLE;
}

static void take_note(struct engine *eng, const struct worker_note *n)
{
    const struct worker *w = &eng->workers[n->worker];
    if (n->kind == NOTE_PROBED) {
        eng->probed = eng->probe != NULL;
        if (eng->probed) (void)push(eng, ENGINE_PROBED);
        return;
    }
    if (n->kind == NOTE_SNAPSHOT) {
        take_snapshot(eng, n);
        return;
    }
    if (n->arming != eng->arming) return;
    note_error(eng, w);
    if (n->kind == NOTE_READY) {
        if (w->terms.http) eng->terms.http = w->terms.http;
        if (w->terms.streams) eng->terms.streams = w->terms.streams;
        eng->terms.connections += w->terms.connections;
        if (++eng->ready == eng->n_workers) all_ready(eng);
        return;
    }
    if (n->began && n->skew_ns < eng->skew) eng->skew = n->skew_ns;
    if (++eng->ended == eng->n_workers) all_ended(eng);
}

int engine_fd(const struct engine *eng)
{
    return eng->notes[0];
}

bool engine_next(struct engine *eng, struct engine_event *ret)
{
    struct worker_note n;
    while (eng->q_n == 0) {
        ssize_t got = read(eng->notes[0], &n, sizeof n);
        if (got < 0 && errno == EINTR) continue;
        if (got != (ssize_t)sizeof n) return false;
        take_note(eng, &n);
    }
    *ret = eng->queue[eng->q_at++ % QUEUE_MAX];
    eng->q_n--;
    return true;
}

void engine_recycle(struct engine *eng, struct snapshot **s)
{
    if (!*s) return;
    if (eng->n_spare == SPARE_MAX) {
        snapshot_destroy(s);
        return;
    }
    snapshot_reset(*s);
    eng->spare[eng->n_spare++] = *s;
    *s = NULL;
}

uint32_t engine_workers(const struct engine *eng)
{
    return eng->n_workers;
}

const char *engine_stamps(const struct engine *eng)
{
    return eng->stamps >= 0 ? "kernel" : "program";
}
