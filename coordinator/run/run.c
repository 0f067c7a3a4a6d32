#include "coordinator/run/run.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/human.h"
#include "coordinator/run/run_impl.h"

#define TICK_NS (NS_PER_S / 4)
#define ARM_NS (30 * NS_PER_S)   /* beside the plan's connect timeout */
#define GRACE_NS (15 * NS_PER_S) /* from the latest end a stage can have to the last DONE */
#define CLOSE_NS (2 * NS_PER_S)
#define PROBE_LENGTHS_NS (90 * NS_PER_S) /* with target.lengths: measured, each model */
#define PROBE_NS (60 * NS_PER_S)         /* beside the plan's connect timeout: the probe itself and a few other paths */
#define AWAY_NS (1 * NS_PER_S)           /* a tick that is later than this: the process stood still */
#define LEAST_LEAD_DELAYS 4
#define GO_NS (20 * NS_PER_MS) /* a turn of the loop, in which RUN_BEATS_A_TICK agents are told when to start */

#define STAY RUN_STATE_N
#define ROW(enough, probe, ready, spoil, done, next, missing, stop, end, farewell, abort)                              \
    {                                                                                                                  \
        enough, probe, ready, spoil, done, next, missing, stop, end, farewell, abort                                   \
    }
/* clang-format off */
static const enum run_state RUN_NEXT[RUN_STATE_N][EV_N] = {
    /*                  ENOUGH   PROBE      READY     SPOIL      DONE       NEXT     MISSING     STOP       END        FAREWELL  ABORT */
    [RUN_GATHER] = ROW(RUN_ARM, RUN_PROBE, STAY,     STAY,      STAY,      STAY,    STAY,       RUN_CLOSE, RUN_CLOSE, STAY,     RUN_OVER),
    [RUN_PROBE]  = ROW(RUN_ARM, STAY,      STAY,     STAY,      STAY,      STAY,    RUN_GATHER, RUN_CLOSE, RUN_CLOSE, STAY,     RUN_OVER),
    [RUN_ARM]    = ROW(STAY,    STAY,      RUN_LOAD, RUN_PAUSE, STAY,      STAY,    STAY,       RUN_CLOSE, RUN_CLOSE, STAY,     RUN_OVER),
    [RUN_LOAD]   = ROW(STAY,    STAY,      STAY,     RUN_DRAIN, RUN_PAUSE, STAY,    STAY,       RUN_DRAIN, RUN_CLOSE, STAY,     RUN_OVER),
    [RUN_DRAIN]  = ROW(STAY,    STAY,      STAY,     STAY,      RUN_PAUSE, STAY,    STAY,       STAY,      RUN_CLOSE, STAY,     RUN_OVER),
    [RUN_PAUSE]  = ROW(STAY,    STAY,      STAY,     STAY,      STAY,      RUN_ARM, RUN_GATHER, RUN_CLOSE, RUN_CLOSE, STAY,     RUN_OVER),
    [RUN_CLOSE]  = ROW(STAY,    STAY,      STAY,     STAY,      STAY,      STAY,    STAY,       STAY,      STAY,      RUN_OVER, RUN_OVER),
    [RUN_OVER]   = ROW(STAY,    STAY,      STAY,     STAY,      STAY,      STAY,    STAY,       STAY,      STAY,      STAY,     STAY),
};
/* clang-format on */

void run_note(struct run *r, enum run_event_kind kind, const char *fmt, ...)
{
    char text[sizeof((struct run_event *)0)->text];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    r->io.event(r->io.arg, kind, text);
}

/* ---- ends and errors ---- */

/* The first error is the one that is reported. A stage that runs is collected first. */
void run_fail(struct run *r, const struct err *e, int64_t now)
{
    if (r->err.code == ERR_NONE && r->state < RUN_OVER) {
        r->err = *e;
        r->incomplete = true;
        run_note(r, RUN_EVENT_ERROR, "%s", e->text);
    }
    if (r->state == RUN_LOAD) {
        r->stop_now = true;
        r->attempt->aborted = true;
        run_step_to(r, EV_SPOIL, now);
    } else if (r->state != RUN_DRAIN)
        run_step_to(r, EV_END, now);
}

