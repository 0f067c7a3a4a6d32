/* Traces of sessions whose parts lie apart in a file: tracelab, mooncake-sessions, otel, dag. What a run makes of them
 * is compared with a model in scenario/session_forms; here: real rows, oddities one by one, and broken bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/corpus_tree.h"
#include "common/rng.h"
#include "coordinator/corpus/compile.h"
#include "tests/unit/trials.h"

#define MS INT64_C(1000000)

static struct compile_result result;
static struct err err;

static struct plan_workload of(enum trace_format f)
{
    struct plan_workload w = {.name = "w", .source = SOURCE_TRACE};
    w.data.trace = f;
    w.data.speed = 1;
    return w;
}

static struct corpus *compiled(const struct plan_workload *w, const char *path)
{
    int out = memfd_create("corpus", MFD_CLOEXEC);
    FILE *f = out >= 0 ? fdopen(out, "w+") : NULL;
    assert_non_null(f);
    err = (struct err){.text = ""};
    struct corpus *c = compile_run(w, NULL, path, f, &result, &err) ? NULL : corpus_open(fileno(f), &err);
    (void)fclose(f);
    return c;
}

static struct corpus *compiled_text(const struct plan_workload *w, const char *text, size_t n)
{
    char path[40];
    int fd = memfd_create("trace", MFD_CLOEXEC);
    assert_true(fd >= 0 && write(fd, text, n) == (ssize_t)n);
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    struct corpus *c = compiled(w, path);
    (void)close(fd);
    return c;
}

static struct corpus_record record;
static struct corpus_tree tree;

static void open_tree(struct corpus *c, uint64_t i)
{
    if (!c) fail_msg("%s", err.text);
    assert_int_equal(corpus_get(c, i, &record), 0);
    assert_true(corpus_tree_open(&record, &tree));
}

static struct tree_node_data node(uint32_t i)
{
    struct tree_node_data d;
    assert_true(i < tree.n);
    corpus_tree_node(&tree, i, &d);
    return d;
}

static void one_tree(enum trace_format f, const char *text)
{
    static struct corpus *c; /* the tree borrows from it */
    struct plan_workload w = of(f);
    corpus_close(&c);
    c = compiled_text(&w, text, strlen(text));
    open_tree(c, 0);
    assert_int_equal(corpus_count(c), 1);
}

/* ---- real rows ---- */

static void test_tracelab_rows(void **state)
{
    (void)state;
    struct plan_workload w = of(TRACE_TRACELAB);
    struct corpus *c = compiled(&w, TEST_DATA "/traces/tracelab_rounds.jsonl");
    open_tree(c, 0);
    assert_int_equal(result.records, 2);
    assert_int_equal(result.requests, 7);
    assert_int_equal(tree.n, 3);
    assert_int_equal(node(0).input_tokens, 32272);
    assert_int_equal(node(0).output_tokens, 931);
    assert_int_equal(node(1).wait_ns, 19291 * MS); /* from the last tool call at 31.647 to its result at 50.938 */
    assert_int_equal(node(1).shared, 29380 / 64);  /* less than the prompt before */
    assert_int_equal(node(2).shared, 35738 / 64);  /* of 35,740 */
    assert_int_equal(node(2).own_n, 38592 / 64 - 35738 / 64);
    open_tree(c, 1);
    assert_int_equal(tree.n, 4);
    assert_int_equal(node(0).output_tokens, 444); /* of which 199 are reasoning */
    assert_int_equal(node(1).shared, 9324 / 64);  /* 9,600 are cached: more than the prompt before, its answer too */
    assert_int_equal(node(3).shared, 3456 / 64);
    corpus_close(&c);
}

static void test_mooncake_rows(void **state)
{
    (void)state;
    struct plan_workload w = of(TRACE_MOONCAKE_SESSIONS);
    struct corpus *c = compiled(&w, TEST_DATA "/traces/mooncake_sessions_rows.jsonl");
    uint32_t first[3];
    open_tree(c, 0);
    assert_int_equal(result.records, 3);
    assert_int_equal(result.requests, 7);
    assert_int_equal(tree.scope, 0);
    assert_int_equal(node(0).input_tokens, 52196);
    assert_int_equal(node(1).input_tokens, 52196 + 1078 + 3722); /* with the answer and what is new */
    assert_int_equal(node(2).input_tokens, 52196 + 1078 + 3722 + 304 + 1769);
    assert_int_equal(node(1).shared, 52196 / 64);
    assert_true(node(2).wait_ns == 400300000);
    for (uint64_t i = 0; i < 3; i++) {
        open_tree(c, i);
        first[i] = corpus_block(&record, node(0).own_at + 62 * 8);
        assert_int_equal(corpus_block(&record, node(0).own_at + 63 * 8) == 63 * 8, 0);
    }
    assert_true(first[0] == 62 * 8 && first[1] == first[0] && first[2] == first[0]); /* the tools that all share */
    corpus_close(&c);
}

