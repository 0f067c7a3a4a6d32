#include "agent/session.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/outbox.h"
#include "common/clock.h"

#define HELLO_NS (1 * NS_PER_S)     /* an unanswered HELLO is sent again */
#define CONNECT_NS (50 * NS_PER_MS) /* sooner when it could not be sent, since there is no connection yet */
/* Doubled each time no answer comes: the link may just be slow. A large cluster acknowledges every second snapshot. */
#define RESEND_NS (3 * NS_PER_S)
#define RESEND_MOST_NS (12 * NS_PER_S)
#define SILENCE_NS                                                                                                     \
    (5 * NS_PER_S) /* five heartbeats, or two ACKs of a large cluster: the connection is dead, dial anew */
/* When thousands dial at once, they wait for each other's handshakes, and for the plan. Hanging up and dialling again
 * makes that worse: each wait is twice the last one, until the plan has been taken. */
#define REDIAL_MOST_NS (20 * NS_PER_S)
#define LEASE_DEFAULT_NS (10 * NS_PER_S)
#define LEASE_MAX_NS (60 * NS_PER_S)
#define BEAT_DEFAULT_NS (1 * NS_PER_S)
#define LATE_NS (20 * NS_PER_MS) /* a GO may come this long after T0 and still start together with the others */

enum trigger {
    EV_WELCOME, /* first welcome, or welcomed under a new number */
    EV_PLAN,
    EV_ARM,
    EV_ARMED,
    EV_GO,
    EV_DONE,    /* the engine has ended the stage */
    EV_RELEASE, /* the coordinator wants no more of this stage */
    EV_OVER,
    EV_N
};

struct session {
    struct session_options o;
    struct session_io io;
    enum session_state state;
    struct err err;
    char run_id[64], hash[72];
    bool welcomed, refused_once, hello_open; /* hello_open: not answered yet */
    uint32_t number;
    int64_t lease_ns, beat_ns;
    int64_t now_ns, heard_ns, said_ns, redial_ns, redial_wait_ns, resend_ns, resend_wait_ns, alone_ns, tick_ns,
        hello_ns; /* hello_ns: when it is sent again */
    uint64_t beat;
    /* the stage */
    uint32_t stage, epoch; /* epoch 0: none */
    struct outbox outbox;
    char address[256], limit[256]; /* as READY says */
    struct target_terms terms;
    int64_t skew_ns;
    bool stopping; /* ordered to end, or the lease has run out */
    bool winding;  /* the engine is still ending a stage that has been dropped: it cannot be armed yet, and its events
                      are ignored */
    struct err stage_err;
    struct err refused; /* what this agent has refused in this run */
};

#define STAY SESSION_STATE_N
#define ROW(welcome, plan, arm, armed, go, done, release, over)                                                        \
    {                                                                                                                  \
        welcome, plan, arm, armed, go, done, release, over                                                             \
    }
/* clang-format off */
static const enum session_state SESSION_NEXT[SESSION_STATE_N][EV_N] = {
    /*                     WELCOME         PLAN          ARM             ARMED          GO            DONE            RELEASE       OVER */
    [SESSION_DIAL]   = ROW(SESSION_JOINED, STAY,         STAY,           STAY,          STAY,         STAY,           STAY,         SESSION_OVER),
    [SESSION_JOINED] = ROW(SESSION_JOINED, SESSION_IDLE, STAY,           STAY,          STAY,         STAY,           STAY,         SESSION_OVER),
    [SESSION_IDLE]   = ROW(SESSION_JOINED, SESSION_IDLE, SESSION_ARMING, STAY,          STAY,         STAY,           STAY,         SESSION_OVER),
    [SESSION_ARMING] = ROW(SESSION_JOINED, STAY,         SESSION_ARMING, SESSION_READY, STAY,         SESSION_REPORT, SESSION_IDLE, SESSION_OVER),
    [SESSION_READY]  = ROW(SESSION_JOINED, STAY,         SESSION_ARMING, STAY,          SESSION_LOAD, SESSION_REPORT, SESSION_IDLE, SESSION_OVER),
    [SESSION_LOAD]   = ROW(SESSION_JOINED, STAY,         SESSION_ARMING, STAY,          STAY,         SESSION_REPORT, SESSION_IDLE, SESSION_OVER),
    [SESSION_REPORT] = ROW(SESSION_JOINED, STAY,         SESSION_ARMING, STAY,          STAY,         STAY,           SESSION_IDLE, SESSION_OVER),
    [SESSION_OVER]   = ROW(STAY,           STAY,         STAY,           STAY,          STAY,         STAY,           STAY,         STAY),
};
/* clang-format on */
static const char *const NAMES[] = {"dial", "joined", "idle", "arming", "ready", "load", "report", "over"};

