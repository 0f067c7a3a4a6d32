/* A cluster in simulated time: the run's machine, agents' sessions with an engine that only counts, and a network that
 * delays, loses, doubles and cuts; processes that die, stand still and come back. Everything from one seed. Messages
 * travel as bytes of the wire. For tests. */
#pragma once
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/session.h"
#include "common/clock.h"
#include "common/rng.h"
#include "coordinator/run/run.h"
#include "coordinator/store/store.h"
#include "coordinator/steps.h"

#define WORLD_AGENTS 8u
#define WORLD_QUEUE 8192u
#define WORLD_STAGES 64u
#define FAKE_REQUEST_NS (300 * NS_PER_MS)
#define FAKE_RATE 10 /* requests per second and agent */

struct fake_engine {
    enum { FAKE_IDLE, FAKE_ARMING, FAKE_READY, FAKE_RUNNING } state;
    struct shard shard;
    uint32_t arm;
    int64_t t0, ready_at, next_snap, stop_due; /* stop_due: no request becomes due from then on */
    bool abort;
    uint64_t due, ok, aborted, reported_ok;
    int64_t from;
    struct hist *truth; /* of this stage */
    struct engine_event queue[4];
    unsigned n;
};

struct world_agent {
    bool exists;
    bool plan_fails;      /* it cannot take the plan */
    int64_t frozen_until; /* stands still */
    struct session *session;
    struct fake_engine engine;
    uint32_t connection; /* changes with each dial */
    char name[16], boot[24];
    int64_t heard;        /* when it really last heard something */
    uint32_t armed_epoch; /* of the last ARM that this process was given */
};

struct parcel {
    int64_t at;
    bool to_agent;
    uint32_t agent, connection;
    struct buf bytes;
};

struct world_stage { /* what the run gave out */
    uint32_t stage, epoch;
    bool superseded, degraded, aborted, balanced;
    uint64_t due, ok, lost, hist_count;
    size_t agents, lost_agents;
};

struct world {
    int64_t now;
    struct rng rng;
    struct plan *plan;
    struct buf packed;
    char hash[65];
    struct run *run;
    struct steps steps;
    struct world_agent agent[WORLD_AGENTS];
    struct parcel *queue;
    size_t n_queue;
    double loss, twice; /* probabilities of a message */
    bool reorder;       /* else each direction of a connection keeps its order, as TCP does */
    int64_t last[2][WORLD_AGENTS];
    int64_t delay_max;
    int64_t cut_from[WORLD_AGENTS], cut_to[WORLD_AGENTS]; /* no message either way */
    struct world_stage stage[WORLD_STAGES];
    size_t n_stages;
    unsigned begun, joined, losses;
    uint32_t probe;                /* as in struct run_options; the test answers for the agents */
    unsigned probes[WORLD_AGENTS]; /* PROBE came to */
    bool store_fails, verbose;
    uint32_t journal_epoch, journaled; /* snapshots of the latest attempt that were given to the store */
    /* what the run's file would hold for a coordinator that comes after this one */
    struct stage_data past[WORLD_STAGES]; /* stage, repeat, epoch and aborted only; the last attempt of each */
    size_t n_past;
    struct store_past kept;
    bool overran;                              /* load beyond the lease */
    unsigned said[2][WIRE_N];                  /* by agents, by the coordinator */
    int64_t word[2][WORLD_AGENTS], silence[2]; /* last word, and the longest time between two */
};

struct world_arg {
    struct world *w;
    uint32_t agent;
};

