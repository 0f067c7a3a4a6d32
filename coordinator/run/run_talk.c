#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "coordinator/run/run_impl.h"

#define REPEAT_NS (1 * NS_PER_S) /* an unanswered command is sent again */

/* Every message shows that the coordinator lives. A heartbeat is needed only when there is nothing else to send. */
void talk_to(struct run *r, struct agent *a, const struct wire_msg *m)
{
    a->said_ns = r->now_ns;
    r->io.send(r->io.arg, &a->peer, m);
}

void talk_refuse(struct run *r, const struct peer *to, const char *why, bool retry)
{
    struct wire_msg m = {.type = WIRE_REFUSE, .u.refuse = {.reason = why, .retry = retry}};
    r->io.send(r->io.arg, to, &m);
}

void talk_clock(struct run *r, struct agent *a, int64_t now)
{
    struct wire_msg m = {.type = WIRE_CLOCK};
    clocksync_ask(&a->clock, now, &m.u.clock.seq, &m.u.clock.t1);
    a->clock_ns = now;
    talk_to(r, a, &m);
}

void talk_stop_one(struct run *r, struct agent *a, uint32_t stage, uint32_t epoch, bool now)
{
    struct wire_msg m = {.type = WIRE_STOP, .u.stop = {.stage = stage, .epoch = epoch, .now = now}};
    talk_to(r, a, &m);
}

void talk_ack(struct run *r, struct agent *a, uint32_t stage, uint32_t epoch, uint64_t seq)
{
    struct wire_msg m = {.type = WIRE_ACK, .u.ack = {.stage = stage, .epoch = epoch, .seq = seq}};
    talk_to(r, a, &m);
}

static void send_arm(struct run *r, struct agent *a)
{
    const struct attempt_part *p = attempt_part_of(r->attempt, a);
    if (!p) return;
    struct wire_msg m = {.type = WIRE_ARM,
                         .u.arm = {.stage = r->attempt->step.stage, .epoch = r->attempt->epoch, .shard = p->shard}};
    talk_to(r, a, &m);
}

/* Repeated until the first snapshot shows that the agent has begun. */
static void send_go(struct run *r, struct agent *a)
{
    if (!attempt_part_of(r->attempt, a)) return;
    if (r->state == RUN_DRAIN) {
        talk_stop_one(r, a, r->attempt->step.stage, r->attempt->epoch, r->stop_now);
        return;
    }
    if (merge_last_seq(r->attempt->merge, a->number)) return;
    struct wire_msg m = {.type = WIRE_GO,
                         .u.go = {.stage = r->attempt->step.stage,
                                  .epoch = r->attempt->epoch,
                                  .t0_ns = r->attempt->t0_ns + a->clock.offset_ns}};
    talk_to(r, a, &m);
}

static void send_plan(struct run *r, struct agent *a)
{
    struct wire_msg m = {.type = WIRE_PLAN,
                         .u.plan = {.hash = r->o.plan_hash, .plan = r->o.packed, .signature = r->o.signature}};
    talk_to(r, a, &m);
}

static void send_probe(struct run *r, struct agent *a)
{
    struct wire_msg m = {.type = WIRE_PROBE, .u.probe = {.number = r->o.probe}};
    talk_to(r, a, &m);
}

static void send_bye(struct run *r, struct agent *a)
{
    struct wire_msg m = {.type = WIRE_BYE,
                         .u.bye = {.reason = r->err.code ? r->err.text : "the run is over", .code = r->err.code}};
    talk_to(r, a, &m);
}

/* (Re)sends what the agent has still to answer. */
void talk_ask(struct run *r, struct agent *a, int64_t now)
{
    a->asked_ns = now;
    a->due = false;
    if (a->release) talk_stop_one(r, a, a->release_stage, a->release, true);
    a->release = 0;
    if (r->state == RUN_CLOSE) {
        send_bye(r, a);
        return;
    }
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
    case AGENT_IDLE:
        if (r->state == RUN_PROBE && a == r->prober) send_probe(r, a);
        break;
    default:
        break;
    }
    if (agent_alive(a) && a->clock.left > 0) talk_clock(r, a, now);
}

void talk_bye(struct run *r)
{
    for (size_t i = 0; i < registry_count(r->agents); i++)
        if (agent_alive(registry_at(r->agents, i))) send_bye(r, registry_at(r->agents, i));
}

void talk_due(struct run *r, int64_t now)
{
    size_t n = registry_count(r->agents), sent = 0;
    for (; r->due_at < n && sent < RUN_BEATS_A_TICK; r->due_at++) {
        struct agent *a = registry_at(r->agents, r->due_at);
        if (!a->due || !agent_alive(a)) continue;
        talk_ask(r, a, now);
        sent++;
    }
    r->due_left = r->due_at < n;
}

/* An attempt's agents are in the stage; without an attempt it concerns all. */
void talk_all(struct run *r, int64_t now)
{
    for (size_t i = 0; i < registry_count(r->agents); i++)
        registry_at(r->agents, i)->due |= !r->attempt || agent_in_stage(registry_at(r->agents, i));
    r->due_at = 0;
    talk_due(r, now);
}

void talk_dismiss(struct run *r, int64_t now)
{
    for (size_t i = 0; i < r->attempt->n; i++) {
        struct agent *a = r->attempt->part[i].agent;
        if (r->attempt->part[i].lost || !agent_alive(a)) continue;
        a->release_stage = r->attempt->step.stage;
        a->release = r->attempt->epoch;
        a->due = true;
    }
    r->due_at = 0;
    talk_due(r, now);
}

/* A stage's snapshots are acknowledged anyway, so the heartbeat waits a little longer than that takes. */
static bool beat_is_due(const struct run *r, const struct agent *a, int64_t now)
{
    bool acknowledged = a->state == AGENT_RUNNING && r->attempt;
    return now - a->said_ns >= (acknowledged ? r->attempt->ack_every * (RUN_HEARTBEAT_NS * 5 / 4) : RUN_HEARTBEAT_NS);
}

/* An answer that waits unread is none that is missing. */
static bool ask_is_due(const struct run *r, const struct agent *a)
{
    return r->read_ns - a->asked_ns >= REPEAT_NS && r->read_ns - a->clock_ns >= REPEAT_NS;
}

void talk_heartbeat(struct run *r, int64_t now)
{
    struct wire_msg m = {.type = WIRE_HEARTBEAT, .u.heartbeat = {.seq = r->beat, .now_ns = now}};
    size_t n = registry_count(r->agents), i = 0, sent = 0;
    for (; i < n && sent < RUN_BEATS_A_TICK; i++) {
        struct agent *a = registry_at(r->agents, (r->beat_at + i) % n);
        if (!agent_alive(a)) continue;
        int64_t said = a->said_ns;
        if (ask_is_due(r, a)) talk_ask(r, a, now); /* says nothing where nothing is to be asked */
        if (beat_is_due(r, a, now)) talk_to(r, a, &m);
        sent += a->said_ns != said;
    }
    r->beat_at = n ? (r->beat_at + i) % n : 0;
    r->beats_left = i < n;
}

void talk_again(struct run *r)
{
    r->beat++;
    for (size_t i = 0; i < registry_count(r->agents); i++) {
        struct agent *a = registry_at(r->agents, i);
        if (!agent_alive(a)) continue;
        int64_t pace = a->state == AGENT_RUNNING ? 2 * RUN_CLOCK_NS : RUN_CLOCK_NS;
        if (a->clock.known && (r->beat + a->number) % (uint64_t)(pace / RUN_HEARTBEAT_NS) == 0)
            clocksync_track(&a->clock);
    }
}