static void test_otel_rows(void **state)
{
    (void)state;
    struct plan_workload w = of(TRACE_OTEL);
    struct corpus *c = compiled(&w, TEST_DATA "/traces/otel_openai.jsonl");
    open_tree(c, 0);
    assert_int_equal(result.records, 2);
    assert_int_equal(tree.n, 3);
    assert_int_equal(node(0).output_tokens, 8);
    assert_int_equal(node(1).thread, 1); /* a sub-agent, joined by the call after it */
    assert_int_equal(node(2).n_after, 2);
    open_tree(c, 1);
    assert_int_equal(tree.n, 1);
    corpus_close(&c);
}

/* ---- oddities ---- */

#define ROUND(extra, events)                                                                                           \
    "{\"session_id\":\"a\",\"input_tokens_total\":640,\"prefix_tokens\":320,\"output_tokens\":5," extra                \
    "\"timing_events\":[" events "]}\n"
#define EVENT(type, second) "{\"event_type\":\"" type "\",\"timestamp\":\"2026-01-01T00:00:" second "Z\"}"

static void test_tracelab(void **state)
{
    (void)state;
    /* rounds in another order than their times; several results; no event of an answer; a report that comes late */
    one_tree(TRACE_TRACELAB, ROUND("\"round_index\":0,", EVENT("tool_result", "08") "," EVENT("tool_result", "09.5"))
                                 ROUND("\"round_index\":7,", EVENT("user_message", "01") "," EVENT(
                                                                 "text", "03") "," EVENT("usage_report", "07")));
    assert_int_equal(tree.n, 2);
    assert_int_equal(node(1).wait_ns, 6500 * MS);
    assert_int_equal(node(1).shared, 5);
    assert_int_equal(node(1).own_n, 5);
    /* nothing says what went in: it began with its first word */
    one_tree(TRACE_TRACELAB, ROUND("", EVENT("text", "01") "," EVENT("tool_call", "02"))
                                 ROUND("", EVENT("text", "05") "," EVENT("reasoning", "04")));
    assert_int_equal(node(1).wait_ns, 2000 * MS);
}

#define TURN(input, rest) "{\"session_id\":\"a\",\"input_length\":" input ",\"output_length\":100" rest "}\n"

static void test_mooncake(void **state)
{
    (void)state;
    /* new parts; times instead of delays; no ids in the middle */
    one_tree(TRACE_MOONCAKE_SESSIONS,
             TURN("600", ",\"hash_ids\":[7,8],\"timestamp\":1000") TURN("60", ",\"timestamp\":2500.5")
                 TURN("520", ",\"hash_ids\":[1,2],\"delay\":10,\"timestamp\":9000"));
    assert_int_equal(node(1).input_tokens, 760);
    assert_int_equal(node(2).input_tokens, 1380);
    assert_true(node(1).wait_ns == 1500500000 && node(2).wait_ns == 10 * MS);
    assert_int_equal(node(2).shared, 760 / 64);
    assert_int_equal(corpus_block(&record, node(0).own_at), 56);
    assert_true(corpus_block(&record, node(1).own_at) >> 31 == 1);                          /* nobody's */
    assert_int_equal(corpus_block(&record, node(2).own_at + node(2).own_n - 1), 1 * 8 + 8); /* 2, its first eighth */
    /* whole prompts, by the first id and by name */
    one_tree(TRACE_MOONCAKE_SESSIONS, TURN("600", ",\"hash_ids\":[7,8]") TURN("1200", ",\"hash_ids\":[7,9,10]")
                                          TURN("64", ",\"context_mode\":\"message_array_with_responses\""));
    assert_int_equal(node(1).input_tokens, 1200);
    assert_int_equal(node(1).shared, 8);
    assert_int_equal(node(2).input_tokens, 64);
    assert_int_equal(node(2).own_n, 0);
    /* a member that is there twice counts as it is last */
    one_tree(TRACE_MOONCAKE_SESSIONS, TURN("600", ",\"hash_ids\":[1,2],\"hash_ids\":[7,8]"));
    assert_int_equal(corpus_block(&record, node(0).own_at), 56);
    /* lines without a session are one each */
    struct plan_workload w = of(TRACE_MOONCAKE_SESSIONS);
    static const char ALONE[] = "{\"input_length\":5,\"output_length\":1}\n{\"input_length\":6,\"output_length\":1}";
    struct corpus *c = compiled_text(&w, ALONE, sizeof ALONE - 1);
    assert_int_equal(corpus_count(c), 2);
    corpus_close(&c);
}