void run_unsaved(struct run *r, const struct err *e, int64_t now)
{
    r->incomplete = true;
    if (r->state < RUN_CLOSE) {
        run_fail(r, e, now);
    } else if (r->err.code == ERR_NONE) {
        r->err = *e;
        run_note(r, RUN_EVENT_ERROR, "%s", e->text);
    }
}

void run_tell_agent(struct run *r, struct agent *a, int64_t now)
{
    struct err e = {0};
    if (r->store_broken || r->io.agent(r->io.arg, &a->info, &e) == 0) return;
    r->store_broken = true;
    run_fail(r, &e, now);
}

/* Hands the stage over to the store, whatever has become of it. */
static void finish_stage(struct run *r, bool superseded, int64_t now)
{
    struct stage_data d = {0};
    struct err e = {0};
    if (r->attempt->degraded || (r->attempt->aborted && !r->gave_up)) r->incomplete |= !superseded;
    int rc = attempt_finish(r->attempt, r->o.wall_minus_mono, &d, &e);
    if (rc == 0)
        rc = r->io.stage_end(r->io.arg, &d, superseded, &e);
    else
        stage_data_clear(&d);
    for (size_t i = 0; i < r->attempt->n; i++)
        if (agent_in_stage(r->attempt->part[i].agent)) (void)agent_step(r->attempt->part[i].agent, AGENT_EV_RELEASE);
    attempt_destroy(&r->attempt);
    if (rc) {
        if (r->err.code == ERR_NONE) {
            r->err = e;
            run_note(r, RUN_EVENT_ERROR, "%s", e.text);
        }
        r->incomplete = true;
    }
    (void)now;
}

/* Everything that can come from this attempt has come. */
static void stage_is_over(struct run *r, int64_t now)
{
    bool ended = r->err.code != ERR_NONE || r->signal != 0 || r->gave_up;
    bool again = !ended && r->spoiled && r->o.plan->on_loss == ON_LOSS_RETRY && r->tries + 1 < RUN_ATTEMPTS;
    finish_stage(r, again, now);
    if (again) {
        r->tries++;
        run_note(r, RUN_EVENT_STAGE_RETRY, "stage %" PRIu32 " (repeat %" PRIu32 ") is run again, attempt %" PRIu32,
                 r->step.stage + 1, r->step.repeat + 1, r->tries + 1);
    } else
        r->have_step = false;
    run_step_to(r, ended || r->err.code ? EV_END : EV_DONE, now);
}

void run_check_done(struct run *r, int64_t now)
{
    if ((r->state == RUN_LOAD || r->state == RUN_DRAIN) && attempt_has_come(r->attempt, AGENT_DONE))
        stage_is_over(r, now);
}

/* Marks the stage degraded, and does what on_loss asks for. */
void run_spoil(struct run *r, const char *why, int64_t now)
{
    if (!r->attempt || r->state == RUN_DRAIN) return;
    if (r->state == RUN_LOAD) r->attempt->degraded = true;
    r->spoiled = true;
    if (r->o.plan->on_loss == ON_LOSS_FAIL) {
        struct err e;
        (void)err_set(&e, ERR_AGENTS, "%s, and agents.on_loss is fail", why);
        run_fail(r, &e, now);
    } else if (r->state == RUN_ARM) {
        run_step_to(r, EV_SPOIL, now);
    } else if (r->o.plan->on_loss == ON_LOSS_RETRY && r->tries + 1 < RUN_ATTEMPTS) {
        r->stop_now = true;
        r->attempt->aborted = true;
        run_step_to(r, EV_SPOIL, now);
    }
}

uint64_t run_living_weight(const struct run *r)
{
    uint64_t w = 0;
    for (size_t i = 0; i < registry_count(r->agents); i++)
        if (agent_alive(registry_at(r->agents, i))) w += registry_at(r->agents, i)->info.weight;
    return w;
}

