#include "tests/sim/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "coordinator/tokenizer/tokenizer.h"

#include "common/addr.h"
#include "common/clock.h"
#include "common/log.h"

enum {
    DESCRIPTORS = 65536,    /* asked for where the hard limit is lower and may be raised */
    EVENTS = 512,           /* of one epoll_pwait2 */
    BURST = 256,            /* timers that fire before sockets are looked at again */
    RECORDS_WAITING = 4096, /* truth records kept in memory before time is taken for them */
};
#define IDLE_FOR_TRUTH (300 * NS_PER_US) /* with so much time before the next token, a record is written */

static int listen_at(const char *where, const struct sockaddr *a, socklen_t n, struct err *e)
{
    int one = 1, fd = socket(a->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0) (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (fd >= 0 && bind(fd, a, n) == 0 && listen(fd, 65535) == 0) return fd;
    (void)err_set(e, ERR_NET, "--listen %s: %s", where, strerror(errno));
    if (fd >= 0) close(fd);
    return -1;
}

/* "127.0.0.1:8000", "[::1]:0", "*:8000", "localhost:0" → a listening socket. */
static int listen_on(const char *where, struct err *e)
{
    struct sockaddr_storage literal;
    if (addr_socket_parse(where, &literal) == 0)
        return listen_at(where, (const struct sockaddr *)&literal, sizeof literal, e);
    char host[256];
    const char *colon = strrchr(where, ':');
    size_t n = colon ? (size_t)(colon - where) : 0;
    if (!colon || n >= sizeof host) return err_set(e, ERR_USAGE, "--listen: expected ADDR:PORT, got \"%s\"", where);
    memcpy(host, where, n);
    host[n] = 0;
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *found;
    int bad = getaddrinfo(*host ? host : NULL, colon + 1, &hints, &found);
    if (bad) return err_set(e, ERR_NET, "--listen %s: %s", where, gai_strerror(bad));
    int fd = listen_at(where, found->ai_addr, found->ai_addrlen, e);
    freeaddrinfo(found);
    return fd;
}

static unsigned say_where(int fd)
{
    struct sockaddr_storage a;
    socklen_t n = sizeof a;
    char host[64] = "?", port[16] = "0";
    if (getsockname(fd, (struct sockaddr *)&a, &n) == 0)
        (void)getnameinfo((struct sockaddr *)&a, n, host, sizeof host, port, sizeof port,
                          NI_NUMERICHOST | NI_NUMERICSERV);
    printf(a.ss_family == AF_INET6 ? "listening on [%s]:%s\n" : "listening on %s:%s\n", host, port);
    return (unsigned)strtoul(port, NULL, 10);
}

static int watch_source(struct sim_server *v, struct sim_source *s, enum sim_source_kind kind, int fd, struct err *e)
{
    *s = (struct sim_source){kind, fd};
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = s};
    return epoll_ctl(v->epoll, EPOLL_CTL_ADD, fd, &ev) ? err_set(e, ERR_IO, "epoll_ctl: %s", strerror(errno)) : 0;
}

/* The file appears whole: a script that waits for it never reads half of it. */
static int write_ports(const char *file, const char *text, struct err *e)
{
    char tmp[4096];
    int n = snprintf(tmp, sizeof tmp, "%s.tmp", file);
    if (n < 0 || (size_t)n >= sizeof tmp) return err_set(e, ERR_USAGE, "--port-file: the name is too long");
    FILE *f = fopen(tmp, "we");
    bool bad = !f || fputs(text, f) < 0;
    if (f && fclose(f)) bad = true;
    if (bad || rename(tmp, file)) return err_set(e, ERR_IO, "%s: %s", file, strerror(errno));
    return 0;
}

static int open_listeners(struct sim_server *v, struct err *e)
{
    struct buf ports __attribute__((cleanup(buf_clear))) = BUF_INIT(4096);
    for (size_t i = 0; i < v->o->listen.n; i++) {
        int fd = listen_on(v->o->listen.item[i], e);
        if (fd < 0) return -1;
        v->listeners++;
        if (watch_source(v, &v->listener[i], SIM_SOURCE_LISTENER, fd, e)) return -1;
        buf_printf(&ports, "%u\n", say_where(fd));
    }
    fflush(stdout);
    return v->o->port_file ? write_ports(v->o->port_file, buf_str(&ports), e) : 0;
}

