/* Events judged by the shape of those before them, in their stream or in others, say what the full scanner says. The
 * input is taken twice: as it is, and as the texts (its lines) of token events of several layouts, with a few bytes of
 * the layout changed where a line tells so. */
#include "tests/fuzz/stream_util.h"

#define BODY_MAX (1u << 17)

static void compare(const struct dialect *d, const uint8_t *data, size_t size)
{
    static struct shapes shapes;
    struct said fast, shared, full;
    struct dialect sharing = *d;
    shapes = (struct shapes){0};
    sharing.shapes = &shapes;
    for (uint64_t salt = 0; salt < 3; salt++) {
        run_dialect(d, data, size, salt, false, &fast);
        run_dialect(d, data, size, salt, true, &full);
        MUST(memcmp(&fast, &full, sizeof fast) == 0);
    }
    for (uint64_t round = 0; round < 4; round++) { /* what one stream learnt serves the next */
        run_dialect(&sharing, data, size, round % 3, false, &shared);
        run_dialect(&sharing, data, size, round % 3, true, &full);
        MUST(memcmp(&shared, &full, sizeof shared) == 0);
    }
}

static size_t put(uint8_t *out, size_t n, const void *bytes, size_t len)
{
    if (len > BODY_MAX - n) return n;
    memcpy(out + n, bytes, len);
    return n + len;
}

/* With an event's name, values that are read over, and running usage; without. */
static const struct layout {
    enum plan_api api;
    const char *before, *after;
} LAYOUTS[] = {
    {API_OPENAI_CHAT, "data: {\"id\":\"x1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"",
     "\"},\"finish_reason\":null}]}\n\n"},
    {API_OPENAI_CHAT, "event: chunk\ndata: {\"id\":\"x1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"",
     "\"},\"finish_reason\":null}],\"n\":17,\"usage\":{\"completion_tokens\":123,\"prompt_tokens\":4}}\n\n"},
    {API_OLLAMA, "{\"created_at\":\"12:30\",\"message\":{\"content\":\"", "\"},\"done\":false}\n"},
    {API_GEMINI, "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"",
     "\"}]}}],\"usageMetadata\":{\"candidatesTokenCount\":12,\"thoughtsTokenCount\":3}}\r\n\r\n"},
    {API_OPENAI_RESPONSES, "event: response.output_text.delta\ndata: {\"delta\":\"",
     "\",\"sequence_number\":7,\"type\":\"response.output_text.delta\"}\n\n"},
    {API_LLAMACPP, "data: {\"content\":\"", "\",\"tokens\":[17],\"stop\":false,\"tokens_predicted\":9}\n\n"},
};

/* A line "\x01AB…": byte A of this event's layout becomes B. */
static size_t put_event(uint8_t *out, size_t n, const struct layout *layout, const uint8_t *line, size_t len)
{
    const char *before = layout->before, *after = layout->after;
    size_t from = n, where = 0;
    uint8_t what = 0;
    bool change = len >= 3 && line[0] == 1;
    if (change) {
        where = line[1];
        what = line[2];
        line += 3;
        len -= 3;
    }
    n = put(out, n, before, strlen(before));
    n = put(out, n, line, len);
    n = put(out, n, after, strlen(after));
    if (change && n > from) out[from + where % (n - from)] = what;
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t body[BODY_MAX];
    for (int i = 0; i < DIALECTS; i++)
        compare(dialect_at(i), data, size);
    for (size_t i = 0; i < sizeof LAYOUTS / sizeof *LAYOUTS; i++) {
        size_t n = 0;
        for (size_t at = 0; at < size;) {
            const uint8_t *lf = memchr(data + at, '\n', size - at);
            size_t len = lf ? (size_t)(lf - (data + at)) : size - at;
            n = put_event(body, n, &LAYOUTS[i], data + at, len);
            at += len + 1;
        }
        n = put(body, n, "data: [DONE]\n\n", 14);
        compare(dialect_for(LAYOUTS[i].api), body, n);
        if (LAYOUTS[i].api == API_OPENAI_CHAT) compare(template_dialect(0), body, n);
        if (LAYOUTS[i].api == API_OLLAMA) compare(template_dialect(1), body, n);
    }
    return 0;
}
