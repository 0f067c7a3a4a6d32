/* Files of every format: what becomes of good ones, real rows among them, and what is said of broken ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/clock.h"
#include "coordinator/corpus/compile.h"
#include "coordinator/corpus/format.h"

static struct err err;
static struct compile_result result;

static struct corpus *compile_file(const struct plan_workload *w, const char *path)
{
    err = (struct err){.text = ""};
    FILE *f = tmpfile();
    struct corpus *c = compile_run(w, NULL, path, f, &result, &err) == 0 ? corpus_open(fileno(f), &err) : NULL;
    (void)fclose(f);
    return c;
}

static struct corpus *compile_text(const struct plan_workload *w, const char *text, size_t n)
{
    char path[] = "/tmp/compile-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, n), n);
    (void)close(fd);
    struct corpus *c = compile_file(w, path);
    (void)unlink(path);
    char *at = strstr(err.text, path); /* the name is another each time */
    if (at) {
        memmove(at + 4, at + strlen(path), strlen(at + strlen(path)) + 1);
        memcpy(at, "FILE", 4);
    }
    return c;
}

static struct plan_workload dataset(enum dataset_format f)
{
    return (struct plan_workload){.name = "w", .source = SOURCE_DATASET, .data = {.dataset = f}};
}
static struct plan_workload trace(enum trace_format f)
{
    return (struct plan_workload){.name = "w", .source = SOURCE_TRACE, .data = {.trace = f, .speed = 1}};
}

/* "at/input/output" of each row, or "role:text" of each message and the body. */
static char *dump(const struct corpus *c, bool times)
{
    static char out[8192];
    size_t n = 0;
    out[0] = 0;
    for (uint64_t i = 0; i < corpus_count(c); i++) {
        struct corpus_record r;
        struct corpus_message m;
        assert_int_equal(corpus_get(c, i, &r), 0);
        if (times)
            n += (size_t)snprintf(out + n, sizeof out - n, "%lld/%u/%u ", (long long)r.at_ns, r.input_tokens,
                                  r.output_tokens);
        else
            n += (size_t)snprintf(out + n, sizeof out - n, "%u,%u", r.input_tokens, r.output_tokens);
        for (size_t at = 0; !times && corpus_message(&r, &at, &m);)
            n += (size_t)snprintf(out + n, sizeof out - n, " %s:%.*s", corpus_role_name(m.role), (int)m.len, m.text);
        if (!times) n += (size_t)snprintf(out + n, sizeof out - n, " %s|", r.body ? r.body : "");
    }
    return out;
}

