/* A small tokenizer of ours, its tokens as the public `tokenizers` package gives them; other forms of its file; what is
 * said of files that are not read. tests/real/tokenizer.sh compares more of it with that package. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/word_list.h"
#include "coordinator/tokenizer/split.h"
#include "coordinator/tokenizer/tokenizer.h"

#define TINY TEST_DATA "/tokenizer/tiny.json"

static char *tiny; /* its text */
static size_t tiny_n;

static int open_tiny(void **state)
{
    (void)state;
    FILE *f = fopen(TINY, "re");
    tiny = calloc(1, 65536);
    assert_non_null(f);
    tiny_n = fread(tiny, 1, 65535, f);
    (void)fclose(f);
    return tiny_n > 4096 ? 0 : -1;
}

static int close_tiny(void **state)
{
    (void)state;
    free(tiny);
    return 0;
}

/* The file with one text put in the place of another. */
static char *edited(const char *from, const char *to)
{
    char *at = strstr(tiny, from), *out = calloc(1, tiny_n + strlen(to) + 1);
    assert_non_null(at);
    assert_non_null(out);
    memcpy(out, tiny, (size_t)(at - tiny));
    memcpy(out + (at - tiny), to, strlen(to));
    memcpy(out + (at - tiny) + strlen(to), at + strlen(from), strlen(at + strlen(from)));
    return out;
}

static struct tokenizer *parse(const char *text, struct err *e)
{
    *e = (struct err){.text = ""};
    return tokenizer_parse(text, strlen(text), "t.json", e);
}

static struct tokenizer *changed(const char *from, const char *to)
{
    struct err e;
    char *text = edited(from, to);
    struct tokenizer *t = parse(text, &e);
    free(text);
    assert_string_equal(e.text, "");
    assert_non_null(t);
    return t;
}

/* The tokens as text; counted without them they are as many. */
static void expect(struct tokenizer *t, const char *text, const char *want)
{
    char got[512] = "";
    struct bpe_ids ids = {0};
    size_t at = 0;
    int64_t n = tokenizer_encode(t, text, strlen(text), &ids);
    assert_int_equal(n, ids.n);
    for (size_t i = 0; i < ids.n && at < sizeof got; i++)
        at += (size_t)snprintf(got + at, sizeof got - at, "%s%u", i ? " " : "", ids.id[i]);
    assert_string_equal(got, want);
    for (int again = 0; again < 2; again++) /* the second time it is remembered */
        assert_int_equal(tokenizer_count(t, text, strlen(text)), ids.n);
    free(ids.id);
}

static void tokens_are_those_of_the_public_package(void **state)
{
    struct err e = {.text = ""};
    struct tokenizer *t = tokenizer_read(TINY, NULL, &e);
    (void)state;
    assert_string_equal(e.text, "");
    expect(t, "", "");
    expect(t, "the and", "257 261");
    expect(t, "   the", "32 32 258");
    expect(t, "THE'S", "84 72 69 39 83");
    expect(t, "the cat's  12345 ok\n\n<|end|>x",
           "257 32 99 97 116 39 115 32 32 49 50 51 52 53 32 111 107 10 10 388 120");
    /* normal form C: e with an accent that is a character of its own becomes one character */
    expect(t, "\xc3\xa9 e\xcc\x81 \xe6\x97\xa5\xe6\x9c\xac", "195 169 32 195 169 32 230 151 165 230 156 172");
    tokenizer_destroy(&t);
}

static void other_forms_of_the_file(void **state)
{
    (void)state;
    struct tokenizer *t = changed("\"t h\"", "[\"t\",\"h\"]"); /* a merge as a pair */
    expect(t, "the", "257");
    tokenizer_destroy(&t);
    t = changed("\"type\":\"BPE\",", ""); /* as GPT-2's own file */
    expect(t, "the", "257");
    tokenizer_destroy(&t);
    t = changed("\"\xc4\xa0"
                "the\"",
                "\"\\u0120the\""); /* written in ASCII */
    expect(t, "the the", "257 258");
    tokenizer_destroy(&t);
    t = changed("{\"type\":\"NFC\"}", "null");
    expect(t, "e\xcc\x81", "101 204 129");
    tokenizer_destroy(&t);
    /* a piece that is a token is that token, whether its merges make it or not */
    t = changed("\"t h\",", "");
    expect(t, "the", "116 285");
    tokenizer_destroy(&t);
    char *text = edited("\"t h\",", "");
    char *at = strstr(text, "\"ignore_merges\":false");
    assert_non_null(at);
    memcpy(at, "\"ignore_merges\":true ", 21);
    struct err e;
    t = parse(text, &e);
    assert_non_null(t);
    expect(t, "the", "257");
    expect(t, "thee", "116 285 101");
    tokenizer_destroy(&t);
    free(text);
}

