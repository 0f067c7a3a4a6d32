/* Good plans: every value in its field, every default, and every way there and back. */
#include <dirent.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/clock.h"
#include "common/plan/plan.h"
#include "tests/unit/common/plan/same_plan.h"

static struct plan *load_with(const char *yaml, const char *const *set, size_t n)
{
    struct err e = {.text = ""};
    struct plan *p = plan_load("p.yaml", yaml, strlen(yaml), set, n, &e);
    if (!p) fail_msg("%s\n%s", e.text, yaml);
    return p;
}
static struct plan *load(const char *yaml)
{
    return load_with(yaml, NULL, 0);
}

/* There and back by compact JSON, pretty JSON, YAML and as an agent reads it. */
static void reads_back(const struct plan *p)
{
    struct err e = {.text = ""};
    struct buf out = BUF_INIT(1 << 20);
    char hash[65], again[65];
    assert_int_equal(plan_hash(p, hash), 0);
    for (int way = 0; way < 4; way++) {
        buf_reset(&out);
        assert_int_equal(way == 0   ? plan_to_json(p, false, &out)
                         : way == 1 ? plan_to_json(p, true, &out)
                         : way == 2 ? plan_to_yaml(p, &out)
                                    : plan_to_json(p, false, &out),
                         0);
        struct plan *q = way == 3 ? plan_from_json(buf_str(&out), out.len, &e)
                                  : plan_load("back", buf_str(&out), out.len, NULL, 0, &e);
        if (!q) fail_msg("way %d: %s\n%s", way, e.text, buf_str(&out));
        same_plan(p, q);
        assert_int_equal(plan_hash(q, again), 0);
        assert_string_equal(hash, again);
        plan_destroy(&q);
        assert_null(q);
    }
    buf_clear(&out);
}

static const char SMALLEST[] = "plan: 1\n"
                               "target: {url: http://127.0.0.1:8000/v1/chat/completions, model: llama-3.1-8b}\n"
                               "load: {concurrency: [1, 2, 4, 8, 16, 32, 64], duration: 30s}\n";

static void the_smallest_has_every_default(void **state)
{
    (void)state;
    struct plan *p = load(SMALLEST);
    const struct plan_target *t = &p->target;
    assert_string_equal(p->name, "plan");
    assert_true(p->seed == 1);
    assert_string_equal(t->url, "http://127.0.0.1:8000/v1/chat/completions");
    assert_int_equal(t->api, API_OPENAI_CHAT);
    assert_int_equal(t->n_models, 1);
    assert_string_equal(t->models[0].name, "llama-3.1-8b");
    assert_true(same(t->models[0].weight, 1));
    assert_int_equal(t->auth.kind, AUTH_NONE);
    assert_int_equal(t->n_headers, 0);
    assert_string_equal(t->body, "{}");
    assert_int_equal(t->http, HTTP_1);
    assert_true(t->tls_verify);
    assert_null(t->tls_ca_file);
    assert_null(t->metrics_url);
    assert_false(t->fresh_connections);
    assert_true(!t->proxy && !t->address && !t->host && !t->sni && t->proxy_auth.kind == AUTH_NONE);
    assert_int_equal(t->timeout_connect_ns, 5 * NS_PER_S);
    assert_int_equal(t->timeout_first_token_ns, 60 * NS_PER_S);
    assert_int_equal(t->timeout_idle_ns, 30 * NS_PER_S);
    assert_int_equal(t->timeout_total_ns, 600 * NS_PER_S);
    assert_int_equal(p->n_workloads, 1);
    assert_string_equal(p->workloads[0].name, "default");
    assert_true(same(p->workloads[0].input_tokens.a, 256) && same(p->workloads[0].output_tokens.a, 128) &&
                same(p->workloads[0].weight, 1));
    assert_int_equal(p->workloads[0].input_tokens.kind, DIST_FIXED);
    assert_int_equal(p->workloads[0].prefix_tokens, 0);
    assert_true(p->sweep);
    assert_int_equal(p->n_stages, 7);
    for (size_t i = 0; i < 7; i++) {
        assert_int_equal(p->stages[i].kind, LOAD_CLOSED);
        assert_int_equal(p->stages[i].concurrency, 1u << i);
        assert_int_equal(p->stages[i].duration_ns, 30 * NS_PER_S);
        assert_int_equal(p->stages[i].warmup_ns, 3 * NS_PER_S);
        assert_int_equal(p->stages[i].ramp_ns, 0);
        assert_int_equal(p->stages[i].requests, 0);
    }
    assert_int_equal(p->search.goal, SEARCH_NONE);
    assert_int_equal(p->repeats, 1);
    assert_int_equal(p->cooldown_ns, NS_PER_S);
    assert_int_equal(p->drain_ns, 30 * NS_PER_S);
    assert_int_equal(p->n_gates, 0);
    assert_int_equal(p->agents_count, 1);
    assert_int_equal(p->agents_wait_ns, 120 * NS_PER_S);
    assert_int_equal(p->on_loss, ON_LOSS_RETRY);
    assert_true(same(p->max_lost_weight, 0.5));
    assert_int_equal(p->quantum_ns, NS_PER_MS / 2);
    assert_false(p->record_requests);
    assert_true(plan_recorded(p) == 0);
    assert_int_equal(p->verdict_lateness_ns, NS_PER_MS);
    assert_int_equal(p->verdict_lag_ns, NS_PER_MS);
    assert_true(same(p->verdict_achieved, 0.02));
    assert_null(p->currency);
    reads_back(p);
    plan_destroy(&p);
}

