/* The answers of the APIs that are not OpenAI's chat and completions, in the shapes of the servers they come from. */
#include <inttypes.h>
#include <string.h>

#include "tests/sim/frame_impl.h"

static const char BROKEN[] = "EngineCore encountered an issue (simulated)";

static bool is_thought(const struct sim_frame *f, uint32_t i)
{
    return i < f->o->reasoning;
}

static uint32_t thoughts(const struct sim_frame *f, uint32_t tokens)
{
    return f->o->reasoning < tokens ? f->o->reasoning : tokens;
}

/* An event of a fixed text. */
static void put_event(const struct sim_frame *f, const char *name, const char *data, struct buf *out)
{
    size_t at = sim_open_event(f, name, out);
    buf_puts(out, data);
    sim_close_chunk(f, at, out);
}

/* before + the words + after */
static void put_text(const struct sim_frame *f, const char *before, uint32_t first, uint32_t n, const char *after,
                     struct buf *out)
{
    buf_puts(out, before);
    sim_put_words(f, first, first + n, out);
    buf_puts(out, after);
}

/* --- answers without tokens: embeddings, rerank --- */

static void put_prompt_usage(const struct sim_frame *f, struct buf *out)
{
    buf_printf(out, ",\"model\":\"%s\",\"usage\":{\"prompt_tokens\":%" PRIu32 ",\"total_tokens\":%" PRIu32 "}}",
               f->ask.model, f->ask.prompt, f->ask.prompt);
}

static void embeddings_whole(const struct sim_frame *f, uint32_t tokens, struct buf *out)
{
    (void)tokens;
    buf_puts(out,
             "{\"object\":\"list\",\"data\":[{\"object\":\"embedding\",\"index\":0,\"embedding\":[0.25,-0.5,1e-3]}]");
    put_prompt_usage(f, out);
}

const struct sim_frames sim_frames_embeddings = {.whole = embeddings_whole};

static void rerank_whole(const struct sim_frame *f, uint32_t tokens, struct buf *out)
{
    (void)tokens;
    buf_printf(out,
               "{\"id\":\"rerank-%" PRIu64 "\",\"results\":[{\"index\":1,\"relevance_score\":0.9},{\"index\":0,"
               "\"relevance_score\":0.1}]",
               f->number);
    put_prompt_usage(f, out);
}

const struct sim_frames sim_frames_rerank = {.whole = rerank_whole};

/* --- responses --- */

static void responses_begin(const struct sim_frame *f, struct buf *out)
{
    size_t at = sim_open_event(f, "response.created", out);
    buf_printf(out,
               "{\"response\":{\"id\":\"resp_%016" PRIx64 "\",\"error\":null,\"model\":\"%s\",\"output\":[],\"status\":"
               "\"in_progress\"},\"sequence_number\":0,\"type\":\"response.created\"}",
               f->number, f->ask.model);
    sim_close_chunk(f, at, out);
}

static void responses_tokens(const struct sim_frame *f, uint32_t first, uint32_t n, bool last, struct buf *out)
{
    const char *name = is_thought(f, first) ? "response.reasoning_text.delta"
                       : f->o->tool_calls   ? "response.function_call_arguments.delta"
                                            : "response.output_text.delta";
    (void)last;
    size_t at = sim_open_event(f, name, out);
    put_text(f, "{\"content_index\":0,\"delta\":\"", first, n, "\"", out);
    buf_printf(out, ",\"item_id\":\"msg_%016" PRIx64 "\",\"sequence_number\":%" PRIu32 ",\"type\":\"%s\"}", f->number,
               first + 1, name);
    sim_close_chunk(f, at, out);
}

static void responses_error(const struct sim_frame *f, struct buf *out)
{
    size_t at = sim_open_event(f, "response.failed", out);
    buf_printf(
        out,
        "{\"response\":{\"status\":\"failed\",\"error\":{\"code\":\"server_error\",\"message\":\"%s\"}},\"type\":"
        "\"response.failed\"}",
        BROKEN);
    sim_close_chunk(f, at, out);
}

static void responses_usage(const struct sim_frame *f, uint32_t tokens, struct buf *out)
{
    buf_printf(
        out,
        "\"usage\":{\"input_tokens\":%" PRIu32 ",\"input_tokens_details\":{\"cached_tokens\":0},\"output_tokens\""
        ":%" PRIu32 ",\"output_tokens_details\":{\"reasoning_tokens\":%" PRIu32 "},\"total_tokens\":%" PRIu64 "}",
        f->ask.prompt, tokens, thoughts(f, tokens), (uint64_t)f->ask.prompt + tokens);
}

