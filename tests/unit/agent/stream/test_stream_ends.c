#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "common/plan/plan_api.h"

#include "tests/unit/agent/stream/seen.h"

/* How streams end: whole answers, markers of each kind, ends that are learnt, finish reasons, several choices. */

/* target.stream: false. */
static void test_whole_answers(void **state)
{
    (void)state;
    static struct seen seen;
    static const struct {
        enum plan_api api;
        const char *body;
        enum counter outcome;
        uint32_t events, in, out;
    } rows[] = {
        {API_OPENAI_CHAT,
         "{\"choices\":[{\"message\":{\"content\":\"a "
         "b\"},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":2}}",
         COUNTER_OK, 1, 7, 2},
        {API_OPENAI_CHAT, "{\"choices\":[{\"message\":{\"content\":\"\"},\"finish_reason\":\"stop\"}]}",
         COUNTER_FAILED_EMPTY, 0, 0, 0},
        {API_OPENAI_CHAT, "{\"error\":{\"message\":\"x\"}}", COUNTER_FAILED_STREAM_ERROR, 0, 0, 0},
        {API_OPENAI_CHAT, "{\"hello\":1}", COUNTER_FAILED_MALFORMED, 0, 0, 0},
        {API_OPENAI_CHAT, "{\"choices\":[", COUNTER_FAILED_MALFORMED, 0, 0, 0},
        {API_OPENAI_CHAT, TOKEN("a") DONE, COUNTER_FAILED_MALFORMED, 0, 0, 0}, /* a stream that nobody asked for */
        {API_OPENAI_CHAT, "<html>", COUNTER_FAILED_MALFORMED, 0, 0, 0},
        {API_OPENAI_RESPONSES,
         "{\"object\":\"response\",\"error\":null,\"status\":\"completed\",\"output\":[{\"type\":\"message\","
         "\"content\":[{\"text\":\"a\"}]}],"
         "\"usage\":{\"input_tokens\":3,\"output_tokens\":9}}",
         COUNTER_OK, 1, 3, 9},
        {API_ANTHROPIC,
         "{\"type\":\"message\",\"content\":[{\"type\":\"text\",\"text\":\"a\"}],\"stop_reason\":\"end_turn\","
         "\"usage\":{\"input_tokens\":3,\"output_tokens\":9}}",
         COUNTER_OK, 1, 3, 9},
        {API_OLLAMA, "{\"message\":{\"content\":\"a\"},\"done\":true,\"prompt_eval_count\":3,\"eval_count\":9}\n",
         COUNTER_OK, 1, 3, 9},
        {API_TGI, "{\"generated_text\":\"a\",\"details\":{\"finish_reason\":\"length\",\"generated_tokens\":9}}",
         COUNTER_OK, 1, 0, 9},
        {API_TRITON, "{\"text_output\":\"a\"}", COUNTER_OK, 1, 0, 0},
        {API_OPENAI_EMBEDDINGS,
         "{\"object\":\"list\",\"data\":[{\"embedding\":[0.5,-1e-3],\"index\":0},{\"embedding\":[1]}],\"usage\":{"
         "\"prompt_tokens\":8,\"total_tokens\":8}}",
         COUNTER_OK, 0, 8, 0},
        {API_OPENAI_EMBEDDINGS, "{\"object\":\"list\",\"data\":[]}", COUNTER_FAILED_MALFORMED, 0, 0, 0},
        {API_OPENAI_EMBEDDINGS, "{\"error\":\"no\"}", COUNTER_FAILED_STREAM_ERROR, 0, 0, 0},
        /* a text in base64, several vectors for one text; nothing, and what stands for NaN */
        {API_OPENAI_EMBEDDINGS, "{\"data\":[{\"embedding\":\"AACAPw==\"}]}", COUNTER_OK, 0, 0, 0},
        {API_OPENAI_EMBEDDINGS, "{\"data\":[{\"embedding\":[[0.5,1],[2]]}]}", COUNTER_OK, 0, 0, 0},
        {API_OPENAI_EMBEDDINGS, "{\"data\":[{\"embedding\":[]}]}", COUNTER_FAILED_MALFORMED, 0, 0, 0},
        {API_OPENAI_EMBEDDINGS, "{\"data\":[{\"embedding\":null}]}", COUNTER_FAILED_MALFORMED, 0, 0, 0},
        {API_OPENAI_EMBEDDINGS, "{\"data\":[{\"embedding\":[1]},{\"embedding\":[null,null],\"index\":1}]}",
         COUNTER_FAILED_MALFORMED, 0, 0, 0},
        {API_OPENAI_EMBEDDINGS, "{\"data\":[{\"embedding\":[null]},{\"embedding\":[1]}]}", COUNTER_FAILED_MALFORMED, 0,
         0, 0},
        {API_RERANK,
         "{\"id\":\"rerank-1\",\"usage\":{\"total_tokens\":8},\"results\":[{\"index\":1,\"document\":{\"text\":\"a\"},"
         "\"relevance_score\":0.5},{\"index\":0,\"relevance_score\":1e-3}]}",
         COUNTER_OK, 0, 8, 0},
        {API_RERANK,
         "{\"results\":[{\"index\":0,\"relevance_score\":1}],\"meta\":{\"billed_units\":{\"search_units\":1},"
         "\"tokens\":{"
         "\"input_tokens\":9}}}",
         COUNTER_OK, 0, 9, 0},
        {API_RERANK, "{\"results\":[]}", COUNTER_FAILED_MALFORMED, 0, 0, 0},
        {API_RERANK, "{\"results\":[{\"index\":0,\"relevance_score\":null}]}", COUNTER_FAILED_MALFORMED, 0, 0, 0},
        {API_RERANK, "{\"message\":\"invalid api token\"}", COUNTER_FAILED_STREAM_ERROR, 0, 0, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t n = strlen(rows[i].body);
        for (size_t at = 0; at <= n; at++) {
            begin_as(rows[i].api, true, END_MARKER);
            (void)stream_feed(&s, rows[i].body, at, AT);
            (void)stream_feed(&s, rows[i].body + at, n - at, AT + 1);
            finish(&seen, END_COMPLETE, 200);
            if (seen.outcome != rows[i].outcome) fail_msg("%s: %s", rows[i].body, COUNTERS[seen.outcome].name);
            assert_int_equal(seen.events, rows[i].events);
            assert_int_equal(seen.usage_in, rows[i].in);
            assert_int_equal(seen.usage_out, rows[i].out);
            if (rows[i].outcome == COUNTER_OK) assert_int_equal(seen.t.done, at == n ? AT : AT + 1);
        }
    }
    static const char aborted[] = "{\"choices\":[{\"message\":{\"content\":\"a\"},\"finish_reason\":\"error\"}]}";
    begin_as(API_OPENAI_CHAT, true, END_MARKER);
    pool->said_n = 0;
    feed(aborted, AT);
    finish(&seen, END_COMPLETE, 200);
    assert_int_equal(seen.outcome, COUNTER_FAILED_STREAM_ERROR);
    assert_int_equal(pool->said_n, sizeof aborted - 1); /* the words of its sample */
    assert_memory_equal(pool->said, aborted, sizeof aborted - 1);
    begin_as(API_OPENAI_CHAT, true, END_MARKER); /* cut in the middle */
    feed("{\"choices\":[{\"mess", AT);
    finish(&seen, END_CUT, 200);
    assert_int_equal(seen.outcome, COUNTER_FAILED_TRUNCATED);
}