static const char LARGE[] =
    "plan: 1\nname: chat-plateau\nseed: 18446744073709551615\n"
    "target:\n  url: https://gw.example.com/v1/chat/completions\n  api: openai-chat\n"
    "  model: [{name: base, weight: 3}, lora-a]\n  auth: {bearer: {env: LLM_API_KEY}}\n  headers: {x-team: perf, a-b: "
    "7}\n"
    "  body: {temperature: 0, ignore_eos: true, stop: [\"\\n\", b], n: {y: 1.5, x: null}}\n  http: \"2\"\n  "
    "streams_per_connection: 50\n"
    "  tls: {ca_file: ca.pem, cert_file: c.pem, key_file: k.pem, verify: false}\n"
    "  timeouts: {connect: 1s, first_token: 2s, idle: 3s, total: 4m}\n  connections: fresh\n  metrics_url: "
    "http://gw.example.com/metrics\n"
    "  proxy: http://proxy:3128\n  proxy_auth: {basic: {user: me, env: PROXY_PASSWORD}}\n  host: h.example.com:8443\n"
    "  sni: s.example.com\n"
    "workload:\n"
    "  - name: chat\n    weight: 3\n    synthetic:\n      input_tokens: {lognormal: {mean: 512, sd: 200, min: 16, max: "
    "4096}}\n"
    "      output_tokens: {normal: {mean: 128, sd: 32, min: 1}}\n      shared_prefix: {tokens: 256, groups: 8}\n"
    "  - synthetic: {input_tokens: {choice: [128, {value: 256, weight: 2.5}]}, output_tokens: {uniform: [1, 100]}}\n"
    "  - synthetic: {input_tokens: {exponential: 40}, output_tokens: {exponential: {mean: 40, min: 2, max: 90}}}\n"
    "load:\n  stages:\n"
    "    - {concurrency: 64, duration: 60s, warmup: 10s, ramp: 5s}\n"
    "    - {rate: 25/s, arrivals: poisson, duration: 60s, max_concurrency: 512}\n"
    "    - {rate: {from: 1/s, to: 50/s}, duration: 5m, arrivals: constant}\n"
    "    - {requests: 1000, concurrency: 256}\n"
    "    - {rate: 90/m, duration: {auto: {limit: 10m}}, warmup: auto, arrivals: {gamma: {burstiness: 0.5}}}\n"
    "    - {concurrency: 3, duration: auto, ramp: 20s}\n"
    "  repeats: 3\n  cooldown: 5s\n  drain: 1m\n"
    "  retries: {max: 3, budget: 20%, wait: 2s, after: [503, reset, 429]}\n"
    "slo:\n  request: {ttft: 500ms, tpot: 50ms, e2e: 9s}\n  run: [ttft.p99<800ms, errors.rate < 1%, \"throughput  > "
    "7500\", goodput >= 1]\n"
    "cost: {gpus: 4, per_gpu_hour: 2.50 USD}\n"
    "agents: {count: 8, wait: 3m, on_loss: mark, max_lost_weight: 25%, quantum: 0}\n"
    "record: {requests: true, sample: 5%, rows: 7}\nverdict: {lateness: 2ms, lag: 3ms, achieved: 0.05}\n";

