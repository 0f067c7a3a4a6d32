#include "agent/control.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <zmq.h>

#include "agent/fetch.h"
#include "agent/guard_meter.h"
#include "agent/host.h"
#include "agent/probe.h"
#include "agent/reach.h"
#include "agent/session.h"
#include "agent/signed.h"
#include "common/clock.h"
#include "common/handshake.h"
#include "common/log.h"

enum {
    QUEUE = 64,
    HANDSHAKE_MS = 20000,
    HEARTBEAT_MS = 1000,
    HEARTBEAT_TIMEOUT_MS = 5000,
    RECONNECT_MS = 100,
    RECONNECT_MAX_MS = 2000,
    FAREWELL_MS = 500,
    REDIALS_CALM = 3, /* 5, 10 and 20 s apart */
    IDENTITY = 16,
    MESSAGES_A_ROUND = 1024
};

struct control {
    const struct control_options *o;
    struct engine *engine;
    struct session *session;
    struct plan *plan;           /* the engine borrows it */
    struct plan **earlier_plans; /* until all workers have armed with this one */
    size_t n_earlier_plans;
    struct fetch *fetch;
    bool data_came;   /* some of the plan's data, from the coordinator */
    struct buf offer; /* the latest PLAN as it came: checked again once its data have arrived */
    struct signed_plan signature;
    struct guard_meter meter;
    char guard_words[300];
    void *context, *dealer, *watch;
    uint32_t dialled;              /* names the watch */
    struct handshake_log failures; /* handshakes */
    char failure[200];             /* the last one's words */
    uint32_t redials;              /* without a welcome so far */
    enum handshake_event met;      /* how far this dialling has come: NOTHING, CONNECTED, DONE */
    struct reach reach;
    uint32_t probe; /* number of the latest probe that was asked for */
    bool strange;   /* not welcomed since it dialled, or was refused */
    struct {        /* the stage, for the log */
        char share[160];
        uint32_t number;
        bool runs;
        uint64_t ok, failed, cut;
    } load;
    struct buf out;
    int signal_fd, signal;
    char name[64], host[64], boot_id[33];
};

/* ---- socket ---- */

static int set_int(void *socket, int option, int value)
{
    return zmq_setsockopt(socket, option, &value, sizeof value);
}

/* Each socket has a new random id: the router refuses an id that is still connected, and a half-open connection may
 * stay connected for a while. IMMEDIATE: nothing is queued for a coordinator that is not there, so that it never gets a
 * stale HELLO.
 */
static int use_keys(struct control *c)
{
    const struct key_pair *k = c->o->keys;
    if (!k) return 0;
    return zmq_setsockopt(c->dealer, ZMQ_CURVE_SERVERKEY, c->o->server_key, KEY_TEXT) ||
           zmq_setsockopt(c->dealer, ZMQ_CURVE_PUBLICKEY, k->public_key, KEY_TEXT) ||
           zmq_setsockopt(c->dealer, ZMQ_CURVE_SECRETKEY, k->secret_key, KEY_TEXT);
}

static void hang_up(struct control *c)
{
    if (c->watch) zmq_close(c->watch);
    if (c->dealer) zmq_close(c->dealer);
    c->watch = c->dealer = NULL;
}

static int watch(struct control *c, struct err *e)
{
    char name[64];
    (void)snprintf(name, sizeof name, "inproc://plateau.handshakes.%u", ++c->dialled);
    c->watch = handshake_watch(c->context, c->dealer, name, e);
    return c->watch ? 0 : -1;
}