static void added_tokens_take_blanks_where_they_say_so(void **state)
{
    (void)state;
    static const char END[] = "\"content\":\"<|end|>\",\"single_word\":false,\"lstrip\":false,\"rstrip\":false";
    struct tokenizer *t = changed(END, "\"content\":\"<|end|>\",\"lstrip\":true,\"rstrip\":true");
    expect(t, "the \xe3\x80\x80<|end|> \n the", "257 388 257");
    expect(t, "<|end|> <|end|>", "388 388");
    tokenizer_destroy(&t);
    t = changed("\"content\":\"<|begin|>\"", "\"content\":\"<|end\""); /* the longer one counts */
    expect(t, "<|end<|end|>", "387 388");
    tokenizer_destroy(&t);
}

static void gpt2_splits_in_its_own_way(void **state)
{
    char *from = strstr(tiny, "{\"type\":\"Sequence\",\"pretokenizers\""), *to = strstr(tiny, ",\"post_processor\"");
    (void)state;
    assert_true(from && to);
    *to = '\0';
    char *part = strdup(from);
    *to = ',';
    struct tokenizer *t = changed(part, "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"trim_offsets\":true}");
    expect(t, "the\nthe", "257 10 257");
    expect(t, " 12345the", "32 49 50 51 52 53 257");
    tokenizer_destroy(&t);
    t = changed(part, "{\"type\":\"ByteLevel\",\"add_prefix_space\":true,\"trim_offsets\":true}");
    expect(t, "the<|end|>the", "258 388 258");
    expect(t, " the", "258");
    tokenizer_destroy(&t);
    free(part);
}

static void words_are_single_tokens_wherever_they_stand(void **state)
{
    struct err e = {.text = ""};
    uint8_t mask[32];
    struct tokenizer *t = tokenizer_read(TINY, NULL, &e);
    (void)state;
    assert_int_equal(tokenizer_words(t, mask), 48);
    assert_int_equal(mask[0] & 3, 3); /* the, and */
    assert_int_equal(tokenizer_beside(t), 1);
    struct buf words = BUF_INIT(200);
    tokenizer_describe(t, &words);
    assert_string_equal(
        buf_str(&words),
        "byte-level BPE, split as Llama 3, 387 tokens, 131 merges, normal form C, 1 more around a text");
    buf_clear(&words);
    tokenizer_destroy(&t);
    t = changed("\xc4\xa0 the", "\xc4\xa0 and"); /* "the" with a blank before it is two tokens now */
    assert_int_equal(tokenizer_words(t, mask), 47);
    assert_int_equal(mask[0] & 3, 2);
    tokenizer_destroy(&t);
}

static void pieces_end_where_the_pattern_says(void **state)
{
    static const struct {
        enum split_kind kind;
        const char *text; /* a bar between pieces */
    } ROWS[] = {
        {SPLIT_GPT2, "we|'ll| go|'|S|  | 12345| !?|\n\n"},
        {SPLIT_GPT2, "a|\t\n| b"},
        {SPLIT_LLAMA3, "we|'LL| go|'s| | |123|45| !?\n\n\n| | x"},
        {SPLIT_LLAMA3, "x|'\xc5\xbf|!x"},
        {SPLIT_QWEN2, "a|1|2| \n| b|  "},
        {SPLIT_QWEN2, "a|\xcc\x81"
                      "b"}, /* a mark leads a word */
        {SPLIT_QWEN35, "a\xcc\x81"
                       "b| \xcc\x81"},
        {SPLIT_O200K, "HTTPServer's| BHTTP|///\n"},
        {SPLIT_O200K, "ab|CD"},
        {SPLIT_TEKKEN, "Ab|'s|1|2"},
        {SPLIT_STARCODER, "a|  |1|2| |3|'s| x|  | y"}, /* before a digit the text ends */
        {SPLIT_DEEPSEEK3, "don|'t| go| |123|4|  |1|你好|!x|?!| |日本"},
        {SPLIT_DEEPSEEK3, "a|\x01\x02|\x03z|\x04"}, /* what is nothing stays together, or leads a word */
        {SPLIT_DEEPSEEK3, "ド|・|ア゙|x"},            /* what an earlier pattern took out is cut by the last one too */
        {SPLIT_DEEPSEEK3, "x|::\n\n|  \n|  | y|  "},
    };
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        char text[64], got[128];
        size_t n = 0, len = 0;
        for (const char *c = ROWS[i].text; *c; c++)
            if (*c != '|') text[n++] = *c;
        for (size_t at = 0, end; at < n; at = end) {
            end = split_next(ROWS[i].kind, text, n, at);
            assert_true(end > at && end <= n);
            if (at) got[len++] = '|';
            memcpy(got + len, text + at, end - at);
            len += end - at;
        }
        got[len] = '\0';
        if (strcmp(got, ROWS[i].text) != 0) fail_msg("row %zu: %s, not %s", i, got, ROWS[i].text);
    }
}