static void good_data_sets(void **state)
{
    (void)state;
    static const struct {
        enum dataset_format format;
        const char *text, *dump;
    } ROWS[] = {
        {DATASET_JSONL, "{\"prompt\":\"a\",\"output_tokens\":5}\n{\"prompt\":\"b\"}", "0,5 user:a |0,0 user:b |"},
        {DATASET_JSONL,
         "\n{\"output_tokens\":null,\"system\":\"s\",\"prompt\":\"a\\n\\\"\\u00e9\",\"x\":{\"prompt\":1}}\r\n \n",
         "0,0 system:s user:a\n\"\xc3\xa9 |"},
        {DATASET_JSONL, "{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],\"input_tokens\":7}",
         "7,0 {\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}|"},
        /* of a name that is there twice the last counts, as in Python; a list of one text is that text */
        {DATASET_JSONL, "{\"prompt\":\"a\",\"output_tokens\":5,\"prompt\":[\"b\"],\"output_tokens\":6}",
         "0,6 user:b |"},
        {DATASET_MESSAGES,
         "{\"messages\":[{\"role\":\"user\"}],\"temperature\":0,\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],"
         "\"temper\\u0061ture\":1}",
         "0,0 {\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],\"temper\\u0061ture\":1}|"},
        /* what servers take: empty content, and none beside tool calls */
        {DATASET_MESSAGES,
         "{\"messages\":[{\"role\":\"user\",\"content\":\"\"},{\"role\":\"assistant\",\"content\":null,\"tool_calls\":["
         "{}]}]}",
         "0,0 "
         "{\"messages\":[{\"role\":\"user\",\"content\":\"\"},{\"role\":\"assistant\",\"content\":null,\"tool_calls\":["
         "{}]}]}|"},
        {DATASET_OPENAI_BATCH, "{\"body\":{\"prompt\":[1,2,3],\"max_tokens\":4}}", "0,4 {\"prompt\":[1,2,3]}|"},
        {DATASET_VLLM_CUSTOM, "{\"prompt\": \"p\", \"output_tokens\": 12}\n", "0,12 user:p |"},
        {DATASET_AIPERF, "{\"text\":\"t\",\"output_length\":3}\n{\"texts\":[\"u\",\"v\"]}\n",
         "0,3 user:t |0,0 user:u\nv |"},
        {DATASET_GUIDELLM, "{\"text\":\"late\",\"question\":\"q\",\"prefix\":\"sys\",\"completion_tokens_count\":4}",
         "0,4 system:sys user:q |"},
        {DATASET_OPENAI_BATCH,
         "{\"custom_id\":\"1\",\"method\":\"POST\",\"url\":\"/v1/chat/"
         "completions\",\"body\":{\"model\":\"m\",\"messages\":[{\"role\":\"user\"}],"
         "\"max_tokens\":9,\"temperature\":0.5,\"stream\":false}}",
         "0,9 {\"messages\":[{\"role\":\"user\"}],\"temperature\":0.5}|"},
        {DATASET_MESSAGES, "{\"messages\":[{\"role\":\"tool\"}],\"tools\":[{}],\"max_completion_tokens\":8}",
         "0,8 {\"messages\":[{\"role\":\"tool\"}],\"tools\":[{}]}|"},
        {DATASET_SHAREGPT,
         "[{\"id\":\"1\",\"conversations\":[{\"from\":\"gpt\",\"value\":\"early\"},{\"from\":\"human\",\"value\":\"q\"}"
         ","
         "{\"from\":\"gpt\",\"value\":\"12345678\"},{\"from\":\"human\",\"value\":\"more\"}]},\n"
         "{\"conversations\":[{\"value\":\"be kind\",\"from\":\"system\"},{\"from\":\"human\",\"value\":\"\"},"
         "{\"from\":\"human\",\"value\":\"r\"},{\"from\":\"gpt\",\"value\":\"x\"}]}]",
         "0,2 user:q |0,1 system:be kind user:r |"},
        {DATASET_SHAREGPT,
         "{\"conversations\":[{\"from\":\"user\",\"value\":\"q\"},{\"from\":\"assistant\",\"value\":\"a\"}]}\n",
         "0,1 user:q |"},
        {DATASET_CSV, "prompt,output_tokens\nhello,3\n\"a, \"\"quoted\"\"\nline\",\n\nlast,7",
         "0,3 user:hello |0,0 user:a, \"quoted\"\nline |0,7 user:last |"},
        {DATASET_CSV, "\xef\xbb\xbfoutput_tokens,system,prompt\r\n3,s,hello\r\n", "0,3 system:s user:hello |"},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct plan_workload w = dataset(ROWS[i].format);
        struct corpus *c = compile_text(&w, ROWS[i].text, strlen(ROWS[i].text));
        if (!c) fail_msg("%s: %s", ROWS[i].text, err.text);
        assert_string_equal(dump(c, false), ROWS[i].dump);
        corpus_close(&c);
    }
    struct plan_pair fields[] = {{"prompt", "q"}, {"output_tokens", "n"}};
    struct plan_workload w = dataset(DATASET_JSONL);
    w.data.fields = fields;
    w.data.n_fields = 2;
    struct corpus *c = compile_text(&w, "{\"q\":\"a\",\"n\":5,\"prompt\":1}", 26);
    assert_string_equal(dump(c, false), "0,5 user:a |");
    corpus_close(&c);
}

/* A record that wants 0 output tokens is left out and counted, unless the plan gives the length: it is no record
 * without a length, to which the server may answer as long as it likes. */
