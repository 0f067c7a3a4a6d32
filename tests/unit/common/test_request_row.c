#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/request_row.h"

/* Every column is reached, and only it is changed. */
static void test_columns(void **state)
{
    (void)state;
    for (uint32_t c = 0; c < REQUEST_COLUMNS_N; c++) {
        struct request_row r = {.due = 5};
        int64_t value = REQUEST_COLUMNS[c].kind == REQUEST_MOMENT ? REQUEST_NONE : UINT32_MAX;
        request_row_set(&r, c, value);
        for (uint32_t k = 0; k < REQUEST_COLUMNS_N; k++)
            assert_int_equal(request_row_get(&r, k), k == c ? value : 0);
        assert_int_equal(r.due, 5);
    }
}

static void test_bounded(void **state)
{
    (void)state;
    struct request_rows r = {0};
    uint32_t n = 0;
    while (request_rows_new(&r))
        n++;
    assert_int_equal(n, REQUEST_ROWS_MAX);
    request_rows_clear(&r);
    assert_int_equal(request_rows_reserve(&r), 0);
    struct request_row *first = request_rows_new(&r);
    while (request_rows_new(&r))
        assert_ptr_equal(r.row, first); /* nothing is allocated while rows come */
    request_rows_clear(&r);
    request_rows_clear(&r);
}

/* The README's table is the table. */
static void test_readme(void **state)
{
    (void)state;
    static const char *const KINDS[] = {"number", "small", "outcome", "address", "moment"};
    static char text[200000];
    char row[400];
    FILE *f = fopen(SOURCE_ROOT "/common/README.md", "r");
    assert_non_null(f);
    text[fread(text, 1, sizeof text - 1, f)] = '\0';
    assert_int_equal(fclose(f), 0);
    const char *at = text;
    for (uint32_t c = 0; c < REQUEST_COLUMNS_N; c++) {
        (void)snprintf(row, sizeof row, "\n| `%s` | %s | %s |\n", REQUEST_COLUMNS[c].name,
                       KINDS[REQUEST_COLUMNS[c].kind], REQUEST_COLUMNS[c].meaning);
        at = strstr(at, row);
        if (!at) fail_msg("common/README.md lacks, or has in another place: %s", row);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_columns), cmocka_unit_test(test_bounded),
                                       cmocka_unit_test(test_readme)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
