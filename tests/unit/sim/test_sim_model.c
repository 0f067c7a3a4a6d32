#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/clock.h"
#include "common/rng.h"
#include "tests/sim/model.h"

static const struct sim_model_settings DEFAULTS = {
    .slots = 64, .prefill_rate = 160000, .step_base = 4 * NS_PER_MS, .step_per_seq = 50 * NS_PER_US, .seed = 1};

/* A load in simulated time: closed loop of `users` (each asks again `refill` after its last token), or open loop at
 * `rate`. */
struct run {
    struct sim_model *m;
    struct rng rng;
    uint32_t prompt, output_least, output_span; /* output uniform in [least, least + span) */
    int64_t refill;                             /* < 0: nobody asks again */
    struct user {
        int64_t asked, first, again; /* again: when it asks next; -1 when it has asked */
        uint32_t next_token, output, handle;
    } user[512];
    uint32_t users;
    int64_t from; /* before this nothing is counted */
    uint64_t tokens, requests;
    double ttft, decode, e2e; /* sums, s */
    uint64_t gaps;
    int64_t now, last_time;
};

static void ask(struct run *r, uint32_t u, int64_t now)
{
    uint32_t out = r->output_least + (uint32_t)(r->output_span ? rng_below(&r->rng, r->output_span) : 0);
    r->user[u] = (struct user){.asked = now, .again = -1, .output = out};
    assert_int_equal(sim_model_submit(r->m, now, &r->user[u], r->prompt, out, &r->user[u].handle), 0);
}

static void on_event(void *arg, const struct sim_model_event *ev)
{
    struct run *r = arg;
    struct user *u = ev->request;
    assert_int_equal(ev->token, u->next_token++); /* each token once, in order */
    assert_int_equal(ev->last, u->next_token == u->output);
    assert_true(ev->time >= r->last_time && ev->time > u->asked);
    r->last_time = ev->time;
    if (ev->token == 0) u->first = ev->time;
    if (ev->time >= r->from) r->tokens++;
    if (!ev->last) return;
    if (ev->time >= r->from) {
        r->requests++;
        r->ttft += (double)(u->first - u->asked) / 1e9;
        r->e2e += (double)(ev->time - u->asked) / 1e9;
        r->decode += (double)(ev->time - u->first) / 1e9;
        r->gaps += u->output - 1;
    }
    if (r->refill == 0)
        ask(r, (uint32_t)(u - r->user), ev->time);
    else if (r->refill > 0)
        u->again = ev->time + r->refill;
}

static void run_until(struct run *r, int64_t end)
{
    for (;;) {
        int64_t next = sim_model_next(r->m), again = INT64_MAX;
        uint32_t who = 0;
        for (uint32_t i = 0; r->refill > 0 && i < r->users; i++)
            if (r->user[i].again >= 0 && r->user[i].again < again) {
                again = r->user[i].again;
                who = i;
            }
        if (next > end && again > end) return;
        if (again < next)
            ask(r, who, again);
        else
            sim_model_advance(r->m, next, on_event, r);
    }
}

static struct run *closed_loop(const struct sim_model_settings *s, uint32_t users, uint32_t prompt, uint32_t least,
                               uint32_t span, int64_t refill, int64_t seconds)
{
    struct run *r = calloc(1, sizeof *r);
    assert_non_null(r);
    *r = (struct run){.m = sim_model_new(s),
                      .prompt = prompt,
                      .output_least = least,
                      .output_span = span,
                      .refill = refill,
                      .users = users,
                      .from = seconds / 4 * NS_PER_S};
    assert_non_null(r->m);
    rng_seed(&r->rng, 7);
    for (uint32_t i = 0; i < users; i++)
        ask(r, i, 0);
    run_until(r, seconds * NS_PER_S);
    r->now = seconds * NS_PER_S;
    return r;
}

static void end(struct run **r)
{
    sim_model_destroy(&(*r)->m);
    free(*r);
    *r = NULL;
}

static void near(double got, double want, double tolerance)
{
    if (!(fabs(got - want) <= tolerance * fabs(want)))
        fail_msg("got %g, want %g within %g %%", got, want, 100 * tolerance);
}

