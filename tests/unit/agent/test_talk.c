#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/talk.h"
#include "common/clock.h"

#define M(who, said)                                                                                                   \
    {                                                                                                                  \
        .role = who, .text = said, .len = sizeof(said) - 1                                                             \
    }

static void must_say(const struct dialect_request *r, size_t i, const char *role, const char *text, bool escaped)
{
    assert_true(i < r->n_messages);
    assert_string_equal(r->messages[i].role, role);
    assert_int_equal(r->messages[i].len, strlen(text));
    assert_memory_equal(r->messages[i].text, text, strlen(text));
    assert_int_equal(r->messages[i].escaped, escaped);
}

static void answer(struct buf *b, const char *text)
{
    buf_reset(b);
    assert_int_equal(buf_puts(b, text), 0);
}

/* Prompts that are made up: each turn sends all prompts and the answers to them, as the server wrote them. */
static void test_own(void **state)
{
    (void)state;
    const struct plan_sessions plan = {.on = true, .turns = {.kind = DIST_FIXED, .a = 3}, .think_time = {.a = 5e9}};
    struct talks t = {0};
    struct buf b = BUF_INIT(TALK_ANSWER_MAX);
    struct talk *k = talks_begin(&t, &plan, 7);
    assert_int_equal(strlen(k->name), TALK_NAME);
    assert_int_equal(k->number, 1);
    const struct dialect_message one = M("user", "first \"q\""), two = M("user", "second");
    uint32_t input = 10;
    struct dialect_request r = {.messages = &one, .n_messages = 1, .output_tokens = 4, .repeated = 8};
    assert_int_equal(talk_turn(k, &r, &input), 0);
    assert_int_equal(r.n_messages, 1);
    assert_int_equal(input, 10);
    assert_int_equal(r.repeated, 8); /* a shared prefix, as its source says */
    answer(&b, "yes\\n\\\"so\\\"");
    assert_true(talk_answered(k, &b, 6));
    assert_int_equal(talk_think(k), 5 * NS_PER_S);
    r = (struct dialect_request){.messages = &two, .n_messages = 1, .output_tokens = 4};
    input = 20;
    assert_int_equal(talk_turn(k, &r, &input), 0);
    assert_int_equal(input, 36);
    assert_int_equal(r.repeated, 16); /* the prompt before and its answer */
    assert_int_equal(r.n_messages, 3);
    must_say(&r, 0, "user", "first \"q\"", false);
    must_say(&r, 1, "assistant", "yes\\n\\\"so\\\"", true);
    must_say(&r, 2, "user", "second", false);
    answer(&b, "");
    assert_true(talk_answered(k, &b, 2));
    talk_forget(k); /* the server thought before it answered */
    r = (struct dialect_request){.messages = &one, .n_messages = 1};
    input = 1;
    assert_int_equal(talk_turn(k, &r, &input), 0);
    assert_int_equal(input, 39);
    assert_int_equal(r.repeated, 36);
    assert_int_equal(r.n_messages, 5);
    must_say(&r, 3, "assistant", "", true);
    assert_false(talk_answered(k, &b, 0)); /* it was the last */
    talks_end(&t, k);
    /* its memory serves the next one, which knows nothing of it */
    struct talk *next = talks_begin(&t, &plan, 7);
    assert_ptr_equal(next, k);
    assert_int_equal(next->number, 2);
    r = (struct dialect_request){.messages = &two, .n_messages = 1};
    input = 2;
    assert_int_equal(talk_turn(next, &r, &input), 0);
    assert_int_equal(r.repeated, 0);
    assert_int_equal(r.n_messages, 1);
    assert_int_equal(input, 2);
    b.bad = true; /* an answer that is too long to be sent back */
    assert_false(talk_answered(next, &b, 1));
    talks_end(&t, next);
    assert_int_equal(t.open, 0);
    talks_clear(&t);
    buf_clear(&b);
}

static const struct dialect_message RECORD[] = {
    M("system", "be brief"), M("user", "q1"), M("assistant", "answer 1"),    M("user", "q2"),
    M("assistant", "a2"),    M("user", "q3"), M("assistant", "third answer")};