static int open_signals(struct sim_server *v, struct err *e)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (fd < 0) return err_set(e, ERR_IO, "signalfd: %s", strerror(errno));
    return watch_source(v, &v->signal, SIM_SOURCE_SIGNAL, fd, e);
}

static void raise_limits(void)
{
    struct rlimit r = {0};
    struct rlimit high = {DESCRIPTORS, DESCRIPTORS};
    if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_max < DESCRIPTORS && setrlimit(RLIMIT_NOFILE, &high) == 0) r = high;
    if (r.rlim_cur < r.rlim_max) {
        r.rlim_cur = r.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &r);
    }
    (void)prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL,
                0UL); /* a token must not wait for the kernel to gather timers (50 us) */
}

static int server_open(struct sim_server *v, const struct sim_options *o, struct err *e)
{
    *v = (struct sim_server){.o = o, .epoll = epoll_create1(EPOLL_CLOEXEC), .signal.fd = -1, .spare = -1};
    v->metrics.draft = o->draft;
    v->out = (struct buf)BUF_INIT(SIM_OUT_MAX);
    v->null_answer = (struct buf)BUF_INIT(SIM_OUT_MAX);
    v->cipher = (struct buf)BUF_INIT(SIM_OUT_MAX);
    v->in = malloc(SIM_IN_BYTES);
    if (v->epoll < 0 || !v->in) return err_set(e, ERR_NOMEM, "out of memory or descriptors");
    raise_limits();
    v->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (!sim_options_fixed(o) && !o->null) {
        struct sim_model_settings s = {.slots = o->slots,
                                       .prefill_rate = o->prefill_rate,
                                       .prefill_chunk = o->prefill_chunk,
                                       .step_base = o->step_base,
                                       .step_per_seq = o->step_per_seq,
                                       .jitter = o->jitter,
                                       .seed = o->seed};
        v->model = sim_model_new(&s);
        if (!v->model) return err_set(e, ERR_NOMEM, "out of memory");
    }
    if (o->tls_cert && !(v->keys = sim_tls_keys_new(o->tls_cert, o->tls_key, o->http2, e))) return -1;
    if (o->tokenizer && !(v->tokenizer = tokenizer_read(o->tokenizer, NULL, e))) return -1;
    if (o->truth && !(v->truth = sim_truth_open(o->truth, e))) return -1;
    return open_signals(v, e) || open_listeners(v, e) ? -1 : 0;
}

static int server_close(struct sim_server *v, struct err *e)
{
    while (v->open)
        sim_conn_close(v, v->open, "shutdown");
    sim_conn_sweep(v);
    for (size_t i = 0; i < v->listeners; i++)
        close(v->listener[i].fd);
    if (v->spare >= 0) close(v->spare);
    if (v->signal.fd >= 0) close(v->signal.fd);
    if (v->epoll >= 0) close(v->epoll);
    sim_timers_clear(&v->timers);
    sim_model_destroy(&v->model);
    buf_clear(&v->out);
    buf_clear(&v->cipher);
    sim_tls_keys_destroy(&v->keys);
    buf_clear(&v->null_answer);
    free(v->in);
    tokenizer_destroy(&v->tokenizer);
    return sim_truth_close(&v->truth, e);
}

/* An answer is over: what was asked after it is next. */
static void next_request(struct sim_server *v, struct sim_conn *c)
{
    sim_receive_waiting(v, c, clock_mono_ns());
}

static void on_model_event(void *server, const struct sim_model_event *ev)
{
    if (!sim_stream_model_event(server, ev)) next_request(server, ev->request);
}

