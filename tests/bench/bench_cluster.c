/* A coordinator under many agents: N of them in a few processes, each with a connection of its own and the agent's own
 * session (agent/session.c), but with snapshots that are made up instead of measured. They dial a real `plateau run`,
 * go through its stages, and what it cost the coordinator is printed as a line of JSON. No target is contacted. What
 * they sent is added up here too, and must be what the run's file says, bucket by bucket. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

#include "agent/session.h"
#include "common/args.h"
#include "common/clock.h"
#include "common/keys.h"
#include "common/rng.h"
#include "coordinator/run/merge.h"
#include "coordinator/store/store.h"
#include "tests/bench/made_up.h"
#include "tests/bench/merge_cost.h"
#include "tests/bench/process_cost.h"

enum {
    TEMPLATES = 64,
    SWEEP_MS = 5,
    EVENTS = 512,
    THREADS_MAX = 16,
    PROCESSES_MAX = 16,
    OTHER_FILES = 1024,
    ID = 16,
    FILES_AN_AGENT = 4, /* its connection, what wakes its socket, and what they are while it dials again */
    AGENTS_MAX = 16384
};

static struct {
    uint32_t agents, threads;
    int64_t duration_ns, storm_ns, storm_gap_ns;
    const char *plateau, *dir;
    bool all_metrics, keep, curve;
} opt = {.agents = 1000, .threads = 2, .duration_ns = 20 * NS_PER_S, .storm_gap_ns = 1 * NS_PER_S};

#define WAIT_NS (180 * NS_PER_S) /* for all to have joined, on a busy machine */

static struct snapshot *templates[TEMPLATES];
static char endpoint[256], server_key[KEY_TEXT];
static struct key_pair own_key;
struct sent {
    uint64_t snapshots, ok;
};
/* Of the first stage; shared by all threads of all processes. */
static struct {
    _Atomic int64_t silence, first_arm, last_arm, last_ready, first_go, last_go, stage_t0, storm_at;
    _Atomic uint64_t bytes_out, bytes_in, messages_out, snapshots_out, redials;
    _Atomic uint32_t sessions_over;
    struct sent sent[AGENTS_MAX]; /* by each agent */
} * all;

static void at_first(_Atomic int64_t *at, int64_t now)
{
    int64_t none = 0;
    (void)atomic_compare_exchange_strong(at, &none, now);
}
static void at_last(_Atomic int64_t *at, int64_t now)
{
    int64_t was = atomic_load(at);
    while (was < now && !atomic_compare_exchange_weak(at, &was, now)) {
    }
}

struct crew;
struct fake {
    struct crew *crew;
    struct session *session;
    void *dealer;
    int fd;
    uint32_t index;
    char name[32], boot[33];
    bool touched; /* a send may have eaten the socket's signal */
    bool over, stormed;
    int64_t away_until, heard; /* heard: the coordinator's last word on this connection; 0 = none yet */
    /* the engine that is none */
    bool armed, tell_ready, running, stopping;
    int64_t t0, duration;
    uint64_t slots, k; /* k: snapshots of this stage so far */
    uint64_t counters[COUNTER_N];
};
struct crew { /* a thread's agents */
    pthread_t thread;
    void *context;
    int epoll;
    struct fake *fake;
    uint32_t n;
    struct buf out;
};

/* ---- what the agents say they have measured ---- */

static const struct snapshot *template_of(const struct fake *f, uint64_t k)
{
    return templates[(f->index * 7 + k) % TEMPLATES];
}

static void emit(struct fake *f, bool last, int64_t now)
{
    struct snapshot s;
    made_up_next(template_of(f, f->k), f->k, f->slots, last, f->counters, &s);
    f->k++;
    all->sent[f->index] = (struct sent){f->k, f->counters[COUNTER_OK]};
    atomic_fetch_add(&all->snapshots_out, 1);
    session_engine(f->session, &(struct engine_event){.kind = ENGINE_SNAPSHOT, .snapshot = &s, .last = last}, now);
}