/* target.end: servers that end as they like. */
static void test_ends(void **state)
{
    (void)state;
    static struct seen seen;
    static const char last[] =
        "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":{\"completion_tokens\":2}}\n\n";
    static const struct {
        enum plan_end end;
        bool finish;
        enum transport_end transport;
        enum counter outcome;
    } rows[] = {
        {END_MARKER, true, END_COMPLETE, COUNTER_FAILED_TRUNCATED},
        {END_FINISH, true, END_COMPLETE, COUNTER_OK},
        {END_FINISH, true, END_CUT, COUNTER_OK},
        {END_FINISH, false, END_COMPLETE, COUNTER_FAILED_TRUNCATED},
        {END_CLOSE, false, END_COMPLETE, COUNTER_OK},
        {END_CLOSE, true, END_COMPLETE, COUNTER_OK},
        {END_CLOSE, true, END_CUT, COUNTER_FAILED_TRUNCATED},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        begin_as(CHAT, false, rows[i].end);
        feed(TOKEN("a") TOKEN("b"), 10);
        if (rows[i].finish) feed(last, 20);
        finish(&seen, rows[i].transport, 200);
        if (seen.outcome != rows[i].outcome) fail_msg("row %zu: %s", i, COUNTERS[seen.outcome].name);
        assert_int_equal(seen.usage_out, rows[i].finish ? 2 : 0);
        if (seen.outcome == COUNTER_OK) assert_int_equal(seen.t.done, rows[i].finish ? 20 : 10);
    }
}

/* Servers that write in each event that the answer has not ended: in words, where OpenAI has null. */
static void test_not_yet(void **state)
{
    (void)state;
    static struct seen seen;
    static const char *const WORDS[] = {"null", "NULL", "none", "not_finished", "FINISH_REASON_UNSPECIFIED"};
    for (size_t i = 0; i < sizeof WORDS / sizeof *WORDS; i++) {
        char event[160];
        (void)snprintf(event, sizeof event,
                       "data: {\"choices\":[{\"delta\":{\"content\":\"a\"},\"finish_reason\":\"%s\"}]}\n\n", WORDS[i]);
        begin_as(CHAT, false, END_FINISH);
        for (int k = 0; k < 3; k++)
            feed(event, 10 + k);
        assert_false(s.finish);
        feed("data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n", 20);
        finish(&seen, END_COMPLETE, 200);
        assert_int_equal(seen.outcome, COUNTER_OK);
        assert_int_equal(seen.events, 3);
        assert_int_equal(seen.t.done, 20);
    }
}

/* target.end: auto. One after the other on one server: what each ends with, and how it is judged. */
static void test_learnt_ends(void **state)
{
    (void)state;
    static struct seen seen;
    enum { MARKER = 'm', REASON = 'r', NOTHING = 'n', HELD = 'h', CUT = 'c' };
    static const struct {
        const char *ends, *outcomes; /* o: ok, t: truncated, i: idle */
    } rows[] = {
        {"mmm", "ooo"},       {"mrn", "ott"}, /* this server sends a marker: what lacks it is cut */
        {"rrrnr", "oooto"},                   /* no marker: the body's end, with a reason where others had one */
        {"rmr", "oot"},                       /* a marker at last */
        {"nnnn", "oooo"},                     /* no reasons either */
        {"nnnrn", "oooot"},                   /* a reason at last: from then on what lacks it is cut */
        {"rnrrrn", "otooot"}, {"ccc", "ttt"},
        {"hhhr", "oooo"}, /* the first one is waited for, the others end with their reason */
        {"mh", "oi"},
    };
    static struct dialect_ends ends;
    static struct dialect d;
    const struct plan_target t = {.api = CHAT, .end = END_AUTO};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ends = (struct dialect_ends){0};
        dialect_open(&t, &d);
        d.ends = &ends;
        for (size_t k = 0; rows[i].ends[k]; k++) {
            char how = rows[i].ends[k], want = rows[i].outcomes[k];
            stream_begin(&s, &d, pool, 0, INT64_MAX);
            feed(TOKEN("a"), 10);
            if (how != NOTHING && how != CUT) feed("data: {\"choices\":[{\"finish_reason\":\"stop\"}]}\n\n", 20);
            bool free_early = s.end;
            if (how == MARKER) feed(DONE, 30);
            finish(&seen, how == HELD ? END_TIMEOUT_IDLE : how == CUT ? END_CUT : END_COMPLETE, 200);
            enum counter expect = want == 'o'   ? COUNTER_OK
                                  : want == 't' ? COUNTER_FAILED_TRUNCATED
                                                : COUNTER_FAILED_TIMEOUT_IDLE;
            if (seen.outcome != expect) fail_msg("%s at %zu: %s", rows[i].ends, k, COUNTERS[seen.outcome].name);
            if (how == HELD && want == 'o') assert_int_equal(free_early, k > 0);
            if (want == 'o') assert_int_equal(seen.t.done, how == MARKER ? 30 : how == NOTHING ? 10 : 20);
        }
    }
    stream_begin(&s, &d, pool, 0, INT64_MAX);
    finish(&seen, END_COMPLETE, 200); /* no token: no end is learnt from it */
    assert_int_equal(seen.outcome, COUNTER_FAILED_EMPTY);
    begin_as(API_TRITON, false, END_AUTO);
    assert_false(s.dialect->ends_as_learnt); /* its end is the body's */
    finish(&seen, END_COMPLETE, 200);
}