static void responses_end(const struct sim_frame *f, uint32_t tokens, bool done, struct buf *out)
{
    if (!done) return;
    size_t at = sim_open_event(f, "response.completed", out);
    buf_printf(out, "{\"response\":{\"id\":\"resp_%016" PRIx64 "\",\"error\":null,\"status\":\"incomplete\",",
               f->number);
    responses_usage(f, tokens, out);
    buf_puts(out, "},\"type\":\"response.completed\"}");
    sim_close_chunk(f, at, out);
}

static void responses_whole(const struct sim_frame *f, uint32_t tokens, struct buf *out)
{
    uint32_t thought = thoughts(f, tokens);
    buf_printf(out,
               "{\"id\":\"resp_%016" PRIx64
               "\",\"object\":\"response\",\"created_at\":1760000000,\"model\":\"%s\",\"error\":null,\"status\":"
               "\"completed\",\"parallel_tool_calls\":true,\"tool_choice\":\"auto\",\"tools\":[],\"output\":[",
               f->number, f->ask.model);
    if (thought)
        put_text(f,
                 "{\"id\":\"rs_0\",\"type\":\"reasoning\",\"summary\":[],\"content\":[{\"type\":\"reasoning_text\","
                 "\"text\":\"",
                 0, thought, "\"}]},", out);
    put_text(f,
             "{\"id\":\"msg_0\",\"type\":\"message\",\"role\":\"assistant\",\"status\":\"completed\",\"content\":[{"
             "\"type\":\"output_text\",\"annotations\":[],\"text\":\"",
             thought, tokens - thought, "\"}]}],", out);
    responses_usage(f, tokens, out);
    buf_putc(out, '}');
}

const struct sim_frames sim_frames_responses = {responses_begin, responses_tokens, NULL,
                                                responses_error, responses_end,    responses_whole};

/* --- anthropic --- */

static void anthropic_begin(const struct sim_frame *f, struct buf *out)
{
    size_t at = sim_open_event(f, "message_start", out);
    buf_printf(out,
               "{\"type\":\"message_start\",\"message\":{\"id\":\"msg_%016" PRIx64
               "\",\"type\":\"message\",\"role\":\"assistant\",\"content\":[],\"model\":\"%s\",\"usage\":{\"input_"
               "tokens\":%" PRIu32 ",\"output_tokens\":0}}}",
               f->number, f->ask.model, f->ask.prompt);
    sim_close_chunk(f, at, out);
    put_event(f, "content_block_start",
              "{\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}",
              out);
}

static void anthropic_tokens(const struct sim_frame *f, uint32_t first, uint32_t n, bool last, struct buf *out)
{
    (void)last;
    size_t at = sim_open_event(f, "content_block_delta", out);
    put_text(
        f,
        is_thought(f, first)
            ? "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"thinking_delta\",\"thinking\":\""
        : f->o->tool_calls
            ? "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":"
              "\""
            : "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"",
        first, n, "\"}}", out);
    sim_close_chunk(f, at, out);
}

static void anthropic_error(const struct sim_frame *f, struct buf *out)
{
    put_event(f, "error",
              "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded (simulated)\"}}",
              out);
}

static void anthropic_end(const struct sim_frame *f, uint32_t tokens, bool done, struct buf *out)
{
    size_t at = sim_open_event(f, "message_delta", out);
    buf_printf(
        out,
        "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"max_tokens\"},\"usage\":{\"input_tokens\":%" PRIu32
        ",\"output_tokens\":%" PRIu32 "}}",
        f->ask.prompt, tokens);
    sim_close_chunk(f, at, out);
    if (done) put_event(f, "message_stop", "{\"type\":\"message_stop\"}", out);
}

static void anthropic_whole(const struct sim_frame *f, uint32_t tokens, struct buf *out)
{
    uint32_t thought = thoughts(f, tokens);
    buf_printf(out, "{\"id\":\"msg_%016" PRIx64 "\",\"type\":\"message\",\"role\":\"assistant\",\"content\":[",
               f->number);
    if (thought) put_text(f, "{\"type\":\"thinking\",\"thinking\":\"", 0, thought, "\"},", out);
    put_text(f, "{\"type\":\"text\",\"text\":\"", thought, tokens - thought, "\"}],\"stop_reason\":\"max_tokens\",",
             out);
    buf_printf(out, "\"usage\":{\"input_tokens\":%" PRIu32 ",\"output_tokens\":%" PRIu32 "}}", f->ask.prompt, tokens);
}

