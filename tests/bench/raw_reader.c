/* The yardstick: a bare epoll + recv reader of event streams, closed loop. It looks for `data:` lines and knows nothing
 * else, so that it shows what this machine's kernel costs a token. Optionally takes the kernel's receive stamp by
 * recvmsg, and wakes at most once in a quantum. With --rows it sends a file's requests at their times instead. Plain
 * HTTP/1.1 over IPv4 only. Prints one line of JSON. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "common/args.h"
#include "common/clock.h"
#include "common/hist.h"

enum { READ_BYTES = 64 * 1024, EVENTS = 1024 };
static const char END[] = "0\r\n\r\n", DATA[] = "data: {";

struct flags {
    const char *host, *rows;
    uint32_t port, slots, tokens, input;
    int64_t duration, quantum, ramp;
    bool stamps;
};
struct conn {
    int fd;
    uint32_t matched, tail; /* bytes of DATA and of END seen so far */
    int64_t last;
    struct conn *next; /* that is idle too */
};
struct row {
    int64_t due; /* from the start on */
    uint32_t input, tokens;
};
struct reader {
    const struct flags *f;
    int epoll;
    struct conn *conns, *idle;
    struct row *rows;
    size_t n_rows, rows_room;
    char *prompt; /* of the longest row */
    struct hist *gap, *late;
    char request[65536];
    size_t request_len;
    uint64_t tokens, reads, wakes, done, unstamped;
    int64_t offset; /* wall - monotonic */
    char bytes[READ_BYTES];
};

static void make_request(struct reader *r)
{
    char body[32768];
    size_t n = 0, prompt = r->f->input < 8000 ? r->f->input : 8000;
    n += (size_t)snprintf(
        body, sizeof body,
        "{\"model\":\"sim\",\"stream\":true,\"max_tokens\":%u,\"messages\":[{\"role\":\"user\",\"content\":\"",
        r->f->tokens);
    for (size_t i = 0; i < prompt; i++)
        n += (size_t)snprintf(body + n, sizeof body - n, "abc ");
    n += (size_t)snprintf(body + n, sizeof body - n, "\"}]}");
    r->request_len =
        (size_t)snprintf(r->request, sizeof r->request,
                         "POST /v1/chat/completions HTTP/1.1\r\nHost: %s:%u\r\nContent-Type: application/json\r\n"
                         "Content-Length: %zu\r\n\r\n%s",
                         r->f->host, r->f->port, n, body);
}

static int begin_request(struct reader *r, struct conn *c)
{
    c->matched = c->tail = 0;
    c->last = 0;
    return send(c->fd, r->request, r->request_len, MSG_NOSIGNAL) == (ssize_t)r->request_len ? 0 : -1;
}

/* --rows: a line for each request in the order of their times: ms, tokens of the prompt, tokens of the answer. */
static int read_rows(struct reader *r, struct err *e)
{
    FILE *f = fopen(r->f->rows, "re");
    unsigned long long ms;
    struct row w;
    uint32_t most = 0;
    if (!f) return err_set(e, ERR_IO, "%s: %s", r->f->rows, strerror(errno));
    while (fscanf(f, "%llu %u %u", &ms, &w.input, &w.tokens) == 3) {
        if (r->n_rows == r->rows_room) {
            r->rows_room = r->rows_room ? 2 * r->rows_room : 1024;
            r->rows = realloc(r->rows, r->rows_room * sizeof *r->rows);
            if (!r->rows) break;
        }
        w.due = (int64_t)ms * NS_PER_MS;
        if (w.input > most) most = w.input;
        r->rows[r->n_rows++] = w;
    }
    fclose(f);
    r->prompt = malloc((size_t)most * 4 + 1);
    if (!r->rows || !r->prompt) return err_set(e, ERR_NOMEM, "no memory, or no rows");
    for (size_t i = 0; i < most; i++)
        memcpy(r->prompt + 4 * i, "abc ", 4);
    return 0;
}