/* Each vendor's words; of several the later row of the table counts. */
static void test_finish_reasons(void **state)
{
    (void)state;
    static struct seen seen;
    static const struct {
        enum plan_api api;
        const char *body;
        enum finish is;
    } rows[] = {
        {API_OPENAI_CHAT, TOKEN("a") DONE, FINISH_NONE},
        {API_OPENAI_CHAT, "data: {\"choices\":[{\"finish_reason\":\"length\"}]}\n\n" DONE, FINISH_LENGTH},
        {API_OPENAI_CHAT,
         "data: {\"choices\":[{\"finish_reason\":\"content_filter\"},{\"finish_reason\":\"stop\"}]}\n\n" DONE,
         FINISH_FILTER},
        {API_OPENAI_CHAT,
         "data: {\"choices\":[{\"finish_reason\":\"tool_calls\"}]}\n\n"
         "data: {\"choices\":[{\"finish_reason\":\"stop\"}]}\n\n" DONE,
         FINISH_TOOLS},
        {API_OPENAI_CHAT, "data: {\"choices\":[{\"finish_reason\":\"moderated\"}]}\n\n" DONE, FINISH_OTHER},
        {API_OPENAI_CHAT, TOKEN("a") "data: {\"choices\":[{\"finish_reason\":\"null\"}]}\n\n" DONE, FINISH_NONE},
        {API_OPENAI_CHAT, "data: {\"choices\":[{\"finish_reason\":\"sensitive\"}]}\n\n" DONE, FINISH_FILTER},
        {API_OPENAI_CHAT, "data: {\"choices\":[{\"finish_reason\":\"model_length\"}]}\n\n" DONE, FINISH_LENGTH},
        {API_OPENAI_CHAT, "data: {\"choices\":[{\"finish_reason\":\"abort\"}]}\n\n" DONE, FINISH_FAILED},
        {API_OPENAI_RESPONSES,
         "event: response.created\ndata: {\"response\":{\"status\":\"in_progress\"}}\n\n"
         "event: response.completed\ndata: {\"response\":{\"status\":\"completed\",\"incomplete_details\":null}}\n\n",
         FINISH_STOP},
        {API_OPENAI_RESPONSES,
         "event: response.completed\ndata: {\"response\":{\"status\":\"incomplete\",\"incomplete_details\":{\"reason\":"
         "\"max_output_tokens\"}}}\n\n",
         FINISH_LENGTH},
        {API_OPENAI_RESPONSES,
         "event: response.incomplete\ndata: {\"response\":{\"incomplete_details\":{\"reason\":\"content_filter\"},"
         "\"status\":\"incomplete\"}}\n\n",
         FINISH_FILTER},
        {API_ANTHROPIC, "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"max_tokens\"}}\n\n",
         FINISH_LENGTH},
        {API_ANTHROPIC, "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"tool_use\"}}\n\n",
         FINISH_TOOLS},
        {API_OLLAMA, "{\"done\":true,\"done_reason\":\"stop\"}\n", FINISH_STOP},
        {API_LLAMACPP, "data: {\"stop\":true,\"stop_type\":\"limit\"}\n\n", FINISH_LENGTH},
        {API_TGI, "data: {\"generated_text\":\"a\",\"details\":{\"finish_reason\":\"eos_token\"}}\n\n", FINISH_STOP},
        {API_COHERE, "data: {\"type\":\"message-end\",\"delta\":{\"finish_reason\":\"MAX_TOKENS\"}}\n\n",
         FINISH_LENGTH},
        {API_GEMINI, "data: {\"candidates\":[{\"finishReason\":\"SAFETY\"}]}\n\n", FINISH_FILTER},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        begin(rows[i].api);
        feed(rows[i].body, 10);
        enum finish got = s.finish_by;
        finish(&seen, END_COMPLETE, 200);
        if (got != rows[i].is) fail_msg("%s: %s", rows[i].body, FINISH_NAMES[got]);
    }
    begin_as(API_OPENAI_RESPONSES, true, END_MARKER);
    feed("{\"object\":\"response\",\"status\":\"incomplete\",\"incomplete_details\":{\"reason\":\"max_output_tokens\"},"
         "\"output\":[{\"content\":[{\"text\":\"a\"}]}]}",
         10);
    finish(&seen, END_COMPLETE, 200);
    assert_int_equal(seen.outcome, COUNTER_OK);
    assert_int_equal(s.finish_by, FINISH_LENGTH);
}

