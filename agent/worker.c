#include "agent/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "agent/transport/kinds.h"
#include "common/clock.h"

#define ORDERS_TAG (UINT64_C(1) << 63)
#define EVENTS_AT_ONCE 1024
#define SNAPSHOT_EVERY_NS NS_PER_S
/* Connections for the reserve that are begun in one turn of the loop: a hundred after a burst would make the next
 * arrivals milliseconds late. */
#define RESERVE_AT_ONCE 8u
/* Connections of the stage before serve the next one when it comes this soon; older ones are closed by then. */
#define REUSE_WITHIN_NS (2 * NS_PER_S)

void worker_drop_target(struct target_ref **pr)
{
    struct target_ref *r = *pr;
    *pr = NULL;
    if (!r || atomic_fetch_sub(&r->refs, 1) != 1) return;
    target_destroy(&r->target);
    free(r);
}

static void note(struct worker *w, struct worker_note n)
{
    n.worker = w->index;
    n.arming = w->arming;
    while (write(w->notes, &n, sizeof n) < 0 && errno == EINTR) {
    }
}

/* ---- arming ---- */

static void drop_transport(struct worker *w)
{
    if (w->has_transport) {
        stage_drop_places(&w->stage);
        transport_clear(&w->transport);
    }
    w->has_transport = false;
    worker_drop_target(&w->target);
}

/* Handles and connections of the stage before stay when the target is the same. */
static int take_target(struct worker *w, struct worker_stage *s, struct err *e)
{
    if (w->has_transport && w->target->target == s->target->target) {
        worker_drop_target(&s->target);
    } else {
        drop_transport(w);
        w->target = s->target;
        s->target = NULL;
        w->has_transport = true;
        struct transport_options o = {.epoll = w->epoll, .stamps = s->stamps};
        kinds_choose(w->target->target, &o.kind, &o.other);
        if (transport_init(&w->transport, w->target->target, &STAGE_CALLS, &o, e) < 0) {
            drop_transport(w); /* else the next arming would take a transport that is only half made */
            return -1;
        }
    }
    w->transport.sources = s->sources;
    w->transport.n_sources = s->n_sources;
    memset(&w->transport.counts, 0, sizeof w->transport.counts);
    return 0;
}

static int take_groups(struct snapshot *s, const struct plan *p)
{
    return groups_reserve(&s->groups, (uint32_t)p->n_workloads, (uint32_t)p->target.n_models);
}

static int take_snapshots(struct worker *w, const struct plan *plan, struct err *e)
{
    if (!w->current) {
        w->current = w->spare;
        w->spare = NULL;
    }
    if (!w->current && !(w->current = snapshot_new(true))) return err_set(e, ERR_NOMEM, "no memory for a snapshot");
    if (!w->spare && !(w->spare = snapshot_new(true))) return err_set(e, ERR_NOMEM, "no memory for a snapshot");
    snapshot_reset(w->current);
    snapshot_reset(w->spare);
    if (take_groups(w->current, plan) || take_groups(w->spare, plan))
        return err_set(e, ERR_NOMEM, "no memory for the results of each workload and model");
    if (plan_recorded(plan) > 0 &&
        (request_rows_reserve(&w->current->requests) || request_rows_reserve(&w->spare->requests)))
        return err_set(e, ERR_NOMEM, "no memory for the rows of requests");
    return 0;
}

static void say_ready(struct worker *w, int rc)
{
    w->state = WORKER_ARMED;
    if (rc < 0) stage_clear(&w->stage);
    note(w, (struct worker_note){.kind = NOTE_READY});
}