static void no_answer_wanted(void **state)
{
    (void)state;
    static const struct {
        enum dataset_format format;
        const char *text, *left, *all;
    } ROWS[] = {
        {DATASET_JSONL, "{\"prompt\":\"a\",\"output_tokens\":0}\n{\"prompt\":\"b\"}", "0,0 user:b |",
         "0,0 user:a |0,0 user:b |"},
        {DATASET_CSV, "prompt,output_tokens\na,0\nb,\n", "0,0 user:b |", "0,0 user:a |0,0 user:b |"},
        {DATASET_VLLM_CUSTOM, "{\"prompt\":\"a\",\"output_tokens\":0}\n{\"prompt\":\"b\",\"output_tokens\":3}",
         "0,3 user:b |", "0,0 user:a |0,3 user:b |"},
        {DATASET_MESSAGES,
         "{\"messages\":[{\"role\":\"a\"}],\"max_tokens\":0}\n{\"messages\":[{\"role\":\"b\"}],\"max_tokens\":-1}",
         "0,0 {\"messages\":[{\"role\":\"b\"}]}|",
         "0,0 {\"messages\":[{\"role\":\"a\"}]}|0,0 {\"messages\":[{\"role\":\"b\"}]}|"},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++)
        for (int given = 0; given < 2; given++) {
            struct plan_workload w = dataset(ROWS[i].format);
            if (given) w.data.output_tokens = (struct dist){.kind = DIST_FIXED, .a = 9};
            struct corpus *c = compile_text(&w, ROWS[i].text, strlen(ROWS[i].text));
            if (!c) fail_msg("%s: %s", ROWS[i].text, err.text);
            assert_string_equal(dump(c, false), given ? ROWS[i].all : ROWS[i].left);
            assert_int_equal(result.zero, !given);
            corpus_close(&c);
        }
}

static void good_traces(void **state)
{
    (void)state;
    static const struct {
        enum trace_format format;
        const char *text, *dump;
    } ROWS[] = {
        /* CRLF, none at the end, 7 digits */
        {TRACE_AZURE,
         "TIMESTAMP,ContextTokens,GeneratedTokens\r\n2023-11-16 18:17:03.9799600,4808,10\r\n2023-11-16 "
         "18:17:04.0319600,3180,8",
         "0/4808/10 52000000/3180/8 "},
        /* a zone, 6 digits and none, columns elsewhere, over midnight and a leap day */
        {TRACE_AZURE,
         "NumImages,GeneratedTokens,TIMESTAMP,ContextTokens\n0,1,2024-02-28 "
         "23:59:59.999999+00:00,5\n0,1,2024-02-29T00:00:00Z,6\n"
         "2,1,2024-03-01T02:00:00+02:00,7\n",
         "0/5/1 1000/6/1 86400000001000/7/1 "},
        {TRACE_BURSTGPT,
         "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n5,ChatGPT,472,18,490,Conversation log\n"
         "5,ChatGPT,472,18,490,Conversation log\n45,GPT-4,1,0,1,API log\n46,GPT-4,0,0,0,API log\n47,GPT-4,2,3,5,API "
         "log\n",
         "0/472/18 0/472/18 42000000000/2/3 "},
        {TRACE_BURSTGPT,
         "Timestamp,Session ID,Elapsed time,Model,Request tokens,Response "
         "tokens\n19440110.0,,4,G,9,8\n19440110.25,u,4,G,7,6\n",
         "0/9/8 250000000/7/6 "},
        {TRACE_MOONCAKE,
         "{\"timestamp\":3000,\"input_length\":513,\"output_length\":2,\"hash_ids\":[0,1]}\n"
         "{\"timestamp\":3000,\"input_length\":512,\"output_length\":1,\"hash_ids\":[0]}\n"
         "{\"hash_ids\":[],\"timestamp\":3003.5,\"input_length\":0,\"output_length\":1}",
         "0/513/2 0/512/1 "},
        {TRACE_MOONCAKE,
         "{\"timestamp\":0,\"hash_ids\":[7,8],\"input_length\":513,\"output_length\":2,\"hash_ids\":[0,1]}\n",
         "0/513/2 "},
        {TRACE_BAILIAN,
         "{\"chat_id\":1,\"parent_chat_id\":-1,\"timestamp\":0.125,\"input_length\":17,\"output_length\":3,\"type\":"
         "\"text\",\"turn\":1,\"hash_ids\":[5,6]}\n"
         "{\"timestamp\":1e1,\"input_length\":1,\"output_length\":3,\"hash_ids\":[5]}\n",
         "0/17/3 9875000000/1/3 "},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct plan_workload w = trace(ROWS[i].format);
        struct corpus *c = compile_text(&w, ROWS[i].text, strlen(ROWS[i].text));
        if (!c) fail_msg("%s: %s", ROWS[i].text, err.text);
        assert_string_equal(dump(c, true), ROWS[i].dump);
        corpus_close(&c);
    }
}

