#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/sim/body.h"
#include "tests/sim/fault.h"
#include "tests/sim/frame.h"

static struct sim_options options(void)
{
    struct sim_options o;
    struct err e;
    char name[] = "plateau-sim";
    char *argv[] = {name, NULL};
    assert_int_equal(sim_options_parse(1, argv, &o, &e), 0);
    return o;
}

/* The body of a chunked answer without its chunk framing, which must be exact; returns the number of chunks. */
static size_t unchunk(const struct buf *in, struct buf *out)
{
    const char *at = (const char *)in->data, *end = at + in->len;
    size_t chunks = 0;
    buf_reset(out);
    for (;;) {
        char *after;
        unsigned long n = strtoul(at, &after, 16);
        assert_true(after > at && after + 2 <= end && memcmp(after, "\r\n", 2) == 0);
        assert_true(*at != '0' || n == 0); /* no leading zeros, as servers write it */
        at = after + 2;
        assert_true(n + 2 <= (size_t)(end - at));
        buf_put(out, at, n);
        assert_memory_equal(at + n, "\r\n", 2);
        at += n + 2;
        if (n == 0) break;
        chunks++;
    }
    assert_ptr_equal(at, end);
    return chunks;
}

/* Every data: line but [DONE] is one JSON value; returns their number. */
static size_t check_events(const struct buf *body)
{
    const char *at = buf_str(body);
    size_t n = 0;
    while ((at = strstr(at, "data:"))) {
        at += 5;
        if (*at == ' ') at++;
        size_t len = strcspn(at, "\r\n");
        struct sim_body b;
        struct err e;
        if (strncmp(at, "[DONE]", 6) != 0) {
            assert_int_equal(sim_body_scan(at, len, &b, &e), 0);
            n++;
        }
        at += len;
    }
    return n;
}

static void build(const struct sim_options *o, const struct sim_ask *ask, struct buf *out)
{
    struct sim_frame f;
    sim_frame_init(&f, o, ask, 77, 1795352308);
    buf_reset(out);
    sim_frame_role(&f, out);
    for (uint32_t i = 0; i < ask->output; i++)
        sim_frame_tokens(&f, i, 1, i + 1 == ask->output, out);
    sim_frame_end(&f, ask->output, true, out);
    assert_false(out->bad);
}

static void streams_have_vllms_shape(void **state)
{
    (void)state;
    struct sim_options o = options();
    struct sim_ask ask = {
        .api = SIM_CHAT, .stream = true, .include_usage = true, .prompt = 29, .output = 2, .model = "tiny"};
    struct buf out __attribute__((cleanup(buf_clear))) = BUF_INIT(1 << 20),
                   body __attribute__((cleanup(buf_clear))) = BUF_INIT(1 << 20);
    build(&o, &ask, &out);
    assert_int_equal(unchunk(&out, &body), 5);
#define HEAD                                                                                                           \
    "data: "                                                                                                           \
    "{\"id\":\"chatcmpl-000000000000004d\",\"object\":\"chat.completion.chunk\",\"created\":1795352308,\"model\":"     \
    "\"tiny\",\"choices\":["
    const char *want = HEAD
        "{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"logprobs\":null,\"finish_reason\":null}],"
        "\"prompt_token_ids\":null}\n\n" HEAD "{\"index\":0,\"delta\":{\"content\":\" "
        "was\"},\"logprobs\":null,\"finish_reason\":null,\"token_ids\":null}]}\n\n" HEAD
        "{\"index\":0,\"delta\":{\"content\":\"\xc3\xa9 "
        "y\"},\"logprobs\":null,\"finish_reason\":\"length\",\"stop_reason\":null,"
        "\"token_ids\":null}]}\n\n" HEAD "],\"usage\":{\"prompt_tokens\":29,\"total_tokens\":31,\"completion_tokens\":"
        "2},\"system_fingerprint\":\"plateau-sim\"}\n\n"
        "data: [DONE]\n\n";
#undef HEAD
    assert_string_equal(buf_str(&body), want);
}

