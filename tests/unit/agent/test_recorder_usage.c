#include <stdio.h>

#include "tests/unit/agent/recorder_world.h"

/* Numbers that cannot be right are not taken, and counted. */
static void test_usage_is_doubted(void **state)
{
    (void)state;
    static const struct {
        uint32_t asked, in, out, cached; /* of ten events and a prompt of 32 tokens */
        uint64_t tokens, input, cached_taken, doubted;
    } rows[] = {
        {10, 40, 10, 8, 10, 40, 8, 0},         {10, 40, 3000, 0, 10, 40, 0, 1},
        {10, 40, UINT32_MAX, 0, 10, 40, 0, 1}, {3000, 40, 3000, 0, 3000, 40, 0, 0}, /* whole sentences in an event */
        {10, 40, 640, 0, 640, 40, 0, 0}, /* the plan's body may have asked for more */
        {10, UINT32_MAX, 10, 0, 10, 32, 0, 1}, {10, 40, 10, 41, 10, 40, 0, 1}, /* more from the cache than there was */
        {10, 0, 10, 33, 10, 32, 0, 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fresh(NULL);
        begin(1000 * MS, 1000 * MS);
        s.asked_tokens = rows[i].asked;
        s.prompt_tokens = 32;
        s.prompt_repeated = 30;
        for (int k = 0; k < 10; k++)
            feed(VISIBLE, (1100 + k) * MS);
        usage(rows[i].in, rows[i].out, rows[i].cached, 1200 * MS);
        feed(DONE, 1200 * MS);
        end(END_COMPLETE, 200, 1200 * MS, COUNTER_OK);
        assert_int_equal(counted(COUNTER_TOKENS), rows[i].tokens);
        assert_int_equal(counted(COUNTER_WIN_INPUT_TOKENS), rows[i].input);
        assert_int_equal(counted(COUNTER_CACHED_TOKENS), rows[i].cached_taken);
        assert_int_equal(counted(COUNTER_REPEATED_TOKENS), 30);
        assert_int_equal(counted(COUNTER_SENT_INPUT_TOKENS), 32);
        bool taken = rows[i].in == 40; /* what is asked for is not by usage */
        assert_int_equal(counted(COUNTER_USAGE_INPUT_TOKENS), taken ? 40 : 0);
        assert_int_equal(counted(COUNTER_USAGE_DOUBTED), rows[i].doubted);
        bool out = rows[i].doubted && rows[i].out > 10, in = rows[i].in == UINT32_MAX, cached = rows[i].cached > 32;
        assert_int_equal(counted(COUNTER_USAGE_DOUBTED_OUT), out ? rows[i].out : 0); /* the example that is shown */
        assert_int_equal(counted(COUNTER_USAGE_DOUBTED_IN), in ? rows[i].in : 0);
        assert_int_equal(counted(COUNTER_USAGE_DOUBTED_CACHED), cached ? rows[i].cached : 0);
    }
}

/* Of a conversation what repeats is known as usage counts it, and so is what was sent; where usage names no prompt, as
 * the plan counts it. */
static void test_repeated_by_usage(void **state)
{
    (void)state;
    static const struct {
        bool by_usage;
        uint32_t repeated, in;
        uint64_t counted, sent;
    } rows[] = {{false, 30, 60, 30, 32}, {true, 50, 60, 50, 60}, {true, 70, 60, 60, 60}, {true, 50, 0, 32, 32}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fresh(NULL);
        begin(1000 * MS, 1000 * MS);
        s.prompt_tokens = 32;
        s.prompt_by_usage = rows[i].by_usage;
        s.prompt_repeated = rows[i].repeated;
        feed(VISIBLE, 1100 * MS);
        usage(rows[i].in, 1, 0, 1200 * MS);
        feed(DONE, 1200 * MS);
        end(END_COMPLETE, 200, 1200 * MS, COUNTER_OK);
        assert_int_equal(counted(COUNTER_REPEATED_TOKENS), rows[i].counted);
        assert_int_equal(counted(COUNTER_SENT_INPUT_TOKENS), rows[i].sent);
    }
}

/* Usage that is taken and yet doubtful: more than was asked for and came, or than the text can hold. */
static void test_usage_is_doubtful(void **state)
{
    (void)state;
#define TEXT(t)                                                                                                        \
    "data: {\"id\":\"x\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"" t "\"},\"finish_reason\":null}]}\n\n"
    static const struct {
        const char *event;
        bool unlimited;
        uint32_t asked, events, thought, out;
        uint64_t over;
    } rows[] = {
        {TEXT("word "), false, 8, 8, 0, 8, 0},
        {TEXT("word "), false, 8, 8, 0, 24, 0}, /* within what a server may count beside */
        {TEXT("word "), false, 8, 8, 0, 80, 1},
        {TEXT("word "), false, 8, 8, 0, 512, 1},
        {TEXT("word "), true, 8, 8, 0, 40, 0}, /* 40 bytes of text, and no limit was sent */
        {TEXT("word "), true, 8, 8, 0, 512, 1},
        {TEXT("word "), false, 512, 8, 0, 512, 1}, /* what was asked for is no proof that it came */
        {TEXT("four words and more "), false, 512, 128, 0, 512, 0},
        {TEXT("word "), false, 512, 8, 504, 512, 0}, /* the rest was thought, and not shown */
        {TEXT("word "), false, 40, 100, 0, 100, 0},  /* more than was asked for did come */
        {TEXT("\\u4e2d\\u6587"), false, 100, 25, 0, 100, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        static struct dialect d;
        char text[300];
        fresh(NULL);
        begin(1000 * MS, 1000 * MS);
        d = *dialect_for(API_OPENAI_CHAT);
        d.unlimited = rows[i].unlimited;
        s.dialect = &d;
        s.asked_tokens = rows[i].asked;
        for (uint32_t k = 0; k < rows[i].events; k++)
            feed(rows[i].event, (1100 + k) * MS);
        (void)snprintf(text, sizeof text,
                       "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":%u,"
                       "\"completion_tokens_details\":{\"reasoning_tokens\":%u}}}\n\n",
                       rows[i].out, rows[i].thought);
        feed(text, 1300 * MS);
        feed(DONE, 1300 * MS);
        end(END_COMPLETE, 200, 1300 * MS, COUNTER_OK);
        assert_int_equal(counted(COUNTER_TOKENS), rows[i].out); /* it is taken */
        if (counted(COUNTER_USAGE_OVER) != rows[i].over) fail_msg("row %zu", i);
        assert_int_equal(counted(COUNTER_USAGE_OVER_MOST), rows[i].over ? rows[i].out : 0);
    }
}

/* An answer that ends at a limit before the one that was asked for has met the server's; not so where none was sent. */
static void test_short_by_length(void **state)
{
    (void)state;
    for (int unlimited = 0; unlimited < 2; unlimited++) {
        static struct dialect d;
        fresh(NULL);
        begin(1000 * MS, 1000 * MS);
        d = *dialect_for(API_OPENAI_CHAT);
        d.unlimited = unlimited;
        s.dialect = &d;
        s.asked_tokens = 20;
        feed(VISIBLE "data: {\"choices\":[{\"delta\":{\"content\":\"a\"},\"finish_reason\":\"length\"}]}\n\n",
             1100 * MS);
        usage(9, 2, 0, 1100 * MS);
        feed(DONE, 1100 * MS);
        end(END_COMPLETE, 200, 1100 * MS, COUNTER_OK);
        assert_int_equal(counted(COUNTER_SHORT_REQUESTS), 1);
        assert_int_equal(counted(COUNTER_SHORT_BY_LENGTH), !unlimited);
    }
}

/* Input tokens that are the plan's and not the server's are counted as that. */
static void test_input_as_asked(void **state)
{
    (void)state;
    static const struct {
        uint32_t in;
        bool used;
        uint64_t input, asked;
    } rows[] = {{40, true, 40, 0}, {0, true, 32, 1}, {0, false, 32, 1}, {UINT32_MAX, true, 32, 1}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fresh(NULL);
        begin(1000 * MS, 1000 * MS);
        s.prompt_tokens = 32;
        feed(VISIBLE, 1100 * MS);
        if (rows[i].used) usage(rows[i].in, 1, 0, 1100 * MS);
        feed(DONE, 1100 * MS);
        end(END_COMPLETE, 200, 1100 * MS, COUNTER_OK);
        assert_int_equal(counted(COUNTER_WIN_INPUT_TOKENS), rows[i].input);
        assert_int_equal(counted(COUNTER_INPUT_ASKED), rows[i].asked);
    }
}

#define USED(n) "data: {\"choices\":[],\"usage\":{\"completion_tokens\":" n ",\"prompt_tokens\":32}}\n\n"

/* Usage that cannot be read, that falls, that says 0 where text came, and none: each is counted as what it is. */
static void test_odd_usage(void **state)
{
    (void)state;
    static const struct {
        const char *usage; /* after twenty events */
        uint64_t tokens, by_usage, none, zero, unread, fell;
    } rows[] = {
        {USED("18"), 18, 1, 0, 0, 0, 0},
        {USED("\"18\""), 18, 1, 0, 0, 0, 0},
        {"", 20, 0, 1, 0, 0, 0},
        {"data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9}}\n\n", 20, 0, 1, 0, 0, 0},
        {USED("0"), 20, 0, 0, 1, 0, 0},
        {USED("0") USED("18"), 18, 1, 0, 0, 0, 0},
        {USED("-18"), 20, 0, 0, 0, 1, 0},
        {USED("\"-18\""), 20, 0, 0, 0, 1, 0},
        {USED("1.5"), 20, 0, 0, 0, 1, 0},
        {USED("null"), 20, 0, 1, 0, 0, 0},
        {USED("18") USED("17"), 18, 1, 0, 0, 0, 0},
        {USED("18") USED("3"), 20, 0, 0, 0, 0, 1},
        {USED("18") USED("0"), 18, 1, 0, 0, 0, 0}, /* a place that is not filled */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fresh(NULL);
        begin(1000 * MS, 1000 * MS);
        s.asked_tokens = 20;
        s.prompt_tokens = 32;
        for (int k = 0; k < 20; k++)
            feed(VISIBLE, (1100 + k) * MS);
        feed(rows[i].usage, 1200 * MS);
        feed(DONE, 1200 * MS);
        end(END_COMPLETE, 200, 1200 * MS, COUNTER_OK);
        const uint64_t odd = rows[i].zero + rows[i].unread + rows[i].fell;
        const uint64_t want[] = {rows[i].tokens, rows[i].by_usage, rows[i].none, odd,
                                 rows[i].zero,   rows[i].unread,   rows[i].fell};
        static const enum counter of[] = {COUNTER_TOKENS,
                                          COUNTER_USAGE_REQUESTS,
                                          COUNTER_USAGE_NONE,
                                          COUNTER_USAGE_DOUBTED,
                                          COUNTER_USAGE_DOUBTED_ZERO,
                                          COUNTER_USAGE_DOUBTED_UNREAD,
                                          COUNTER_USAGE_DOUBTED_FELL};
        for (size_t k = 0; k < sizeof of / sizeof *of; k++)
            if (counted(of[k]) != want[k])
                fail_msg("%s: %s is %llu", rows[i].usage, COUNTERS[of[k]].name, (unsigned long long)counted(of[k]));
    }
}

#define BEGUN                                                                                                          \
    "data: "                                                                                                           \
    "{\"choices\":[{\"delta\":{\"role\":\"assistant\"}}],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":1}}\n\n"