static void zeros_speed_and_time(void **state)
{
    (void)state;
    static const char TEXT[] = "Timestamp,Request tokens,Response tokens\n1,5,0\n2,0,6\n3,7,7\n4,8,8\n9,9,9\n";
    struct plan_workload w = trace(TRACE_BURSTGPT);
    struct corpus *c = compile_text(&w, TEXT, sizeof TEXT - 1);
    assert_string_equal(dump(c, true), "2000000000/7/7 3000000000/8/8 8000000000/9/9 ");
    assert_int_equal(result.zero, 2);
    corpus_close(&c);
    w.data.zero_output = ZERO_ONE;
    w.data.speed = 2;
    w.data.from_ns = NS_PER_S;
    w.data.to_ns = 8 * NS_PER_S;
    c = compile_text(&w, TEXT, sizeof TEXT - 1);
    assert_string_equal(dump(c, true), "0/1/6 500000000/7/7 1000000000/8/8 ");
    assert_int_equal(result.zero, 0);
    assert_int_equal(result.outside, 2);
    corpus_close(&c);
}

static void real_rows(void **state)
{
    (void)state;
    static const struct {
        const char *file;
        enum trace_format format;
        uint64_t records;
        int64_t first_gap_ns;
        uint32_t input, output; /* of the first */
        uint64_t images;
    } ROWS[] = {
        {"azure2023_code_head.csv", TRACE_AZURE, 32, 52000000, 4808, 10, 0},
        {"azure2023_conv_head.csv", TRACE_AZURE, 31, 4314579000, 374, 44, 0},
        {"azure2024_code_rows.csv", TRACE_AZURE, 10, 7405000, 2162, 5, 0},
        {"azure2025_multimodal_rows.csv", TRACE_AZURE, 9, 5550000000, 770, 491, 7},
        {"burstgpt1_head.csv", TRACE_BURSTGPT, 3, 40000000000, 472, 18, 0},
        {"burstgpt3_head.csv", TRACE_BURSTGPT, 4, 51000000000, 906, 446, 0},
        {"mooncake_conversation_head.jsonl", TRACE_MOONCAKE, 32, 0, 6758, 500, 0},
        {"mooncake_synthetic_head.jsonl", TRACE_MOONCAKE, 29, 0, 40160, 6, 0},
        {"mooncake_arxiv_rows.jsonl", TRACE_MOONCAKE, 11, 0, 2105, 650, 0},
        {"bailian_thinking_first.jsonl", TRACE_BAILIAN, 1, 0, 502, 1494, 0},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        char path[600];
        struct corpus_record first, second = {.at_ns = 0};
        struct plan_workload w = trace(ROWS[i].format);
        (void)snprintf(path, sizeof path, TEST_DATA "/traces/%s", ROWS[i].file);
        struct corpus *c = compile_file(&w, path);
        if (!c) fail_msg("%s", err.text);
        assert_int_equal(corpus_get(c, 0, &first), 0);
        if (ROWS[i].records > 1) assert_int_equal(corpus_get(c, 1, &second), 0);
        if (corpus_count(c) != ROWS[i].records || second.at_ns != ROWS[i].first_gap_ns ||
            first.input_tokens != ROWS[i].input || first.output_tokens != ROWS[i].output ||
            result.images != ROWS[i].images)
            fail_msg("%s: %llu rows, gap %lld, %u in, %u out, %llu with images", ROWS[i].file,
                     (unsigned long long)corpus_count(c), (long long)second.at_ns, first.input_tokens,
                     first.output_tokens, (unsigned long long)result.images);
        corpus_close(&c);
    }
}