static void one_request_takes_its_steps(void **state)
{
    (void)state;
    struct run *r = closed_loop(&DEFAULTS, 1, 256, 4, 0, -1, 4);
    /* 4 ms + 0.05 ms, the first step with 256 / 160,000 s more */
    assert_int_equal(r->user[0].first, 4050000 + 1600000);
    assert_int_equal(r->last_time, 4 * 4050000 + 1600000);
    assert_int_equal(sim_model_next(r->m), INT64_MAX);
    assert_int_equal(sim_model_running(r->m) + sim_model_waiting(r->m), 0);
    end(&r);
}

static void defaults_give_8000_tokens_a_second(void **state)
{
    (void)state;
    struct sim_model_answer a;
    struct sim_model_load l = {.prompt = 256, .output = 128};
    sim_model_at_concurrency(&DEFAULTS, &l, 64, &a);
    near(a.tokens_per_s, 8000, 1e-9);
    sim_model_at_concurrency(&DEFAULTS, &l, 1000, &a);
    near(a.tokens_per_s, 8000, 1e-9);
    assert_true(a.saturated);
    sim_model_at_concurrency(&DEFAULTS, &l, 32, &a);
    assert_true(a.tokens_per_s < 5500 && !a.saturated);
}

static void meets_the_closed_form_at_every_concurrency(void **state)
{
    (void)state;
    static const uint32_t USERS[] = {1, 2, 8, 32, 63, 64, 65, 128, 300};
    for (size_t i = 0; i < sizeof USERS / sizeof *USERS; i++) {
        struct run *r = closed_loop(&DEFAULTS, USERS[i], 256, 65, 127, 0, 400); /* output 65 … 191, mean 128 */
        struct sim_model_answer a;
        struct sim_model_load l = {.prompt = 256, .output = 128};
        sim_model_at_concurrency(&DEFAULTS, &l, USERS[i], &a);
        double seconds = (double)(r->now - r->from) / 1e9, requests = (double)r->requests;
        near((double)r->tokens / seconds, a.tokens_per_s, 0.01);
        near(requests / seconds, a.requests_per_s, 0.02);
        near(r->e2e / requests, a.e2e_s, 0.02);
        near(r->decode / (double)r->gaps, a.tpot_s, 0.01);
        near(r->ttft / requests, a.ttft_s, USERS[i] > 80 ? 0.03 : 0.25); /* a small difference of large numbers */
        end(&r);
    }
}

static void a_late_client_misses_a_step(void **state)
{
    (void)state;
    struct sim_model_load l = {.prompt = 256, .output = 32, .missed_steps = 1};
    struct sim_model_answer a;
    for (uint32_t users = 8; users <= 128; users *= 2) {
        struct run *r = closed_loop(&DEFAULTS, users, 256, 17, 31, NS_PER_MS, 200);
        sim_model_at_concurrency(&DEFAULTS, &l, users, &a);
        near((double)r->tokens / ((double)(r->now - r->from) / 1e9), a.tokens_per_s, 0.01);
        end(&r);
    }
}

static void chunked_prefill_changes_steps_not_throughput(void **state)
{
    (void)state;
    struct sim_model_settings s = DEFAULTS;
    s.prefill_chunk = 512;
    struct run *r = closed_loop(&s, 64, 256, 65, 127, 0, 400);
    near((double)r->tokens / ((double)(r->now - r->from) / 1e9), 8000, 0.02);
    end(&r);
    r = closed_loop(&s, 1, 2048, 4, 0, -1, 4);
    assert_int_equal(r->user[0].first, 4 * (4050000 + 3200000)); /* four steps of 512 tokens */
    end(&r);
}

static void open_loop_meets_the_closed_form(void **state)
{
    (void)state;
    struct sim_model_load l = {.prompt = 256, .output = 128};
    struct sim_model_answer a;
    struct run *r = calloc(1, sizeof *r);
    assert_non_null(r);
    *r = (struct run){.m = sim_model_new(&DEFAULTS), .prompt = 256, .output_least = 128, .refill = -1};
    rng_seed(&r->rng, 3);
    double rate = 40; /* of 62.5 */
    uint64_t seen = 0;
    int64_t at = 0;
    for (uint32_t i = 0; i < 40000; i++) {
        at += (int64_t)(rng_exp(&r->rng) / rate * 1e9);
        sim_model_advance(r->m, at, on_event, r);
        seen += sim_model_running(r->m);
        ask(r, i % 512, at);
    }
    sim_model_advance(r->m, INT64_MAX - 1, on_event, r);
    sim_model_at_rate(&DEFAULTS, &l, rate, &a);
    assert_int_equal(r->requests, 40000);
    assert_int_equal(r->tokens, 40000 * 128);
    near((double)seen / 40000, a.running, 0.05); /* arrivals see time averages */
    near(r->e2e / 40000, a.e2e_s, 0.05);
    near(r->decode / (double)r->gaps, a.tpot_s, 0.05);
    end(&r);
    sim_model_at_rate(&DEFAULTS, &l, 70, &a);
    assert_true(a.saturated && isinf(a.e2e_s));
    near(a.tokens_per_s, 8000, 1e-9);
}

