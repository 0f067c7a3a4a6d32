/* Events a second that one core reads through stream_feed: a full buffer of vLLM-like chunks, and the same with each
 * event cut by a read's end, with an event: line, and with running usage; the other APIs; and some of these read by
 * api: template, with paths as a plan gives them.
 * `bench_scan [SECONDS [ROW]]`: SECONDS of CPU time for each row, or for the row of that name. With 0 seconds a row is
 * 20 buffers, to be counted by `valgrind --tool=callgrind --toggle-collect=stream_feed`. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent/stream/stream.h"
#include "common/clock.h"
#include "common/rng.h"

#define BUFFER (64u << 10)

static size_t make(char *out, size_t room, bool named, bool usage, uint32_t *ret_events)
{
    static const char *const words[] = {" the", " model",   "usion",        ":\\\",", " Inte",
                                        "})",   " \\u76f8", "\xe4\xbd\xa0", " a",     "\\n"};
    struct rng r;
    size_t n = 0;
    rng_seed(&r, 1);
    for (*ret_events = 0;; ++*ret_events) {
        char event[512], count[96] = "";
        if (usage)
            (void)snprintf(count, sizeof count,
                           ",\"usage\":{\"prompt_tokens\":29,\"total_tokens\":%u,\"completion_tokens\":%u}",
                           30 + *ret_events, 1 + *ret_events);
        int len = snprintf(
            event, sizeof event,
            "%sdata: {\"id\":\"chatcmpl-a5ce23f615ec94ef\",\"object\":\"chat.completion.chunk\",\"created\":1795352308,"
            "\"model\":\"tiny\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"%s\"},\"logprobs\":null,"
            "\"finish_reason\":null,\"token_ids\":null}]%s}\n\n",
            named ? "event: chunk\n" : "", words[rng_below(&r, 10)], count);
        if (n + (size_t)len > room) return n;
        memcpy(out + n, event, (size_t)len);
        n += (size_t)len;
    }
}

/* The token events of the other APIs, as their servers write them; %s is the text, %u counts. */
static const struct {
    enum plan_api api;
    const char *name, *event;
} OTHERS[] = {
    {API_OPENAI_RESPONSES, "openai-responses",
     "event: response.output_text.delta\ndata: "
     "{\"content_index\":0,\"delta\":\"%s\",\"item_id\":\"msg_b84755f10b382a71\","
     "\"logprobs\":[],\"output_index\":0,\"sequence_number\":%u,\"type\":\"response.output_text.delta\"}\n\n"},
    {API_ANTHROPIC, "anthropic",
     "event: content_block_delta\ndata: "
     "{\"type\":\"content_block_delta\",\"delta\":{\"type\":\"text_delta\",\"text\":\"%s\"},"
     "\"index\":0}\n\n"},
    {API_OLLAMA, "ollama",
     "{\"model\":\"gemma\",\"message\":{\"role\":\"assistant\",\"content\":\"%s\"},\"created_at\":\"2026-11-28T22:07:"
     "57.3%uZ\","
     "\"done\":false}\n"},
    {API_LLAMACPP, "llamacpp",
     "data: {\"index\":0,\"content\":\"%s\",\"tokens\":[2038],\"stop\":false,\"id_slot\":-1,\"tokens_predicted\":%u,"
     "\"tokens_evaluated\":2}\n\n"},
    {API_TGI, "tgi",
     "data:{\"token\":{\"id\":17,\"text\":\"%s\",\"logprob\":-0.25,\"special\":false},\"index\":%u,\"generated_text\":"
     "null,"
     "\"details\":null}\n\n"},
    {API_TRITON, "triton",
     "data: {\"text_output\":\"%s\",\"index\":%u,\"model_name\":\"dec\",\"model_version\":\"1\"}\n\n"},
    {API_COHERE, "cohere",
     "event: content-delta\ndata: "
     "{\"type\":\"content-delta\",\"index\":0,\"delta\":{\"message\":{\"content\":{\"text\":\"%s\"}}}}\n\n"},
    {API_GEMINI, "gemini",
     "data: {\"candidates\": [{\"content\": {\"parts\": [{\"text\": \"%s\"}],\"role\": \"model\"},\"index\": 0}],"
     "\"usageMetadata\": {\"promptTokenCount\": 8,\"candidatesTokenCount\": %u,\"totalTokenCount\": 20},"
     "\"modelVersion\": \"gemini-2.5-flash\",\"responseId\": \"mAitaLmkHPPlz7IPvtfUqQ4\"}\n\n"},
};

static size_t make_other(char *out, size_t room, const char *layout, uint32_t *ret_events)
{
    static const char *const words[] = {" the", " model", ":\\\",", "\\n", " \xe4\xbd\xa0"};
    size_t n = 0;
    for (*ret_events = 0;; ++*ret_events) {
        char event[512];
        const char *count = strstr(layout, "%u"), *word = strstr(layout, "%s");
        int len = count ? snprintf(event, sizeof event, "%.*s%s%.*s%u%s", (int)(word - layout), layout,
                                   words[*ret_events % 5], (int)(count - word - 2), word + 2, 100000000 + *ret_events,
                                   strchr(count, 'u') + 1)
                        : snprintf(event, sizeof event, "%.*s%s%s", (int)(word - layout), layout,
                                   words[*ret_events % 5], word + 2);
        if (n + (size_t)len > room) return n;
        memcpy(out + n, event, (size_t)len);
        n += (size_t)len;
    }
}

