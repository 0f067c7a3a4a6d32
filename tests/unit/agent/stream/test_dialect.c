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
        {" [DONE]", EVENT_END},
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
        {"{\"choices\":[{\"delta\":{\"content\":5}}]}", EVENT_UNKNOWN},
        {"{\"choices\":[{\"delta\":{\"content\":{\"text\":\"a\"}}}]}", EVENT_UNKNOWN},
        {"{\"choices\":[{\"delta\":{\"content\":null,\"thinking\":\"a\"}}]}", EVENT_REASONING},
        {"{\"choices\":[{\"delta\":{\"reasoning_text\":\"a\"}}]}", EVENT_REASONING},
        {"{\"choices\":[{\"delta\":{\"content\":null,\"musing\":\"a\"}}]}", EVENT_UNKNOWN},
        {"{\"choices\":[{\"delta\":{\"role\":\"assistant\",\"musing\":\"a\"}}]}", EVENT_UNKNOWN},
        {"{\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\",\"prefix\":true}}]}", 0},
        {"{\"choices\":[{\"delta\":{\"role\":\"assistant\",\"channel\":\"analysis\"}}]}", 0},
        {"{\"choices\":[{\"delta\":{\"content\":\"\",\"audio\":{\"data\":\"a\"}}}]}", EVENT_UNKNOWN},
        {"{\"choices\":[{\"delta\":{\"content\":\"\",\"audio\":\"\",\"x\":null}}]}", 0},
        {"{\"choices\":[{\"delta\":{\"content\":\"a\",\"musing\":\"a\"}}]}", EVENT_CONTENT},
        {"{\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\",\"name\":\"a\"}}]}", 0},
        {"{\"choices\":[{\"delta\":{\"annotations\":[{\"url\":\"a\"}]}}]}", 0},
        {"{\"choices\":[{\"delta\":{},\"finish_reason\":null}]}", 0},
        {"{\"choices\":[{\"text\":\"\"}]}", 0},
        {"{\"choices\":[{\"index\":0}]}", EVENT_UNKNOWN},
        {"{\"choices\":[{\"index\":0,\"finish_reason\":\"stop\"}]}", EVENT_FINISH},
        {"{\"choices\":[{\"index\":0,\"content_filter_results\":{\"hate\":{\"filtered\":false}}}]}", 0},
        {"{\"choices\":[],\"prompt_filter_results\":[{\"prompt_index\":0}]}", 0},
        {"{\"choices\":[]}", EVENT_UNKNOWN},
        {"{\"choices\":[],\"usage\":null}", EVENT_UNKNOWN},
        {"{\"choices\":null,\"usage\":{\"completion_tokens\":5}}", EVENT_USAGE},
        {"{\"choices\":[],\"code\":400,\"message\":\"no\"}", EVENT_ERROR},
        {"{\"choices\":[],\"usage\":{\"input_tokens\":16,\"output_tokens\":5}}", EVENT_USAGE},
        {"{\"usage\":{\"input_tokens\":16,\"output_tokens\":5},\"choices\":[]}", EVENT_USAGE},
        {"{\"usage\":{\"input_tokens\":16,\"output_tokens\":5}}", 0}, /* of another API's stream, perhaps */
        {"{\"ret\":-1}", EVENT_UNKNOWN},
        {"{\"choices\":[],\"err_msg\":\"boom\",\"err_no\":17}", EVENT_ERROR},
        {"{\"choices\":[],\"err_msg\":\"\",\"err_no\":0}", EVENT_UNKNOWN},
        {"{\"result\":null,\"ok\":false}", EVENT_ERROR},
        {"{\"ok\":true}", EVENT_UNKNOWN},
        {"{\"choices\":[{\"delta\":{},\"finish_reason\":\"server_error\"}]}", EVENT_FINISH | EVENT_ERROR},
        {"{\"status\":3}", EVENT_UNKNOWN},
        {"{\"choices\":[{\"delta\":{\"content\":\"\\u0000\"}}]}", EVENT_CONTENT},
        {"{\"choices\":[{\"delta\":{\"content\":\"\\ud83d\"}}]}", EVENT_CONTENT},
        {"{\"ch\\u006fices\":[{\"delt\\u0061\":{\"content\":\"a\"}}]}", EVENT_CONTENT},
        {"{\"choices\":[{\"delta\":null}]}", EVENT_UNKNOWN},
        {"{\"choices\":null}", EVENT_UNKNOWN},
        {"{\"choices\":{\"delta\":{\"content\":\"a\"}}}", EVENT_UNKNOWN},
        {"{\"choices\":[[{\"delta\":{\"content\":\"a\"}}],1,null]}", EVENT_UNKNOWN},
        {"{\"delta\":{\"content\":\"a\"}}", EVENT_UNKNOWN},
        {"{\"x\":{\"choices\":[{\"delta\":{\"content\":\"a\"}}]}}", EVENT_UNKNOWN},
        {"{\"choices\":[{\"index\":1,\"delta\":{\"content\":\"\"}},{\"index\":0,\"delta\":{\"content\":\"b\"}}]}",
         EVENT_CONTENT},
        {"{\"choices\":[{\"delta\":{\"content\":\"a\"},\"finish_reason\":\"length\"}]}", EVENT_CONTENT | EVENT_FINISH},
        {"{\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}", EVENT_FINISH},
        {"{\"choices\":[{\"delta\":{},\"finish_reason\":\"\"}]}", 0},
        {"{\"choices\":[{\"delta\":{\"reasoning_content\":\"a\"}}]}", EVENT_REASONING},
        {"{\"choices\":[{\"delta\":{\"reasoning_details\":[{\"type\":\"reasoning.text\",\"text\":\"a\"}]}}]}",
         EVENT_REASONING},
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
        {"{\"choices\":[{\"delta\":{\"refusal\":\"no\"}}]}", EVENT_CONTENT | EVENT_REFUSAL},
        {"{\"choices\":[{\"delta\":{\"content\":\"a\",\"refusal\":null}}]}", EVENT_CONTENT},
        {"{\"choices\":[{\"delta\":{\"content\":[{\"type\":\"refusal\",\"refusal\":\"no\"}]}}]}",
         EVENT_CONTENT | EVENT_REFUSAL},
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
        {"{\"choices\":[{\"delta\":{},\"finish_reason\":\"insufficient_system_resource\"}]}",
         EVENT_FINISH | EVENT_ERROR},
        {"{\"choices\":[{\"delta\":{},\"finish_reason\":\"network_error\"}]}", EVENT_FINISH | EVENT_ERROR},
        {"{\"choices\":[{\"delta\":{},\"finish_reason\":\"canceled\"}]}", EVENT_FINISH | EVENT_ERROR},
        {"{\"choices\":[{\"delta\":{},\"finish_reason\":\"timed_out\"}]}", EVENT_FINISH | EVENT_ERROR},
        {"{\"choices\":[{\"delta\":{},\"finish_reason\":{\"type\":\"abort\",\"message\":\"full\",\"status_code\":500}}]"
         "}",
         EVENT_FINISH | EVENT_ERROR},
        {"{\"choices\":[{\"finish_reason\":{\"type\":\"length\",\"length\":[16]},\"delta\":{\"content\":\"a\"}}]}",
         EVENT_CONTENT | EVENT_FINISH},
        {"{\"choices\":[{\"delta\":{},\"finish_reason\":{}}]}", EVENT_FINISH}, /* a reason that nobody knows */
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
        {"{\"error_message\":\"boom\"}", EVENT_ERROR},
        {"{\"errorMessage\":\"boom\",\"errorType\":\"x\"}", EVENT_ERROR},
        {"{\"errmsg\":\"boom\",\"errcode\":1}", EVENT_ERROR},
        {"{\"errmsg\":\"\",\"errcode\":0}", EVENT_UNKNOWN},
        {"{\"Error\":\"boom\"}", EVENT_ERROR},
        {"{\"errors\":[{\"message\":\"x\"}]}", EVENT_ERROR},
        {"{\"errors\":[ ],\"choices\":[]}", EVENT_UNKNOWN},
        {"{\"exception\":\"boom\"}", EVENT_ERROR},
        {"{\"Message\":\"boom\",\"Code\":\"Throttling\"}", EVENT_ERROR},
        {"{\"internalServerException\":{\"message\":\"boom\"},\"p\":\"abc\"}", EVENT_ERROR},
        {"{\"modelStreamErrorException\":{}}", EVENT_ERROR},
        {"{\"ServerError\":\"boom\"}", EVENT_ERROR},
        {"{\"lastError\":\"boom\",\"choices\":[{\"delta\":{\"content\":\"a\"}}]}", EVENT_CONTENT},
        {"{\"lastError\":\"\",\"lastException\":null}", EVENT_UNKNOWN},
        {"{\"mean_error\":0.5,\"terror\":1}", EVENT_UNKNOWN},
        {"{\"status\":{\"code\":13,\"message\":\"internal\",\"details\":[{\"code\":0}]}}", EVENT_ERROR},
        {"{\"header\":{\"message\":\"audit failed\",\"code\":10013,\"sid\":\"x\",\"status\":2}}", EVENT_ERROR},
        {"{\"result\":{\"code\":\"INTERNAL\",\"msg\":\"boom\"}}", EVENT_ERROR},
        {"{\"Response\":{\"Error\":{\"Code\":\"LimitExceeded\"},\"RequestId\":\"1\"}}", EVENT_ERROR},
        {"{\"data\":{\"error\":\"boom\"}}", EVENT_ERROR},
        {"{\"data\":{\"success\":false,\"msg\":\"boom\"}}", EVENT_ERROR},
        {"{\"data\":{\"error\":null,\"errors\":[],\"success\":true}}", EVENT_UNKNOWN},
        {"{\"data\":{\"error\":\"boom\"},\"choices\":[{\"delta\":{\"content\":\"a\"}}]}", EVENT_CONTENT},
        {"{\"event\":\"error\",\"data\":\"boom\"}", EVENT_ERROR},
        {"{\"state\":\"FAILED\"}", EVENT_ERROR},
        {"{\"kind\":\"error\"}", EVENT_ERROR},
        {"{\"kind\":\"notice\"}", EVENT_UNKNOWN},
        {"{\"event\":\"ping\"}", 0},
        {"{\"event\":\"tick\"}", EVENT_UNKNOWN},
        {"{\"event\":\"error\",\"choices\":[{\"delta\":{\"content\":\"a\"}}]}", EVENT_CONTENT},
        {"{\"type\":\"stream_error\",\"text\":\"boom\"}", EVENT_ERROR},
        {"{\"type\":\"ModelException\"}", EVENT_ERROR},
        {"{\"type\":\"ping\"}", 0},
        {"{\"type\":\"tick\"}", EVENT_UNKNOWN},
        {"{\"header\":{\"code\":0,\"message\":\"Success\"}}", EVENT_UNKNOWN},
        {"{\"header\":{\"code\":200,\"message\":\"well\"}}", EVENT_UNKNOWN},
        {"{\"header\":{\"code\":\"ok\",\"message\":\"well\"}}", EVENT_UNKNOWN},
        {"{\"header\":{\"code\":7}}", EVENT_UNKNOWN},
        {"{\"header\":{\"message\":\"well\"}}", EVENT_UNKNOWN},
        {"{\"header\":{\"code\":7,\"message\":\"well\"},\"choices\":[{\"delta\":{\"content\":\"a\"}}]}", EVENT_CONTENT},
        {"{\"success\":false,\"choices\":[]}", EVENT_ERROR},
        {"{\"status\":\"FAILED\"}", EVENT_ERROR},
        {"{\"code\":200,\"message\":\"ok\"}", EVENT_UNKNOWN},
        {"{\"code\":\"0\",\"message\":\"success\"}", EVENT_UNKNOWN},
        {"{\"message\":\"success\",\"code\":0}", EVENT_UNKNOWN},
        {"{\"choices\":[{\"delta\":{\"error\":\"boom\"}}]}", EVENT_ERROR},
        {"{\"choices\":[{\"delta\":{\"content\":\" {\\\"error\\\":1} \"}}]}", EVENT_CONTENT},
        {"{\"status\":\"error\"}", EVENT_ERROR},
        {"{\"status\":\"ok\"}", EVENT_UNKNOWN},
        {"{\"status_code\":500}", EVENT_ERROR},
        {"{\"status_code\":200}", EVENT_UNKNOWN},
        {"{\"type\":\"error\",\"x\":1}", EVENT_ERROR},
        {"{\"\\u006fbject\":\"error\"}", EVENT_ERROR}, /* keys are compared without escapes … */
        {"{\"\\u0073uccess\":false}", EVENT_ERROR},
        {"{\"\\u0062ase_resp\":{\"status_code\":1}}", EVENT_ERROR},
        {"{\"ERRMSG\":\"boom\"}", EVENT_ERROR}, /* … or case, and a word that only begins alike is none */
        {"{\"Fault\":\"boom\"}", EVENT_ERROR},
        {"{\"StatusCode\":500}", EVENT_ERROR},
        {"{\"created\":500,\"model\":\"m\",\"detailed\":\"x\",\"er\":1,\"\":1}", EVENT_UNKNOWN},
        {"{\"base_resp\":{\"status_code\":1004,\"status_msg\":\"no\"},\"choices\":null}", EVENT_ERROR},
        {"{\"base_resp\":{\"status_code\":0,\"status_msg\":\"\"},\"choices\":[]}", 0},
        {"{\"code\":0,\"message\":\"Success\",\"choices\":[{\"delta\":{\"content\":\"a\"}}]}", EVENT_CONTENT},
        {"{\"choices\":[{\"delta\":{\"content\":[{\"type\":\"thinking\",\"thinking\":[{\"type\":\"text\",\"text\":"
         "\"a\"}]}]}}]}",
         EVENT_REASONING},
        {"{\"choices\":[{\"delta\":{\"content\":[{\"type\":\"thinking\",\"thinking\":\"a\"}]}}]}", EVENT_REASONING},
        {"{\"choices\":[{\"message\":{\"role\":\"assistant\",\"content\":\"a\"}}]}", EVENT_CONTENT | EVENT_AGAIN},
        {"{\"usage\":null,\"choices\":[]}", EVENT_UNKNOWN},
        {"{\"usage\":{}}", EVENT_UNKNOWN},
        {"{\"usage\":{},\"code\":\"Throttling\",\"message\":\"too fast\"}", EVENT_ERROR},
        {"{\"usage\":{\"completion_tokens\":-1}}", EVENT_UNREAD},
        {"{\"usage\":{\"completion_tokens\":2.5}}", EVENT_UNREAD},
        {"{\"usage\":{\"completion_tokens\":\"many\"}}", EVENT_UNREAD},
        {"{\"usage\":{\"completion_tokens\":null,\"prompt_tokens\":true}}", EVENT_UNREAD},
        {"{\"usage\":{\"completion_tokens\":null}}", 0},
        {"{\"usage\":{\"completion_tokens\":\"3\"}}", EVENT_USAGE},
        {"{\"usage\":{\"completion_tokens\":{\"completion_tokens\":3}}}", EVENT_UNREAD},
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
    ev = scan("{\"choices\":[],\"usage\":{\"prompt_tokens\":29,\"completion_tokens\":24,\"prompt_cache_hit_tokens\":17,"
              "\"prompt_cache_miss_tokens\":12}}"); /* DeepSeek */
    assert_int_equal(ev.cached_tokens, 17);
    /* Moonshot */
    ev = scan("{\"choices\":[],\"usage\":{\"prompt_tokens\":29,\"completion_tokens\":24,\"cached_tokens\":18}}");
    assert_int_equal(ev.cached_tokens, 18);
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

