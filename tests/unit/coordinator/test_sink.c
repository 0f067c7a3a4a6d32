#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "coordinator/sink.h"

struct follower {
    int fails;
    const char *why;
    int events, ticks, begins;
};

static int event(void *arg, enum run_event_kind kind, const char *text, struct err *e)
{
    struct follower *f = arg;
    assert_int_equal(kind, RUN_EVENT_SIGNAL);
    assert_string_equal(text, "text");
    f->events++;
    return f->fails ? err_set(e, ERR_IO, "%s", f->why) : 0;
}
static int begin(void *arg, const struct run_data *meta, struct err *e)
{
    struct follower *f = arg;
    (void)e;
    assert_string_equal(meta->run_id, "r");
    f->begins++;
    return 0;
}
static void tick(void *arg, const struct sink_view *v)
{
    struct follower *f = arg;
    assert_int_equal(v->step, 3);
    f->ticks++;
}
static const struct sink_kind FULL = {.name = "full", .begin = begin, .event = event, .tick = tick};
static const struct sink_kind EMPTY = {.name = "empty"};

/* One that fails does not hide what happens from those after it, and its error is the one that is seen. */
static void test_all_are_told(void **state)
{
    (void)state;
    struct follower a = {0}, b = {.fails = 1, .why = "the first"}, c = {.fails = 1, .why = "the second"}, d = {0};
    const struct sink list[] = {{&FULL, &a}, {&EMPTY, NULL}, {&FULL, &b}, {&FULL, &c}, {&FULL, &d}};
    const struct sinks s = {list, 5};
    const struct run_data meta = {.run_id = "r"};
    const struct sink_view v = {.step = 3};
    struct err e = {0};
    assert_int_equal(sinks_begin(&s, &meta, &e), 0);
    assert_int_equal(sinks_event(&s, RUN_EVENT_SIGNAL, "text", &e), -1);
    assert_string_equal(e.text, "the first");
    sinks_tick(&s, &v);
    sinks_over(&s, &v);
    for (size_t i = 0; i < 5; i++) {
        if (list[i].kind == &EMPTY) continue;
        const struct follower *f = list[i].arg;
        assert_int_equal(f->begins, 1);
        assert_int_equal(f->events, 1);
        assert_int_equal(f->ticks, 1);
    }
}

static void test_nobody_follows(void **state)
{
    (void)state;
    const struct sinks s = {0};
    struct err e = {0};
    assert_int_equal(sinks_event(&s, RUN_EVENT_SIGNAL, "text", &e), 0);
    sinks_tick(&s, &(struct sink_view){0});
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_all_are_told), cmocka_unit_test(test_nobody_follows)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