/* The prompt is sent from where it lies. The socket blocks until the kernel has taken all of it. */
static int begin_row(struct reader *r, struct conn *c, const struct row *w)
{
    static const char END_OF_BODY[] = "\"}]}";
    char body[256], head[512];
    size_t prompt = (size_t)w->input * 4;
    int n =
        snprintf(body, sizeof body,
                 "{\"model\":\"sim\",\"stream\":true,\"max_tokens\":%u,\"messages\":[{\"role\":\"user\",\"content\":\"",
                 w->tokens);
    int head_n = snprintf(head, sizeof head,
                          "POST /v1/chat/completions HTTP/1.1\r\nHost: %s:%u\r\nContent-Type: application/json\r\n"
                          "Content-Length: %zu\r\n\r\n%s",
                          r->f->host, r->f->port, (size_t)n + prompt + sizeof END_OF_BODY - 1, body);
    struct iovec iov[] = {
        {head, (size_t)head_n}, {r->prompt, prompt}, {(void *)(uintptr_t)END_OF_BODY, sizeof END_OF_BODY - 1}};
    struct msghdr m = {.msg_iov = iov, .msg_iovlen = sizeof iov / sizeof *iov};
    size_t all = iov[0].iov_len + prompt + iov[2].iov_len;
    c->matched = c->tail = 0;
    c->last = 0;
    return sendmsg(c->fd, &m, MSG_NOSIGNAL) == (ssize_t)all ? 0 : -1;
}

static int open_conn(struct reader *r, struct conn *c)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)r->f->port)};
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = c};
    int on = 1;
    if (inet_pton(AF_INET, r->f->host, &a.sin_addr) != 1) return -1;
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&a, sizeof a) < 0) return -1;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (r->f->stamps) setsockopt(c->fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
    return epoll_ctl(r->epoll, EPOLL_CTL_ADD, c->fd, &ev);
}

/* Events in these bytes. A mark may be split over two reads; a JSON text holds no "data: {" at a line's start, so none
 * is counted twice. */
static uint32_t count_events(struct conn *c, const char *p, size_t n)
{
    const char *end = p + n;
    uint32_t events = 0;
    while (c->matched > 0 && p < end) { /* a mark cut by the last read */
        if (*p != DATA[c->matched]) {
            c->matched = 0;
            break;
        }
        p++;
        if (++c->matched == sizeof DATA - 1) {
            events++;
            c->matched = 0;
        }
    }
    while (p < end) {
        const char *hit = memmem(p, (size_t)(end - p), DATA, sizeof DATA - 1);
        if (!hit) break;
        events++;
        p = hit + sizeof DATA - 1;
    }
    for (size_t k = sizeof DATA - 2; k > 0; k--)
        if ((size_t)(end - p) >= k && memcmp(end - k, DATA, k) == 0) {
            c->matched = (uint32_t)k;
            break;
        }
    return events;
}

static bool ended(struct conn *c, const char *p, size_t n)
{
    if (n >= sizeof END - 1) return memcmp(p + n - (sizeof END - 1), END, sizeof END - 1) == 0;
    for (size_t i = 0; i < n; i++)
        c->tail = p[i] == END[c->tail] ? c->tail + 1 : 0;
    return c->tail == sizeof END - 1;
}

static ssize_t receive(struct reader *r, struct conn *c, int64_t *ret_at)
{
    if (!r->f->stamps) {
        ssize_t n = recv(c->fd, r->bytes, sizeof r->bytes, MSG_DONTWAIT);
        *ret_at = clock_mono_ns();
        return n;
    }
    char control[128];
    struct iovec iov = {r->bytes, sizeof r->bytes};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    ssize_t n = recvmsg(c->fd, &m, MSG_DONTWAIT);
    *ret_at = 0;
    for (struct cmsghdr *h = n > 0 ? CMSG_FIRSTHDR(&m) : NULL; h; h = CMSG_NXTHDR(&m, h)) {
        struct timespec ts;
        if (h->cmsg_type != SCM_TIMESTAMPNS) continue;
        memcpy(&ts, CMSG_DATA(h), sizeof ts);
        *ret_at = ts.tv_sec * NS_PER_S + ts.tv_nsec - r->offset;
    }
    if (*ret_at == 0) {
        *ret_at = clock_mono_ns();
        r->unstamped++;
    }
    return n;
}