static void check_large_target(const struct plan_target *t)
{
    assert_int_equal(t->n_models, 2);
    assert_string_equal(t->models[1].name, "lora-a");
    assert_true(same(t->models[0].weight, 3) && same(t->models[1].weight, 1));
    assert_int_equal(t->auth.kind, AUTH_BEARER);
    assert_int_equal(t->auth.secret.kind, SECRET_ENV);
    assert_string_equal(t->auth.secret.name, "LLM_API_KEY");
    assert_int_equal(t->n_headers, 2);
    assert_string_equal(t->headers[0].key, "a-b");
    assert_string_equal(t->headers[0].value, "7");
    assert_string_equal(
        t->body, "{\"ignore_eos\":true,\"n\":{\"x\":null,\"y\":1.5},\"stop\":[\"\\n\",\"b\"],\"temperature\":0}");
    assert_int_equal(t->http, HTTP_2);
    assert_int_equal(t->streams_per_connection, 50);
    assert_string_equal(t->tls_ca_file, "ca.pem");
    assert_string_equal(t->tls_cert_file, "c.pem");
    assert_string_equal(t->tls_key_file, "k.pem");
    assert_false(t->tls_verify);
    assert_int_equal(t->timeout_connect_ns, NS_PER_S);
    assert_int_equal(t->timeout_first_token_ns, 2 * NS_PER_S);
    assert_int_equal(t->timeout_idle_ns, 3 * NS_PER_S);
    assert_int_equal(t->timeout_total_ns, 240 * NS_PER_S);
    assert_true(t->fresh_connections);
    assert_string_equal(t->metrics_url, "http://gw.example.com/metrics");
    assert_string_equal(t->proxy, "http://proxy:3128");
    assert_int_equal(t->proxy_auth.kind, AUTH_BASIC);
    assert_string_equal(t->proxy_auth.user, "me");
    assert_string_equal(t->proxy_auth.secret.name, "PROXY_PASSWORD");
    assert_string_equal(t->host, "h.example.com:8443");
    assert_string_equal(t->sni, "s.example.com");
}

static void check_large_stages(const struct plan *p)
{
    const struct plan_stage *s = p->stages;
    assert_int_equal(p->n_stages, 6);
    assert_false(p->sweep);
    assert_true(s[0].concurrency == 64 && s[0].warmup_ns == 10 * NS_PER_S && s[0].ramp_ns == 5 * NS_PER_S &&
                s[0].kind == LOAD_CLOSED);
    assert_true(s[1].kind == LOAD_OPEN && s[1].max_concurrency == 512 && s[1].arrivals == ARRIVALS_POISSON &&
                s[1].warmup_ns == 6 * NS_PER_S);
    assert_true(same(s[1].rate_from, 25) && same(s[1].rate_to, 25));
    assert_true(same(s[2].rate_from, 1) && same(s[2].rate_to, 50) && s[2].arrivals == ARRIVALS_CONSTANT &&
                s[2].warmup_ns == 10 * NS_PER_S);
    assert_true(s[3].requests == 1000 && s[3].concurrency == 256 && s[3].duration_ns == 0 && s[3].warmup_ns == 0);
    assert_true(same(s[4].rate_from, 1.5) && s[4].duration_auto && s[4].duration_ns == 600 * NS_PER_S &&
                s[4].warmup_auto && s[4].warmup_ns == 10 * NS_PER_S);
    assert_true(s[4].arrivals == ARRIVALS_GAMMA && same(s[4].burstiness, 0.5));
    assert_true(s[5].duration_auto && s[5].duration_ns == 300 * NS_PER_S && s[5].warmup_ns == 20 * NS_PER_S &&
                !s[5].warmup_auto);
}

static void every_value_is_in_its_field(void **state)
{
    (void)state;
    struct plan *p = load(LARGE);
    assert_string_equal(p->name, "chat-plateau");
    assert_true(p->seed == UINT64_MAX);
    check_large_target(&p->target);
    assert_int_equal(p->n_workloads, 3);
    const struct plan_workload *w = p->workloads;
    same_dist(&w[0].input_tokens, &(struct dist){.kind = DIST_LOGNORMAL, .a = 512, .b = 200, .min = 16, .max = 4096});
    same_dist(&w[0].output_tokens, &(struct dist){.kind = DIST_NORMAL, .a = 128, .b = 32, .min = 1, .max = 1e6});
    assert_true(w[0].prefix_tokens == 256 && w[0].prefix_groups == 8 && same(w[0].weight, 3) && same(w[1].weight, 1));
    assert_string_equal(w[1].name, "workload-2");
    double values[] = {128, 256}, weights[] = {1, 2.5};
    same_dist(&w[1].input_tokens, &(struct dist){.kind = DIST_CHOICE, .value = values, .weight = weights, .n = 2});
    same_dist(&w[1].output_tokens, &(struct dist){.kind = DIST_UNIFORM, .a = 1, .b = 100});
    same_dist(&w[2].input_tokens, &(struct dist){.kind = DIST_EXPONENTIAL, .a = 40, .min = 1, .max = 1e6});
    same_dist(&w[2].output_tokens, &(struct dist){.kind = DIST_EXPONENTIAL, .a = 40, .min = 2, .max = 90});
    check_large_stages(p);
    assert_true(p->repeats == 3 && p->cooldown_ns == 5 * NS_PER_S && p->drain_ns == 60 * NS_PER_S);
    assert_true(p->slo_request_ns[SLO_TTFT] == 500 * NS_PER_MS && p->slo_request_ns[SLO_TPOT] == 50 * NS_PER_MS &&
                p->slo_request_ns[SLO_E2E] == 9 * NS_PER_S);
    assert_int_equal(p->n_gates, 4);
    assert_string_equal(p->gates[0].text, "ttft.p99 < 800ms");
    assert_true(p->gates[0].metric == METRIC_TTFT && same(p->gates[0].q, 0.99) && same(p->gates[0].value, 800e6) &&
                p->gates[0].op == OP_LT);
    assert_true(p->gates[1].subject == GATE_ERROR_RATE && same(p->gates[1].value, 0.01));
    assert_string_equal(p->gates[2].text, "throughput > 7500");
    assert_true(p->gates[3].subject == GATE_GOODPUT && p->gates[3].op == OP_GE);
    assert_true(same(p->gpus, 4) && same(p->per_gpu_hour, 2.5));
    assert_string_equal(p->currency, "USD");
    assert_true(p->agents_count == 8 && p->agents_wait_ns == 180 * NS_PER_S && p->on_loss == ON_LOSS_MARK &&
                same(p->max_lost_weight, 0.25));
    assert_int_equal(p->quantum_ns, 0);
    assert_true(p->verdict_lateness_ns == 2 * NS_PER_MS && p->verdict_lag_ns == 3 * NS_PER_MS &&
                same(p->verdict_achieved, 0.05));
    reads_back(p);
    plan_destroy(&p);
}