void run_lose(struct run *r, struct agent *a, bool known_dead, const char *why, int64_t now)
{
    struct attempt_part *p = attempt_part_of(r->attempt, a);
    bool loads = a->state == AGENT_RUNNING, hurts = p && !p->done;
    if (!agent_step(a, AGENT_EV_LOSE)) return;
    if (hurts) attempt_lose(r->attempt, p);
    if (loads && !known_dead && now + RUN_LEASE_NS + NS_PER_S > r->fence_ns)
        r->fence_ns = now + RUN_LEASE_NS + NS_PER_S;
    char text[300];
    (void)snprintf(text, sizeof text, "agent %s (number %" PRIu32 ") %s", a->info.name, a->number, why);
    run_note(r, RUN_EVENT_AGENT_LOST, "%s", text);
    run_tell_agent(r, a, now);
    if (r->state >= RUN_CLOSE) return;
    if (r->state == RUN_PROBE && a == r->prober) run_step_to(r, EV_MISSING, now);
    uint64_t left = run_living_weight(r);
    if (r->first_weight > left &&
        (double)(r->first_weight - left) > r->o.plan->max_lost_weight * (double)r->first_weight + 1e-9) {
        struct err e;
        char lost[HUMAN_MAX], allowed[HUMAN_MAX];
        (void)err_set(&e, ERR_AGENTS, "%s; %s of the cluster's weight is lost and agents.max_lost_weight allows %s",
                      text, human_percent((double)(r->first_weight - left) / (double)r->first_weight, lost),
                      human_percent(r->o.plan->max_lost_weight, allowed));
        run_fail(r, &e, now);
    } else if (hurts)
        run_spoil(r, text, now);
    run_check_done(r, now);
}

/* ---- states ---- */

static size_t idle_agents(const struct run *r, struct agent **ret)
{
    size_t n = 0;
    for (size_t i = 0; i < registry_count(r->agents); i++) {
        struct agent *a = registry_at(r->agents, i);
        if (a->state != AGENT_IDLE) continue;
        if (ret) ret[n] = a;
        n++;
    }
    return n;
}

void run_check_gathered(struct run *r, int64_t now)
{
    if (r->state != RUN_GATHER) return;
    size_t n = idle_agents(r, NULL);
    if (n >= r->wanted) {
        if (now >= r->fence_ns) run_step_to(r, r->o.probe && !r->probed ? EV_PROBE : EV_ENOUGH, now);
    } else if (r->can_come < r->wanted) {
        struct err e;
        (void)err_set(&e, ERR_AGENTS, "%zu of %" PRIu32 " agents are left: %s", r->can_come, r->wanted, r->no_more);
        run_fail(r, &e, now);
    }
}

/* Weights are settled when a stage begins: who takes part is known then. */
static void weigh(struct run *r, int64_t now)
{
    size_t n = registry_count(r->agents);
    uint32_t *was = calloc(n + 1, sizeof *was);
    for (size_t i = 0; was && i < n; i++)
        was[i] = registry_at(r->agents, i)->info.weight;
    registry_weigh(r->agents);
    for (size_t i = 0; was && i < n; i++)
        if (registry_at(r->agents, i)->info.weight != was[i]) run_tell_agent(r, registry_at(r->agents, i), now);
    free(was);
}

static void enter_probe(struct run *r, int64_t now)
{
    struct agent **list = calloc(registry_count(r->agents) + 1, sizeof(struct agent *));
    size_t n = list ? idle_agents(r, list) : 0;
    r->prober = n ? list[0] : NULL;
    free(list);
    r->deadline_ns = now + PROBE_NS + r->o.plan->target.timeout_connect_ns;
    if (r->o.plan->target.lengths == LENGTHS_MEASURED)
        r->deadline_ns += PROBE_LENGTHS_NS * word_costs_n(r->o.plan->target.n_models);
    if (r->prober) talk_ask(r, r->prober, now);
}

