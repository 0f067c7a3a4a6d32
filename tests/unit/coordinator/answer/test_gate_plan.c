#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "coordinator/answer/gate_plan.h"

static void keep(void *arg, const char *sentence)
{
    struct buf *out = arg;
    (void)buf_printf(out, "%s\n", sentence);
}

/* What is noted of a plan: exactly these sentences. */
static void notes(const char *target, const char *rest, const char *wanted)
{
    struct buf text = BUF_INIT(4096), out = BUF_INIT(4096);
    struct err e;
    (void)buf_printf(
        &text,
        "plan: 1\ntarget: {url: \"http://127.0.0.1:1\", model: m%s}\nload: {concurrency: [1], duration: 30s}\n%s\n",
        target, rest);
    struct plan *p = plan_load("p", buf_str(&text), text.len, NULL, 0, &e);
    if (!p) fail_msg("%s: %s", buf_str(&text), e.text);
    gate_notes(p, keep, &out);
    if (strcmp(buf_str(&out), wanted) != 0) fail_msg("%s\nsays: %s\nnot: %s", buf_str(&text), buf_str(&out), wanted);
    plan_destroy(&p);
    buf_clear(&text);
    buf_clear(&out);
}

#define ONE "workload: {synthetic: {input_tokens: 9, output_tokens: 1}}\n"
#define WHOLE "answers come whole, so that their tokens have no times; e2e is the answer's time\n"
#define NO_TOKENS "answers of this API come whole and have no tokens; e2e is their time\n"
#define NO_GAPS "answers of one token have no time between tokens\n"

static void test_never(void **state)
{
    (void)state;
    static const struct {
        const char *target, *workload, *gate, *never;
    } CASES[] = {
        {"", "", "ttft.p99 < 1s", NULL},
        {"", "", "itl.p99 < 1s", NULL},
        {", stream: false", "", "ttft.p99 < 1s", WHOLE},
        {", stream: false", "", "tpot.mean < 1s", WHOLE},
        {", stream: false", "", "user_speed.p50 > 20", WHOLE},
        {", stream: false", "", "itl.p50 < 1s", WHOLE},
        {", stream: false", "", "e2e.p50 < 1s", NULL},
        {", stream: false", "", "normalized.p50 < 1s", NULL},
        {", api: openai-embeddings", "", "ttft.p50 < 1s", NO_TOKENS},
        {", api: rerank", "", "normalized.p50 < 1s", NO_TOKENS},
        {", api: openai-embeddings", "", "e2e.p50 < 1s", NULL},
        {"", ONE, "tpot.p50 < 1s", NO_GAPS},
        {"", ONE, "chunk_gap.max < 1s", NO_GAPS},
        {"", ONE, "ttft.p50 < 1s", NULL},
        {"", "workload: {synthetic: {output_tokens: {uniform: [1, 2]}}}\n", "tpot.p50 < 1s", NULL},
        {"", "workload: {synthetic: {output_tokens: {lognormal: {mean: 9, sd: 9, max: 1}}}}\n", "tpot.p50 < 1s",
         NO_GAPS},
        {"", "", "session_time.p50 < 1s", "the plan has no conversations\n"},
        {"", "", "ttft_second_turn.p50 < 1s", "the plan has no conversations\n"},
        {"", "workload: {synthetic: {}, sessions: {turns: 2}}\n", "ttft_second_turn.p50 < 1s", NULL},
        {"", "workload: {synthetic: {}, sessions: {turns: 2}}\n", "e2e_later_turns.p50 < 1s",
         "no conversation has that many turns\n"},
        {"", "", "tls.p50 < 1s", "target.url is not https\n"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        char rest[512], wanted[512] = "";
        (void)snprintf(rest, sizeof rest, "%sslo: {run: [\"%s\"]}", CASES[i].workload, CASES[i].gate);
        if (CASES[i].never)
            (void)snprintf(wanted, sizeof wanted, "%s of slo.run can never be decided: %s", CASES[i].gate,
                           CASES[i].never);
        notes(CASES[i].target, rest, wanted);
    }
    notes(", stream: false", "slo: {request: {ttft: 1s, e2e: 2s}}", "slo.request.ttft limits nothing: " WHOLE);
    notes(
        ", api: rerank", "slo: {run: [throughput > 5]}",
        "throughput > 5 of slo.run counts output tokens, of which answers of this API have none; requests.rate counts "
        "answers\n");
    notes(
        ", api: rerank", "slo: {capacity: \"> 5 token/s\"}",
        "slo.capacity counts output tokens, of which answers of this API have none; requests/s would count answers\n");
}

static void test_shares(void **state)
{
    (void)state;
    notes("", "slo: {run: [errors.rate < 1%, errors.rate < 0.01, errors.rate < 50%, errors.count <= 0]}", "");
    notes("", "slo: {run: [errors.rate < 1]}",
          "errors.rate < 1 of slo.run is met unless all requests fail: write 1% or 0.01 if a percentage was meant\n");
    notes("", "slo: {run: [errors.rate < 0.5]}",
          "errors.rate < 0.5 of slo.run means 50 %: write 0.5% or 0.005 if a percentage was meant\n");
    notes("", "slo: {run: [errors.rate <= 100%]}", "errors.rate <= 100% of slo.run is met whatever happens\n");
    notes("", "slo: {run: [errors.rate > 100%]}", "errors.rate > 100% of slo.run can never be met\n");
    notes("", "slo: {run: [errors.rate <= 0%]}",
          "errors.rate <= 0% of slo.run can never be shown to be kept: no sample shows that none ever fails; "
          "errors.count "
          "<= 0 asks that none did\n");
    notes("", "slo: {run: [errors.count < 0]}", "errors.count < 0 of slo.run can never be met\n");
    notes("", "slo: {run: [ttft.p50 >= 0ms]}", "ttft.p50 >= 0ms of slo.run is met whatever happens\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_never), cmocka_unit_test(test_shares)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
