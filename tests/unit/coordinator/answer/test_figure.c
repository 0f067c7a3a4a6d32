#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/buf.h"
#include "common/plan/gate.h"
#include "coordinator/answer/figure.h"

static void line(int f, struct buf *out)
{
    static const char *const BETTER[] = {"higher", "lower", ""};
    const struct figure_row *r = &FIGURES[f];
    const char *sep = "";
    (void)buf_printf(out, "| `%s` | %s | %s | ", r->key, r->unit, BETTER[r->better]);
    if (r->json) {
        (void)buf_printf(out, "summary.json%s", r->json == FIGURE_ACHIEVED ? " (`.achieved`)" : "");
        sep = ", ";
    }
    if (r->csv) {
        (void)buf_printf(out, "%scurve.csv", sep);
        sep = ", ";
    }
    if (r->gate != FIGURE_NO_GATE) {
        (void)buf_printf(out, "%sgate `%s`", sep, gate_subject_name((enum gate_subject)r->gate));
        sep = ", ";
    }
    if (r->compare) (void)buf_printf(out, "%scompare%s", sep, r->compare == FIGURE_HEADLINE ? " (its verdict)" : "");
    (void)buf_printf(out, " | %s |\n", r->meaning);
}

/* The reference is the table; `PLATEAU_PRINT=1` prints what belongs there. */
static void test_reference(void **state)
{
    (void)state;
    struct buf want = BUF_INIT(1 << 16);
    (void)buf_puts(
        &want,
        "<!-- figures begin -->\n| figure | unit | better | where | meaning |\n| --- | --- | --- | --- | --- |\n");
    for (int f = 0; f < FIGURE_N; f++)
        line(f, &want);
    (void)buf_puts(&want, "<!-- figures end -->");
    if (getenv("PLATEAU_PRINT")) (void)puts(buf_str(&want));
    FILE *file = fopen(SOURCE_ROOT "/coordinator/report/README.md", "r");
    assert_non_null(file);
    static char text[1 << 17];
    size_t n = fread(text, 1, sizeof text - 1, file);
    (void)fclose(file);
    text[n] = 0;
    if (!strstr(text, buf_str(&want))) fail_msg("the table in coordinator/report/README.md is not figure.def's");
    buf_clear(&want);
}

static void test_read(void **state)
{
    (void)state;
    struct point p = {.output_tokens_per_s = 100,
                      .output_lo = 90,
                      .output_hi = 110,
                      .error_rate = 0.1,
                      .window_ok = 9,
                      .window_failed = 1};
    p.metric[METRIC_TTFT].q[3] = 7;
    p.server.window.ttft_ms = 12;
    struct reading r = figure_read(&p, FIGURE_OUTPUT);
    assert_true(r.value > 99 && r.value < 101 && r.lo < 91 && r.hi > 109);
    r = figure_read(&p, FIGURE_ERROR_RATE); /* 1 of 10: Clopper & Pearson */
    assert_true(fabs(r.lo - 0.0025286) < 1e-6 && fabs(r.hi - 0.4450161) < 1e-6);
    assert_true(figure_value(&p, FIGURE_TTFT_P99) > 6.9);
    assert_true(isnan(figure_value(&p, FIGURE_SERVER_TTFT))); /* its page was not read */
    p.server.any = true;
    assert_true(figure_value(&p, FIGURE_SERVER_TTFT) > 11);
    assert_int_equal(figure_of_gate(GATE_THROUGHPUT), FIGURE_OUTPUT);
    assert_int_equal(figure_of_gate(GATE_METRIC), FIGURE_N);
    for (int s = GATE_THROUGHPUT; s <= GATE_ERROR_COUNT; s++) /* every subject reads a figure */
        assert_true(figure_of_gate((enum gate_subject)s) < FIGURE_N);
    for (int f = 0; f < FIGURE_N; f++)
        for (int g = 0; g < f; g++)
            assert_string_not_equal(FIGURES[f].key, FIGURES[g].key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_reference), cmocka_unit_test(test_read)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
