#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/text.h"
#include "coordinator/run/run.h"
#include "coordinator/run/run_impl.h"

#define MALFORMED_EVENTS 100u
#define LATE_NS (1 * NS_PER_S)

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
    talk_to(r, a, &w);
    if (h != REGISTRY_AGAIN)
        run_note(r, h == REGISTRY_NEW ? RUN_EVENT_AGENT_JOINED : RUN_EVENT_AGENT_BACK,
                 "%s (number %" PRIu32 ") on %s, %" PRIu32 " cores; its guard allows %.200s", a->info.name, a->number,
                 a->info.host, a->info.cores, m->u.hello.guard);
    /* Where messages wait unread, WELCOME only comes late, and so does what stands behind it: asking once more would
     * begin the exchange of clocks anew. */
    bool late = now - r->read_ns > LATE_NS;
    if (h != REGISTRY_AGAIN || !late) talk_ask(r, a, now);
}

static void on_clock_echo(struct run *r, struct agent *a, const struct wire_msg *m, int64_t now)
{
    enum clocksync_result c =
        clocksync_echo(&a->clock, m->u.clock_echo.seq, m->u.clock_echo.t1, m->u.clock_echo.t2, m->u.clock_echo.t3, now);
    if (c == CLOCKSYNC_MORE) talk_clock(r, a, now);
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
    if (++r->planned >= r->wanted) run_check_gathered(r, now); /* which counts them all */
}

static void clean_line(char *ret, size_t size, const char *at, size_t n)
{
    size_t out = 0;
    while (n > 0) {
        size_t len = text_char(at, n), take = len ? len : 1;
        if (out + take >= size) break;
        memcpy(ret + out, len ? at : "?", take);
        out += take;
        at += take;
        n -= take;
    }
    ret[out] = '\0';
}

/* The words are a server's: clean lines are made of them here, whatever the agent has made. */
static void on_probed(struct run *r, const struct agent *a, const struct wire_msg *m, int64_t now)
{
    struct run_probe p = {.error = m->u.probed.error ? m->u.probed.error : "",
                          .code = m->u.probed.code,
                          .final = m->u.probed.final,
                          .costs = m->u.probed.costs};
    const char *at = m->u.probed.said.data, *end = at ? at + m->u.probed.said.n : NULL;
    if (r->state != RUN_PROBE || a != r->prober || m->u.probed.number != r->o.probe) return;
    if (!shard_costs_valid(&p.costs)) p.costs = (struct word_costs){0};
    while (at && at < end && p.n_lines < RUN_PROBE_LINES) {
        const char *lf = memchr(at, '\n', (size_t)(end - at)), *stop = lf ? lf : end;
        clean_line(p.line[p.n_lines++], sizeof p.line[0], at, (size_t)(stop - at));
        at = stop + 1;
    }
    run_probed(r, &p, now);
}