static inline void world_post(struct world *w, bool to_agent, uint32_t agent, uint32_t connection,
                              const struct wire_msg *m)
{
    int64_t *word = &w->word[to_agent][agent];
    w->said[to_agent][m->type]++;
    if (*word && w->now - *word > w->silence[to_agent]) w->silence[to_agent] = w->now - *word;
    *word = w->now;
    int copies = 1 + (rng_double(&w->rng) < w->twice) - (rng_double(&w->rng) < w->loss);
    if (w->now >= w->cut_from[agent] && w->now < w->cut_to[agent]) return;
    for (int i = 0; i < copies && w->n_queue < WORLD_QUEUE; i++) {
        struct parcel *p = &w->queue[w->n_queue++];
        int64_t *last = &w->last[to_agent][agent];
        *p = (struct parcel){.at = w->now + 1 + (int64_t)rng_below(&w->rng, (uint64_t)w->delay_max),
                             .to_agent = to_agent,
                             .agent = agent,
                             .connection = connection,
                             .bytes = BUF_INIT(WIRE_MESSAGE_MAX)};
        if (!w->reorder && p->at <= *last) p->at = *last + 1;
        *last = p->at;
        assert_int_equal(wire_encode(m, &p->bytes), 0);
    }
}

/* ---- an engine that counts ---- */

static inline void fake_push(struct fake_engine *f, enum engine_event_kind kind)
{
    assert_true(f->n < 4);
    f->queue[f->n++] = (struct engine_event){.kind = kind};
}

static inline void fake_snapshot(struct fake_engine *f, int64_t now)
{
    struct snapshot *s = snapshot_new(false);
    s->from_ns = f->from;
    s->to_ns = now - f->t0;
    f->from = s->to_ns;
    s->counters[COUNTER_DUE] = s->counters[COUNTER_SENT] = f->due;
    s->counters[COUNTER_OK] = f->ok;
    s->counters[COUNTER_ABORTED] = f->aborted;
    s->in_flight = f->due - f->ok - f->aborted;
    for (; f->reported_ok < f->ok; f->reported_ok++) {
        int64_t v = 1000000 + (int64_t)(f->reported_ok * 7919 % 100000) * 1000;
        if (!s->hist[METRIC_TTFT]) s->hist[METRIC_TTFT] = hist_new();
        assert_int_equal(hist_record(s->hist[METRIC_TTFT], v, 1), 0);
        assert_int_equal(hist_record(f->truth, v, 1), 0);
    }
    fake_push(f, ENGINE_SNAPSHOT);
    f->queue[f->n - 1].snapshot = s;
}

/* Request k becomes due at k / rate and ends a while later. */
static inline void fake_count(struct fake_engine *f, int64_t now)
{
    int64_t end = f->shard.duration_ns < f->stop_due ? f->shard.duration_ns : f->stop_due, t = now - f->t0;
    if (t < 0) return;
    int64_t due_t = t < end ? t : end;
    uint64_t due = due_t <= 0 ? 0 : (uint64_t)(due_t * FAKE_RATE / NS_PER_S) + 1;
    if (due > f->due) f->due = due;
    uint64_t ended = 0;
    while (ended < f->due && (int64_t)ended * NS_PER_S / FAKE_RATE + FAKE_REQUEST_NS <= t)
        ended++;
    if (ended > f->ok) f->ok = ended;
    if (f->abort) f->aborted = f->due - f->ok;
    if (t < end && !f->abort) {
        if (now >= f->next_snap) {
            fake_snapshot(f, now);
            f->next_snap += NS_PER_S;
        }
        return;
    }
    if (f->ok + f->aborted < f->due) return;
    f->state = FAKE_IDLE;
    fake_snapshot(f, now);
    fake_push(f, ENGINE_DONE);
}

static inline int64_t fake_next(const struct fake_engine *f, int64_t now)
{
    if (f->state == FAKE_ARMING) return f->ready_at;
    return f->state == FAKE_RUNNING ? (now < f->t0 ? f->t0 : now + 50 * NS_PER_MS) : INT64_MAX;
}

static inline int fake_plan(void *arg, const struct wire_msg *m, const char *run_id, struct err *e)
{
    char own[65];
    struct world_arg *a = arg;
    struct plan *p = plan_from_json(m->u.plan.plan.data, m->u.plan.plan.n, e);
    (void)run_id;
    assert_non_null(p);
    assert_int_equal(plan_hash(p, own), 0);
    assert_string_equal(own, m->u.plan.hash);
    plan_destroy(&p);
    return a->w->agent[a->agent].plan_fails ? err_set(e, ERR_NET, "target.url: no such name") : 0;
}

