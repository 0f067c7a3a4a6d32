#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/plan/node.h"
#include "coordinator/answer/verdict.h"
#include "coordinator/report/export.h"
#include "tests/unit/fake_run.h"

enum { FILES_MAX = 64 };
struct files {
    char name[FILES_MAX][120];
    size_t n, json;
    int fails; /* 1: the first file cannot be written */
};

static int put(void *arg, const char *name, const struct buf *content, struct err *e)
{
    struct files *f = arg;
    if (f->fails) return err_set(e, ERR_IO, "%s: no space", name);
    assert_true(f->n < FILES_MAX);
    assert_true(content->len > 0);
    for (size_t i = 0; i < f->n; i++)
        assert_string_not_equal(f->name[i], name);
    (void)snprintf(f->name[f->n++], sizeof f->name[0], "%s", name);
    assert_null(strstr(buf_str(content), ":nan"));
    assert_null(strstr(buf_str(content), ":inf,"));
    if (!strstr(name, ".json") || strstr(name, ".jsonl")) return 0;
    struct tree t = {.arena = arena_new(NODE_ARENA_MAX), .file = name};
    struct err bad = {0};
    if (!node_from_json(&t, buf_str(content), content->len, &bad)) fail_msg("%s", bad.text);
    arena_destroy(&t.arena);
    f->json++;
    return 0;
}

static int append(void *arg, const char *name, const struct buf *piece, bool last, struct err *e)
{
    struct files *f = arg;
    if (f->fails) return err_set(e, ERR_IO, "%s: no space", name);
    assert_null(strstr(buf_str(piece), "nan"));
    f->n += last;
    return 0;
}

/* Two rows: one that was sent and one that never was. */
static int requests(void *arg, int (*each)(void *arg, const struct request_data *r, struct err *e), void *each_arg,
                    struct err *e)
{
    (void)arg;
    struct request_data r = {.agent_name = "a, \"b\"", .outcome = "ok", .address = "[::1]:80"};
    r.row.due = 1500000000;
    r.row.sent = 1000;
    r.row.first_token = 2001000;
    if (each(each_arg, &r, e)) return -1;
    for (uint32_t c = 0; c < REQUEST_COLUMNS_N; c++)
        if (REQUEST_COLUMNS[c].kind == REQUEST_MOMENT) request_row_set(&r.row, c, REQUEST_NONE);
    r.outcome = "aborted";
    return each(each_arg, &r, e);
}

static int no_requests(void *arg, int (*each)(void *arg, const struct request_data *r, struct err *e), void *each_arg,
                       struct err *e)
{
    (void)arg, (void)each, (void)each_arg, (void)e;
    return 0;
}

static int keep(void *arg, const char *name, const struct buf *piece, bool last, struct err *e)
{
    (void)name, (void)last, (void)e;
    return buf_puts(arg, buf_str(piece));
}

/* Rows of single requests: columns of both forms, what did not happen, quotes; and a run that kept none. */
static void test_requests(void **state)
{
    (void)state;
    struct fake fake = {.agents = 2, .seed = 3, .duration_s = 8, .warmup_s = 2};
    struct run_data r;
    struct analysis a;
    struct err e = {0};
    fake_run(&fake, NULL, &r);
    assert_int_equal(analysis_init(&a, &r, &e), 0);
    struct buf out = BUF_INIT(1 << 20);
    struct export_to to = {.arg = &out, .put = put, .append = keep, .requests = requests};
    assert_int_equal(export_find("requests-csv")->run(&a, &to, &e), 0);
    const char *csv = buf_str(&out);
    assert_ptr_equal(strstr(csv, "stage,repeat,agent,time,due_s,number,workload,"), csv);
    assert_non_null(strstr(csv, "\r\n1,1,\"a, \"\"b\"\"\","));
    assert_non_null(strstr(csv, ",1.5,0,"));
    assert_non_null(strstr(csv, ",ok,0,[::1]:80,"));
    assert_non_null(strstr(csv, ",2,-0.001\r\n")); /* ttft; e2e of a row whose last token came before it was sent */
    assert_non_null(strstr(csv, ",,\r\n"));        /* neither, of one that was never sent */
    buf_reset(&out);
    assert_int_equal(export_find("requests-jsonl")->run(&a, &to, &e), 0);
    assert_non_null(strstr(buf_str(&out), "\"agent\":\"a, \\\"b\\\"\""));
    assert_non_null(strstr(buf_str(&out), "\"ttft_ms\":2,"));
    assert_non_null(strstr(buf_str(&out), "\"sent_ms\":null"));
    buf_clear(&out);
    to.requests = no_requests;
    assert_int_equal(export_find("requests-jsonl")->run(&a, &to, &e), -1);
    assert_non_null(strstr(e.text, "record: {requests: true}"));
    analysis_clear(&a);
    run_data_clear(&r);
}