#define SKIP " (skip: 1% would leave such records out, and count them)"
#define HEAD_AZURE "TIMESTAMP,ContextTokens,GeneratedTokens\n"
#define HEAD_BURST "Timestamp,Request tokens,Response tokens\n"
static const struct {
    bool trace;
    int format;
    const char *text, *says;
} BROKEN[] = {
    {false, DATASET_JSONL, "", "FILE: is empty"},
    {false, DATASET_JSONL, "\n\n", "FILE: it holds no record"},
    {false, DATASET_JSONL, "\x1f\x8b\x08", "FILE: it is compressed: unpack it first (gunzip)"},
    {false, DATASET_JSONL, "{\"prompt\":\"a\"}\nnope\n", "FILE: line 2: it is not a JSON object" SKIP},
    {false, DATASET_JSONL, "{\"prompt\":\"a\"\n", "FILE: line 1: it is not JSON: the file ends in the middle of it"},
    {false, DATASET_JSONL, "{\"prompt\":\"a\"} x\n", "FILE: line 1: it is not JSON"},
    {false, DATASET_JSONL, "{\"text\":\"a\"}\n", "FILE: line 1: it has no \"prompt\"; what it has: \"text\""},
    {false, DATASET_JSONL, "{\"prompt\":5}\n", "FILE: line 1: its prompt is not text"},
    {false, DATASET_JSONL, "{\"prompt\":\"\"}\n", "FILE: line 1: its prompt is empty"},
    {false, DATASET_JSONL, "{\"prompt\":\"\xff\"}\n", "FILE: line 1: its text is not UTF-8"},
    {false, DATASET_JSONL, "{\"prompt\":\"\\ud800\"}\n", "FILE: line 1: its text has half of a surrogate pair"},
    {false, DATASET_JSONL, "{\"prompt\":\"a\",\"output_tokens\":\"5\"}\n",
     "FILE: line 1: its output length is not a number of tokens"},
    {false, DATASET_JSONL, "{\"prompt\":\"a\",\"output_tokens\":-1}\n",
     "FILE: line 1: its output length is not a number of tokens"},
    {false, DATASET_JSONL, "{\"prompt\":\"a\",\"output_tokens\":0}\n",
     "FILE: no request is left: no row has both an answer and a prompt, of 1 (dataset.output_tokens gives all records "
     "a "
     "length)"},
    {false, DATASET_JSONL, "{\"messages\":\"a\"}\n", "FILE: line 1: its messages are not a list"},
    {false, DATASET_JSONL, "{\"messages\":[]}\n", "FILE: line 1: its messages are an empty list"},
    {false, DATASET_JSONL, "{\"messages\":[{\"role\":\"user\"},1]}\n", "FILE: line 1: a message is not an object"},
    {false, DATASET_MESSAGES, "{\"messages\":[{\"content\":\"x\"}]}\n", "FILE: line 1: a message has no role"},
    {false, DATASET_MESSAGES, "{\"messages\":[]}\n", "FILE: line 1: its messages are an empty list"},
    {false, DATASET_OPENAI_BATCH, "{\"body\":{\"messages\":[{\"role\":null}]}}\n",
     "FILE: line 1: a message's role is not text"},
    {false, DATASET_JSONL, "{\"prompt\":[\"a\",\"b\"]}\n",
     "FILE: line 1: its prompt is a list of several, and a record is one request"},
    {false, DATASET_VLLM_CUSTOM, "{\"prompt\":[1,2]}\n",
     "FILE: line 1: its prompt is a list of token ids, and only text can be sent"},
    {false, DATASET_AIPERF, "{\"texts\":[\"a\",1]}\n",
     "FILE: line 1: its prompt is a list with something that is not text"},
    {false, DATASET_AIPERF, "{\"texts\":[]}\n", "FILE: line 1: its prompt is empty"},
    {false, DATASET_AIPERF, "{\"text\":\"a\",\"image\":\"x.png\"}\n",
     "FILE: line 1: its \"image\" cannot be sent: only text can"},
    {false, DATASET_OPENAI_BATCH, "{\"custom_id\":\"1\"}\n", "FILE: line 1: it has no body"},
    {false, DATASET_OPENAI_BATCH, "{\"body\":[]}\n", "FILE: line 1: its body is not an object"},
    {false, DATASET_OPENAI_BATCH, "{\"body\":{\"model\":\"m\"}}\n",
     "FILE: line 1: its body has no messages, prompt or input"},
    {false, DATASET_MESSAGES, "[1]\n",
     "FILE: line 1: it is not a JSON object: the file is one JSON array, and this format has an object per line (jq -c "
     "'.[]' makes such lines)"},
    {false, DATASET_SHAREGPT, "[{\"id\":1}]", "FILE: line 1: it has no \"conversations\""},
    {false, DATASET_SHAREGPT, "[\n1]", "FILE: line 2: it is not an object"},
    {false, DATASET_SHAREGPT, "[\n{\"conversations\":[{\"from\":\"cat\",\"value\":\"v\"}]}]",
     "FILE: line 2: a turn is from \"cat\", which is neither human nor gpt"},
    {false, DATASET_SHAREGPT, "[{\"conversations\":[{\"from\":\"human\",\"value\":\"v\"}]}]",
     "FILE: line 1: nobody answers in it"},
    {false, DATASET_SHAREGPT, "[{\"conversations\":[{\"from\":\"gpt\",\"value\":\"v\"}]}]",
     "FILE: line 1: no human says anything in it"},
    {false, DATASET_SHAREGPT,
     "[{\"conversations\":[{\"from\":\"human\",\"value\":\"q\"},{\"from\":\"gpt\",\"value\":\"a\"}]},\n{]",
     "FILE: line 2: here it is no longer JSON; 1 records were read before"},
    {false, DATASET_CSV, "text\nx\n",
     "FILE: line 1: no column is named \"prompt\"; the only column is \"text\": fields: {prompt: NAME} says which is "
     "which"},
    {false, DATASET_CSV, "prompt\n\"x\n",
     "FILE: line 2: a quote is never closed, or the row has more than 256 columns"},
    {false, DATASET_CSV, "prompt,n\nx\n", "FILE: line 2: columns here: 1, in the header: 2"},
    {true, TRACE_AZURE, "ts,ContextTokens,GeneratedTokens\n1,2,3\n",
     "FILE: line 1: no column is named \"TIMESTAMP\"; the columns are \"ts\", \"ContextTokens\", \"GeneratedTokens\""},
    {true, TRACE_AZURE, HEAD_AZURE "2023-13-16 18:17:03,1,1\n",
     "FILE: line 2: \"2023-13-16 18:17:03\" is not a time such as 2023-11-16 18:17:03.9799600"},
    {true, TRACE_AZURE, HEAD_AZURE "2023-11-16 18:17:03.,1,1\n",
     "FILE: line 2: \"2023-11-16 18:17:03.\" is not a time such as 2023-11-16 18:17:03.9799600"},
    {true, TRACE_AZURE, HEAD_AZURE "2023-11-16 18:17:03,x,1\n", "FILE: line 2: \"x\" is not a number of input tokens"},
    {true, TRACE_AZURE, HEAD_AZURE "2023-11-16 18:17:03,1,-1\n", "FILE: line 2: lengths of 1 and -1 tokens cannot be"},
    {true, TRACE_AZURE, HEAD_AZURE "2023-11-16 18:17:03,1,1\n2023-11-16 18:17:02,1,1\n",
     "FILE: line 3: its time lies before that of the row above" SKIP},
    {true, TRACE_BURSTGPT, HEAD_BURST "x,1,1\n", "FILE: line 2: \"x\" is not a time in seconds"},
    {true, TRACE_BURSTGPT, HEAD_BURST "1,1,0\n",
     "FILE: no request is left: no row has both an answer and a prompt, of 1 (zero_output: one raises such lengths to "
     "1)"},
    {true, TRACE_MOONCAKE, "{\"timestamp\":1,\"input_length\":600,\"output_length\":1,\"hash_ids\":[0]}",
     "FILE: line 1: it has 1 hash ids for 600 tokens, which are 2 blocks of 512"},
    {true, TRACE_MOONCAKE, "{\"timestamp\":1,\"input_length\":600,\"output_length\":1,\"hash_ids\":{\"a\":[1]}}",
     "FILE: line 1: \"hash_ids\" is not a list"},
    {true, TRACE_MOONCAKE, "{\"timestamp\":1,\"input_length\":600,\"output_length\":1,\"hash_ids\":[0,-1]}",
     "FILE: line 1: a hash id is not a whole number below 2^32"},
    {true, TRACE_MOONCAKE, "{\"timestamp\":\"1\",\"input_length\":600,\"output_length\":1,\"hash_ids\":[0,1]}",
     "FILE: line 1: \"timestamp\" is missing, or not a number"},
    {true, TRACE_BAILIAN, "{\"timestamp\":1.5,\"input_length\":17,\"output_length\":1}",
     "FILE: line 1: \"hash_ids\" is missing"},
};

