#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/clock.h"
#include "common/plan/node.h"
#include "coordinator/report/export.h"
#include "tests/unit/fake_run.h"

#define WALL INT64_C(1800000000000000000)
enum { STREAMED, FAILED, WHOLE, AT_ONCE, SHAPES };

struct world {
    const struct analysis *a;
    const char *wanted;
    struct buf text;
    uint32_t missing; /* rows of each window that the run did not keep */
};

static int put(void *arg, const char *name, const struct buf *content, struct err *e)
{
    (void)arg, (void)name, (void)content, (void)e;
    return 0;
}

static int append(void *arg, const char *name, const struct buf *piece, bool last, struct err *e)
{
    struct world *w = arg;
    (void)last, (void)e;
    return strstr(name, w->wanted) ? buf_put(&w->text, piece->data, piece->len) : 0;
}

/* Request i of a window: 10 tokens in 4 events, first after 20 ms, then until 200 ms; in a conversation. Of the others
 * one failed, one was a whole answer, one had all of its tokens at once. */
static struct request_data row_of(const struct point *p, uint64_t i, int64_t due)
{
    struct request_data r = {.stage = p->stage,
                             .repeat = p->repeat,
                             .agent = 1,
                             .agent_name = "a",
                             .outcome = "ok",
                             .address = "-",
                             .started_wall_ns = WALL};
    r.row = (struct request_row){.due = due,
                                 .sent = 1 * NS_PER_MS,
                                 .written = 1 * NS_PER_MS,
                                 .first_byte = 20 * NS_PER_MS,
                                 .first_token = 21 * NS_PER_MS,
                                 .first_content = 21 * NS_PER_MS,
                                 .last_token = 200 * NS_PER_MS,
                                 .done = 201 * NS_PER_MS,
                                 .ended = 202 * NS_PER_MS,
                                 .connect = REQUEST_NONE,
                                 .output = 10,
                                 .events = 4,
                                 .tries = 1};
    if (i % SHAPES == STREAMED) r.row.session = 7, r.row.turn = 2;
    if (i % SHAPES == FAILED) {
        r.outcome = "http_5xx";
        r.row.first_token = r.row.last_token = r.row.done = REQUEST_NONE;
        r.row.output = r.row.events = 0;
    }
    if (i % SHAPES == WHOLE) r.row.first_token = r.row.last_token = REQUEST_NONE, r.row.events = 0;
    if (i % SHAPES == AT_ONCE) r.row.last_token = r.row.first_token;
    return r;
}

/* Of each point one row of the warm-up, then those of the window, last ones first: the order of the file is another. */
static int requests(void *arg, int (*each)(void *arg, const struct request_data *r, struct err *e), void *each_arg,
                    struct err *e)
{
    const struct world *w = arg;
    for (size_t k = 0; k < w->a->n_points; k++) {
        const struct point *p = &w->a->points[k];
        struct request_data r = row_of(p, STREAMED, 0);
        if (each(each_arg, &r, e)) return -1;
        for (uint64_t i = p->window_due; i-- > w->missing;) {
            r = row_of(p, i, p->requested.warmup_ns + (int64_t)i);
            if (each(each_arg, &r, e)) return -1;
        }
    }
    return 0;
}

static const struct node *member(const struct node *n, const char *key)
{
    const struct node *m = node_get(n, key);
    if (m) return m;
    fail_msg("no %s", key);
    abort(); /* not reached; the compiler does not know */
}

static const struct node *element(const struct node *list, int i)
{
    const struct node *n = list->first;
    while (n && i-- > 0)
        n = n->next;
    if (n) return n;
    fail_msg("the list is too short");
    abort();
}

