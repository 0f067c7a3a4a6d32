/* No allocation per token: the same requests with eleven times the tokens must not allocate more. libcurl's own are counted too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
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
void *__libc_malloc(size_t n);            /* NOLINT: glibc's names */
void *__libc_calloc(size_t n, size_t m);  /* NOLINT */
void *__libc_realloc(void *p, size_t n);  /* NOLINT */

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
        const char *const args[] = {"plateau-sim", "--listen", "127.0.0.1:0", "--log-level", "off",  "--exit-after", "60s",
                                    "--port-file", path,       "--ttft",      "2ms",         "--tpot", "300us"};
        char *argv[16] = {0};
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        for (size_t i = 0; i < sizeof args / sizeof *args; i++) argv[i] = strdup(args[i]);
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

/* Allocations from T0 to the end of the stage. */
static unsigned long run(unsigned port, unsigned tokens, bool curl)
{
    char yaml[512];
    struct err e = {0};
    struct engine_event ev = {0};
    struct engine_options o = {.workers = 1, .curl = curl};
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
    unsigned long before = 0, after = 0;
    struct pollfd pfd = {.fd = engine_fd(g), .events = POLLIN};
    while (ev.kind != ENGINE_DONE) {
        if (!engine_next(g, &ev)) {
            assert_true(poll(&pfd, 1, 60000) > 0);
            continue;
        }
        if (ev.kind == ENGINE_READY) {
            assert_int_equal(ev.err.code, ERR_NONE);
            before = atomic_load(&allocations);
            assert_int_equal(engine_go(g, clock_mono_ns(), &e), 0);
        }
        if (ev.kind != ENGINE_SNAPSHOT) continue;
        if (ev.last) {
            after = atomic_load(&allocations);
            assert_int_equal(ev.snapshot->counters[COUNTER_EVENTS], REQUESTS * tokens);
        }
        engine_recycle(g, &ev.snapshot);
    }
    shard_clear(&s);
    engine_destroy(&g);
    plan_destroy(&p);
    return after - before;
}

static void test_no_allocation_per_token(void **state)
{
    (void)state;
    unsigned port;
    pid_t sim = start_sim(&port);
    for (int curl = 0; curl < 2; curl++) {
        run(port, 20, curl); /* what is made once in a process */
        unsigned long few = run(port, 20, curl), many = run(port, 220, curl);
        print_message("%s, %d requests: %lu allocations with 20 tokens each, %lu with 220\n", curl ? "libcurl" : "plain", REQUESTS, few, many);
        /* merging a snapshot may grow a histogram on the control side, once for each of 21 */
        assert_true(many < few + 100);
    }
    kill(sim, SIGTERM);
    waitpid(sim, NULL, 0);
}
#else
static void test_no_allocation_per_token(void **state)
{
    (void)state;
    skip(); /* the sanitizers own malloc */
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_no_allocation_per_token)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
