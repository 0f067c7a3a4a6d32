#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/finish.h"

/* The documented words of each vendor. */
static void test_words(void **state)
{
    (void)state;
    static const struct {
        const char *vendor, *words;
        enum finish finish;
    } rows[] = {
        {"OpenAI", "stop", FINISH_STOP},
        {"OpenAI", "length", FINISH_LENGTH},
        {"OpenAI", "tool_calls function_call", FINISH_TOOLS},
        {"OpenAI", "content_filter", FINISH_FILTER},
        {"OpenAI responses", "completed", FINISH_STOP},
        {"OpenAI responses", "incomplete max_output_tokens", FINISH_LENGTH},
        {"OpenAI responses", "failed cancelled", FINISH_FAILED},
        {"OpenAI responses", "in_progress queued", FINISH_NONE},
        {"Anthropic", "end_turn stop_sequence pause_turn compaction", FINISH_STOP},
        {"Anthropic", "max_tokens model_context_window_exceeded", FINISH_LENGTH},
        {"Anthropic", "tool_use", FINISH_TOOLS},
        {"Anthropic", "refusal", FINISH_FILTER},
        {"Gemini", "STOP", FINISH_STOP},
        {"Gemini", "MAX_TOKENS", FINISH_LENGTH},
        {"Gemini",
         "SAFETY RECITATION LANGUAGE BLOCKLIST PROHIBITED_CONTENT SPII IMAGE_SAFETY IMAGE_PROHIBITED_CONTENT "
         "IMAGE_RECITATION MODEL_ARMOR JAILBREAK",
         FINISH_FILTER},
        {"Gemini",
         "MALFORMED_FUNCTION_CALL MALFORMED_RESPONSE UNEXPECTED_TOOL_CALL TOO_MANY_TOOL_CALLS "
         "MISSING_THOUGHT_SIGNATURE NO_IMAGE IMAGE_OTHER",
         FINISH_FAILED},
        {"Gemini", "FINISH_REASON_UNSPECIFIED", FINISH_NONE},
        {"Gemini", "OTHER", FINISH_OTHER},
        {"Cohere", "COMPLETE STOP_SEQUENCE", FINISH_STOP},
        {"Cohere", "MAX_TOKENS", FINISH_LENGTH},
        {"Cohere", "TOOL_CALL", FINISH_TOOLS},
        {"Cohere", "ERROR TIMEOUT USER_CANCEL", FINISH_FAILED},
        {"Cohere", "ERROR_TOXIC", FINISH_FILTER},
        {"Bedrock", "end_turn stop_sequence FINISH STOP_CRITERIA_MET", FINISH_STOP},
        {"Bedrock", "max_tokens model_context_window_exceeded", FINISH_LENGTH},
        {"Bedrock", "guardrail_intervened content_filtered", FINISH_FILTER},
        {"Bedrock", "malformed_model_output malformed_tool_use", FINISH_FAILED},
        {"vLLM", "stop repetition", FINISH_STOP},
        {"vLLM", "abort error", FINISH_FAILED},
        {"TGI", "eos_token stop_sequence", FINISH_STOP},
        {"llama.cpp", "eos word", FINISH_STOP},
        {"llama.cpp", "limit", FINISH_LENGTH},
        {"llama.cpp", "none", FINISH_NONE},
        {"TensorRT-LLM", "END_ID STOP_WORDS", FINISH_STOP},
        {"TensorRT-LLM", "TIMED_OUT CANCELLED timeout", FINISH_FAILED},
        {"TensorRT-LLM", "NOT_FINISHED", FINISH_NONE},
        {"watsonx", "eos_token", FINISH_STOP},
        {"watsonx", "max_tokens token_limit", FINISH_LENGTH},
        {"watsonx", "time_limit cancelled", FINISH_FAILED},
        {"Mistral", "model_length", FINISH_LENGTH},
        {"DeepSeek", "insufficient_system_resource", FINISH_FAILED},
        {"Zhipu", "sensitive", FINISH_FILTER},
        {"Zhipu", "network_error", FINISH_FAILED},
        {"Moonshot", "repeat", FINISH_STOP},
        /* the same words as programs and gateways write them */
        {"joined otherwise", "endTurn stop-sequence EosToken", FINISH_STOP},
        {"joined otherwise", "maxTokens max-output-tokens modelContextWindowExceeded", FINISH_LENGTH},
        {"joined otherwise", "toolUse tool-calls functionCall", FINISH_TOOLS},
        {"joined otherwise", "content-filter contentFiltered guardrailIntervened", FINISH_FILTER},
        {"of a table", "FINISH_REASON_STOP FinishReason.STOP finishReason.stop StopReason.END_TURN", FINISH_STOP},
        {"of a table", "FINISH_REASON_MAX_TOKENS FinishReason.LENGTH", FINISH_LENGTH},
        {"of a table", "STOP_REASON_UNSPECIFIED", FINISH_NONE},
        {"unknown", "moderated stops length_of_time FINISH_REASON_ FINISH_REASON finishing tool", FINISH_OTHER},
        {"unknown", "upstream_error FAILED_PRECONDITION", FINISH_FAILED},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (const char *w = rows[i].words, *end; *w; w = *end ? end + 1 : end) {
            end = strchrnul(w, ' ');
            enum finish finish = finish_of(w, (size_t)(end - w));
            if (finish != rows[i].finish)
                fail_msg("%s: %.*s is %s", rows[i].vendor, (int)(end - w), w, FINISH_NAMES[finish]);
        }
    assert_int_equal(finish_of("", 0), FINISH_NONE);
    assert_int_equal(finish_of("_", 1), FINISH_OTHER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_words)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