/* Usage in other places than the API's own, and in other words. */
static void test_usage_elsewhere(void **state)
{
    (void)state;
    static const char *const PLACES[] = {
        "{\"choices\":null,\"usage\":{\"prompt_tokens\":16,\"completion_tokens\":8}}",
        "{\"choices\":[],\"usage\":{\"promptTokens\":16,\"completionTokens\":8}}",
        "{\"metadata\":{\"usage\":{\"inputTokens\":16,\"outputTokens\":8}}}",
        "{\"choices\":[{\"index\":0,\"delta\":{},\"usage\":{\"prompt_tokens\":16,\"completion_tokens\":8}}]}",
        "{\"choices\":[],\"x_groq\":{\"id\":\"r\",\"usage\":{\"prompt_tokens\":16,\"completion_tokens\":8,"
        "\"total_time\":0.1}}}",
        "{\"amazon-bedrock-invocationMetrics\":{\"inputTokenCount\":16,\"outputTokenCount\":8,"
        "\"invocationLatency\":9}}",
        "{\"meta\":{\"usage\":{\"input_tokens\":16,\"output_tokens\":8}}}",
        "{\"usageMetadata\":{\"promptTokenCount\":16,\"candidatesTokenCount\":8,\"totalTokenCount\":24}}",
    };
    for (size_t i = 0; i < sizeof PLACES / sizeof *PLACES; i++) {
        struct event ev = scan(PLACES[i]);
        if (ev.flags != EVENT_USAGE || ev.input_tokens != 16 || ev.output_tokens != 8)
            fail_msg("%s: flags %#x, %u in, %u out", PLACES[i], ev.flags, ev.input_tokens, ev.output_tokens);
    }
    struct event ev = scan("{\"choices\":[],\"x_groq\":{\"id\":\"r\",\"error\":\"over capacity\"}}");
    assert_int_equal(ev.flags, EVENT_ERROR);
    ev = scan("{\"choices\":[],\"meta\":{\"error\":\"none\"}}");
    assert_int_equal(ev.flags, EVENT_UNKNOWN);
    const struct dialect *d = dialect_for(API_ANTHROPIC);
    static const char stop[] =
        "{\"type\":\"message_stop\",\"amazon-bedrock-invocationMetrics\":{\"inputTokenCount\":16,"
        "\"outputTokenCount\":8}}";
    d->scan(d, &(struct dialect_event){"", stop, 0, sizeof stop - 1, NULL, NULL}, &ev);
    assert_int_equal(ev.flags, EVENT_END | EVENT_USAGE);
    assert_int_equal(ev.output_tokens, 8);
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
    ev = scan_named("stream_error", "{\"x\":1}");
    assert_int_equal(ev.flags, EVENT_ERROR);
    ev = scan_named("failed", "{\"reason\":\"oom\"}");
    assert_int_equal(ev.flags, EVENT_ERROR);
    ev = scan_named("x.failed", "{\"choices\":[{\"delta\":{}}]}");
    assert_int_equal(ev.flags, 0);
    ev = scan_named("Exception", "{\"x\":1}");
    assert_int_equal(ev.flags, EVENT_ERROR);
    ev = scan_named("errors", "{\"choices\":[{\"delta\":{}}]}");
    assert_int_equal(ev.flags, 0);
}