static inline int fake_arm(void *arg, const struct shard *s, struct err *e)
{
    struct world_arg *a = arg;
    struct fake_engine *f = &a->w->agent[a->agent].engine;
    (void)e;
    assert_int_equal(f->state, FAKE_IDLE); /* the engine's contract: never while a stage is armed or runs */
    hist_destroy(&f->truth);
    *f = (struct fake_engine){
        .state = FAKE_ARMING, .ready_at = a->w->now + 5 * NS_PER_MS, .stop_due = INT64_MAX, .truth = hist_new()};
    f->shard = *s;
    f->shard.turns = NULL;
    return 0;
}

static inline int fake_go(void *arg, int64_t t0, struct err *e)
{
    struct world_arg *a = arg;
    struct fake_engine *f = &a->w->agent[a->agent].engine;
    (void)e;
    assert_int_equal(f->state, FAKE_READY);
    f->state = FAKE_RUNNING;
    f->t0 = t0;
    f->next_snap = t0 + NS_PER_S;
    return 0;
}

static inline void fake_stop(void *arg, bool now)
{
    struct world_arg *a = arg;
    struct fake_engine *f = &a->w->agent[a->agent].engine;
    if (f->state == FAKE_ARMING || f->state == FAKE_READY) f->state = FAKE_IDLE;
    if (f->state != FAKE_RUNNING) return;
    int64_t t = a->w->now - f->t0;
    if (t < f->stop_due) f->stop_due = t < 0 ? 0 : t;
    f->abort |= now;
    if (t < 0) { /* before T0: ends with nothing */
        f->t0 = a->w->now;
        f->stop_due = 0;
    }
}

static inline void fake_recycle(void *arg, struct snapshot **s)
{
    (void)arg;
    snapshot_destroy(s);
}

/* ---- agents ---- */

static inline bool agent_send(void *arg, const struct wire_msg *m)
{
    struct world_arg *a = arg;
    world_post(a->w, false, a->agent, a->w->agent[a->agent].connection, m);
    return true;
}

static inline void agent_redial(void *arg)
{
    struct world_arg *a = arg;
    a->w->agent[a->agent].connection += WORLD_AGENTS;
}

static inline void agent_event_text(void *arg, const char *text)
{
    struct world_arg *a = arg;
    if (a->w->verbose) print_message("%8.3f agent %u: %s\n", (double)a->w->now / 1e9, a->agent, text);
}

static inline void world_agent_start(struct world *w, uint32_t i, struct world_arg *arg)
{
    struct world_agent *a = &w->agent[i];
    static unsigned boots;
    (void)snprintf(a->name, sizeof a->name, "a%u", i);
    (void)snprintf(a->boot, sizeof a->boot, "boot-%u", ++boots);
    a->exists = true;
    a->armed_epoch = 0;
    a->heard = w->now;
    a->connection += WORLD_AGENTS;
    if (a->connection < WORLD_AGENTS * 2) a->connection = WORLD_AGENTS + i;
    *arg = (struct world_arg){w, i};
    struct session_options so = {.hello = {.u.hello = {.name = a->name,
                                                       .boot_id = a->boot,
                                                       .version = "t",
                                                       .host = "h",
                                                       .cores = 1,
                                                       .weight = 1,
                                                       .guard = "",
                                                       .stamps = "program"}}};
    struct session_io io = {arg,     agent_send, agent_redial, fake_plan,       fake_arm,
                            fake_go, fake_stop,  fake_recycle, agent_event_text};
    a->session = session_new(&so, &io, w->now);
}

static inline void world_agent_die(struct world *w, uint32_t i)
{
    struct world_agent *a = &w->agent[i];
    for (unsigned k = 0; k < a->engine.n; k++)
        snapshot_destroy(&a->engine.queue[k].snapshot);
    hist_destroy(&a->engine.truth);
    a->engine = (struct fake_engine){0};
    session_destroy(&a->session);
    a->exists = false;
}

