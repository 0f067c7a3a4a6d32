/* Prompts of data sets counted by a tokenizer: messages apart, a text as it goes out, bodies by their texts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "coordinator/corpus/compile.h"

static struct tokenizer *tiny;

static int open_tiny(void **state)
{
    struct err e;
    (void)state;
    tiny = tokenizer_read(TEST_DATA "/tokenizer/tiny.json", NULL, &e);
    return tiny ? 0 : -1;
}

static int close_tiny(void **state)
{
    (void)state;
    tokenizer_destroy(&tiny);
    return 0;
}

/* The input tokens of the one record. */
static uint32_t counted(struct plan_workload *w, bool text, const char *record)
{
    const struct compile_count count = {tiny, text};
    struct compile_result result;
    struct corpus_record r;
    struct err e = {.text = ""};
    char path[] = "/tmp/count-XXXXXX";
    int fd = mkstemp(path);
    FILE *f = tmpfile();
    assert_true(fd >= 0 && f);
    assert_int_equal(write(fd, record, strlen(record)), strlen(record));
    (void)close(fd);
    int rc = compile_run(w, &count, path, f, &result, &e);
    (void)unlink(path);
    assert_string_equal(e.text, "");
    assert_int_equal(rc, 0);
    struct corpus *c = corpus_open(fileno(f), &e);
    assert_non_null(c);
    assert_int_equal(corpus_get(c, 0, &r), 0);
    uint32_t got = r.input_tokens;
    corpus_close(&c);
    (void)fclose(f);
    return got;
}

static void prompts_are_counted(void **state)
{
    static const char BOTH[] = "{\"prompt\":\"the and\",\"system\":\"all\",\"input_tokens\":999}";
    static const struct {
        enum dataset_format format;
        const char *record;
        uint32_t tokens;
    } BODIES[] = {
        {DATASET_MESSAGES,
         "{\"messages\":[{\"role\":\"system\",\"content\":\"the\"},{\"role\":\"user\",\"content\":[{\"type\":\"text\","
         "\"text\":\"the and\"},{\"type\":\"image_url\",\"image_url\":{\"url\":\"the\"}}]}],\"tools\":[{\"content\":"
         "\"the\"}]}",
         3},
        {DATASET_OPENAI_BATCH, "{\"body\":{\"prompt\":\"the \\u0061nd\",\"user\":\"the\"}}", 2},
        {DATASET_OPENAI_BATCH, "{\"body\":{\"input\":[\"the\",\"the and\"]}}", 3},
    };
    struct plan_workload w = {.name = "w", .source = SOURCE_DATASET, .data = {.dataset = DATASET_JSONL}};
    (void)state;
    assert_int_equal(counted(&w, false, BOTH), 3);
    /* all · two line ends · the · and, after the tokenizer's own */
    assert_int_equal(counted(&w, true, BOTH), 6);
    for (size_t i = 0; i < sizeof BODIES / sizeof *BODIES; i++) {
        w.data.dataset = BODIES[i].format;
        assert_int_equal(counted(&w, false, BODIES[i].record), BODIES[i].tokens);
    }
}

static void what_has_lengths_of_its_own_keeps_them(void **state)
{
    struct plan_workload w = {
        .name = "w", .source = SOURCE_DATASET, .data = {.dataset = DATASET_SHAREGPT, .conversations = true}};
    (void)state;
    assert_int_equal(counted(&w, false,
                             "{\"conversations\":[{\"from\":\"human\",\"value\":\"the\"},{\"from\":\"gpt\",\"value\":"
                             "\"and\"}]}"),
                     0);
    w = (struct plan_workload){.name = "w", .source = SOURCE_TRACE, .data = {.trace = TRACE_MOONCAKE, .speed = 1}};
    assert_int_equal(counted(&w, true, "{\"timestamp\":0,\"input_length\":600,\"output_length\":2,\"hash_ids\":[1,2]}"),
                     600);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(prompts_are_counted),
                                       cmocka_unit_test(what_has_lengths_of_its_own_keeps_them)};
    return cmocka_run_group_tests(tests, open_tiny, close_tiny);
}