/* Whatever the API: an error that another vendor would send is one, and no API has errors among its own events. */
static void test_errors_of_all(void **state)
{
    static const char *const ERRORS[] = {
        "{\"error_message\":\"x\"}",
        "{\"errors\":[{\"message\":\"x\"}]}",
        "{\"detail\":\"x\"}",
        "{\"message\":\"x\"}",
        "{\"code\":500,\"message\":\"x\"}",
        "{\"success\":false}",
        "{\"status\":\"error\"}",
        "{\"status_code\":500}",
        "{\"base_resp\":{\"status_code\":1004}}",
        "{\"error\":\"text\"}",
        "{\"type\":\"error\"}",
        "{\"object\":\"error\",\"message\":\"x\"}",
        "{\"throttlingException\":{\"message\":\"x\"}}",
        "{\"header\":{\"code\":10013,\"message\":\"x\"}}",
        "{\"status\":{\"code\":13,\"message\":\"x\"}}",
    };
    (void)state;
    for (int api = 0; api < API_N; api++) {
        const struct dialect *d = dialect_for((enum plan_api)api);
        struct event ev;
        for (size_t i = 0; i < sizeof ERRORS / sizeof *ERRORS; i++) {
            d->scan(d, &(struct dialect_event){"", ERRORS[i], 0, strlen(ERRORS[i]), NULL, NULL}, &ev);
            if (!(ev.flags & EVENT_ERROR)) fail_msg("api %d: %s: flags %x", api, ERRORS[i], ev.flags);
        }
        d->scan(d, &(struct dialect_event){"exception", "{}", 9, 2, NULL, NULL}, &ev);
        assert_int_equal(ev.flags, EVENT_ERROR);
        d->scan(d, &(struct dialect_event){"", "{\"heartbeat\":1}", 0, 15, NULL, NULL}, &ev);
        assert_int_equal(ev.flags, EVENT_UNKNOWN);
    }
}

