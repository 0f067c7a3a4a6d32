/* The table of events: names that fit the run's file, and README.md's rows, whose source it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/buf.h"
#include "coordinator/data.h"

static void test_names(void **state)
{
    struct run_event ev;
    (void)state;
    for (int i = 0; i < RUN_EVENT_N; i++) {
        assert_in_range(strlen(RUN_EVENTS[i].name), 1, sizeof ev.name - 1);
        assert_int_equal(run_event_find(RUN_EVENTS[i].name), i);
    }
    assert_int_equal(run_event_find("of_another_release"), RUN_EVENT_N);
}

static void test_finished(void **state)
{
    struct run_event list[] = {{.kind = RUN_EVENT_AGENT_LOST}, {.kind = RUN_EVENT_N}, {.kind = RUN_EVENT_GATE_FAILED}};
    struct run_data r = {.events = list, .n_events = 2};
    (void)state;
    assert_false(run_data_finished(&r));
    r.n_events = 3;
    assert_true(run_data_finished(&r));
    assert_int_equal(RUN_EVENTS[RUN_EVENT_GATE_FAILED].status, 99);
}

static void test_documents(void **state)
{
    static const char *const LEVELS[] = {"debug", "info", "warn", "error"};
    struct buf text = BUF_INIT(1 << 20);
    char piece[4096], status[16], row[400];
    (void)state;
    FILE *f = fopen(SOURCE_ROOT "/coordinator/README.md", "r");
    assert_non_null(f);
    for (size_t n; (n = fread(piece, 1, sizeof piece, f)) > 0;)
        assert_int_equal(buf_put(&text, piece, n), 0);
    (void)fclose(f);
    for (int i = 0; i < RUN_EVENT_N; i++) {
        const struct run_event_row *r = &RUN_EVENTS[i];
        status[0] = 0;
        if (r->status) (void)snprintf(status, sizeof status, "%d", r->status);
        (void)snprintf(row, sizeof row, "\n| `%s` | %s | %s | %s | %s |\n", r->name, LEVELS[r->level], status,
                       r->finished ? "yes" : "", r->meaning);
        if (!strstr(buf_str(&text), row)) fail_msg("coordinator/README.md has no row%s", row);
    }
    buf_clear(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_names), cmocka_unit_test(test_finished),
                                       cmocka_unit_test(test_documents)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
