/* Streams that real servers and gateways send and that are not in the books of their API. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/agent/stream/seen.h"

#define END "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n" DONE
#define NAMED(type, more) "event: " type "\ndata: {\"type\":\"" type "\"" more "}\n\n"
#define SO_FAR(delta, message)                                                                                         \
    "data: "                                                                                                           \
    "{\"choices\":[{\"index\":0,\"finish_reason\":null,\"message\":{\"role\":\"assistant\",\"content\":\"" message     \
    "\"},\"delta\":{\"role\":\"assistant\",\"content\":\"" delta "\"}}]}\n\n"
#define PART(part) "data: {\"candidates\":[{\"content\":{\"parts\":[" part "],\"role\":\"model\"}}]}\n\n"
#define OUTPUT(text, reason) "data: {\"text_output\":\"" text "\",\"finish_reason\":\"" reason "\"}\n\n"

static const struct row {
    const char *name;
    enum plan_api api;
    const char *body, *text; /* NULL: not looked at */
    uint32_t events, unknown;
    enum finish finish;
    enum counter outcome;
} ROWS[] = {
    {"an end marker as JSON writes a text", CHAT, TOKEN("a") "data: \"[DONE]\"\n\n", "a", 1, 0, FINISH_NONE,
     COUNTER_OK},
    {"signs of life by name", CHAT,
     "event: ping\ndata: {\"type\":\"ping\"}\n\nevent: heartbeat\ndata: {}\n\n" TOKEN(
         "a") "event: keep-alive\ndata: 1\n\n" END,
     "a", 1, 0, FINISH_STOP, COUNTER_OK},
    {"signs of life by their data", CHAT,
     "data: {\"type\":\"heartbeat\",\"ts\":1}\n\n" TOKEN("a") "data: {\"event\":\"ping\"}\n\n" END, "a", 1, 0,
     FINISH_STOP, COUNTER_OK},
    {"OpenAI's keepalive", API_OPENAI_RESPONSES,
     NAMED("keepalive", ",\"sequence_number\":3") NAMED("response.output_text.delta", ",\"delta\":\"a\"")
         NAMED("response.completed", ",\"response\":{\"status\":\"completed\"}"),
     "a", 1, 0, FINISH_STOP, COUNTER_OK},
    {"a response that was cancelled", API_OPENAI_RESPONSES,
     NAMED("response.output_text.delta", ",\"delta\":\"a\"")
         NAMED("response.cancelled", ",\"response\":{\"status\":\"cancelled\"}"),
     "a", 1, 0, FINISH_NONE, COUNTER_FAILED_STREAM_ERROR},
    {"a record of no error in each event", CHAT,
     "data: "
     "{\"error\":{\"message\":\"\",\"type\":\"\",\"code\":null},\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}"
     "}]}\n\n"
     "data: {\"error_code\":\"0\",\"error_msg\":\"Success\",\"errors\":\"None\",\"error\":{},\"choices\":[{\"index\":0,"
     "\"delta\":{\"content\":\"b\"}}]}\n\n" END,
     "ab", 2, 0, FINISH_STOP, COUNTER_OK},
    {"a custom tool's call", CHAT,
     "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"c\",\"type\":\"custom\","
     "\"custom\":{\"name\":\"sh\",\"input\":\"\"}}]}}]}\n\n"
     "data: "
     "{\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"custom\":{\"input\":\"ls\"}}]}}]}\n\n" END,
     "", 2, 0, FINISH_STOP, COUNTER_OK},
    {"the answer so far beside each delta", CHAT,
     SO_FAR("Hello", "Hello") SO_FAR(" you", "Hello you") SO_FAR("", "Hello you") END, "Hello you", 2, 0, FINISH_STOP,
     COUNTER_OK},
    {"each piece twice, before its delta and after it", CHAT,
     "data: "
     "{\"choices\":[{\"index\":0,\"text\":\"Hello\",\"delta\":{\"role\":\"assistant\",\"content\":\"Hello\"}}]}\n\n"
     "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\" you\"},\"text\":\" you\"}]}\n\n"
     "data: {\"choices\":[{\"index\":0,\"text\":\".\",\"delta\":{}}]}\n\n" END,
     "Hello you.", 3, 0, FINISH_STOP, COUNTER_OK},
    {"the whole answer once more at the end", CHAT,
     TOKEN("Hello")
         TOKEN(" you") "data: {\"choices\":[{\"index\":0,\"finish_reason\":\"length\",\"message\":{\"content\":"
                       "\"Hello you\",\"role\":\"assistant\"}}],\"object\":\"chat.completion\",\"usage\":{"
                       "\"prompt_tokens\":5,\"completion_tokens\":2},\"base_resp\":{\"status_code\":0}}\n\n" DONE,
     "Hello you", 2, 0, FINISH_LENGTH, COUNTER_OK},
    {"messages where deltas should be", CHAT,
     "data: {\"choices\":[{\"index\":0,\"message\":{\"content\":\"Hello\"}}]}\n\n"
     "data: {\"choices\":[{\"index\":0,\"message\":{\"content\":\" you\"}}]}\n\n" END,
     "Hello you", 2, 0, FINISH_STOP, COUNTER_OK},
    {"a compaction and a pause", API_ANTHROPIC,
     NAMED("message_start", ",\"message\":{\"usage\":{\"input_tokens\":5}}")
         NAMED("content_block_start", ",\"index\":0,\"content_block\":{\"type\":\"compaction\"}") NAMED(
             "content_block_delta", ",\"index\":0,\"delta\":{\"type\":\"compaction_delta\",\"content\":\"so far\"}")
             NAMED("content_block_start",
                   ",\"index\":1,\"content_block\":{\"type\":\"mcp_tool_result\",\"content\":[{\"type\":\"text\"}]}")
                 NAMED("message_delta", ",\"delta\":{\"stop_reason\":\"compaction\"},\"usage\":{\"output_tokens\":2}")
                     NAMED("message_stop", ""),
     "", 1, 0, FINISH_STOP, COUNTER_OK},
    {"code that the model wrote", API_GEMINI,
     PART("{\"executableCode\":{\"language\":\"PYTHON\",\"code\":\"1+1\"}}")
         PART("{\"codeExecutionResult\":{\"outcome\":\"OUTCOME_OK\",\"output\":\"2\"}}")
             PART("{\"text\":\"It is 2.\"}") "data: "
                                             "{\"candidates\":[{\"finishReason\":\"STOP\"}],\"usageMetadata\":{"
                                             "\"candidatesTokenCount\":9}}\n\n",
     "It is 2.", 2, 0, FINISH_STOP, COUNTER_OK},
    {"reasons in each response", API_TRITON, OUTPUT("a", "None") OUTPUT("b", "length"), "ab", 2, 0, FINISH_LENGTH,
     COUNTER_OK},
    {"lines of data that are one event, fields in another order", CHAT,
     "id: 1\ndata: {\"choices\":[{\"index\":0,\ndata: "
     "\"delta\":{\"content\":\"a\"},\ndata:\"finish_reason\":\"stop\"}]}\n"
     "event: message\nretry: 9\n\n" DONE,
     "a", 1, 0, FINISH_STOP, COUNTER_OK},
};