static void searches(void **state)
{
    (void)state;
    static const char HEAD[] = "plan: 1\ntarget: {url: 'http://h:1', model: m}\nslo: {run: [ttft.p99 < 1s]}\n";
    static const struct {
        const char *load;
        struct plan_search s;
    } ROWS[] = {
        {"search: plateau, duration: 20s", {SEARCH_PLATEAU, false, 1, 4096, 0.05}},
        {"search: {plateau: {}}, duration: 20s", {SEARCH_PLATEAU, false, 1, 4096, 0.05}},
        {"search: {plateau: }, duration: 20s", {SEARCH_PLATEAU, false, 1, 4096, 0.05}},
        {"search: {plateau: {over: rate, from: 0.5/s, to: 20, tolerance: 2%}}, duration: 20s, arrivals: constant",
         {SEARCH_PLATEAU, true, 0.5, 20, 0.02}},
        {"search: {maximize: output_tokens_per_second, over: concurrency, from: 2, to: 512, within: slo, tolerance: "
         "0.1}, duration: auto",
         {SEARCH_SLO, false, 2, 512, 0.1}},
        {"search: {within: slo}, requests: 500", {SEARCH_SLO, false, 1, 4096, 0.05}},
        {"search: {}, duration: 20s, ramp: 1s", {SEARCH_SLO, false, 1, 4096, 0.05}},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        char yaml[600];
        (void)snprintf(yaml, sizeof yaml, "%sload: {%s}\n", HEAD, ROWS[i].load);
        struct plan *p = load(yaml);
        assert_int_equal(p->search.goal, ROWS[i].s.goal);
        assert_int_equal(p->search.over_rate, ROWS[i].s.over_rate);
        assert_true(same(p->search.from, ROWS[i].s.from) && same(p->search.to, ROWS[i].s.to) &&
                    same(p->search.tolerance, ROWS[i].s.tolerance));
        assert_int_equal(p->n_stages, 1);
        assert_int_equal(p->stages[0].kind, ROWS[i].s.over_rate ? LOAD_OPEN : LOAD_CLOSED);
        assert_false(p->sweep);
        reads_back(p);
        plan_destroy(&p);
    }
}

static void other_shapes(void **state)
{
    (void)state;
    static const char *const LOADS[] = {"{rate: [1/s, 0.1, 7/h], duration: 10s}", "{concurrency: 5, requests: 10}",
                                        "{rate: 5, requests: 10}", "{concurrency: [7], duration: 10s, requests: 3}"};
    static const char *const AUTHS[] = {"none", "~", "{bearer: {file: /run/secrets/key}}",
                                        "{header: x-api-key, env: KEY}", "{basic: {user: u, file: pw}}"};
    for (size_t i = 0; i < 4; i++)
        for (size_t j = 0; j < 5; j++) {
            char yaml[600];
            (void)snprintf(yaml, sizeof yaml,
                           "plan: 1\ntarget: {url: 'http://[::1]:8000/', model: 4, auth: %s}\nload: %s\n", AUTHS[j],
                           LOADS[i]);
            struct plan *p = load(yaml);
            assert_string_equal(p->target.url, "http://[::1]:8000/v1/chat/completions");
            assert_string_equal(p->target.models[0].name, "4");
            assert_int_equal(p->sweep, i == 0 || i == 3);
            reads_back(p);
            plan_destroy(&p);
        }
}