static inline void world_agent_run(struct world *w, uint32_t i)
{
    struct world_agent *a = &w->agent[i];
    if (!a->exists || w->now < a->frozen_until) return;
    session_tick(a->session, w->now);
    struct fake_engine *f = &a->engine;
    if (f->state == FAKE_ARMING && w->now >= f->ready_at) {
        f->state = FAKE_READY;
        fake_push(f, ENGINE_READY);
    }
    if (f->state == FAKE_RUNNING) fake_count(f, w->now);
    while (f->n) {
        struct engine_event ev = f->queue[0];
        memmove(f->queue, f->queue + 1, --f->n * sizeof ev);
        session_engine(a->session, &ev, w->now);
    }
    if (f->state == FAKE_RUNNING && !f->abort && w->now >= f->t0 && w->now - f->t0 < f->stop_due &&
        w->now - a->heard > RUN_LEASE_NS + NS_PER_S)
        w->overran = true;
    if (session_state(a->session) == SESSION_OVER) world_agent_die(w, i);
}

/* ---- the coordinator's side ---- */

static inline bool world_next(void *arg, struct run_step *ret)
{
    return steps_next(&((struct world *)arg)->steps, ret);
}

static inline struct peer world_peer(uint32_t connection)
{
    struct peer p = {.n = 4};
    memcpy(p.id, &connection, 4);
    return p;
}

static inline void world_send(void *arg, const struct peer *to, const struct wire_msg *m)
{
    uint32_t connection;
    memcpy(&connection, to->id, 4);
    world_post(arg, true, connection % WORLD_AGENTS, connection, m);
}

static inline int world_begin(void *arg, const struct stage_data *d, struct err *e)
{
    struct world *w = arg;
    w->begun++;
    w->kept.last_epoch = d->epoch;
    w->kept.unclean = true;
    for (uint32_t i = 0; i < WORLD_AGENTS; i++) { /* nobody still loads for an earlier attempt */
        const struct world_agent *a = &w->agent[i];
        const struct fake_engine *f = &a->engine;
        bool loads = a->exists && w->now >= a->frozen_until && f->state == FAKE_RUNNING && !f->abort &&
                     w->now - f->t0 < f->stop_due && w->now - f->t0 < f->shard.duration_ns && w->now >= f->t0;
        if (loads && a->armed_epoch != d->epoch) w->overran = true;
    }
    return w->store_fails ? err_set(e, ERR_IO, "the disk is full") : 0;
}

static inline int world_snapshot(void *arg, const struct run_step *s, uint32_t epoch, uint32_t agent, uint64_t seq,
                                 struct wire_bytes b, struct err *e)
{
    struct world *w = arg;
    (void)s, (void)agent, (void)seq, (void)b;
    w->journaled = (w->journal_epoch == epoch ? w->journaled : 0) + 1;
    w->journal_epoch = epoch;
    return w->store_fails ? err_set(e, ERR_IO, "the disk is full") : 0;
}