static void run(const struct row *r, size_t at_once)
{
    static struct seen seen;
    struct buf text __attribute__((cleanup(buf_clear))) = BUF_INIT(1000);
    size_t n = strlen(r->body);
    begin(r->api);
    s.text = r->text ? &text : NULL;
    for (size_t at = 0; at < n; at += at_once)
        (void)stream_feed(&s, r->body + at, n - at < at_once ? n - at : at_once, AT + (int64_t)at);
    uint32_t unknown = s.unknown;
    finish(&seen, END_COMPLETE, 200);
    if (seen.events != r->events || unknown != r->unknown || s.finish_by != r->finish || seen.outcome != r->outcome)
        fail_msg("%s, by %zu bytes: %u events, %u unknown, finish %s, %s", r->name, at_once, seen.events, unknown,
                 FINISH_NAMES[s.finish_by], COUNTERS[seen.outcome].name);
    if (r->text && strcmp(text.len ? buf_str(&text) : "", r->text) != 0)
        fail_msg("%s: \"%s\"", r->name, buf_str(&text));
}

static void test_streams(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct row again = ROWS[i];
        run(&ROWS[i], strlen(ROWS[i].body));
        run(&ROWS[i], 7);
        again.text = NULL; /* so that shapes are learnt */
        run(&again, strlen(again.body));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_streams)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
