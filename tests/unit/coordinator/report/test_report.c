#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "coordinator/report/report.h"
#include "coordinator/report/report_parts.h"
#include "tests/unit/fake_run.h"

static const char *const NAMES[] = {
#define X(function, file, readers) file,
#include "coordinator/report/report.def"
#undef X
};
enum { JSON, CSV, GROUPS, HLOG, HTML, JUNIT, N_FILES };
_Static_assert(sizeof NAMES / sizeof NAMES[0] == N_FILES, "every report is looked at here");
static char dir[64];

static void remove_all(void)
{
    for (int i = 0; i < N_FILES; i++) {
        char path[128];
        (void)snprintf(path, sizeof path, "%s/%s", dir, NAMES[i]);
        (void)remove(path);
    }
    assert_int_equal(rmdir(dir), 0); /* no temporary file was left */
}

static void slurp(const char *name, struct buf *b)
{
    char path[128], part[4096];
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "rb");
    if (!f && strcmp(name, NAMES[GROUPS]) == 0) return; /* of a plan that mixes nothing */
    assert_non_null(f);
    for (size_t n; (n = fread(part, 1, sizeof part, f)) > 0;)
        (void)buf_put(b, part, n);
    (void)fclose(f);
    assert_false(b->bad);
}

static int reports(struct run_data *r, struct buf b[N_FILES])
{
    struct err e = {0};
    int status = -1;
    if (report_all(r, dir, false, &status, &e)) fail_msg("%s", e.text);
    for (int i = 0; i < N_FILES; i++) {
        b[i] = (struct buf)BUF_INIT(64u << 20);
        slurp(NAMES[i], &b[i]);
    }
    return status;
}

static int make(struct fake *f, struct run_data *r, struct buf b[N_FILES])
{
    (void)snprintf(dir, sizeof dir, "/tmp/test_report.XXXXXX");
    assert_non_null(mkdtemp(dir));
    fake_run(f, NULL, r);
    return reports(r, b);
}

static void clear(struct run_data *r, struct buf b[N_FILES])
{
    for (int i = 0; i < N_FILES; i++)
        buf_clear(&b[i]);
    run_data_clear(r);
    remove_all();
}

static size_t count_of(const struct buf *b, const char *what)
{
    size_t n = 0;
    for (const char *p = buf_str(b); (p = strstr(p, what)); p += strlen(what))
        n++;
    return n;
}

static void test_twice_the_same(void **state)
{
    (void)state;
    struct fake f = {.agents = 2, .seed = 3, .duration_s = 8, .warmup_s = 2};
    struct run_data r;
    struct buf first[N_FILES], again[N_FILES];
    int status = make(&f, &r, first);
    assert_int_equal(reports(&r, again), status);
    for (int i = 0; i < N_FILES; i++) {
        assert_int_equal(first[i].len, again[i].len);
        assert_memory_equal(first[i].data, again[i].data, first[i].len);
        buf_clear(&again[i]);
    }
    clear(&r, first);
}

/* The fields that others script against. */
static void test_summary_fields(void **state)
{
    (void)state;
    static const char *const ONCE[] = {"version", "run",      "agents", "points", "gates",
                                       "answer",  "failures", "events", "plan"};
    static const char *const POINT[] = {"stage",          "requested", "achieved",    "window_s", "output_tokens_per_s",
                                        "requests_per_s", "ttft_ms",   "ttft_due_ms", "tpot_ms",  "itl_ms",
                                        "chunk_gap_ms",   "e2e_ms",    "lateness_ms", "ledger",   "verdict",
                                        "steady",         "evidence",  "addresses"};
    struct fake f = {.agents = 2, .seed = 3, .duration_s = 8, .warmup_s = 2};
    struct run_data r;
    struct buf b[N_FILES];
    char key[64];
    (void)make(&f, &r, b);
    for (size_t i = 0; i < sizeof ONCE / sizeof ONCE[0]; i++) {
        (void)snprintf(key, sizeof key, "\n  \"%s\": ", ONCE[i]);
        assert_int_equal(count_of(&b[JSON], key), 1);
    }
    for (size_t i = 0; i < sizeof POINT / sizeof POINT[0]; i++) {
        (void)snprintf(key, sizeof key, "\n      \"%s\": ", POINT[i]);
        if (count_of(&b[JSON], key) < r.n_stages) fail_msg("%s is in %zu points", POINT[i], count_of(&b[JSON], key));
    }
    assert_int_equal(count_of(&b[JSON], "\"seed\": 18446744073709551615"), 1);
    static const char *const NO_JSON[] = {" nan", ":nan", "[nan", ",nan", "-nan", "inf,", "inf]", "inf}"};
    for (size_t i = 0; i < sizeof NO_JSON / sizeof NO_JSON[0]; i++)
        assert_int_equal(count_of(&b[JSON], NO_JSON[i]), 0);
    clear(&r, b);
}

