/* api: template: two named APIs written as templates say the same of real streams, event by event and in sum; what a
 * template writes; and what each kind of end, path and framing finds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/unit/capture.h"
#include "tests/unit/stream_said.h"

static struct gap_pool *pool;
static struct stream s;

/* A plan with this template; its dialect borrows it. */
static struct plan *open_template(const char *template, struct dialect *ret)
{
    static char yaml[4096];
    struct err e = {.text = ""};
    (void)snprintf(yaml, sizeof yaml,
                   "plan: 1\ntarget:\n  url: http://h/x\n  api: template\n  model: m\n  template: {%s}\n"
                   "load: {concurrency: 1, requests: 1}\n",
                   template);
    struct plan *p = plan_load("p.yaml", yaml, strlen(yaml), NULL, 0, &e);
    if (!p) fail_msg("%s\n%s", e.text, yaml);
    dialect_open(&p->target, ret);
    return p;
}

#define CHAT                                                                                                           \
    "body: '{\"model\":{model},\"messages\":{messages},\"max_tokens\":{output_tokens},\"stream\":true,"                \
    "\"stream_options\":{\"include_usage\":true}}', "                                                                  \
    "text: ['choices[].delta.content', 'choices[].delta.refusal'], "                                                   \
    "reasoning: ['choices[].delta.reasoning_content', 'choices[].delta.reasoning'], "                                  \
    "tools: ['choices[].delta.tool_calls[].function.name', 'choices[].delta.tool_calls[].function.arguments'], "       \
    "usage: {input: usage.prompt_tokens, output: usage.completion_tokens, "                                            \
    "cached: usage.prompt_tokens_details.cached_tokens, "                                                              \
    "reasoning: usage.completion_tokens_details.reasoning_tokens}, "                                                   \
    "finish: 'choices[].finish_reason', end: {data: '[DONE]'}"
#define OLLAMA                                                                                                         \
    "body: '{\"model\":{model},\"messages\":{messages},\"options\":{\"num_predict\":{output_tokens}},"                 \
    "\"stream\":true}', framing: ndjson, text: message.content, reasoning: message.thinking, "                         \
    "tools: ['message.tool_calls[].function.name', 'message.tool_calls[].function.arguments'], "                       \
    "usage: {input: prompt_eval_count, output: eval_count}, finish: done_reason, end: {finish: done}"

static void say(const struct dialect *d, const struct capture *c, size_t cut, bool full_only, struct said *ret)
{
    stream_begin(&s, d, pool, 0, INT64_MAX);
    s.full_only = full_only;
    for (size_t at = 0; at < c->n; at += cut)
        (void)stream_feed(&s, c->body + at, c->n - at < cut ? c->n - at : cut, (int64_t)(1000 + at));
    stream_said(&s, END_COMPLETE, (int)c->status, ret);
}

static void test_like_named(void **state)
{
    (void)state;
    static const struct {
        const char *name, *template;
        enum plan_api api;
    } rows[] = {
        {"vllm-chat-stream", CHAT, API_OPENAI_CHAT},
        {"vllm-chat-stream-usage", CHAT, API_OPENAI_CHAT},
        {"vllm-chat-stream-continuous-usage", CHAT, API_OPENAI_CHAT},
        {"llamacpp-chat-stream-usage", CHAT, API_OPENAI_CHAT},
        {"llamacpp-b11549-chat-stream-reasoning", CHAT, API_OPENAI_CHAT},
        {"lcppy-interrupted-stream", CHAT, API_OPENAI_CHAT},
        {"lcppy-err-ctx-stream", CHAT, API_OPENAI_CHAT},
        {"vllm-err-model404", CHAT, API_OPENAI_CHAT},
        {"ollama-v1-chat-stream-thinking", CHAT, API_OPENAI_CHAT},
        {"ollama-chat-ndjson", OLLAMA, API_OLLAMA},
        {"ollama-runner-killed-ndjson", OLLAMA, API_OLLAMA},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct dialect d;
        struct capture c;
        struct said named, own;
        struct plan *p = open_template(rows[i].template, &d);
        capture_load(&c, rows[i].name);
        for (size_t cut = 1; cut <= 4096; cut *= 4) {
            say(dialect_for(rows[i].api), &c, cut, false, &named);
            say(&d, &c, cut, false, &own);
            if (memcmp(&named, &own, sizeof own) != 0) fail_msg("%s, pieces of %zu bytes", rows[i].name, cut);
            say(&d, &c, cut, true, &own);
            if (memcmp(&named, &own, sizeof own) != 0) fail_msg("%s: shape and scanner differ", rows[i].name);
        }
        capture_clear(&c);
        plan_destroy(&p);
    }
}

