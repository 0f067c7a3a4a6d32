#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/prompt.h"
#include "agent/workload.h"
#include "common/corpus_tree.h"

/* A request that is part of no conversation. */
static int ask(struct workload *w, uint64_t number, struct dialect_request *ret, struct workload_choice *ret_choice)
{
    workload_choose(w, number, ret_choice);
    return workload_ask(w, number, number, ret_choice, ret);
}

static struct shard part_of(uint64_t stage_seed, uint32_t part)
{
    return (struct shard){.kind = LOAD_OPEN, .seed = stage_seed, .part = part};
}

static struct plan_workload loads[2];
static struct plan_model models[2] = {{"base", 3}, {"lora", 1}};

static struct plan make_plan(uint32_t prefix_tokens, uint32_t groups)
{
    loads[0] = (struct plan_workload){.name = "a", .weight = 3, .input_tokens = {.a = 64}, .output_tokens = {.a = 10}};
    loads[1] = (struct plan_workload){.name = "b", .weight = 1, .input_tokens = {.a = 128}, .output_tokens = {.a = 20}};
    for (int i = 0; i < 2; i++) {
        loads[i].prefix_tokens = prefix_tokens;
        loads[i].prefix_groups = groups;
    }
    return (struct plan){
        .seed = 5, .target = {.models = models, .n_models = 2, .body = "{}"}, .workloads = loads, .n_workloads = 2};
}

#define N 20000
static char first[N][33];

static int by_text(const void *a, const void *b)
{
    return memcmp(a, b, 33);
}

/* How many of N requests, over two parts and two stages, begin with the same eight words as another. */
static uint32_t same_beginnings(const struct plan *p)
{
    for (uint32_t which = 0; which < 4; which++) {
        struct shard s = part_of(100 + which / 2, which % 2);
        struct workload *w = workload_new(p, NULL, &s, NULL);
        assert_non_null(w);
        for (uint32_t i = 0; i < N / 4; i++) {
            struct dialect_request spec;
            struct workload_choice choice;
            assert_int_equal(ask(w, i, &spec, &choice), 0);
            memcpy(first[which * (N / 4) + i], spec.messages[0].text, 32);
        }
        workload_destroy(&w);
        assert_null(w);
    }
    qsort(first, N, sizeof first[0], by_text);
    uint32_t same = 0;
    for (uint32_t i = 1; i < N; i++)
        same += memcmp(first[i], first[i - 1], 32) == 0;
    return same;
}

static void test_every_prompt_is_new(void **state)
{
    (void)state;
    struct plan p = make_plan(0, 0);
    assert_int_equal(same_beginnings(&p), 0);
}

static void test_shared_prefixes(void **state)
{
    (void)state;
    struct plan p = make_plan(16, 8);
    assert_int_equal(same_beginnings(&p),
                     N - 2 * 8); /* eight groups of each workload, the same in all stages and parts */
}

static void test_repeatable_and_weighted(void **state)
{
    (void)state;
    struct plan p = make_plan(0, 0);
    struct shard s = part_of(1, 2), t = part_of(1, 3);
    struct workload *a = workload_new(&p, NULL, &s, NULL), *b = workload_new(&p, NULL, &s, NULL);
    struct workload *other = workload_new(&p, NULL, &t, NULL);
    uint32_t first_load = 0, base = 0, alike = 0;
    for (uint64_t i = 0; i < 4000; i++) {
        struct dialect_request x, y;
        struct workload_choice in_x, in_y;
        assert_int_equal(ask(a, i * 1000003, &x, &in_x), 0);
        assert_int_equal(ask(b, i * 1000003, &y, &in_y), 0);
        assert_int_equal(in_x.input_tokens, in_y.input_tokens);
        assert_int_equal(x.output_tokens, y.output_tokens);
        assert_string_equal(x.model, y.model);
        assert_string_equal(x.body, "{}");
        assert_int_equal(x.n_messages, 1);
        assert_string_equal(x.messages[0].role, "user");
        assert_int_equal(x.messages[0].len, WORDS_CHARS(in_x.input_tokens));
        assert_memory_equal(x.messages[0].text, y.messages[0].text, x.messages[0].len);
        assert_true((in_x.input_tokens == 64 && x.output_tokens == 10) ||
                    (in_x.input_tokens == 128 && x.output_tokens == 20));
        assert_int_equal(ask(other, i * 1000003, &y, &in_y), 0);
        alike += in_x.input_tokens == in_y.input_tokens;
        first_load += in_x.input_tokens == 64;
        base += strcmp(x.model, "base") == 0;
    }
    assert_in_range(first_load, 2850, 3150); /* three in four, ± 5 sd */
    assert_in_range(base, 2850, 3150);
    assert_in_range(alike, 2300, 2700); /* another part draws its own: 9/16 + 1/16 */
    workload_destroy(&a);
    workload_destroy(&b);
    workload_destroy(&other);
}

