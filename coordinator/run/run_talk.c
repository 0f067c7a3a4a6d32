#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "coordinator/run/run_impl.h"

#define REPEAT_NS (1 * NS_PER_S) /* an unanswered command is sent again */
#define MALFORMED_EVENTS 100u

/* ---- messages to agents ---- */

/* Every message shows that the coordinator lives. A heartbeat is needed only when there is nothing else to send. */
static void send_to(struct run *r, struct agent *a, const struct wire_msg *m)
{
    a->said_ns = r->now_ns;
    r->io.send(r->io.arg, &a->peer, m);
}

void talk_refuse(struct run *r, const struct peer *to, const char *why, bool retry)
{
    struct wire_msg m = {.type = WIRE_REFUSE, .u.refuse = {.reason = why, .retry = retry}};
    r->io.send(r->io.arg, to, &m);
}

static void send_clock(struct run *r, struct agent *a, int64_t now)
{
    struct wire_msg m = {.type = WIRE_CLOCK};
    clocksync_ask(&a->clock, now, &m.u.clock.seq, &m.u.clock.t1);
    a->clock_ns = now;
    send_to(r, a, &m);
}

static void send_stop(struct run *r, struct agent *a, uint32_t stage, uint32_t epoch, bool now)
{
    struct wire_msg m = {.type = WIRE_STOP, .u.stop = {.stage = stage, .epoch = epoch, .now = now}};
    send_to(r, a, &m);
}

static void send_ack(struct run *r, struct agent *a, uint32_t stage, uint32_t epoch, uint64_t seq)
{
    struct wire_msg m = {.type = WIRE_ACK, .u.ack = {.stage = stage, .epoch = epoch, .seq = seq}};
    send_to(r, a, &m);
}

static void send_arm(struct run *r, struct agent *a)
{
    const struct stage_part *p = stage_part_of(r->stage, a);
    if (!p) return;
    struct wire_msg m = {.type = WIRE_ARM,
                         .u.arm = {.stage = r->stage->step.stage, .epoch = r->stage->epoch, .shard = p->shard}};
    send_to(r, a, &m);
}

/* Repeated until the first snapshot shows that the agent has begun. */
static void send_go(struct run *r, struct agent *a)
{
    if (!stage_part_of(r->stage, a)) return;
    if (r->state == RUN_DRAIN) {
        send_stop(r, a, r->stage->step.stage, r->stage->epoch, r->stop_now);
        return;
    }
    if (merge_last_seq(r->stage->merge, a->number)) return;
    struct wire_msg m = {.type = WIRE_GO,
                         .u.go = {.stage = r->stage->step.stage,
                                  .epoch = r->stage->epoch,
                                  .t0_ns = r->stage->t0_ns + a->clock.offset_ns}};
    send_to(r, a, &m);
}

static void send_plan(struct run *r, struct agent *a)
{
    struct wire_msg m = {.type = WIRE_PLAN,
                         .u.plan = {.hash = r->o.plan_hash, .plan = r->o.packed, .signature = r->o.signature}};
    send_to(r, a, &m);
}

/* (Re)sends what the agent has still to answer. */
void talk_ask(struct run *r, struct agent *a, int64_t now)
{
    a->asked_ns = now;
    switch (a->state) {
    case AGENT_PLANNING:
        send_plan(r, a);
        break;
    case AGENT_ARMING:
        send_arm(r, a);
        break;
    case AGENT_RUNNING:
        send_go(r, a);
        break;
    default:
        break;
    }
    if (agent_alive(a) && a->clock.left > 0) send_clock(r, a, now);
}

void talk_bye(struct run *r)
{
    struct wire_msg m = {.type = WIRE_BYE,
                         .u.bye = {.reason = r->err.code ? r->err.text : "the run is over", .code = r->err.code}};
    for (size_t i = 0; i < registry_count(r->agents); i++) {
        struct agent *a = registry_at(r->agents, i);
        if (agent_alive(a)) send_to(r, a, &m);
    }
}

void talk_stop(struct run *r, bool now)
{
    for (size_t i = 0; r->stage && i < r->stage->n; i++)
        if (!r->stage->part[i].lost && agent_alive(r->stage->part[i].agent))
            send_stop(r, r->stage->part[i].agent, r->stage->step.stage, r->stage->epoch, now);
}