static int dial(struct control *c, struct err *e)
{
    unsigned char id[IDENTITY];
    int64_t max = WIRE_MESSAGE_MAX;
    hang_up(c);
    c->met = HANDSHAKE_NOTHING;
    c->strange = true;
    c->dealer = zmq_socket(c->context, ZMQ_DEALER);
    if (!c->dealer) return err_set(e, ERR_NET, "cannot make a socket: %s", zmq_strerror(errno));
    randombytes_buf(id, sizeof id);
    id[0] |= 1; /* ids that begin with a zero byte are ZeroMQ's own */
    if (zmq_setsockopt(c->dealer, ZMQ_ROUTING_ID, id, sizeof id) ||
        zmq_setsockopt(c->dealer, ZMQ_MAXMSGSIZE, &max, sizeof max) || set_int(c->dealer, ZMQ_IMMEDIATE, 1) ||
        set_int(c->dealer, ZMQ_SNDHWM, QUEUE) || set_int(c->dealer, ZMQ_RCVHWM, QUEUE) ||
        set_int(c->dealer, ZMQ_LINGER, FAREWELL_MS) || set_int(c->dealer, ZMQ_HANDSHAKE_IVL, HANDSHAKE_MS) ||
        set_int(c->dealer, ZMQ_HEARTBEAT_IVL, HEARTBEAT_MS) ||
        set_int(c->dealer, ZMQ_HEARTBEAT_TIMEOUT, HEARTBEAT_TIMEOUT_MS) ||
        set_int(c->dealer, ZMQ_RECONNECT_IVL, RECONNECT_MS) ||
        set_int(c->dealer, ZMQ_RECONNECT_IVL_MAX, RECONNECT_MAX_MS) || set_int(c->dealer, ZMQ_IPV6, 1) || use_keys(c))
        return err_set(e, ERR_NET, "cannot set up a socket: %s", zmq_strerror(errno));
    if (watch(c, e)) return -1;
    if (zmq_connect(c->dealer, c->o->connect))
        return err_set(e, ERR_USAGE, "cannot dial \"%s\": %s (expected tcp://HOST:PORT)", c->o->connect,
                       zmq_strerror(errno));
    return 0;
}

static bool send_message(void *arg, const struct wire_msg *m)
{
    struct control *c = arg;
    buf_reset(&c->out);
    if (!c->dealer || wire_encode(m, &c->out)) {
        log_error("%s cannot be encoded", wire_type_name(m->type));
        return false;
    }
    return zmq_send(c->dealer, c->out.data, c->out.len, ZMQ_DONTWAIT) >= 0;
}

/* The address is not probed where ZeroMQ itself has a connection: what is missing then is the handshake, or an answer.
 */
static void why_silent(struct control *c, char *ret, size_t n)
{
    bool there = c->met != HANDSHAKE_NOTHING || reach_knock(&c->reach, c->o->connect, ret, n);
    if (!there) return;
    if (c->failure[0])
        (void)snprintf(ret, n, "it does not let this agent in: %s", c->failure);
    else if (c->met == HANDSHAKE_CONNECTED)
        (void)snprintf(ret, n, "it accepts the connection, but does not speak as a coordinator does");
    else if (c->met == HANDSHAKE_DONE)
        (void)snprintf(ret, n, "it speaks ZeroMQ, but no coordinator's word has come");
}

/* The probe blocks, which is harmless before the first welcome: no heartbeat is due yet. Later only a coordinator that
 * has ended is noticed. */
static void redial(void *arg)
{
    struct control *c = arg;
    struct err e;
    char why[400];
    if (session_state(c->session) == SESSION_DIAL) {
        why_silent(c, why, sizeof why);
        /* where both begin together, the name of the coordinator is not known at once: no fault yet */
        log_msg(c->redials++ < REDIALS_CALM ? LOG_INFO : LOG_WARN, "nothing is heard from %s: %s; dialling again",
                c->o->connect, why);
    } else
        log_warn("nothing is heard from %s; dialling again", c->o->connect);
    if (dial(c, &e)) log_error("%s", e.text);
}

/* ---- the log: what happens to this agent, a line each ---- */

/* Logs a message of the coordinator, after the session has taken it. */
static void tell_message(struct control *c, const struct wire_msg *m)
{
    if (m->type == WIRE_WELCOME && c->strange)
        log_info("welcomed by %s to run %s as agent %" PRIu32, c->o->connect,
                 m->u.welcome.run_id ? m->u.welcome.run_id : "?", m->u.welcome.agent);
    if (m->type == WIRE_BYE) log_info("%s says goodbye: %s", c->o->connect, m->u.bye.reason ? m->u.bye.reason : "");
    if (m->type == WIRE_WELCOME || m->type == WIRE_REFUSE) c->strange = m->type == WIRE_REFUSE;
}