static void test_every_form(void **state)
{
    (void)state;
    struct fake fake = {.agents = 2, .seed = 3, .duration_s = 8, .warmup_s = 2};
    struct run_data r;
    struct analysis a;
    struct err e = {0};
    fake_run(&fake, NULL, &r);
    assert_int_equal(analysis_init(&a, &r, &e), 0);
    verdict_add(&a.points[0].verdict, VERDICT_INVALID, "not the server's");
    a.points[2].requested = a.points[1].requested; /* a load that comes again */
    for (size_t i = 0; i < EXPORTS_N; i++) {
        struct files f = {0};
        const struct export_to to = {.arg = &f, .put = put, .append = append, .requests = requests};
        assert_ptr_equal(export_find(EXPORTS[i].name), &EXPORTS[i]);
        if (EXPORTS[i].run(&a, &to, &e)) fail_msg("%s", e.text);
        bool each = f.json > 0;
        assert_true(f.n >= (each ? a.n_points - 1 : 1)); /* the invalid point is left out, the others are all there */
        f.fails = 1;
        assert_int_equal(EXPORTS[i].run(&a, &to, &e), -1);
        assert_non_null(strstr(e.text, "no space"));
    }
    assert_null(export_find("excel"));
    analysis_clear(&a);
    run_data_clear(&r);
}

/* Keeps one file, and the names of all. */
struct kept {
    const char *wanted;
    struct buf text;
    struct buf names;
};
static int keep_file(void *arg, const char *name, const struct buf *content, struct err *e)
{
    struct kept *k = arg;
    (void)e;
    (void)buf_printf(&k->names, "%s\n", name);
    if (strstr(name, k->wanted)) (void)buf_put(&k->text, content->data, content->len);
    return 0;
}

static double number_at(const struct node *n, const char *a, const char *b, const char *c)
{
    n = node_get(n, a);
    if (b) n = node_get(n, b);
    if (c) n = node_get(n, c);
    if (!n) fail_msg("%s.%s.%s is missing", a, b ? b : "", c ? c : "");
    return n->number;
}

static bool near(double a, double b)
{
    return fabs(a - b) <= 1e-3 * fabs(b);
}

static const char WITH[] = "{\"system\": {\"shortened_system_name\": \"two boxes\"}, \"point\": {\"seed_set\": \"A\", "
                           "\"seeds\": {\"scheduler_rng_seed\": 10487924139932647040}}}";