static void arm(struct worker *w, struct worker_stage *s)
{
    w->err = (struct err){0};
    w->arming = s->arming;
    w->quantum_ns = s->plan->quantum_ns;
    w->begun = false;
    w->ready = s->ready;
    w->grown = false;
    w->reserve = s->shard.kind == LOAD_OPEN ? s->ready : 0;
    w->terms = (struct target_terms){0};
    int rc = take_target(w, s, &w->err);
    if (rc == 0) rc = take_snapshots(w, s->plan, &w->err);
    w->stage.tails_max = s->tails;
    w->stage.agent_slots = s->slots;
    if (rc == 0) rc = stage_arm(&w->stage, &s->shard, s->plan, s->corpora, &w->transport, s->cap, &w->err);
    if (rc == 0) {
        /* connections of the stage before count if they can still be used */
        bool fresh = clock_mono_ns() - w->ended < REUSE_WITHIN_NS;
        uint32_t have = fresh ? w->transport.sockets : 0, want = transport_connections(&w->transport, s->ready);
        warm_begin(&w->warm, &w->transport, want > have ? want - have : 0, s->plan->target.timeout_connect_ns,
                   clock_mono_ns());
        w->state = WORKER_WARMING;
    } else {
        say_ready(w, rc);
    }
    shard_clear(&s->shard);
    if (s->target) worker_drop_target(&s->target);
    free(s);
}

static void note_terms(struct worker *w)
{
    uint32_t ours = w->transport.target->plan->streams_per_connection; /* over HTTP/1.1 it may be 0 */
    w->terms.http = transport_http(&w->transport);
    w->terms.connections = w->transport.sockets;
    if (w->transport.streams && transport_connections(&w->transport, w->ready) > (w->ready + ours - 1) / ours)
        w->terms.streams = w->transport.streams;
}

/* The connections are made. HTTP/2 needs the server's SETTINGS before they can be used, and these may mean that more
 * connections are needed. */
static void prepare(struct worker *w)
{
    int rc = transport_prepared(&w->transport, &w->err);
    uint32_t want = transport_connections(&w->transport, w->ready);
    w->state = WORKER_PREPARING;
    if (rc == 0) return;
    if (rc > 0 && w->ready > 0 && want > w->transport.sockets && !w->grown) {
        w->grown = true;
        w->state = WORKER_WARMING;
        warm_more(&w->warm, want - w->transport.sockets, clock_mono_ns());
        if (!warm_done(&w->warm)) return; /* else no address is left to try, and no event would come */
        w->state = WORKER_PREPARING;
    }
    note_terms(w);
    say_ready(w, rc < 0 ? -1 : 0);
}

/* Which addresses are good is known. */
static void warmed(struct worker *w)
{
    if (warm_result(&w->warm, &w->err) < 0) {
        say_ready(w, -1);
        return;
    }
    stage_use_addresses(&w->stage, w->warm.good);
    prepare(w);
}

/* ---- running ---- */

static void over(struct worker *w)
{
    stage_clear(&w->stage);
    if (!w->begun && w->stage.rec.snap) { /* T0 was not reached */
        w->current = w->stage.rec.snap;
        w->stage.rec.snap = NULL;
    }
    warm_cancel(&w->warm);
    w->state = WORKER_IDLE;
    w->ended = clock_mono_ns();
    note(w, (struct worker_note){.kind = NOTE_OVER, .began = w->begun, .skew_ns = w->skew});
}

/* What a stage takes and reads before its first request, done ahead of T0: else all that is due then would be late by
 * it. */
static void make_ready(struct worker *w)
{
    struct snapshot *snap = w->current;
    w->current = NULL;
    w->stage.counts_throttling = w->index == 0;
    if (stage_begin(&w->stage, snap, w->t0, &w->err) == 0) return;
    w->current = snap;
    over(w);
}

static void begin(struct worker *w, int64_t now)
{
    evidence_begin(&w->evidence);
    laze_begin(&w->laze, now);
    w->sent = w->blurred = 0;
    w->calm_until = 0;
    w->begun = true;
    w->skew = now - w->t0;
    w->tick_at = w->t0 + SNAPSHOT_EVERY_NS;
}

static void hand_over(struct worker *w, int64_t now)
{
    struct snapshot *s = stage_snapshot(&w->stage, w->spare, &w->evidence, now);
    w->spare = NULL;
    note(w, (struct worker_note){.kind = NOTE_SNAPSHOT, .snapshot = s, .refusal = w->stage.refusal});
}

/* An open loop does not know how many connections it will need: some are always kept ready, so that no request waits
 * for a handshake. Requests that are due go first. */
