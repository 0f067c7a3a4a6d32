/* Prompts by the plan's tokenizer: which words they are made of, and what they cost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/prompt.h"
#include "agent/stream/words.h"

/* the, for and are: bits 0, 2 and 3 of the first byte; keg and lag: the last two */
static const char MASK[] = "0d000000000000000000000000000000000000000000000000000000000000c0";

static void a_table_holds_the_words_of_the_mask(void **state)
{
    static const char FIVE[] = " the for are keg lag";
    static const struct word_costs NONE;
    struct plan_target t = {.tokenizer = {.file = "t.json", .words = MASK, .beside = 1}};
    struct prompt_tokens p;
    struct err e = {.text = ""};
    (void)state;
    assert_int_equal(prompt_tokens_init(&p, &t, &NONE, &e), 0);
    assert_true(p.on);
    _Static_assert(sizeof p.table == WORDS_TABLE, "a table for struct words");
    for (size_t i = 0; i < 256; i++)
        assert_memory_equal(p.table + 4 * i, FIVE + 4 * (i % 5), 4);

    char text[4 * 1000];
    const struct words w = {.seed = 3, .table = p.table, .n = 1000};
    struct words_at at;
    words_begin(&at, &w);
    assert_int_equal(words_read(&at, &w, text, sizeof text), sizeof text);
    for (size_t i = 0, k; i < 1000; i++) {
        for (k = 0; k < 5 && memcmp(text + 4 * i, FIVE + 4 * k, 4) != 0;)
            k++;
        assert_true(k < 5);
    }
}

static void what_a_length_costs(void **state)
{
    static const struct word_costs NONE, MEASURED = {.of = {{.word = 1, .beside = 27}, {.word = 2, .beside = 10}}};
    struct plan_target t = {.tokenizer = {.file = "t.json", .words = MASK, .beside = 1}};
    struct prompt_tokens p;
    struct err e = {.text = ""};
    (void)state;
    /* messages: the template's tokens are not known; a text: the tokenizer adds its own */
    assert_int_equal(prompt_tokens_init(&p, &t, &NONE, &e), 0);
    assert_int_equal(prompt_words(&p.costs.of[0], 100, true), 100);
    t.api = API_OPENAI_COMPLETIONS;
    assert_int_equal(prompt_tokens_init(&p, &t, &NONE, &e), 0);
    assert_int_equal(prompt_words(&p.costs.of[0], 100, true), 99);
    assert_int_equal(prompt_words(&p.costs.of[0], 100, false), 100); /* a block, a prefix */
    assert_int_equal(prompt_words(&p.costs.of[0], 1, true), 1);
    assert_int_equal(prompt_tokens_init(&p, &t, &MEASURED, &e), 0);
    assert_int_equal(prompt_words(word_costs_find(&p.costs, 0), 100, true), 73);
    assert_int_equal(prompt_words(word_costs_find(&p.costs, 1), 100, true), 45); /* each model as it counts */
    assert_int_equal(prompt_words(word_costs_find(&p.costs, 2), 100, true), 73); /* others as the first */
    assert_int_equal(prompt_words(word_costs_find(&p.costs, WORD_COSTS_MAX), 100, true), 73);

    t.tokenizer.words = NULL;
    assert_int_equal(prompt_tokens_init(&p, &t, &NONE, &e), -1);
    assert_string_equal(e.text, "the plan names a tokenizer, t.json, and not what follows from it");
    t.tokenizer.file = NULL;
    assert_int_equal(prompt_tokens_init(&p, &t, &MEASURED, &e), 0);
    assert_false(p.on);
    assert_true(p.costs.of[0].beside == 27);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_table_holds_the_words_of_the_mask),
                                       cmocka_unit_test(what_a_length_costs)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