#define CALL(id, parent, from, to, more)                                                                               \
    "{\"traceId\":\"t\",\"spanId\":\"" id "\",\"parentSpanId\":\"" parent "\",\"startTimeUnixNano\":\"" from           \
    "000000000\",\"endTimeUnixNano\":" to "000000000,\"attributes\":[" more                                            \
    "{\"key\":\"gen_ai.operation.name\",\"value\":{\"stringValue\":\"chat\"}}]}"
#define TOKENS(in, out)                                                                                                \
    "{\"key\":\"gen_ai.usage.input_tokens\",\"value\":{\"intValue\":\"" in "\"}},"                                     \
    "{\"key\":\"gen_ai.usage.output_tokens\",\"value\":{\"intValue\":" out "}},"
#define CACHED(n) "{\"key\":\"gen_ai.usage.cache_read.input_tokens\",\"value\":{\"intValue\":" n "}},"

static void test_otel(void **state)
{
    (void)state;
    /* a failed call has no tokens; numbers as text and as numbers; spans of a trace in several objects */
    one_tree(TRACE_OTEL,
             "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[" CALL(
                 "2", "", "13", "15",
                 TOKENS("640", "9") CACHED("320")) "]}]}]}\n{\"resource_spans\":[{\"scope_spans\":[{\"spans\":"
                                                   "[" CALL("1", "", "10", "11",
                                                            TOKENS("320", "8")) ","
                                                                                "{\"traceId\":\"t\",\"spanId\":\"3\","
                                                                                "\"startTimeUnixNano\":12,\"status\":{"
                                                                                "\"code\":\"STATUS_CODE_ERROR\"},"
                                                                                "\"attributes\":{\"gen_ai.operation."
                                                                                "name\":\"chat\"}}]}]}]}");
    assert_int_equal(tree.n, 2);
    assert_int_equal(result.zero, 1);
    assert_int_equal(node(1).wait_ns, 2000 * MS);
    assert_int_equal(node(1).shared, 5);
    /* a parent that was not kept, a cycle of parents */
    one_tree(TRACE_OTEL, "{\"spans\":[" CALL("1", "9", "10", "11", TOKENS("5", "8")) "," CALL(
                             "2", "3", "12", "13",
                             TOKENS("5", "8")) ","
                                               "{\"traceId\":\"t\",\"spanId\":\"3\",\"parentSpanId\":\"3\"}]}");
    assert_int_equal(tree.n, 2);
}

static void test_dag(void **state)
{
    (void)state;
    /* a fork shares what was said, with the answer's place; a spawn does not; parts are one message; a picture is
     * counted */
    one_tree(TRACE_DAG,
             "{\"turns\":[{\"spawns\":[\"s\"],\"forks\":[{\"child\":\"f\",\"background\":true}],\"max_tokens\":3,"
             "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"ab\"},{\"type\":\"text\","
             "\"text\":\"cd\"},"
             "{\"type\":\"image_url\"}]}]},{\"max_tokens\":5,\"tools\":[],\"delay\":250,\"messages\":[{\"role\":"
             "\"user\",\"content\":null}]}],"
             "\"session_id\":\"r\"}\n"
             "{\"session_id\":\"s\",\"turns\":[{\"max_tokens\":6,\"messages\":[{\"role\":\"user\",\"content\":"
             "\"alone\"}]}]}\n"
             "{\"session_id\":\"f\",\"turns\":[{\"max_tokens\":7,\"messages\":[{\"content\":\"and?\",\"role\":\"user\"}"
             "]}]}\n");
    assert_int_equal(tree.n, 4);
    assert_int_equal(result.images, 1);
    assert_int_equal(result.bare, 1);
    struct corpus_message m[8];
    uint32_t n = 0;
    for (size_t at = 0; n < 8 && corpus_message(&record, &at, &m[n]);)
        n++;
    assert_int_equal(n, record.n_messages);
    assert_memory_equal(m[0].text, "abcd", 4);
    assert_memory_equal(m[1].text, "and and and ", 12);
    for (uint32_t i = 0; i < tree.n; i++)
        if (node(i).output_tokens == 7)
            assert_true(node(i).shared == 1 && node(i).own_n == 2 && node(i).input_tokens == (4 + 12 + 4) / 4);
        else if (node(i).output_tokens == 6)
            assert_true(node(i).own_n == 1 && node(i).shared == 0);
        else if (node(i).output_tokens == 5)
            assert_true(node(i).n_after == 2 && node(i).wait_ns == 250 * MS);
}

