#include "tests/sim/frame.h"
#include "tests/sim/frame_impl.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Four bytes each, so that an event's length is known; with letters of 2, 3 and 4 bytes and escapes, because readers
 * must stand them. */
static const char WORDS[][SIM_WORD + 1] = {
    " the", " sea", " and",          "\\nto", " sky",       " of ", "\xf0\x9f\x99\x82", " day",
    " in ", " it ", " \xe4\xbd\xa0", " was",  "\xc3\xa9 y", " by ", "\\\"a ",           " new"};
enum { WORDS_N = sizeof WORDS / sizeof *WORDS };

const char *sim_word(const struct sim_frame *f, uint32_t i)
{
    return WORDS[(f->number * 7 + i) % WORDS_N];
}

const char *sim_nl(const struct sim_frame *f)
{
    return f->o->crlf ? "\r\n" : "\n";
}

void sim_frame_init(struct sim_frame *f, const struct sim_options *o, const struct sim_ask *ask, uint64_t number,
                    int64_t created)
{
    *f = (struct sim_frame){.o = o, .ask = *ask, .number = number, .created = created};
    bool chat = ask->api != SIM_COMPLETIONS;
    int n = snprintf(f->head, sizeof f->head,
                     "data:%s{\"id\":\"%s-%016" PRIx64 "\",\"object\":\"%s\",\"created\":%" PRId64
                     ",\"model\":\"%s\",\"choices\":[",
                     o->no_space ? "" : " ", chat ? "chatcmpl" : "cmpl", number,
                     chat ? "chat.completion.chunk" : "text_completion", created, ask->model);
    f->head_len = n > 0 ? (size_t)n : 0;
}

/* A chunk is opened with room for its size, which is filled in when it is closed. */
size_t sim_open_chunk(const struct sim_frame *f, struct buf *out)
{
    if (f->o->comments) {
        char line[32];
        bool lines = API_ROWS[f->ask.api].type == SIM_TYPE_NDJSON; /* no comments there: a blank line */
        int n = snprintf(line, sizeof line, "%s%s%s", lines ? "" : ": keep-alive", lines ? "" : sim_nl(f), sim_nl(f));
        buf_printf(out, "%x\r\n%s\r\n", (unsigned)n, line);
    }
    size_t at = out->len;
    buf_put(out, "     \r\n", 7);
    return at;
}

void sim_close_chunk(const struct sim_frame *f, size_t at, struct buf *out)
{
    static const char HEX[] = "0123456789abcdef";
    buf_puts(out, sim_nl(f));
    if (API_ROWS[f->ask.api].type != SIM_TYPE_NDJSON) buf_puts(out, sim_nl(f));
    if (out->bad) return;
    size_t n = out->len - at - 7, digits = 1;
    while (n >> (4 * digits))
        digits++;
    /* the size takes `digits` of the five bytes; the chunk moves up over the rest */
    memmove(out->data + at + digits, out->data + at + 5, out->len - at - 5);
    for (size_t i = 0; i < digits; i++)
        out->data[at + i] = (uint8_t)HEX[(n >> (4 * (digits - 1 - i))) & 15];
    out->len -= 5 - digits;
    buf_puts(out, "\r\n");
}

static void put_usage(const struct sim_frame *f, uint32_t tokens, struct buf *out)
{
    buf_printf(out,
               ",\"usage\":{\"prompt_tokens\":%" PRIu32 ",\"total_tokens\":%" PRIu64 ",\"completion_tokens\":%" PRIu32
               "}",
               f->ask.prompt, (uint64_t)f->ask.prompt + tokens, tokens);
}

static bool continuous(const struct sim_frame *f)
{
    return f->ask.continuous_usage || f->o->continuous_usage;
}

static const char *finish_reason(const struct sim_frame *f)
{
    return f->o->tool_calls && f->ask.api != SIM_COMPLETIONS ? "tool_calls" : "length";
}

static void openai_begin(const struct sim_frame *f, struct buf *out)
{
    if (f->ask.api == SIM_COMPLETIONS) return;
    size_t at = sim_open_chunk(f, out);
    buf_put(out, f->head, f->head_len);
    buf_puts(
        out,
        "{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"logprobs\":null,\"finish_reason\":null}]");
    if (continuous(f)) put_usage(f, 0, out);
    buf_puts(out, ",\"prompt_token_ids\":null}");
    sim_close_chunk(f, at, out);
}