static void engine_turn(struct fake *f, int64_t now)
{
    if (f->tell_ready) {
        f->tell_ready = false;
        struct engine_event ev = {.kind = ENGINE_READY, .addresses = "127.0.0.1:9"};
        session_engine(f->session, &ev, now);
        at_last(&all->last_ready, now);
    }
    if (!f->running) return;
    uint64_t seconds = (uint64_t)(f->duration / NS_PER_S);
    while (f->k < seconds && now >= f->t0 + (int64_t)(f->k + 1) * NS_PER_S)
        emit(f, false, now);
    if (!f->stopping && f->k < seconds) return;
    if (f->k == 0) emit(f, false, now); /* asked to end before its first second */
    emit(f, true, now);
    f->running = false;
    session_engine(f->session, &(struct engine_event){.kind = ENGINE_DONE, .start_skew_ns = f->index % 100 * 1000},
                   now);
}

/* ---- what the session asks for ---- */

static bool send_message(void *arg, const struct wire_msg *m)
{
    struct fake *f = arg;
    struct buf *out = &f->crew->out;
    buf_reset(out);
    if (!f->dealer || wire_encode(m, out)) return false;
    f->touched = true;
    if (zmq_send(f->dealer, out->data, out->len, ZMQ_DONTWAIT) < 0) return false;
    atomic_fetch_add(&all->bytes_out, out->len);
    atomic_fetch_add(&all->messages_out, 1);
    return true;
}

static void hang_up(struct fake *f)
{
    if (!f->dealer) return;
    (void)epoll_ctl(f->crew->epoll, EPOLL_CTL_DEL, f->fd, NULL);
    (void)zmq_close(f->dealer);
    f->dealer = NULL;
    f->heard = 0;
}

static void dial(struct fake *f)
{
    unsigned char id[ID];
    int one = 1, linger = 0, hwm = 64;
    size_t n = sizeof f->fd;
    f->dealer = zmq_socket(f->crew->context, ZMQ_DEALER);
    randombytes_buf(id, sizeof id);
    id[0] |= 1;
    if (!f->dealer || zmq_setsockopt(f->dealer, ZMQ_ROUTING_ID, id, sizeof id) ||
        zmq_setsockopt(f->dealer, ZMQ_IMMEDIATE, &one, sizeof one) ||
        zmq_setsockopt(f->dealer, ZMQ_LINGER, &linger, sizeof linger) ||
        zmq_setsockopt(f->dealer, ZMQ_SNDHWM, &hwm, sizeof hwm) ||
        (opt.curve && (zmq_setsockopt(f->dealer, ZMQ_CURVE_SERVERKEY, server_key, KEY_TEXT) ||
                       zmq_setsockopt(f->dealer, ZMQ_CURVE_PUBLICKEY, own_key.public_key, KEY_TEXT) ||
                       zmq_setsockopt(f->dealer, ZMQ_CURVE_SECRETKEY, own_key.secret_key, KEY_TEXT))) ||
        zmq_connect(f->dealer, endpoint) || zmq_getsockopt(f->dealer, ZMQ_FD, &f->fd, &n)) {
        fprintf(stderr, "bench_cluster: a socket: %s\n", zmq_strerror(errno));
        exit(1);
    }
    f->touched = true;
    (void)epoll_ctl(f->crew->epoll, EPOLL_CTL_ADD, f->fd, &(struct epoll_event){.events = EPOLLIN, .data.ptr = f});
}

static void redial(void *arg)
{
    struct fake *f = arg;
    atomic_fetch_add(&all->redials, 1);
    hang_up(f);
    dial(f);
}

static int take_plan(void *arg, const struct wire_msg *m, const char *run_id, struct err *e)
{
    (void)arg;
    (void)run_id;
    struct plan *p = plan_from_json(m->u.plan.plan.data, m->u.plan.plan.n, e);
    int rc = p ? 0 : -1;
    plan_destroy(&p);
    return rc;
}

static int arm(void *arg, const struct shard *s, struct err *e)
{
    struct fake *f = arg;
    int64_t now = clock_mono_ns();
    (void)e;
    at_first(&all->first_arm, now);
    at_last(&all->last_arm, now);
    f->armed = f->tell_ready = true;
    f->running = f->stopping = false;
    f->duration = s->duration_ns;
    f->slots = s->slots;
    f->k = 0;
    memset(f->counters, 0, sizeof f->counters);
    return 0;
}