const char *session_state_name(enum session_state s)
{
    return s < SESSION_STATE_N ? NAMES[s] : "?";
}
enum session_state session_state(const struct session *s)
{
    return s->state;
}
uint32_t session_stage(const struct session *s)
{
    return s->stage;
}
const struct err *session_error(const struct session *s)
{
    return &s->err;
}
const struct err *session_refused(const struct session *s)
{
    return &s->refused;
}
size_t session_unacknowledged(const struct session *s)
{
    return outbox_count(&s->outbox);
}

static bool step_to(struct session *s, enum trigger ev)
{
    enum session_state next = SESSION_NEXT[s->state][ev];
    if (next == STAY) return false;
    s->state = next;
    return true;
}

static bool in_stage(const struct session *s)
{
    return s->state >= SESSION_ARMING && s->state <= SESSION_REPORT;
}
static bool engine_is_busy(const struct session *s)
{
    return s->state >= SESSION_ARMING && s->state <= SESSION_LOAD;
}
static bool text_is(const char *t)
{
    return t && *t;
}

static void say(struct session *s, const char *text)
{
    s->io.event(s->io.arg, text);
}

/* Refuses a plan or a stage, and logs it at once. A refusal that asking again would not change (the guard, a signature,
 * a secret, a limit of this machine) is remembered for the agent's exit status, since the coordinator ends such a run
 * with a BYE like any other. */
static void decline(struct session *s, const struct err *why)
{
    say(s, why->text);
    if (err_exit_status(why) == err_exit_status(&(struct err){.code = ERR_REFUSED})) s->refused = *why;
}

/* ---- out ---- */

/* Every message shows that this agent lives. A heartbeat is needed only when there is nothing else to send. */
static bool send_it(struct session *s, const struct wire_msg *m)
{
    if (!s->io.send(s->io.arg, m)) return false;
    s->said_ns = s->now_ns;
    return true;
}

static void send_hello(struct session *s, int64_t now)
{
    s->hello_open = true;
    s->o.hello.u.hello.stage = s->stage;
    s->o.hello.u.hello.epoch = s->epoch;
    s->hello_ns = now + (send_it(s, &s->o.hello) ? HELLO_NS : CONNECT_NS);
}

static void send_plan_ok(struct session *s, const char *hash, const struct err *e)
{
    struct wire_msg m = {.type = WIRE_PLAN_OK,
                         .u.plan_ok = {.hash = hash, .error = e ? e->text : "", .code = e ? e->code : 0}};
    (void)send_it(s, &m);
}

static void send_ready(struct session *s, const struct err *e)
{
    struct wire_msg m = {.type = WIRE_READY,
                         .u.ready = {.stage = s->stage,
                                     .epoch = s->epoch,
                                     .error = e ? e->text : "",
                                     .address = s->address,
                                     .limit = s->limit,
                                     .http = s->terms.http,
                                     .streams = s->terms.streams,
                                     .connections = s->terms.connections,
                                     .code = e ? e->code : 0}};
    (void)send_it(s, &m);
}

static void send_done(struct session *s)
{
    bool failed = s->stage_err.code != ERR_NONE;
    struct wire_msg m = {.type = WIRE_DONE,
                         .u.done = {.stage = s->stage,
                                    .epoch = s->epoch,
                                    .seq = outbox_last(&s->outbox),
                                    .start_skew_ns = s->skew_ns,
                                    .error = failed ? s->stage_err.text : "",
                                    .code = s->stage_err.code}};
    (void)send_it(s, &m);
}