static void enter_arm(struct run *r, int64_t now)
{
    struct err e = {0};
    if (!r->have_step) {
        r->have_step = r->io.next_step(r->io.arg, &r->step);
        r->tries = 0;
        if (!r->have_step) {
            run_step_to(r, EV_END, now);
            return;
        }
    }
    weigh(r, now);
    if (r->state != RUN_ARM) return; /* a failed write has ended the run */
    struct agent **list = calloc(registry_count(r->agents) + 1, sizeof(struct agent *));
    size_t n = list ? idle_agents(r, list) : 0;
    r->spoiled = r->stop_now = false;
    if (list)
        r->attempt = attempt_new(r->o.plan, &r->step, ++r->epoch, r->tries, list, n, &e);
    else
        (void)err_set(&e, ERR_NOMEM, "no memory for the stage");
    free(list);
    if (!r->attempt) {
        run_fail(r, &e, now);
        return;
    }
    if (r->first_weight == 0) r->first_weight = run_living_weight(r);
    r->deadline_ns = now + ARM_NS + r->o.plan->target.timeout_connect_ns;
    for (size_t i = 0; i < r->attempt->n; i++) {
        struct agent *a = r->attempt->part[i].agent;
        (void)agent_step(a, AGENT_EV_ARM);
        r->attempt->part[i].shard.costs = r->costs;
        if (!clocksync_settled(&a->clock, now, RUN_FRESH_NS)) clocksync_begin(&a->clock);
    }
    talk_all(r, now);
}

/* What the target answers so, it would answer to every request: then nothing is begun. */
void run_probed(struct run *r, const struct run_probe *p, int64_t now)
{
    static const struct run_probe NOTHING = {.error = "the probe has not come to an end in time", .code = ERR_NET};
    struct err e;
    if (!p) p = &NOTHING;
    if (r->state != RUN_PROBE) return;
    r->probed = true;
    r->prober = NULL;
    for (size_t i = 0; i < p->n_lines; i++)
        run_note(r, RUN_EVENT_PROBE, "%s", p->line[i]);
    r->costs = p->costs;
    bool unmeasured = r->o.plan->target.lengths == LENGTHS_MEASURED && r->costs.of[0].word == 0;
    if (p->error[0] && (p->final || r->o.only_probe || unmeasured)) {
        (void)err_set(&e, p->code > ERR_NONE && p->code < ERR_N ? (enum err_code)p->code : ERR_NET, "%s", p->error);
        run_fail(r, &e, now);
        return;
    }
    if (p->error[0]) run_note(r, RUN_EVENT_PROBE_DOUBT, "%s", p->error);
    run_step_to(r, EV_ENOUGH, now);
}

static int64_t start_of(const struct run *r, int64_t now)
{
    int64_t lead = r->o.start_lead_ns;
    int64_t delays = LEAST_LEAD_DELAYS * attempt_delay(r->attempt);
    if (delays > lead) lead = delays;
    return now + lead + GO_NS * (int64_t)(r->attempt->n / RUN_BEATS_A_TICK);
}

/* What the target chose and allows, once, at the first stage that it concerns. */
static void tell_terms(struct run *r)
{
    const struct attempt *s = r->attempt;
    const struct plan_target *t = &r->o.plan->target;
    uint64_t connections;
    uint32_t streams;
    const char *http;
    attempt_terms(s, &streams, &connections, &http);
    if (t->http == HTTP_AUTO && http[0] && !r->chosen) {
        r->chosen = true;
        run_note(r, RUN_EVENT_CONNECTIONS, "%s is spoken (target.http: auto)", http);
    }
    if (streams == 0 || streams == r->streams) return;
    r->streams = streams;
    run_note(r, RUN_EVENT_CONNECTIONS,
             "the server allows %" PRIu32 " streams a connection, target.streams_per_connection is %" PRIu32
             ": %" PRIu64 " connections are used at stage %" PRIu32,
             streams, t->streams_per_connection, connections, s->step.stage + 1);
}

void run_check_ready(struct run *r, int64_t now)
{
    if (r->state != RUN_ARM || !attempt_has_come(r->attempt, AGENT_READY)) return;
    for (size_t i = 0; i < r->attempt->n; i++)
        if (!clocksync_settled(&r->attempt->part[i].agent->clock, now, 2 * RUN_FRESH_NS)) return;
    struct attempt *s = r->attempt;
    int64_t t0 = start_of(r, now);
    struct stage_data d = {.stage = s->step.stage,
                           .repeat = s->step.repeat,
                           .epoch = s->epoch,
                           .plan = s->step.load,
                           .started_wall_ns = t0 + r->o.wall_minus_mono};
    struct err e = {0};
    if (r->io.stage_begin(r->io.arg, &d, &e)) {
        run_fail(r, &e, now);
        return;
    }
    s->t0_ns = t0;
    tell_terms(r);
    run_step_to(r, EV_READY, now);
}