static void keep_reserve(struct worker *w, int64_t now)
{
    uint64_t want = transport_connections(&w->transport, w->stage.n_open + w->reserve),
             have = (uint64_t)w->transport.sockets + w->warm.busy + w->warm.left;
    if (w->reserve > 0 && !w->stage.closed && want > have && stage_next(&w->stage) > clock_mono_ns())
        warm_more(&w->warm, want - have < RESERVE_AT_ONCE ? (uint32_t)(want - have) : RESERVE_AT_ONCE, now);
    warm_tick(&w->warm, now);
}

static void run(struct worker *w, int64_t now)
{
    if (!w->begun) {
        if (now < w->t0) return;
        begin(w, now);
    }
    stage_advance(&w->stage, now);
    keep_reserve(w, now);
    if (stage_done(&w->stage)) {
        struct snapshot *s = stage_snapshot(&w->stage, NULL, &w->evidence, clock_mono_ns());
        note(w, (struct worker_note){.kind = NOTE_SNAPSHOT, .snapshot = s, .last = true, .refusal = w->stage.refusal});
        over(w);
        return;
    }
    if (now < w->tick_at) return;
    /* when the control thread has not returned the other snapshot yet, this one stays in use and is handed over later
     */
    if (w->spare) hand_over(w, now);
    while (w->tick_at <= now)
        w->tick_at += SNAPSHOT_EVERY_NS;
}

/* ---- orders ---- */

static void stop(struct worker *w, bool now_too)
{
    if (w->state == WORKER_RUNNING && w->begun) {
        stage_stop(&w->stage, now_too, clock_mono_ns());
        return;
    }
    if (w->state == WORKER_IDLE) return;
    over(w);
}

static void take_back(struct worker *w, struct snapshot *s)
{
    if (w->spare) {
        snapshot_destroy(&s);
        return;
    }
    snapshot_reset(s);
    w->spare = s;
}

static void obey(struct worker *w, const struct worker_order *o)
{
    switch (o->kind) {
    case ORDER_ARM:
        arm(w, o->u.stage);
        break;
    case ORDER_GO:
        if (w->state != WORKER_ARMED) break;
        w->t0 = o->t0;
        w->state = WORKER_RUNNING;
        make_ready(w);
        break;
    case ORDER_STOP:
        stop(w, o->now);
        break;
    case ORDER_BACK:
        take_back(w, o->u.snapshot);
        break;
    case ORDER_QUIT:
        w->quit = true;
        break;
    }
}

static void read_orders(struct worker *w)
{
    struct worker_order o;
    while (!w->quit && read(w->orders[0], &o, sizeof o) == (ssize_t)sizeof o)
        obey(w, &o);
}

/* ---- the loop ---- */

static int64_t earliest(const struct worker *w)
{
    int64_t next = INT64_MAX;
    if (w->has_transport) next = w->transport.timer;
    if (warm_next(&w->warm) < next) next = warm_next(&w->warm);
    if (w->state != WORKER_RUNNING) return next;
    if (!w->begun) return w->t0 < next ? w->t0 : next;
    int64_t stage = stage_next(&w->stage);
    if (stage < next) next = stage;
    return w->tick_at < next ? w->tick_at : next;
}

static struct timespec timespec_of(int64_t ns)
{
    return (struct timespec){.tv_sec = ns / NS_PER_S, .tv_nsec = ns % NS_PER_S};
}

/* With a quantum of more than a two hundredth of a request's time, a closed loop would do noticeably less by sleeping
 * it out: the slot of an answer that has ended stays empty meanwhile. */
#define HURRIED 200
/* Tokens that were read late and together while it slept, as where a neighbour takes its CPU, too, would perhaps have
 * been told apart without: it does not sleep again for so long. */
#define CALM_NS NS_PER_S
static uint64_t more_of(uint64_t *before, uint64_t all)
{
    uint64_t more = all >= *before ? all - *before : all; /* the snapshot may be a new one */
    *before = all;
    return more;
}

