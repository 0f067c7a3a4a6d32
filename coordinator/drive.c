#include "coordinator/drive.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "coordinator/todo.h"
#include "coordinator/answer/point.h"
#include "coordinator/scrape.h"
#include "coordinator/watch.h"
#include "coordinator/corpus/shelf.h"

#define LEAD_LOCAL_NS (200 * NS_PER_MS) /* all agents on this machine */
#define LEAD_NS (2 * NS_PER_S)
#define MESSAGES_A_ROUND 4096 /* after so many, signals and the clock are checked */

/* What a turn of the loop took, and its parts: CPU time. */
enum part { PART_MESSAGES, PART_SERVER, PART_TICK, PART_SAVE, PART_SCREENS, PART_N };
static const char *const PARTS[PART_N] = {"messages", "the server's page", "the clock", "writing", "screens"};
struct turn {
    int64_t ns, cpu_ns, part[PART_N];
    enum run_state from, to;
};

struct drive {
    const struct drive_options *o;
    struct run *run;
    struct todo todo;
    struct watch watch;
    struct stage_data *unsaved;
    struct stage_data last;    /* the stage that has ended */
    struct stage_data *saving; /* the same while it is written, a piece in each turn of the loop; NULL: it is not */
    bool telling;              /* a search has not been told of it yet */
    struct point_agents judged;
    struct scrape *scrape; /* of the server's metrics page; NULL: none */
    bool told_failed, told_blank;
    struct turn longest; /* turn of the loop: no message was read meanwhile */
    struct turn dearest; /* the most CPU time of one turn: what it costs where nothing else runs */
    int64_t wall_minus_mono;
    uint64_t ended; /* stages that count, and what the plan gives them */
    int64_t ended_ns;
    size_t living; /* local agents */
    bool left;     /* ordered to make room; the run continues elsewhere */
};

/* ---- what the run asks of the world ---- */

static bool next_step(void *arg, struct run_step *ret)
{
    struct drive *d = arg;
    return !d->o->only_probe && todo_next(&d->todo, ret);
}

static void send_message(void *arg, const struct peer *to, const struct wire_msg *m)
{
    struct drive *d = arg;
    if (!link_send(d->o->link, to, m))
        log_debug("%s not sent: the agent is gone or its queue is full", wire_type_name(m->type));
}

/* The stage that cannot be kept can still be reported. */
static void keep_unsaved(struct drive *d, struct stage_data *s)
{
    if (!d->unsaved && (d->unsaved = malloc(sizeof *s)))
        *d->unsaved = *s;
    else
        stage_data_clear(s);
}

/* A search chooses its next load by the point of the stage that has ended, its agents included. */
static void tell_more(struct drive *d)
{
    struct err e = {0};
    if (point_judge_agents(d->saving, d->o->meta->plan, POINT_AGENTS_A_TURN, &d->judged)) return;
    d->telling = false;
    if (todo_tell(&d->todo, d->o->meta->plan, d->saving, &d->judged, &e)) run_unsaved(d->run, &e, clock_mono_ns());
}

static bool deciding(void *arg)
{
    const struct drive *d = arg;
    return d->telling;
}

/* Does the next piece of what the stage that has ended asks for. */
static void save_more(struct drive *d)
{
    struct err e = {0};
    if (d->telling) {
        tell_more(d);
        return;
    }
    int rc = sinks_stage_more(&d->o->sinks, d->saving, &e);
    if (rc > 0) return;
    if (rc < 0) {
        keep_unsaved(d, d->saving);
        run_unsaved(d->run, &e, clock_mono_ns());
    } else
        stage_data_clear(d->saving);
    d->saving = NULL;
}

static void save_rest(struct drive *d)
{
    while (d->saving)
        save_more(d);
}

static int stage_begin(void *arg, const struct stage_data *s, struct err *e)
{
    struct drive *d = arg;
    save_rest(d);                         /* after a cooldown it is all written */
    if (d->scrape) scrape_now(d->scrape); /* how the server stood before the first request */
    return sinks_stage_begin(&d->o->sinks, s, e);
}

static int snapshot(void *arg, const struct run_step *step, uint32_t epoch, uint32_t agent, uint64_t seq,
                    struct wire_bytes b, struct err *e)
{
    struct drive *d = arg;
    struct sink_snapshot s = {step->stage, step->repeat, epoch, agent, seq, b.data, b.n};
    return sinks_snapshot(&d->o->sinks, &s, e);
}