/* A mix: a line for all, for each workload and for each model, at each point; the same in summary.json, on the page and
 * on the screen. */
static void test_mix(void **state)
{
    (void)state;
    struct fake f = {.agents = 2, .seed = 5, .duration_s = 8, .warmup_s = 2, .mix = true};
    struct run_data r;
    struct buf b[N_FILES], text = BUF_INIT(1 << 20);
    struct analysis a;
    struct err e = {0};
    (void)make(&f, &r, b);
    assert_int_equal(count_of(&b[GROUPS], "\r\n"), 1 + 3 * (1 + 2 + 3));
    assert_int_equal(count_of(&b[GROUPS], ",all,,"), 3);
    assert_int_equal(count_of(&b[GROUPS], ",workload,\"chat\","), 3);
    assert_int_equal(count_of(&b[GROUPS], ",model,\"'=lora,1\","), 3); /* no formula, and one cell */
    size_t commas = 0;
    for (const char *p = buf_str(&b[GROUPS]); *p != '\r'; p++)
        commas += *p == ',';
    for (const char *line = buf_str(&b[GROUPS]); *line; line = strstr(line, "\r\n") + 2) {
        size_t n = 0;
        bool quoted = false;
        for (const char *p = line; *p != '\r'; p++) {
            quoted ^= *p == '"';
            n += *p == ',' && !quoted;
        }
        assert_int_equal(n, commas);
    }
    assert_int_equal(count_of(&b[JSON], "\"by_workload\": ["), 3);
    assert_int_equal(count_of(&b[JSON], "\"name\": \"lora-2\","), 3);
    assert_int_equal(count_of(&b[HTML], "<b>code</b>"), 0);
    assert_int_equal(analysis_init(&a, &r, &e), 0);
    assert_int_equal(report_text(&a, &(struct report_style){.width = REPORT_WIDE}, &text, &e), 0);
    assert_int_equal(count_of(&text, "  together "), 3);
    assert_int_equal(count_of(&text, "  lora-2 "), 3);
    analysis_clear(&a);
    buf_clear(&text);
    clear(&r, b);
}

static void test_csv_columns(void **state)
{
    (void)state;
    struct fake f = {.agents = 2, .seed = 3, .duration_s = 8, .warmup_s = 2, .lose = true, .late = true};
    struct run_data r;
    struct buf b[N_FILES];
    (void)make(&f, &r, b);
    size_t want = 0, lines = 0;
    for (const char *p = buf_str(&b[CSV]); *p; lines++) {
        size_t columns = 1;
        bool quoted = false;
        for (; *p != '\n'; p++) {
            quoted ^= *p == '"';
            columns += *p == ',' && !quoted;
        }
        p++;
        if (!want) want = columns;
        assert_int_equal(columns, want);
    }
    assert_int_equal(lines, r.n_stages + 1);
    assert_non_null(strstr(buf_str(&b[CSV]), ",closed,invalid,")); /* the verdict beside its load, and why at the end */
    assert_non_null(
        strstr(buf_str(&b[CSV]), " requests in flight on average, 128 asked for: the window of 6 s is as long as 1."));
    assert_non_null(strstr(buf_str(&b[CSV]), "; an agent was lost"));
    clear(&r, b);
}