static void broken_files_are_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof BROKEN / sizeof *BROKEN; i++) {
        struct plan_workload w = BROKEN[i].trace ? trace((enum trace_format)BROKEN[i].format)
                                                 : dataset((enum dataset_format)BROKEN[i].format);
        struct corpus *c = compile_text(&w, BROKEN[i].text, strlen(BROKEN[i].text));
        if (c) fail_msg("accepted: %s", BROKEN[i].text);
        assert_int_equal(err.code, ERR_PLAN);
        assert_string_equal(err.text, BROKEN[i].says);
    }
}

static void some_may_be_broken(void **state)
{
    (void)state;
    struct plan_workload w = dataset(DATASET_JSONL);
    static const char TEXT[] = "{\"prompt\":\"a\"}\nx\n{\"prompt\":\"b\"}\n{}\n";
    w.data.skip = 0.5;
    struct corpus *c = compile_text(&w, TEXT, sizeof TEXT - 1);
    assert_non_null(c);
    assert_string_equal(dump(c, false), "0,0 user:a |0,0 user:b |");
    assert_int_equal(result.broken, 2);
    assert_string_equal(result.told[0], "line 2: it is not a JSON object");
    assert_string_equal(result.told[1], "line 4: it has no \"prompt\"; what it has: nothing");
    corpus_close(&c);
    w.data.skip = 0.49;
    assert_null(compile_text(&w, TEXT, sizeof TEXT - 1));
    assert_string_equal(
        err.text, "FILE: 2 of 4 records are broken, skip allows 49 %; the first: line 2: it is not a JSON object");
}

