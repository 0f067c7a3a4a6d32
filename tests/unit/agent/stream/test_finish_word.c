#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "agent/stream/finish_word.h"

static void test_find(void **state)
{
    (void)state;
    static const struct {
        const char *data, *word;
    } rows[] = {
        {"{\"choices\":[{\"delta\":{},\"finish_reason\":\"moderated\"}]}", "moderated"},
        {"{\"choices\":[{\"delta\":{\"content\":\"a reason\"},\"finish_reason\":\"mo\\u0001d\"}]}", "mo\\u0001d"},
        {"{\"status\":\"in_progress\",\"details\":{\"reason\":\"moderated\"}}", "moderated"}, /* the surest first */
        {"{\"stop_sequence\":null,\"stop_reason\":\"pause_turn\"}", "pause_turn"},
        {"{\"stop_sequences\":[\"moderated\"],\"stopReason\":\"x\"}", "x"}, /* none of a list */
        {"{\"choices\":[{\"finish_reason\":\"stop\"},{\"finish_reason\":\"x\"}]}", "x"},
        {"{\"why\":\"x\"}", "{\"why\":\"x\"}"}, /* as a template's path may say */
        {"{\"reason\":\"x", "{\"reason\":\"x"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t n;
        const char *word = finish_word_find(rows[i].data, strlen(rows[i].data), &n);
        if (n != strlen(rows[i].word) || memcmp(word, rows[i].word, n) != 0)
            fail_msg("%s: %.*s", rows[i].data, (int)n, word);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_find)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