#define OF(choice, text, usage)                                                                                        \
    "data: {\"choices\":[{\"index\":" choice ",\"delta\":{\"content\":\"" text "\"}}]" usage "}\n\n"

/* n > 1: one time to the first token, the tokens of all, and the gaps and the pace of each answer apart. */
static void test_choices(void **state)
{
    (void)state;
    static struct seen fast, full;
    static struct dialect d;
    const struct plan_target t = {.api = CHAT, .body = "{\"m\":{\"n\":9},\"n\":2}"};
    dialect_open(&t, &d);
    assert_int_equal(d.choices, 2);
    for (int scanned = 0; scanned < 2; scanned++) {
        stream_begin(&s, &d, pool, 0, INT64_MAX);
        s.full_only = scanned;
        for (int i = 0; i < 30; i++) { /* the second answer begins 400 later */
            feed(OF("0", "a", ",\"n\":1"), 1000000 + 100000 * i);
            feed(OF("1", "b", ",\"n\":2"), 1440000 + 100000 * i);
            assert_int_equal(s.t.last_token, 1440000 + 100000 * i);
        }
        feed("data: {\"choices\":[],\"usage\":{\"completion_tokens\":62}}\n\n" DONE, 9000000);
        struct stream_tokens n;
        s.asked_tokens = 60;
        stream_count(&s, &n);
        assert_int_equal(n.made, 62);
        assert_int_equal(stream_tpot(&s, 60), 100000);
        assert_int_equal(s.events, 60);
        assert_int_equal(s.t.first_token, 1000000);
        assert_int_equal(s.shaped > 0, !scanned);
        finish(scanned ? &full : &fast, END_COMPLETE, 200);
    }
    assert_memory_equal(&fast, &full, sizeof fast);
    assert_int_equal(full.n_gaps, 58);
    for (uint32_t i = 0; i < full.n_gaps; i++)
        assert_int_equal(full.gap[i].ns, 100000);
    /* as llama.cpp b11549 ends: a usage of each answer, and no sum */
    struct stream_tokens n;
    stream_begin(&s, &d, pool, 0, INT64_MAX);
    s.asked_tokens = 6;
    for (int i = 0; i < 3; i++)
        feed(OF("1", "a", "") OF("0", "a", ""), 10 + i);
    feed("data: {\"choices\":[],\"usage\":{\"completion_tokens\":3}}\n\n"
         "data: {\"choices\":[],\"usage\":{\"completion_tokens\":3}}\n\n" DONE,
         20);
    stream_count(&s, &n);
    assert_true(n.made == 6 && n.seen == 6 && !n.counted && n.doubted);
    finish(&full, END_COMPLETE, 200);
    /* running usage is each answer's own */
    stream_begin(&s, &d, pool, 0, INT64_MAX);
    feed(OF("0", "a", ",\"usage\":{\"completion_tokens\":1}") OF("1", "a", ",\"usage\":{\"completion_tokens\":1}"), 10);
    feed(OF("0", "a", ",\"usage\":{\"completion_tokens\":4}") OF("1", "a", ",\"usage\":{\"completion_tokens\":2}"), 40);
    feed(OF("77", "a", "") DONE, 50);
    finish(&full, END_COMPLETE, 200);
    assert_int_equal(full.n_gaps, 2);
    assert_int_equal(full.gap[0].tokens, 3);
    assert_int_equal(full.gap[1].tokens, 1);
    assert_int_equal(full.events, 5);
}