static void another_file_is_refused(void **state)
{
    (void)state;
    struct plan_workload w = dataset(DATASET_JSONL);
    w.data.sha256 = "0000000000000000000000000000000000000000000000000000000000000000";
    assert_null(compile_text(&w, "{\"prompt\":\"a\"}", 14));
    assert_non_null(strstr(err.text, "its SHA-256 is "));
    assert_null(compile_file(&w, "/nowhere/at all"));
    assert_string_equal(err.text, "/nowhere/at all: cannot be opened: No such file or directory");
}

/* Every prefix, and every byte bent: read or refused with a sentence, never worse (run under the sanitizers). */
static void cut_and_bent(void **state)
{
    (void)state;
    for (size_t i = 0;; i++) {
        static const struct {
            bool trace;
            int format;
            const char *text;
        } ROWS[] = {
            {false, DATASET_SHAREGPT,
             "[{\"conversations\":[{\"from\":\"human\",\"value\":\"q\\n\"},{\"from\":\"gpt\",\"value\":\"a\"}]}]"},
            {false, DATASET_CSV, "prompt,n\n\"a\"\"b\",2\nx,y\r\n"},
            {false, DATASET_OPENAI_BATCH, "{\"body\":{\"messages\":[{}],\"max_tokens\":9}}\n"},
            {true, TRACE_AZURE, HEAD_AZURE "2023-11-16 18:17:03.97,4,1\n"},
            {true, TRACE_MOONCAKE, "{\"timestamp\":1,\"input_length\":600,\"output_length\":1,\"hash_ids\":[0,9]}"},
        };
        if (i >= sizeof ROWS / sizeof *ROWS) break;
        struct plan_workload w =
            ROWS[i].trace ? trace((enum trace_format)ROWS[i].format) : dataset((enum dataset_format)ROWS[i].format);
        w.data.skip = 1;
        size_t n = strlen(ROWS[i].text);
        char *text = strdup(ROWS[i].text);
        for (size_t k = 0; k < n; k++) {
            struct corpus *c = compile_text(&w, text, k);
            if (!c) assert_true(err.code != ERR_NONE && err.text[0]);
            corpus_close(&c);
            for (unsigned flip = 1; flip < 256; flip = flip * 2 + 1) {
                text[k] ^= (char)flip;
                c = compile_text(&w, text, n);
                if (!c) assert_true(err.code != ERR_NONE && err.text[0]);
                corpus_close(&c);
                text[k] ^= (char)flip;
            }
        }
        free(text);
    }
}