static void describe_share(struct control *c, const struct shard *s)
{
    double mine = s->cycle ? (double)s->n_turns / (double)s->cycle : 0;
    if (s->kind == LOAD_CLOSED)
        (void)snprintf(c->load.share, sizeof c->load.share, "%" PRIu32 " of %" PRIu32 " requests in flight", s->slots,
                       s->slots_all);
    else if (s->rate_from != s->rate_to)
        (void)snprintf(c->load.share, sizeof c->load.share, "%.6g to %.6g requests/s of %.6g to %.6g",
                       s->rate_from * mine, s->rate_to * mine, s->rate_from, s->rate_to);
    else
        (void)snprintf(c->load.share, sizeof c->load.share, "%.6g of %.6g requests/s", s->rate_to * mine, s->rate_to);
}

static void tell_begin(struct control *c)
{
    c->load.number = session_stage(c->session) + 1;
    c->load.runs = true;
    c->load.ok = c->load.failed = c->load.cut = 0;
    log_info("stage %" PRIu32 ": the load begins, %s", c->load.number, c->load.share);
}

/* Counters are of the whole stage, so the last ones replace all earlier ones. */
static void tell_event(struct control *c, const struct engine_event *ev)
{
    if (ev->kind == ENGINE_SNAPSHOT && ev->snapshot) {
        const uint64_t *n = ev->snapshot->counters;
        c->load.ok = n[COUNTER_OK];
        c->load.failed = counters_failed(n);
        c->load.cut = n[COUNTER_CANCELLED] + n[COUNTER_ABORTED];
    }
    if (ev->kind != ENGINE_DONE || !c->load.runs) return;
    c->load.runs = false;
    log_info("stage %" PRIu32 ": the load is done, %" PRIu64 " requests ok, %" PRIu64 " failed, %" PRIu64
             " cut off%s%s",
             c->load.number, c->load.ok, c->load.failed, c->load.cut, ev->err.code ? ": " : "",
             ev->err.code ? ev->err.text : "");
}

/* ---- engine ---- */

/* Workers keep what they have of a plan (its target, corpora, workloads) until they arm with the next one. Without
 * memory for the note the plan is never freed. */
static void keep_earlier_plan(struct control *c)
{
    struct plan **grown = c->plan ? realloc(c->earlier_plans, (c->n_earlier_plans + 1) * sizeof *grown) : NULL;
    if (!grown) return;
    c->earlier_plans = grown;
    c->earlier_plans[c->n_earlier_plans++] = c->plan;
}

static void drop_earlier_plans(struct control *c)
{
    while (c->n_earlier_plans > 0)
        plan_destroy(&c->earlier_plans[--c->n_earlier_plans]);
    free(c->earlier_plans);
    c->earlier_plans = NULL;
    if (c->fetch) fetch_drop_earlier(c->fetch);
}

/* The hash is taken here, over the bytes that came: what a message claims about itself is only compared with it. */
static int take_plan(void *arg, const struct wire_msg *m, const char *run_id, struct err *e)
{
    struct control *c = arg;
    char taken[65];
    const char *hash = m->u.plan.hash ? m->u.plan.hash : "";
    struct wire_bytes sig = m->u.plan.signature, json = m->u.plan.plan;
    plan_hash_json(json.data, json.n, taken);
    if (strcmp(taken, hash) != 0)
        return err_set(e, ERR_WIRE, "the plan that came (%.12s) is not the one that was announced (%.12s)", taken,
                       hash);
    struct plan *p = plan_from_json(json.data, json.n, e);
    if (!p) return -1;
    int rc = signed_accept(&c->signature, sig.data, sig.n, taken, run_id, clock_wall_ns(), e);
    if (rc == 0) {
        engine_corpora(c->engine, NULL);
        rc = fetch_plan(c->fetch, p, e);
    }
    if (rc == 0) rc = engine_plan(c->engine, p, e);
    if (rc == 0) {
        engine_corpora(c->engine, fetch_corpora(c->fetch));
        keep_earlier_plan(c);
        c->plan = p;
        return 0;
    }
    plan_destroy(&p);
    return rc;
}