/* What the run says must not become markup, and must not end the script it stands in. */
static void test_html_is_safe(void **state)
{
    (void)state;
    struct fake tame = {.agents = 2, .seed = 3, .duration_s = 8, .warmup_s = 2}, f = tame;
    struct run_data r;
    struct buf b[N_FILES];
    (void)make(&tame, &r, b);
    size_t ends = count_of(&b[HTML], "</script"), starts = count_of(&b[HTML], "<script"),
           comments = count_of(&b[HTML], "<!--");
    assert_int_equal(starts, ends);
    assert_int_equal(count_of(&b[HTML], "@@"), 0);
    assert_int_equal(count_of(&b[HTML], " src="), 0); /* nothing is fetched */
    assert_int_equal(count_of(&b[HTML], "<link rel=\"stylesheet\""), 0);
    clear(&r, b);
    f.hostile = true;
    (void)make(&f, &r, b);
    assert_non_null(strstr(buf_str(&r.plan_text), "</script>"));
    assert_int_equal(count_of(&b[HTML], "</script"), ends);
    assert_int_equal(count_of(&b[HTML], "<script"), starts);
    assert_int_equal(count_of(&b[HTML], "<!--"), comments);
    assert_int_equal(count_of(&b[HTML], "<img"), 0);
    assert_int_equal(count_of(&b[HTML], "<b>"), 0);
    assert_true(count_of(&b[HTML], "\\u003c/script\\u003e\\u003cscript\\u003ealert(1)") >=
                1); /* it is there, as text */
    clear(&r, b);
}

static size_t widest(const char *p)
{
    size_t most = 0;
    while (*p) {
        size_t n = 0;
        for (; *p && *p != '\n'; p++)
            n += ((unsigned char)*p & 0xc0) != 0x80;
        if (n > most) most = n;
        p += *p == '\n';
    }
    return most;
}

static void test_text(void **state)
{
    (void)state;
    struct fake f = {.agents = 2, .seed = 3, .duration_s = 8, .warmup_s = 2, .lose = true, .late = true};
    struct run_data r;
    struct buf plain = BUF_INIT(1 << 20), color = BUF_INIT(1 << 20);
    struct err e = {0};
    fake_run(&f, NULL, &r);
    struct analysis in;
    assert_int_equal(analysis_init(&in, &r, &e), 0);
    assert_int_equal(report_text(&in, &(struct report_style){.width = 80}, &plain, &e), 0);
    assert_int_equal(report_text(&in, &(struct report_style){.color = true, .width = 200}, &color, &e), 0);
    assert_null(strchr(buf_str(&plain), '\x1b'));
    assert_non_null(strchr(buf_str(&color), '\x1b'));
    assert_true(widest(buf_str(&plain)) <= 80);
    assert_non_null(strstr(buf_str(&plain), "ttft.p99 < 800ms"));
    assert_non_null(strstr(buf_str(&plain), "Ledger: due "));
    assert_non_null(strstr(buf_str(&plain), "Target: requests, by address: 10.0.0.1:8000 "));
    assert_non_null(strstr(buf_str(&plain), "invalid"));
    in.answer.has_slo = true;
    in.answer.slo_point = 0;
    for (int n = 1; n >= 0; n--) { /* latencies of the load that counts, where they are known */
        buf_clear(&plain);
        assert_int_equal(report_text(&in, &(struct report_style){.width = 80}, &plain, &e), 0);
        assert_int_equal(count_of(&plain, "At the most within the SLO (load "), n);
        for (int m = 0; m < METRIC_N; m++)
            in.points[0].metric[m].q[0] = NAN;
    }
    analysis_clear(&in);
    buf_clear(&plain);
    buf_clear(&color);
    run_data_clear(&r);
}

/* A signal outranks lost agents, they an invalid measurement, and that a gate. */
static void test_exit_status(void **state)
{
    (void)state;
    struct fake f = {.agents = 2, .seed = 3};
    struct run_data r;
    struct buf b[N_FILES];
    assert_int_equal(make(&f, &r, b), 0);
    struct {
        int want;
        double limit;
        uint64_t dropped;
        bool degraded;
        int signal;
    } const STEPS[] = {{0, 800e6, 0, false, 0}, {99, 1e6, 0, false, 0}, {3, 1e6, 5, false, 0},
                       {4, 1e6, 5, true, 0},    {130, 1e6, 5, true, 2}, {143, 1e6, 5, true, 15}};
    for (size_t i = 0; i < sizeof STEPS / sizeof STEPS[0]; i++) {
        for (int k = 0; k < N_FILES; k++)
            buf_clear(&b[k]);
        r.plan->gates[0].value = STEPS[i].limit;
        r.stages[0].counters[COUNTER_DROPPED] = STEPS[i].dropped;
        r.stages[0].degraded = STEPS[i].degraded;
        r.signal = STEPS[i].signal;
        assert_int_equal(reports(&r, b), STEPS[i].want);
    }
    clear(&r, b);
}