static void enter_load(struct run *r, int64_t now)
{
    struct attempt *s = r->attempt;
    r->progress = 0;
    r->deadline_ns = s->t0_ns + s->step.load.duration_ns + r->o.plan->drain_ns + GRACE_NS;
    if (s->step.load.duration_ns == 0)
        r->deadline_ns += r->o.plan->target.timeout_total_ns; /* by count: moves on as requests end */
    for (size_t i = 0; i < s->n; i++)
        (void)agent_step(s->part[i].agent, AGENT_EV_GO);
    talk_all(r, now);
}

static void enter_drain(struct run *r, int64_t now)
{
    r->deadline_ns = now + GRACE_NS + (r->stop_now ? 0 : r->o.plan->drain_ns);
    talk_all(r, now);
    run_check_done(r, now);
}

/* An attempt that never began leaves no trace. */
static void give_up_arming(struct run *r, int64_t now)
{
    for (size_t i = 0; i < r->attempt->n; i++)
        if (agent_in_stage(r->attempt->part[i].agent)) (void)agent_step(r->attempt->part[i].agent, AGENT_EV_RELEASE);
    talk_dismiss(r, now);
    attempt_destroy(&r->attempt);
    if (r->err.code == ERR_NONE && ++r->tries >= RUN_ATTEMPTS) {
        struct err e;
        (void)err_set(&e, ERR_AGENTS, "stage %" PRIu32 " could not be begun in %u attempts", r->step.stage + 1,
                      RUN_ATTEMPTS);
        run_fail(r, &e, now);
    }
}

static void decide(struct run *r, int64_t now)
{
    r->deciding = !r->have_step && r->io.deciding && r->io.deciding(r->io.arg);
    if (r->deciding) return;
    if (!r->have_step) {
        r->have_step = r->io.next_step(r->io.arg, &r->step);
        r->tries = 0;
    }
    if (!r->have_step) run_step_to(r, EV_END, now);
}

static void enter_pause(struct run *r, int64_t now)
{
    if (r->attempt) give_up_arming(r, now);
    if (r->state != RUN_PAUSE) return;
    r->deadline_ns = now + (r->epoch ? r->o.plan->cooldown_ns : 0);
    if (r->have_step && r->tries) r->deadline_ns = now; /* again: at once */
    if (r->fence_ns > r->deadline_ns) r->deadline_ns = r->fence_ns;
    decide(r, now);
}

static void leave_pause(struct run *r, int64_t now)
{
    r->wanted = 1;
    run_step_to(r, idle_agents(r, NULL) ? EV_NEXT : EV_MISSING, now);
}

/* Even when all agents have come, the run waits for the fence: the leases of lost agents. */
static int64_t gather_until(const struct run *r, int64_t now)
{
    int64_t from = r->fence_ns > now ? r->fence_ns : now;
    return from + r->o.plan->agents_wait_ns;
}

static void enter_gather(struct run *r, int64_t now)
{
    r->deadline_ns = gather_until(r, now);
    run_check_gathered(r, now);
}

static void enter_close(struct run *r, int64_t now)
{
    if (r->attempt && r->attempt->t0_ns) { /* BYE stops what runs */
        r->attempt->aborted = true;
        finish_stage(r, false, now);
    } else
        attempt_destroy(&r->attempt);
    if (r->signal || r->have_step) r->incomplete = true;
    r->deadline_ns = now + CLOSE_NS;
    talk_all(r, now);
    if (run_living_weight(r) == 0) run_step_to(r, EV_FAREWELL, now);
}

static void enter_over(struct run *r, int64_t now)
{
    if (r->attempt && r->attempt->t0_ns) {
        r->attempt->aborted = true;
        finish_stage(r, false, now);
    } else
        attempt_destroy(&r->attempt);
    talk_bye(r);
}

static void (*const ENTER[RUN_STATE_N])(struct run *, int64_t) = {enter_gather, enter_probe, enter_arm,   enter_load,
                                                                  enter_drain,  enter_pause, enter_close, enter_over};

void run_step_to(struct run *r, enum run_trigger ev, int64_t now)
{
    enum run_state next = RUN_NEXT[r->state][ev];
    if (next == STAY) return;
    r->state = next;
    ENTER[next](r, now);
}

/* ---- time ---- */