/* What is written is what the named API writes, and what a template of its own wants. */
static void test_bodies(void **state)
{
    (void)state;
    static const struct {
        const char *template, *body;
        uint32_t tokens;
    } rows[] = {
        {CHAT,
         "{\"model\":\"m\\\"1\",\"messages\":[{\"role\":\"system\",\"content\":\"be\\u000abrief\"},{\"role\":\"user\","
         "\"content\":\"hi \\\"you\\\"\"}],\"max_tokens\":16,\"stream\":true,\"stream_options\":{\"include_usage\":"
         "true}}",
         16},
        {"body: '{\"p\": \"<s>{prompt}</s> by {model}, {output_tokens}\", \"n\": {output_tokens}, \"x\": {}}', text: "
         "a, end: close",
         "{\"p\": \"<s>be\\u000abrief\\n\\nhi \\\"you\\\"</s> by m\\\"1, 16\", \"n\": 16, \"x\": {}}", 16},
        {"body: '[{prompt}, {output_tokens}, \"{output_tokens}\", \"\\\"{\"]', text: a, end: close",
         "[\"be\\u000abrief\\n\\nhi \\\"you\\\"\", null, \"\", \"\\\"{\"]", 0},
    };
    const struct dialect_message two[] = {{.role = "system", .text = "be\nbrief", .len = 8},
                                          {.role = "user", .text = "hi \"you\"", .len = 8}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct dialect d;
        struct buf out __attribute__((cleanup(buf_clear))) = BUF_INIT(1u << 16);
        struct plan *p = open_template(rows[i].template, &d);
        struct dialect_request r = {
            .model = "m\"1", .messages = two, .n_messages = 2, .output_tokens = rows[i].tokens, .body = "{}"};
        assert_int_equal(d.write_body(&d, &r, &out), 0);
        assert_string_equal(buf_str(&out), rows[i].body);
        plan_destroy(&p);
    }
}

#define BODY "body: '[{prompt}]', "

