#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <stdio.h>

#include "coordinator/answer/prom_read.h"
#include "coordinator/answer/server_side.h"

struct seen {
    size_t n;
    char name[8][64];
    double value[8];
    struct prom_line last;
};

static bool collect(void *arg, const struct prom_line *s)
{
    struct seen *k = arg;
    if (k->n < 8) {
        snprintf(k->name[k->n], sizeof k->name[0], "%.*s", (int)s->name_n, s->name);
        k->value[k->n] = s->value;
    }
    k->n++;
    k->last = *s;
    return true;
}

static int parse(const char *text, struct seen *k)
{
    struct err e;
    *k = (struct seen){0};
    return prom_read(text, strlen(text), collect, k, &e);
}

static void test_samples(void **state)
{
    (void)state;
    struct seen k;
    char v[32];
    assert_int_equal(parse("# HELP a what\n# TYPE a gauge\na 1\n\nb:c_total{x=\"1\",y=\"a\\\"b\\\\c\\nd,}\"} 2.5e3 "
                           "1700000000\r\n  d {} -Inf\ne{ z = \"q\" , } NaN # {id=\"7\"} 0.5 1\n# EOF\n",
                           &k),
                     0);
    assert_int_equal(k.n, 4);
    assert_string_equal(k.name[0], "a");
    assert_string_equal(k.name[1], "b:c_total");
    assert_true(k.value[1] > 2499 && k.value[1] < 2501);
    assert_true(isinf(k.value[2]) && k.value[2] < 0);
    assert_true(isnan(k.value[3]));
    assert_true(prom_read_label(&k.last, "z", v, sizeof v));
    assert_string_equal(v, "q");
    assert_false(prom_read_label(&k.last, "y", v, sizeof v));
    assert_int_equal(parse("b{x=\"1\",y=\"a\\\"b\\\\c\\nd,}\"} 2\n", &k), 0);
    assert_true(prom_read_label(&k.last, "y", v, sizeof v));
    assert_string_equal(v, "a\"b\\c\nd,}");
    assert_true(prom_read_label(&k.last, "y", v, 3));
    assert_string_equal(v, "a\"");
    assert_int_equal(parse("b{path=\"C:\\\\new\\n\"} 2\n", &k), 0); /* an escaped backslash, then the letter n */
    assert_true(prom_read_label(&k.last, "path", v, sizeof v));
    assert_string_equal(v, "C:\\new\n");
    assert_int_equal(parse("", &k), 0);
}

static void test_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "a\n",           "a b\n",
        "1a 1\n",        "a{x} 1\n",
        "a{x=1} 1\n",    "a{x=\"1} 1\n",
        "a{x=\"1\" 1\n", "a{x=\"1\\\n",
        "a 0x10\n",      "a 1 x\n",
        "a 1 2 3\n",     "a 1",
        "a{x=\"1\"}\n",  "{x=\"1\"} 1\n",
        "a 1e\n",        "a 11111111111111111111111111111111111111111111111111111111111111111111\n"};
    struct seen k;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (parse(bad[i], &k) == 0) fail_msg("accepted: %s", bad[i]);
    struct err e;
    char *big = malloc(70000);
    memset(big, 'a', 70000);
    big[69999] = '\n';
    assert_int_equal(prom_read(big, 70000, collect, &k, &e), -1);
    assert_non_null(strstr(e.text, "line 1: longer"));
    free(big);
    assert_int_equal(prom_read("a 1\nb 2\nc\n", 10, collect, &k, &e), -1);
    assert_non_null(strstr(e.text, "line 3"));
}

static void page(const char *name, struct server_sample *s)
{
    char path[512];
    struct err e = {0};
    char *text = malloc(1 << 20);
    snprintf(path, sizeof path, "%s/metrics/%s", TEST_DATA, name);
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    size_t n = fread(text, 1, 1 << 20, f);
    fclose(f);
    if (server_read(text, n, s, &e)) fail_msg("%s: %s", name, e.text);
    free(text);
}

static void is(double got, double want)
{
    assert_true(fabs(got - want) <= 1e-9 * (1 + fabs(want)));
}

/* A login page in its place is named, whole or cut. */
static void test_no_metrics(void **state)
{
    (void)state;
    static const char *const PAGES[] = {"<!doctype html>\n<title>Sign in</title>\n", "\n <html><body>Sign in", "<"};
    for (size_t i = 0; i < sizeof PAGES / sizeof *PAGES; i++) {
        struct server_sample s;
        struct err e = {0};
        assert_int_equal(server_read(PAGES[i], strlen(PAGES[i]), &s, &e), -1);
        assert_string_equal(e.text, "the page is HTML or XML, and no metrics");
    }
}