static bool hurried(struct worker *w, int64_t span)
{
    const struct stage *st = &w->stage;
    uint64_t sent = more_of(&w->sent, st->rec.snap->counters[COUNTER_SENT]);
    uint64_t blurred = more_of(&w->blurred, st->rec.snap->counters[COUNTER_BLURRED]);
    if (w->laze.on && blurred > 0) w->calm_until = w->woke + CALM_NS;
    if (w->woke < w->calm_until) return true;
    return st->shard.kind == LOAD_CLOSED && (int64_t)sent * HURRIED * w->quantum_ns > (int64_t)st->n_open * span;
}

static void judge_laziness(struct worker *w)
{
    if (w->quantum_ns <= 0 || w->state != WORKER_RUNNING || !w->begun ||
        !laze_span_over(&w->laze, w->quantum_ns, w->woke))
        return;
    laze_judge(&w->laze, w->quantum_ns, hurried(w, w->woke - w->laze.from), w->woke);
}

/* Sleeps out the quantum, but not beyond what is due. Sockets that become ready meanwhile wait: the kernel stamps what
 * they get. */
static void nap(struct worker *w, int64_t next, int64_t now)
{
    int64_t until = w->woke + w->quantum_ns;
    if (w->state != WORKER_RUNNING || !w->begun) return;
    if (next < until) until = next;
    if (until <= now) return;
    struct timespec ts = timespec_of(until);
    int64_t cpu = laze_times_nap(&w->laze) ? clock_thread_cpu_ns() : -1;
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
    laze_nap(&w->laze, cpu < 0 ? cpu : clock_thread_cpu_ns() - cpu);
}

/* A body takes less than this. */
#define AHEAD_CLEAR_NS NS_PER_MS

static int wait_events(struct worker *w, struct epoll_event *events)
{
    int64_t next = earliest(w), now = clock_mono_ns();
    if (w->state == WORKER_RUNNING && next - now > AHEAD_CLEAR_NS && stage_make_ahead(&w->stage)) {
        next = now = clock_mono_ns(); /* once more after a look at the sockets */
    } else if (w->laze.on && next > now) {
        nap(w, next, now);
        now = clock_mono_ns();
    }
    w->transport.drained = w->looked;
    w->transport.away = now - w->looked;
    struct timespec ts = timespec_of(next > now ? next - now : 0);
    int64_t cpu = laze_times_wait(&w->laze) ? clock_thread_cpu_ns() : -1;
    int n = epoll_pwait2(w->epoll, events, EVENTS_AT_ONCE, next == INT64_MAX ? NULL : &ts, NULL);
    if (n < 0 && errno == ENOSYS) { /* Linux before 5.11: whole milliseconds, rounded down so as never to be late */
        int64_t ms = next > now ? (next - now) / NS_PER_MS : 0;
        n = epoll_wait(w->epoll, events, EVENTS_AT_ONCE, next == INT64_MAX ? -1 : ms > 60000 ? 60000 : (int)ms);
    }
    laze_wait(&w->laze, n > 0 ? (uint32_t)n : 0, cpu < 0 ? cpu : clock_thread_cpu_ns() - cpu);
    return n;
}

static void serve(struct worker *w, const struct epoll_event *events, int n)
{
    bool orders = false;
    int64_t due = w->state == WORKER_RUNNING && w->begun ? stage_next(&w->stage) : INT64_MAX;
    for (int i = 0; i < n; i++) {
        uint64_t tag = events[i].data.u64;
        if (tag & ORDERS_TAG) {
            orders = true;
            continue;
        }
        int64_t now = clock_mono_ns();
        if (tag & WARM_TAG) {
            warm_ready(&w->warm, tag & ~WARM_TAG, now);
            continue;
        }
        transport_ready(&w->transport, tag, events[i].events, now);
        if (now >= due) { /* a long batch must not make an arrival late */
            stage_pump(&w->stage, now);
            due = stage_next(&w->stage);
        }
    }
    if (orders) read_orders(w);
}

/* A loop that runs wakes far more often. */
#define STOOD_STILL_NS (4 * NS_PER_S)

/* `was`: when the loop woke before. When this process stood still, or the control thread does, open requests end before
 * anything is sent or read. */