/* What no capture shows: by the APIs' documentation. */
static void test_other_scanners(void **state)
{
    (void)state;
    static const struct {
        enum plan_api api;
        const char *name, *text;
        uint32_t flags, in, out, cached;
    } rows[] = {
        {API_OPENAI_RESPONSES, "response.refusal.delta", "{\"delta\":\"no\"}", EVENT_CONTENT | EVENT_REFUSAL, 0, 0, 0},
        {API_OPENAI_RESPONSES, "", "{\"delta\":\"x\",\"type\":\"response.reasoning_summary_text.delta\"}",
         EVENT_REASONING, 0, 0, 0},
        {API_OPENAI_RESPONSES, "response.function_call_arguments.delta", "{\"delta\":\"{\"}", EVENT_TOOL, 0, 0, 0},
        {API_OPENAI_RESPONSES, "response.output_text.done", "{\"text\":\"x\"}", 0, 0, 0, 0},
        {API_OPENAI_RESPONSES, "response.failed", "{\"response\":{\"error\":{\"code\":\"x\"},\"status\":\"failed\"}}",
         EVENT_ERROR, 0, 0, 0},
        {API_OPENAI_RESPONSES, "error", "{\"type\":\"error\"}", EVENT_ERROR, 0, 0, 0},
        {API_OPENAI_RESPONSES, "response.incomplete",
         "{\"response\":{\"status\":\"incomplete\",\"error\":null,\"usage\":{\"input_tokens\":4,\"output_tokens\":9}}}",
         EVENT_FINISH | EVENT_END | EVENT_USAGE, 4, 9, 0},
        {API_OPENAI_RESPONSES, "hello", "{}", EVENT_UNKNOWN, 0, 0, 0},
        {API_ANTHROPIC, "content_block_delta",
         "{\"type\":\"content_block_delta\",\"delta\":{\"type\":\"thinking_delta\",\"thinking\":\"x\"}}",
         EVENT_REASONING, 0, 0, 0},
        {API_ANTHROPIC, "",
         "{\"type\":\"content_block_delta\",\"delta\":{\"type\":\"signature_delta\",\"signature\":\"x\"}}", 0, 0, 0, 0},
        {API_ANTHROPIC, "",
         "{\"type\":\"content_block_delta\",\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"{\"}}",
         EVENT_TOOL, 0, 0, 0},
        {API_ANTHROPIC, "ping", "{\"type\":\"ping\"}", 0, 0, 0, 0},
        {API_ANTHROPIC, "error", "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"}}", EVENT_ERROR, 0, 0,
         0},
        {API_ANTHROPIC, "", "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"}}", EVENT_ERROR, 0, 0, 0},
        {API_ANTHROPIC, "",
         "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"input_tokens\":3,\"cache_"
         "read_input_tokens\":40,"
         "\"cache_creation_input_tokens\":500,\"output_tokens\":8}}",
         EVENT_FINISH | EVENT_USAGE, 543, 8, 40},
        {API_OLLAMA, "", "{\"message\":{\"content\":\"\",\"thinking\":\"hm\"},\"done\":false}", EVENT_REASONING, 0, 0,
         0},
        {API_OLLAMA, "",
         "{\"message\":{\"content\":\"\",\"tool_calls\":[{\"function\":{\"name\":\"f\",\"arguments\":{\"a\":1}}}]},"
         "\"done\":false}",
         EVENT_TOOL, 0, 0, 0},
        {API_LLAMACPP, "", "{\"error\":{\"code\":500}}", EVENT_ERROR, 0, 0, 0},
        {API_TGI, "",
         "{\"index\":1,\"token\":{\"id\":5,\"text\":\" "
         "a\",\"logprob\":-0.5,\"special\":false},\"generated_text\":null,\"details\":null}",
         EVENT_CONTENT, 0, 0, 0},
        {API_TGI, "",
         "{\"index\":2,\"token\":{\"id\":6,\"text\":\".\",\"special\":false},\"generated_text\":\" "
         "a.\",\"details\":{\"finish_reason\":\"length\","
         "\"generated_tokens\":2,\"input_length\":7,\"seed\":null}}",
         EVENT_CONTENT | EVENT_FINISH | EVENT_USAGE | EVENT_END, 7, 2, 0},
        {API_TGI, "", "{\"error\":\"Request failed during generation\",\"error_type\":\"generation\"}", EVENT_ERROR, 0,
         0, 0},
        {API_TRITON, "", "{\"error\":\"in ensemble\"}", EVENT_ERROR, 0, 0, 0},
        {API_COHERE, "message-start",
         "{\"type\":\"message-start\",\"id\":\"x\",\"delta\":{\"message\":{\"role\":\"assistant\",\"content\":[]}}}", 0,
         0, 0, 0},
        {API_COHERE, "content-delta",
         "{\"type\":\"content-delta\",\"index\":0,\"delta\":{\"message\":{\"content\":{\"text\":\"a\"}}}}",
         EVENT_CONTENT, 0, 0, 0},
        {API_COHERE, "", "{\"type\":\"content-delta\",\"delta\":{\"message\":{\"content\":{\"thinking\":\"a\"}}}}",
         EVENT_REASONING, 0, 0, 0},
        {API_COHERE, "",
         "{\"type\":\"tool-call-delta\",\"delta\":{\"message\":{\"tool_calls\":{\"function\":{\"arguments\":\"{\"}}}}}",
         EVENT_TOOL, 0, 0, 0},
        {API_COHERE, "message-end",
         "{\"type\":\"message-end\",\"delta\":{\"finish_reason\":\"MAX_TOKENS\",\"usage\":{\"billed_units\":{\"input_"
         "tokens\":1,\"output_tokens\":1},"
         "\"tokens\":{\"input_tokens\":60,\"output_tokens\":22}}}}",
         EVENT_FINISH | EVENT_USAGE | EVENT_END, 60, 22, 0},
        {API_COHERE, "", "{\"type\":\"message-end\",\"delta\":{\"finish_reason\":\"ERROR\",\"error\":\"x\"}}",
         EVENT_FINISH | EVENT_ERROR | EVENT_END, 0, 0, 0},
        {API_GEMINI, "",
         "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}],\"role\":\"model\"},\"index\":0}],"
         "\"usageMetadata\":{\"promptTokenCount\":8,\"totalTokenCount\":8}}",
         EVENT_CONTENT, 8, 0, 0},
        {API_GEMINI, "",
         "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\",\"thought\":true},{\"text\":\"\"}]}}]}",
         EVENT_REASONING, 0, 0, 0},
        {API_GEMINI, "",
         "{\"candidates\":[{\"content\":{\"parts\":[{\"thought\":true,\"text\":\"a\"},{\"text\":\"b\"}]}}]}",
         EVENT_REASONING | EVENT_CONTENT, 0, 0, 0},
        {API_GEMINI, "",
         "{\"candidates\":[{\"content\":{\"parts\":[{\"functionCall\":{\"name\":\"f\",\"args\":{}}}]}}]}", EVENT_TOOL,
         0, 0, 0},
        {API_GEMINI, "",
         "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]},\"finishReason\":\"MAX_TOKENS\"}],"
         "\"usageMetadata\":{\"promptTokenCount\":8,"
         "\"candidatesTokenCount\":11,\"thoughtsTokenCount\":30,\"cachedContentTokenCount\":4}}",
         EVENT_CONTENT | EVENT_FINISH | EVENT_USAGE | EVENT_END, 8, 11, 4},
        {API_GEMINI, "", "{\"error\":{\"code\":503,\"status\":\"UNAVAILABLE\"}}", EVENT_ERROR, 0, 0, 0},
        {API_GEMINI, "", "{\"candidates\":[{\"finishReason\":\"MALFORMED_FUNCTION_CALL\"}]}",
         EVENT_FINISH | EVENT_ERROR | EVENT_END, 0, 0, 0},
        {API_GEMINI, "",
         "{\"promptFeedback\":{\"blockReason\":\"PROHIBITED_CONTENT\"},\"usageMetadata\":{\"promptTokenCount\":8}}",
         EVENT_FINISH | EVENT_END, 8, 0, 0}, /* no candidate comes */
        {API_GEMINI, "", "{\"promptFeedback\":{\"safetyRatings\":[]}}", 0, 0, 0, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct event ev;
        const struct dialect *d = dialect_for(rows[i].api);
        d->scan(
            d,
            &(struct dialect_event){rows[i].name, rows[i].text, strlen(rows[i].name), strlen(rows[i].text), NULL, NULL},
            &ev);
        if (ev.flags != rows[i].flags) fail_msg("%s: flags %#x, expected %#x", rows[i].text, ev.flags, rows[i].flags);
        if (ev.input_tokens != rows[i].in || ev.output_tokens != rows[i].out || ev.cached_tokens != rows[i].cached)
            fail_msg("%s: usage %u %u %u", rows[i].text, ev.input_tokens, ev.output_tokens, ev.cached_tokens);
    }
}