static void test_real_pages(void **state)
{
    (void)state;
    struct server_sample s;
    page("vllm.txt", &s);
    assert_string_equal(s.server, "vllm");
    is(s.value[SERVER_RUNNING], 0);
    is(s.value[SERVER_WAITING], 0); /* not the rows by reason */
    is(s.value[SERVER_PROMPT_TOKENS], 261);
    is(s.value[SERVER_GENERATION_TOKENS], 130);
    is(s.value[SERVER_PREFIX_QUERIES], 261);
    is(s.value[SERVER_TTFT_COUNT], 12);
    is(s.value[SERVER_TTFT_SUM], 24.064192056655884);
    page("llamacpp.txt", &s);
    assert_string_equal(s.server, "llama.cpp");
    is(s.value[SERVER_PROMPT_TOKENS], 40);
    is(s.value[SERVER_GENERATION_TOKENS], 116);
    is(s.value[SERVER_PREFIX_HITS], 152);
    assert_true(isnan(s.value[SERVER_KV_USE]) && isnan(s.value[SERVER_TTFT_SUM]));
}

static void test_names(void **state)
{
    (void)state;
    struct server_sample s;
    static const char two[] = "sglang:num_running_reqs{dp=\"0\"} 3\nsglang:num_running_reqs{dp=\"1\"} "
                              "4\nsglang:token_usage{dp=\"0\"} 0.2\nsglang:token_usage{dp=\"1\"} 0.7\n";
    assert_int_equal(server_read(two, strlen(two), &s, NULL), 0);
    assert_string_equal(s.server, "sglang");
    is(s.value[SERVER_RUNNING], 7);
    is(s.value[SERVER_KV_USE], 0.7);
    static const char both[] =
        "vllm:gpu_prefix_cache_hits_total 5\nvllm:prefix_cache_hits_total 9\nvllm:gpu_prefix_cache_hits_total 5\n";
    assert_int_equal(server_read(both, strlen(both), &s, NULL), 0); /* one figure under two names is counted once */
    is(s.value[SERVER_PREFIX_HITS], 9);
    static const char tgi[] = "tgi_queue_size 2\ntgi_batch_current_size 6\n";
    assert_int_equal(server_read(tgi, strlen(tgi), &s, NULL), 0);
    assert_string_equal(s.server, "tgi");
    is(s.value[SERVER_WAITING], 2);
    static const char other[] = "acme_requests_running 6\nacme_requests_running NaN\n";
    assert_int_equal(server_read(other, strlen(other), &s, NULL), 0);
    assert_string_equal(s.server, "");
    is(s.value[SERVER_RUNNING], 6);
    assert_int_equal(server_read("x 1\n", 4, &s, NULL), 0);
    assert_true(isnan(s.value[SERVER_RUNNING]));
}

static void test_stage(void **state)
{
    (void)state;
    struct server_sample s[6];
    struct server_stage g;
    static const double running[] = {4, 8, 8, 8, 0, 2}, tokens[] = {100, 200, 300, 50, 150, 160};
    for (int i = 0; i < 6; i++) {
        s[i] = (struct server_sample){.t_s = i, .server = "vllm"};
        for (int f = 0; f < SERVER_FIELD_N; f++)
            s[i].value[f] = NAN;
        s[i].value[SERVER_RUNNING] = running[i];
        s[i].value[SERVER_GENERATION_TOKENS] = tokens[i];
        s[i].value[SERVER_QUEUE_SUM] = 0.5 * i;
        s[i].value[SERVER_QUEUE_COUNT] = 10 * i;
    }
    server_stage_compute(s, 6, 0, 4, &g); /* the last sample lies after the window */
    assert_int_equal(g.samples, 5);
    is(g.mean[SERVER_RUNNING], 7);
    is(g.max[SERVER_RUNNING], 8);
    is(g.delta[SERVER_GENERATION_TOKENS], 350); /* 100 + 100, a restart that had made 50, 100 */
    assert_true(g.restarted);
    is(g.queue_ms, 50);
    assert_true(isnan(g.mean[SERVER_WAITING]) && isnan(g.ttft_ms) && isnan(g.prefix_hit_rate));
    server_stage_compute(s, 6, 10, 20, &g);
    assert_int_equal(g.samples, 0);
    assert_true(isnan(g.mean[SERVER_RUNNING]) && isnan(g.delta[SERVER_GENERATION_TOKENS]));
}

