/* What speaks where a stream was expected. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "agent/stream/stranger.h"

static void is(const char *bytes, size_t n, enum stranger_place at, const char *begins, bool text)
{
    bool readable;
    const char *name = stranger_name(bytes, n, at, true, &readable);
    assert_non_null(name);
    if (strncmp(name, begins, strlen(begins)) != 0) fail_msg("%s, not %s", name, begins);
    assert_int_equal(readable, text);
}

#define BODY(bytes, begins, text) is(bytes, sizeof(bytes) - 1, STRANGER_STREAM, begins, text)
#define ANSWER(bytes, begins) is(bytes, sizeof(bytes) - 1, STRANGER_ANSWER, begins, true)
#define HEAD(bytes, begins, text) is(bytes, sizeof(bytes) - 1, STRANGER_HEAD, begins, text)

static void test_bodies(void **state)
{
    bool readable;
    (void)state;
    BODY("<html>", "an HTML page", true);
    BODY("\n <!doctype html>", "an HTML page", true);
    BODY("<?xml version=\"1.0\"?>", "an XML document", true);
    BODY("{\"a\":1}", "one JSON object", true);
    BODY("{\n \"a\": 1\n}\n", "one JSON object", true);
    BODY("{\"a\":1}\n{\"a\":2}\n", "lines of JSON", true);
    BODY("{\"a\":1}\r\n{\"a", "lines of JSON", true);
    BODY("[{\"a\":1},", "a list in JSON", true);
    BODY("{\"error\": {\"message\": \"too ma", "one JSON object that is cut off", true);
    BODY("{\"a\": NaN}", "a body with NaN", true);
    BODY("{\"a\": 1} ok", "one JSON object and something after it", true);
    BODY("{error}", "a body that begins as JSON does", true);
    assert_string_equal(stranger_name("{\"a\": \"b", 8, STRANGER_STREAM, false, &readable),
                        stranger_name("{\"a\": 1}", 8, STRANGER_STREAM, true, &readable)); /* our own cut */
    BODY("data: {}\n\n", "server-sent events", true);
    BODY("\x1f\x8b\x08\0\0\0\0\0", "a body compressed with gzip", false);
    BODY("\x28\xb5\x2f\xfd\0\0\0", "a body compressed with zstd", false);
    BODY("\x78\x9c\x01\x02\x03", "a body compressed with deflate", false);
    BODY("\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "a PNG image", false);
    BODY("\xff\xfe{\0}\0", "text in UTF-16", false);
    BODY("\0\1\2\3\4", "bytes that are not text", false);
    BODY("Backend not ready", "text that is not a stream", true);
    BODY("na\xc3\xafve, cut \xc3", "text that is not a stream", true);
    assert_null(stranger_name("", 0, STRANGER_STREAM, true, &readable));
}

/* Where answers are not streamed, nothing advises not to stream them. */
static void test_answers(void **state)
{
    (void)state;
    ANSWER("{\"a\":1}", "one JSON object without an answer of this API");
    ANSWER("{\"choices\":[{\"message\":{\"content\":\"a", "one JSON object that is cut off");
    ANSWER("{\"a\":1}\n{\"a\":2}\n", "lines of JSON, where one answer is asked for");
    ANSWER("[1]", "a list in JSON that is no answer");
    ANSWER("ok", "text that is no JSON");
    ANSWER("data: {}\n\n", "server-sent events");
}

static void event(const char *data, const char *name)
{
    assert_string_equal(stranger_event(data, strlen(data)), name);
}

static void test_events(void **state)
{
    (void)state;
    event("{\"choices\":[{\"delta\":{\"content\":\"hel", "an event whose JSON is cut off");
    event("{\"choices\":[{\"logprob\":NaN,\"text\":\"a", "an event with NaN in it, which is no JSON");
    event("{\"a\":-Infinity}", "an event with Infinity in it, which is no JSON");
    event("{\"a\":1}{\"a\":2}", "an event with something after its JSON object");
    event("{'a':1}", "an event that begins as JSON does and breaks its rules");
    event("hello", "an event that is no JSON object");
    event("data: {\"a\":1}", "server-sent events, where lines of JSON are expected: is target.api right?");
    event("[DONE]", "an end marker of OpenAI's APIs: is target.api right?");
    event("", "an event that is no JSON object");
}

static void test_heads(void **state)
{
    (void)state;
    HEAD("\x15\x03\x01\0\2\2\x46", "TLS is spoken", false);
    HEAD("\x16\x03\x03\0\x7a\2\0", "TLS is spoken", false);
    HEAD("\0\0\x12\4\0\0\0\0\0\0\x03", "HTTP/2 is spoken", false);
    HEAD("HTTP/2.0 200 OK\r\n", "an HTTP answer whose first line", true);
    HEAD("SSH-2.0-OpenSSH\r\n", "an SSH server", true);
    HEAD("-ERR unknown command\r\n", "a Redis server", true);
    HEAD("hello\n", "no HTTP answer", true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_bodies), cmocka_unit_test(test_heads),
                                       cmocka_unit_test(test_answers), cmocka_unit_test(test_events)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
