#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/answer_world.h"

/* One server of several that fails, and one that closes its connections. */
static void test_servers(void **state)
{
    (void)state;
    static struct world w;
    static struct stage_data data;
    memset(&w, 0, sizeof w);
    memset(&data, 0, sizeof data);
    struct point *p = add(&w, 4, 1);
    p->data = &data;
    p->ledger.failed[0] = 20;
    struct address_count *a = per_address_row(&data.addresses, "10.0.0.1:80"),
                         *b = per_address_row(&data.addresses, "10.0.0.2:80");
    a->ok = 20, b->ok = 1, b->failed = 19;
    finish_capacity(&w, 1000);
    says(&w, "19 of 20 requests to 10.0.0.2:80 failed, and other addresses of the target answer. ");
    a->failed = 200; /* all are bad: that is no matter of addresses */
    finish_capacity(&w, 1000);
    silent(&w, "to 10.0.0");
    p->ledger.failed[0] = 0;
    data.counters[COUNTER_SENT] = 100;
    data.counters[COUNTER_CONNECTIONS] = 104;
    p->metric[METRIC_TTFT] = (struct metric_stat){.count = 100, .mean = 30};
    p->metric[METRIC_CONNECT] = (struct metric_stat){.count = 100, .mean = 5};
    finish_capacity(&w, 1000);
    silent(&w, "new connection"); /* opened ahead of a rate, or closed by the agents to take requests back */
    data.counters[COUNTER_CONNECTIONS_ENDED] = 98;
    finish_capacity(&w, 1000);
    says(&w, "The server closes connections: 100 requests took 104 new connections, of 5 ms on average, which TTFT and "
             "E2E do not hold. ");
    data.counters[COUNTER_FAILED_RESET] = 60; /* those of requests that failed are told there */
    finish_capacity(&w, 1000);
    silent(&w, "closes connections");
    data.counters[COUNTER_FAILED_RESET] = 0;
    p->metric[METRIC_CONNECT].mean = 0.05; /* however fast */
    finish_capacity(&w, 1000);
    says(&w, "100 requests took 104 new connections, of 0.05 ms on average, ");
    w.plan.target.proxy = "http://p:3128";
    finish_capacity(&w, 1000);
    says(&w, "The proxy, or the server behind it, closes connections: 100 requests took 104 new connections, ");
    data.counters[COUNTER_CONNECTIONS_ENDED] = 2, data.counters[COUNTER_CONNECTIONS_IDLE] = 90;
    finish_capacity(&w, 1000);
    says(&w, "The agents close connections that are idle for 4 s: 100 requests took 104 new connections, ");
    w.plan.target.fresh_connections = true; /* so the plan wants it */
    finish_capacity(&w, 1000);
    says(&w, "No connection is used again (target.connections: fresh): 100 requests took 104 new connections, ");
    data.counters[COUNTER_CONNECTIONS] = 4;
    finish_capacity(&w, 1000);
    silent(&w, "new connection");
}

/* In a closed loop those that are answered make most of the requests. */
static void test_users(void **state)
{
    (void)state;
    static struct world w;
    memset(&w, 0, sizeof w);
    struct point *p = add(&w, 12, 1);
    p->users.n = 12;
    p->window_failed = 8;
    p->users.unserved = 0.15; /* as much as of the requests */
    finish_capacity(&w, 1000);
    silent(&w, "on average waited");
    p->users.unserved = 3.97;
    finish_capacity(&w, 1000);
    says(&w, "4 of 12 users on average waited for requests that failed or got no whole answer, and 8 were served. ");
    p->window_failed = 300;
    finish_capacity(&w, 1000);
    silent(&w, "on average waited");
    add(&w, 24, 1)->users.n = 24;
    p->window_failed = 8;
    finish_capacity(&w, 1000);
    says(&w, "Load 12: 4 of 12 users on average waited ");
}

/* A stage that is shorter than its conversations shows their first turns. */
static void test_unfinished(void **state)
{
    (void)state;
    static struct world w;
    static struct stage_data data;
    memset(&w, 0, sizeof w);
    memset(&data, 0, sizeof data);
    add(&w, 12, 1)->data = &data;
    data.counters[COUNTER_SESSIONS] = 60;
    data.counters[COUNTER_SESSIONS_DONE] = 48; /* one is open in each slot at the end */
    finish_capacity(&w, 1000);
    silent(&w, "last turn");
    data.counters[COUNTER_SESSIONS_DONE] = 3, data.counters[COUNTER_SESSIONS_BROKEN] = 1;
    finish_capacity(&w, 1000);
    says(&w, "56 of 60 conversations had not come to their last turn when their stage ended: the figures hold few of "
             "the later ones, whose prompts are the longest. A longer load.duration has more of them. ");
}

/* How long a request takes to be sent is a part of TTFT that says nothing of the server's speed. */
static void test_upload(void **state)
{
    (void)state;
    static struct world w;
    static struct stage_data data;
    memset(&w, 0, sizeof w);
    memset(&data, 0, sizeof data);
    struct point *p = add(&w, 4, 1);
    p->data = &data;
    p->metric[METRIC_TTFT] = (struct metric_stat){.count = 100, .mean = 200};
    data.counters[COUNTER_WIN_UPLOAD_NS] = 1900000000; /* 19 ms each */
    finish_capacity(&w, 1000);
    silent(&w, "last byte of a request");
    data.counters[COUNTER_WIN_UPLOAD_NS] = 5000000000;
    finish_capacity(&w, 1000);
    says(&w, "Until the last byte of a request was sent 50 ms passed on average, 25 % of TTFT: ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_servers), cmocka_unit_test(test_users),
                                       cmocka_unit_test(test_unfinished), cmocka_unit_test(test_upload)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