static void every_form_is_well_framed_json(void **state)
{
    (void)state;
    struct buf out __attribute__((cleanup(buf_clear))) = BUF_INIT(1 << 22),
                   body __attribute__((cleanup(buf_clear))) = BUF_INIT(1 << 22);
    for (unsigned bits = 0; bits < 256; bits++) {
        struct sim_options o = options();
        o.crlf = bits & 1;
        o.comments = bits & 2;
        o.no_space = bits & 4;
        o.tool_calls = bits & 8;
        o.reasoning = bits & 16 ? 7 : 0;
        o.continuous_usage = bits & 32;
        struct sim_ask ask = {.api = bits & 64 ? SIM_CHAT : SIM_COMPLETIONS,
                              .stream = true,
                              .include_usage = bits & 128,
                              .prompt = 9,
                              .output = 40,
                              .model = "m"};
        build(&o, &ask, &out);
        size_t chunks = unchunk(&out, &body), events = check_events(&body);
        assert_int_equal(events, 40 + (ask.api == SIM_CHAT) + ask.include_usage);
        assert_int_equal(chunks, (events + 1) * (o.comments ? 2 : 1));
        struct sim_frame f;
        struct sim_body b;
        struct err e;
        sim_frame_init(&f, &o, &ask, 1, 1);
        buf_reset(&out);
        sim_frame_whole(&f, 40, &out);
        assert_int_equal(sim_body_scan(buf_str(&out), out.len, &b, &e), 0);
    }
}

static void chunk_sizes_hold_for_events_of_any_size(void **state)
{
    (void)state;
    struct sim_options o = options();
    struct sim_ask ask = {.api = SIM_COMPLETIONS, .stream = true, .prompt = 1, .output = 4096, .model = "m"};
    struct buf out __attribute__((cleanup(buf_clear))) = BUF_INIT(1 << 20),
                   body __attribute__((cleanup(buf_clear))) = BUF_INIT(1 << 20);
    struct sim_frame f;
    sim_frame_init(&f, &o, &ask, 3, 1);
    for (uint32_t n = 1; n <= 4096; n = n * 2 + 1) {
        buf_reset(&out);
        sim_frame_tokens(&f, 0, n, false, &out);
        sim_frame_close(&f, true, &out);
        assert_int_equal(unchunk(&out, &body), 2);
    }
}

static void faults_follow_seed_and_rate(void **state)
{
    (void)state;
    struct sim_options o = options();
    o.fault[SIM_FAULT_STALL] = o.fault[SIM_FAULT_RESET] = true;
    o.fault_rate = 0.25;
    unsigned n[SIM_FAULT_N] = {0}, other = 0;
    struct sim_options o2 = o;
    o2.seed = 2;
    for (uint64_t i = 1; i <= 10000; i++) {
        enum sim_fault f = sim_fault_choose(&o, i);
        assert_int_equal(f, sim_fault_choose(&o, i));
        n[f]++;
        other += f != sim_fault_choose(&o2, i);
    }
    assert_int_equal(n[SIM_FAULT_NONE] + n[SIM_FAULT_STALL] + n[SIM_FAULT_RESET], 10000);
    assert_in_range(n[SIM_FAULT_STALL], 1100, 1400);
    assert_in_range(n[SIM_FAULT_RESET], 1100, 1400);
    assert_in_range(other, 3000, 5000);
    assert_int_equal(sim_fault_position(&o, SIM_FAULT_STALL, 10), 2);
    assert_int_equal(sim_fault_position(&o, SIM_FAULT_STALL, 2), 1);
    assert_int_equal(sim_fault_position(&o, SIM_FAULT_STALL, 1), 0);
    assert_int_equal(sim_fault_position(&o, SIM_FAULT_EMPTY, 10), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(streams_have_vllms_shape),
        cmocka_unit_test(every_form_is_well_framed_json),
        cmocka_unit_test(chunk_sizes_hold_for_events_of_any_size),
        cmocka_unit_test(faults_follow_seed_and_rate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