static void test_lengths_are_bounded(void **state)
{
    (void)state;
    struct plan p = make_plan(0, 0);
    p.target.n_models = 0;
    p.n_workloads = 1;
    loads[0].input_tokens = (struct dist){.kind = DIST_NORMAL, .a = 3, .b = 10}; /* often below zero */
    loads[0].output_tokens = (struct dist){.a = 1e30};
    struct shard s = part_of(1, 2);
    struct workload *w = workload_new(&p, NULL, &s, NULL);
    struct dialect_request spec;
    struct workload_choice choice;
    for (uint64_t i = 0; i < 1000; i++) {
        assert_int_equal(ask(w, i, &spec, &choice), 0);
        assert_in_range(choice.input_tokens, 1, 100);
        assert_int_equal(spec.output_tokens, PROMPT_TOKENS_MAX);
        assert_null(spec.model);
    }
    loads[0].input_tokens = (struct dist){.a = 1e30};
    assert_int_equal(ask(w, 1, &spec, &choice), 0);
    assert_int_equal(spec.messages[0].len, WORDS_CHARS(PROMPT_TOKENS_MAX));
    workload_destroy(&w);
}

/* ---- corpora ---- */

static struct corpus *make_corpus(const struct corpus_record *records, size_t n, const struct corpus_message *messages,
                                  const uint32_t *blocks)
{
    char hash[CORPUS_HASH_HEX];
    FILE *f = tmpfile();
    struct corpus_writer *w = corpus_writer_new(f, NULL);
    assert_non_null(w);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(corpus_write(w, &records[i], messages, blocks, NULL), 0);
    assert_int_equal(corpus_finish(w, hash, NULL), 0);
    corpus_writer_destroy(&w);
    struct corpus *c = corpus_open(fileno(f), NULL);
    assert_non_null(c);
    (void)fclose(f);
    return c;
}

