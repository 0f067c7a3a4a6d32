#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/prompt.h"

static void test_form(void **state)
{
    (void)state;
    for (uint32_t tokens = 1; tokens < 40; tokens++) {
        char *text = malloc(PROMPT_CHARS(tokens)); /* no byte more: a sanitizer sees the rest */
        assert_non_null(text);
        prompt_write(text, tokens, tokens / 3, 1, 2);
        for (size_t i = 0; i < PROMPT_CHARS(tokens); i++) {
            char c = text[i];
            if (i + 1 == PROMPT_CHARS(tokens))
                assert_int_equal(c, '.');
            else if (i % 4 == 3)
                assert_int_equal(c, ' ');
            else
                assert_in_range(c, 'a', 'z');
        }
        free(text);
    }
}

static void test_prefix(void **state)
{
    (void)state;
    char a[400], b[400];
    prompt_write(a, 100, 64, 9, 1);
    prompt_write(b, 100, 64, 9, 2);
    assert_memory_equal(a, b, PROMPT_CHARS(64));
    assert_memory_not_equal(a + PROMPT_CHARS(64), b + PROMPT_CHARS(64), PROMPT_CHARS(8));
    prompt_write(b, 100, 64, 10, 1);
    assert_memory_not_equal(a, b, PROMPT_CHARS(8));
    assert_memory_equal(a + PROMPT_CHARS(64), b + PROMPT_CHARS(64), PROMPT_CHARS(36));
    prompt_write(a, 100, 1000, 9, 1); /* a prefix is no longer than the prompt */
    prompt_write(b, 100, 100, 9, 2);
    assert_memory_equal(a, b, 400);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_form), cmocka_unit_test(test_prefix)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