static int stage_end(void *arg, struct stage_data *s, bool superseded, struct err *e)
{
    struct drive *d = arg;
    save_rest(d);
    d->ended += !superseded;
    d->ended_ns += superseded ? 0 : s->plan.duration_ns;
    int rc = sinks_stage_end(&d->o->sinks, s, e);
    if (d->scrape) scrape_now(d->scrape); /* how the server stood after the last request */
    if (rc) {
        keep_unsaved(d, s);
        return rc;
    }
    todo_sent(&d->todo, d->o->meta->plan, s);
    d->last = *s;
    d->saving = &d->last;
    d->telling = !superseded && d->todo.search;
    d->judged = (struct point_agents){0};
    return 0;
}

static int agent_changed(void *arg, const struct run_agent *a, struct err *e)
{
    struct drive *d = arg;
    return sinks_agent(&d->o->sinks, a, e);
}

static void event(void *arg, enum run_event_kind kind, const char *text)
{
    struct drive *d = arg;
    struct err e;
    if (sinks_event(&d->o->sinks, kind, text, &e)) log_warn("%s", e.text);
}

static enum run_word watch(void *arg, const struct attempt *s, int64_t elapsed_ns)
{
    struct drive *d = arg;
    return watch_stage_word(&d->watch, d->o->meta->plan, s, elapsed_ns);
}

/* ---- what the world brings ---- */

static void reap_local(struct drive *d)
{
    char name[32], how[64], why[160];
    while (local_reap(d->o->local, name, sizeof name, how, sizeof how)) {
        int64_t now = clock_mono_ns();
        (void)snprintf(why, sizeof why, "agent %s %s", name, how);
        if (!run_agent_gone(d->run, name, how, now) && run_state(d->run) < RUN_CLOSE) log_warn("%s", why);
        run_limit_agents(d->run, local_living(d->o->local), why, now);
    }
}

/* With keys, SIGHUP has the meaning it has for servers. */
static void reload_keys(struct drive *d)
{
    char text[80];
    size_t n;
    struct err e = {0};
    if (link_reload(d->o->link, &n, &e)) {
        event(d, RUN_EVENT_KEYS, e.text);
        return;
    }
    (void)snprintf(text, sizeof text, "the list of allowed keys was read again: %zu keys", n);
    event(d, RUN_EVENT_KEYS, text);
}

static void read_signals(struct drive *d)
{
    struct signalfd_siginfo s;
    while (read(d->o->signal_fd, &s, sizeof s) == (ssize_t)sizeof s) {
        if (s.ssi_signo == SIGCHLD)
            reap_local(d);
        else if (s.ssi_signo == SIGHUP && link_has_list(d->o->link))
            reload_keys(d);
        else if (s.ssi_signo == SIGTERM && d->o->leave_on_term && run_state(d->run) < RUN_CLOSE)
            d->left = true;
        else
            run_stop(d->run, (int)s.ssi_signo, run_signal(d->run) != 0, clock_mono_ns());
    }
}

/* An agent asks for a piece of the plan's data. It asks again when nothing comes. */
static void answer_want(struct drive *d, const struct peer *from, const struct wire_msg *want)
{
    struct wire_msg m;
    struct buf piece = BUF_INIT(WIRE_MESSAGE_MAX / 2);
    if (shelf_answer(d->o->shelf, want, &piece, &m)) (void)link_send(d->o->link, from, &m);
    buf_clear(&piece);
}

/* Pieces of data are compressed when they are asked for. After this long the heartbeats come first. */
#define PIECES_NS (100 * NS_PER_MS)
/* Messages are taken for this long in one turn of the loop: thousands of agents hand over at the same second. What is
 * left is taken in the next turn, which begins at once. */
#define TURN_NS (10 * NS_PER_MS)

/* True: no other waits. */
static bool read_messages(struct drive *d)
{
    int64_t began = clock_mono_ns();
    for (int i = 0; i < MESSAGES_A_ROUND && clock_mono_ns() - began < TURN_NS; i++) {
        struct peer from;
        struct wire_msg m;
        struct err e = {0};
        switch (link_receive(d->o->link, &from, &m, &e)) {
        case LINK_NOTHING:
            return true;
        case LINK_MALFORMED:
            run_malformed(d->run, &from, &e, clock_mono_ns());
            break;
        case LINK_MESSAGE:
            if (m.type == WIRE_WANT) {
                answer_want(d, &from, &m);
                if (clock_mono_ns() - began > PIECES_NS) i = MESSAGES_A_ROUND; /* the rest after the tick */
            } else
                run_message(d->run, &from, &m, clock_mono_ns());
            wire_msg_clear(&m);
            break;
        }
    }
    return false;
}