/* Usage of an answer that did not end is a first guess, or what was there so far: it is not judged, and its tokens are
 * those that came. */
static void test_usage_of_the_unfinished(void **state)
{
    (void)state;
    static const struct {
        enum transport_end how;
        enum counter outcome;
        const char *last;
    } ends[] = {{END_CANCELLED, COUNTER_CANCELLED, ""},
                {END_ABORTED, COUNTER_ABORTED, ""},
                {END_COMPLETE, COUNTER_FAILED_STREAM_ERROR, "data: {\"error\":{\"message\":\"Overloaded\"}}\n\n"},
                {END_COMPLETE, COUNTER_FAILED_TRUNCATED, ""}};
    static const char *const USAGE[] = {BEGUN, USED("3000"), USED("9") USED("1"), USED("1.5"), USED("0")};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        for (size_t u = 0; u < sizeof USAGE / sizeof *USAGE; u++)
            for (int events = 3; events <= 20; events += 17) {
                fresh(NULL);
                begin(1000 * MS, 1000 * MS);
                s.asked_tokens = 20;
                feed(USAGE[u], 1090 * MS);
                for (int k = 0; k < events; k++)
                    feed(VISIBLE, (1100 + k) * MS);
                feed(ends[i].last, 1200 * MS);
                end(ends[i].how, 200, 1200 * MS, ends[i].outcome);
                for (int c = COUNTER_USAGE_DOUBTED; c <= COUNTER_USAGE_DOUBTED_FELL; c++)
                    if (counted((enum counter)c)) fail_msg("%s: %s", COUNTERS[c].name, USAGE[u]);
                assert_int_equal(counted(COUNTER_WIN_TOKENS_MICRO), events * 1000000);
            }
}

