#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "agent/stream/dialect.h"
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
        {"{\"stop_sequence\":null,\"stop_reason\":\"moderated\"}", "moderated"},
        {"{\"stop_sequences\":[\"moderated\"],\"stopReason\":\"x\"}", "x"}, /* none of a list */
        {"{\"choices\":[{\"finish_reason\":\"stop\"},{\"finish_reason\":\"x\"}]}", "x"},
        {"{\"choices\":[{\"finish_reason\":[\"stop\",\"x\"]}]}", "x"},
        {"{\"finish_reason\":[\"stop\"],\"state\":\"y\",\"stop_reason\":[1,\"z\"]}", "z"},
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

/* A reason that is no word: the last row that one of a list has, and one that nobody knows. */
static void test_values(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        enum finish finish;
        uint32_t flags;
    } rows[] = {
        {"[\"stop\"]", FINISH_STOP, EVENT_FINISH},
        {"[\"length\",\"stop\"]", FINISH_LENGTH, EVENT_FINISH},
        {"[\"stop\",\"moderated\"]", FINISH_STOP, EVENT_FINISH},
        {"[null,\"content_filter\"]", FINISH_FILTER, EVENT_FINISH},
        {"[{\"type\":\"length\"}]", FINISH_LENGTH, EVENT_FINISH},
        {"[2]", FINISH_OTHER, EVENT_FINISH},
        {"2", FINISH_OTHER, EVENT_FINISH},
        {"true", FINISH_OTHER, EVENT_FINISH},
        {"{\"reason\":\"moderated\"}", FINISH_OTHER, EVENT_FINISH},
        {"{\"type\":\"stop\",\"matched\":7}", FINISH_STOP, EVENT_FINISH},
        {"[\"stop\",{\"type\":\"abort\"}]", FINISH_FAILED, EVENT_FINISH | EVENT_ERROR},
        {"[[\"stop\"],null,7]", FINISH_OTHER, EVENT_FINISH},
        {"0", FINISH_NONE, 0},
        {"false", FINISH_NONE, 0},
        {"[]", FINISH_NONE, 0},
        {"null", FINISH_NONE, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[160];
        (void)snprintf(text, sizeof text, "{\"choices\":[{\"delta\":{},\"finish_reason\":%s}]}", rows[i].value);
        const struct dialect *d = dialect_for(API_OPENAI_CHAT);
        struct event ev;
        d->scan(d, &(struct dialect_event){.name = "", .data = text, .len = strlen(text)}, &ev);
        if (ev.finish != rows[i].finish || ev.flags != rows[i].flags)
            fail_msg("%s: %d, flags %#x", rows[i].value, (int)ev.finish, ev.flags);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_find), cmocka_unit_test(test_values)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