/* A point in the rules' own figures, and what is stated beside it. */
static void test_mlperf(void **state)
{
    (void)state;
    struct fake fake = {.agents = 2, .seed = 3, .duration_s = 8, .warmup_s = 2};
    struct run_data r;
    struct analysis a;
    struct err e = {0};
    fake_run(&fake, NULL, &r);
    assert_int_equal(analysis_init(&a, &r, &e), 0);
    struct kept k = {.wanted = "/r8/result_summary.json", .text = BUF_INIT(1 << 20), .names = BUF_INIT(1 << 20)};
    const struct export_to to = {.arg = &k, .put = keep_file, .with = WITH};
    const struct point *p = &a.points[3];
    assert_int_equal(p->requested.concurrency, 8);
    if (export_find("mlperf-endpoints")->run(&a, &to, &e)) fail_msg("%s", e.text);
    assert_non_null(strstr(buf_str(&k.names), "/results/two_boxes/llama-3_1-8b/r128/point.yaml\n"));
    assert_non_null(strstr(buf_str(&k.names), "/src/plateau/README.md\n"));
    struct tree t = {.arena = arena_new(NODE_ARENA_MAX), .file = "summary"};
    struct node *n = node_from_json(&t, buf_str(&k.text), k.text.len, &e);
    if (!n) fail_msg("%s", e.text);
    double issued = number_at(n, "n_samples_issued", NULL, NULL),
           tokens = number_at(n, "output_sequence_lengths", "total", NULL);
    assert_true(issued > 0 && near(issued, (double)p->window_due));
    assert_true(number_at(n, "n_samples_completed", NULL, NULL) + number_at(n, "n_samples_failed", NULL, NULL) >=
                issued);
    assert_true(near(tokens, FAKE_TOKENS * (double)p->window_ok));
    assert_true(near(number_at(n, "system_tps", NULL, NULL), tokens / p->window_s));
    assert_true(near(number_at(n, "ttft", "percentiles", "90"), p->metric[METRIC_TTFT].q[1] * 1e6));
    assert_true(near(number_at(n, "tps_per_user", NULL, NULL), 1e9 / number_at(n, "tpot", "percentiles", "90")));
    assert_true(node_get(node_get(node_get(n, "tpot"), "early_stopping_percentiles"), "99.9")->kind == NODE_NULL);
    assert_string_equal(node_get(node_get(n, "plateau"), "verdict")->text, "valid");
    arena_destroy(&t.arena);
    buf_reset(&k.text);
    k.wanted = "/r128/point.yaml";
    if (export_find("mlperf-endpoints")->run(&a, &to, &e)) fail_msg("%s", e.text);
    static const char *const SAYS[] = {"region: high_concurrency\n",       "offline: elected\n",
                                       "max_supported_concurrency: 128\n", "scheduler_rng_seed: 10487924139932647040\n",
                                       "model_precision: not stated\n",    "plateau_seed: 18446744073709551615\n"};
    for (size_t i = 0; i < sizeof SAYS / sizeof *SAYS; i++)
        if (!strstr(buf_str(&k.text), SAYS[i])) fail_msg("no \"%s\" in\n%s", SAYS[i], buf_str(&k.text));
    assert_null(strstr(buf_str(&k.text), "\nruntime:")); /* seeds are a part of runtime_settings */
    buf_clear(&k.text);
    buf_clear(&k.names);
    analysis_clear(&a);
    run_data_clear(&r);
}

static void test_mlperf_refuses(void **state)
{
    (void)state;
    static const struct {
        const char *with, *says;
    } CASES[] = {{"{\"point\": {\"concurrency\": 5}, \"system\": {}}", "point.concurrency: is measured"},
                 {"{\"system\": {\"tps_utilization\": 1}, \"point\": {}}", "system.tps_utilization: is measured"},
                 {"{\"system\": {}}", "has no object \"point\""},
                 {"{\"system\": [], \"point\": {}}", "\"system\" is not an object"},
                 {"[1", "--with: byte 2: not JSON"}};
    struct fake fake = {.agents = 1, .seed = 3, .duration_s = 8, .warmup_s = 2};
    struct run_data r;
    struct analysis a;
    struct err e = {0};
    fake_run(&fake, NULL, &r);
    assert_int_equal(analysis_init(&a, &r, &e), 0);
    struct kept k = {.wanted = "-", .text = BUF_INIT(1 << 24), .names = BUF_INIT(1 << 20)};
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        const struct export_to to = {.arg = &k, .put = keep_file, .with = CASES[i].with};
        assert_int_equal(export_find("mlperf-endpoints")->run(&a, &to, &e), -1);
        if (!strstr(e.text, CASES[i].says)) fail_msg("%s", e.text);
    }
    const struct export_to to = {.arg = &k, .put = keep_file};
    a.n_points = 3; /* 1, 2, 4: no curve */
    assert_int_equal(export_find("mlperf-endpoints")->run(&a, &to, &e), -1);
    assert_non_null(strstr(e.text, "load.curve: mlperf-endpoints"));
    buf_clear(&k.text);
    buf_clear(&k.names);
    a.n_points = r.n_stages;
    analysis_clear(&a);
    run_data_clear(&r);
}