/* Sends what the window allows and has not been sent on this connection; DONE after the last snapshot. */
static void flush(struct session *s)
{
    uint64_t seq;
    struct wire_bytes b;
    while (outbox_next(&s->outbox, &seq, &b)) {
        struct wire_msg m = {.type = WIRE_SNAPSHOT,
                             .u.snapshot = {.stage = s->stage, .epoch = s->epoch, .seq = seq, .snapshot = b}};
        if (!send_it(s, &m)) return;
        outbox_sent(&s->outbox, seq);
    }
    if (s->state == SESSION_REPORT && !outbox_pending(&s->outbox)) send_done(s);
}

/* ---- stage ---- */

static void forget_stage(struct session *s)
{
    if (engine_is_busy(s)) s->io.stop(s->io.arg, true);
    if (s->state == SESSION_LOAD) s->winding = true; /* until the engine reports its end it cannot be armed again */
    outbox_clear(&s->outbox);
    s->resend_wait_ns = RESEND_NS;
    s->stage = s->epoch = 0;
    s->stopping = false;
    s->skew_ns = 0;
    s->address[0] = s->limit[0] = 0;
    s->terms = (struct target_terms){0};
    s->stage_err = (struct err){0};
}

static void give_up(struct session *s, enum err_code code, const char *why)
{
    if (s->state == SESSION_OVER) return;
    forget_stage(s);
    (void)err_set(&s->err, code, "%s", why);
    (void)step_to(s, EV_OVER);
}

/* Ends the stage early. What was recorded is kept, and reported with the reason. */
static void end_stage(struct session *s, const char *why)
{
    if (s->stage_err.code == ERR_NONE) {
        (void)err_set(&s->stage_err, ERR_AGENTS, "%s", why);
        say(s, why);
    }
    s->stopping = true;
    s->io.stop(s->io.arg, true);
    if (s->state != SESSION_LOAD)
        (void)step_to(s, EV_DONE); /* an armed engine is only disarmed: no DONE of its own comes */
}

/* ---- messages ---- */

static void on_welcome(struct session *s, const struct wire_msg *m, int64_t now)
{
    const char *run = m->u.welcome.run_id ? m->u.welcome.run_id : "";
    bool same = s->welcomed && strcmp(run, s->run_id) == 0 && m->u.welcome.agent == s->number;
    s->lease_ns =
        m->u.welcome.lease_ns > 0 && m->u.welcome.lease_ns <= LEASE_MAX_NS ? m->u.welcome.lease_ns : LEASE_DEFAULT_NS;
    s->beat_ns = m->u.welcome.heartbeat_ns >= BEAT_DEFAULT_NS / 10 && m->u.welcome.heartbeat_ns <= s->lease_ns
                     ? m->u.welcome.heartbeat_ns
                     : BEAT_DEFAULT_NS;
    s->refused_once = false;
    s->hello_open = false;
    if (same) { /* a new connection of the same membership: continue where we were */
        outbox_rewind(&s->outbox);
        s->resend_ns = now;
        s->resend_wait_ns = RESEND_NS;
        flush(s);
        return;
    }
    forget_stage(s);
    s->welcomed = true;
    s->number = m->u.welcome.agent;
    s->hash[0] = 0;
    s->refused = (struct err){0};
    (void)snprintf(s->run_id, sizeof s->run_id, "%s", run);
    (void)step_to(s, EV_WELCOME);
}

static void on_refuse(struct session *s, const struct wire_msg *m, int64_t now)
{
    const char *why = text_is(m->u.refuse.reason) ? m->u.refuse.reason : "refused without a reason";
    char text[300];
    (void)snprintf(text, sizeof text, "the coordinator refuses this agent: %.240s", why);
    if (!m->u.refuse.retry) {
        give_up(s, ERR_REFUSED, text);
        return;
    }
    if (!s->refused_once) say(s, text);
    s->refused_once = true;
    if (s->hello_open) return; /* HELLO is on its way, or comes again in a second */
    send_hello(s, now);        /* the sender does not know us: a new coordinator, or one that has given us up */
}

static void on_clock(struct session *s, const struct wire_msg *m, int64_t now)
{
    struct wire_msg r = {.type = WIRE_CLOCK_ECHO,
                         .u.clock_echo = {.seq = m->u.clock.seq, .t1 = m->u.clock.t1, .t2 = now, .t3 = now}};
    (void)send_it(s, &r);
}