/* A stage by count may take as long as requests keep ending. */
static void watch_progress(struct run *r, int64_t now)
{
    if (r->state != RUN_LOAD || r->attempt->step.load.duration_ns) return;
    struct merge_live live;
    merge_live(r->attempt->merge, &live);
    uint64_t ended = live.counters[COUNTER_OK] + counters_failed(live.counters);
    if (ended == r->progress) return;
    r->progress = ended;
    r->deadline_ns = now + r->o.plan->target.timeout_total_ns + r->o.plan->drain_ns + GRACE_NS;
}

/* Ends stages early whose result is known or can no longer change. */
static void watch_stage(struct run *r, int64_t now)
{
    if (r->state != RUN_LOAD || !r->io.watch || now <= r->attempt->t0_ns) return;
    enum run_word word = r->io.watch(r->io.arg, r->attempt, now - r->attempt->t0_ns);
    if (word == RUN_WORD_ON) return;
    if (word == RUN_WORD_GIVE_UP) {
        r->gave_up = r->attempt->aborted = true;
        run_note(r, RUN_EVENT_GATE_FAILED,
                 "stage %" PRIu32 " broke a gate for longer than slo.abort_on_fail: the run ends", r->step.stage + 1);
    }
    run_step_to(r, EV_STOP, now);
}

static void lose_those_before(struct run *r, enum agent_state until, const char *why, int64_t now)
{
    struct attempt *s = r->attempt;
    uint32_t epoch = s->epoch, n = 0;
    for (size_t i = 0; r->attempt && r->attempt->epoch == epoch && i < s->n; i++) {
        struct agent *a = s->part[i].agent;
        if (!s->part[i].lost && agent_alive(a) &&
            (a->state < until || (until == AGENT_READY && !clocksync_settled(&a->clock, now, 2 * RUN_FRESH_NS)))) {
            talk_refuse(r, &a->peer, why, true);
            run_lose(r, a, false, why, now);
            if (++n == RUN_LOSSES_A_TICK) return; /* the deadline is past, so the next tick comes at once */
        }
    }
}

static void too_few_came(struct run *r, int64_t now)
{
    struct err e;
    char more[120] = "";
    size_t n = 0;
    for (size_t i = 0; i < registry_count(r->agents); i++)
        n += registry_at(r->agents, i)->state == AGENT_PLANNING;
    if (n)
        (void)snprintf(more, sizeof more,
                       "; %zu more had come and not yet taken the plan (they look up the target's name then)", n);
    (void)err_set(&e, ERR_AGENTS, "%zu of %" PRIu32 " agents were there after agents.wait (%.0f s)%s",
                  idle_agents(r, NULL), r->wanted, (double)r->o.plan->agents_wait_ns / 1e9, more);
    run_fail(r, &e, now);
}

static void on_deadline(struct run *r, int64_t now)
{
    switch (r->state) {
    case RUN_GATHER:
        too_few_came(r, now);
        break;
    case RUN_PROBE:
        run_probed(r, NULL, now);
        break;
    case RUN_ARM:
        lose_those_before(r, AGENT_READY, "was not ready in time", now);
        break;
    case RUN_LOAD:
    case RUN_DRAIN:
        lose_those_before(r, AGENT_DONE, "did not end its stage in time", now);
        break;
    case RUN_PAUSE:
        leave_pause(r, now);
        break;
    case RUN_CLOSE:
        run_step_to(r, EV_FAREWELL, now);
        break;
    case RUN_OVER:
    case RUN_STATE_N:
        break;
    }
}

/* This process stood still (a paused machine, a full disk): no message was read in that time, and messages may still
 * wait in the sockets. */
static void forgive(struct run *r, int64_t away, int64_t now)
{
    run_note(r, RUN_EVENT_COORDINATOR_AWAY, "this process stood still for %.1f s", (double)away / 1e9);
    for (size_t i = 0; i < registry_count(r->agents); i++) {
        struct agent *a = registry_at(r->agents, i);
        a->heard_ns = a->heard_ns + away < now ? a->heard_ns + away : now;
    }
    if (r->state == RUN_ARM || r->state == RUN_LOAD || r->state == RUN_DRAIN) r->deadline_ns += away;
}