/* Every record once in a pass, whatever the parts: by count, by rounds of slots, by arrivals. */
static void test_each_record_once(void **state)
{
    (void)state;
    enum { RECORDS = 1000, PARTS = 7 };
    static struct corpus_record records[RECORDS];
    for (uint32_t i = 0; i < RECORDS; i++)
        records[i] = (struct corpus_record){.n_messages = 1, .output_tokens = i + 1};
    const struct corpus_message message = {ROLE_USER, "hello", 5};
    struct corpus *c = make_corpus(records, RECORDS, &message, NULL);
    const struct corpus *corpora[] = {c};
    struct plan p = make_plan(0, 0);
    p.n_workloads = 1;
    loads[0].source = SOURCE_DATASET;
    static const uint32_t WEIGHTS[PARTS] = {1, 2, 3, 4, 5, 6, 7};
    for (int sequential = 0; sequential < 2; sequential++) {
        loads[0].data.order = sequential ? ORDER_SEQUENTIAL : ORDER_SEEDED;
        struct shard whole = {.kind = LOAD_CLOSED,
                              .slots = 20,
                              .slots_all = 20,
                              .requests_all = 2 * RECORDS,
                              .requests = 2 * RECORDS,
                              .cycle = 1,
                              .seed = 9},
                     parts[PARTS];
        assert_int_equal(shard_split(&whole, WEIGHTS, PARTS, 0, parts, NULL), 0);
        static uint8_t seen[RECORDS + 1];
        memset(seen, 0, sizeof seen);
        uint32_t in_order = 0;
        for (uint32_t k = 0; k < PARTS; k++) {
            struct workload *w = workload_new(&p, corpora, &parts[k], NULL);
            assert_non_null(w);
            uint32_t last = 0;
            for (uint64_t i = 0; i < parts[k].requests; i++) {
                struct dialect_request r;
                struct workload_choice choice;
                assert_int_equal(ask(w, i, &r, &choice), 0);
                assert_int_equal(choice.input_tokens, 2); /* five characters */
                seen[r.output_tokens]++;
                in_order += r.output_tokens == last + 1;
                last = r.output_tokens;
            }
            workload_destroy(&w);
            shard_clear(&parts[k]);
        }
        for (uint32_t i = 1; i <= RECORDS; i++)
            assert_int_equal(seen[i], 2);
        if (sequential)
            assert_true(in_order > 2 * RECORDS - 3 * PARTS);
        else
            assert_true(in_order < 50);
    }
    loads[0] = (struct plan_workload){.source = SOURCE_SYNTHETIC};
    corpus_close(&c);
}

/* Rows that share hash ids share text; the rest of a row is its own. */
static void test_blocks_are_text(void **state)
{
    (void)state;
    const uint32_t blocks[] = {3, 9, 4};
    const struct corpus_record records[] = {{.input_tokens = 40, .output_tokens = 1, .n_blocks = 3, .block_tokens = 16},
                                            {.input_tokens = 32, .output_tokens = 1, .n_blocks = 2, .block_tokens = 16},
                                            {.input_tokens = 8, .output_tokens = 1}};
    struct corpus *c = make_corpus(records, 3, NULL, blocks);
    const struct corpus *corpora[] = {c};
    struct plan p = make_plan(0, 0);
    p.n_workloads = 1;
    loads[0].source = SOURCE_TRACE;
    char text[3][200];
    struct shard a = part_of(1, 2), b = part_of(77, 5); /* another seed, another part: the same blocks */
    struct workload *w = workload_new(&p, corpora, &a, NULL), *v = workload_new(&p, corpora, &b, NULL);
    struct workload_choice choice;
    for (uint64_t i = 0; i < 3; i++) {
        struct dialect_request r;
        assert_int_equal(ask(i == 1 ? v : w, i, &r, &choice), 0);
        assert_int_equal(choice.input_tokens, records[i].input_tokens);
        assert_int_equal(r.messages[0].len, WORDS_CHARS(choice.input_tokens));
        memcpy(text[i], r.messages[0].text, r.messages[0].len);
    }
    assert_memory_equal(text[0], text[1], WORDS_CHARS(32));
    assert_memory_not_equal(text[0], text[2], WORDS_CHARS(4));
    workload_destroy(&w);
    workload_destroy(&v);
    loads[0] = (struct plan_workload){.source = SOURCE_SYNTHETIC};
    corpus_close(&c);
}

static const uint64_t ALL = 12;

/* Repeated tokens of requests 0 to ALL - 1 of the cluster, over so many parts, where earlier stages sent `before`. */
static uint64_t repeated(const struct plan *p, const struct corpus *const *corpora, uint32_t parts, uint64_t before)
{
    uint64_t sum = 0;
    for (uint32_t k = 0; k < parts; k++) {
        struct shard s = part_of(9, k);
        s.before = before;
        struct workload *w = workload_new(p, corpora, &s, NULL);
        assert_non_null(w);
        for (uint64_t i = k; i < ALL; i += parts) {
            struct dialect_request r;
            struct workload_choice choice;
            assert_int_equal(ask(w, i, &r, &choice), 0);
            assert_true(r.repeated <= choice.input_tokens);
            sum += r.repeated;
        }
        workload_destroy(&w);
    }
    return sum;
}