static const char *only; /* the row that is wanted; NULL: all */

static int64_t cpu_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

static void run(const struct dialect *d, const char *what, const char *text, size_t n, size_t read, uint32_t events,
                double seconds, struct gap_pool *pool)
{
    static struct stream s;
    uint64_t seen = 0, bytes = 0;
    int64_t begin = cpu_ns(), now = begin;
    if (only && strcmp(only, what) != 0) return;
    do {
        for (int k = 0; k < 20; k++) {
            stream_begin(&s, d, pool, 0, INT64_MAX);
            for (size_t at = 0; at < n; at += read)
                seen += stream_feed(&s, text + at, n - at < read ? n - at : read, begin + (int64_t)at);
            if (s.events != events || s.malformed) abort();
            bytes += s.bytes;
            stream_clear(&s);
        }
        now = cpu_ns();
    } while ((double)(now - begin) < seconds * 1e9);
    double took = (double)(now - begin) / 1e9;
    printf("%-28s %6.2f M events/s  %6.0f ns/event  %6.0f MB/s  %llu events\n", what, (double)seen / took / 1e6,
           took * 1e9 / (double)seen, (double)bytes / took / 1e6, (unsigned long long)seen);
}

/* The same events by paths, as a plan describes them. */
static const struct {
    const char *name, *keys;
    enum plan_api like;
} TEMPLATES[] = {
    {"template: chat",
     "text: \"choices[].delta.content\", reasoning: [\"choices[].delta.reasoning\", "
     "\"choices[].delta.reasoning_content\"], "
     "usage: {input: usage.prompt_tokens, output: usage.completion_tokens}, finish: \"choices[].finish_reason\", "
     "end: {data: \"[DONE]\"}",
     API_OPENAI_CHAT},
    {"template: chat, usage",
     "text: \"choices[].delta.content\", reasoning: [\"choices[].delta.reasoning\", "
     "\"choices[].delta.reasoning_content\"], "
     "usage: {input: usage.prompt_tokens, output: usage.completion_tokens}, finish: \"choices[].finish_reason\", "
     "end: {data: \"[DONE]\"}",
     API_N},
    {"template: anthropic", "text: delta.text, reasoning: delta.thinking, end: {event: message_stop}", API_ANTHROPIC},
    {"template: ollama", "framing: ndjson, text: message.content, reasoning: message.thinking, end: {finish: done}",
     API_OLLAMA},
    {"template: gemini",
     "text: \"candidates[].content.parts[].text\", usage: {output: usageMetadata.candidatesTokenCount}, "
     "end: {finish: \"candidates[].finishReason\"}",
     API_GEMINI},
};

static size_t make_like(char *out, size_t room, enum plan_api like, uint32_t *ret_events)
{
    for (size_t i = 0; i < sizeof OTHERS / sizeof *OTHERS; i++)
        if (OTHERS[i].api == like) return make_other(out, room, OTHERS[i].event, ret_events);
    return make(out, room, false, like == API_N, ret_events);
}

static void run_templates(char *text, size_t room, double seconds, struct gap_pool *pool)
{
    for (size_t i = 0; i < sizeof TEMPLATES / sizeof *TEMPLATES; i++) {
        char yaml[1024];
        struct err e = {0};
        struct dialect d;
        uint32_t events;
        int len = snprintf(yaml, sizeof yaml,
                           "plan: 1\ntarget: {url: \"http://h/x\", api: template, model: m, template: {body: "
                           "'{\"q\": {prompt}}', %s}}\nload: {concurrency: 1, duration: 1s}\n",
                           TEMPLATES[i].keys);
        struct plan *p = plan_load("bench", yaml, (size_t)len, NULL, 0, &e);
        if (!p) {
            (void)fprintf(stderr, "%s\n", e.text);
            abort();
        }
        dialect_open(&p->target, &d);
        size_t n = make_like(text, room, TEMPLATES[i].like, &events);
        run(&d, TEMPLATES[i].name, text, n, n, events, seconds, pool);
        plan_destroy(&p);
    }
}

int main(int argc, char **argv)
{
    static char text[BUFFER];
    uint32_t events;
    double seconds = argc > 1 ? strtod(argv[1], NULL) : 1;
    only = argc > 2 ? argv[2] : NULL;
    struct gap_pool *pool = gap_pool_new(1000, 1, NULL);
    if (!pool) return 1;
    const struct dialect *chat = dialect_for(API_OPENAI_CHAT);
    size_t n = make(text, sizeof text, false, false, &events);
    run(chat, "64 KiB a read", text, n, n, events, seconds, pool);
    run(chat, "1,000 bytes a read", text, n, 1000, events, seconds, pool);
    run(chat, "100 bytes a read", text, n, 100, events, seconds, pool);
    n = make(text, sizeof text, true, false, &events);
    run(chat, "event: lines, 64 KiB a read", text, n, n, events, seconds, pool);
    n = make(text, sizeof text, false, true, &events);
    run(chat, "running usage, 64 KiB a read", text, n, n, events, seconds, pool);
    for (size_t i = 0; i < sizeof OTHERS / sizeof *OTHERS; i++) {
        n = make_other(text, sizeof text, OTHERS[i].event, &events);
        run(dialect_for(OTHERS[i].api), OTHERS[i].name, text, n, n, events, seconds, pool);
    }
    run_templates(text, sizeof text, seconds, pool);
    gap_pool_destroy(&pool);
    return 0;
}
