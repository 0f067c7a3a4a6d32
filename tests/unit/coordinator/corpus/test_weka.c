#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/corpus_tree.h"
#include "common/rng.h"
#include "coordinator/corpus/compile.h"
#include "tests/unit/trials.h"

#define S INT64_C(1000000000)

static struct plan_workload workload(void)
{
    struct plan_workload w = {.name = "w", .source = SOURCE_TRACE};
    w.data.trace = TRACE_WEKA;
    w.data.speed = 1;
    return w;
}

static struct corpus *compiled(const struct plan_workload *w, const char *text, size_t n, struct compile_result *ret,
                               struct err *e)
{
    char path[40];
    int fd = memfd_create("weka", MFD_CLOEXEC), out = memfd_create("corpus", MFD_CLOEXEC);
    assert_true(fd >= 0 && out >= 0 && write(fd, text, n) == (ssize_t)n);
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    FILE *f = fdopen(out, "w+");
    assert_non_null(f);
    struct corpus *c = compile_run(w, NULL, path, f, ret, e) ? NULL : corpus_open(fileno(f), e);
    (void)fclose(f);
    (void)close(fd);
    return c;
}

static void open_tree(const struct corpus *c, struct corpus_record *r, struct corpus_tree *t)
{
    assert_int_equal(corpus_get(c, 0, r), 0);
    assert_true(corpus_tree_open(r, t));
}

/* The corpus of a text with one tree, opened. */
static struct corpus *one_tree(const struct plan_workload *w, const char *text, size_t n, struct compile_result *ret,
                               struct corpus_record *r, struct corpus_tree *t)
{
    struct err e = {0};
    struct corpus *c = compiled(w, text, n, ret, &e);
    if (!c) fail_msg("%s", e.text);
    open_tree(c, r, t);
    return c;
}

static const struct tree_node_data *node(const struct corpus_tree *t, uint32_t output, uint32_t *ret_number)
{
    static struct tree_node_data d;
    for (uint32_t i = 0; i < t->n; i++) {
        corpus_tree_node(t, i, &d);
        if (d.output_tokens != output) continue;
        if (ret_number) *ret_number = i;
        return &d;
    }
    fail_msg("no request asks for %u tokens", output);
    abort();
}

static bool waits_for(const struct corpus_tree *t, uint32_t output, uint32_t other)
{
    uint32_t number = 0;
    (void)node(t, other, &number);
    const struct tree_node_data d = *node(t, output, NULL);
    for (uint32_t k = 0; k < d.n_after; k++)
        if (corpus_tree_after(t, d.after_at + k) == number) return true;
    return false;
}

/* Two at once, and the third goes on with the first: what it shares is sought where its forerunner's prompt came from.
 */
static void test_branches(void **state)
{
    (void)state;
    static const char BRANCHES[] =
        "{\"id\":\"a\",\"block_size\":64,\"hash_id_scope\":\"local\",\"requests\":["
        "{\"t\":0,\"type\":\"n\",\"model\":\"x\",\"in\":260,\"out\":1,\"hash_ids\":[1,2,3,4],\"api_time\":5},"
        "{\"t\":1,\"type\":\"n\",\"model\":\"x\",\"in\":200,\"out\":2,\"hash_ids\":[1,2,8],\"api_time\":5},"
        "{\"t\":9,\"type\":\"n\",\"model\":\"x\",\"in\":330,\"out\":3,\"hash_ids\":[1,2,3,4,5],\"api_time\":1},"
        "{\"t\":20,\"type\":\"n\",\"model\":\"x\",\"in\":130,\"out\":4,\"hash_ids\":[1,9],\"api_time\":1}]}";
    struct plan_workload w = workload();
    struct compile_result r;
    struct corpus_record record;
    struct corpus_tree t;
    struct err e = {0};
    struct corpus *c = compiled(&w, BRANCHES, sizeof BRANCHES - 1, &r, &e);
    if (!c) fail_msg("%s", e.text);
    open_tree(c, &record, &t);
    assert_true(node(&t, 2, NULL)->base == 0 && node(&t, 2, NULL)->shared == 2);
    assert_true(node(&t, 3, NULL)->base == 0 && node(&t, 3, NULL)->shared == 4);
    assert_true(node(&t, 4, NULL)->base == 2 && node(&t, 4, NULL)->shared == 1);
    assert_int_equal(record.n_blocks, 4 + 1 + 1 + 1);
    corpus_close(&c);
}