/* Rows as they were compiled, whoever sends them; all their blocks in a second pass, and after an earlier stage. */
static void test_rows_repeat(void **state)
{
    (void)state;
    const uint32_t blocks[] = {3, 9, 4};
    const struct corpus_record records[] = {
        {.input_tokens = 40, .output_tokens = 1, .n_blocks = 3, .block_tokens = 16},
        {.input_tokens = 60, .output_tokens = 1, .n_blocks = 3, .block_tokens = 16, .repeated_tokens = 40},
        {.input_tokens = 8, .output_tokens = 1}};
    struct corpus *c = make_corpus(records, 3, NULL, blocks);
    const struct corpus *corpora[] = {c};
    struct plan p = make_plan(0, 0);
    p.n_workloads = 1;
    loads[0].source = SOURCE_TRACE;
    for (uint32_t parts = 1; parts <= 3; parts++) {
        assert_int_equal(repeated(&p, corpora, parts, 0), 40 + 3 * (40 + 48)); /* the tail of 12 is new each time */
        assert_int_equal(repeated(&p, corpora, parts, 1), 40 + 40 + 3 * (40 + 48));
        assert_int_equal(repeated(&p, corpora, parts, 3), 4 * (40 + 48));
    }
    loads[0] = (struct plan_workload){.source = SOURCE_SYNTHETIC};
    corpus_close(&c);
}

/* A prefix from its second request on; of many, as often as is expected. */
static void test_prefixes_repeat(void **state)
{
    (void)state;
    struct plan p = make_plan(48, 1);
    p.n_workloads = 1;
    for (uint32_t parts = 1; parts <= 3; parts++) {
        assert_int_equal(repeated(&p, NULL, parts, 0), 48 * (ALL - 1));
        assert_int_equal(repeated(&p, NULL, parts, 5), 48 * ALL);
    }
    loads[0].prefix_tokens = 1000; /* no prompt has more than 64 */
    assert_int_equal(repeated(&p, NULL, 1, 0), 64 * (ALL - 1));
    loads[0].prefix_groups = 1;
    loads[0].prefix_tokens = 0;
    assert_int_equal(repeated(&p, NULL, 1, 5), 0);

    enum { GROUPS = 50, ROUNDS = 40 };
    p = make_plan(16, GROUPS);
    p.n_workloads = 1;
    double sum = 0, seen = 0;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        struct shard s = part_of(1000 + round, 0);
        struct workload *w = workload_new(&p, NULL, &s, NULL);
        static char known[GROUPS][16];
        uint32_t n = 0, k;
        for (uint64_t i = 0; i < 100; i++) {
            struct dialect_request r;
            struct workload_choice choice;
            assert_int_equal(ask(w, i, &r, &choice), 0);
            sum += r.repeated;
            for (k = 0; k < n && memcmp(known[k], r.messages[0].text, 16) != 0; k++) {
            }
            if (k < n)
                seen += 16;
            else
                memcpy(known[n++], r.messages[0].text, 16);
        }
        workload_destroy(&w);
    }
    assert_true(sum > 0.97 * seen && sum < 1.03 * seen);
}

/* A tree's blocks as far as an earlier request of its play had them, with the marker before them, and all of them where
 * it was played before. */