/* A status of gRPC that is not 0, before or after the body, is an error, unless the end marker has come. */
static void test_status_of_grpc(void **state)
{
    (void)state;
    static struct seen seen;
    static const struct {
        enum plan_end end;
        const char *body, *name, *value;
        enum counter outcome;
    } rows[] = {
        {END_CLOSE, TOKEN("a"), "grpc-status", "14", COUNTER_FAILED_STREAM_ERROR},
        {END_CLOSE, TOKEN("a"), "Grpc-Status", "UNAVAILABLE", COUNTER_FAILED_STREAM_ERROR},
        {END_CLOSE, TOKEN("a"), "grpc-status", "0", COUNTER_OK},
        {END_CLOSE, TOKEN("a"), "grpc-status", "", COUNTER_OK},
        {END_CLOSE, TOKEN("a"), "grpc-message", "14", COUNTER_OK},
        {END_MARKER, TOKEN("a"), "grpc-status", "14", COUNTER_FAILED_STREAM_ERROR},
        {END_AUTO, TOKEN("a"), "grpc-status", "14", COUNTER_FAILED_STREAM_ERROR},
        {END_MARKER, TOKEN("a") DONE, "grpc-status", "14", COUNTER_OK},
        /* a trailer of another kind */
        {END_CLOSE, TOKEN("a"), "X-Stream-Error", "out of memory", COUNTER_FAILED_STREAM_ERROR},
        {END_AUTO, TOKEN("a"), "error", "engine died", COUNTER_FAILED_STREAM_ERROR},
        {END_MARKER, TOKEN("a"), "x-error-code", "14", COUNTER_FAILED_STREAM_ERROR},
        {END_CLOSE, TOKEN("a"), "x-error-code", "0", COUNTER_OK},
        {END_CLOSE, TOKEN("a"), "x-error", "None", COUNTER_OK},
        {END_CLOSE, TOKEN("a"), "x-checksum", "14", COUNTER_OK},
        {END_MARKER, TOKEN("a") DONE, "x-stream-error", "out of memory", COUNTER_OK},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        begin_as(CHAT, false, rows[i].end);
        feed(rows[i].body, 10);
        stream_header(&s, rows[i].name, strlen(rows[i].name), rows[i].value, strlen(rows[i].value));
        finish(&seen, END_COMPLETE, 200);
        if (seen.outcome != rows[i].outcome) fail_msg("row %zu: %s", i, COUNTERS[seen.outcome].name);
    }
    /* before the body it is of how the server is set up */
    begin_as(CHAT, false, END_CLOSE);
    stream_header(&s, "x-error-policy", 14, "retry", 5);
    feed(TOKEN("a"), 10);
    finish(&seen, END_COMPLETE, 200);
    assert_int_equal(seen.outcome, COUNTER_OK);
}