/* Opens the text's string; its end is put_text_end's. */
static void put_text_begin(const struct sim_frame *f, uint32_t first, struct buf *out)
{
    if (f->ask.api == SIM_COMPLETIONS)
        buf_puts(out, "{\"index\":0,\"text\":\"");
    else if (first < f->o->reasoning)
        buf_puts(out, "{\"index\":0,\"delta\":{\"reasoning_content\":\"");
    else if (!f->o->tool_calls)
        buf_puts(out, "{\"index\":0,\"delta\":{\"content\":\"");
    else {
        buf_puts(out, "{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,");
        if (first == f->o->reasoning)
            buf_printf(out,
                       "\"id\":\"call_%016" PRIx64
                       "\",\"type\":\"function\",\"function\":{\"name\":\"look_up\",\"arguments\":\"",
                       f->number);
        else
            buf_puts(out, "\"function\":{\"arguments\":\"");
    }
}

static void put_text_end(const struct sim_frame *f, uint32_t first, bool last, struct buf *out)
{
    bool chat = f->ask.api != SIM_COMPLETIONS;
    if (!chat)
        buf_puts(out, "\",\"logprobs\":null,\"finish_reason\":");
    else if (f->o->tool_calls && first >= f->o->reasoning)
        buf_puts(out, "\"}}]},\"logprobs\":null,\"finish_reason\":");
    else
        buf_puts(out, "\"},\"logprobs\":null,\"finish_reason\":");
    if (last)
        buf_printf(out, "\"%s\",\"stop_reason\":null,\"token_ids\":null}]", finish_reason(f));
    else
        buf_puts(out, chat ? "null,\"token_ids\":null}]" : "null,\"stop_reason\":null,\"token_ids\":null}]");
}

static void openai_tokens(const struct sim_frame *f, uint32_t first, uint32_t n, bool last, struct buf *out)
{
    size_t at = sim_open_chunk(f, out);
    buf_put(out, f->head, f->head_len);
    put_text_begin(f, first, out);
    for (uint32_t i = 0; i < n; i++)
        buf_put(out, sim_word(f, first + i), SIM_WORD);
    put_text_end(f, first, last, out);
    if (continuous(f)) put_usage(f, first + n, out);
    buf_putc(out, '}');
    sim_close_chunk(f, at, out);
}

static void openai_finish(const struct sim_frame *f, struct buf *out)
{
    size_t at = sim_open_chunk(f, out);
    buf_put(out, f->head, f->head_len);
    buf_puts(out, f->ask.api != SIM_COMPLETIONS ? "{\"index\":0,\"delta\":{\"content\":\"\"}"
                                                : "{\"index\":0,\"text\":\"\"");
    buf_puts(out, ",\"logprobs\":null,\"finish_reason\":\"stop\",\"stop_reason\":null}]}");
    sim_close_chunk(f, at, out);
}

static void put_data(const struct sim_frame *f, const char *payload, struct buf *out)
{
    size_t at = sim_open_chunk(f, out);
    buf_puts(out, f->o->no_space ? "data:" : "data: ");
    buf_puts(out, payload);
    sim_close_chunk(f, at, out);
}

static void openai_error(const struct sim_frame *f, struct buf *out)
{
    put_data(f,
             "{\"error\":{\"message\":\"EngineCore encountered an issue (simulated)\",\"type\":\"InternalServerError\","
             "\"param\":null,\"code\":500}}",
             out);
}

static void openai_end(const struct sim_frame *f, uint32_t tokens, bool done, struct buf *out)
{
    if (f->ask.include_usage || f->o->always_usage) {
        size_t at = sim_open_chunk(f, out);
        buf_put(out, f->head, f->head_len);
        buf_putc(out, ']');
        put_usage(f, tokens, out);
        buf_puts(out, ",\"system_fingerprint\":\"plateau-sim\"}");
        sim_close_chunk(f, at, out);
    }
    if (done) put_data(f, "[DONE]", out);
}

void sim_put_words(const struct sim_frame *f, uint32_t from, uint32_t to, struct buf *out)
{
    for (uint32_t i = from; i < to; i++)
        buf_put(out, sim_word(f, i), SIM_WORD);
}