/* Takes the new readings of the server's page. A page that cannot be read is reported once, and never ends a run. */
static void read_server(struct drive *d)
{
    struct server_sample sample;
    struct scrape_state st;
    struct err e;
    char text[400];
    int64_t when;
    if (!d->scrape) return;
    while (scrape_take(d->scrape, &sample, &when))
        if (sinks_server(&d->o->sinks, when + d->wall_minus_mono, &sample, &e)) log_debug("%s", e.text);
    scrape_state(d->scrape, &st);
    if (st.failed && !d->told_failed) {
        (void)snprintf(text, sizeof text,
                       "metrics_url cannot be read: %s; the run continues, later failures are counted", st.first);
        event(d, RUN_EVENT_METRICS_FAILED, text);
        d->told_failed = true;
    }
    if (st.blank && !d->told_blank) {
        event(d, RUN_EVENT_METRICS_UNKNOWN, "metrics_url: the page holds none of the figures that are known");
        d->told_blank = true;
    }
}

static void end_server(struct drive *d)
{
    struct scrape_state st;
    char text[120];
    if (!d->scrape) return;
    scrape_finish(d->scrape);
    read_server(d);
    scrape_state(d->scrape, &st);
    if (st.failed) {
        (void)snprintf(text, sizeof text, "metrics_url: %" PRIu64 " of %" PRIu64 " readings failed", st.failed,
                       st.readings);
        event(d, RUN_EVENT_METRICS_FAILED, text);
    }
    scrape_destroy(&d->scrape);
}

static struct sink_view view(const struct drive *d)
{
    return (struct sink_view){.run = d->run,
                              .step = todo_begun(&d->todo),
                              .steps = todo_all(&d->todo),
                              .now = clock_mono_ns(),
                              .ended = d->ended,
                              .ended_ns = d->ended_ns,
                              .saving = d->saving != NULL};
}

static int64_t cpu_ns(void)
{
    struct timespec t;
    if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t) < 0) return 0;
    return t.tv_sec * NS_PER_S + t.tv_nsec;
}

static void part_over(struct turn *t, enum part p, int64_t *since)
{
    int64_t now = cpu_ns();
    t->part[p] = now - *since;
    *since = now;
}

static void log_turns(const struct drive *d)
{
    char parts[200] = "";
    for (int p = 0; p < PART_N; p++)
        (void)snprintf(parts + strlen(parts), sizeof parts - strlen(parts), "%s%s %.1f", p ? ", " : "", PARTS[p],
                       (double)d->dearest.part[p] / 1e6);
    log_debug("the longest turn of the loop took %.1f ms, the most CPU time of one %.1f ms (%s; %s to %s)",
              (double)d->longest.ns / 1e6, (double)d->dearest.cpu_ns / 1e6, parts, run_state_name(d->dearest.from),
              run_state_name(d->dearest.to));
}

static void turn(struct drive *d, bool signals)
{
    struct turn t = {.from = run_state(d->run)};
    bool saves = d->saving != NULL; /* a stage that ends in this turn is written from the next on */
    int64_t woke = clock_mono_ns(), began = cpu_ns(), since = began;
    if (signals) read_signals(d);
    bool all_read = read_messages(d);
    part_over(&t, PART_MESSAGES, &since);
    read_server(d);
    part_over(&t, PART_SERVER, &since);
    if (clock_mono_ns() >= run_deadline(d->run))
        run_tick(d->run, clock_mono_ns(), all_read); /* walks over all agents */
    part_over(&t, PART_TICK, &since);
    if (saves && d->saving) save_more(d);
    part_over(&t, PART_SAVE, &since);
    struct sink_view v = view(d);
    sinks_tick(&d->o->sinks, &v);
    part_over(&t, PART_SCREENS, &since);
    t.to = run_state(d->run);
    t.ns = clock_mono_ns() - woke;
    t.cpu_ns = since - began;
    if (t.ns > d->longest.ns) d->longest = t;
    if (t.cpu_ns > d->dearest.cpu_ns) d->dearest = t;
}