#define CHUNK(of, more) "data: {\"choices\":[{\"delta\":{\"" of "\":\"a\"}}]" more "}\n\n"
#define LAST(more) "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"length\"}]" more "}\n\n"

/* Usage that leaves reasoning out, as its own numbers tell, counts only a part of what came. */
static void test_reasoning_apart(void **state)
{
    (void)state;
    static const struct {
        uint32_t thoughts, visible, out, reasoning;
        uint64_t made, seen;
    } rows[] = {
        {20, 10, 10, 20, 30, 30},                                   /* reasoning_tokens beside completion_tokens */
        {5, 10, 10, 5, 15, 15},   {5, 10, 15, 5, 15, 15},           /* … and in them */
        {5, 10, 10, 0, 15, 15},                                     /* not told */
        {0, 10, 10, 20, 30, 10},                                    /* not streamed */
        {0, 10, 30, 20, 30, 10},  {5, 10, 10, 4000000000u, 15, 15}, /* not believed */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[300];
        fresh(NULL);
        begin(1000 * MS, 1000 * MS);
        s.asked_tokens = 10;
        for (uint32_t k = 0; k < rows[i].thoughts + rows[i].visible; k++)
            feed(k < rows[i].thoughts ? CHUNK("reasoning", "") : CHUNK("content", ""), (1100 + 10 * k) * MS);
        (void)snprintf(text, sizeof text,
                       "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":%u,"
                       "\"completion_tokens_details\":{\"reasoning_tokens\":%u}}}\n\n",
                       rows[i].out, rows[i].reasoning);
        feed(text, 1900 * MS);
        feed(DONE, 1900 * MS);
        end(END_COMPLETE, 200, 1900 * MS, COUNTER_OK);
        if (counted(COUNTER_TOKENS) != rows[i].made || counted(COUNTER_TOKENS_SEEN) != rows[i].seen)
            fail_msg("row %zu: %llu made, %llu seen", i, (unsigned long long)counted(COUNTER_TOKENS),
                     (unsigned long long)counted(COUNTER_TOKENS_SEEN));
    }
}