const struct sim_frames sim_frames_anthropic = {anthropic_begin, anthropic_tokens, NULL,
                                                anthropic_error, anthropic_end,    anthropic_whole};

/* --- ollama --- */

static void ollama_head(const struct sim_frame *f, uint32_t n, struct buf *out)
{
    buf_printf(out,
               "{\"model\":\"%s\",\"created_at\":\"2026-11-28T12:00:00.%09" PRIu32
               "Z\",\"message\":{\"role\":\"assistant\"",
               f->ask.model, n);
}

static void ollama_tokens(const struct sim_frame *f, uint32_t first, uint32_t n, bool last, struct buf *out)
{
    (void)last;
    size_t at = sim_open_event(f, NULL, out);
    ollama_head(f, first, out);
    put_text(f, is_thought(f, first) ? ",\"content\":\"\",\"thinking\":\"" : ",\"content\":\"", first, n,
             "\"},\"done\":false}", out);
    sim_close_chunk(f, at, out);
}

static void ollama_error(const struct sim_frame *f, struct buf *out)
{
    put_event(f, NULL, "{\"error\":\"an error was encountered while running the model: unexpected EOF\"}", out);
}

static void ollama_counts(const struct sim_frame *f, uint32_t tokens, struct buf *out)
{
    buf_printf(
        out, ",\"done\":true,\"done_reason\":\"length\",\"prompt_eval_count\":%" PRIu32 ",\"eval_count\":%" PRIu32 "}",
        f->ask.prompt, tokens);
}

static void ollama_end(const struct sim_frame *f, uint32_t tokens, bool done, struct buf *out)
{
    if (!done) return;
    size_t at = sim_open_event(f, NULL, out);
    ollama_head(f, tokens, out);
    buf_puts(out, ",\"content\":\"\"}");
    ollama_counts(f, tokens, out);
    sim_close_chunk(f, at, out);
}

static void ollama_whole(const struct sim_frame *f, uint32_t tokens, struct buf *out)
{
    uint32_t thought = thoughts(f, tokens);
    ollama_head(f, tokens, out);
    if (thought) put_text(f, ",\"thinking\":\"", 0, thought, "\"", out);
    put_text(f, ",\"content\":\"", thought, tokens - thought, "\"}", out);
    ollama_counts(f, tokens, out);
}

const struct sim_frames sim_frames_ollama = {NULL, ollama_tokens, NULL, ollama_error, ollama_end, ollama_whole};

/* --- llama.cpp --- */

static void llamacpp_tokens(const struct sim_frame *f, uint32_t first, uint32_t n, bool last, struct buf *out)
{
    (void)last;
    size_t at = sim_open_event(f, NULL, out);
    put_text(f, "{\"index\":0,\"content\":\"", first, n, "\"", out);
    buf_printf(out,
               ",\"tokens\":[%" PRIu32 "],\"stop\":false,\"id_slot\":-1,\"tokens_predicted\":%" PRIu32
               ",\"tokens_evaluated\":%" PRIu32 "}",
               1000 + first, first + n, f->ask.prompt);
    sim_close_chunk(f, at, out);
}

static void llamacpp_error(const struct sim_frame *f, struct buf *out)
{
    put_event(f, NULL, "{\"error\":{\"code\":500,\"message\":\"simulated\",\"type\":\"server_error\"}}", out);
}

static void llamacpp_last(const struct sim_frame *f, uint32_t tokens, struct buf *out)
{
    buf_printf(out,
               ",\"tokens\":[],\"stop\":true,\"stop_type\":\"limit\",\"tokens_predicted\":%" PRIu32
               ",\"tokens_evaluated\":%" PRIu32 ",\"timings\":{\"cache_n\":0,\"prompt_n\":%" PRIu32 "}}",
               tokens, f->ask.prompt, f->ask.prompt);
}

static void llamacpp_end(const struct sim_frame *f, uint32_t tokens, bool done, struct buf *out)
{
    if (!done) return;
    size_t at = sim_open_event(f, NULL, out);
    buf_puts(out, "{\"index\":0,\"content\":\"\"");
    llamacpp_last(f, tokens, out);
    sim_close_chunk(f, at, out);
}

static void llamacpp_whole(const struct sim_frame *f, uint32_t tokens, struct buf *out)
{
    put_text(f, "{\"index\":0,\"content\":\"", 0, tokens, "\"", out);
    llamacpp_last(f, tokens, out);
}

const struct sim_frames sim_frames_llamacpp = {NULL,           llamacpp_tokens, NULL,
                                               llamacpp_error, llamacpp_end,    llamacpp_whole};