static inline int world_end(void *arg, struct stage_data *d, bool superseded, struct err *e)
{
    struct world *w = arg;
    (void)e;
    assert_true(w->n_stages < WORLD_STAGES);
    struct world_stage *s = &w->stage[w->n_stages++];
    uint64_t ended = d->counters[COUNTER_OK] + counters_failed(d->counters) + d->counters[COUNTER_CANCELLED] +
                     d->counters[COUNTER_ABORTED] + d->lost;
    *s = (struct world_stage){.stage = d->stage,
                              .epoch = d->epoch,
                              .superseded = superseded,
                              .degraded = d->degraded,
                              .aborted = d->aborted,
                              .balanced = ended == d->counters[COUNTER_DUE],
                              .due = d->counters[COUNTER_DUE],
                              .ok = d->counters[COUNTER_OK],
                              .lost = d->lost,
                              .hist_count = d->hist[METRIC_TTFT] ? d->hist[METRIC_TTFT]->count : 0,
                              .agents = d->n_agents};
    struct hist *sum = hist_new();
    uint64_t counted = 0;
    for (size_t i = 0; i < d->n_agents; i++) {
        counted += d->agents[i].snapshots;
        s->lost_agents += d->agents[i].lost;
        const struct packed_hist *part = &d->agents[i].hist[METRIC_TTFT];
        assert_int_equal(packed_hist_add_to(part, sum, NULL), 0);
        if (d->agents[i].lost) continue;
        for (uint32_t k = 0; k < WORLD_AGENTS; k++) { /* what its engine recorded came through, bucket by bucket */
            struct world_agent *a = &w->agent[k];
            if (!a->exists || strcmp(a->name, d->agents[i].name) != 0 || a->armed_epoch != d->epoch)
                continue; /* another process */
            struct hist *told = packed_hist_unpack(part);
            if (told)
                assert_true(hist_equal(a->engine.truth, told));
            else
                assert_int_equal(a->engine.truth ? a->engine.truth->count : 0, 0);
            hist_destroy(&told);
        }
    }
    if (d->hist[METRIC_TTFT]) assert_true(hist_equal(sum, d->hist[METRIC_TTFT]));
    hist_destroy(&sum);
    if (!w->store_fails) {
        assert_int_equal(w->journal_epoch == d->epoch ? w->journaled : 0,
                         counted); /* what was counted is in the journal */
        size_t k = 0;
        while (k < w->n_past && (w->past[k].stage != d->stage || w->past[k].repeat != d->repeat))
            k++;
        if (k == w->n_past)
            w->n_past++;
        else
            assert_true(w->past[k].aborted); /* what was finished is never run again */
        w->past[k] =
            (struct stage_data){.stage = d->stage, .repeat = d->repeat, .epoch = d->epoch, .aborted = d->aborted};
        w->kept.unclean = d->aborted || d->degraded;
    }
    stage_data_clear(d);
    return 0;
}

static inline int world_agent_told(void *arg, const struct run_agent *a, struct err *e)
{
    struct world *w = arg;
    (void)e;
    if (a->agent >= w->kept.agents) w->kept.agents = a->agent + 1;
    return 0;
}

static inline void world_event(void *arg, enum run_event_kind kind, const char *text)
{
    struct world *w = arg;
    w->joined += kind == RUN_EVENT_AGENT_JOINED;
    w->losses += kind == RUN_EVENT_AGENT_LOST;
    if (w->verbose)
        print_message("%8.3f run (%s): %s: %s\n", (double)w->now / 1e9, w->run ? run_state_name(run_state(w->run)) : "",
                      RUN_EVENTS[kind].name, text);
}

/* A coordinator begins, or a later one continues, as drive.c does. */
static inline void world_coordinator(struct world *w)
{
    bool again = w->kept.last_epoch > 0;
    w->steps = (struct steps){.plan = w->plan, .past = w->past, .n_past = w->n_past};
    struct run_options o = {.plan = w->plan,
                            .packed = {w->packed.data, w->packed.len},
                            .plan_hash = w->hash,
                            .run_id = "r",
                            .start_lead_ns = 200 * NS_PER_MS,
                            .first_epoch = again ? w->kept.last_epoch + RUN_ATTEMPTS : 0,
                            .first_agent = w->kept.agents,
                            .probe = w->probe,
                            .fence_ns = w->kept.unclean ? w->now + RUN_LEASE_NS + NS_PER_S : 0};
    struct run_io io = {w,         world_next,       world_send,  world_begin, world_snapshot,
                        world_end, world_agent_told, world_event, NULL,        NULL};
    w->run = run_new(&o, &io, w->now);
}

static inline void world_open_probing(struct world *w, uint64_t seed, const char *yaml, uint32_t probe)
{
    struct err e = {0};
    *w =
        (struct world){.now = 1000 * NS_PER_S, .delay_max = 2 * NS_PER_MS, .packed = BUF_INIT(1 << 20), .probe = probe};
    rng_seed(&w->rng, seed);
    w->queue = calloc(WORLD_QUEUE, sizeof *w->queue);
    w->plan = plan_load("test", yaml, strlen(yaml), NULL, 0, &e);
    if (!w->plan) fail_msg("%s", e.text);
    assert_int_equal(plan_to_json(w->plan, false, &w->packed), 0);
    assert_int_equal(plan_hash(w->plan, w->hash), 0);
    world_coordinator(w);
}