static int go(void *arg, int64_t t0_ns, struct err *e)
{
    struct fake *f = arg;
    (void)e;
    at_first(&all->first_go, clock_mono_ns());
    at_last(&all->last_go, clock_mono_ns());
    at_first(&all->stage_t0, t0_ns);
    f->t0 = t0_ns;
    f->running = true;
    f->armed = false;
    return 0;
}

static void stop(void *arg, bool now)
{
    struct fake *f = arg;
    (void)now;
    f->armed = f->tell_ready = false;
    f->stopping = true;
}

static void recycle(void *arg, struct snapshot **s)
{
    (void)arg;
    *s = NULL;
}

static void event(void *arg, const char *text)
{
    static _Atomic uint32_t said;
    const struct fake *f = arg;
    if (atomic_fetch_add(&said, 1) < 20) fprintf(stderr, "bench_cluster: %s: %s\n", f->name, text);
}

/* ---- a thread ---- */

static void receive(struct fake *f)
{
    for (int i = 0; f->dealer && i < 256 && session_state(f->session) != SESSION_OVER; i++) {
        zmq_msg_t raw;
        struct wire_msg m;
        struct err e;
        zmq_msg_init(&raw);
        if (zmq_msg_recv(&raw, f->dealer, ZMQ_DONTWAIT) < 0) {
            f->touched = false;
            zmq_msg_close(&raw);
            return;
        }
        atomic_fetch_add(&all->bytes_in, zmq_msg_size(&raw));
        int64_t now = clock_mono_ns();
        if (f->heard) at_last(&all->silence, now - f->heard);
        f->heard = now;
        if (wire_decode(&m, zmq_msg_data(&raw), zmq_msg_size(&raw), &e) == 0) {
            session_message(f->session, &m, clock_mono_ns());
            wire_msg_clear(&m);
        }
        zmq_msg_close(&raw);
    }
}

/* All connections break at the same moment, and all come back at the same moment. */
static void storm(struct fake *f, int64_t now)
{
    if (!f->stormed && now >= atomic_load(&all->storm_at)) {
        f->stormed = true;
        f->away_until = atomic_load(&all->storm_at) + opt.storm_gap_ns;
        hang_up(f);
    }
    if (f->stormed && !f->dealer && now >= f->away_until) redial(f);
}

static void sweep(struct crew *c)
{
    int64_t now = clock_mono_ns();
    for (uint32_t i = 0; i < c->n; i++) {
        struct fake *f = &c->fake[i];
        if (f->over) continue;
        if (atomic_load(&all->storm_at)) storm(f, now);
        engine_turn(f, now);
        if (now >= session_deadline(f->session)) session_tick(f->session, now);
        for (int turn = 0; f->touched && turn < 4; turn++) {
            receive(f);
            engine_turn(f, now);
        }
        if (session_state(f->session) != SESSION_OVER) continue;
        f->over = true;
        if (session_error(f->session)->code) event(f, session_error(f->session)->text);
        atomic_fetch_add(&all->sessions_over, 1);
    }
}

static void *crew_main(void *arg)
{
    struct crew *c = arg;
    struct epoll_event ev[EVENTS];
    uint32_t begun = 0;
    int64_t next_sweep = 0;
    while (atomic_load(&all->sessions_over) < opt.agents) {
        for (uint32_t end = begun + 50; begun < c->n && begun < end; begun++)
            dial(&c->fake[begun]);
        int n = epoll_wait(c->epoll, ev, EVENTS, SWEEP_MS);
        for (int i = 0; i < n; i++) {
            struct fake *f = ev[i].data.ptr;
            if (!f->dealer || f->over) continue;
            receive(f);
            engine_turn(f, clock_mono_ns());
        }
        if (clock_mono_ns() < next_sweep) continue;
        next_sweep = clock_mono_ns() + SWEEP_MS * NS_PER_MS;
        sweep(c);
    }
    (void)nanosleep(&(struct timespec){.tv_nsec = 200 * NS_PER_MS}, NULL); /* for the goodbye */
    return NULL;
}