static void on_plan(struct session *s, const struct wire_msg *m)
{
    const char *hash = m->u.plan.hash ? m->u.plan.hash : "";
    struct err e = {0};
    if (s->state != SESSION_JOINED && s->state != SESSION_IDLE) return;
    bool have = s->hash[0] && strcmp(hash, s->hash) == 0;
    if (!have && s->winding) return; /* PLAN comes again */
    int rc = have ? 0 : s->io.plan(s->io.arg, m, s->run_id, &e);
    if (rc > 0) return; /* not yet: PLAN comes again */
    if (rc < 0) {
        s->hash[0] = 0;
        decline(s, &e);
        send_plan_ok(s, hash, &e);
        return;
    }
    if (!have) s->refused = (struct err){0}; /* refused before, and taken now: its secret has come, say */
    (void)snprintf(s->hash, sizeof s->hash, "%s", hash);
    (void)step_to(s, EV_PLAN);
    send_plan_ok(s, hash, NULL);
}

static void on_arm(struct session *s, const struct wire_msg *m)
{
    struct err e = {0};
    if (s->state < SESSION_IDLE || s->state == SESSION_OVER || m->u.arm.epoch == 0) return;
    if (in_stage(s) && m->u.arm.epoch <= s->epoch) { /* comes again, or is old */
        if (m->u.arm.epoch == s->epoch && s->state == SESSION_READY) send_ready(s, NULL);
        return;
    }
    forget_stage(s);
    if (s->winding) { /* ARM comes again */
        (void)step_to(s, EV_RELEASE);
        return;
    }
    (void)step_to(s, EV_ARM);
    s->stage = m->u.arm.stage;
    s->epoch = m->u.arm.epoch;
    if (s->io.arm(s->io.arg, &m->u.arm.shard, &e) == 0) return;
    decline(s, &e);
    send_ready(s, &e);
    (void)step_to(s, EV_RELEASE);
    s->stage = s->epoch = 0;
}

static bool of_this_stage(const struct session *s, uint32_t stage, uint32_t epoch)
{
    return in_stage(s) && s->stage == stage && s->epoch == epoch;
}

static void on_go(struct session *s, const struct wire_msg *m, int64_t now)
{
    struct err e = {0};
    char why[120];
    if (s->state == SESSION_IDLE) { /* the coordinator believes that we are armed, and would wait in vain */
        struct wire_msg d = {.type = WIRE_DONE,
                             .u.done = {.stage = m->u.go.stage,
                                        .epoch = m->u.go.epoch,
                                        .error = "GO for a stage that is not armed",
                                        .code = ERR_AGENTS}};
        (void)send_it(s, &d);
    }
    if (!of_this_stage(s, m->u.go.stage, m->u.go.epoch) || s->state != SESSION_READY) return;
    if (now > m->u.go.t0_ns + LATE_NS) {
        (void)snprintf(why, sizeof why, "the start was missed: GO came %.0f ms after T0",
                       (double)(now - m->u.go.t0_ns) / 1e6);
        end_stage(s, why);
        flush(s);
        return;
    }
    if (s->io.go(s->io.arg, m->u.go.t0_ns, &e) == 0) {
        (void)step_to(s, EV_GO);
        return;
    }
    end_stage(s, e.text);
    s->stage_err = e;
    flush(s);
}

static void on_stop(struct session *s, const struct wire_msg *m)
{
    if (!of_this_stage(s, m->u.stop.stage, m->u.stop.epoch)) return;
    if (s->state == SESSION_LOAD) {
        s->io.stop(s->io.arg, m->u.stop.now);
        s->stopping = true;
    } else if (s->state == SESSION_REPORT) {
        flush(s); /* it does not know that we have ended, and still wants what it has not acknowledged */
    } else {      /* not begun */
        forget_stage(s);
        (void)step_to(s, EV_RELEASE);
    }
}

static void on_ack(struct session *s, const struct wire_msg *m)
{
    if (!of_this_stage(s, m->u.ack.stage, m->u.ack.epoch)) return;
    size_t was = outbox_count(&s->outbox);
    outbox_acknowledge(&s->outbox, m->u.ack.seq);
    if (outbox_count(&s->outbox) < was) s->resend_wait_ns = RESEND_NS;
    flush(s);
}

