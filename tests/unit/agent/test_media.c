/* Images and sound that a decoder reads: the PNG is taken apart by its own rules (CRC, zlib, size), the WAV by its
 * head; no two are the same, and the same seed gives the same. How each API holds them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>
#include <zlib.h>

#include "agent/media.h"
#include "common/json_scan.h"

static uint32_t be(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}
static uint32_t le(const uint8_t *p)
{
    return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

static size_t decode(const struct dialect_media *m, uint8_t *out, size_t room)
{
    size_t n;
    assert_int_equal(sodium_base642bin(out, room, m->base64, m->len, NULL, &n, NULL, sodium_base64_VARIANT_ORIGINAL),
                     0);
    return n;
}

static void check_png(const uint8_t *p, size_t n, uint32_t w, uint32_t h)
{
    static uint8_t rows[1u << 20];
    static const char *const TYPES[] = {"IHDR", "PLTE", "IDAT", "IEND"};
    assert_memory_equal(p, "\x89PNG\r\n\x1a\n", 8);
    const uint8_t *at = p + 8;
    for (int i = 0; i < 4; i++) {
        uint32_t len = be(at);
        assert_memory_equal(at + 4, TYPES[i], 4);
        assert_int_equal(be(at + 8 + len), crc32(0, at + 4, len + 4));
        if (i == 0) assert_true(len == 13 && be(at + 8) == w && be(at + 12) == h && at[16] == 8 && at[17] == 3);
        if (i == 1) assert_int_equal(len, 768);
        if (i == 2) {
            uLongf got = sizeof rows;
            assert_int_equal(uncompress(rows, &got, at + 8, len), Z_OK);
            assert_int_equal(got, (w + 1) * h);
            for (uint32_t y = 0; y < h; y++)
                assert_int_equal(rows[y * (w + 1)], 0);
        }
        at += 12 + len;
    }
    assert_int_equal(at - p, n);
}

static void test_files(void **state)
{
    (void)state;
    static uint8_t one[1u << 20], two[1u << 20], wav[1u << 20];
    const struct plan_workload load = {
        .image_count = 2, .image_width = 300, .image_height = 70, .audio_ns = 1500000000, .audio_rate = 16000};
    struct dialect_request r = {0};
    struct err e;
    struct media *m = media_new(&load, &e);
    assert_non_null(m);
    assert_int_equal(media_make(m, 7, &r), 0);
    assert_int_equal(r.n_media, 3);
    size_t n = decode(&r.media[0], one, sizeof one);
    check_png(one, n, 300, 70);
    assert_int_equal(decode(&r.media[1], two, sizeof two), n);
    check_png(two, n, 300, 70);
    assert_memory_not_equal(one, two, n);
    size_t sound = decode(&r.media[2], wav, sizeof wav);
    assert_true(memcmp(wav, "RIFF", 4) == 0 && memcmp(wav + 8, "WAVEfmt ", 8) == 0 && memcmp(wav + 36, "data", 4) == 0);
    assert_int_equal(le(wav + 4), sound - 8);
    assert_int_equal(le(wav + 24), 16000);
    assert_int_equal(le(wav + 40), 48000);
    assert_int_equal(sound, 44 + 48000);
    assert_int_equal(media_make(m, 8, &r), 0);
    assert_int_equal(decode(&r.media[0], two, sizeof two), n);
    assert_memory_not_equal(one, two, n); /* of another request */
    assert_int_equal(media_make(m, 7, &r), 0);
    assert_int_equal(decode(&r.media[0], two, sizeof two), n);
    assert_memory_equal(one, two, n);
    media_destroy(&m);
}

static void test_parts(void **state)
{
    (void)state;
    static const struct {
        enum plan_api api;
        const char *body;
    } rows[] = {
        {API_OPENAI_CHAT,
         "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"look\"},{\"type\":\"image_url\","
         "\"image_url\":{\"url\":"
         "\"data:image/"
         "png;base64,AAAA\"}},{\"type\":\"input_audio\",\"input_audio\":{\"format\":\"wav\",\"data\":\"BBBB\"}}]}],"
         "\"stream\":true,\"stream_options\":{\"include_usage\":true}}"},
        {API_OPENAI_RESPONSES, "{\"input\":[{\"role\":\"user\",\"content\":[{\"type\":\"input_text\",\"text\":\"look\"}"
                               ",{\"type\":\"input_image\",\"image_url\":"
                               "\"data:image/png;base64,AAAA\"}]}],\"stream\":true}"},
        {API_ANTHROPIC, "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"look\"},{"
                        "\"type\":\"image\",\"source\":{\"type\":"
                        "\"base64\",\"media_type\":\"image/png\",\"data\":\"AAAA\"}}]}],\"stream\":true}"},
        {API_GEMINI, "{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"look\"},{\"inlineData\":{\"mimeType\":"
                     "\"image/png\",\"data\":\"AAAA\"}},"
                     "{\"inlineData\":{\"mimeType\":\"audio/wav\",\"data\":\"BBBB\"}}]}],\"generationConfig\":{}}"},
    };
    const struct dialect_message message = {.role = "user", .text = "look", .len = 4};
    const struct dialect_media media[] = {{MEDIA_IMAGE, "image/png", "AAAA", 4}, {MEDIA_AUDIO, "audio/wav", "BBBB", 4}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf out __attribute__((cleanup(buf_clear))) = BUF_INIT(1u << 16);
        const struct dialect *d = dialect_for(rows[i].api);
        bool sound = strstr(rows[i].body, "BBBB");
        struct dialect_request r = {.messages = &message, .n_messages = 1, .media = media, .n_media = sound ? 2 : 1};
        assert_int_equal(d->write_body(d, &r, &out), 0);
        assert_string_equal(buf_str(&out), rows[i].body);
        assert_true(json_valid(buf_str(&out), out.len));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_files), cmocka_unit_test(test_parts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