static void make_fake(struct fake *f, struct crew *c, uint32_t index)
{
    f->crew = c;
    f->index = index;
    (void)snprintf(f->name, sizeof f->name, "fake-%" PRIu32, index + 1);
    (void)snprintf(f->boot, sizeof f->boot, "%08" PRIx32, index);
    struct session_options so = {.patience_ns = 120 * NS_PER_S};
    struct session_io io = {f, send_message, redial, take_plan, arm, go, stop, recycle, event};
    so.hello = (struct wire_msg){.type = WIRE_HELLO,
                                 .u.hello = {.name = f->name,
                                             .boot_id = f->boot,
                                             .version = PLATEAU_VERSION,
                                             .host = "bench",
                                             .cores = 4,
                                             .weight = 1,
                                             .descriptors = 65536,
                                             .guard = "",
                                             .stamps = "kernel"}};
    f->session = session_new(&so, &io, clock_mono_ns());
    if (!f->session) abort();
}

static void start_crew(struct crew *c, uint32_t first)
{
    c->fake = calloc(c->n + 1, sizeof *c->fake);
    c->context = zmq_ctx_new();
    c->epoll = epoll_create1(EPOLL_CLOEXEC);
    c->out = (struct buf)BUF_INIT(WIRE_MESSAGE_MAX);
    if (!c->fake || !c->context || zmq_ctx_set(c->context, ZMQ_MAX_SOCKETS, (int)c->n * 2 + 64)) abort();
    for (uint32_t i = 0; i < c->n; i++)
        make_fake(&c->fake[i], c, first + i);
    if (pthread_create(&c->thread, NULL, crew_main, c)) abort();
}

/* A process of its own for so many agents: the limit of open files is one of a process. What is left is the system's to
 * clean up. */
static pid_t start_process(uint32_t first, uint32_t n)
{
    struct crew crew[THREADS_MAX] = {0};
    pid_t pid = fork();
    if (pid) return pid;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (uint32_t t = 0; t < opt.threads; t++) {
        crew[t].n = n / opt.threads + (t < n % opt.threads);
        start_crew(&crew[t], first);
        first += crew[t].n;
    }
    for (uint32_t t = 0; t < opt.threads; t++)
        (void)pthread_join(crew[t].thread, NULL);
    _exit(0);
}

/* As few as the limit of open files allows. */
static uint32_t start_processes(pid_t pid[PROCESSES_MAX])
{
    struct rlimit r;
    uint32_t n = 1, first = 0;
    if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur > OTHER_FILES) {
        rlim_t most = (r.rlim_cur - OTHER_FILES) / FILES_AN_AGENT;
        n = (uint32_t)((opt.agents + most - 1) / most);
    }
    if (n > PROCESSES_MAX) n = PROCESSES_MAX;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t share = opt.agents / n + (i < opt.agents % n);
        pid[i] = start_process(first, share);
        if (pid[i] < 0) abort();
        first += share;
    }
    return n;
}

/* ---- the coordinator ---- */

static int make_keys(const char *dir)
{
    struct err e;
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        if (!freopen("/dev/null", "w", stdout)) _exit(127);
        (void)execl(opt.plateau, "plateau", "keys", dir, (char *)NULL);
        _exit(127);
    }
    return pid < 0 || waitpid(pid, &status, 0) != pid || status || key_pair_load(dir, "agent", &own_key, &e) ||
                   key_public_load(dir, "coordinator", server_key, &e)
               ? -1
               : 0;
}

static pid_t start_coordinator(const char *plan, const char *run, const char *log, const char *keys)
{
    pid_t pid = fork();
    if (pid) return pid;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (!freopen(log, "w", stderr) || !freopen("/dev/null", "w", stdout)) _exit(127);
    (void)execl(opt.plateau, "plateau", "run", plan, "--listen", "tcp://127.0.0.1:*", "--out", run, "--no-probe",
                "--log-level", "debug", opt.curve ? "--keys" : (char *)NULL, keys, (char *)NULL);
    _exit(127);
}

static void write_plan(const char *path)
{
    FILE *f = fopen(path, "we");
    if (!f) abort();
    (void)fprintf(f,
                  "plan: 1\ntarget: {url: \"http://127.0.0.1:9/v1/chat/completions\", model: none}\n"
                  "load: {concurrency: %" PRIu32 ", duration: %" PRId64 "ms}\nagents: {count: %" PRIu32
                  ", wait: %" PRId64 "ms, on_loss: mark}\n",
                  opt.agents * 8, opt.duration_ns / NS_PER_MS, opt.agents, WAIT_NS / NS_PER_MS);
    (void)fclose(f);
}