static void queue_is_first_in_first_out_and_cancellation_leaves_no_trace(void **state)
{
    (void)state;
    struct sim_model_settings s = DEFAULTS;
    s.slots = 2;
    struct run *r = calloc(1, sizeof *r);
    assert_non_null(r);
    *r = (struct run){.m = sim_model_new(&s), .prompt = 16, .output_least = 10, .refill = -1};
    for (uint32_t i = 0; i < 6; i++)
        ask(r, i, 0);
    assert_int_equal(sim_model_waiting(r->m), 6);
    sim_model_advance(r->m, sim_model_next(r->m), on_event, r);
    assert_int_equal(sim_model_running(r->m), 2);
    sim_model_cancel(r->m, r->user[0].handle); /* running */
    sim_model_cancel(r->m, r->user[3].handle); /* waiting */
    assert_int_equal(sim_model_running(r->m), 1);
    assert_int_equal(sim_model_waiting(r->m), 3);
    sim_model_advance(r->m, NS_PER_S, on_event, r);
    assert_int_equal(r->user[0].next_token, 1); /* the one from before */
    assert_int_equal(r->user[3].next_token, 0);
    assert_true(r->user[1].first <= r->user[2].first && r->user[2].first < r->user[4].first);
    assert_true(r->user[4].first < r->user[5].first);
    assert_int_equal(r->requests, 4);
    assert_int_equal(sim_model_running(r->m) + sim_model_waiting(r->m), 0);
    end(&r);
}

static void what_comes_during_a_step_waits_for_the_next(void **state)
{
    (void)state;
    struct run *r = calloc(1, sizeof *r);
    assert_non_null(r);
    *r = (struct run){.m = sim_model_new(&DEFAULTS), .prompt = 16, .output_least = 2, .refill = -1};
    ask(r, 0, 1000);
    int64_t first = sim_model_next(r->m);
    ask(r, 1, 2000);
    assert_int_equal(sim_model_next(r->m), first);
    sim_model_advance(r->m, NS_PER_S, on_event, r);
    assert_int_equal(r->user[0].first, first);
    assert_int_equal(r->user[1].first, first + 4100000 + 100000);
    end(&r);
}

static void same_seed_same_run(void **state)
{
    (void)state;
    struct sim_model_settings s = DEFAULTS;
    s.jitter = NS_PER_MS;
    struct run *a = closed_loop(&s, 20, 256, 10, 50, 0, 20), *b = closed_loop(&s, 20, 256, 10, 50, 0, 20);
    assert_int_equal(a->tokens, b->tokens);
    assert_int_equal(a->last_time, b->last_time);
    end(&b);
    s.seed = 2;
    b = closed_loop(&s, 20, 256, 10, 50, 0, 20);
    assert_true(a->last_time != b->last_time);
    struct sim_model_load l = {.prompt = 256, .output = 34.5};
    struct sim_model_answer answer;
    sim_model_at_concurrency(&s, &l, 20, &answer);
    near((double)a->tokens / ((double)(a->now - a->from) / 1e9), answer.tokens_per_s, 0.02);
    end(&a);
    end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_request_takes_its_steps),
        cmocka_unit_test(defaults_give_8000_tokens_a_second),
        cmocka_unit_test(meets_the_closed_form_at_every_concurrency),
        cmocka_unit_test(a_late_client_misses_a_step),
        cmocka_unit_test(chunked_prefill_changes_steps_not_throughput),
        cmocka_unit_test(open_loop_meets_the_closed_form),
        cmocka_unit_test(queue_is_first_in_first_out_and_cancellation_leaves_no_trace),
        cmocka_unit_test(what_comes_during_a_step_waits_for_the_next),
        cmocka_unit_test(same_seed_same_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