/* Everything that is due, but no more than a burst: requests wait in their sockets meanwhile. */
static void fire(struct sim_server *v)
{
    int64_t now = clock_mono_ns();
    for (int i = 0; i < BURST && sim_timers_next(&v->timers) <= now; i++) {
        struct sim_timer *t = sim_timers_top(&v->timers);
        struct sim_conn *c = t->owner;
        if (c->h2) {
            sim_timer_clear(&v->timers, t);
            c->kind->due(c);
        } else if (t->kind == SIM_TIMER_TOKEN) {
            if (!sim_stream_due(v, c)) next_request(v, c);
        } else {
            sim_timer_clear(&v->timers, t);
            sim_conn_drip(v, c);
        }
    }
    if (v->model) sim_model_advance(v->model, now, on_model_event, v);
}

static int64_t time_left(struct sim_server *v, int64_t deadline)
{
    int64_t next = sim_timers_next(&v->timers), now = clock_mono_ns();
    if (v->model && sim_model_next(v->model) < next) next = sim_model_next(v->model);
    if (deadline < next) next = deadline;
    return next > now ? next - now : 0;
}

/* Records are written in the gaps between tokens. */
static void write_truth(struct sim_server *v, int64_t left)
{
    if (!v->truth || sim_truth_waiting(v->truth) == 0) return;
    if (left > IDLE_FOR_TRUTH || sim_truth_waiting(v->truth) > RECORDS_WAITING) sim_truth_write(v->truth, 1);
}

static void handle(struct sim_server *v, const struct epoll_event *ev)
{
    struct sim_source *s = ev->data.ptr;
    if (s->kind == SIM_SOURCE_LISTENER)
        sim_conn_accept(v, s->fd);
    else if (s->kind == SIM_SOURCE_SIGNAL)
        v->stop = true;
    else
        sim_receive(v, (struct sim_conn *)s, ev->events);
}

static int server_run(struct sim_server *v, struct err *e)
{
    int64_t deadline = v->o->exit_after ? clock_mono_ns() + v->o->exit_after : INT64_MAX;
    struct epoll_event ev[EVENTS];
    while (!v->stop && clock_mono_ns() < deadline) {
        fire(v);
        sim_conn_sweep(v);
        int64_t left = time_left(v, deadline);
        write_truth(v, left);
        if (v->truth && sim_truth_waiting(v->truth) && left > IDLE_FOR_TRUTH)
            left = 0;
        else
            left = time_left(v, deadline);
        struct timespec ts = {.tv_sec = left / NS_PER_S, .tv_nsec = left % NS_PER_S};
        int n = epoll_pwait2(v->epoll, ev, EVENTS, left == INT64_MAX ? NULL : &ts, NULL);
        if (n < 0 && errno != EINTR) return err_set(e, ERR_IO, "epoll_pwait2: %s", strerror(errno));
        for (int i = 0; i < n; i++)
            handle(v, &ev[i]);
    }
    return 0;
}

static void say_summary(const struct sim_server *v)
{
    const struct sim_metrics *m = &v->metrics;
    printf("requests=%" PRIu64 " length=%" PRIu64 " stop=%" PRIu64 " abort=%" PRIu64 " error=%" PRIu64
           " tokens=%" PRIu64 " events=%" PRIu64 " connections=%" PRIu64 " refused=%" PRIu64
           " lag_mean_us=%.1f lag_max_us=%.1f\n",
           v->requests, m->finished[SIM_FINISH_LENGTH], m->finished[SIM_FINISH_STOP], m->finished[SIM_FINISH_ABORT],
           m->finished[SIM_FINISH_ERROR], v->tokens, v->events, v->accepted, v->refused,
           v->events ? (double)v->lag_sum / (double)v->events / 1e3 : 0.0, (double)v->lag_max / 1e3);
}

int sim_main(int argc, char **argv)
{
    struct sim_options o;
    struct sim_server v;
    struct err e;
    int got = sim_options_parse(argc, argv, &o, &e);
    if (got > 0) return 0;
    if (got == 0) {
        got = server_open(&v, &o, &e);
        if (got == 0) got = server_run(&v, &e);
        struct err end;
        if (server_close(&v, &end) && got == 0) {
            e = end;
            got = -1;
        }
        say_summary(&v);
    }
    if (got == 0) return 0;
    fprintf(stderr, "plateau-sim: %s\n", e.text);
    return err_exit_status(&e);
}