/* An agent with a joined sub-agent and one in the background; `out` names a request. */
static const char TREE[] =
    "{\"id\":\"a\",\"block_size\":64,\"hash_id_scope\":\"local\",\"requests\":["
    "{\"t\":0,\"type\":\"n\",\"model\":\"x\",\"in\":130,\"out\":1,\"hash_ids\":[1,2],\"api_time\":2},"
    "{\"t\":9,\"type\":\"subagent\",\"status\":\"completed\",\"duration_ms\":6000,\"requests\":["
    "{\"t\":0,\"type\":\"n\",\"model\":\"y\",\"in\":70,\"out\":2,\"hash_ids\":[7],\"api_time\":1},"
    "{\"t\":4,\"type\":\"n\",\"model\":\"y\",\"in\":140,\"out\":3,\"hash_ids\":[7,8],\"api_time\":2}]},"
    "{\"t\":8,\"type\":\"subagent\",\"status\":\"async_launched\",\"duration_ms\":5000,\"requests\":["
    "{\"t\":0,\"type\":\"s\",\"model\":\"x\",\"in\":200,\"out\":4,\"hash_ids\":[1,2,9],\"api_time\":5}]},"
    "{\"t\":15,\"type\":\"n\",\"model\":\"x\",\"in\":200,\"out\":5,\"hash_ids\":[1,2,3],\"api_time\":null,\"think_"
    "time\":6},"
    "{\"t\":40,\"type\":\"n\",\"model\":\"x\",\"in\":10,\"out\":6,\"hash_ids\":[],\"api_time\":1,\"think_time\":21}]}";

static void test_tree(void **state)
{
    (void)state;
    struct plan_workload w = workload();
    struct compile_result r;
    struct corpus_record record;
    struct corpus_tree t;
    struct err e = {0};
    struct corpus *c = compiled(&w, TREE, sizeof TREE - 1, &r, &e);
    if (!c) fail_msg("%s", e.text);
    assert_int_equal(r.records, 1);
    assert_int_equal(r.requests, 6);
    open_tree(c, &record, &t);
    assert_true(t.scope != 0);
    assert_true(waits_for(&t, 2, 1) && waits_for(&t, 4, 1) && waits_for(&t, 3, 2));
    assert_true(waits_for(&t, 5, 1) && waits_for(&t, 5, 3) && !waits_for(&t, 5, 2) && !waits_for(&t, 5, 4));
    assert_true(waits_for(&t, 6, 5) && node(&t, 6, NULL)->n_after == 1);
    assert_int_equal(node(&t, 1, NULL)->wait_ns, 0);
    assert_int_equal(node(&t, 2, NULL)->wait_ns, 1 * S); /* it began at 9 - 6, the agent's answer had ended at 2 */
    assert_int_equal(node(&t, 4, NULL)->wait_ns, 1 * S);
    assert_int_equal(node(&t, 5, NULL)->wait_ns, 6 * S);  /* after the sub-agent's end at 9 */
    assert_int_equal(node(&t, 6, NULL)->wait_ns, 21 * S); /* no end is known, but how long the agent thought is */
    assert_int_equal(node(&t, 3, NULL)->turn, 2);
    assert_int_equal(node(&t, 2, NULL)->model, 1);
    assert_int_equal(node(&t, 5, NULL)->base, 0);
    assert_int_equal(node(&t, 5, NULL)->shared, 2);
    assert_int_equal(node(&t, 4, NULL)->shared, 2);   /* of the request after which it was started */
    assert_int_equal(record.n_blocks, 2 + 2 + 1 + 1); /* each once */
    corpus_close(&c);

    w.data.max_think_ns = 3 * S;
    w.data.speed = 2;
    c = compiled(&w, TREE, sizeof TREE - 1, &r, &e);
    open_tree(c, &record, &t);
    assert_int_equal(node(&t, 6, NULL)->wait_ns, 3 * S / 2);
    assert_int_equal(node(&t, 2, NULL)->wait_ns, S / 2);
    corpus_close(&c);

    w = workload();
    w.data.max_idle_ns = 10 * S; /* 15 to 40 is 10 */
    c = compiled(&w, TREE, sizeof TREE - 1, &r, &e);
    open_tree(c, &record, &t);
    assert_int_equal(node(&t, 6, NULL)->at_ns, 25 * S); /* they began at 0, 3, 3, 7, 15 and 40 */
    corpus_close(&c);
}

