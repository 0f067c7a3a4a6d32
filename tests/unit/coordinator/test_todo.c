#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "coordinator/todo.h"

#define PLAN                                                                                                           \
    "plan: 1\ntarget: {url: 'http://127.0.0.1:1/v1/chat/completions', model: m}\nload: {concurrency: [1, 2, 3], "      \
    "duration: 3s, repeats: 2}\n"

static struct run_data run_of(struct stage_data *stages, size_t n)
{
    struct err e = {0};
    struct run_data r = {.plan = plan_load("test", PLAN, strlen(PLAN), NULL, 0, &e), .stages = stages, .n_stages = n};
    if (!r.plan) fail_msg("%s", e.text);
    return r;
}

static void test_what_is_left(void **state)
{
    struct stage_data past[] = {{.stage = 0, .repeat = 0},
                                {.stage = 0, .repeat = 1, .degraded = true},
                                {.stage = 1, .repeat = 0, .aborted = true},
                                {.stage = 2, .repeat = 1}};
    static const uint32_t WANTED[][2] = {{1, 0}, {1, 1}, {2, 0}};
    struct run_data r = run_of(past, 4);
    struct todo t;
    struct run_step step;
    struct err e = {0};
    (void)state;
    assert_int_equal(todo_init(&t, &r, &e), 0);
    for (int i = 0; i < 3; i++) {
        assert_true(todo_next(&t, &step));
        assert_int_equal(step.stage, WANTED[i][0]);
        assert_int_equal(step.repeat, WANTED[i][1]);
    }
    assert_false(todo_next(&t, &step));
    todo_clear(&t);
    assert_int_equal(todo_is_over(&r, &e), 0);
    plan_destroy(&r.plan);
}

/* How many requests went out before a stage: made-up prompts in all, of a file the most. */
static void test_before(void **state)
{
    (void)state;
    struct plan_workload load = {.source = SOURCE_SYNTHETIC};
    struct plan plan = {.workloads = &load, .n_workloads = 1};
    struct stage_data s = {0};
    static const struct {
        enum plan_source source;
        enum trace_format trace;
        uint64_t before;
    } ROWS[] = {{SOURCE_SYNTHETIC, 0, 180}, {SOURCE_TRACE, TRACE_MOONCAKE, 100}, {SOURCE_TRACE, TRACE_WEKA, 7}};
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct todo t = {0};
        load.source = ROWS[i].source;
        load.data.trace = ROWS[i].trace;
        s.counters[COUNTER_SENT] = 100;
        s.counters[COUNTER_SESSIONS] = 7;
        todo_sent(&t, &plan, &s);
        s.counters[COUNTER_SENT] = 80;
        s.counters[COUNTER_SESSIONS] = 5;
        todo_sent(&t, &plan, &s);
        assert_int_equal(t.before, ROWS[i].before);
    }
    struct stage_data past[] = {{.stage = 0}};
    past[0].counters[COUNTER_SENT] = 42;
    struct run_data r = run_of(past, 1); /* a run that goes on */
    struct run_step step;
    struct todo t;
    struct err e = {0};
    assert_int_equal(todo_init(&t, &r, &e), 0);
    assert_true(todo_next(&t, &step));
    assert_int_equal(step.before, 42);
    todo_clear(&t);
    plan_destroy(&r.plan);
}

static void test_finished(void **state)
{
    struct stage_data past[6];
    struct run_event gave_up = {.kind = RUN_EVENT_GATE_FAILED};
    struct err e = {0};
    (void)state;
    for (uint32_t i = 0; i < 6; i++)
        past[i] = (struct stage_data){.stage = i / 2, .repeat = i % 2};
    struct run_data r = run_of(past, 6);
    assert_int_equal(todo_is_over(&r, &e), 1);
    past[5].aborted = true;
    assert_int_equal(todo_is_over(&r, &e), 0);
    r.events = &gave_up; /* it broke a gate and ended on purpose */
    r.n_events = 1;
    assert_int_equal(todo_is_over(&r, &e), 0); /* … unless it was killed before its end was written */
    r.ended_wall_ns = 1;
    assert_int_equal(todo_is_over(&r, &e), 1);
    plan_destroy(&r.plan);
}

static void test_refused(void **state)
{
    struct run_data r = run_of(NULL, 0);
    struct err e = {0};
    (void)state;
    (void)snprintf(r.version, sizeof r.version, "1.2.3");
    assert_int_equal(plan_hash(r.plan, r.plan_hash), 0);
    assert_int_equal(todo_can_continue(&r, "d", "1.2.3", &e), 0);
    assert_int_equal(todo_can_continue(&r, "d", "1.2.4", &e), -1);
    assert_non_null(strstr(e.text, "1.2.3"));
    r.plan_hash[0] = (char)(r.plan_hash[0] == 'a' ? 'b' : 'a');
    assert_int_equal(todo_can_continue(&r, "d", "1.2.3", &e), -1);
    assert_non_null(strstr(e.text, "not the one it began with"));
    plan_destroy(&r.plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_what_is_left), cmocka_unit_test(test_before),
                                       cmocka_unit_test(test_finished), cmocka_unit_test(test_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
