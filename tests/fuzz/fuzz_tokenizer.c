/* Bytes as a tokenizer.json: refused with a sentence, or a tokenizer, which counts its own file. Other bytes are text
 * for a small tokenizer of each way to split: as many tokens are counted as are given, and pieces cover the text. */
#include <stdlib.h>
#include <string.h>

#include "coordinator/tokenizer/split.h"
#include "coordinator/tokenizer/tokenizer.h"
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition)                                                                                                \
    do {                                                                                                               \
        if (!(condition)) abort();                                                                                     \
    } while (0)

static void encode(struct tokenizer *t, const char *text, size_t n)
{
    struct bpe_ids ids = {0};
    int64_t got = tokenizer_encode(t, text, n, &ids);
    MUST(got >= 0 && (size_t)got == ids.n && tokenizer_count(t, text, n) == got && (n == 0) == (got == 0));
    MUST(tokenizer_count(t, text, n) == got);
    free(ids.id);
}

/* Every byte is a token, with two merges and an added token. */
static struct tokenizer *small(const char *split)
{
    struct buf json = BUF_INIT(1 << 16);
    struct err e;
    (void)buf_puts(&json, "{\"added_tokens\":[{\"id\":300,\"content\":\"<|end|>\",\"lstrip\":true,\"rstrip\":true,"
                          "\"normalized\":false}],\"normalizer\":{\"type\":\"NFC\"},\"pre_tokenizer\":");
    (void)buf_puts(&json, split);
    (void)buf_puts(&json, ",\"model\":{\"merges\":[\"t h\",[\"th\",\"e\"]],\"vocab\":{\"th\":256,\"the\":257");
    for (unsigned c = 0, high = 256; c < 256; c++) {
        bool seen = (c > 32 && c < 127) || (c > 160 && c != 173);
        (void)buf_printf(&json, ",\"\\u%04x\":%u", seen ? c : high++, c);
    }
    (void)buf_puts(&json, "}}}");
    struct tokenizer *t = tokenizer_parse(buf_str(&json), json.len, "small", &e);
    MUST(t);
    buf_clear(&json);
    return t;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = {.text = ""};
    const char *text = (const char *)data;
    static struct tokenizer *gpt2;
    if (!gpt2) gpt2 = small("{\"type\":\"ByteLevel\"}");
    if (size > 0 && data[0] == '{') {
        struct tokenizer *t = tokenizer_parse(text, size, "fuzz", &e);
        MUST(t || (e.code != ERR_NONE && e.text[0]));
        uint8_t mask[32];
        if (t && tokenizer_count(t, text, size) >= 0) MUST(tokenizer_words(t, mask) <= 256);
        tokenizer_destroy(&t);
    }
    encode(gpt2, text, size);
    for (unsigned k = 0; k < SPLIT_N; k++)
        for (size_t at = 0, end; at < size; at = end) {
            end = split_next((enum split_kind)k, text, size, at);
            MUST(end > at && end <= size);
        }
    return 0;
}