/* ---- was it all counted? ---- */

/* All that was sent, added up: the histograms, and the requests that ended well. */
static uint64_t add_sent(struct snapshot *sum)
{
    uint64_t used[TEMPLATES] = {0}, ok = 0;
    for (uint32_t i = 0; i < opt.agents; i++) {
        ok += all->sent[i].ok;
        for (uint64_t k = 0; k < all->sent[i].snapshots; k++)
            used[(i * 7 + k) % TEMPLATES]++;
    }
    for (int i = 0; i < TEMPLATES; i++)
        for (int m = 0; m < METRIC_N; m++)
            for (uint64_t k = 0; templates[i]->hist[m] && k < used[i]; k++) {
                if (!sum->hist[m]) sum->hist[m] = hist_new();
                if (!sum->hist[m] || hist_merge(sum->hist[m], templates[i]->hist[m])) abort();
            }
    return ok;
}

static int check_run(const char *dir, uint64_t *ret_snapshots)
{
    struct err e = {0};
    struct run_data run = {0};
    struct store *s = store_open(dir, &e);
    uint64_t ok;
    struct snapshot *sum = snapshot_new(false);
    int wrong = 0;
    if (!s || !sum || store_load(s, &run, &e) || run.n_stages != 1) {
        fprintf(stderr, "bench_cluster: the run's file: %s\n", e.code ? e.text : "not one stage");
        store_close(&s);
        return 1;
    }
    ok = add_sent(sum);
    const struct stage_data *d = &run.stages[0];
    for (int m = 0; m < METRIC_N; m++)
        if ((sum->hist[m] != NULL) != (d->hist[m] != NULL) || (sum->hist[m] && !hist_equal(sum->hist[m], d->hist[m])))
            wrong++;
    for (size_t i = 0; i < d->n_agents; i++)
        *ret_snapshots += d->agents[i].snapshots;
    if (d->counters[COUNTER_OK] != ok || d->lost || d->n_agents != opt.agents) wrong++;
    if (wrong)
        fprintf(stderr,
                "bench_cluster: %d things differ: ok %" PRIu64 " of %" PRIu64 ", lost %" PRIu64 ", %zu agents\n", wrong,
                d->counters[COUNTER_OK], ok, d->lost, d->n_agents);
    snapshot_destroy(&sum);
    run_data_clear(&run);
    store_close(&s);
    return wrong;
}

/* ---- the whole ---- */

struct figures {
    struct usage joined, begin, end, last;
    int status;
    uint64_t bytes_begin, bytes_end, in_begin, in_end;
};

static void watch(pid_t pid, struct figures *f)
{
    int64_t hung = clock_mono_ns() + opt.duration_ns + WAIT_NS + 120 * NS_PER_S;
    for (;;) {
        struct usage u = usage_of(pid);
        int64_t t0 = atomic_load(&all->stage_t0), now = clock_mono_ns();
        if (u.rss_kib) f->last = u;
        if (!atomic_load(&all->first_arm)) f->joined = u;
        if (t0 && opt.storm_ns && !atomic_load(&all->storm_at)) atomic_store(&all->storm_at, t0 + opt.storm_ns);
        if (t0 && !f->begin.at && now > t0 + NS_PER_S / 2) {
            f->begin = u;
            f->bytes_begin = atomic_load(&all->bytes_out);
            f->in_begin = atomic_load(&all->bytes_in);
        }
        if (t0 && now < t0 + opt.duration_ns - NS_PER_S / 2) {
            f->end = u;
            f->bytes_end = atomic_load(&all->bytes_out);
            f->in_end = atomic_load(&all->bytes_in);
        }
        if (waitpid(pid, &f->status, WNOHANG) == pid) return;
        if (now > hung) (void)kill(pid, SIGKILL);
        (void)nanosleep(&(struct timespec){.tv_nsec = 50 * NS_PER_MS}, NULL);
    }
}