/* ---- hostile ---- */

static const struct {
    enum trace_format format;
    const char *text;
} SAMPLES[] = {
    {TRACE_TRACELAB,
     ROUND("", EVENT("user_message", "01") "," EVENT("text", "03")) ROUND("", EVENT("tool_result", "08"))},
    {TRACE_MOONCAKE_SESSIONS, TURN("600", ",\"hash_ids\":[7,8],\"timestamp\":1000") TURN("60", ",\"delay\":25.5")},
    {TRACE_OTEL, "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[" CALL(
                     "2", "1", "13", "15", TOKENS("640", "9") CACHED("320")) "," CALL("1", "", "10", "11",
                                                                                      TOKENS("320", "8")) "]}]}]}"},
    {TRACE_DAG,
     "{\"session_id\":\"r\",\"turns\":[{\"messages\":[{\"role\":\"user\",\"content\":\"ab\"}],\"max_tokens\":3,"
     "\"spawns\":[\"s\"]},"
     "{\"messages\":[{\"role\":\"user\",\"content\":\"c\"}],\"max_tokens\":3,\"forks\":[\"f\"]}]}\n"
     "{\"session_id\":\"s\",\"turns\":[{\"messages\":[{\"role\":\"user\",\"content\":\"d\"}],\"max_tokens\":3}]}\n"
     "{\"session_id\":\"f\",\"turns\":[{\"messages\":[{\"role\":\"user\",\"content\":\"e\"}],\"max_tokens\":3}]}\n"},
};

/* Bytes turned and cut: refused with a sentence, or trees in which every number is in bounds. */
static void test_hostile(void **state)
{
    (void)state;
    static char text[2048];
    struct rng rng;
    rng_seed(&rng, 23);
    for (int i = 0; i < trials(12000, 4000, 600); i++) {
        size_t which = (size_t)i % (sizeof SAMPLES / sizeof *SAMPLES), n = strlen(SAMPLES[which].text);
        struct plan_workload w = of(SAMPLES[which].format);
        assert_true(n < sizeof text);
        memcpy(text, SAMPLES[which].text, n);
        if (i % 5 == 0) n = 1 + (size_t)rng_below(&rng, n);
        for (uint64_t k = rng_below(&rng, 4); k > 0; k--)
            text[rng_below(&rng, n)] = "0123456789-.e{}[],:\"nrsf"[rng_below(&rng, 24)];
        w.data.skip = i % 2;
        w.data.zero_output = i % 3 ? ZERO_DROP : ZERO_ONE;
        struct corpus *c = compiled_text(&w, text, n);
        if (!c) assert_true(err.text[0] != '\0');
        for (uint64_t k = 0; c && k < corpus_count(c); k++) {
            open_tree(c, k);
            for (uint32_t b = 0; record.n_messages && b < record.n_blocks; b++)
                assert_true(corpus_block(&record, b) < record.n_messages);
        }
        corpus_close(&c);
    }
}

/* A file whose path is too long is named: it is not left out. */
static void test_long_path(void **state)
{
    (void)state;
    char folder[2048] = "/tmp/sessions-XXXXXX", file[256];
    assert_non_null(mkdtemp(folder));
    size_t root = strlen(folder), n = root;
    while (n < 1850) {
        n += (size_t)snprintf(folder + n, sizeof folder - n, "/%0200d", 0);
        assert_int_equal(mkdir(folder, 0700), 0);
    }
    struct plan_workload w = of(TRACE_WEKA);
    (void)snprintf(file, sizeof file, "%0240d.json", 0);
    assert_int_equal(chdir(folder), 0);
    FILE *f = fopen(file, "w");
    assert_non_null(f);
    (void)fclose(f);
    struct corpus *c = compiled(&w, folder);
    assert_null(c);
    if (!strstr(err.text, ": a path of 2048 bytes or more is not read")) fail_msg("it says: %s", err.text);
    assert_int_equal(unlink(file), 0);
    assert_int_equal(chdir("/"), 0);
    for (;; n -= 201) {
        folder[n] = 0;
        assert_int_equal(rmdir(folder), 0);
        if (n == root) break;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tracelab_rows), cmocka_unit_test(test_mooncake_rows), cmocka_unit_test(test_otel_rows),
        cmocka_unit_test(test_tracelab),      cmocka_unit_test(test_mooncake),      cmocka_unit_test(test_otel),
        cmocka_unit_test(test_dag),           cmocka_unit_test(test_hostile),       cmocka_unit_test(test_long_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