static void check_body(enum plan_api api, const struct dialect_request *r, const char *expect)
{
    struct buf b __attribute__((cleanup(buf_clear))) = BUF_INIT(1 << 20);
    assert_int_equal(dialect_for(api)->write_body(dialect_for(api), r, &b), 0);
    assert_string_equal(buf_str(&b), expect);
    assert_true(json_valid(buf_str(&b), b.len));
}

#define SPEC(said, ...)                                                                                                \
    (&(struct dialect_request){.messages =                                                                             \
                                   &(struct dialect_message){.role = "user", .text = said, .len = sizeof(said) - 1},   \
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
    static const struct dialect_message talk[] = {{.role = "system", .text = "be \"brief\"", .len = 10},
                                                  {.role = "user", .text = "hi", .len = 2},
                                                  {.role = "assistant", .text = "yes?", .len = 4},
                                                  {.role = "user", .text = "why", .len = 3}};
    const struct dialect_request r = {.model = "m", .messages = talk, .n_messages = 4, .output_tokens = 16};
    check_body(API_DATABRICKS, &r,
               "{\"messages\":[{\"role\":\"system\",\"content\":\"be \\\"brief\\\"\"},"
               "{\"role\":\"user\",\"content\":\"hi\"},{\"role\":\"assistant\",\"content\":\"yes?\"},"
               "{\"role\":\"user\",\"content\":\"why\"}],\"max_tokens\":16,\"stream\":true}");
    check_body(API_OPENAI_COMPLETIONS, &r,
               "{\"model\":\"m\",\"prompt\":\"be \\\"brief\\\"\\n\\nhi\\n\\nyes?\\n\\nwhy\",\"max_tokens\":16,"
               "\"stream\":true,\"stream_options\":{\"include_usage\":true}}");
}

/* How each API is asked: by its documentation, and as the captured requests were. */
static void test_every_api(void **state)
{
    (void)state;
    static const struct dialect_message talk[] = {{.role = "system", .text = "be brief", .len = 8},
                                                  {.role = "user", .text = "hi", .len = 2},
                                                  {.role = "assistant", .text = "yes?", .len = 4},
                                                  {.role = "user", .text = "why", .len = 3}};
    static const struct {
        enum plan_api api;
        const char *one, *many;
    } rows[] = {
        {API_OPENAI_RESPONSES, "{\"model\":\"m\",\"input\":\"hi\",\"max_output_tokens\":16,\"stream\":true}",
         "{\"model\":\"m\",\"input\":[{\"role\":\"system\",\"content\":\"be "
         "brief\"},{\"role\":\"user\",\"content\":\"hi\"},"
         "{\"role\":\"assistant\",\"content\":\"yes?\"},{\"role\":\"user\",\"content\":\"why\"}],\"max_output_tokens\":"
         "16,"
         "\"stream\":true}"},
        {API_ANTHROPIC,
         "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"max_tokens\":16,\"stream\":true}",
         "{\"model\":\"m\",\"system\":\"be brief\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"},"
         "{\"role\":\"assistant\",\"content\":\"yes?\"},{\"role\":\"user\",\"content\":\"why\"}],\"max_tokens\":16,"
         "\"stream\":true}"},
        {API_OLLAMA,
         "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"options\":{\"num_predict\":16},"
         "\"stream\":true}",
         NULL},
        {API_LLAMACPP, "{\"prompt\":\"hi\",\"n_predict\":16,\"stream\":true}", NULL},
        {API_TGI, "{\"inputs\":\"hi\",\"parameters\":{\"max_new_tokens\":16,\"details\":true}}", NULL},
        {API_TRITON, "{\"text_input\":\"hi\",\"max_tokens\":16,\"stream\":true}", NULL},
        {API_COHERE,
         "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"max_tokens\":16,\"stream\":true}",
         NULL},
        {API_GEMINI,
         "{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"hi\"}]}],\"generationConfig\":{\"maxOutputTokens\":"
         "16}}",
         "{\"systemInstruction\":{\"parts\":[{\"text\":\"be "
         "brief\"}]},\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"hi\"}]},"
         "{\"role\":\"model\",\"parts\":[{\"text\":\"yes?\"}]},{\"role\":\"user\",\"parts\":[{\"text\":\"why\"}]}],"
         "\"generationConfig\":{\"maxOutputTokens\":16}}"},
        {API_DATABRICKS_COMPLETIONS, "{\"prompt\":\"hi\",\"max_tokens\":16,\"stream\":true}", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        check_body(rows[i].api, SPEC("hi", .model = "m"), rows[i].one);
        const struct dialect_request many = {.model = "m", .messages = talk, .n_messages = 4, .output_tokens = 16};
        if (rows[i].many) check_body(rows[i].api, &many, rows[i].many);
    }
    /* members inside an object of the plan's are put beside ours, and win */
    check_body(API_OLLAMA, SPEC("hi", .body = "{\"keep_alive\":1,\"options\":{\"seed\":7},\"think\":false}"),
               "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"options\":{\"num_predict\":16,\"seed\":7},"
               "\"stream\":true,"
               "\"keep_alive\":1,\"think\":false}");
    check_body(
        API_OLLAMA, SPEC("hi", .body = "{\"options\":{ \"num_predict\":3}}"),
        "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"options\":{\"num_predict\":3},\"stream\":true}");
    check_body(API_OLLAMA, SPEC("hi", .body = "{\"options\":null}"),
               "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"stream\":true,\"options\":null}");
    check_body(API_TGI, SPEC("hi", .body = "{\"parameters\":{}}"),
               "{\"inputs\":\"hi\",\"parameters\":{\"max_new_tokens\":16,\"details\":true}}");
}

/* target.omit, and null in target.body. */
static void test_left_out(void **state)
{
    (void)state;
    const struct plan_target t = {.api = API_OPENAI_CHAT, .omit = "stream_options max_tokens"};
    struct dialect d;
    struct buf b __attribute__((cleanup(buf_clear))) = BUF_INIT(1000);
    dialect_open(&t, &d);
    assert_int_equal(d.write_body(&d, SPEC("hi", .body = "{\"stop\":null}"), &b), 0);
    assert_string_equal(buf_str(&b),
                        "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"stream\":true,\"stop\":null}");
    const struct plan_target tgi = {.api = API_TGI, .omit = "parameters"};
    dialect_open(&tgi, &d);
    buf_reset(&b);
    assert_int_equal(d.write_body(&d, SPEC("hi", .body = "{}"), &b), 0);
    assert_string_equal(buf_str(&b), "{\"inputs\":\"hi\"}");
    const struct plan_target whole = {.api = API_OPENAI_CHAT, .whole = true};
    dialect_open(&whole, &d);
    buf_reset(&b);
    assert_int_equal(d.write_body(&d, SPEC("hi", .model = "m"), &b), 0);
    assert_string_equal(
        buf_str(&b),
        "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"max_tokens\":16,\"stream\":false}");
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
        struct buf b __attribute__((cleanup(buf_clear))) = BUF_INIT(1000);
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
    struct buf small __attribute__((cleanup(buf_clear))) = BUF_INIT(60);
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
        cmocka_unit_test(test_flags),    cmocka_unit_test(test_usage),          cmocka_unit_test(test_usage_elsewhere),
        cmocka_unit_test(test_notes),    cmocka_unit_test(test_error_event),    cmocka_unit_test(test_errors_of_all),
        cmocka_unit_test(test_bodies),   cmocka_unit_test(test_conversation),   cmocka_unit_test(test_every_api),
        cmocka_unit_test(test_left_out), cmocka_unit_test(test_other_scanners), cmocka_unit_test(test_plan_body_wins),
        cmocka_unit_test(test_escaping), cmocka_unit_test(test_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