static void loop(struct drive *d)
{
    struct sink_view v;
    while (run_state(d->run) != RUN_OVER && !d->left) {
        struct pollfd fds[1] = {{.fd = d->o->signal_fd, .events = POLLIN}};
        link_wait(d->o->link, fds, 1, d->saving ? 0 : run_deadline(d->run) - clock_mono_ns());
        turn(d, fds[0].revents != 0);
    }
    log_turns(d);
    save_rest(d);
    v = view(d);
    sinks_over(&d->o->sinks, &v);
}

static int begin(struct drive *d, struct buf *packed, struct err *e)
{
    const struct run_data *meta = d->o->meta;
    const struct store_past *past = &d->o->past;
    int64_t now = clock_mono_ns();
    if (todo_init(&d->todo, meta, e)) return -1;
    for (size_t i = 0; i < meta->n_stages; i++)
        d->ended_ns += meta->stages[i].plan.duration_ns;
    d->ended = meta->n_stages;
    if (meta->plan->target.metrics_url && !(d->scrape = scrape_start(&meta->plan->target, e))) return -1;
    if (sinks_begin(&d->o->sinks, meta, e)) return -1;
    if (plan_to_json(meta->plan, false, packed)) return err_set(e, ERR_LIMIT, "the plan is too large to be sent");
    struct run_options ro = {
        .plan = meta->plan,
        .packed = {packed->data, packed->len},
        .signature = d->o->signature,
        .plan_hash = meta->plan_hash,
        .run_id = meta->run_id,
        .start_lead_ns = link_is_loopback(d->o->link) ? LEAD_LOCAL_NS : LEAD_NS,
        .wall_minus_mono = d->wall_minus_mono,
        .first_epoch =
            past->last_epoch ? past->last_epoch + RUN_ATTEMPTS : 0, /* attempts that never began are not in the file */
        .first_agent = past->agents,
        .fence_ns = past->unclean ? now + RUN_LEASE_NS + NS_PER_S : 0,
        .probe = d->o->probe ? (uint32_t)(clock_wall_ns() / NS_PER_MS) | 1u : 0,
        .only_probe = d->o->only_probe,
        .wanted = d->o->wanted,
    };
    struct run_io io = {.arg = d,
                        .next_step = next_step,
                        .deciding = deciding,
                        .send = send_message,
                        .stage_begin = stage_begin,
                        .snapshot = snapshot,
                        .stage_end = stage_end,
                        .agent = agent_changed,
                        .event = event,
                        .watch = watch};
    d->run = run_new(&ro, &io, now);
    return d->run ? 0 : err_set(e, ERR_NOMEM, "no memory for the run");
}

int drive_run(const struct drive_options *o, struct drive_result *ret, struct err *e)
{
    struct drive d = {.o = o, .wall_minus_mono = clock_wall_ns() - clock_mono_ns()};
    struct buf packed = BUF_INIT(WIRE_MESSAGE_MAX / 2);
    memset(ret, 0, sizeof *ret);
    int rc = begin(&d, &packed, e);
    if (rc == 0) {
        loop(&d);
        end_server(&d);
        ret->err = *run_error(d.run);
        ret->signal = d.left ? SIGTERM : run_signal(d.run);
        ret->left = d.left;
        ret->incomplete = run_incomplete(d.run);
        ret->unsaved = d.unsaved;
    }
    run_destroy(&d.run);
    scrape_destroy(&d.scrape);
    todo_clear(&d.todo);
    buf_clear(&packed);
    return rc;
}

int drive_signals(struct err *e)
{
    sigset_t s;
    sigemptyset(&s);
    sigaddset(&s, SIGINT);
    sigaddset(&s, SIGTERM);
    sigaddset(&s, SIGHUP);
    sigaddset(&s, SIGCHLD);
    int fd = sigprocmask(SIG_BLOCK, &s, NULL) ? -1 : signalfd(-1, &s, SFD_NONBLOCK | SFD_CLOEXEC);
    (void)signal(SIGPIPE, SIG_IGN);
    return fd < 0 ? err_set(e, ERR_INTERNAL, "signals: %s", strerror(errno)) : fd;
}

struct local *drive_start_local(size_t n, const struct link *l, const char *keys, struct key_pair *own,
                                const char *data, const struct plan *plan, struct err *e)
{
    char server[KEY_TEXT];
    int bundle = -1;
    if (own) {
        link_server_key(l, server);
        bundle = key_bundle_make(own, server, e);
        key_pair_clear(own);
        if (bundle < 0) return NULL;
    }
    struct local *local = local_open(n, link_dialled(l), keys, bundle, data, plan->target.address, e);
    if (bundle >= 0) (void)close(bundle);
    return local;
}