static int arm(void *arg, const struct shard *s, struct err *e)
{
    struct control *c = arg;
    if (signed_check_shard(&c->signature, c->plan, s, clock_wall_ns(), e)) return -1;
    guard_meter_begin(&c->meter, s);
    describe_share(c, s);
    return engine_arm(c->engine, s, e);
}

static int go(void *arg, int64_t t0_ns, struct err *e)
{
    struct control *c = arg;
    if (engine_go(c->engine, t0_ns, e)) return -1;
    tell_begin(c);
    return 0;
}

static void stop(void *arg, bool now)
{
    struct control *c = arg;
    engine_stop(c->engine, now);
}

static void recycle(void *arg, struct snapshot **s)
{
    struct control *c = arg;
    engine_recycle(c->engine, s);
}

static void event(void *arg, const char *text)
{
    const struct control *c = arg;
    log_msg(c->o->told ? LOG_INFO : LOG_WARN, "%s", text);
}

/* ---- the probe ---- */

static void tell_probed(struct control *c)
{
    const struct probe_result *r = engine_probed(c->engine);
    if (!r) return;
    struct wire_msg m = {.type = WIRE_PROBED,
                         .u.probed = {.number = c->probe,
                                      .said = {r->said, r->n},
                                      .error = r->err.text,
                                      .code = r->err.code,
                                      .final = r->final,
                                      .costs = r->costs}};
    (void)send_message(c, &m);
}

/* PROBE is repeated until PROBED has come. */
static void take_probe(struct control *c, const struct wire_msg *m)
{
    struct err e;
    if (session_state(c->session) != SESSION_IDLE) return;
    if (m->u.probe.number == c->probe) {
        tell_probed(c);
        return;
    }
    if (engine_probe(c->engine, &e))
        log_warn("%s", e.text);
    else
        c->probe = m->u.probe.number;
}

/* ---- loop ---- */

static void take_message(struct control *c, const void *bytes, size_t n)
{
    struct wire_msg m;
    struct err e = {0};
    if (wire_decode(&m, bytes, n, &e)) {
        log_warn("from %s: %s", c->o->connect, e.text);
        return;
    }
    if (m.type == WIRE_PLAN && bytes != c->offer.data) {
        buf_reset(&c->offer);
        (void)buf_put(&c->offer, bytes, n);
    }
    if (m.type == WIRE_DATA) {
        if (!c->data_came) log_info("the plan's data are not here: they come from the coordinator");
        c->data_came = true;
        if (fetch_data(c->fetch, &m, &e)) log_warn("%s", e.text);
    } else {
        session_message(c->session, &m, clock_mono_ns());
        tell_message(c, &m);
        if (m.type == WIRE_PROBE) take_probe(c, &m);
    }
    wire_msg_clear(&m);
}

/* Continues to fetch the plan's data. Once they have arrived, or cannot be had, the plan is checked again at once. */
static bool fetch_more(struct control *c, bool was_busy)
{
    struct err e;
    if (!fetch_is_busy(c->fetch)) { /* the last piece has just come */
        if (was_busy && c->offer.len > 0) take_message(c, c->offer.data, c->offer.len);
        return false;
    }
    int rc = fetch_step(c->fetch, clock_mono_ns(), send_message, c, &e);
    if (rc <= 0 && !fetch_is_busy(c->fetch) && c->offer.len > 0) take_message(c, c->offer.data, c->offer.len);
    return rc > 0;
}

static void read_messages(struct control *c)
{
    for (int i = 0; i < MESSAGES_A_ROUND && session_state(c->session) != SESSION_OVER && c->dealer; i++) {
        zmq_msg_t raw;
        zmq_msg_init(&raw);
        if (zmq_msg_recv(&raw, c->dealer, ZMQ_DONTWAIT) < 0) {
            zmq_msg_close(&raw);
            return;
        }
        take_message(c, zmq_msg_data(&raw), zmq_msg_size(&raw));
        zmq_msg_close(&raw);
    }
}