static void urls_get_the_path_of_their_api(void **state)
{
    (void)state;
    static const struct {
        const char *url, *api, *becomes;
    } ROWS[] = {
        {"http://h", "openai-chat", "http://h/v1/chat/completions"},
        {"https://h:8443/", "openai-completions", "https://h:8443/v1/completions"},
        {"http://h/custom", "openai-chat", "http://h/custom"},
        {"http://h/openai/v1/chat/completions?api-version=1", "openai-chat",
         "http://h/openai/v1/chat/completions?api-version=1"},
        {"https://h/serving-endpoints/my-llm/invocations", "databricks",
         "https://h/serving-endpoints/my-llm/invocations"},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        char yaml[400];
        (void)snprintf(yaml, sizeof yaml,
                       "plan: 1\ntarget: {url: '%s', api: %s, auth: {bearer: {env: A}}, model: m}\nload: {concurrency: "
                       "1, requests: 1}\n",
                       ROWS[i].url, ROWS[i].api);
        struct plan *p = load(yaml);
        assert_string_equal(p->target.url, ROWS[i].becomes);
        plan_destroy(&p);
    }
    struct plan *p = load("plan: 1\ntarget: {url: 'https://h/serving-endpoints/my-llm/invocations', api: databricks, "
                          "auth: {bearer: {env: A}}, metrics_url: 'http://h:9/'}\n"
                          "load: {concurrency: 1, requests: 1}\n");
    assert_string_equal(p->target.models[0].name, "my-llm");
    assert_string_equal(p->target.metrics_url, "http://h:9/metrics");
    reads_back(p);
    plan_destroy(&p);
}

/* Every kind of end and framing, lists of paths, all sections: there and back. */
static void templates_read_back(void **state)
{
    (void)state;
    static const char *const TARGETS[] = {
        "{body: '{\"m\": {messages}, \"o\": {output_tokens}, \"x\": \"{model}: {prompt}\"}', text: [a.b, 'a.c[].d'], "
        "reasoning: r, tools: 't[0].x', usage: {input: u.i, output: u.o, cached: u.c, reasoning: u.r}, error: e, "
        "finish: f, end: {data: '[DONE]'}}",
        "{body: '[{prompt}]', framing: ndjson, text: a, finish: f, end: {finish: f}}",
        "{body: '{\"q\":{prompt}}', text: a, end: {event: done}}",
        "{body: '{\"q\":{prompt}}', text: a, end: close}",
        "{body: '{\"q\":{prompt}}', framing: json, text: '[].a'}",
    };
    for (size_t i = 0; i < sizeof TARGETS / sizeof *TARGETS; i++) {
        char yaml[700];
        (void)snprintf(yaml, sizeof yaml,
                       "plan: 1\ntarget:\n  url: http://h/v1/messages\n  api: template\n  model: m\n  template: %s\n"
                       "load: {concurrency: 1, requests: 1}\n",
                       TARGETS[i]);
        struct plan *p = load(yaml);
        assert_int_equal(p->target.api, API_TEMPLATE);
        assert_int_equal(p->target.whole, i == 4);
        reads_back(p);
        plan_destroy(&p);
    }
}

static void media_read_back(void **state)
{
    (void)state;
    struct plan *p = load(
        "plan: 1\ntarget: {url: 'http://h', model: m}\nworkload:\n  - {images: {count: 3, width: 64, format: png}}\n"
        "  - {audio: {length: 250ms}, name: b}\nload: {concurrency: 1, requests: 1}\n");
    assert_true(p->workloads[0].image_count == 3 && p->workloads[0].image_width == 64 &&
                p->workloads[0].image_height == 512);
    assert_true(p->workloads[1].image_count == 0 && p->workloads[1].audio_ns == 250 * NS_PER_MS &&
                p->workloads[1].audio_rate == 16000);
    reads_back(p);
    plan_destroy(&p);
}

static void the_hash_sees_meaning_only(void **state)
{
    (void)state;
    static const char A[] = "plan: 1\ntarget: {url: 'http://h:1', model: m, headers: {a: b, c: d}, body: {x: 1, y: {p: "
                            "1, q: 2}}}\nload: {concurrency: [1, 2], duration: 60s}\n";
    static const char B[] = "# a comment\nload:\n  duration: 1m   # the same\n  concurrency:\n  - 1\n  - 2\nseed: "
                            "1\nplan: 1\ntarget:\n  body: {y: {q: 2, p: 1}, x: 1}\n  model: 'm'\n"
                            "  headers: {c: d, a: b}\n  url: \"http://h:1/v1/chat/completions\"\nagents: {count: 1}\n";
    static const char *const OTHER[] = {"seed=2",
                                        "load.duration=61s",
                                        "load.concurrency[1]=3",
                                        "target.body.x=2",
                                        "target.headers.a=e",
                                        "agents.quantum=0",
                                        "name=other",
                                        "target.auth={bearer: {env: A}}"};
    char a[65], b[65];
    struct plan *p = load(A), *q = load(B);
    assert_int_equal(plan_hash(p, a), 0);
    assert_int_equal(plan_hash(q, b), 0);
    assert_string_equal(a, b);
    assert_int_equal(strspn(a, "0123456789abcdef"), 64);
    plan_destroy(&p);
    plan_destroy(&q);
    for (size_t i = 0; i < sizeof OTHER / sizeof *OTHER; i++) {
        p = load_with(A, &OTHER[i], 1);
        assert_int_equal(plan_hash(p, b), 0);
        assert_string_not_equal(a, b);
        plan_destroy(&p);
    }
}

