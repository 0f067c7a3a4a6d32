/* common/README.md is the contract that people read: it must name every row of the tables that the programs use. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/buf.h"
#include "common/counter.h"

static struct buf text = BUF_INIT(1 << 20);

static int read_it(void **state)
{
    (void)state;
    FILE *f = fopen(SOURCE_ROOT "/common/README.md", "r");
    if (!f) return -1;
    char piece[4096];
    for (size_t n; (n = fread(piece, 1, sizeof piece, f)) > 0;)
        (void)buf_put(&text, piece, n);
    return fclose(f);
}

static int forget_it(void **state)
{
    (void)state;
    buf_clear(&text);
    return 0;
}

static void named(const char *name)
{
    char quoted[100];
    (void)snprintf(quoted, sizeof quoted, "`%s`", name);
    if (!strstr(buf_str(&text), quoted)) fail_msg("common/README.md does not name %s", quoted);
}

static void test_metrics(void **state)
{
    (void)state;
#define X(id, name, unit, per, scale, window, formula) named(name);
#include "common/metric.def"
#undef X
}

/* A row of a table stands there word for word: the .def is its source. */
static void row_of(const char *name, const char *second, const char *third)
{
    char line[400];
    (void)snprintf(line, sizeof line, "\n| `%s` | %s | %s |\n", name, second, third);
    if (!strstr(buf_str(&text), line)) fail_msg("common/README.md has no row%s", line);
}

static void test_counters(void **state)
{
    (void)state;
    for (int i = 0; i < COUNTER_N; i++)
        if (!counter_is_failure((enum counter)i))
            row_of(COUNTERS[i].name, counter_kind_name(COUNTERS[i].kind), COUNTERS[i].meaning);
}

static void test_failures(void **state)
{
    static const char *const BY[] = {"connection", "status", "stream", "cut"};
    (void)state;
    for (int i = 0; i < FAILURE_N; i++)
        row_of(FAILURES[i].name, BY[FAILURES[i].by], FAILURES[i].meaning);
}

/* The row that names an error has its exit status. */
static void status_of(const char *name, int status)
{
    char quoted[40], cell[16];
    const char *section = strstr(buf_str(&text), "\n## Errors\n"), *at;
    (void)snprintf(quoted, sizeof quoted, "`%s`", name);
    (void)snprintf(cell, sizeof cell, " | %d | ", status);
    assert_non_null(section);
    if (!(at = strstr(section, quoted))) fail_msg("common/README.md does not name %s", quoted);
    const char *end = strchr(at, '\n'), *found = strstr(at, cell);
    if (!found || found > end) fail_msg("common/README.md gives %s another exit status than %d", name, status);
}

static void test_errors(void **state)
{
    (void)state;
#define X(name, status, text_) status_of(#name, status);
#include "common/err.def"
#undef X
}

static void test_messages(void **state)
{
    (void)state;
#define X(id, name, direction) named(name);
#include "common/wire.def"
#undef X
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_metrics), cmocka_unit_test(test_counters),
                                       cmocka_unit_test(test_failures), cmocka_unit_test(test_messages),
                                       cmocka_unit_test(test_errors)};
    return cmocka_run_group_tests(tests, read_it, forget_it);
}