static void turn(struct talk *k, struct dialect_request *r, uint32_t *input)
{
    *r = (struct dialect_request){.messages = RECORD, .n_messages = sizeof RECORD / sizeof *RECORD};
    *input = 1;
    assert_int_equal(talk_turn(k, r, input), 0);
}

static void test_recorded(void **state)
{
    (void)state;
    const struct plan_sessions recorded = {.on = true, .recorded = true}, own = {.on = true},
                               two = {.on = true, .recorded = true, .turns = {.a = 2}};
    struct talks t = {0};
    struct buf b = BUF_INIT(TALK_ANSWER_MAX);
    struct dialect_request r;
    uint32_t input;
    struct talk *k = talks_begin(&t, &recorded, 7);
    answer(&b, "ours");
    for (uint32_t i = 1, last = 0; i <= 3; i++) {
        turn(k, &r, &input);
        assert_int_equal(r.repeated, last); /* what the server answered is not what goes out as its answer */
        last = input;
        assert_int_equal(r.n_messages, 2 * i);
        assert_ptr_equal(r.messages, RECORD); /* nothing is copied */
        assert_int_equal(r.output_tokens, i == 1 ? 2 : i == 2 ? 1 : 3);
        assert_int_equal(talk_answered(k, &b, 1), i < 3);
    }
    assert_int_equal(k->turns, 3);
    talks_end(&t, k);
    k = talks_begin(&t, &two, 7); /* the plan wants fewer than there are */
    turn(k, &r, &input);
    assert_true(talk_answered(k, &b, 1));
    turn(k, &r, &input);
    assert_false(talk_answered(k, &b, 1));
    talks_end(&t, k);
    k = talks_begin(&t, &own, 7); /* the record's questions, the server's answers */
    turn(k, &r, &input);
    assert_int_equal(r.n_messages, 2);
    must_say(&r, 0, "system", "be brief", false);
    uint32_t asked = input;
    assert_true(talk_answered(k, &b, 1));
    turn(k, &r, &input);
    assert_int_equal(r.repeated, asked + 1);
    assert_int_equal(r.n_messages, 4);
    must_say(&r, 2, "assistant", "ours", true);
    must_say(&r, 3, "user", "q2", false);
    talks_end(&t, k);
    talks_clear(&t);
    buf_clear(&b);
}

/* Thousands that think: each comes back when it is due, the first due first; none is lost. */
static void test_waiting(void **state)
{
    (void)state;
    enum { N = 10000 };
    const struct plan_sessions plan = {.on = true, .turns = {.kind = DIST_UNIFORM, .a = 1, .b = 4}};
    struct talks t = {0};
    uint32_t lengths[6] = {0};
    int64_t last = 0;
    for (int64_t i = 0; i < N; i++) {
        struct talk *k = talks_begin(&t, &plan, 3);
        lengths[k->turns < 6 ? k->turns : 5]++;
        talks_wait(&t, k, (i * 7919) % N);
    }
    for (int i = 1; i <= 4; i++)
        assert_in_range(lengths[i], i == 1 || i == 4 ? N / 8 : N / 4,
                        N / 2); /* rounded: the ends are half as frequent */
    assert_int_equal(lengths[0] + lengths[5], 0);
    assert_null(talks_due(&t, -1));
    for (int i = 0; i < N; i++) {
        struct talk *k = talks_due(&t, N);
        assert_true(k && k->due.at >= last);
        last = k->due.at;
        if (i % 2)
            talks_end(&t, k);
        else
            talks_wait(&t, k, 2 * N + i);
    }
    assert_null(talks_due(&t, N));
    assert_int_equal(t.open, N / 2);
    assert_int_equal(t.made, N);
    talks_restart(&t);
    assert_int_equal(t.open, 0);
    struct talk *k = talks_begin(&t, &plan, 3);
    assert_int_equal(k->number, 1);
    talks_end(&t, k);
    talks_clear(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_own), cmocka_unit_test(test_recorded),
                                       cmocka_unit_test(test_waiting)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