static void put_message(const struct sim_frame *f, uint32_t tokens, struct buf *out)
{
    uint32_t thought = f->o->reasoning < tokens ? f->o->reasoning : tokens;
    buf_puts(out, "{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":");
    if (f->o->tool_calls)
        buf_puts(out, "null");
    else {
        buf_putc(out, '"');
        sim_put_words(f, thought, tokens, out);
        buf_putc(out, '"');
    }
    if (f->o->tool_calls) {
        buf_printf(out,
                   ",\"tool_calls\":[{\"id\":\"call_%016" PRIx64
                   "\",\"type\":\"function\",\"function\":{\"name\":\"look_up\",\"arguments\":\"",
                   f->number);
        sim_put_words(f, thought, tokens, out);
        buf_puts(out, "\"}}]");
    }
    if (thought) {
        buf_puts(out, ",\"reasoning_content\":\"");
        sim_put_words(f, 0, thought, out);
        buf_putc(out, '"');
    }
    buf_putc(out, '}');
}

static void openai_whole(const struct sim_frame *f, uint32_t tokens, struct buf *out)
{
    bool chat = f->ask.api != SIM_COMPLETIONS;
    buf_printf(
        out, "{\"id\":\"%s-%016" PRIx64 "\",\"object\":\"%s\",\"created\":%" PRId64 ",\"model\":\"%s\",\"choices\":[",
        chat ? "chatcmpl" : "cmpl", f->number, chat ? "chat.completion" : "text_completion", f->created, f->ask.model);
    if (chat)
        put_message(f, tokens, out);
    else {
        buf_puts(out, "{\"index\":0,\"text\":\"");
        sim_put_words(f, 0, tokens, out);
        buf_putc(out, '"');
    }
    buf_printf(
        out,
        ",\"logprobs\":null,\"finish_reason\":\"%s\",\"stop_reason\":null}],\"system_fingerprint\":\"plateau-sim\"",
        tokens ? finish_reason(f) : "stop");
    put_usage(f, tokens, out);
    buf_putc(out, '}');
}

const struct sim_frames sim_frames_openai = {openai_begin, openai_tokens, openai_finish,
                                             openai_error, openai_end,    openai_whole};

/* --- whatever the API --- */

static const struct sim_frames *frames(const struct sim_frame *f)
{
    return API_ROWS[f->ask.api].frames;
}

size_t sim_open_event(const struct sim_frame *f, const char *name, struct buf *out)
{
    size_t at = sim_open_chunk(f, out);
    if (API_ROWS[f->ask.api].type == SIM_TYPE_NDJSON) return at;
    if (name) buf_printf(out, "event: %s%s", name, sim_nl(f));
    buf_puts(out, f->o->no_space ? "data:" : "data: ");
    return at;
}

void sim_frame_role(const struct sim_frame *f, struct buf *out)
{
    if (frames(f)->begin) frames(f)->begin(f, out);
}

void sim_frame_tokens(const struct sim_frame *f, uint32_t first, uint32_t n, bool last, struct buf *out)
{
    frames(f)->tokens(f, first, n, last, out);
}

void sim_frame_finish(const struct sim_frame *f, struct buf *out)
{
    if (frames(f)->finish) frames(f)->finish(f, out);
}

void sim_frame_error(const struct sim_frame *f, struct buf *out)
{
    frames(f)->error(f, out);
}

void sim_frame_garbage(const struct sim_frame *f, struct buf *out)
{
    size_t at = sim_open_event(f, NULL, out);
    buf_puts(out, "{\"id\":\"x\",\"choices\":[{\"delta\":{\"content\":\xff\xfe]}\x01 not json");
    sim_close_chunk(f, at, out);
}

void sim_frame_end(const struct sim_frame *f, uint32_t tokens, bool done, struct buf *out)
{
    if (frames(f)->end) frames(f)->end(f, tokens, done, out);
    buf_puts(out, "0\r\n\r\n");
}

void sim_frame_close(const struct sim_frame *f, bool done, struct buf *out)
{
    if (done && frames(f) == &sim_frames_openai) put_data(f, "[DONE]", out);
    buf_puts(out, "0\r\n\r\n");
}

void sim_frame_whole(const struct sim_frame *f, uint32_t tokens, struct buf *out)
{
    frames(f)->whole(f, tokens, out);
}