static int ready(struct reader *r, struct conn *c)
{
    int64_t at;
    ssize_t n = receive(r, c, &at);
    if (n < 0 && errno == EAGAIN) return 0;
    if (n <= 0) return -1;
    r->reads++;
    uint32_t events = count_events(c, r->bytes, (size_t)n);
    r->tokens += events;
    if (events > 0 && c->last > 0) hist_record(r->gap, at - c->last, 1);
    if (events > 0) c->last = at;
    if (!ended(c, r->bytes, (size_t)n)) return 0;
    r->done++;
    if (!r->rows) return begin_request(r, c);
    c->next = r->idle;
    r->idle = c;
    return 0;
}

/* Starts the slots whose time in the ramp has come; returns how long until the next one. */
static int start_slots(struct reader *r, uint32_t *at, int64_t from, int64_t now, int64_t *ret_next)
{
    *ret_next = INT64_MAX;
    for (; *at < r->f->slots; ++*at) {
        int64_t due = from + r->f->ramp * *at / r->f->slots;
        if (due > now) {
            *ret_next = due;
            return 0;
        }
        if (begin_request(r, &r->conns[*at]) < 0) return -1;
    }
    return 0;
}

/* Sends the rows whose time has come, each on a connection that was made before; returns how long until the next one.
 */
static int send_rows(struct reader *r, size_t *at, int64_t from, int64_t *ret_wait)
{
    for (; *at < r->n_rows; ++*at) {
        int64_t now = clock_mono_ns(), due = from + r->rows[*at].due;
        *ret_wait = due - now;
        struct conn *c = r->idle;
        if (due > now) return 0;
        if (!c) break;
        r->idle = c->next;
        hist_record(r->late, now - due, 1);
        if (begin_row(r, c, &r->rows[*at]) < 0) return -1;
    }
    *ret_wait = NS_PER_S;
    return 0;
}

/* Sleeps until a quantum after the latest wake. */
static void nap(const struct reader *r, int64_t woke)
{
    int64_t t = woke + r->f->quantum;
    struct timespec ts = {.tv_sec = t / NS_PER_S, .tv_nsec = t % NS_PER_S};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
}

static int run_rows(struct reader *r, int64_t from)
{
    struct epoll_event events[EVENTS];
    size_t at = 0;
    int64_t wait, woke = 0;
    while (r->done < r->n_rows) {
        if (send_rows(r, &at, from, &wait) < 0) return -1;
        if (r->f->quantum > 0 && wait > r->f->quantum) {
            nap(r, woke);
            wait -= r->f->quantum;
        }
        struct timespec ts = {.tv_sec = wait / NS_PER_S, .tv_nsec = wait % NS_PER_S};
        int n = epoll_pwait2(r->epoll, events, EVENTS, &ts, NULL);
        woke = clock_mono_ns();
        r->wakes++;
        for (int i = 0; i < n; i++)
            if (ready(r, events[i].data.ptr) < 0) return -1;
    }
    return 0;
}

static int run(struct reader *r, int64_t from)
{
    struct epoll_event events[EVENTS];
    int64_t woke = 0, now, next, until = from + r->f->duration;
    uint32_t started = 0;
    while ((now = clock_mono_ns()) < until) {
        if (start_slots(r, &started, from, now, &next) < 0) return -1;
        if (r->f->quantum > 0 && woke + r->f->quantum > now) nap(r, woke);
        int n = epoll_wait(r->epoll, events, EVENTS, next == INT64_MAX ? 100 : 1);
        woke = clock_mono_ns();
        r->wakes++;
        for (int i = 0; i < n; i++)
            if (ready(r, events[i].data.ptr) < 0) return -1;
    }
    return 0;
}

static int64_t cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec * NS_PER_S + t.tv_nsec;
}