static bool lease_is_over(struct worker *w, int64_t was)
{
    if (w->state != WORKER_RUNNING || !w->begun || stage_may_load(&w->stage)) return false;
    int64_t away = w->woke - was;
    if (w->err.code == ERR_NONE && away > STOOD_STILL_NS)
        (void)err_set(&w->err, ERR_AGENTS, "the lease has run out: this agent's process stood still for %.0f s",
                      (double)away / 1e9);
    else if (w->err.code == ERR_NONE)
        (void)err_set(&w->err, ERR_AGENTS, "the lease has run out: nothing was heard from the coordinator");
    stage_stop(&w->stage, true, w->woke);
    run(w, w->woke);
    return true;
}

static void loop(struct worker *w)
{
    struct epoll_event events[EVENTS_AT_ONCE];
    while (!w->quit) {
        int n = wait_events(w, events);
        int64_t was = w->woke;
        w->woke = clock_mono_ns();
        if (n >= 0) w->looked = w->woke; /* a signal that stops the process ends the wait, and nothing is told */
        w->stage.wakes++;
        judge_laziness(w);
        if (lease_is_over(w, was)) continue; /* sockets that are ready are reported again */
        serve(w, events, n);
        int64_t now = clock_mono_ns();
        if (w->has_transport) transport_tick(&w->transport, now);
        if (w->state == WORKER_WARMING) {
            warm_tick(&w->warm, now);
            if (warm_done(&w->warm)) warmed(w);
        } else if (w->state == WORKER_PREPARING)
            prepare(w);
        if (w->state == WORKER_RUNNING) run(w, now);
    }
}

static void *worker_main(void *arg)
{
    struct worker *w = arg;
    pthread_setname_np(pthread_self(), "worker");
    prctl(PR_SET_TIMERSLACK, 1UL); /* with the default slack, sleeps end 50 us late */
    evidence_open(&w->evidence);
    loop(w);
    warm_cancel(&w->warm);
    if (w->has_transport) stage_clear(&w->stage);
    if (w->stage.rec.snap) snapshot_destroy(&w->stage.rec.snap);
    drop_transport(w);
    snapshot_destroy(&w->current);
    snapshot_destroy(&w->spare);
    evidence_close(&w->evidence);
    return NULL;
}

int worker_start(struct worker *w, uint32_t index, int notes, const _Atomic int64_t *allowed,
                 _Atomic uint64_t *failed_on_end, struct err *e)
{
    memset(w, 0, sizeof *w);
    w->stage.allowed = allowed;
    w->stage.failed_on_end = failed_on_end;
    w->index = index;
    w->notes = notes;
    w->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (w->epoll < 0 || pipe2(w->orders, O_CLOEXEC | O_NONBLOCK) < 0) {
        if (w->epoll >= 0) close(w->epoll);
        return err_set(e, ERR_IO, "worker %u: %s", index, strerror(errno));
    }
    struct epoll_event ev = {.events = EPOLLIN, .data.u64 = ORDERS_TAG};
    int rc = epoll_ctl(w->epoll, EPOLL_CTL_ADD, w->orders[0], &ev);
    if (rc == 0) rc = pthread_create(&w->thread, NULL, worker_main, w);
    if (rc == 0) return 0;
    close(w->epoll);
    close(w->orders[0]);
    close(w->orders[1]);
    return err_set(e, ERR_IO, "worker %u: no thread: %s", index, strerror(rc > 0 ? rc : errno));
}

void worker_join(struct worker *w)
{
    struct worker_order o;
    pthread_join(w->thread, NULL);
    while (read(w->orders[0], &o, sizeof o) == (ssize_t)sizeof o) { /* orders that were not carried out */
        if (o.kind == ORDER_BACK) snapshot_destroy(&o.u.snapshot);
        if (o.kind != ORDER_ARM) continue;
        shard_clear(&o.u.stage->shard);
        worker_drop_target(&o.u.stage->target);
        free(o.u.stage);
    }
    close(w->epoll);
    close(w->orders[0]);
    close(w->orders[1]);
}

void worker_order(struct worker *w, struct worker_order o)
{
    while (write(w->orders[1], &o, sizeof o) < 0 && errno == EINTR) {
    }
}