static void settings(void **state)
{
    (void)state;
    static const char *const SET[] = {"load.concurrency=[3, 5]",
                                      "load.concurrency[1]=7",
                                      "target.url=https://other:8443",
                                      "target.timeouts.total=9s",
                                      "agents.count=4",
                                      "workload.synthetic.input_tokens={uniform: [1, 2]}",
                                      "slo.run=[throughput > 5]",
                                      "target.headers.x-team=a=b",
                                      "slo.request.ttft=1s",
                                      "slo.request.ttft=2s"};
    struct plan *p = load_with(SMALLEST, SET, sizeof SET / sizeof *SET);
    assert_int_equal(p->n_stages, 2);
    assert_int_equal(p->stages[0].concurrency, 3);
    assert_int_equal(p->stages[1].concurrency, 7);
    assert_string_equal(p->target.url, "https://other:8443/v1/chat/completions");
    assert_int_equal(p->target.timeout_total_ns, 9 * NS_PER_S);
    assert_int_equal(p->agents_count, 4);
    assert_int_equal(p->workloads[0].input_tokens.kind, DIST_UNIFORM);
    assert_int_equal(p->n_gates, 1);
    assert_string_equal(p->target.headers[0].value, "a=b");
    assert_int_equal(p->slo_request_ns[SLO_TTFT], 2 * NS_PER_S); /* the last one counts */
    reads_back(p);
    plan_destroy(&p);
}

/* Every prefix and every changed byte of a good message is refused or is a plan; never anything worse (run under the
 * sanitizers). */
static void hostile_bytes(void **state)
{
    (void)state;
    struct plan *p = load(LARGE);
    struct buf out = BUF_INIT(1 << 20);
    struct err e;
    assert_int_equal(plan_to_json(p, false, &out), 0);
    for (size_t n = 0; n < out.len; n++)
        assert_null(plan_from_json(buf_str(&out), n, &e));
    for (size_t i = 0; i < out.len; i++)
        for (unsigned flip = 1; flip < 256; flip = flip * 2 + 1) {
            out.data[i] ^= (uint8_t)flip;
            struct plan *q = plan_from_json(buf_str(&out), out.len, &e);
            plan_destroy(&q);
            out.data[i] ^= (uint8_t)flip;
        }
    buf_clear(&out);
    plan_destroy(&p);
    plan_destroy(&p);
    plan_destroy(NULL);
}

static void users_who_go_away(void **state)
{
    (void)state;
    static const struct {
        const char *after;
        enum dist_kind kind;
        double a, b;
    } ROWS[] = {{"250ms", DIST_FIXED, 250e6, 0},
                {"{exponential: 4s}", DIST_EXPONENTIAL, 4e9, 0},
                {"{uniform: [1s, 5s]}", DIST_UNIFORM, 1e9, 5e9}};
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        char yaml[300];
        (void)snprintf(yaml, sizeof yaml,
                       "plan: 1\ntarget: {url: \"http://h:1\", model: m}\n"
                       "load: {concurrency: 4, duration: 9s, cancel: {fraction: 2%%, after: %s}}\n",
                       ROWS[i].after);
        struct plan *p = load(yaml);
        assert_true(same(p->cancel_fraction, 0.02));
        assert_int_equal(p->cancel_after.kind, ROWS[i].kind);
        assert_true(same(p->cancel_after.a, ROWS[i].a) && same(p->cancel_after.b, ROWS[i].b));
        reads_back(p);
        plan_destroy(&p);
    }
}