/* What of a row's blocks an earlier row had that is sent; each row goes by its place in the file. */
static void rows_that_repeat(void **state)
{
    (void)state;
    static const char TEXT[] =
        "{\"timestamp\":0,\"input_length\":1100,\"output_length\":1,\"hash_ids\":[1,2,3]}\n"    /* before `from` */
        "{\"timestamp\":1000,\"input_length\":1100,\"output_length\":1,\"hash_ids\":[1,2,4]}\n" /* the first */
        "{\"timestamp\":1000,\"input_length\":1100,\"output_length\":1,\"hash_ids\":[1,2,4]}\n" /* its twin */
        "{\"timestamp\":1500,\"input_length\":1024,\"output_length\":0,\"hash_ids\":[5,6]}\n" /* left out: no answer */
        "{\"timestamp\":1500,\"input_length\":1500,\"output_length\":1,\"hash_ids\":[5,6,7]}\n"
        "{\"timestamp\":1500,\"input_length\":1500,\"output_length\":1,\"hash_ids\":[1,2,3]}\n" /* two of three */
        "{\"timestamp\":1600,\"input_length\":1500,\"output_length\":1,\"hash_ids\":[9,2,3]}\n" /* not from its
                                                                                                   beginning */
        "{\"timestamp\":2000,\"input_length\":1100,\"output_length\":1,\"hash_ids\":[1,2,3]}\n" /* after `to` */;
    static const uint32_t REPEATED[] = {0, 1100, 0, 1024, 0};
    struct plan_workload w = trace(TRACE_MOONCAKE);
    w.data.from_ns = NS_PER_S;
    w.data.to_ns = 2 * NS_PER_S;
    struct corpus *c = compile_text(&w, TEXT, sizeof TEXT - 1);
    if (!c) fail_msg("%s", err.text);
    assert_int_equal(corpus_count(c), sizeof REPEATED / sizeof *REPEATED);
    for (uint64_t i = 0; i < corpus_count(c); i++) {
        struct corpus_record r;
        assert_int_equal(corpus_get(c, i, &r), 0);
        assert_int_equal(r.repeated_tokens, REPEATED[i]);
    }
    corpus_close(&c);
    w.data.from_ns = w.data.to_ns = 0;
    assert_non_null(c = compile_text(&w, TEXT, sizeof TEXT - 1));
    struct corpus_record first;
    assert_int_equal(corpus_get(c, 1, &first), 0);
    assert_int_equal(first.repeated_tokens, 1024); /* now the row above it is sent */
    corpus_close(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(good_data_sets),
                                       cmocka_unit_test(good_traces),
                                       cmocka_unit_test(zeros_speed_and_time),
                                       cmocka_unit_test(no_answer_wanted),
                                       cmocka_unit_test(real_rows),
                                       cmocka_unit_test(rows_that_repeat),
                                       cmocka_unit_test(broken_files_are_named),
                                       cmocka_unit_test(some_may_be_broken),
                                       cmocka_unit_test(another_file_is_refused),
                                       cmocka_unit_test(cut_and_bent)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