void session_message(struct session *s, const struct wire_msg *m, int64_t now)
{
    s->now_ns = now;
    if (s->state == SESSION_OVER) return;
    if (m->type != WIRE_WELCOME && m->type != WIRE_REFUSE && m->type != WIRE_BYE && s->state == SESSION_DIAL) return;
    s->heard_ns = s->alone_ns = now;
    switch (m->type) {
    case WIRE_WELCOME:
        on_welcome(s, m, now);
        break;
    case WIRE_REFUSE:
        on_refuse(s, m, now);
        break;
    case WIRE_CLOCK:
        on_clock(s, m, now);
        break;
    case WIRE_PLAN:
        on_plan(s, m);
        break;
    case WIRE_ARM:
        on_arm(s, m);
        break;
    case WIRE_GO:
        on_go(s, m, now);
        break;
    case WIRE_STOP:
        on_stop(s, m);
        break;
    case WIRE_ACK:
        on_ack(s, m);
        break;
    case WIRE_BYE: {
        struct wire_msg bye = {.type = WIRE_BYE, .u.bye = {.reason = "goodbye"}};
        (void)send_it(s, &bye);
        forget_stage(s);
        if (m->u.bye.code && s->refused.code == ERR_NONE)
            (void)err_set(&s->refused, m->u.bye.code, "the run failed: %s", m->u.bye.reason ? m->u.bye.reason : "");
        (void)step_to(s, EV_OVER);
        break;
    }
    default:
        break; /* HEARTBEAT: it has been noted. A coordinator sends no other types */
    }
    if (s->state >= SESSION_IDLE) s->redial_wait_ns = SILENCE_NS; /* a welcome alone is not yet a way that holds */
}

/* ---- engine ---- */

static void on_armed(struct session *s, const struct engine_event *ev)
{
    if (s->state != SESSION_ARMING) return; /* an event of an arming that was given up */
    (void)snprintf(s->address, sizeof s->address, "%s", ev->addresses);
    (void)snprintf(s->limit, sizeof s->limit, "%s", ev->limit);
    s->terms = ev->terms;
    if (ev->err.code == ERR_NONE) {
        (void)step_to(s, EV_ARMED);
        send_ready(s, NULL);
        return;
    }
    decline(s, &ev->err);
    send_ready(s, &ev->err);
    (void)step_to(s, EV_RELEASE); /* the engine has let go by itself */
    forget_stage(s);
}

static void on_ended(struct session *s, const struct engine_event *ev)
{
    if (s->state != SESSION_LOAD) return;
    if (s->stage_err.code == ERR_NONE) s->stage_err = ev->err;
    s->skew_ns = ev->start_skew_ns;
    (void)step_to(s, EV_DONE);
    flush(s);
}

static void on_recorded(struct session *s, struct engine_event *ev)
{
    if (s->state != SESSION_LOAD) return;
    if (outbox_add(&s->outbox, ev->snapshot) && s->stage_err.code == ERR_NONE)
        end_stage(s, "no memory to keep what was recorded");
    flush(s);
}

void session_engine(struct session *s, struct engine_event *ev, int64_t now)
{
    s->now_ns = now;
    if (ev->kind == ENGINE_PROBED) return; /* no word of a stage */
    if (s->winding) {
        s->winding = ev->kind != ENGINE_DONE;
        if (ev->snapshot) s->io.recycle(s->io.arg, &ev->snapshot);
        return;
    }
    switch (ev->kind) {
    case ENGINE_READY:
        on_armed(s, ev);
        break;
    case ENGINE_SNAPSHOT:
        on_recorded(s, ev);
        break;
    case ENGINE_DONE:
        on_ended(s, ev);
        break;
    case ENGINE_PROBED:
        break;
    }
    if (ev->snapshot) s->io.recycle(s->io.arg, &ev->snapshot);
}

/* ---- time ---- */

/* A stage's snapshots come every second anyway, so the heartbeat waits a little longer for them. */
static int64_t beat_due(const struct session *s)
{
    return s->said_ns + s->beat_ns + (s->state == SESSION_LOAD ? s->beat_ns / 4 : 0);
}

static void beat(struct session *s, int64_t now)
{
    if (now < beat_due(s)) return;
    s->said_ns = now;
    struct wire_msg m = {.type = WIRE_HEARTBEAT, .u.heartbeat = {.seq = ++s->beat, .now_ns = now}};
    if (s->state != SESSION_DIAL) (void)send_it(s, &m);
}