/* What is read of a file of requests, and that a plan without one says nothing of it. */
static void data_sets_and_traces(void **state)
{
    (void)state;
    struct plan *p =
        load("plan: 1\ntarget: {url: \"http://h:1\", model: m}\n"
             "workload: {dataset: {file: f, format: csv, fields: {prompt: q}, order: sequential, skip: 1%, "
             "output_tokens: {uniform: [1, 9]}}}\nload: {concurrency: 4, passes: 5}\n");
    const struct plan_data *d = &p->workloads[0].data;
    assert_int_equal(p->workloads[0].source, SOURCE_DATASET);
    assert_string_equal(d->file, "f");
    assert_true(d->dataset == DATASET_CSV && d->order == ORDER_SEQUENTIAL && d->n_fields == 1 && same(d->skip, 0.01));
    assert_string_equal(d->fields[0].value, "q");
    assert_true(same(dist_mean(&d->output_tokens), 5) && p->stages[0].passes == 5 && !d->corpus);
    reads_back(p);
    plan_destroy(&p);
    p = load("plan: 1\ntarget: {url: \"http://h:1\", model: m}\n"
             "workload: {trace: {file: f, format: bailian, speed: 0.5, from: 1m, to: 2m, zero_output: one}}\n"
             "load: {stages: [{arrivals: recorded, max_concurrency: 9}]}\n");
    d = &p->workloads[0].data;
    assert_true(d->trace == TRACE_BAILIAN && same(d->speed, 0.5) && d->from_ns == 60 * NS_PER_S &&
                d->to_ns == 120 * NS_PER_S && d->zero_output == ZERO_ONE);
    assert_true(p->stages[0].kind == LOAD_OPEN && p->stages[0].arrivals == ARRIVALS_RECORDED &&
                p->stages[0].max_concurrency == 9 && !p->stages[0].duration_ns && !p->stages[0].requests);
    reads_back(p);
    plan_destroy(&p);
}

static void until_steady(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t window_s, limit_s;
    } CASES[] = {{"steady", 60, 600},
                 {"{steady: {window: 20s}}", 20, 600},
                 {"{steady: {limit: 2m}}", 60, 120},
                 {"{steady: {window: 20m}}", 1200, 2400},
                 {"{steady: {window: 5s, limit: 40s}}", 5, 40}};
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        char yaml[300];
        (void)snprintf(yaml, sizeof yaml,
                       "plan: 1\ntarget: {url: \"http://h:1\", model: m}\nload: {concurrency: [1, 2], duration: %s}\n",
                       CASES[i].text);
        struct plan *p = load(yaml);
        assert_int_equal(p->stages[1].steady_ns, CASES[i].window_s * NS_PER_S);
        assert_int_equal(p->stages[1].duration_ns, CASES[i].limit_s * NS_PER_S);
        assert_false(p->stages[1].duration_auto);
        reads_back(p);
        plan_destroy(&p);
    }
}

static void curves(void **state)
{
    (void)state;
    static const uint32_t LEVELS[] = {1, 2, 4, 8, 18, 68, 256};
    struct plan *p = load("plan: 1\ntarget: {url: \"http://h:1\", model: m}\n"
                          "load: {curve: mlperf-endpoints, max_concurrency: 256, warmup: 20s, cooldown: 2s}\n");
    assert_true(p->n_stages == 7 && p->sweep && p->curve.offline == OFFLINE_ELECTED && p->require == REQUIRE_ANY);
    for (size_t i = 0; i < 7; i++) {
        const struct plan_stage *s = &p->stages[i];
        assert_true(s->kind == LOAD_CLOSED && s->concurrency == LEVELS[i] && s->warmup_ns == 20 * NS_PER_S);
        assert_int_equal(s->steady_ns, (LEVELS[i] <= 32 ? 600 : 1200) * NS_PER_S);
        assert_int_equal(s->duration_ns, s->warmup_ns + 2 * s->steady_ns);
        assert_false(plan_stage_is_batch(s));
    }
    reads_back(p);
    plan_destroy(&p);
    /* a data set: Offline asks for all of it, once its size is known */
    p = load("plan: 1\ntarget: {url: \"http://h:1\", model: m}\nworkload: {dataset: {file: f, format: jsonl}}\n"
             "load: {curve: mlperf-endpoints, max_concurrency: 33, min_concurrency: 32, points: 5, scale: 0.001}\n");
    assert_true(p->n_stages == 3 && p->curve.offline == OFFLINE_ALL); /* 32 to 33 holds two levels */
    assert_int_equal(p->stages[1].steady_ns, 1200 * NS_PER_MS);
    reads_back(p);
    struct err e;
    p->curve.samples = 700;
    assert_int_equal(plan_curve_place(p, &e), 0);
    assert_true(p->n_stages == 3 && p->stages[2].requests == 700 && p->stages[2].concurrency == 700 &&
                plan_stage_is_batch(&p->stages[2]) && !p->stages[2].passes);
    reads_back(p);
    p->curve.samples = 1000001;
    assert_int_equal(plan_curve_place(p, &e), -1);
    plan_destroy(&p);
    /* by passes, without a data set */
    p = load("plan: 1\ntarget: {url: \"http://h:1\", model: m}\n"
             "load: {curve: mlperf-endpoints, max_concurrency: 64, passes: 5, samples: 100}\n");
    assert_true(p->n_stages == 8 && p->stages[0].requests == 500 && !p->stages[0].duration_ns &&
                p->stages[7].requests == 100 && p->stages[7].concurrency == 100);
    reads_back(p);
    plan_destroy(&p);
}