static int bench(const struct flags *f, struct err *e)
{
    struct reader *r = calloc(1, sizeof *r);
    struct rlimit lim;
    if (!r || !(r->conns = calloc(f->slots, sizeof *r->conns)) || !(r->gap = hist_new_dense()) ||
        !(r->late = hist_new_dense()))
        return err_set(e, ERR_NOMEM, "no memory");
    if (getrlimit(RLIMIT_NOFILE, &lim) == 0) {
        lim.rlim_cur = lim.rlim_max;
        setrlimit(RLIMIT_NOFILE, &lim);
    }
    prctl(PR_SET_TIMERSLACK, 1UL);
    r->f = f;
    r->epoll = epoll_create1(0);
    r->offset = clock_wall_ns() - clock_mono_ns();
    make_request(r);
    if (f->rows && read_rows(r, e) < 0) return -1;
    for (uint32_t i = 0; i < f->slots; i++)
        if (open_conn(r, &r->conns[i]) < 0) return err_set(e, ERR_NET, "connection %u: %s", i, strerror(errno));
    for (uint32_t i = 0; i < f->slots; i++) {
        r->conns[i].next = r->idle;
        r->idle = &r->conns[i];
    }
    int64_t cpu = cpu_ns(), from = clock_mono_ns();
    if ((f->rows ? run_rows(r, from) : run(r, from)) < 0) return err_set(e, ERR_NET, "a connection ended");
    cpu = cpu_ns() - cpu;
    double s = (double)(clock_mono_ns() - from) / 1e9, tokens = r->tokens ? (double)r->tokens : 1;
    printf("{\"tokens\":%llu,\"tokens_per_s\":%.0f,\"requests\":%llu,\"reads\":%llu,\"wakes\":%llu,\"unstamped\":%llu,"
           "\"cpu_us_per_token\":%.3f,\"cpu_s\":%.3f,"
           "\"gap_p50_us\":%.2f,\"gap_p99_us\":%.2f,\"late_p50_us\":%.2f,\"late_p99_us\":%.2f}\n",
           (unsigned long long)r->tokens, tokens / s, (unsigned long long)r->done, (unsigned long long)r->reads,
           (unsigned long long)r->wakes, (unsigned long long)r->unstamped, (double)cpu / 1e3 / tokens,
           (double)cpu / 1e9, (double)hist_quantile(r->gap, 0.5) / 1e3, (double)hist_quantile(r->gap, 0.99) / 1e3,
           (double)hist_quantile(r->late, 0.5) / 1e3, (double)hist_quantile(r->late, 0.99) / 1e3);
    return 0;
}

int main(int argc, char **argv)
{
    struct flags f = {
        .host = "127.0.0.1", .port = 8000, .slots = 64, .tokens = 128, .input = 16, .duration = 5 * NS_PER_S};
    const struct arg table[] = {
        {"host", ARG_TEXT, &f.host, "ADDR", "IPv4 address (127.0.0.1)"},
        {"port", ARG_U32, &f.port, "N", "port (8000)"},
        {"slots", ARG_U32, &f.slots, "N", "requests in flight (64)"},
        {"tokens", ARG_U32, &f.tokens, "N", "output tokens (128)"},
        {"input", ARG_U32, &f.input, "N", "prompt tokens (16)"},
        {"duration", ARG_DURATION, &f.duration, "TIME", "length (5s)"},
        {"quantum", ARG_DURATION, &f.quantum, "TIME", "wake at most once in this time (0: at once)"},
        {"ramp", ARG_DURATION, &f.ramp, "TIME", "slots begin evenly over this time"},
        {"rows", ARG_TEXT, &f.rows, "FILE",
         "send these requests at their times, on --slots connections: ms, tokens of prompt and answer in each line"},
        {"stamps", ARG_FLAG, &f.stamps, NULL, "take kernel stamps"},
        {NULL, ARG_FLAG, NULL, NULL, NULL},
    };
    const struct args a = {.program = "raw_reader",
                           .usage = "[options]",
                           .about = "A bare reader of event streams: the yardstick.",
                           .table = table};
    const char *words[64];
    size_t n;
    struct err e = {0};
    if (argc > 64) return 2;
    int rc = args_parse(&a, argc, argv, words, &n, &e);
    if (rc == 0) rc = bench(&f, &e);
    if (rc >= 0) return 0;
    fprintf(stderr, "%s\n", e.text);
    return err_exit_status(&e);
}