/* A request without an answer in the middle: left out, and what came after it waits for what came before. */
static void test_zero(void **state)
{
    (void)state;
    static const char TEXT[] =
        "{\"requests\":[{\"t\":0,\"type\":\"n\",\"in\":5,\"out\":1,\"api_time\":1},"
        "{\"t\":3,\"type\":\"n\",\"in\":5,\"out\":0,\"api_time\":1},"
        "{\"t\":6,\"type\":\"subagent\",\"status\":\"completed\",\"duration_ms\":1000,\"requests\":["
        "{\"t\":0,\"type\":\"n\",\"in\":5,\"out\":2,\"api_time\":1}]},"
        "{\"t\":9,\"type\":\"n\",\"in\":5,\"out\":3,\"api_time\":1}]}";
    struct plan_workload w = workload();
    struct compile_result r;
    struct corpus_record record;
    struct corpus_tree t;
    struct corpus *c = one_tree(&w, TEXT, sizeof TEXT - 1, &r, &record, &t);
    assert_int_equal(r.zero, 1);
    assert_int_equal(t.n, 3);
    assert_true(waits_for(&t, 2, 1) && waits_for(&t, 3, 2) && waits_for(&t, 3, 1));
    assert_int_equal(node(&t, 2, NULL)->wait_ns, 4 * S);
    corpus_close(&c);
    w.data.zero_output = ZERO_ONE;
    c = one_tree(&w, TEXT, sizeof TEXT - 1, &r, &record, &t);
    assert_int_equal(t.n, 4);
    assert_int_equal(r.zero, 0);
    corpus_close(&c);
}

/* Bytes turned and cut: refused with a sentence, or a tree in which every number is in bounds. */
static void test_hostile(void **state)
{
    (void)state;
    static char text[sizeof TREE];
    struct rng rng;
    rng_seed(&rng, 17);
    for (int i = 0; i < trials(6000, 3000, 500); i++) {
        struct plan_workload w = workload();
        struct compile_result r;
        struct err e = {.text = ""};
        size_t n = sizeof TREE - 1;
        memcpy(text, TREE, n);
        if (i % 3 == 0) n = 1 + (size_t)rng_below(&rng, n);
        for (uint64_t k = rng_below(&rng, 4); k > 0; k--)
            text[rng_below(&rng, n)] = "0123456789-.e{}[],:\"nst"[rng_below(&rng, 23)];
        w.data.max_idle_ns = i % 2 ? 5 * S : 0;
        w.data.zero_output = i % 4 ? ZERO_DROP : ZERO_ONE;
        struct corpus *c = compiled(&w, text, n, &r, &e);
        if (!c) assert_true(e.text[0] != '\0');
        for (uint64_t k = 0; c && k < corpus_count(c); k++) {
            struct corpus_record record;
            struct corpus_tree t;
            assert_int_equal(corpus_get(c, k, &record), 0);
            assert_true(corpus_tree_open(&record, &t));
        }
        corpus_close(&c);
    }
}

/* A member that is there twice counts as it is last. */
static void test_twice(void **state)
{
    (void)state;
    static const char TEXT[] =
        "{\"block_size\":64,\"requests\":[{\"t\":0,\"type\":\"n\",\"in\":70,\"out\":1,\"hash_ids\":[1,2],"
        "\"api_time\":2,\"hash_ids\":[7]}]}";
    struct plan_workload w = workload();
    struct compile_result r;
    struct corpus_record record;
    struct corpus_tree t;
    struct corpus *c = one_tree(&w, TEXT, sizeof TEXT - 1, &r, &record, &t);
    assert_int_equal(node(&t, 1, NULL)->own_n, 1);
    assert_int_equal(corpus_block(&record, node(&t, 1, NULL)->own_at), 7);
    corpus_close(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tree),  cmocka_unit_test(test_branches), cmocka_unit_test(test_zero),
        cmocka_unit_test(test_twice), cmocka_unit_test(test_hostile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