static int bench(void)
{
    char plan[600], run[600], log[600], keys[600], file[700], dir[512] = "/tmp/bench_cluster.XXXXXX";
    struct figures f = {0};
    struct stat st = {0};
    uint64_t snapshots = 0;
    if (opt.dir ? snprintf(dir, sizeof dir, "%s", opt.dir) < 0 || (mkdir(dir, 0700) && errno != EEXIST) : !mkdtemp(dir))
        return 1;
    (void)snprintf(plan, sizeof plan, "%s/plan.yaml", dir);
    (void)snprintf(run, sizeof run, "%s/run", dir);
    (void)snprintf(log, sizeof log, "%s/err.log", dir);
    (void)snprintf(file, sizeof file, "%s/run.sqlite", run);
    for (uint64_t i = 0; i < TEMPLATES; i++)
        templates[i] = made_up_second(rng_mix(1, i, 0, 0), MADE_UP_REQUESTS, opt.all_metrics);
    (void)snprintf(keys, sizeof keys, "%s/keys", dir);
    if (opt.curve && make_keys(keys)) {
        fprintf(stderr, "bench_cluster: no keys\n");
        return 1;
    }
    double merge = merge_cost_us(templates, TEMPLATES, opt.agents, 10);
    write_plan(plan);
    pid_t pid = start_coordinator(plan, run, log, keys);
    if (pid < 0 || find_endpoint(log, pid, endpoint)) {
        fprintf(stderr, "bench_cluster: %s did not start; see %s\n", opt.plateau, log);
        return 1;
    }
    int64_t begun = clock_mono_ns();
    pid_t crews[PROCESSES_MAX];
    uint32_t processes = start_processes(crews);
    watch(pid, &f);
    int64_t ended = clock_mono_ns();
    atomic_store(&all->sessions_over, opt.agents); /* nobody is left to talk to */
    for (uint32_t i = 0; i < processes; i++)
        (void)waitpid(crews[i], NULL, 0);
    if (stat(file, &st)) st.st_size = 0;
    int wrong = check_run(run, &snapshots);
    double seconds = (double)(f.end.at - f.begin.at) / 1e9;
    printf("{\"agents\":%" PRIu32 ",\"metrics\":%d,\"curve\":%s,\"duration_s\":%.0f,\"cpu_share\":%.4f,\"cpu_us_per_"
           "snapshot\":%.1f,\"rss_mib\":%.1f,\"peak_mib\":%.1f",
           opt.agents, opt.all_metrics ? 16 : 4, opt.curve ? "true" : "false", (double)opt.duration_ns / 1e9,
           (double)(f.end.cpu_ns - f.begin.cpu_ns) / 1e9 / seconds,
           (double)(f.end.cpu_ns - f.begin.cpu_ns) / 1e3 / (double)opt.agents / seconds, (double)f.end.rss_kib / 1024,
           (double)f.last.peak_kib / 1024);
    printf(",\"bytes_per_agent_s\":%.0f,\"bytes_back_per_agent_s\":%.0f",
           (double)(f.bytes_end - f.bytes_begin) / opt.agents / seconds,
           (double)(f.in_end - f.in_begin) / opt.agents / seconds);
    printf(",\"join_ms\":%.0f,\"join_cpu_ms\":%.0f,\"arm_to_ready_ms\":%.0f,\"ready_to_go_ms\":%.0f,\"barrier_ms\":%."
           "0f,\"go_to_t0_ms\":%.0f",
           ms_between(begun, all->first_arm), (double)f.joined.cpu_ns / 1e6,
           ms_between(all->first_arm, all->last_ready), ms_between(all->last_ready, all->last_go),
           ms_between(all->first_arm, all->last_go), ms_between(all->last_go, all->stage_t0));
    double turn_cpu, turn = longest_turn(log, &turn_cpu);
    printf(",\"longest_turn_ms\":%.0f,\"longest_turn_cpu_ms\":%.1f,\"longest_silence_ms\":%.0f,\"merge_us\":%.1f,\"end_"
           "ms\":%.0f,\"end_cpu_ms\":%."
           "0f,\"sqlite_mib\":%.1f,\"snapshots\":%" PRIu64 ",\"of\":%" PRIu64 ",\"redials\":%" PRIu64
           ",\"status\":%d,\"exact\":%s}\n",
           turn, turn_cpu, (double)atomic_load(&all->silence) / 1e6, merge,
           ms_between(all->stage_t0 + opt.duration_ns, ended), (double)(f.last.cpu_ns - f.end.cpu_ns) / 1e6,
           (double)st.st_size / 1048576, snapshots, atomic_load(&all->snapshots_out), atomic_load(&all->redials),
           WIFEXITED(f.status) ? WEXITSTATUS(f.status) : 128 + WTERMSIG(f.status), wrong ? "false" : "true");
    char *const rm[] = {(char[]){"rm"}, (char[]){"-rf"}, dir, NULL};
    pid_t cleaner = opt.keep || opt.dir || wrong ? -1 : fork();
    if (cleaner == 0) {
        (void)execvp("rm", rm);
        _exit(127);
    }
    if (cleaner > 0) (void)waitpid(cleaner, NULL, 0);
    return wrong ? 1 : 0;
}

