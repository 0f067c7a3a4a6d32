#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <zmq.h>

#include "common/clock.h"
#include "common/handshake.h"

static void test_a_line_once_in_a_while(void **state)
{
    struct handshake_log l = {0};
    int64_t now = 100 * NS_PER_S;
    uint32_t held;
    (void)state;
    assert_true(handshake_log_pass(&l, "a", now, &held));
    assert_int_equal(held, 0);
    for (unsigned i = 0; i < 7; i++)
        assert_false(handshake_log_pass(&l, "a", now += NS_PER_S, &held));
    assert_true(handshake_log_pass(&l, "b", now, &held)); /* others pass */
    assert_int_equal(held, 0);
    assert_false(handshake_log_pass(&l, "a", now, &held));
    assert_false(handshake_log_pass(&l, "b", now, &held));
    assert_true(handshake_log_pass(&l, "a", now += 3 * NS_PER_S, &held));
    assert_int_equal(held, 9);
    assert_false(handshake_log_pass(&l, "a", now, &held));
}

static void test_many_lines(void **state)
{
    struct handshake_log l = {0};
    unsigned said = 0;
    uint32_t held;
    char words[16];
    (void)state;
    for (unsigned i = 0; i < 1000; i++) {
        (void)snprintf(words, sizeof words, "%u", i);
        said += handshake_log_pass(&l, words, NS_PER_S, &held);
    }
    assert_int_equal(said, LOG_LIMIT_LINES);
    assert_true(handshake_log_pass(&l, "0", 11 * NS_PER_S, &held));
    assert_int_equal(held, 1000 - LOG_LIMIT_LINES);
}

/* One that has keys dials one that has none: both log it. */
static enum handshake_event next(void *watch)
{
    char words[200];
    zmq_pollitem_t item = {.socket = watch, .events = ZMQ_POLLIN};
    (void)zmq_poll(&item, 1, 5000);
    return handshake_next(watch, words, sizeof words);
}

static void test_one_side_has_keys(void **state)
{
    char public[41], secret[41], at[64];
    size_t n = sizeof at;
    struct err e = {0};
    (void)state;
    void *c = zmq_ctx_new(), *router = zmq_socket(c, ZMQ_ROUTER), *dealer = zmq_socket(c, ZMQ_DEALER);
    void *in = handshake_watch(c, router, "inproc://in", &e), *out = handshake_watch(c, dealer, "inproc://out", &e);
    assert_non_null(in);
    assert_non_null(out);
    assert_int_equal(zmq_bind(router, "tcp://127.0.0.1:*"), 0);
    assert_int_equal(zmq_getsockopt(router, ZMQ_LAST_ENDPOINT, at, &n), 0);
    assert_int_equal(zmq_curve_keypair(public, secret), 0);
    assert_int_equal(zmq_setsockopt(dealer, ZMQ_CURVE_SERVERKEY, public, 40), 0);
    assert_int_equal(zmq_setsockopt(dealer, ZMQ_CURVE_PUBLICKEY, public, 40), 0);
    assert_int_equal(zmq_setsockopt(dealer, ZMQ_CURVE_SECRETKEY, secret, 40), 0);
    assert_int_equal(zmq_connect(dealer, at), 0);
    assert_int_equal(next(in), HANDSHAKE_FAILED);
    assert_int_equal(next(out), HANDSHAKE_CONNECTED);
    assert_int_not_equal(next(out), HANDSHAKE_DONE);
    void *all[] = {in, out, dealer, router};
    int none = 0;
    for (unsigned i = 0; i < 4; i++) {
        (void)zmq_setsockopt(all[i], ZMQ_LINGER, &none, sizeof none);
        (void)zmq_close(all[i]);
    }
    zmq_ctx_term(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_line_once_in_a_while),
        cmocka_unit_test(test_many_lines),
        cmocka_unit_test(test_one_side_has_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