/* A stage's snapshots are acknowledged every second anyway, so the heartbeat waits a little longer. */
static bool beat_is_due(const struct agent *a, int64_t now)
{
    return now - a->said_ns >= RUN_HEARTBEAT_NS + (a->state == AGENT_RUNNING ? RUN_HEARTBEAT_NS / 4 : 0);
}

void talk_heartbeat(struct run *r, int64_t now)
{
    struct wire_msg m = {.type = WIRE_HEARTBEAT, .u.heartbeat = {.seq = r->beat, .now_ns = now}};
    for (size_t i = 0; i < registry_count(r->agents); i++) {
        struct agent *a = registry_at(r->agents, i);
        if (agent_alive(a) && beat_is_due(a, now)) send_to(r, a, &m);
    }
}

void talk_again(struct run *r, int64_t now)
{
    r->beat++;
    for (size_t i = 0; i < registry_count(r->agents); i++) {
        struct agent *a = registry_at(r->agents, i);
        if (!agent_alive(a)) continue;
        if (a->clock.known && (r->beat + a->number) % (RUN_CLOCK_NS / RUN_HEARTBEAT_NS) == 0)
            clocksync_track(&a->clock);
        if (now - a->asked_ns >= REPEAT_NS && now - a->clock_ns >= REPEAT_NS) talk_ask(r, a, now);
    }
    if (r->state == RUN_CLOSE) talk_bye(r);
}

/* ---- messages from agents ---- */

static void on_hello(struct run *r, const struct peer *from, const struct wire_msg *m, int64_t now)
{
    struct agent *a;
    const char *reason;
    bool retry;
    if (r->state >= RUN_CLOSE) {
        talk_refuse(r, from, "the run is over", false);
        return;
    }
    enum registry_hello h = registry_hello(r->agents, from, m, now, &a, &reason, &retry);
    if (h == REGISTRY_REFUSED) {
        if (r->refused++ < MALFORMED_EVENTS)
            run_note(r, RUN_EVENT_AGENT_REFUSED, "%s: %s", m->u.hello.name ? m->u.hello.name : "", reason);
        talk_refuse(r, from, reason, retry);
        return;
    }
    struct wire_msg w = {.type = WIRE_WELCOME,
                         .u.welcome = {.run_id = r->o.run_id,
                                       .epoch = r->epoch,
                                       .agent = a->number,
                                       .lease_ns = RUN_LEASE_NS,
                                       .heartbeat_ns = RUN_HEARTBEAT_NS}};
    send_to(r, a, &w);
    run_note(r, h == REGISTRY_NEW ? RUN_EVENT_AGENT_JOINED : RUN_EVENT_AGENT_BACK,
             "%s (number %" PRIu32 ") on %s, %" PRIu32 " cores; its guard allows %.200s", a->info.name, a->number,
             a->info.host, a->info.cores, m->u.hello.guard);
    talk_ask(r, a, now);
}

static void on_clock_echo(struct run *r, struct agent *a, const struct wire_msg *m, int64_t now)
{
    enum clocksync_result c =
        clocksync_echo(&a->clock, m->u.clock_echo.seq, m->u.clock_echo.t1, m->u.clock_echo.t2, m->u.clock_echo.t3, now);
    if (c == CLOCKSYNC_MORE) send_clock(r, a, now);
    if (c != CLOCKSYNC_DONE) return;
    if (a->clock.jumps != a->clock_jumps) {
        a->clock_jumps = a->clock.jumps;
        run_note(r, RUN_EVENT_CLOCK_JUMP, "agent %s: its clock is %.3f ms from where it was", a->info.name,
                 (double)(a->clock.offset_ns - a->info.clock_offset_ns) / 1e6);
    }
    a->info.clock_offset_ns = a->clock.offset_ns;
    a->info.clock_bound_ns = a->clock.bound_ns;
    if (agent_step(a, AGENT_EV_CLOCKED)) talk_ask(r, a, now);
    run_check_ready(r, now);
}

/* What one agent cannot do would fail on every attempt, so the run ends with the agent's own sentence. */
static void agent_refuses(struct run *r, const struct agent *a, const char *error, uint32_t code, int64_t now)
{
    struct err e;
    (void)err_set(&e, code > ERR_NONE && code < ERR_N ? (enum err_code)code : ERR_INTERNAL, "agent %s: %s",
                  a->info.name, error);
    run_fail(r, &e, now);
}

