/* What a token may cost beside its read: no allocation (those of libraries are counted too) and no system call, over
 * HTTP/1.1 in the clear. The same requests are run with few tokens and with eleven times as many. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dlfcn.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/engine.h"
#include "common/clock.h"
#include "tests/sim/server.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define COUNTED 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define COUNTED 0
#endif
#endif
#if !defined(COUNTED) && defined(__GLIBC__)
#define COUNTED 1
#elif !defined(COUNTED)
#define COUNTED 0
#endif

#if COUNTED
static atomic_ulong allocations;
void *__libc_malloc(size_t n);           /* NOLINT: glibc's names */
void *__libc_calloc(size_t n, size_t m); /* NOLINT */
void *__libc_realloc(void *p, size_t n); /* NOLINT */

void *malloc(size_t n)
{
    atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed);
    return __libc_malloc(n);
}

void *calloc(size_t n, size_t m)
{
    atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed);
    return __libc_calloc(n, m);
}

void *realloc(void *p, size_t n)
{
    atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed);
    return __libc_realloc(p, n);
}

/* The calls a transport can make on a socket, and the loop's wait. */
atomic_ulong receives, waits, others; /* not static: the C library declares some of the calls below inline */

long (*libc_syscall)(long number, ...); /* not static either */

static __attribute__((constructor)) void find_syscall(void)
{
    void *found = dlsym(RTLD_NEXT, "syscall");
    memcpy(&libc_syscall, &found, sizeof found);
}

#define CALL(counter, number, ...)                                                                                     \
    (atomic_fetch_add_explicit(&(counter), 1, memory_order_relaxed), libc_syscall(number, __VA_ARGS__))

/* stamp.h reads by this */
long syscall(long number, ...)
{
    long a[6];
    va_list args;
    va_start(args, number);
    for (int i = 0; i < 6; i++)
        a[i] = va_arg(args, long);
    va_end(args);
    return number == SYS_recvmsg ? CALL(receives, number, a[0], a[1], a[2])
                                 : CALL(others, number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
ssize_t recvmsg(int fd, struct msghdr *m, int flags)
{
    return CALL(others, SYS_recvmsg, fd, m, flags);
}
ssize_t sendmsg(int fd, const struct msghdr *m, int flags)
{
    return CALL(others, SYS_sendmsg, fd, m, flags);
}
ssize_t recv(int fd, void *p, size_t n, int flags)
{
    return CALL(others, SYS_recvfrom, fd, p, n, flags, NULL, NULL);
}
ssize_t send(int fd, const void *p, size_t n, int flags)
{
    return CALL(others, SYS_sendto, fd, p, n, flags, NULL, 0);
}
int epoll_ctl(int ep, int op, int fd, struct epoll_event *ev)
{
    return (int)CALL(others, SYS_epoll_ctl, ep, op, fd, ev);
}
int epoll_pwait2(int ep, struct epoll_event *ev, int n, const struct timespec *t, const sigset_t *s)
{
    return (int)CALL(waits, SYS_epoll_pwait2, ep, ev, n, t, s, 8);
}

struct cost {
    unsigned long allocations, receives, waits, others;
    uint64_t reads, wakes;
};

static struct cost cost_now(void)
{
    return (struct cost){.allocations = atomic_load(&allocations),
                         .receives = atomic_load(&receives),
                         .waits = atomic_load(&waits),
                         .others = atomic_load(&others)};
}

enum { REQUESTS = 40 };

static pid_t start_sim(unsigned *ret_port)
{
    char path[] = "/tmp/test_alloc.XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        const char *const args[] = {"plateau-sim",  "--listen", "127.0.0.1:0", "--log-level", "off",
                                    "--exit-after", "60s",      "--port-file", path,          "--ttft",
                                    "2ms",          "--tpot",   "300us"};
        char *argv[16] = {0};
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        for (size_t i = 0; i < sizeof args / sizeof *args; i++)
            argv[i] = strdup(args[i]);
        _exit(sim_main((int)(sizeof args / sizeof *args), argv));
    }
    *ret_port = 0;
    for (int i = 0; i < 1000 && *ret_port == 0; i++) {
        FILE *f = fopen(path, "r");
        if (!f || fscanf(f, "%u", ret_port) != 1) poll(NULL, 0, 10);
        if (f) fclose(f);
    }
    unlink(path);
    return pid;
}

