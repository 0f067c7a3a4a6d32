#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "agent/stream/model_name.h"

static void test_find(void **state)
{
    (void)state;
    static const struct {
        const char *data, *name;
    } rows[] = {
        {"{\"id\":\"x\",\"model\":\"m\",\"choices\":[]}", "m"},
        {"{\"type\":\"message_start\",\"message\":{\"id\":\"x\",\"model\":\"claude\"}}", "claude"},
        {"{\"response\":{\"object\":\"response\",\"model\":\"m\"},\"model\":\"later\"}", "m"},
        {"{\"candidates\":[],\"modelVersion\":\"gemini-2.0-flash-001\"}", "gemini-2.0-flash-001"},
        {"{\"model\":\"\"}", NULL},
        {"{\"model\":null}", NULL},
        {"{\"model\":{\"model\":\"m\"}}", NULL},
        {"{\"choices\":[{\"model\":\"m\"}]}", NULL},
        {"{\"message\":{\"message\":{\"model\":\"m\"}}}", NULL},
        {"[{\"model\":\"m\"}]", NULL},
        {"[DONE]", NULL},
        {"{\"model\":\"m", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t n = 0;
        const char *name = model_name_find(rows[i].data, strlen(rows[i].data), &n);
        if (!name != !rows[i].name || (name && (n != strlen(rows[i].name) || memcmp(name, rows[i].name, n) != 0)))
            fail_msg("%s: found %.*s", rows[i].data, (int)n, name ? name : "");
    }
}

static void test_same(void **state)
{
    (void)state;
    static const struct {
        const char *asked, *named;
        bool same;
    } rows[] = {
        {"m", "m", true},
        {"gpt-4o", "gpt-4o-2024-08-06", true},
        {"gpt-3.5-turbo", "gpt-3.5-turbo-0125", true},
        {"claude-3-5-sonnet-latest", "claude-3-5-sonnet-20241022", true},
        {"claude-sonnet-4@20250514", "claude-sonnet-4", true},
        {"gemini-2.0-flash", "gemini-2.0-flash-001", true},
        {"llama3", "llama3:latest", true},
        {"anthropic.claude-3-haiku-20240307-v1", "anthropic.claude-3-haiku-20240307", true},
        {"Qwen/Qwen2.5-7B-Instruct", "qwen2.5-7b-instruct", true},
        {"llama-3.1-8b", "/models/Llama-3.1-8B.gguf", true},
        {"mistral-small-latest", "mistral-small-2409", true},
        {"gpt-4", "gpt-3.5-turbo", false},
        {"gpt-4", "gpt-4o", false},
        {"gpt-4", "gpt-4-turbo", false},
        {"gpt-4", "gpt-4-32k", false},
        {"gpt-4o-2024-05-13", "gpt-4o-2024-08-06", false},
        {"llama-3", "llama-3.1", false},
        {"llama-3.1-70b", "llama-3.1-8b", false},
        {"llama3:70b", "llama3:8b", false},
        {"qwen2.5", "qwen2.5:0.5b", false},
        {"m", "mm", false},
        {"m", "n", false},
        {"Llama-8B", "Llama-8B-AWQ", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (model_name_is_same(rows[i].asked, rows[i].named) != rows[i].same)
            fail_msg("%s, %s", rows[i].asked, rows[i].named);
        assert_int_equal(model_name_is_same(rows[i].named, rows[i].asked), rows[i].same);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_find), cmocka_unit_test(test_same)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