/* An agent that comes late and cannot take the plan is refused alone; the run continues with the others. */
static void latecomer_refuses(struct run *r, struct agent *a, const char *error, int64_t now)
{
    char why[300];
    (void)snprintf(why, sizeof why, "cannot take the plan: %.250s", error);
    talk_refuse(r, &a->peer, why, false);
    run_lose(r, a, true, why, now);
}

static bool text_is(const char *s)
{
    return s && *s;
}

static void on_plan_ok(struct run *r, struct agent *a, const struct wire_msg *m, int64_t now)
{
    if (a->state != AGENT_PLANNING) return;
    if (text_is(m->u.plan_ok.error)) {
        if (r->state == RUN_GATHER)
            agent_refuses(r, a, m->u.plan_ok.error, m->u.plan_ok.code, now);
        else
            latecomer_refuses(r, a, m->u.plan_ok.error, now);
        return;
    }
    if (!m->u.plan_ok.hash || strcmp(m->u.plan_ok.hash, r->o.plan_hash) != 0) return; /* an answer to another plan */
    (void)agent_step(a, AGENT_EV_PLANNED);
    a->asked_ns = 0;
    run_tell_agent(r, a, now);
    run_check_gathered(r, now);
}

static bool of_this_stage(const struct run *r, uint32_t stage, uint32_t epoch)
{
    return r->stage && r->stage->step.stage == stage && r->stage->epoch == epoch;
}

static void on_ready(struct run *r, struct agent *a, const struct wire_msg *m, int64_t now)
{
    if (!of_this_stage(r, m->u.ready.stage, m->u.ready.epoch) || a->state != AGENT_ARMING) return;
    if (text_is(m->u.ready.error)) {
        agent_refuses(r, a, m->u.ready.error, m->u.ready.code, now);
        return;
    }
    if (text_is(m->u.ready.address) &&
        strncmp(a->info.addresses, m->u.ready.address, sizeof a->info.addresses - 1) != 0) {
        (void)snprintf(a->info.addresses, sizeof a->info.addresses, "%s", m->u.ready.address);
    }
    (void)agent_step(a, AGENT_EV_READY);
    a->asked_ns = 0;
    run_tell_agent(r, a, now);
    run_check_ready(r, now);
}

/* No agent holds more than its slots. So the sum of their last reports must stay within the plan's limit, whenever each
 * was made.
 */
static void check_in_flight(struct run *r)
{
    uint64_t most = stage_most(r->stage), now = merge_in_flight(r->stage->merge);
    if (!most || now <= most || r->stage->overfull) return;
    r->stage->overfull = true;
    run_note(r, RUN_EVENT_IN_FLIGHT, "%" PRIu64 " requests are in flight, the plan allows %" PRIu64, now, most);
}

/* The first failure of each label in a run is reported as it comes, with the server's own words: that is what users
 * look for. A stage's results hold all of them. */
static void note_failures(struct run *r)
{
    const struct failure_samples *f = merge_failures(r->stage->merge);
    for (uint32_t i = 0; i < f->n; i++) {
        const struct failure_sample *s = &f->row[i];
        char status[24] = "";
        if (r->failed[s->label]) continue;
        r->failed[s->label] = true;
        if (s->status) (void)snprintf(status, sizeof status, ", status %" PRIu32, s->status);
        run_note(r, RUN_EVENT_REQUEST_FAILED, "stage %" PRIu32 ", %s%s from %s: %.300s%s", r->stage->step.stage + 1,
                 FAILURES[s->label].name, status, s->address, s->text[0] ? s->text : FAILURES[s->label].meaning,
                 failure_hint(s));
    }
}

