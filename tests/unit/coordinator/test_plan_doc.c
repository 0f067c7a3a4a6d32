/* Reference, schema, table and loader say the same. PLATEAU_REWRITE=1 writes the two files anew from the table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/plan/plan_key.h"
#include "coordinator/plan_doc.h"

#define REFERENCE SOURCE_ROOT "/configs/README.md"
#define SCHEMA SOURCE_ROOT "/configs/plan.schema.json"
#define BEGIN "<!-- keys -->\n"
#define END "<!-- /keys -->"

static char *slurp(const char *path)
{
    FILE *f = fopen(path, "r");
    if (!f) return calloc(1, 1);
    char *s = calloc(1, 1 << 20);
    assert_non_null(s);
    size_t n = fread(s, 1, (1 << 20) - 1, f);
    s[n] = 0;
    (void)fclose(f);
    return s;
}

static void spill(const char *path, const char *s)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    (void)fputs(s, f);
    assert_int_equal(fclose(f), 0);
}

static void reference_is_the_tables(void **state)
{
    (void)state;
    struct buf tables = BUF_INIT(1 << 20), whole = BUF_INIT(1 << 20);
    assert_int_equal(plan_reference_write(&tables), 0);
    char *text = slurp(REFERENCE), *begin = strstr(text, BEGIN), *end = strstr(text, END);
    assert_non_null(begin);
    assert_non_null(end);
    begin += strlen(BEGIN);
    if (getenv("PLATEAU_REWRITE")) {
        buf_put(&whole, text, (size_t)(begin - text));
        buf_puts(&whole, buf_str(&tables));
        buf_puts(&whole, end);
        spill(REFERENCE, buf_str(&whole));
    } else {
        *end = 0;
        assert_string_equal(begin, buf_str(&tables));
    }
    free(text);
    buf_clear(&tables);
    buf_clear(&whole);
}

static void schema_is_the_tables(void **state)
{
    (void)state;
    struct buf schema = BUF_INIT(1 << 20);
    assert_int_equal(plan_schema_write(&schema), 0);
    if (getenv("PLATEAU_REWRITE")) spill(SCHEMA, buf_str(&schema));
    char *text = slurp(SCHEMA);
    assert_string_equal(text, buf_str(&schema));
    free(text);
    buf_clear(&schema);
}

/* Independent of the generator: each key of the table is a property of the schema with its default, and a row of the
 * reference; and no other is. */
static void every_key_is_told(void **state)
{
    (void)state;
    struct err e;
    struct tree t = {.arena = arena_new(NODE_ARENA_MAX), .file = SCHEMA};
    char *text = slurp(SCHEMA), *reference = slurp(REFERENCE);
    struct node *root = node_from_yaml(&t, text, strlen(text), &e);
    assert_non_null(root);
    size_t built = 0, told = 0;
    for (size_t i = 0; i < PLAN_KEYS_N; i++) {
        const struct plan_key *k = &PLAN_KEYS[i];
        char row[100];
        assert_non_null(key_section(k->section));
        assert_non_null(k->what);
        (void)snprintf(row, sizeof row, "\n| `%s` | ", k->name);
        assert_non_null(strstr(reference, row));
        if (k->flags & KEY_LATER) continue;
        built++;
        const struct node *section = k->section[0] ? node_get(node_get(root, "$defs"), k->section) : root;
        const struct node *property = node_get(node_get(section, "properties"), k->name);
        if (!property) fail_msg("%s.%s is not in the schema", k->section, k->name);
        bool plain = k->standard && k->standard[0] && !(k->flags & (KEY_TOLD | KEY_REQUIRED));
        assert_int_equal(plain, node_get(property, "default") != NULL);
        if (plain && k->standard[0] != '"') assert_string_equal(node_get(property, "default")->text, k->standard);
    }
    for (size_t s = 0; s < PLAN_SECTIONS_N; s++) {
        const char *name = PLAN_SECTIONS[s].name;
        const struct node *section = name[0] ? node_get(node_get(root, "$defs"), name) : root;
        for (const struct node *c = node_get(section, "properties")->first; c; c = c->next, told++)
            if (!key_find(name, c->key) &&
                !(strcmp(name, "load") == 0 && (key_find("stage", c->key) || key_find("curve", c->key))))
                fail_msg("%s.%s is in the schema only", name, c->key);
    }
    size_t beside = 0; /* those of a stage and of a curve are told twice, the second time in `load`, a name once */
    for (size_t i = 0; i < PLAN_KEYS_N; i++) {
        const struct plan_key *k = &PLAN_KEYS[i];
        beside += strcmp(k->section, "stage") == 0 || (strcmp(k->section, "curve") == 0 && !key_find("stage", k->name));
    }
    assert_int_equal(told, built + beside);
    free(text);
    free(reference);
    arena_destroy(&t.arena);
}

/* A plan in which the key of a row has a place. */
static const char *host_of(const struct plan_key *k)
{
    if (k->flags & KEY_OPEN) return "load: {stages: [{rate: 5/s, duration: 60s}]}\n";
    if (strcmp(k->section, "stage") == 0) return "load: {stages: [{concurrency: 5, duration: 60s}]}\n";
    if (strcmp(k->section, "curve") == 0) return "load: {curve: mlperf-endpoints, max_concurrency: 64}\n";
    if (strcmp(k->section, "search") == 0) return "load: {search: {}, duration: 60s}\n";
    return "load: {concurrency: [5], duration: 60s}\n";
}