/* A balancer shows now this server's page and now that one's. A server that began anew again and again is one. */
static void test_several(void **state)
{
    (void)state;
    static const struct {
        double tokens[12];
        bool several;
    } CASES[] = {{{16, 3016, 32, 3048, 64, 3080, 96, 3096, 112, 3112, 128, 3128}, true},         /* in turn */
                 {{16, 32, 3016, 3048, 64, 96, 112, 3080, 128, 144, 3112, 3128}, true},          /* at random */
                 {{16, 1016, 2016, 3016, 32, 1032, 2032, 3032, 48, 1048, 2048, 3048}, true},     /* four of them */
                 {{3016, 1016, 32, 3032, 1048, 64, 3064, 1080, 96, 3096, 1112, 128}, true},      /* three, backwards */
                 {{3016, 16, 3032, 3048, 3064, 3080, 3096, 3112, 3128, 3144, 3160, 3176}, true}, /* one reading */
                 {{100, 200, 300, 50, 150, 160, 170, 180, 190, 200, 210, 220}, false},           /* began anew */
                 {{100, 200, 300, 50, 150, 250, 350, 450, 550, 650, 750, 850}, false}, /* and counted further */
                 {{1000, 50, 300, 20, 200, 10, 100, 400, 30, 150, 20, 60}, false}};    /* again and again */
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct server_sample s[12];
        struct server_stage g;
        for (int k = 0; k < 12; k++) {
            s[k] = (struct server_sample){.t_s = k, .server = "vllm"};
            for (int f = 0; f < SERVER_FIELD_N; f++)
                s[k].value[f] = NAN;
            s[k].value[SERVER_RUNNING] = 4;
            s[k].value[SERVER_GENERATION_TOKENS] = CASES[i].tokens[k];
        }
        server_stage_compute(s, 12, 0, 12, &g);
        if (g.several != CASES[i].several) fail_msg("case %zu", i);
        assert_int_equal(isnan(g.delta[SERVER_GENERATION_TOKENS]), g.several);
        assert_int_equal(isnan(g.mean[SERVER_RUNNING]), g.several);
        assert_int_equal(g.restarted, !g.several);
    }
}

/* llama.cpp counts prompt tokens from its cache apart (325 and 548 of 873), SGLang with the rest. */
static void test_prompt_tokens(void **state)
{
    (void)state;
    static const struct {
        const char *begin, *end;
    } CASES[] = {
        {"llamacpp:prompt_tokens_total 100\nllamacpp:prompt_tokens_cached_total 10\n",
         "llamacpp:prompt_tokens_total 425\nllamacpp:prompt_tokens_cached_total 558\n"},
        {"sglang:prompt_tokens_total 100\nsglang:cached_tokens_total 10\n",
         "sglang:prompt_tokens_total 973\nsglang:cached_tokens_total 558\n"},
        {"vllm:prompt_tokens_total 100\nvllm:prefix_cache_hits_total 10\nvllm:prefix_cache_queries_total 100\n",
         "vllm:prompt_tokens_total 973\nvllm:prefix_cache_hits_total 558\nvllm:prefix_cache_queries_total 973\n"}};
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct server_sample s[2] = {{.t_s = 0}, {.t_s = 1}};
        struct server_stage g;
        assert_int_equal(server_read(CASES[i].begin, strlen(CASES[i].begin), &s[0], NULL), 0);
        assert_int_equal(server_read(CASES[i].end, strlen(CASES[i].end), &s[1], NULL), 0);
        server_stage_compute(s, 2, 0, 1, &g);
        assert_true(fabs(g.delta[SERVER_PROMPT_TOKENS] - 873) < 1e-9);
        assert_true(fabs(g.prefix_hit_rate - 548.0 / 873) < 1e-9);
    }
}

static void stage_of(const char *begin, const char *end, struct server_stage *ret)
{
    struct server_sample s[2] = {{.t_s = 0}, {.t_s = 10}};
    assert_int_equal(server_read(begin, strlen(begin), &s[0], NULL), 0);
    assert_int_equal(server_read(end, strlen(end), &s[1], NULL), 0);
    server_stage_compute(s, 2, 0, 10, ret);
}