static inline void world_open(struct world *w, uint64_t seed, const char *yaml)
{
    world_open_probing(w, seed, yaml, 0);
}

/* The coordinator's process dies: what is under way stays so, what it knew is gone. */
static inline void world_kill(struct world *w)
{
    run_destroy(&w->run);
}

static inline bool world_is_finished(const struct world *w)
{
    struct steps left = {.plan = w->plan, .past = w->past, .n_past = w->n_past};
    struct run_step step;
    return !steps_next(&left, &step);
}

static inline void world_close(struct world *w)
{
    for (uint32_t i = 0; i < WORLD_AGENTS; i++)
        if (w->agent[i].exists) world_agent_die(w, i);
    for (size_t i = 0; i < w->n_queue; i++)
        buf_clear(&w->queue[i].bytes);
    free(w->queue);
    run_destroy(&w->run);
    plan_destroy(&w->plan);
    buf_clear(&w->packed);
}

static inline void world_deliver(struct world *w, struct parcel *p)
{
    struct wire_msg m;
    struct err e = {0};
    struct world_agent *a = &w->agent[p->agent];
    if (p->to_agent && (!a->exists || a->connection != p->connection)) return; /* that socket is closed */
    if (wire_decode(&m, p->bytes.data, p->bytes.len, &e)) fail_msg("%s", e.text);
    if (p->to_agent) {
        a->heard = w->now;
        if (m.type == WIRE_ARM) a->armed_epoch = m.u.arm.epoch;
        if (m.type == WIRE_PROBE) w->probes[p->agent]++;
        session_message(a->session, &m, w->now);
    } else {
        struct peer from = world_peer(p->connection);
        if (w->run) run_message(w->run, &from, &m, w->now);
    }
    wire_msg_clear(&m);
}

static inline int64_t world_next_time(struct world *w)
{
    int64_t t = w->run ? run_deadline(w->run) : w->now + NS_PER_S / 4;
    for (size_t i = 0; i < w->n_queue; i++) {
        const struct parcel *p = &w->queue[i];
        int64_t at = p->to_agent && w->agent[p->agent].exists && w->agent[p->agent].frozen_until > p->at
                         ? w->agent[p->agent].frozen_until
                         : p->at;
        if (at < t) t = at;
    }
    for (uint32_t i = 0; i < WORLD_AGENTS; i++) {
        const struct world_agent *a = &w->agent[i];
        if (!a->exists) continue;
        int64_t at = session_deadline(a->session), f = fake_next(&a->engine, w->now);
        if (f < at) at = f;
        if (at < a->frozen_until) at = a->frozen_until;
        if (at < t) t = at;
    }
    return t;
}

/* One step of simulated time. */
static inline void world_step(struct world *w)
{
    int64_t t = world_next_time(w);
    w->now = t > w->now ? t : w->now + 1;
    for (uint32_t i = 0; i < WORLD_AGENTS; i++)
        world_agent_run(w, i);
    for (size_t i = 0; i < w->n_queue;) {
        struct parcel p = w->queue[i];
        bool frozen = p.to_agent && w->agent[p.agent].exists && w->now < w->agent[p.agent].frozen_until;
        if (p.at > w->now || frozen) {
            i++;
            continue;
        }
        memmove(&w->queue[i], &w->queue[i + 1], (--w->n_queue - i) * sizeof p);
        world_deliver(w, &p);
        buf_clear(&p.bytes);
        i = 0; /* a delivery may post */
    }
    if (w->run) run_tick(w->run, w->now, true);
}

/* Until the run is over or `until`; false when it is not over by then. */
static inline bool world_until(struct world *w, int64_t until)
{
    while (w->now < until && (!w->run || run_state(w->run) != RUN_OVER))
        world_step(w);
    return w->run && run_state(w->run) == RUN_OVER;
}