static void try_example(const struct plan_key *k)
{
    char yaml[600], path[200], pair[400];
    const char *section = strcmp(k->section, "stage") == 0   ? "load.stages[0]"
                          : strcmp(k->section, "curve") == 0 ? "load"
                                                             : key_section(k->section)->path;
    if (section[0] && strncmp(section, "…", strlen("…")) == 0)
        (void)snprintf(path, sizeof path, "workload.synthetic.input_tokens.%s", k->section);
    else
        (void)snprintf(path, sizeof path, "%s", section);
    bool search = strcmp(k->name, "search") == 0, plateau = strcmp(k->name, "plateau") == 0,
         stages = strcmp(k->name, "stages") == 0;
    (void)snprintf(yaml, sizeof yaml, "plan: 1\ntarget: {url: \"http://h:1\", model: m}\n%s%s%s%s",
                   search || stages ? "load: {}\n" : host_of(k),
                   strcmp(k->section, "search") == 0 || search ? "slo: {run: [ttft.p99 < 1s]}\n" : "",
                   strcmp(k->section, "cost") == 0 ? "cost: {gpus: 1, per_gpu_hour: 1 EUR}\n" : "",
                   strcmp(k->section, "shared_prefix") == 0 ? "workload: {synthetic: {shared_prefix: {tokens: 1}}}\n"
                                                            : "");
    (void)snprintf(pair, sizeof pair, "%s%s%s=%s", path, path[0] ? "." : "", k->name, k->example);
    const char *set[4] = {pair};
    size_t n = 1;
    if (search) set[n++] = "load.duration=10s";
    if (plateau) set[0] = "load.search={plateau: {from: 1, to: 512}}";
    if (strcmp(k->name, "cert_file") == 0) set[n++] = "target.tls.key_file=k";
    if (strcmp(k->name, "key_file") == 0) set[n++] = "target.tls.cert_file=c";
    if (strcmp(k->name, "proxy_auth") == 0) set[n++] = "target.proxy=http://h:1";
    if (strcmp(k->name, "sni") == 0) set[n++] = "target.url=https://h:1";
    if (strcmp(k->name, "streams_per_connection") == 0) set[n++] = "target.http=2";
    if (strcmp(k->name, "sd") == 0 || strcmp(k->name, "min") == 0 || strcmp(k->name, "max") == 0)
        return; /* in the example of their field */
    if (strstr(path, "input_tokens.") && strcmp(k->section, "exponential") != 0) return;
    bool sessions = strcmp(k->section, "sessions") == 0;
    if (sessions && strcmp(k->example, "recorded") == 0) return; /* of data sets only */
    bool passes = strcmp(k->name, "passes") == 0, dataset = strcmp(k->section, "dataset") == 0 || passes,
         trace = strcmp(k->section, "trace") == 0;
    dataset |= strcmp(k->section, "found") == 0;
    static const char *const OF_TREES[] = {"max_think", "max_idle", "start", "marker", "barrier"};
    bool tree = false;
    for (size_t i = 0; i < sizeof OF_TREES / sizeof *OF_TREES; i++)
        tree |= strcmp(k->name, OF_TREES[i]) == 0;
    const char *base = dataset         ? "workload.dataset={file: f, format: jsonl}"
                       : tree && trace ? "workload.trace={file: f, format: weka}"
                                       : "workload.trace={file: f, format: azure}";
    if (strcmp(k->name, "barrier") == 0) base = "workload.trace={file: f, format: weka, start: random}";
    bool cancel = strcmp(k->section, "cancel") == 0 || strcmp(k->section, "retries") == 0;
    if (cancel) base = "load.cancel={fraction: 2%, after: 1s}";
    bool images = strcmp(k->section, "images") == 0, audio = strcmp(k->section, "audio") == 0;
    if (images || audio) base = images ? "workload.images={count: 1}" : "workload.audio={length: 1s}";
    bool tokenizer = strcmp(k->section, "tokenizer") == 0;
    if (tokenizer) base = "target.tokenizer={file: t.json}";
    bool template = strncmp(k->section, "template", 8) == 0;
    if (template) base = "target.template={body: '{\"q\":{prompt}}', text: t, end: close}";
    if (template || strcmp(k->name, "template") == 0) set[n++] = "target.api=template";
    if (strcmp(k->section, "retries") == 0) base = "load.retries={max: 2}";
    if (sessions) base = "workload.sessions={turns: 2}";
    if (dataset || trace || cancel || template || sessions || images || audio ||
        tokenizer) { /* the file and its format first */
        set[n++] = pair;
        set[0] = base;
    }
    if (strcmp(k->name, "ramp") == 0) set[n++] = "load.stages[0].warmup=10s";
    struct err e = {.text = ""};
    struct plan *p = plan_load("example", yaml, strlen(yaml), set, n, &e);
    if (!p) fail_msg("example of %s.%s: %s\n%s", k->section, k->name, e.text, yaml);
    plan_destroy(&p);
}

static void every_example_loads(void **state)
{
    (void)state;
    for (size_t i = 0; i < PLAN_KEYS_N; i++)
        if (!(PLAN_KEYS[i].flags & KEY_LATER)) try_example(&PLAN_KEYS[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reference_is_the_tables),
        cmocka_unit_test(schema_is_the_tables),
        cmocka_unit_test(every_key_is_told),
        cmocka_unit_test(every_example_loads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