/* --- TGI: the last token's event has the whole text --- */

static void tgi_details(const struct sim_frame *f, uint32_t tokens, struct buf *out)
{
    buf_printf(out,
               "\",\"details\":{\"finish_reason\":\"length\",\"generated_tokens\":%" PRIu32 ",\"input_length\":%" PRIu32
               ",\"seed\":null}}",
               tokens, f->ask.prompt);
}

static void tgi_tokens(const struct sim_frame *f, uint32_t first, uint32_t n, bool last, struct buf *out)
{
    size_t at = sim_open_event(f, NULL, out);
    buf_printf(out, "{\"index\":%" PRIu32 ",\"token\":{\"id\":%" PRIu32 ",", first + 1, 1000 + first);
    put_text(f, "\"text\":\"", first, n, "\",\"logprob\":-0.25,\"special\":false}", out);
    if (last && !f->ask.no_done) {
        put_text(f, ",\"generated_text\":\"", 0, first + n < 64 ? first + n : 64, "", out);
        tgi_details(f, first + n, out);
    } else {
        buf_puts(out, ",\"generated_text\":null,\"details\":null}");
    }
    sim_close_chunk(f, at, out);
}

static void tgi_finish(const struct sim_frame *f, struct buf *out)
{
    size_t at = sim_open_event(f, NULL, out);
    buf_puts(out, "{\"index\":1,\"token\":{\"id\":2,\"text\":\"\",\"special\":true},\"generated_text\":\"");
    tgi_details(f, 0, out);
    sim_close_chunk(f, at, out);
}

static void tgi_error(const struct sim_frame *f, struct buf *out)
{
    put_event(f, NULL, "{\"error\":\"Request failed during generation: simulated\",\"error_type\":\"generation\"}",
              out);
}

static void tgi_whole(const struct sim_frame *f, uint32_t tokens, struct buf *out)
{
    put_text(f, "{\"generated_text\":\"", 0, tokens, "", out);
    tgi_details(f, tokens, out);
}

const struct sim_frames sim_frames_tgi = {NULL, tgi_tokens, tgi_finish, tgi_error, NULL, tgi_whole};

/* --- Triton: no end marker, no usage --- */

static void triton_tokens(const struct sim_frame *f, uint32_t first, uint32_t n, bool last, struct buf *out)
{
    (void)last;
    size_t at = sim_open_event(f, NULL, out);
    buf_printf(out, "{\"index\":%" PRIu32 ",\"model_name\":\"%s\",\"model_version\":\"1\",", first, f->ask.model);
    put_text(f, "\"text_output\":\"", first, n, "\"}", out);
    sim_close_chunk(f, at, out);
}

static void triton_error(const struct sim_frame *f, struct buf *out)
{
    put_event(f, NULL, "{\"error\":\"in ensemble, simulated failure\"}", out);
}

static void triton_whole(const struct sim_frame *f, uint32_t tokens, struct buf *out)
{
    buf_printf(out, "{\"model_name\":\"%s\",\"model_version\":\"1\",", f->ask.model);
    put_text(f, "\"text_output\":\"", 0, tokens, "\"}", out);
}

const struct sim_frames sim_frames_triton = {NULL, triton_tokens, NULL, triton_error, NULL, triton_whole};

/* --- Cohere --- */

static void cohere_begin(const struct sim_frame *f, struct buf *out)
{
    put_event(
        f, "message-start",
        "{\"type\":\"message-start\",\"id\":\"x\",\"delta\":{\"message\":{\"role\":\"assistant\",\"content\":[]}}}",
        out);
    put_event(f, "content-start",
              "{\"type\":\"content-start\",\"index\":0,\"delta\":{\"message\":{\"content\":{\"type\":\"text\",\"text\":"
              "\"\"}}}}",
              out);
}

static void cohere_tokens(const struct sim_frame *f, uint32_t first, uint32_t n, bool last, struct buf *out)
{
    (void)last;
    size_t at = sim_open_event(f, "content-delta", out);
    buf_puts(out, "{\"type\":\"content-delta\",\"index\":0,\"delta\":{\"message\":{\"content\":{");
    put_text(f, is_thought(f, first) ? "\"thinking\":\"" : "\"text\":\"", first, n, "\"}}}}", out);
    sim_close_chunk(f, at, out);
}