/* A limit in target.body is what each answer is compared with, whatever its workload asks for. */
static void test_body_limit(void **state)
{
    (void)state;
    static const struct {
        enum plan_api api;
        const char *body;
        uint32_t limit, asked;
        bool unlimited;
    } rows[] = {
        {API_OPENAI_CHAT, NULL, 0, 128, false},
        {API_OPENAI_CHAT, "{\"temperature\":0}", 0, 128, false},
        {API_OPENAI_CHAT, "{\"max_tokens\":20}", 20, 20, false},
        {API_OPENAI_CHAT, "{\"n\":3,\"max_completion_tokens\":2e1}", 20, 60, false},
        {API_OPENAI_CHAT, "{\"max_tokens\":50,\"max_completion_tokens\":20}", 20, 20, false},
        {API_OPENAI_CHAT, "{\"max_tokens\":null}", 0, 128, true},
        {API_OPENAI_CHAT, "{\"tools\":[{\"properties\":{\"max_tokens\":7}}],\"max_tokens\":300}", 300, 300, false},
        {API_OPENAI_RESPONSES, "{\"max_output_tokens\":20}", 20, 20, false},
        {API_OLLAMA, "{\"options\":{\"seed\":7,\"num_predict\":20}}", 20, 20, false},
        {API_OLLAMA, "{\"options\":{\"num_predict\":-1}}", 0, 128, true},
        {API_LLAMACPP, "{\"n_predict\":20}", 20, 20, false},
        {API_TGI, "{\"parameters\":{\"max_new_tokens\":20}}", 20, 20, false},
        {API_GEMINI, "{\"generationConfig\":{\"maxOutputTokens\":20}}", 20, 20, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct plan_target t = {.api = rows[i].api, .body = rows[i].body};
        struct dialect d;
        dialect_open(&t, &d);
        if (d.limit != rows[i].limit || dialect_asked(&d, 128) != rows[i].asked || d.unlimited != rows[i].unlimited)
            fail_msg("%s: limit %u, asked %u, unlimited %d", rows[i].body, d.limit, dialect_asked(&d, 128),
                     d.unlimited);
    }
}

/* A template's body is no JSON before its places are filled. */
static void test_template_limit(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        uint32_t limit;
    } rows[] = {
        {"{\"p\": {prompt}, \"max_tokens\" : 50}", 50},
        {"{\"p\": {prompt}, \"options\": {\"num_predict\":20, \"max_tokens\": 50}}", 20},
        {"{\"p\": {prompt}, \"max_tokens\": {output_tokens}, \"max_new_tokens\": 20}", 0}, /* the workload's */
        {"{\"p\": \"max_tokens {prompt}\", \"max_tokens\": null}", 0},
        {"{\"p\": {prompt}, \"my_max_tokens\": 7}", 0},
        {"{\"p\": {prompt}}", 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct plan_target t = {.api = API_TEMPLATE, .template = {.body = rows[i].body}};
        if (plan_target_limit(&t) != rows[i].limit) fail_msg("%s: %u", rows[i].body, plan_target_limit(&t));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_body_limit),     cmocka_unit_test(test_template_limit),
        cmocka_unit_test(test_whole_answers),  cmocka_unit_test(test_ends),
        cmocka_unit_test(test_learnt_ends),    cmocka_unit_test(test_not_yet),
        cmocka_unit_test(test_finish_reasons), cmocka_unit_test(test_choices),
        cmocka_unit_test(test_status_of_grpc),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