static void what_is_not_read_is_named(void **state)
{
    static const struct {
        const char *from, *to, *says;
    } ROWS[] = {
        {"\"type\":\"BPE\"", "\"type\":\"Unigram\"",
         "t.json: only byte-level BPE is read, and its model is of type Unigram"},
        {"\"vocab\":{", "\"vocabulary\":{", "t.json: its model has no \"vocab\""},
        {"\"merges\":[", "\"merge\":[", "t.json: its model has no \"merges\""},
        {"\"model\":{", "\"models\":{", "t.json: it has no \"model\": is it a tokenizer.json?"},
        {"\"t h\"", "\"th\"", "t.json: merge 1 is not two tokens"},
        {"\"t h\"", "\"t h e\"", "t.json: merge 1 is not two tokens"},
        {"\"t h\"", "\"t q\"", "t.json: merge 1 names a token, or makes one, that is not in the vocabulary"},
        {"\"t h\"", "7", "t.json: merge 1 is not two tokens"},
        {"\"the\":257", "\"the\":-1", "t.json: a token has no number: the"},
        {"\"!\":33", "\"\xe2\x80\xa6\":33", "t.json: it is not byte-level BPE: no token stands for byte 0x21"},
        {"\"dropout\":null", "\"dropout\":0.1", "t.json: its model drops merges by chance (dropout)"},
        {"\"byte_fallback\":false", "\"byte_fallback\":true",
         "t.json: its model falls back to bytes (byte_fallback), as SentencePiece does: only byte-level BPE is read "
         "(GPT-2, Llama 3, Qwen and their kin)"},
        {"\"end_of_word_suffix\":null", "\"end_of_word_suffix\":\"</w>\"",
         "t.json: its model marks parts of words (continuing_subword_prefix, end_of_word_suffix), which is not "
         "byte-level BPE"},
        {"{\"type\":\"NFC\"}", "{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"NFC\"},{\"type\":\"Lowercase\"}]}",
         "t.json: its normalizer is not known here (NFC and none are): Lowercase"},
        {"(?i:'s|", "(?i:'z|",
         "t.json: its pre_tokenizer splits by a pattern that is not known here: "
         "(?i:'z|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| "
         "?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"},
        {"\"behavior\":\"Isolated\"", "\"behavior\":\"MergedWithPrevious\"",
         "t.json: its pre_tokenizer does not keep the pieces of its pattern apart: MergedWithPrevious"},
        {"{\"type\":\"Split\"", "{\"type\":\"Punctuation\"",
         "t.json: its pre_tokenizer has a part that is not known here: Punctuation"},
        {"{\"type\":\"Split\"", "{\"type\":\"Digits\"",
         "t.json: its pre_tokenizer splits by a pattern that is not known here: \\p{N}+"},
        {"\"type\":\"Sequence\",\"pre", "\"type\":\"Metaspace\",\"pre",
         "t.json: its pre_tokenizer is not byte-level: Metaspace"},
        {"\"use_regex\":false", "\"use_regex\":true",
         "t.json: its pre_tokenizer splits by a pattern that is not known here: "
         "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| "
         "?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+ then"},
        {"\"type\":\"TemplateProcessing\"", "\"type\":\"Other\"",
         "t.json: its post_processor is not known here: Other"},
        {"\"single_word\":false", "\"single_word\":true",
         "t.json: an added token is a word of its own only (single_word): <|begin|>"},
        {"\"version\":\"1.0\"", "\"version\":", "t.json: it is not the tokenizer.json of a model, or it is cut off"},
    };
    struct err e;
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        char *text = edited(ROWS[i].from, ROWS[i].to);
        struct tokenizer *t = parse(text, &e);
        assert_null(t);
        assert_string_equal(e.text, ROWS[i].says);
        assert_int_equal(e.code, ERR_PLAN);
        free(text);
    }
    for (size_t n = 0; n + 2 < tiny_n; n += 1 + n / 50) /* cut off anywhere */
        assert_null(tokenizer_parse(tiny, n, "t.json", &e));
    assert_null(tokenizer_read(TEST_DATA, NULL, &e));
    assert_non_null(strstr(e.text, "is a folder: name the tokenizer.json in it"));
    assert_null(tokenizer_read(TEST_DATA "/none.json", NULL, &e));
    assert_non_null(strstr(e.text, "cannot be opened"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens_are_those_of_the_public_package),
        cmocka_unit_test(other_forms_of_the_file),
        cmocka_unit_test(added_tokens_take_blanks_where_they_say_so),
        cmocka_unit_test(gpt2_splits_in_its_own_way),
        cmocka_unit_test(words_are_single_tokens_wherever_they_stand),
        cmocka_unit_test(pieces_end_where_the_pattern_says),
        cmocka_unit_test(what_is_not_read_is_named),
    };
    return cmocka_run_group_tests(tests, open_tiny, close_tiny);
}