/* … or its sum: what neither has is in no figure. */
static void test_sum_of_usage(void **state)
{
    (void)state;
    static const struct {
        uint32_t thoughts, visible, out, reasoning, total;
        uint64_t made, seen, beyond;
    } rows[] = {
        {0, 10, 10, 5, 24, 15, 10, 0},
        {0, 10, 10, 5, 19, 10, 10, 0},                          /* less reasoning than text, beside it or in it */
        {0, 1, 1, 386, 396, 387, 1, 0},                         /* whatever was asked for */
        {0, 1, 1, 4000000000u, 4000000010u, 1, 1, 4000000000u}, /* within reason */
        {0, 10, 10, 0, 59, 10, 10, 40},
        {5, 10, 10, 0, 24, 15, 15, 0}, /* not named */
        {0, 10, 10, 5, 59, 10, 10, 40},
        {0, 10, 10, 0, 0, 10, 10, 0},  /* another part; no sum */
        {0, 10, 10, 0, 12, 10, 10, 0}, /* a sum of something else */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[300];
        fresh(NULL);
        begin(1000 * MS, 1000 * MS);
        s.asked_tokens = 10;
        for (uint32_t k = 0; k < rows[i].thoughts + rows[i].visible; k++)
            feed(k < rows[i].thoughts ? CHUNK("reasoning", "") : CHUNK("content", ""), (1100 + 10 * k) * MS);
        (void)snprintf(text, sizeof text,
                       "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":%u,"
                       "\"total_tokens\":%u,\"completion_tokens_details\":{\"reasoning_tokens\":%u}}}\n\n",
                       rows[i].out, rows[i].total, rows[i].reasoning);
        feed(text, 1900 * MS);
        feed(DONE, 1900 * MS);
        end(END_COMPLETE, 200, 1900 * MS, COUNTER_OK);
        if (counted(COUNTER_TOKENS) != rows[i].made || counted(COUNTER_TOKENS_SEEN) != rows[i].seen ||
            counted(COUNTER_USAGE_BEYOND) != rows[i].beyond)
            fail_msg("row %zu: %llu made, %llu seen, %llu beyond", i, (unsigned long long)counted(COUNTER_TOKENS),
                     (unsigned long long)counted(COUNTER_TOKENS_SEEN),
                     (unsigned long long)counted(COUNTER_USAGE_BEYOND));
    }
}