/* Speculative decoding: by counters, of two engines; by SGLang's gauges, of which an engine that checked no draft has
 * 0; and servers that draft nothing. */
static void test_drafts(void **state)
{
    (void)state;
    struct server_stage g;
#define VLLM(drafts, tokens, accepted, first, second)                                                                  \
    "vllm:spec_decode_num_drafts_total{engine=\"0\"} " drafts "\nvllm:spec_decode_num_drafts_total{engine=\"1\"} 5\n"  \
    "vllm:spec_decode_num_drafts_created{engine=\"0\"} 1.7e9\n"                                                        \
    "vllm:spec_decode_num_draft_tokens_total{engine=\"0\"} " tokens                                                    \
    "\nvllm:spec_decode_num_accepted_tokens_total{engine=\"0\"} " accepted                                             \
    "\nvllm:spec_decode_num_accepted_tokens_per_pos_total{engine=\"0\",position=\"0\"} " first                         \
    "\nvllm:spec_decode_num_accepted_tokens_per_pos_total{engine=\"0\",position=\"1\"} " second                        \
    "\nvllm:spec_decode_num_accepted_tokens_per_pos_total{engine=\"0\",position=\"8\"} 7\n"                            \
    "vllm:spec_decode_num_accepted_tokens_per_pos_total{engine=\"0\",position=\"-1\"} 7\n"                             \
    "vllm:spec_decode_num_accepted_tokens_per_pos_total{engine=\"0\"} 7\n"
    stage_of(VLLM("10", "30", "8", "5", "3"), VLLM("110", "330", "158", "95", "63"), &g);
    is(g.delta[SERVER_DRAFTS], 100);
    is(g.acceptance_rate, 0.5);
    is(g.acceptance_length, 2.5);
    is(g.acceptance_at[0], 0.9);
    is(g.acceptance_at[1], 0.6);
    assert_true(isnan(g.acceptance_at[2]) && isnan(g.acceptance_at[SERVER_PLACES - 1]));
    stage_of("sglang:spec_accept_rate{dp_rank=\"0\"} 0\nsglang:spec_accept_length{dp_rank=\"0\"} 0\n",
             "sglang:spec_accept_rate{dp_rank=\"0\"} 0\nsglang:spec_accept_length{dp_rank=\"0\"} 0\n", &g);
    assert_true(isnan(g.acceptance_rate) && isnan(g.acceptance_length) && isnan(g.acceptance_at[0]));
    static const char ranks[] =
        "sglang:spec_accept_rate{dp_rank=\"0\"} 0.4\nsglang:spec_accept_length{dp_rank=\"0\"} 2\n"
        "sglang:spec_accept_rate{dp_rank=\"1\"} 0.6\nsglang:spec_accept_length{dp_rank=\"1\"} 3\n"
        "sglang:spec_accept_rate{dp_rank=\"2\"} 0\nsglang:spec_accept_length{dp_rank=\"2\"} 0\n";
    stage_of(ranks, ranks, &g);
    is(g.acceptance_rate, 0.5);
    is(g.acceptance_length, 2.5);
    static const char old[] = "sglang:spec_accept_length 3.5\n"; /* its earlier versions have no rate */
    stage_of(old, old, &g);
    is(g.acceptance_length, 3.5);
    assert_true(isnan(g.acceptance_rate));
    static const char none[] =
        "llamacpp:spec_decode_num_drafts_total 0\nllamacpp:spec_decode_num_draft_tokens_total 0\n"
        "llamacpp:spec_decode_num_accepted_tokens_total 0\n";
    stage_of(none, none, &g);
    assert_true(isnan(g.acceptance_rate) && isnan(g.acceptance_length));
    stage_of(none,
             "llamacpp:spec_decode_num_drafts_total 4\nllamacpp:spec_decode_num_draft_tokens_total 12\n"
             "llamacpp:spec_decode_num_accepted_tokens_total 0\n",
             &g);
    is(g.acceptance_rate, 0); /* none of twelve is a figure */
    is(g.acceptance_length, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_prompt_tokens), cmocka_unit_test(test_samples),    cmocka_unit_test(test_refused),
        cmocka_unit_test(test_no_metrics),    cmocka_unit_test(test_real_pages), cmocka_unit_test(test_names),
        cmocka_unit_test(test_stage),         cmocka_unit_test(test_several),    cmocka_unit_test(test_drafts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