static void every_file_of_configs_loads(void **state)
{
    (void)state;
    DIR *d = opendir(SOURCE_ROOT "/configs");
    assert_non_null(d);
    size_t n = 0;
    for (struct dirent *f; (f = readdir(d));) {
        size_t len = strlen(f->d_name);
        if (len < 5 || strcmp(f->d_name + len - 5, ".yaml") != 0) continue;
        char path[600];
        struct err e = {.text = ""};
        (void)snprintf(path, sizeof path, SOURCE_ROOT "/configs/%s", f->d_name);
        struct plan *p = plan_load_file(path, NULL, 0, &e);
        if (!p) fail_msg("%s", e.text);
        reads_back(p);
        plan_destroy(&p);
        n++;
    }
    (void)closedir(d);
    assert_true(n >= 6);
}

/* Conversations are read, written and read again; whole ones are wanted of their data set. */
static void sessions(void **state)
{
    (void)state;
    static const char YAML[] =
        "plan: 1\ntarget: {url: \"http://h:1\", model: m, headers: {x-s: \"a{session}\"}}\nload: {concurrency: 4, "
        "duration: "
        "9s}\nworkload:\n"
        "  - sessions: {turns: {uniform: [2, 6]}, think_time: {exponential: 4s}, concurrency: requests}\n"
        "  - {sessions: {history: recorded}, dataset: {file: f, format: sharegpt}}\n"
        "  - synthetic: {input_tokens: 5}\n";
    struct err e = {0};
    struct buf json = BUF_INIT(1 << 20);
    struct plan *p = plan_load("p.yaml", YAML, strlen(YAML), NULL, 0, &e);
    if (!p) fail_msg("%s", e.text);
    assert_int_equal(plan_to_json(p, false, &json), 0);
    struct plan *again = plan_from_json(buf_str(&json), json.len, &e);
    if (!again) fail_msg("%s", e.text);
    same_plan(p, again);
    const struct plan_workload *w = again->workloads;
    assert_true(plan_has_sessions(p) && w[0].sessions.by_request && !w[0].sessions.recorded);
    assert_true(w[0].sessions.think_time.kind == DIST_EXPONENTIAL && same(w[0].sessions.think_time.a, 4e9));
    assert_true(w[1].sessions.recorded && w[1].data.conversations && !w[1].sessions.by_request);
    assert_false(w[2].sessions.on);
    assert_null(strstr(strstr(buf_str(&json), "workload-3"), "sessions"));
    plan_destroy(&p);
    plan_destroy(&again);
    buf_clear(&json);
}

/* Many models of which few are asked for often: a list, as if it had been written. */
static void test_zipf(void **state)
{
    (void)state;
    struct err e = {0};
    static const char TEXT[] = "plan: 1\ntarget: {url: 'http://h:1', model: {zipf: {prefix: lora-, count: 1000, "
                               "exponent: 0.8}}}\nload: {concurrency: 1, duration: 5s}\n";
    struct plan *p = plan_load("zipf", TEXT, sizeof TEXT - 1, NULL, 0, &e);
    if (!p) fail_msg("%s", e.text);
    struct buf json = BUF_INIT(1 << 20);
    assert_int_equal(p->target.n_models, 1000);
    assert_string_equal(p->target.models[999].name, "lora-1000");
    assert_true(same(p->target.models[0].weight, 1) && same(p->target.models[31].weight, 0.0625));
    assert_int_equal(plan_to_json(p, false, &json), 0);
    struct plan *again = plan_from_json(buf_str(&json), json.len, &e);
    if (!again) fail_msg("%s", e.text);
    for (size_t i = 0; i < 1000; i++)
        assert_true(same(again->target.models[i].weight, p->target.models[i].weight));
    plan_destroy(&again);
    plan_destroy(&p);
    buf_clear(&json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_zipf),
        cmocka_unit_test(sessions),
        cmocka_unit_test(the_smallest_has_every_default),
        cmocka_unit_test(every_value_is_in_its_field),
        cmocka_unit_test(searches),
        cmocka_unit_test(other_shapes),
        cmocka_unit_test(urls_get_the_path_of_their_api),
        cmocka_unit_test(templates_read_back),
        cmocka_unit_test(media_read_back),
        cmocka_unit_test(the_hash_sees_meaning_only),
        cmocka_unit_test(settings),
        cmocka_unit_test(hostile_bytes),
        cmocka_unit_test(users_who_go_away),
        cmocka_unit_test(data_sets_and_traces),
        cmocka_unit_test(until_steady),
        cmocka_unit_test(curves),
        cmocka_unit_test(every_file_of_configs_loads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