static void test_events(void **state)
{
    (void)state;
    static const struct {
        const char *template, *name, *data;
        uint32_t flags, in, out;
    } rows[] = {
        {BODY "text: 'out[0].t', end: close", "", "{\"out\":[{\"t\":\"a\"},{\"t\":\"\"}]}", EVENT_CONTENT, 0, 0},
        {BODY "text: 'out[1].t', end: close", "", "{\"out\":[{\"t\":\"a\"},{\"t\":\"\"}]}", 0, 0, 0},
        {BODY "text: 'out[][].t', end: close", "", "{\"out\":[[],[1,{\"t\":\"a\"}]]}", EVENT_CONTENT, 0, 0},
        {BODY "text: 'out[]', end: close", "", "{\"out\":[\"\",\"a\"]}", EVENT_CONTENT, 0, 0},
        {BODY "text: a.b, end: close", "", "{\"a\":[{\"b\":\"x\"}]}", 0, 0, 0},
        {BODY "text: a.b, end: close", "", "{\"a\":{\"b\":[{\"type\":\"text\",\"text\":\"x\"}]}}", EVENT_CONTENT, 0, 0},
        {BODY "text: a.b, end: close", "", "{\"b\":{\"a\":\"x\"}}", EVENT_UNKNOWN, 0, 0},
        {BODY "text: a.b, end: close", "", "{\"error\":{\"code\":1}}", EVENT_ERROR, 0, 0},
        {BODY "text: a, error: st.bad, end: close", "", "{\"st\":{\"bad\":\"x\"}}", EVENT_ERROR, 0, 0},
        {BODY "text: a, error: st.bad, end: close", "", "{\"st\":{\"bad\":0},\"a\":\"\"}", 0, 0, 0},
        {BODY "text: a, usage: {input: u.i, output: u.o}, end: close", "", "{\"u\":{\"o\":\"7\",\"i\":3}}", EVENT_USAGE,
         3, 7},
        {BODY "text: a, finish: f, end: {finish: f}", "", "{\"f\":\"stop\"}", EVENT_FINISH | EVENT_END, 0, 0},
        {BODY "text: a, finish: f, end: {finish: f}", "", "{\"f\":null,\"a\":\"x\"}", EVENT_CONTENT, 0, 0},
        {BODY "text: a, finish: f, end: close", "", "{\"f\":\"error\"}", EVENT_FINISH | EVENT_ERROR, 0, 0},
        {BODY "text: a, end: {finish: d}", "", "{\"a\":\"x\",\"d\":true}", EVENT_CONTENT | EVENT_END, 0, 0},
        {BODY "text: a, end: {finish: d}", "", "{\"a\":\"x\",\"d\":false}", EVENT_CONTENT, 0, 0},
        {BODY "text: a, end: {event: bye}", "bye", "{\"a\":\"x\"}", EVENT_CONTENT | EVENT_END, 0, 0},
        {BODY "text: a, end: {event: bye}", "bye", "so long", EVENT_END, 0, 0},
        {BODY "text: a, end: {event: bye}", "bye", "", EVENT_END, 0, 0},
        {BODY "text: a, end: {event: bye}", "byes", "{}", EVENT_UNKNOWN, 0, 0},
        {BODY "text: a, end: {data: end}", "", "end ", EVENT_END, 0, 0},
        {BODY "text: a, end: {data: end}", "", "ended", EVENT_MALFORMED, 0, 0},
        {BODY "text: a, tools: 'c[].args', end: close", "", "{\"c\":[{\"args\":{\"x\":1}}]}", EVENT_TOOL, 0, 0},
        {BODY "text: a, tools: 'c[].args', end: close", "", "{\"c\":[{\"args\":\"\"}]}", 0, 0, 0},
        {BODY "framing: json, text: '[].t'", "", " [{\"t\":\"a\"}]", EVENT_CONTENT, 0, 0},
        {BODY "framing: json, text: '[].t'", "", "{\"error\":\"no\"}", EVENT_ERROR, 0, 0},
        {BODY "framing: json, text: '[].t'", "", "{\"t\":\"a\"}", EVENT_UNKNOWN, 0, 0},
        {BODY "framing: json, text: '[].t'", "", "[{\"t\":\"a\"", EVENT_MALFORMED, 0, 0},
        {BODY "framing: json, text: t", "", "[{\"t\":\"a\"}]", EVENT_MALFORMED, 0, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct dialect d;
        struct event ev;
        struct plan *p = open_template(rows[i].template, &d);
        d.scan(
            &d,
            &(struct dialect_event){rows[i].name, rows[i].data, strlen(rows[i].name), strlen(rows[i].data), NULL, NULL},
            &ev);
        if (ev.flags != rows[i].flags)
            fail_msg("%s: %s: flags %#x, expected %#x", rows[i].template, rows[i].data, ev.flags, rows[i].flags);
        assert_int_equal(ev.input_tokens, rows[i].in);
        assert_int_equal(ev.output_tokens, rows[i].out);
        plan_destroy(&p);
    }
}

/* The body's end, a whole list, and a stream in which the marker is missing. */
static void test_outcomes(void **state)
{
    (void)state;
    static const struct {
        const char *template, *body;
        enum counter outcome;
        uint32_t events;
    } rows[] = {
        {BODY "text: t, end: close", "data: {\"t\":\"a\"}\n\ndata: {\"t\":\"b\"}\n\n", COUNTER_OK, 2},
        {BODY "text: t, end: {data: X}", "data: {\"t\":\"a\"}\n\ndata: X\n\n", COUNTER_OK, 1},
        {BODY "text: t, end: {data: X}", "data: {\"t\":\"a\"}\n\n", COUNTER_FAILED_TRUNCATED, 1},
        {BODY "text: t, framing: ndjson, end: {finish: d}", "{\"t\":\"a\"}\n{\"d\":1}", COUNTER_OK, 1},
        {BODY "text: t, framing: ndjson, end: {data: bye}", "{\"t\":\"a\"}\nbye\n", COUNTER_OK, 1},
        {BODY "framing: json, text: '[].t', usage: {output: '[].n'}", "[{\"t\":\"a b\",\"n\":2}]", COUNTER_OK, 1},
        {BODY "framing: json, text: '[].t'", "[]", COUNTER_FAILED_EMPTY, 0},
        {BODY "framing: json, text: t", "data: {\"t\":\"a\"}\n\n", COUNTER_FAILED_MALFORMED, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct dialect d;
        struct said said;
        struct plan *p = open_template(rows[i].template, &d);
        stream_begin(&s, &d, pool, 0, INT64_MAX);
        (void)stream_feed(&s, rows[i].body, strlen(rows[i].body), 1000);
        stream_said(&s, END_COMPLETE, 200, &said);
        if (said.outcome != rows[i].outcome) fail_msg("%s: %s", rows[i].body, COUNTERS[said.outcome].name);
        assert_int_equal(said.events, rows[i].events);
        plan_destroy(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_like_named), cmocka_unit_test(test_bodies),
                                       cmocka_unit_test(test_events), cmocka_unit_test(test_outcomes)};
    pool = gap_pool_new(1000, 1, NULL);
    if (!pool) return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    gap_pool_destroy(&pool);
    return failed;
}