static void read_engine(struct control *c)
{
    struct engine_event ev;
    struct err e;
    while (engine_next(c->engine, &ev)) {
        if (c->o->page) page_event(c->o->page, &ev);
        if (ev.kind == ENGINE_SNAPSHOT && guard_meter_add(&c->meter, c->o->guard, ev.snapshot, &e))
            session_refuse(c->session, &e);
        tell_event(c, &ev);
        if (ev.kind == ENGINE_PROBED) tell_probed(c);
        if (ev.kind == ENGINE_READY && ev.err.code == ERR_NONE) drop_earlier_plans(c);
        session_engine(c->session, &ev, clock_mono_ns());
    }
}

static void read_signals(struct control *c)
{
    struct signalfd_siginfo s;
    while (read(c->signal_fd, &s, sizeof s) == (ssize_t)sizeof s) {
        c->signal = (int)s.ssi_signo;
        session_leave(c->session, "a signal ended the agent", clock_mono_ns());
    }
}

/* A wrong key would otherwise look like a coordinator that is not there. */
static void read_handshakes(struct control *c)
{
    enum handshake_event ev;
    char words[sizeof c->failure];
    uint32_t held;
    while (c->watch && (ev = handshake_next(c->watch, words, sizeof words)) != HANDSHAKE_NOTHING) {
        if (ev == HANDSHAKE_CONNECTED || ev == HANDSHAKE_DONE) {
            c->met = ev;
            if (ev == HANDSHAKE_DONE) c->failure[0] = 0;
            continue;
        }
        memcpy(c->failure, words, sizeof words);
        if (!handshake_log_pass(&c->failures, words, clock_mono_ns(), &held)) continue;
        if (held)
            log_warn("%s does not let this agent in: %s (it was tried %" PRIu32 " more times since this was logged)",
                     c->o->connect, words, held);
        else
            log_warn("%s does not let this agent in: %s", c->o->connect, words);
    }
}

static void publish(struct control *c)
{
    if (c->o->page) page_tick(c->o->page, c->session, c->name, engine_workers(c->engine), clock_mono_ns());
}

/* The clock is read before messages: a process that was stopped must see how long it was away before it sees the
 * messages that waited. */
static void loop(struct control *c)
{
    bool hurry = false; /* more work is ready: poll without waiting */
    while (session_state(c->session) != SESSION_OVER) {
        int64_t wait = hurry ? 0 : session_deadline(c->session) - clock_mono_ns();
        zmq_pollitem_t item[] = {{.socket = c->dealer, .events = ZMQ_POLLIN},
                                 {.fd = engine_fd(c->engine), .events = ZMQ_POLLIN},
                                 {.fd = c->signal_fd, .events = ZMQ_POLLIN},
                                 {.socket = c->watch, .events = ZMQ_POLLIN}};
        (void)zmq_poll(item, c->watch ? 4 : 3, wait > 0 ? (long)((wait + NS_PER_MS - 1) / NS_PER_MS) : 0);
        session_tick(c->session, clock_mono_ns());
        if (item[2].revents) read_signals(c);
        read_engine(c);
        bool fetching = fetch_is_busy(c->fetch);
        read_messages(c);
        read_handshakes(c);
        hurry = fetch_more(c, fetching);
        engine_allow(c->engine, session_lease_until(c->session));
        publish(c);
    }
}

static int open_signals(struct err *e)
{
    sigset_t s;
    sigemptyset(&s);
    sigaddset(&s, SIGINT);
    sigaddset(&s, SIGTERM);
    sigaddset(&s, SIGHUP);
    int fd = signalfd(-1, &s, SFD_NONBLOCK | SFD_CLOEXEC);
    return fd < 0 ? err_set(e, ERR_INTERNAL, "signals: %s", strerror(errno)) : fd;
}