static bool of_this_stage(const struct run *r, uint32_t stage, uint32_t epoch)
{
    return r->attempt && r->attempt->step.stage == stage && r->attempt->epoch == epoch;
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
    if (text_is(m->u.ready.limit) && !a->told_limit) {
        char words[256];
        clean_line(words, sizeof words, m->u.ready.limit, strlen(m->u.ready.limit));
        run_note(r, RUN_EVENT_AGENT_LIMIT, "%s can hold %s", a->info.name, words);
        a->told_limit = true;
    }
    struct attempt_part *p = attempt_part_of(r->attempt, a);
    if (p) {
        (void)snprintf(p->http, sizeof p->http, "%s", m->u.ready.http ? m->u.ready.http : "");
        p->streams = m->u.ready.streams;
        p->connections = m->u.ready.connections;
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
    uint64_t most = attempt_most(r->attempt), now = merge_in_flight(r->attempt->merge);
    if (!most || now <= most || r->attempt->overfull || plan_has_trees(r->o.plan)) return;
    r->attempt->overfull = true;
    run_note(r, RUN_EVENT_IN_FLIGHT, "%" PRIu64 " requests are in flight, the plan allows %" PRIu64, now, most);
}

/* Was a request of this stage answered well? Or of one before, where none failed in this way. */
static bool some_ok(const struct run *r)
{
    struct merge_live live;
    merge_live(r->attempt->merge, &live);
    return live.counters[COUNTER_OK] > 0 || r->attempt->step.stage > 0;
}

/* The first failure of each label in a run is reported as it comes, with the server's own words: that is what users
 * look for. A stage's results hold all of them. */
static void note_failures(struct run *r)
{
    const struct failure_samples *f = merge_failures(r->attempt->merge);
    for (uint32_t i = 0; i < f->n; i++) {
        const struct failure_sample *s = &f->row[i];
        char status[24] = "", hint[FAILURE_HINT];
        if (r->failed[s->label]) continue;
        r->failed[s->label] = true;
        if (s->status) (void)snprintf(status, sizeof status, ", status %" PRIu32, s->status);
        run_note(r, RUN_EVENT_REQUEST_FAILED, "stage %" PRIu32 ", %s%s from %s: %s%s", r->attempt->step.stage + 1,
                 FAILURES[s->label].name, status, s->address, s->text[0] ? s->text : FAILURES[s->label].meaning,
                 failure_hint(s, s->label == FAILURE_HTTP_3XX && some_ok(r), hint));
    }
}

static void on_snapshot(struct run *r, struct agent *a, const struct wire_msg *m, int64_t now)
{
    struct attempt_part *p =
        of_this_stage(r, m->u.snapshot.stage, m->u.snapshot.epoch) ? attempt_part_of(r->attempt, a) : NULL;
    if (!p || (a->state != AGENT_RUNNING && a->state != AGENT_DONE)) {
        /* of an old epoch: it is not needed any more */
        talk_stop_one(r, a, m->u.snapshot.stage, m->u.snapshot.epoch, true);
        talk_ack(r, a, m->u.snapshot.stage, m->u.snapshot.epoch, m->u.snapshot.seq);
        return;
    }
    uint64_t seq = m->u.snapshot.seq, last = merge_last_seq(r->attempt->merge, a->number);
    if (seq > last + 1) return; /* one before is missing; the agent sends it again */
    struct err e = {0};
    switch (
        merge_accept(r->attempt->merge, a->number, seq, m->u.snapshot.snapshot.data, m->u.snapshot.snapshot.n, &e)) {
    case MERGE_REFUSED: {
        char why[260];
        (void)snprintf(why, sizeof why, "sent a snapshot that cannot be: %.200s", e.text);
        talk_refuse(r, &a->peer, why, false);
        run_lose(r, a, false, why, now);
        return;
    }
    case MERGE_ACCEPTED:
        if (!r->store_broken && r->io.snapshot(r->io.arg, &r->attempt->step, r->attempt->epoch, a->number, seq,
                                               m->u.snapshot.snapshot, &e)) {
            r->store_broken = true;
            run_fail(r, &e, now);
        }
        check_in_flight(r);
        note_failures(r);
        if (seq % r->attempt->ack_every) return; /* the next one's ACK is for both */
        break;
    case MERGE_DUPLICATE:
        break;
    }
    talk_ack(r, a, m->u.snapshot.stage, m->u.snapshot.epoch, seq > last ? seq : last);
}

static void on_done(struct run *r, struct agent *a, const struct wire_msg *m, int64_t now)
{
    struct attempt_part *p = of_this_stage(r, m->u.done.stage, m->u.done.epoch) ? attempt_part_of(r->attempt, a) : NULL;
    if (!p || a->state != AGENT_RUNNING || merge_last_seq(r->attempt->merge, a->number) != m->u.done.seq)
        return; /* DONE comes again, after its snapshots */
    p->start_skew_ns = m->u.done.start_skew_ns;
    p->done = true;
    merge_settle(r->attempt->merge, a->number);
    (void)agent_step(a, AGENT_EV_DONE);
    if (text_is(m->u.done.error)) {
        char why[400];
        (void)snprintf(why, sizeof why, "agent %s: %.300s", a->info.name, m->u.done.error);
        run_note(r, RUN_EVENT_AGENT_FAILED, "%s", why);
        r->attempt->degraded = true;
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
        if (r->state == RUN_PROBE && a == r->prober) run_step_to(r, EV_MISSING, now);
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
    case WIRE_PROBED:
        on_probed(r, a, m, now);
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
    if (a) run_lose(r, a, false, refused ? "was refused: its key is not allowed" : "sent what is not a message", now);
}