static void cohere_usage(const struct sim_frame *f, uint32_t tokens, struct buf *out)
{
    buf_printf(out,
               "\"usage\":{\"billed_units\":{\"input_tokens\":1,\"output_tokens\":%" PRIu32
               "},\"tokens\":{\"input_tokens\":%" PRIu32 ",\"output_tokens\":%" PRIu32 "}}",
               tokens, f->ask.prompt, tokens);
}

static void cohere_error(const struct sim_frame *f, struct buf *out)
{
    put_event(f, "message-end",
              "{\"type\":\"message-end\",\"delta\":{\"finish_reason\":\"ERROR\",\"error\":\"simulated\"}}", out);
}

static void cohere_end(const struct sim_frame *f, uint32_t tokens, bool done, struct buf *out)
{
    put_event(f, "content-end", "{\"type\":\"content-end\",\"index\":0}", out);
    if (!done) return;
    size_t at = sim_open_event(f, "message-end", out);
    buf_puts(out, "{\"type\":\"message-end\",\"delta\":{\"finish_reason\":\"MAX_TOKENS\",");
    cohere_usage(f, tokens, out);
    buf_puts(out, "}}");
    sim_close_chunk(f, at, out);
}

static void cohere_whole(const struct sim_frame *f, uint32_t tokens, struct buf *out)
{
    uint32_t thought = thoughts(f, tokens);
    buf_puts(out, "{\"id\":\"x\",\"finish_reason\":\"MAX_TOKENS\",\"message\":{\"role\":\"assistant\",\"content\":[");
    if (thought) put_text(f, "{\"type\":\"thinking\",\"thinking\":\"", 0, thought, "\"},", out);
    put_text(f, "{\"type\":\"text\",\"text\":\"", thought, tokens - thought, "\"}]},", out);
    cohere_usage(f, tokens, out);
    buf_putc(out, '}');
}

const struct sim_frames sim_frames_cohere = {cohere_begin, cohere_tokens, NULL, cohere_error, cohere_end, cohere_whole};

/* --- Gemini: usage in every event, thoughts counted apart --- */

static void gemini_usage(const struct sim_frame *f, uint32_t tokens, struct buf *out)
{
    uint32_t thought = thoughts(f, tokens);
    buf_printf(out, "\"usageMetadata\":{\"promptTokenCount\":%" PRIu32 ",\"candidatesTokenCount\":%" PRIu32,
               f->ask.prompt, tokens - thought);
    if (thought) buf_printf(out, ",\"thoughtsTokenCount\":%" PRIu32, thought);
    buf_printf(out, ",\"totalTokenCount\":%" PRIu64 "},\"modelVersion\":\"%s\"}", (uint64_t)f->ask.prompt + tokens,
               f->ask.model);
}

static void gemini_tokens(const struct sim_frame *f, uint32_t first, uint32_t n, bool last, struct buf *out)
{
    (void)last;
    size_t at = sim_open_event(f, NULL, out);
    put_text(f, "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"", first, n,
             is_thought(f, first) ? "\",\"thought\":true}],\"role\":\"model\"},\"index\":0}],"
                                  : "\"}],\"role\":\"model\"},\"index\":0}],",
             out);
    gemini_usage(f, first + n, out);
    sim_close_chunk(f, at, out);
}

static void gemini_error(const struct sim_frame *f, struct buf *out)
{
    put_event(
        f, NULL,
        "{\"error\":{\"code\":503,\"message\":\"The model is overloaded (simulated)\",\"status\":\"UNAVAILABLE\"}}",
        out);
}

static void gemini_end(const struct sim_frame *f, uint32_t tokens, bool done, struct buf *out)
{
    if (!done) return;
    size_t at = sim_open_event(f, NULL, out);
    buf_puts(out, "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"\"}],\"role\":\"model\"},\"finishReason\":"
                  "\"MAX_TOKENS\",\"index\":0}],");
    gemini_usage(f, tokens, out);
    sim_close_chunk(f, at, out);
}

static void gemini_whole(const struct sim_frame *f, uint32_t tokens, struct buf *out)
{
    uint32_t thought = thoughts(f, tokens);
    buf_puts(out, "{\"candidates\":[{\"content\":{\"parts\":[");
    if (thought) put_text(f, "{\"thought\":true,\"text\":\"", 0, thought, "\"},", out);
    put_text(f, "{\"text\":\"", thought, tokens - thought,
             "\"}],\"role\":\"model\"},\"finishReason\":\"MAX_TOKENS\"}],", out);
    gemini_usage(f, tokens, out);
}

const struct sim_frames sim_frames_gemini = {NULL, gemini_tokens, NULL, gemini_error, gemini_end, gemini_whole};