/* Events in their order; the window tracks exactly its requests; texts have as many words as there were tokens. */
struct seen {
    uint64_t line, issued, tracked, first, complete, errors, sessions;
    bool tracking, ended;
    double at;
};
static uint32_t words(const char *s)
{
    uint32_t n = 0;
    for (; *s; s++)
        n += *s == 'x';
    return n;
}
static void see_output(const struct node *data)
{
    if (data->kind == NODE_NULL) return; /* it failed */
    assert_string_equal(element(data, 0)->text, "TextModelOutput");
    const struct node *text = element(data, 1);
    if (text->kind == NODE_TEXT) {
        assert_int_equal(words(text->text), 10); /* a whole answer */
        return;
    }
    if (!text->first->next) {
        assert_int_equal(words(text->first->text), 10); /* at once: nothing has come after the first event */
        return;
    }
    assert_int_equal(words(element(text, 0)->text), 3); /* 10 tokens in 4 events: 2.5 each */
    assert_int_equal(words(element(text, 1)->text), 7);
    assert_int_equal(element(text, 1)->text[0], ' ');
}
static void see(struct seen *s, const struct node *n)
{
    const char *type = member(n, "event_type")->text;
    double at = member(n, "timestamp_ns")->number;
    assert_true(at >= (double)WALL);
    if (s->line++ == 0) assert_string_equal(type, "session.started");
    assert_false(s->ended);
    if (strcmp(type, "session.start_performance_tracking") == 0) s->tracking = true, s->sessions++;
    if (strcmp(type, "session.stop_performance_tracking") == 0) s->tracking = false, s->sessions++;
    if (strcmp(type, "session.ended") == 0) s->ended = true;
    if (strncmp(type, "session.", 8) == 0) return;
    assert_int_equal(strlen(member(n, "sample_uuid")->text), 32);
    s->issued += strcmp(type, "sample.issued") == 0;
    s->tracked += s->tracking && strcmp(type, "sample.issued") == 0;
    s->first += strcmp(type, "sample.recv_first") == 0;
    if (strcmp(type, "error.generic") == 0) {
        s->errors++;
        assert_string_equal(element(member(n, "data"), 1)->text, "http_5xx");
    }
    if (strcmp(type, "sample.complete") == 0) {
        s->complete++;
        see_output(member(n, "data"));
    }
    bool talk = member(n, "conversation_id")->text[0] != 0;
    assert_true(talk == (member(n, "turn")->kind != NODE_NULL));
    if (talk) assert_string_equal(member(n, "conversation_id")->text, "1-7");
}

static void test_events(void **state)
{
    (void)state;
    struct fake fake = {.agents = 2, .seed = 3, .duration_s = 8, .warmup_s = 2};
    struct run_data r;
    struct analysis a;
    struct err e = {0};
    struct seen s = {0};
    fake_run(&fake, NULL, &r);
    assert_int_equal(analysis_init(&a, &r, &e), 0);
    struct world w = {.a = &a, .wanted = "/r8/events.jsonl", .text = BUF_INIT(1 << 26)};
    const struct export_to to = {.arg = &w, .put = put, .append = append, .requests = requests, .events = true};
    assert_int_equal(export_find("mlperf-endpoints")->run(&a, &to, &e), -1); /* the plan has no record */
    assert_non_null(strstr(e.text, "record: {requests: true}"));
    r.plan->record_requests = true;
    if (export_find("mlperf-endpoints")->run(&a, &to, &e)) fail_msg("%s", e.text);
    const struct point *p = &a.points[3];
    for (char *line = (char *)w.text.data, *end; line < (char *)w.text.data + w.text.len; line = end + 1) {
        end = strchr(line, '\n');
        if (!end) abort();
        struct tree t = {.arena = arena_new(NODE_ARENA_MAX), .file = "events"};
        const struct node *n = node_from_json(&t, line, (size_t)(end - line), &e);
        if (!n) fail_msg("%s in %.*s", e.text, (int)(end - line), line);
        see(&s, n);
        arena_destroy(&t.arena);
    }
    uint64_t n = p->window_due;
    assert_true(n > 2 * SHAPES && s.ended);
    assert_int_equal(s.tracked, n);
    assert_int_equal(s.issued, n + 1);
    assert_int_equal(s.complete, n + 1);
    assert_int_equal(s.errors, (n + SHAPES - 1 - FAILED) / SHAPES);
    assert_int_equal(s.first, n + 1 - (n + SHAPES - 1 - FAILED) / SHAPES - (n + SHAPES - 1 - WHOLE) / SHAPES);
    assert_int_equal(s.sessions, 2);
    w.missing = 1;
    assert_int_equal(export_find("mlperf-endpoints")->run(&a, &to, &e), -1);
    assert_non_null(strstr(e.text, "record.rows"));
    buf_clear(&w.text);
    analysis_clear(&a);
    run_data_clear(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_events)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
