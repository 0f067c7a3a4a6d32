#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "agent/stream/dialect.h"

static struct event scan(enum plan_api api, const char *text)
{
    const struct dialect *d = dialect_for(api);
    struct event ev;
    d->scan(d, &(struct dialect_event){.name = "", .data = text, .len = strlen(text)}, &ev);
    return ev;
}

/* A name of usage is known wherever usage may stand, so that a server's words count in each of its places. */
static void test_names_in_all_places(void **state)
{
    (void)state;
    static const char *const USAGES[] = {
        "{\"prompt_tokens\":16,\"completion_tokens\":8,\"prompt_tokens_details\":{\"cached_tokens\":3},"
        "\"completion_tokens_details\":{\"reasoning_tokens\":5}}",
        "{\"promptTokens\":16,\"completionTokens\":8,\"cached_tokens\":3,\"reasoning_tokens\":5}",
        "{\"input_tokens\":16,\"output_tokens\":8,\"input_tokens_details\":{\"cached_tokens\":3},"
        "\"output_tokens_details\":{\"reasoning_tokens\":5}}",
        "{\"input_tokens\":16,\"output_tokens\":8,\"prompt_cache_hit_tokens\":3,"
        "\"output_tokens_details\":{\"thinking_tokens\":5}}",
        "{\"inputTokens\":16,\"outputTokens\":8,\"cached_tokens\":3,\"reasoning_tokens\":5}",
        "{\"inputTokenCount\":16,\"outputTokenCount\":8,\"cacheReadInputTokenCount\":3,\"reasoning_tokens\":5}",
        "{\"promptTokenCount\":16,\"candidatesTokenCount\":8,\"cachedContentTokenCount\":3,"
        "\"thoughtsTokenCount\":5}",
    };
    static const struct {
        enum plan_api api;
        const char *before, *after;
    } PLACES[] = {
        {API_OPENAI_CHAT, "{\"choices\":[],\"usage\":", "}"},
        {API_OPENAI_CHAT, "{\"choices\":[{\"index\":0,\"delta\":{},\"usage\":", "}]}"},
        {API_OPENAI_CHAT, "{\"choices\":[],\"x_groq\":{\"usage\":", "}}"},
        {API_OPENAI_CHAT, "{\"choices\":[],\"metadata\":{\"usage\":", "}}"},
        {API_OPENAI_COMPLETIONS, "{\"choices\":[],\"usage\":", "}"},
        {API_OPENAI_RESPONSES, "{\"type\":\"response.completed\",\"response\":{\"usage\":", "}}"},
        {API_COHERE, "{\"type\":\"message-end\",\"delta\":{\"usage\":{\"tokens\":", "}}}"},
        {API_GEMINI, "{\"candidates\":[],\"usageMetadata\":", "}"},
        {API_OLLAMA, "{\"done\":true,\"usage\":", "}"},
    };
    for (size_t i = 0; i < sizeof USAGES / sizeof *USAGES; i++)
        for (size_t k = 0; k < sizeof PLACES / sizeof *PLACES; k++) {
            char text[400];
            (void)snprintf(text, sizeof text, "%s%s%s", PLACES[k].before, USAGES[i], PLACES[k].after);
            struct event ev = scan(PLACES[k].api, text);
            if (!(ev.flags & EVENT_USAGE) || ev.input_tokens != 16 || ev.output_tokens != 8 || ev.cached_tokens != 3 ||
                ev.thought_tokens != 5)
                fail_msg("%s: flags %#x, %u in, %u out, %u cached, %u thought", text, ev.flags, ev.input_tokens,
                         ev.output_tokens, ev.cached_tokens, ev.thought_tokens);
        }
}

/* What is a part of the numbers, or no number of this answer. */
static void test_names_that_are_parts(void **state)
{
    (void)state;
    struct event ev =
        scan(API_OPENAI_CHAT, "{\"choices\":[],\"usage\":{\"prompt_tokens\":16,\"completion_tokens\":8,"
                              "\"completion_tokens_details\":{\"completion_tokens\":4,\"output_tokens\":3}}}");
    assert_int_equal(ev.output_tokens, 8);
    /* the words of another API, whose event this may be */
    ev = scan(API_OPENAI_CHAT, "{\"type\":\"message_delta\",\"usage\":{\"output_tokens\":8}}");
    assert_false(ev.flags & EVENT_USAGE);
    /* Cohere bills fewer; what came from its cache stands beside */
    ev = scan(API_COHERE, "{\"type\":\"message-end\",\"delta\":{\"finish_reason\":\"COMPLETE\",\"usage\":{"
                          "\"billed_units\":{\"input_tokens\":5,\"output_tokens\":6},\"tokens\":{\"input_tokens\":71,"
                          "\"output_tokens\":8},\"cached_tokens\":64}}}");
    assert_int_equal(ev.input_tokens, 71);
    assert_int_equal(ev.output_tokens, 8);
    assert_int_equal(ev.cached_tokens, 64);
    /* Anthropic counts the prompt's parts apart */
    ev = scan(API_ANTHROPIC, "{\"type\":\"message_delta\",\"delta\":{},\"usage\":{\"input_tokens\":5,"
                             "\"cache_read_input_tokens\":60,\"cache_creation_input_tokens\":6,\"output_tokens\":220,"
                             "\"output_tokens_details\":{\"thinking_tokens\":200}}}");
    assert_int_equal(ev.input_tokens, 71);
    assert_int_equal(ev.cached_tokens, 60);
    assert_int_equal(ev.output_tokens, 220);
    assert_int_equal(ev.thought_tokens, 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_in_all_places),
        cmocka_unit_test(test_names_that_are_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