static void test_nothing_measured(void **state)
{
    (void)state;
    struct fake f = {.agents = 1, .seed = 3};
    struct run_data r;
    struct buf b[N_FILES];
    (void)snprintf(dir, sizeof dir, "/tmp/test_report.XXXXXX");
    assert_non_null(mkdtemp(dir));
    fake_meta(&f, &r);
    assert_int_equal(reports(&r, b), 3);
    assert_non_null(strstr(buf_str(&b[JSON]), "\"points\": []"));
    clear(&r, b);
}

static void test_cannot_be_written(void **state)
{
    (void)state;
    struct fake f = {.agents = 1, .seed = 3};
    struct run_data r;
    struct err e = {0};
    int status;
    fake_meta(&f, &r);
    assert_int_equal(report_all(&r, "/proc/nowhere", false, &status, &e), -1);
    assert_non_null(strstr(e.text, "/proc/nowhere/summary.json"));
    assert_int_equal(e.code, ERR_IO);
    (void)snprintf(dir, sizeof dir, "/tmp/test_report.XXXXXX");
    assert_non_null(mkdtemp(dir));
    char path[300];
    (void)snprintf(path, sizeof path, "%s/report.html", dir);
    assert_int_equal(mkdir(path, 0700), 0); /* one that cannot be written does not keep the next from being it */
    e = (struct err){0};
    assert_int_equal(report_all(&r, dir, false, &status, &e), -1);
    assert_non_null(strstr(e.text, "report.html: cannot be written"));
    assert_int_equal(rmdir(path), 0);
    (void)snprintf(path, sizeof path, "%s/junit.xml", dir);
    assert_int_equal(access(path, F_OK), 0);
    remove_all();
    run_data_clear(&r);
}

/* A folder without a run whose files have the names of a run's: nobody knows whose they are. */
static void test_not_ours(void **state)
{
    (void)state;
    struct err e = {0};
    char path[300];
    (void)snprintf(dir, sizeof dir, "/tmp/test_report.XXXXXX");
    assert_non_null(mkdtemp(dir));
    static const char *const OTHERS[] = {"notes.txt", "report.html", "groups.csv", "run.sqlite-wal"};
    for (size_t i = 0; i < sizeof OTHERS / sizeof *OTHERS; i++) {
        assert_int_equal(report_folder_is_free(dir, &e), i > 1 ? -1 : 0); /* a file of another name is in no way */
        (void)snprintf(path, sizeof path, "%s/%s", dir, OTHERS[i]);
        FILE *f = fopen(path, "we");
        assert_non_null(f);
        (void)fclose(f);
    }
    assert_int_equal(report_folder_is_free(dir, &e), -1);
    assert_int_equal(e.code, ERR_USAGE);
    assert_non_null(strstr(e.text, "holds groups.csv, report.html, run.sqlite-wal, but no run"));
    for (size_t i = 0; i < sizeof OTHERS / sizeof *OTHERS; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", dir, OTHERS[i]);
        assert_int_equal(unlink(path), 0);
    }
    assert_int_equal(rmdir(dir), 0);
    assert_int_equal(report_folder_is_free(dir, &e), 0); /* none yet */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_twice_the_same),    cmocka_unit_test(test_summary_fields),
        cmocka_unit_test(test_csv_columns),       cmocka_unit_test(test_mix),
        cmocka_unit_test(test_html_is_safe),      cmocka_unit_test(test_text),
        cmocka_unit_test(test_exit_status),       cmocka_unit_test(test_nothing_measured),
        cmocka_unit_test(test_cannot_be_written), cmocka_unit_test(test_not_ours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
