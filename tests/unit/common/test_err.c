#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/err.h"

static void test_set_and_context(void **state)
{
    (void)state;
    struct err e = {0};
    assert_int_equal(err_set(&e, ERR_PLAN, "rate: must be > 0, got %d", -1), -1);
    assert_int_equal(e.code, ERR_PLAN);
    assert_string_equal(e.text, "rate: must be > 0, got -1");
    assert_int_equal(err_context(&e, "load.stages[%d]", 2), -1);
    assert_int_equal(err_context(&e, "chat.yaml"), -1);
    assert_string_equal(e.text, "chat.yaml: load.stages[2]: rate: must be > 0, got -1");
    assert_int_equal(e.code, ERR_PLAN);
    assert_int_equal(err_set(NULL, ERR_IO, "dropped"), -1);
    assert_int_equal(err_context(NULL, "dropped"), -1);
}

/* A sentence that is too long is cut, whichever end it grows at, and stays a string. */
static void test_long(void **state)
{
    (void)state;
    struct err e = {0};
    char text[3 * sizeof e.text];
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = 0;
    (void)err_set(&e, ERR_IO, "%s", text);
    assert_int_equal(strlen(e.text), sizeof e.text - 1);
    (void)err_context(&e, "here");
    assert_int_equal(strlen(e.text), sizeof e.text - 1);
    assert_memory_equal(e.text, "here: xxx", 9);
    (void)err_context(&e, "%s", text);
    assert_int_equal(strlen(e.text), sizeof e.text - 1);
    (void)err_set(&e, ERR_IO, "short");
    (void)err_context(&e, "%.598s", text);
    assert_int_equal(strlen(e.text), sizeof e.text - 1);
}

static void test_status_and_name(void **state)
{
    (void)state;
#define X(name, status, text)                                                                                          \
    assert_int_equal(err_exit_status(&(struct err){.code = ERR_##name}), status);                                      \
    assert_string_equal(err_code_name(ERR_##name), #name);
#include "common/err.def"
#undef X
    assert_int_equal(err_exit_status(&(struct err){.code = ERR_N}), 1);
    assert_string_equal(err_code_name(ERR_N), "?");
    /* others script against these */
    assert_int_equal(err_exit_status(&(struct err){.code = ERR_USAGE}), 2);
    assert_int_equal(err_exit_status(&(struct err){.code = ERR_PLAN}), 2);
    assert_int_equal(err_exit_status(&(struct err){.code = ERR_INVALID}), 3);
    assert_int_equal(err_exit_status(&(struct err){.code = ERR_AGENTS}), 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_set_and_context), cmocka_unit_test(test_long),
                                       cmocka_unit_test(test_status_and_name)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