static void test_trees_repeat(void **state)
{
    (void)state;
    const uint32_t blocks[] = {1, 2, 3, 4};
    const struct tree_node_data nodes[] = {
        {.input_tokens = 40, .output_tokens = 1, .base = TREE_NO_BASE, .own_n = 3, .turn = 1},
        {.input_tokens = 50, .output_tokens = 1, .base = 0, .shared = 2, .own_at = 3, .own_n = 1, .turn = 2}};
    struct buf bytes = BUF_INIT(1 << 16);
    assert_int_equal(corpus_tree_write(nodes, 2, NULL, 0, 0, &bytes), 0);
    const struct corpus_record record = {
        .n_blocks = 4, .block_tokens = 16, .tree = (const uint8_t *)bytes.data, .tree_n = (uint32_t)bytes.len};
    struct corpus *c = make_corpus(&record, 1, NULL, blocks);
    const struct corpus *corpora[] = {c};
    struct plan p = make_plan(0, 0);
    p.n_workloads = 1;
    loads[0].source = SOURCE_TRACE;
    loads[0].data.trace = TRACE_WEKA;
    static const struct {
        uint64_t play;
        uint32_t node, shared, repeated;
        bool marker;
    } ROWS[] = {{0, 0, 0, 0, false},  {0, 0, 3, 40, false}, {0, 1, 2, 32, false}, {0, 1, 2, 40, true},
                {1, 0, 0, 40, false}, {1, 1, 0, 48, false}, {1, 1, 0, 0, true}};
    struct shard s = part_of(9, 0);
    struct workload *w = workload_new(&p, corpora, &s, NULL);
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct dialect_request r;
        struct workload_choice choice = {.node = ROWS[i].node, .shared = ROWS[i].shared, .play = ROWS[i].play};
        loads[0].data.marker = ROWS[i].marker;
        assert_int_equal(workload_ask(w, 5, ROWS[i].play, &choice, &r), 0);
        assert_int_equal(r.repeated, ROWS[i].repeated);
    }
    workload_destroy(&w);
    loads[0] = (struct plan_workload){.source = SOURCE_SYNTHETIC};
    corpus_close(&c);
    buf_clear(&bytes);
}

/* Members of a record go into the body, and the plan's win. */
static void test_bodies_are_merged(void **state)
{
    (void)state;
    const struct corpus_record record = {.body = "{\"messages\":[1,{\"a\":\"}\"}],\"temperature\":1,\"top_p\":2}"};
    struct corpus *c = make_corpus(&record, 1, NULL, NULL);
    const struct corpus *corpora[] = {c};
    struct plan p = make_plan(0, 0);
    p.n_workloads = 1;
    loads[0].source = SOURCE_DATASET;
    static const struct {
        const char *plan, *merged;
    } ROWS[] = {
        {"{}", "{\"messages\":[1,{\"a\":\"}\"}],\"temperature\":1,\"top_p\":2}"},
        {"{\"temperature\":0,\"x\":{}}", "{\"messages\":[1,{\"a\":\"}\"}],\"top_p\":2,\"temperature\":0,\"x\":{}}"}};
    struct shard s = part_of(1, 2);
    for (size_t i = 0; i < 2; i++) {
        struct dialect_request r;
        struct workload_choice choice;
        p.target.body = ROWS[i].plan;
        struct workload *w = workload_new(&p, corpora, &s, NULL);
        assert_int_equal(ask(w, 5, &r, &choice), 0);
        assert_string_equal(r.body, ROWS[i].merged);
        assert_int_equal(r.n_messages, 0);
        workload_destroy(&w);
    }
    struct err e = {.text = ""};
    assert_null(workload_new(&p, NULL, &s, &e)); /* data that are not here */
    assert_non_null(strstr(e.text, "has no data on this agent"));
    loads[0] = (struct plan_workload){.source = SOURCE_SYNTHETIC};
    corpus_close(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {

        cmocka_unit_test(test_every_prompt_is_new),     cmocka_unit_test(test_shared_prefixes),
        cmocka_unit_test(test_repeatable_and_weighted), cmocka_unit_test(test_lengths_are_bounded),
        cmocka_unit_test(test_each_record_once),        cmocka_unit_test(test_blocks_are_text),
        cmocka_unit_test(test_bodies_are_merged),       cmocka_unit_test(test_rows_repeat),
        cmocka_unit_test(test_prefixes_repeat),         cmocka_unit_test(test_trees_repeat),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