static void lose_silent(struct run *r, int64_t now)
{
    r->losses_left = false;
    for (size_t i = 0, n = 0; i < registry_count(r->agents) && !r->losses_left; i++) {
        struct agent *a = registry_at(r->agents, i);
        if (!agent_silent(a, r->read_ns, RUN_LIVENESS_NS)) continue;
        run_lose(r, a, false, "was silent for too long", now);
        r->losses_left = ++n == RUN_LOSSES_A_TICK;
    }
}

void run_tick(struct run *r, int64_t now, bool all_read)
{
    int64_t away = now - r->tick_ns - TICK_NS;
    r->now_ns = r->tick_ns = now;
    if (r->state == RUN_OVER) return;
    if (all_read || now - r->read_ns > RUN_UNREAD_NS) r->read_ns = now;
    if (away > AWAY_NS) forgive(r, away, now);
    lose_silent(r, now);
    if (r->losses_left) return; /* nothing is begun with agents that are lost */
    run_check_gathered(r, now);
    if (r->due_left) {
        talk_due(r, now);
        return; /* what is begun now would be told to as many again */
    }
    talk_heartbeat(r, now);
    if (now - r->beat_ns >= RUN_HEARTBEAT_NS) {
        r->beat_ns = now;
        talk_again(r);
        watch_progress(r, now);
        watch_stage(r, now);
    }
    if (r->state == RUN_PAUSE && r->deciding) decide(r, now);
    if (r->state == RUN_PAUSE && r->deciding) return;
    bool waits = r->state != RUN_PAUSE && r->state != RUN_CLOSE; /* for agents' answers */
    if (now >= r->deadline_ns && (r->read_ns == now || !waits)) on_deadline(r, now);
}

int64_t run_deadline(const struct run *r)
{
    int64_t t = r->tick_ns + (r->due_left || r->losses_left ? 0 : r->beats_left ? TICK_NS / 16 : TICK_NS);
    return r->deadline_ns < t ? r->deadline_ns : t;
}

/* ---- life ---- */

struct run *run_new(const struct run_options *o, const struct run_io *io, int64_t now)
{
    struct run *r = calloc(1, sizeof *r);
    if (!r) return NULL;
    r->o = *o;
    r->io = *io;
    r->epoch = o->first_epoch;
    r->wanted = o->wanted ? o->wanted : o->plan->agents_count ? o->plan->agents_count : 1;
    r->fence_ns = o->fence_ns;
    r->now_ns = r->beat_ns = r->tick_ns = r->read_ns = now;
    r->can_come = SIZE_MAX;
    r->agents = registry_new();
    if (!r->agents) {
        free(r);
        return NULL;
    }
    registry_number_from(r->agents, o->first_agent);
    r->state = RUN_GATHER;
    r->deadline_ns = gather_until(r, now);
    return r;
}

void run_destroy(struct run **r)
{
    if (!*r) return;
    attempt_destroy(&(*r)->attempt);
    registry_destroy(&(*r)->agents);
    free(*r);
    *r = NULL;
}

bool run_agent_gone(struct run *r, const char *name, const char *how, int64_t now)
{
    struct agent *a = registry_named(r->agents, name);
    if (!a) return false;
    if (r->state >= RUN_CLOSE) {
        (void)agent_step(a, AGENT_EV_BYE);
        if (r->state == RUN_CLOSE && run_living_weight(r) == 0) run_step_to(r, EV_FAREWELL, now);
        return true;
    }
    run_lose(r, a, true, how, now);
    return true;
}

void run_limit_agents(struct run *r, size_t most, const char *why, int64_t now)
{
    r->can_come = most;
    (void)snprintf(r->no_more, sizeof r->no_more, "%s", why);
    run_check_gathered(r, now);
}

void run_stop(struct run *r, int signal, bool at_once, int64_t now)
{
    if (r->state == RUN_OVER) return;
    if (!r->signal) {
        r->signal = signal;
        run_note(r, RUN_EVENT_SIGNAL, "signal %d: %s", signal,
                 at_once ? "ends at once" : "drains and ends; once more ends it at once");
    }
    if (r->state == RUN_LOAD) r->attempt->aborted = true;
    run_step_to(r, at_once ? EV_ABORT : EV_STOP, now);
}