/* … and so does running usage, which stands still while the model thinks. */
static void test_reasoning_apart_running(void **state)
{
    (void)state;
    char text[300];
    fresh(NULL);
    begin(1000 * MS, 1000 * MS);
    s.asked_tokens = 10;
    for (int k = 0; k < 30; k++) {
        (void)snprintf(text, sizeof text,
                       "data: {\"choices\":[{\"delta\":{\"%s\":\"a\"}}],\"usage\":{\"completion_tokens\":%d}}\n\n",
                       k < 20 ? "reasoning" : "content", k < 20 ? 0 : k - 19);
        feed(text, (1100 + 10 * k) * MS);
    }
    feed(DONE, 1900 * MS);
    end(END_COMPLETE, 200, 1900 * MS, COUNTER_OK);
    assert_int_equal(counted(COUNTER_TOKENS), 30);
    assert_int_equal(counted(COUNTER_USAGE_DOUBTED), 0);
}

/* Ten events of text, ten tokens asked for: usage below that is no sign of a limit of the server's own, and running
 * usage that does not run is not taken. */
static void test_usage_below_events(void **state)
{
    (void)state;
    static const struct {
        const char *running, *last;
        int events;
        uint64_t tokens, limit, doubted;
    } rows[] = {
        {"", ",\"usage\":{\"completion_tokens\":3}", 10, 3, 0, 0},
        {"", ",\"usage\":{\"completion_tokens\":4}", 4, 4, 1, 0},
        {"", ",\"usage\":{\"completion_tokens\":8}", 2, 8, 1, 0},
        {",\"usage\":{\"completion_tokens\":1}", "", 10, 10, 0, 1}, /* what this event adds */
        {",\"usage\":{\"completion_tokens\":1}", ",\"usage\":{\"completion_tokens\":10}", 10, 10, 0, 0},
        {",\"usage\":{\"completion_tokens\":0}", ",\"usage\":{\"completion_tokens\":10}", 10, 10, 0, 0},
        {",\"usage\":{\"completion_tokens\":2}", "", 2, 2, 1, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[300];
        fresh(NULL);
        begin(1000 * MS, 1000 * MS);
        s.asked_tokens = 10;
        for (int k = 0; k < rows[i].events; k++) {
            (void)snprintf(text, sizeof text, CHUNK("content", "%s"), rows[i].running);
            feed(text, (1100 + 10 * k) * MS);
        }
        (void)snprintf(text, sizeof text, LAST("%s"), rows[i].last);
        feed(text, 1900 * MS);
        feed(DONE, 1900 * MS);
        end(END_COMPLETE, 200, 1900 * MS, COUNTER_OK);
        if (counted(COUNTER_TOKENS) != rows[i].tokens || counted(COUNTER_SHORT_BY_LENGTH) != rows[i].limit ||
            counted(COUNTER_USAGE_DOUBTED) != rows[i].doubted)
            fail_msg("row %zu: %llu tokens, %llu limits, %llu doubted", i, (unsigned long long)counted(COUNTER_TOKENS),
                     (unsigned long long)counted(COUNTER_SHORT_BY_LENGTH),
                     (unsigned long long)counted(COUNTER_USAGE_DOUBTED));
    }
}

/* Usage that came before the text counts what was there then. */
static void test_usage_before_text(void **state)
{
    (void)state;
    static const struct {
        unsigned out, tokens, doubted;
    } rows[] = {{1, 10, 1}, {0, 10, 1}, {10, 10, 0}, {8, 8, 0}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[200];
        fresh(NULL);
        begin(1000 * MS, 1000 * MS);
        s.asked_tokens = 10;
        (void)snprintf(text, sizeof text, "data: {\"choices\":[],\"usage\":{\"completion_tokens\":%u}}\n\n",
                       rows[i].out);
        feed(text, 1050 * MS);
        for (int k = 0; k < 10; k++)
            feed(CHUNK("content", ""), (1100 + 10 * k) * MS);
        feed(DONE, 1900 * MS);
        end(END_COMPLETE, 200, 1900 * MS, COUNTER_OK);
        assert_int_equal(counted(COUNTER_TOKENS), rows[i].tokens);
        assert_int_equal(counted(COUNTER_USAGE_DOUBTED), rows[i].doubted);
    }
}

/* A whole answer without usage: nobody knows how many tokens it has. */
static void test_whole_without_usage(void **state)
{
    (void)state;
    static const char answer[] = "{\"choices\":[{\"message\":{\"content\":\"a b c\"},\"finish_reason\":\"stop\"}]";
    static struct dialect whole;
    for (int used = 0; used < 2; used++) {
        fresh(NULL);
        whole = *dialect_for(API_OPENAI_CHAT);
        whole.whole = true;
        stream_begin(&s, &whole, pool, rec.window_from, rec.window_to);
        s.t.due = s.t.sent = s.t.written = 1000 * MS;
        s.asked_tokens = 20;
        feed(answer, 1100 * MS);
        feed(used ? ",\"usage\":{\"completion_tokens\":3}}" : "}", 1100 * MS);
        end(END_COMPLETE, 200, 1100 * MS, COUNTER_OK);
        assert_int_equal(counted(COUNTER_TOKENS), used ? 3 : 0);
        assert_int_equal(counted(COUNTER_WIN_TOKENS_MICRO), used ? 3000000 : 0);
        assert_int_equal(counted(COUNTER_SHORT_REQUESTS), used); /* 3 of 20 */
        assert_int_equal(counted(COUNTER_USAGE_NONE), !used);
        assert_int_equal(snap->hist[METRIC_OUTPUT_TOKENS]->count, used);
        assert_int_equal(snap->hist[METRIC_NORMALIZED]->count, used);
    }
}

/* Reasoning of which a summary comes: usage counts far more than its events hold. The time per token is that of what
 * came, and the two counts stand side by side, whatever the API. */
static void test_summarised_reasoning(void **state)
{
    (void)state;
#define NAMED(type, more) "event: " type "\ndata: {\"type\":\"" type "\"," more "}\n\n"
    static const struct {
        enum plan_api api;
        const char *thought, *text, *last;
    } rows[] = {
        {API_OPENAI_CHAT, CHUNK("reasoning", ""), CHUNK("content", ""),
         LAST("") "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":220,"
                  "\"completion_tokens_details\":{\"reasoning_tokens\":200}}}\n\n" DONE},
        {API_OPENAI_RESPONSES, NAMED("response.reasoning_summary_text.delta", "\"delta\":\"a\""),
         NAMED("response.output_text.delta", "\"delta\":\"a\""),
         NAMED("response.completed",
               "\"response\":{\"status\":\"completed\",\"usage\":{\"input_tokens\":9,\"output_tokens\":220,"
               "\"output_tokens_details\":{\"reasoning_tokens\":200}}}")},
        {API_ANTHROPIC,
         NAMED("content_block_delta", "\"index\":0,\"delta\":{\"type\":\"thinking_delta\",\"thinking\":\"a\"}"),
         NAMED("content_block_delta", "\"index\":1,\"delta\":{\"type\":\"text_delta\",\"text\":\"a\"}"),
         NAMED("message_delta", "\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"input_tokens\":9,"
                                "\"output_tokens\":220,\"output_tokens_details\":{\"thinking_tokens\":200}}")
             NAMED("message_stop", "\"x\":1")},
        {API_GEMINI,
         "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\",\"thought\":true}]}}],"
         "\"usageMetadata\":{\"promptTokenCount\":9,\"thoughtsTokenCount\":200}}\n\n",
         "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]}}]}\n\n",
         "data: {\"candidates\":[{\"content\":{\"parts\":[]},\"finishReason\":\"STOP\"}],\"usageMetadata\":{"
         "\"promptTokenCount\":9,\"candidatesTokenCount\":20,\"thoughtsTokenCount\":200}}\n\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fresh(NULL);
        begin(1000 * MS, 1000 * MS);
        s.dialect = dialect_for(rows[i].api);
        s.asked_tokens = 256;
        for (int k = 0; k < 30; k++) /* a third is the summary */
            feed(k < 10 ? rows[i].thought : rows[i].text, (1100 + 20 * k) * MS);
        feed(rows[i].last, 1680 * MS);
        end(END_COMPLETE, 200, 1680 * MS, COUNTER_OK);
        if (counted(COUNTER_TOKENS) != 220 || counted(COUNTER_TOKENS_SEEN) != 30)
            fail_msg("row %zu: %llu made, %llu seen", i, (unsigned long long)counted(COUNTER_TOKENS),
                     (unsigned long long)counted(COUNTER_TOKENS_SEEN));
        assert_int_equal(counted(COUNTER_USAGE_DOUBTED), 0);
        const struct hist *tpot = snap->hist[METRIC_TPOT], *itl = snap->hist[METRIC_ITL];
        assert_int_equal(tpot->count, 1);
        assert_in_range(tpot->max, 199 * MS / 10, 201 * MS / 10);
        assert_int_equal(itl->count, 29); /* no gap is divided among tokens that no event showed */
        assert_int_equal(snap->hist[METRIC_TPOT_SUFFIX]->count, 1);
    }
}

/* Events of several tokens each are no summary. */
static void test_long_events_are_no_summary(void **state)
{
    (void)state;
    char text[300];
    fresh(NULL);
    begin(1000 * MS, 1000 * MS);
    s.asked_tokens = 256;
    for (int k = 0; k < 30; k++)
        feed(k < 20 ? CHUNK("reasoning", "") : CHUNK("content", ""), (1100 + 20 * k) * MS);
    (void)snprintf(text, sizeof text,
                   "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":%d,"
                   "\"completion_tokens_details\":{\"reasoning_tokens\":%d}}}\n\n",
                   160, 120);
    feed(text, 1700 * MS);
    feed(DONE, 1700 * MS);
    end(END_COMPLETE, 200, 1700 * MS, COUNTER_OK);
    assert_int_equal(counted(COUNTER_TOKENS), 160);
    assert_int_equal(counted(COUNTER_TOKENS_SEEN), 160);
}

/* A template's tokens are in every prompt: that a cache knows them is nobody's repeat. */
static void test_cached_again(void **state)
{
    (void)state;
    static const struct {
        uint32_t sent, beside, in, cached;
        uint64_t again;
    } rows[] = {{256, 0, 326, 64, 0},    {256, 0, 326, 320, 250}, {256, 0, 256, 32, 0},
                {256, 0, 256, 64, 32},   {256, 70, 256, 64, 0},   {256, 70, 256, 256, 186},
                {256, 0, 2256, 2000, 0}, {256, 0, 640, 640, 256}, {256, 0, 240, 32, 0}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fresh(NULL);
        begin(1000 * MS, 1000 * MS);
        s.prompt_tokens = rows[i].sent, s.prompt_beside = rows[i].beside;
        feed(TOKEN, 1010 * MS);
        usage(rows[i].in, 1, rows[i].cached, 1020 * MS);
        feed(DONE, 1020 * MS);
        end(END_COMPLETE, 200, 1020 * MS, COUNTER_OK);
        if (counted(COUNTER_CACHED_AGAIN) != rows[i].again)
            fail_msg("row %zu: %llu", i, (unsigned long long)counted(COUNTER_CACHED_AGAIN));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_usage_is_doubted),     cmocka_unit_test(test_repeated_by_usage),
        cmocka_unit_test(test_usage_is_doubtful),    cmocka_unit_test(test_short_by_length),
        cmocka_unit_test(test_input_as_asked),       cmocka_unit_test(test_odd_usage),
        cmocka_unit_test(test_whole_without_usage),  cmocka_unit_test(test_reasoning_apart),
        cmocka_unit_test(test_sum_of_usage),         cmocka_unit_test(test_reasoning_apart_running),
        cmocka_unit_test(test_usage_below_events),   cmocka_unit_test(test_usage_before_text),
        cmocka_unit_test(test_summarised_reasoning), cmocka_unit_test(test_long_events_are_no_summary),
        cmocka_unit_test(test_cached_again),         cmocka_unit_test(test_usage_of_the_unfinished),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