static void introduce(struct control *c, struct wire_msg *hello)
{
    struct host h;
    unsigned char boot[16];
    host_read(&h);
    randombytes_buf(boot, sizeof boot);
    (void)sodium_bin2hex(c->boot_id, sizeof c->boot_id, boot, sizeof boot);
    if (gethostname(c->host, sizeof c->host)) (void)snprintf(c->host, sizeof c->host, "unknown");
    c->host[sizeof c->host - 1] = 0;
    if (c->o->name)
        (void)snprintf(c->name, sizeof c->name, "%s", c->o->name);
    else
        (void)snprintf(c->name, sizeof c->name, "%.48s-%d", c->host, (int)getpid());
    guard_describe(c->o->guard, c->guard_words, sizeof c->guard_words);
    *hello = (struct wire_msg){.type = WIRE_HELLO,
                               .u.hello = {.name = c->name,
                                           .boot_id = c->boot_id,
                                           .version = PLATEAU_VERSION,
                                           .host = c->host,
                                           .cores = h.cpus,
                                           .weight = c->o->weight,
                                           .capacity = c->o->capacity,
                                           .quota = h.quota,
                                           .descriptors = h.descriptors,
                                           .guard = c->guard_words,
                                           .stamps = engine_stamps(c->engine)}};
}

static int converse(struct control *c, struct err *e)
{
    struct session_options so = {.patience_ns = c->o->patience_ns};
    struct session_io io = {.arg = c,
                            .send = send_message,
                            .redial = redial,
                            .plan = take_plan,
                            .arm = arm,
                            .go = go,
                            .stop = stop,
                            .recycle = recycle,
                            .event = event};
    introduce(c, &so.hello);
    c->signature = (struct signed_plan){.key = c->o->signed_by, .agent = c->name};
    if (dial(c, e)) return -1;
    c->session = session_new(&so, &io, clock_mono_ns());
    if (!c->session) return err_set(e, ERR_NOMEM, "no memory");
    log_info("agent %s dials %s", c->name, c->o->connect);
    loop(c);
    const struct err *over = session_error(c->session), *refused = session_refused(c->session);
    if (over->code == ERR_NONE && (refused->code == ERR_NONE || c->o->stay)) return 0;
    if (over->code == ERR_NONE) {
        *e = *refused;
        if (c->o->told) e->text[0] = '\0'; /* its code stays: the exit status */
        return c->o->told ? -1 : err_context(e, "the run is over for this agent");
    }
    if (over->code != ERR_AGENTS) { /* the coordinator has logged it */
        *e = *over;
        return -1;
    }
    char why[400];
    why_silent(c, why, sizeof why); /* the agent ends: nothing waits for this probe */
    return err_set(e, over->code, "%s from %s: %s", over->text, c->o->connect, why);
}

int control_run(const struct control_options *o, struct engine **engine, int *ret_signal, struct err *e)
{
    struct control c = {.o = o,
                        .engine = *engine,
                        .out = BUF_INIT(WIRE_MESSAGE_MAX),
                        .offer = BUF_INIT(WIRE_MESSAGE_MAX),
                        .signal_fd = -1};
    int rc = -1;
    if (sodium_init() < 0)
        (void)err_set(e, ERR_INTERNAL, "no random numbers");
    else if (!(c.context = zmq_ctx_new()))
        (void)err_set(e, ERR_NET, "cannot begin: %s", zmq_strerror(errno));
    else if ((c.fetch = fetch_new(o->data, o->data_checked, e)) && (c.signal_fd = open_signals(e)) >= 0)
        rc = converse(&c, e);
    session_destroy(&c.session);
    hang_up(&c);
    reach_clear(&c.reach);
    if (c.context) zmq_ctx_term(c.context); /* waits for the farewell, LINGER at most */
    if (c.signal_fd >= 0) (void)close(c.signal_fd);
    buf_clear(&c.out);
    buf_clear(&c.offer);
    *ret_signal = c.signal;
    engine_destroy(engine);
    plan_destroy(&c.plan);
    drop_earlier_plans(&c);
    fetch_destroy(&c.fetch);
    return rc;
}