/* From T0 to the end of the stage. */
static struct cost run(unsigned port, unsigned tokens)
{
    char yaml[512];
    struct err e = {0};
    struct engine_event ev = {0};
    struct engine_options o = {.workers = 1};
    struct shard s;
    int n = snprintf(yaml, sizeof yaml,
                     "plan: 1\ntarget: {url: \"http://127.0.0.1:%u/v1/chat/completions\", model: sim}\n"
                     "workload: {name: t, synthetic: {input_tokens: 8, output_tokens: %u}}\n"
                     "load: {stages: [{concurrency: 4, requests: %d}]}\n",
                     port, tokens, REQUESTS);
    struct plan *p = plan_load("test", yaml, (size_t)n, NULL, 0, &e);
    struct engine *g = engine_new(&o, &e);
    assert_non_null(p);
    assert_non_null(g);
    assert_int_equal(engine_plan(g, p, &e), 0);
    assert_int_equal(shard_whole(p, &p->stages[0], 1, &s, &e), 0);
    assert_int_equal(engine_arm(g, &s, &e), 0);
    struct cost before = {0}, after = {0};
    struct pollfd pfd = {.fd = engine_fd(g), .events = POLLIN};
    while (ev.kind != ENGINE_DONE) {
        if (!engine_next(g, &ev)) {
            assert_true(poll(&pfd, 1, 60000) > 0);
            continue;
        }
        if (ev.kind == ENGINE_READY) {
            assert_int_equal(ev.err.code, ERR_NONE);
            before = cost_now();
            assert_int_equal(engine_go(g, clock_mono_ns(), &e), 0);
        }
        if (ev.kind != ENGINE_SNAPSHOT) continue;
        if (ev.last) {
            after = cost_now();
            after.reads = ev.snapshot->counters[COUNTER_READS];
            after.wakes = ev.snapshot->counters[COUNTER_WAKES];
            assert_int_equal(ev.snapshot->counters[COUNTER_EVENTS], REQUESTS * tokens);
        }
        engine_recycle(g, &ev.snapshot);
    }
    shard_clear(&s);
    engine_destroy(&g);
    plan_destroy(&p);
    after.allocations -= before.allocations;
    after.receives -= before.receives;
    after.waits -= before.waits;
    after.others -= before.others;
    return after;
}

static void compare(unsigned port)
{
    run(port, 20); /* what is made once in a process */
    struct cost few = run(port, 20), many = run(port, 220);
    print_message("%d requests: %lu allocations with 20 tokens each, %lu with 220; %lu receives for %lu reads, %lu "
                  "waits for %lu wakes, %lu other calls\n",
                  REQUESTS, few.allocations, many.allocations, many.receives, (unsigned long)many.reads, many.waits,
                  (unsigned long)many.wakes, many.others);
    /* merging a snapshot may grow a histogram on the control side, once for each of 21 */
    assert_true(many.allocations < few.allocations + 100);
    assert_true(many.waits <= many.wakes + 10);
    assert_true(many.reads > 2 * few.reads);
    /* a head may come alone, and a request on a connection that was idle looks first */
    assert_in_range(many.receives, many.reads, many.reads + 2 * REQUESTS);
    assert_true(many.others <= 4 * REQUESTS);
}

static void test_cost_of_a_token(void **state)
{
    (void)state;
    unsigned port;
    pid_t sim = start_sim(&port);
    compare(port);
    kill(sim, SIGTERM);
    waitpid(sim, NULL, 0);
}
#else
static void test_cost_of_a_token(void **state)
{
    (void)state;
    skip(); /* the sanitizers own malloc */
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cost_of_a_token)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