/* Who was away decides where a person looks. */
static void lose_lease(struct session *s, int64_t ns, bool own)
{
    char why[120];
    (void)snprintf(why, sizeof why,
                   own ? "the lease has run out: this agent's process stood still for %.0f s"
                       : "the lease has run out: nothing was heard from the coordinator for %.0f s",
                   (double)ns / 1e9);
    end_stage(s, why);
}

void session_tick(struct session *s, int64_t now)
{
    int64_t away = now - s->tick_ns;
    s->now_ns = s->tick_ns = now;
    if (s->state == SESSION_OVER) return;
    int64_t silence = now - s->heard_ns;
    /* A process that was stopped for longer than the lease has lost it, even if messages wait in its socket. */
    if (s->state == SESSION_LOAD && !s->stage_err.code && (silence > s->lease_ns || away > s->lease_ns))
        lose_lease(s, away > s->lease_ns ? away : silence, away > s->lease_ns);
    if (s->o.patience_ns && now - s->alone_ns > s->o.patience_ns) {
        char wait[32], why[80];
        (void)snprintf(why, sizeof why, "no coordinator was heard for %s (--wait)",
                       clock_duration_text(s->o.patience_ns, wait, sizeof wait));
        give_up(s, ERR_AGENTS, why);
        return;
    }
    if (silence > SILENCE_NS && now - s->redial_ns > s->redial_wait_ns) {
        s->redial_ns = now;
        s->redial_wait_ns = s->redial_wait_ns < REDIAL_MOST_NS ? 2 * s->redial_wait_ns : REDIAL_MOST_NS;
        s->io.redial(s->io.arg);
        send_hello(s, now);
    } else if (s->hello_open && now >= s->hello_ns)
        send_hello(s, now);
    beat(s, now);
    if (now - s->resend_ns >= s->resend_wait_ns) {
        s->resend_ns = now;
        bool stalled = in_stage(s) && outbox_stalled(&s->outbox);
        if (stalled) {
            outbox_rewind(&s->outbox);
            s->resend_wait_ns = s->resend_wait_ns < RESEND_MOST_NS ? 2 * s->resend_wait_ns : RESEND_MOST_NS;
        }
        if (stalled || s->state == SESSION_REPORT) flush(s);
    }
}

int64_t session_lease_until(const struct session *s)
{
    if (s->winding || (s->state == SESSION_LOAD && s->stage_err.code)) return 0;
    return s->heard_ns + s->lease_ns;
}

int64_t session_deadline(const struct session *s)
{
    int64_t t = beat_due(s), tick = s->tick_ns + NS_PER_S / 4;
    if (s->hello_open && s->hello_ns < t) t = s->hello_ns;
    return t < tick ? t : tick;
}

/* ---- life ---- */

struct session *session_new(const struct session_options *o, const struct session_io *io, int64_t now)
{
    struct session *s = calloc(1, sizeof *s);
    if (!s) return NULL;
    s->o = *o;
    s->io = *io;
    s->o.hello.type = WIRE_HELLO;
    s->lease_ns = LEASE_DEFAULT_NS;
    s->beat_ns = BEAT_DEFAULT_NS;
    s->heard_ns = s->alone_ns = s->tick_ns = s->redial_ns = s->resend_ns = now;
    s->resend_wait_ns = RESEND_NS;
    s->redial_wait_ns = SILENCE_NS;
    s->now_ns = s->said_ns = now;
    send_hello(s, now);
    return s;
}

void session_destroy(struct session **s)
{
    if (!*s) return;
    outbox_clear(&(*s)->outbox);
    free(*s);
    *s = NULL;
}

void session_refuse(struct session *s, const struct err *why)
{
    if (s->state != SESSION_LOAD || s->stopping) return;
    end_stage(s, why->text);
    s->stage_err = s->refused = *why;
}

void session_leave(struct session *s, const char *why, int64_t now)
{
    s->now_ns = now;
    struct wire_msg m = {.type = WIRE_BYE, .u.bye = {.reason = why}};
    if (s->state == SESSION_OVER) return;
    (void)send_it(s, &m);
    give_up(s, ERR_NONE, why);
}