static void on_snapshot(struct run *r, struct agent *a, const struct wire_msg *m, int64_t now)
{
    struct stage_part *p =
        of_this_stage(r, m->u.snapshot.stage, m->u.snapshot.epoch) ? stage_part_of(r->stage, a) : NULL;
    if (!p || (a->state != AGENT_RUNNING && a->state != AGENT_DONE)) {
        /* of an old epoch: it is not needed any more */
        send_stop(r, a, m->u.snapshot.stage, m->u.snapshot.epoch, true);
        send_ack(r, a, m->u.snapshot.stage, m->u.snapshot.epoch, m->u.snapshot.seq);
        return;
    }
    uint64_t seq = m->u.snapshot.seq, last = merge_last_seq(r->stage->merge, a->number);
    if (seq > last + 1) return; /* one before is missing; the agent sends it again */
    struct err e = {0};
    switch (merge_accept(r->stage->merge, a->number, seq, m->u.snapshot.snapshot.data, m->u.snapshot.snapshot.n, &e)) {
    case MERGE_REFUSED: {
        char why[260];
        (void)snprintf(why, sizeof why, "sent a snapshot that cannot be: %.200s", e.text);
        talk_refuse(r, &a->peer, why, false);
        run_lose(r, a, false, why, now);
        return;
    }
    case MERGE_ACCEPTED:
        if (!r->store_broken &&
            r->io.snapshot(r->io.arg, &r->stage->step, r->stage->epoch, a->number, seq, m->u.snapshot.snapshot, &e)) {
            r->store_broken = true;
            run_fail(r, &e, now);
        }
        check_in_flight(r);
        note_failures(r);
        break;
    case MERGE_DUPLICATE:
        break;
    }
    send_ack(r, a, m->u.snapshot.stage, m->u.snapshot.epoch, seq > last ? seq : last);
}

static void on_done(struct run *r, struct agent *a, const struct wire_msg *m, int64_t now)
{
    struct stage_part *p = of_this_stage(r, m->u.done.stage, m->u.done.epoch) ? stage_part_of(r->stage, a) : NULL;
    if (!p || a->state != AGENT_RUNNING || merge_last_seq(r->stage->merge, a->number) != m->u.done.seq)
        return; /* DONE comes again, after its snapshots */
    p->start_skew_ns = m->u.done.start_skew_ns;
    p->done = true;
    merge_settle(r->stage->merge, a->number);
    (void)agent_step(a, AGENT_EV_DONE);
    if (text_is(m->u.done.error)) {
        char why[400];
        (void)snprintf(why, sizeof why, "agent %s: %.300s", a->info.name, m->u.done.error);
        run_note(r, RUN_EVENT_AGENT_FAILED, "%s", why);
        r->stage->degraded = true;
        if (m->u.done.code == ERR_REFUSED)
            agent_refuses(r, a, m->u.done.error, m->u.done.code, now);
        else
            run_spoil(r, why, now);
    }
    run_check_done(r, now);
}

static void on_bye(struct run *r, struct agent *a, const struct wire_msg *m, int64_t now)
{
    if (r->state == RUN_CLOSE || !agent_in_stage(a)) {
        (void)agent_step(a, AGENT_EV_BYE);
        if (r->state == RUN_CLOSE && run_living_weight(r) == 0) run_step_to(r, EV_FAREWELL, now);
        return;
    }
    char why[200];
    (void)snprintf(why, sizeof why, "left: %.150s", m->u.bye.reason ? m->u.bye.reason : "");
    run_lose(r, a, true, why, now);
}

void run_message(struct run *r, const struct peer *from, const struct wire_msg *m, int64_t now)
{
    r->now_ns = now;
    if (r->state == RUN_OVER) return;
    if (m->type == WIRE_HELLO) {
        on_hello(r, from, m, now);
        return;
    }
    struct agent *a = registry_find(r->agents, from);
    if (!a || !agent_alive(a)) {
        if (m->type != WIRE_BYE) talk_refuse(r, from, "say HELLO first", true);
        return;
    }
    a->heard_ns = now;
    switch (m->type) {
    case WIRE_CLOCK_ECHO:
        on_clock_echo(r, a, m, now);
        break;
    case WIRE_PLAN_OK:
        on_plan_ok(r, a, m, now);
        break;
    case WIRE_READY:
        on_ready(r, a, m, now);
        break;
    case WIRE_SNAPSHOT:
        on_snapshot(r, a, m, now);
        break;
    case WIRE_DONE:
        on_done(r, a, m, now);
        break;
    case WIRE_BYE:
        on_bye(r, a, m, now);
        break;
    default:
        break; /* HEARTBEAT: it has been noted. An agent sends no other types */
    }
}

void run_malformed(struct run *r, const struct peer *from, const struct err *why, int64_t now)
{
    struct agent *a = registry_find(r->agents, from);
    bool refused = why->code == ERR_REFUSED;
    if (r->malformed++ < MALFORMED_EVENTS)
        run_note(r, refused ? RUN_EVENT_PEER_REFUSED : RUN_EVENT_MALFORMED, "%s: %s", a ? a->info.name : "unknown peer",
                 why->text);
    talk_refuse(r, from, why->text, false);
    if (a) run_lose(r, a, false, refused ? "was refused: its key is not allowed" : "sent what is no message", now);
}