/* The coordinator of the build that this program is of. Another build's tables differ, and it refuses our agents. */
static const char *plateau_beside(const char *program)
{
    static char path[PATH_MAX + 32];
    if (!realpath(program, path)) return NULL;
    (void)snprintf(strrchr(path, '/'), 32, "/../bin/plateau");
    return access(path, X_OK) == 0 ? path : NULL;
}

int main(int argc, char **argv)
{
    const struct arg table[] = {
        {"agents", ARG_U32, &opt.agents, "N", "how many (1000)"},
        {"threads", ARG_U32, &opt.threads, "N", "threads they share, in each process (2)"},
        {"duration", ARG_DURATION, &opt.duration_ns, "TIME", "of the stage, whole seconds (20s)"},
        {"plateau", ARG_TEXT, &opt.plateau, "FILE", "the coordinator's program (that of the same build)"},
        {"all-metrics", ARG_FLAG, &opt.all_metrics, NULL,
         "16 histograms in a snapshot, not only ttft, tpot, itl and e2e"},
        {"curve", ARG_FLAG, &opt.curve, NULL, "with keys: every connection encrypted and known"},
        {"storm", ARG_DURATION, &opt.storm_ns, "TIME", "this long after the start all connections break at once"},
        {"storm-gap", ARG_DURATION, &opt.storm_gap_ns, "TIME", "and come back together after this (1s)"},
        {"dir", ARG_TEXT, &opt.dir, "DIR", "folder to work in; kept (one that is removed)"},
        {"keep", ARG_FLAG, &opt.keep, NULL, "keep the folder"},
        {NULL, ARG_FLAG, NULL, NULL, NULL},
    };
    const struct args a = {.program = "bench_cluster",
                           .usage = "[options]",
                           .about = "A coordinator under many agents that only pretend to load.",
                           .table = table};
    const char *words[64];
    size_t n;
    struct err e = {0};
    struct rlimit r;
    if (argc > 64 || sodium_init() < 0) return 2;
    int rc = args_parse(&a, argc, argv, words, &n, &e);
    if (rc == 1) return 0;
    if (rc == 0 && (opt.agents == 0 || opt.agents > AGENTS_MAX || opt.threads == 0 || opt.threads > THREADS_MAX ||
                    opt.threads > opt.agents || opt.duration_ns < 3 * NS_PER_S))
        rc =
            err_set(&e, ERR_USAGE, "1 to %d agents, 1 to %d threads, no more threads than agents, duration at least 3s",
                    AGENTS_MAX, THREADS_MAX);
    if (rc) {
        fprintf(stderr, "bench_cluster: %s\n", e.text);
        return 2;
    }
    if (!opt.plateau && !(opt.plateau = plateau_beside(argv[0]))) {
        fprintf(stderr, "bench_cluster: no ../bin/plateau beside %s: name it with --plateau\n", argv[0]);
        return 2;
    }
    (void)signal(SIGPIPE, SIG_IGN);
    if (getrlimit(RLIMIT_NOFILE, &r) == 0) {
        r.rlim_cur = r.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &r);
    }
    all = mmap(NULL, sizeof *all, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (all == MAP_FAILED) return 1;
    return bench();
}