static double in_file(const struct analysis *a, const char *form, const char *path)
{
    struct kept k = {.wanted = "", .text = BUF_INIT(1 << 20), .names = BUF_INIT(1 << 20)};
    const struct export_to to = {.arg = &k, .put = keep_file};
    struct tree t = {.arena = arena_new(NODE_ARENA_MAX), .file = form};
    struct err e = {0};
    char words[200], *next = words;
    if (export_find(form)->run(a, &to, &e)) fail_msg("%s", e.text);
    const char *end = strcmp(form, "vllm") == 0 ? strstr(buf_str(&k.text), "}\n[") : NULL; /* its summary comes last */
    const struct node *n =
        node_from_json(&t, buf_str(&k.text), end ? (size_t)(end + 1 - buf_str(&k.text)) : k.text.len, &e);
    if (!n) fail_msg("%s: %s", form, e.text);
    (void)snprintf(words, sizeof words, "%s", path);
    for (char *word; n && (word = strsep(&next, "."));)
        n = node_get(n, word);
    double number = n ? n->number : (double)NAN;
    arena_destroy(&t.arena);
    buf_clear(&k.text);
    buf_clear(&k.names);
    return number;
}

/* Of 106 requests due in the window, or before it and unanswered in all of it, 90 ended ok, 4 failed, 10 got no answer
 * and 2 were still young when the stage ended: no form loses one of them. */
static void test_all_requests(void **state)
{
    (void)state;
    struct fake fake = {.agents = 1, .seed = 3, .duration_s = 8, .warmup_s = 2};
    struct run_data r;
    struct analysis a;
    struct err e = {0};
    fake_run(&fake, NULL, &r);
    assert_int_equal(analysis_init(&a, &r, &e), 0);
    size_t all = a.n_points;
    a.n_points = 1;
    struct point *p = &a.points[0];
    p->window_due = 103;
    p->earlier_unanswered = 3;
    p->window_ok = 90;
    p->window_failed = 4;
    p->window_cut = 12;
    p->window_unanswered = 10;
    static const struct {
        const char *form, *path;
        double number;
    } WANT[] = {{"vllm", "num_prompts", 106},
                {"vllm", "completed", 90},
                {"vllm", "failed", 14},
                {"aiperf", "request_count.avg", 106},
                {"aiperf", "completed_request_count.avg", 90},
                {"llm-d", "results.request_performance.aggregate.requests.total", 106},
                {"llm-d", "results.request_performance.aggregate.requests.failures", 14},
                {"llm-d", "results.request_performance.aggregate.requests.incomplete", 2}};
    for (size_t i = 0; i < sizeof WANT / sizeof *WANT; i++) {
        double got = in_file(&a, WANT[i].form, WANT[i].path);
        if (!(fabs(got - WANT[i].number) < 1e-9))
            fail_msg("%s: %s is %g, not %g", WANT[i].form, WANT[i].path, got, WANT[i].number);
    }
    p->requested.kind = LOAD_OPEN; /* vLLM's burstiness 1 is Poisson */
    p->requested.arrivals = ARRIVALS_POISSON;
    assert_true(fabs(in_file(&a, "vllm", "burstiness") - 1) < 1e-9);
    p->requested.arrivals = ARRIVALS_CONSTANT;
    assert_false(fabs(in_file(&a, "vllm", "burstiness") - 1) < 1e-9);
    a.n_points = all;
    analysis_clear(&a);
    run_data_clear(&r);
}

/* Against numbers that are known: 1 ms and 3 ms. */
static void test_spread(void **state)
{
    (void)state;
    struct hist *hist[METRIC_N] = {0};
    struct point p = {.hist = hist};
    hist[METRIC_TTFT] = hist_new();
    assert_true(isnan(export_sd(&p, METRIC_TPOT)));
    assert_true(isnan(export_quantile(&p, METRIC_TTFT, 0.5)));
    assert_int_equal(hist_record(hist[METRIC_TTFT], 1 * NS_PER_MS, 5), 0);
    assert_int_equal(hist_record(hist[METRIC_TTFT], 3 * NS_PER_MS, 5), 0);
    assert_true(fabs(export_sd(&p, METRIC_TTFT) - 1) < 2e-3);
    assert_true(fabs(export_quantile(&p, METRIC_TTFT, 0.99) - 3) < 4e-3);
    hist_destroy(&hist[METRIC_TTFT]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_requests), cmocka_unit_test(test_every_form),
                                       cmocka_unit_test(test_spread),   cmocka_unit_test(test_all_requests),
                                       cmocka_unit_test(test_mlperf),   cmocka_unit_test(test_mlperf_refuses)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
