#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "agent/stream/dialect.h"
#include "common/json_scan.h"

#define CHAT dialect_for(API_OPENAI_CHAT)

static struct event scan_named(const char *name, const char *text)
{
    struct event ev;
    CHAT->scan(CHAT, &(struct dialect_event){.name = name, .name_len = strlen(name), .data = text, .len = strlen(text)},
               &ev);
    return ev;
}

static struct event scan(const char *text)
{
    return scan_named("", text);
}

static void test_flags(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t flags;
    } rows[] = {
        {"[DONE]", EVENT_END},
        {"[DONE] ", EVENT_END},
        {"[DONE]x", EVENT_MALFORMED},
        {"DONE", EVENT_MALFORMED},
        {"", 0},
        {"null", 0},
        {"1", EVENT_MALFORMED},
        {"\"\"", EVENT_MALFORMED},
        {"[]", EVENT_MALFORMED},
        {"{}", EVENT_UNKNOWN},
        {"{} ", EVENT_UNKNOWN},
        {"{}x", EVENT_MALFORMED},
        {"{\"choices\":[{\"delta\":{\"content\":\"a\"}}]", EVENT_MALFORMED},
        {"{\"choices\":[{\"delta\":{\"content\":\"a\"}}]}", EVENT_CONTENT},
        {" { \"choices\" : [ { \"delta\" : { \"content\" : \"a\" } } ] } ", EVENT_CONTENT},
        {"{\"choices\":[{\"delta\":{\"content\":\"\"}}]}", 0},
        {"{\"choices\":[{\"delta\":{\"content\":null}}]}", 0},
        {"{\"choices\":[{\"delta\":{\"content\":5}}]}", 0},
        {"{\"choices\":[{\"delta\":{\"content\":\"\\u0000\"}}]}", EVENT_CONTENT},
        {"{\"choices\":[{\"delta\":{\"content\":\"\\ud83d\"}}]}", EVENT_CONTENT},
        {"{\"ch\\u006fices\":[{\"delt\\u0061\":{\"content\":\"a\"}}]}", EVENT_CONTENT},
        {"{\"choices\":[{\"delta\":null}]}", 0},
        {"{\"choices\":null}", 0},
        {"{\"choices\":{\"delta\":{\"content\":\"a\"}}}", 0},
        {"{\"choices\":[[{\"delta\":{\"content\":\"a\"}}],1,null]}", 0},
        {"{\"delta\":{\"content\":\"a\"}}", EVENT_UNKNOWN},
        {"{\"x\":{\"choices\":[{\"delta\":{\"content\":\"a\"}}]}}", EVENT_UNKNOWN},
        {"{\"choices\":[{\"index\":1,\"delta\":{\"content\":\"\"}},{\"index\":0,\"delta\":{\"content\":\"b\"}}]}",
         EVENT_CONTENT},
        {"{\"choices\":[{\"delta\":{\"content\":\"a\"},\"finish_reason\":\"length\"}]}", EVENT_CONTENT | EVENT_FINISH},
        {"{\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}", EVENT_FINISH},
        {"{\"choices\":[{\"delta\":{},\"finish_reason\":\"\"}]}", 0},
        {"{\"choices\":[{\"delta\":{\"reasoning_content\":\"a\"}}]}", EVENT_REASONING},
        {"{\"choices\":[{\"delta\":{\"reasoning\":\"a\",\"content\":null}}]}", EVENT_REASONING},
        {"{\"choices\":[{\"delta\":{\"reasoning\":\"a\",\"reasoning_content\":\"a\",\"content\":\"b\"}}]}",
         EVENT_REASONING | EVENT_CONTENT},
        {"{\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"x\",\"function\":{\"name\":\"f\","
         "\"arguments\":\"\"}}]}}]}",
         EVENT_TOOL},
        {"{\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"{\\\"a\"}}]}}]}",
         EVENT_TOOL},
        {"{\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"\"}}]}}]}", 0},
        {"{\"choices\":[{\"delta\":{\"tool_calls\":[3,null,{\"function\":4}]}}]}", 0},
        {"{\"choices\":[{\"delta\":{\"function_call\":{\"arguments\":\"x\"}}}]}", EVENT_TOOL},
        {"{\"choices\":[{\"delta\":{\"refusal\":\"no\"}}]}", EVENT_CONTENT},
        {"{\"choices\":[{\"delta\":{\"content\":[{\"type\":\"text\",\"text\":\"a\"}]}}]}", EVENT_CONTENT},
        {"{\"choices\":[{\"delta\":{\"content\":[{\"type\":\"text\",\"text\":\"\"}, 7]}}]}", 0},
        {"{\"choices\":[{\"delta\":{\"content\":[{\"type\":\"reasoning\",\"summary\":[{\"type\":\"summary_text\","
         "\"text\":\"a\"}]}]}}]}",
         EVENT_REASONING},
        {"{\"choices\":[{\"text\":\"a\",\"index\":0}]}", EVENT_CONTENT},
        {"{\"choices\":[{\"text\":\"\",\"finish_reason\":\"stop\"}]}", EVENT_FINISH},
        {"{\"choices\":[{\"delta\":{\"content\":\"a\",\"content\":\"\"}}]}", EVENT_CONTENT}, /* twice: both count */
        {"{\"error\":{\"message\":\"x\",\"code\":500}}", EVENT_ERROR},
        {"{\"error\":\"x\"}", EVENT_ERROR},
        {"{\"error\":null,\"choices\":[{\"delta\":{\"content\":\"a\"}}]}", EVENT_CONTENT},
        {"{\"error\":\"\"}", EVENT_UNKNOWN},
        {"{\"error\":{\"message\":\"x\"", EVENT_MALFORMED},
        {"{\"object\":\"error\",\"message\":\"x\"}", EVENT_ERROR},
        {"{\"object\":\"chat.completion.chunk\"}", EVENT_UNKNOWN},
        {"{\"error_code\":\"RESOURCE_EXHAUSTED\",\"message\":\"x\"}", EVENT_ERROR},
        {"{\"choices\":[{\"delta\":{},\"finish_reason\":\"error\"}]}", EVENT_FINISH | EVENT_ERROR},
        {"{\"choices\":[{\"delta\":{},\"finish_reason\":\"abort\"}]}", EVENT_FINISH | EVENT_ERROR},
        {"{\"choices\":[{\"delta\":{},\"error\":{\"code\":502},\"finish_reason\":null}]}", EVENT_ERROR},
        {"{\"choices\":[{\"delta\":{},\"error\":null}]}", 0},
        /* errors in other vendors' shapes, when nothing of a chunk is there */
        {"{\"detail\":\"Not enough memory\"}", EVENT_ERROR},
        {"{\"detail\":[{\"loc\":[\"body\"]}]}", EVENT_ERROR},
        {"{\"detail\":null}", EVENT_UNKNOWN},
        {"{\"message\":\"upstream is gone\"}", EVENT_ERROR},
        {"{\"code\":1302,\"message\":\"rate\"}", EVENT_ERROR},
        {"{\"success\":false,\"msg\":\"no\"}", EVENT_ERROR},
        {"{\"success\":true}", EVENT_UNKNOWN},
        {"{\"status\":\"error\"}", EVENT_ERROR},
        {"{\"status\":\"ok\"}", EVENT_UNKNOWN},
        {"{\"status_code\":500}", EVENT_ERROR},
        {"{\"status_code\":200}", EVENT_UNKNOWN},
        {"{\"type\":\"error\",\"x\":1}", EVENT_ERROR},
        {"{\"base_resp\":{\"status_code\":1004,\"status_msg\":\"no\"},\"choices\":null}", EVENT_ERROR},
        {"{\"base_resp\":{\"status_code\":0,\"status_msg\":\"\"},\"choices\":[]}", 0},
        {"{\"code\":0,\"message\":\"Success\",\"choices\":[{\"delta\":{\"content\":\"a\"}}]}", EVENT_CONTENT},
        {"{\"choices\":[{\"delta\":{\"content\":[{\"type\":\"thinking\",\"thinking\":[{\"type\":\"text\",\"text\":"
         "\"a\"}]}]}}]}",
         EVENT_REASONING},
        {"{\"choices\":[{\"delta\":{\"content\":[{\"type\":\"thinking\",\"thinking\":\"a\"}]}}]}", EVENT_REASONING},
        {"{\"choices\":[{\"message\":{\"role\":\"assistant\",\"content\":\"a\"}}]}", EVENT_CONTENT},
        {"{\"usage\":null,\"choices\":[]}", 0},
        {"{\"usage\":{}}", 0},
        {"{\"usage\":{\"completion_tokens\":-1}}", 0},
        {"{\"usage\":{\"completion_tokens\":\"3\"}}", EVENT_USAGE},
        {"{\"usage\":{\"completion_tokens\":{\"completion_tokens\":3}}}", 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct event ev = scan(rows[i].text);
        if (ev.flags != rows[i].flags) fail_msg("%s: flags %#x, expected %#x", rows[i].text, ev.flags, rows[i].flags);
    }
}

static void test_usage(void **state)
{
    (void)state;
    struct event ev =
        scan("{\"choices\":[],\"usage\":{\"prompt_tokens\":29,\"total_tokens\":53,\"completion_tokens\":24,"
             "\"prompt_tokens_details\":{\"audio_tokens\":1,\"cached_tokens\":16},\"x\":{\"completion_tokens\":9}}}");
    assert_int_equal(ev.flags, EVENT_USAGE);
    assert_int_equal(ev.input_tokens, 29);
    assert_int_equal(ev.output_tokens, 24);
    assert_int_equal(ev.cached_tokens, 16);
    ev = scan("{\"usage\":{\"prompt_tokens_details\":null,\"completion_tokens\":0,\"prompt_tokens\":4}}");
    assert_int_equal(ev.flags, EVENT_USAGE);
    assert_int_equal(ev.input_tokens, 4);
    assert_int_equal(ev.cached_tokens, 0);
    ev = scan("{\"usage\":{\"prompt_tokens\":2e1,\"completion_tokens\":20.0}}");
    assert_int_equal(ev.flags, EVENT_USAGE);
    assert_int_equal(ev.input_tokens, 20);
    assert_int_equal(ev.output_tokens, 20);
    ev = scan("{\"usage\":{\"completion_tokens\":3}}}");
    assert_int_equal(ev.flags, EVENT_MALFORMED);
    assert_int_equal(ev.output_tokens, 0);
}

/* What a scanner notes: on which bytes the result hangs. */
static void test_notes(void **state)
{
    (void)state;
    static const char text[] = "{\"id\":\"x\",\"created\":17,\"n\":[{\"k\":\"v\"},2,null],\"choices\":[{\"delta\":{"
                               "\"role\":\"a\",\"content\":\"hey\"},"
                               "\"finish_reason\":null}],\"usage\":{\"completion_tokens\":3,\"prompt_tokens\":\"4\"}}";
    static const struct {
        const char *text;
        enum json_note_kind kind;
    } expect[] = {{"x", JSON_NOTE_STRING}, {"17", JSON_NOTE_NUMBER}, {"v", JSON_NOTE_STRING}, {"2", JSON_NOTE_NUMBER},
                  {"a", JSON_NOTE_STRING}, {"hey", JSON_NOTE_TEXT},  {"3", JSON_NOTE_OUTPUT}};
    struct json_notes notes = {0};
    struct event ev;
    CHAT->scan(CHAT, &(struct dialect_event){.name = "", .data = text, .len = sizeof text - 1, .notes = &notes}, &ev);
    assert_int_equal(ev.flags, EVENT_CONTENT | EVENT_USAGE);
    assert_int_equal(notes.n, sizeof expect / sizeof *expect);
    for (uint32_t i = 0; i < notes.n; i++) {
        assert_int_equal(notes.note[i].kind, expect[i].kind);
        assert_int_equal(notes.note[i].len, strlen(expect[i].text));
        assert_memory_equal(text + notes.note[i].at, expect[i].text, notes.note[i].len);
    }
}

static void test_error_event(void **state)
{
    (void)state;
    struct event ev;
    ev = scan_named("error", "not json");
    assert_int_equal(ev.flags, EVENT_ERROR);
    ev = scan_named("errors", "{\"choices\":[]}");
    assert_int_equal(ev.flags, 0);
}

static void check_body(enum plan_api api, const struct dialect_request *r, const char *expect)
{
    struct buf b __attribute__((cleanup(buf_free))) = BUF_INIT(1 << 20);
    assert_int_equal(dialect_for(api)->write_body(dialect_for(api), r, &b), 0);
    assert_string_equal(buf_str(&b), expect);
    assert_true(json_valid(buf_str(&b), b.len));
}

#define SPEC(text, ...)                                                                                                \
    (&(struct dialect_request){.messages = &(struct dialect_message){"user", text, sizeof(text) - 1},                  \
                               .n_messages = 1,                                                                        \
                               .output_tokens = 16,                                                                    \
                               __VA_ARGS__})

static void test_bodies(void **state)
{
    (void)state;
    check_body(
        API_OPENAI_CHAT, SPEC("hi", .model = "m"),
        "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"max_tokens\":16,\"stream\":true,"
        "\"stream_options\":{\"include_usage\":true}}");
    check_body(API_OPENAI_COMPLETIONS, SPEC("hi", .model = "m", .body = "{}"),
               "{\"model\":\"m\",\"prompt\":\"hi\",\"max_tokens\":16,\"stream\":true,\"stream_options\":{\"include_"
               "usage\":true}}");
    check_body(API_DATABRICKS, SPEC("hi", .model = "m"),
               "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"max_tokens\":16,\"stream\":true}");
    check_body(API_OPENAI_COMPLETIONS, SPEC("", .body = ""),
               "{\"prompt\":\"\",\"max_tokens\":16,\"stream\":true,\"stream_options\":{\"include_usage\":true}}");
}

static void test_conversation(void **state)
{
    (void)state;
    static const struct dialect_message talk[] = {
        {"system", "be \"brief\"", 10}, {"user", "hi", 2}, {"assistant", "yes?", 4}, {"user", "why", 3}};
    const struct dialect_request r = {.model = "m", .messages = talk, .n_messages = 4, .output_tokens = 16};
    check_body(API_DATABRICKS, &r,
               "{\"messages\":[{\"role\":\"system\",\"content\":\"be \\\"brief\\\"\"},"
               "{\"role\":\"user\",\"content\":\"hi\"},{\"role\":\"assistant\",\"content\":\"yes?\"},"
               "{\"role\":\"user\",\"content\":\"why\"}],\"max_tokens\":16,\"stream\":true}");
    check_body(API_OPENAI_COMPLETIONS, &r,
               "{\"model\":\"m\",\"prompt\":\"be \\\"brief\\\"\\n\\nhi\\n\\nyes?\\n\\nwhy\",\"max_tokens\":16,"
               "\"stream\":true,\"stream_options\":{\"include_usage\":true}}");
}

static void test_plan_body_wins(void **state)
{
    (void)state;
    check_body(API_OPENAI_COMPLETIONS, SPEC("hi", .model = "m", .body = "{\"ignore_eos\":true,\"min_tokens\":16}"),
               "{\"model\":\"m\",\"prompt\":\"hi\",\"max_tokens\":16,\"stream\":true,\"stream_options\":{\"include_"
               "usage\":true},"
               "\"ignore_eos\":true,\"min_tokens\":16}");
    check_body(
        API_OPENAI_COMPLETIONS,
        SPEC("hi", .model = "m", .body = " { \"max_tokens\" : 3 , \"model\":\"x\", \"nested\":{\"stream\":false} } "),
        "{\"prompt\":\"hi\",\"stream\":true,\"stream_options\":{\"include_usage\":true},\"max_tokens\" : 3 , "
        "\"model\":\"x\", "
        "\"nested\":{\"stream\":false} }");
    check_body(API_OPENAI_CHAT,
               SPEC("hi", .body = "{\"max_completion_tokens\":9,\"str\\u0065am_options\":null,\"messages\":[]}"),
               "{\"stream\":true,\"max_completion_tokens\":9,\"str\\u0065am_options\":null,\"messages\":[]}");
    check_body(API_DATABRICKS, SPEC("hi", .body = "{\"messages\":1,\"max_tokens\":2,\"stream\":true}"),
               "{\"messages\":1,\"max_tokens\":2,\"stream\":true}");
    static const char *const bad[] = {"[]", "{", "{\"a\":1", "{\"a\":1}}", "x", "{}{}", "{\"a\"}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct buf b __attribute__((cleanup(buf_free))) = BUF_INIT(1000);
        assert_int_equal(CHAT->write_body(CHAT, SPEC("hi", .body = bad[i]), &b), -1);
    }
}

static void test_escaping(void **state)
{
    (void)state;
    check_body(API_OPENAI_COMPLETIONS,
               SPEC("a\"b\\c\nd\te\x01\x1f\x7f\0f\xe4\xbd\xa0\"", .body = "{\"max_tokens\":1,\"stream_options\":0}"),
               "{\"prompt\":\"a\\\"b\\\\c\\u000ad\\u0009e\\u0001\\u001f\x7f\\u0000f\xe4\xbd\xa0\\\"\",\"stream\":true,"
               "\"max_tokens\":1,\"stream_options\":0}");
    struct buf small __attribute__((cleanup(buf_free))) = BUF_INIT(60);
    assert_int_equal(CHAT->write_body(CHAT, SPEC("too long for it, this one is", .model = "m"), &small), -1);
}

static void test_table(void **state)
{
    (void)state;
    for (int api = 0; api < API_N; api++) {
        const struct dialect *d = dialect_for((enum plan_api)api);
        assert_non_null(d);
        assert_non_null(d->write_body);
        assert_non_null(d->scan);
    }
    assert_null(dialect_for(API_N));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flags),          cmocka_unit_test(test_usage),    cmocka_unit_test(test_notes),
        cmocka_unit_test(test_error_event),    cmocka_unit_test(test_bodies),   cmocka_unit_test(test_conversation),
        cmocka_unit_test(test_plan_body_wins), cmocka_unit_test(test_escaping), cmocka_unit_test(test_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
