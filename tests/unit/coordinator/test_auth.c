#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

#include "coordinator/auth.h"

#define ANY "tcp://127.0.0.1:*"

static void end(void *context, void *router, struct auth **a)
{
    zmq_close(router);
    (void)zmq_ctx_shutdown(context);
    auth_close(a);
    zmq_ctx_term(context);
}

static void where(void *router, char *ret, size_t n)
{
    assert_int_equal(zmq_bind(router, ANY), 0);
    assert_int_equal(zmq_getsockopt(router, ZMQ_LAST_ENDPOINT, ret, &n), 0);
}

static struct auth *start(void *context, struct key_pair *agent)
{
    struct err e = {0};
    struct key_pair server;
    assert_int_equal(key_pair_new(&server, &e), 0);
    assert_int_equal(key_pair_new(agent, &e), 0);
    struct auth *a = auth_open_with(context, &server, agent->public_key, "pod-*", &e);
    assert_non_null(a);
    assert_int_equal(server.secret_key[0], 0); /* taken */
    return a;
}

/* A message of an agent with this key arrives with its public key as User-Id. */
static void test_admits(void **state)
{
    (void)state;
    char endpoint[128], server[KEY_TEXT], name[64];
    struct err e = {0};
    struct key_pair k;
    int wait = 5000, none = 0;
    void *context = zmq_ctx_new(), *router = zmq_socket(context, ZMQ_ROUTER), *dealer = zmq_socket(context, ZMQ_DEALER);
    struct auth *a = start(context, &k);
    assert_int_equal(auth_protect(a, router, &e), 0);
    where(router, endpoint, sizeof endpoint);
    assert_int_equal(auth_self_test(a, endpoint, &e), 0);
    auth_server_key(a, server);
    assert_int_equal(zmq_setsockopt(dealer, ZMQ_LINGER, &none, sizeof none), 0);
    assert_int_equal(zmq_setsockopt(dealer, ZMQ_CURVE_SERVERKEY, server, KEY_TEXT), 0);
    assert_int_equal(zmq_setsockopt(dealer, ZMQ_CURVE_PUBLICKEY, k.public_key, KEY_TEXT), 0);
    assert_int_equal(zmq_setsockopt(dealer, ZMQ_CURVE_SECRETKEY, k.secret_key, KEY_TEXT), 0);
    assert_int_equal(zmq_connect(dealer, endpoint), 0);
    assert_int_equal(zmq_send(dealer, "x", 1, 0), 1);
    assert_int_equal(zmq_setsockopt(router, ZMQ_RCVTIMEO, &wait, sizeof wait), 0);
    zmq_msg_t id, body;
    zmq_msg_init(&id);
    zmq_msg_init(&body);
    assert_true(zmq_msg_recv(&id, router, 0) > 0);
    assert_int_equal(zmq_msg_recv(&body, router, 0), 1);
    const char *user = zmq_msg_gets(&body, "User-Id");
    assert_non_null(user);
    assert_string_equal(user, k.public_key);
    assert_true(auth_name(a, user, name, sizeof name));
    assert_string_equal(name, "pod-*");
    assert_true(auth_may_use(a, user, "pod-1"));
    assert_false(auth_may_use(a, user, "bob"));
    assert_false(auth_name(a, server, name, sizeof name));
    assert_false(auth_name(a, "", name, sizeof name));
    zmq_msg_close(&id);
    zmq_msg_close(&body);
    zmq_close(dealer);
    key_pair_clear(&k);
    end(context, router, &a);
}

/* CURVE without a handler of keys admits anybody: the trap the self-test is for. */
static void test_self_test_finds_open_door(void **state)
{
    (void)state;
    char endpoint[128], server[KEY_TEXT], secret[KEY_TEXT];
    struct err e = {0};
    struct key_pair k;
    int on = 1;
    void *context = zmq_ctx_new(), *other = zmq_ctx_new(), *unused = zmq_socket(context, ZMQ_ROUTER);
    void *open = zmq_socket(other, ZMQ_ROUTER), *plain = zmq_socket(other, ZMQ_ROUTER);
    struct key_pair own;
    assert_int_equal(key_pair_new(&own, &e), 0);
    memcpy(secret, own.secret_key, KEY_TEXT);
    assert_int_equal(key_pair_new(&k, &e), 0);
    struct auth *a = auth_open_with(context, &own, k.public_key, "*", &e);
    assert_non_null(a);
    assert_int_equal(auth_protect(a, unused, &e), 0);
    auth_server_key(a, server);
    assert_int_equal(zmq_setsockopt(open, ZMQ_CURVE_SERVER, &on, sizeof on), 0);
    assert_int_equal(zmq_setsockopt(open, ZMQ_CURVE_SECRETKEY, secret, KEY_TEXT), 0);
    where(open, endpoint, sizeof endpoint);
    assert_int_equal(auth_self_test(a, endpoint, &e), -1);
    assert_non_null(strstr(e.text, "a random key was admitted"));
    where(plain, endpoint, sizeof endpoint);
    assert_int_equal(auth_self_test(a, endpoint, &e), -1);
    zmq_close(open);
    zmq_close(plain);
    zmq_ctx_term(other);
    end(context, unused, &a);
}

static void test_reload(void **state)
{
    (void)state;
    char dir[] = "/tmp/plateau-auth-XXXXXX", path[64];
    struct err e = {0};
    struct key_pair server, k;
    size_t n = 0;
    assert_non_null(mkdtemp(dir));
    assert_int_equal(key_pair_new(&server, &e), 0);
    assert_int_equal(key_pair_new(&k, &e), 0);
    assert_int_equal(key_pair_save(&server, dir, "coordinator", &e), 0);
    (void)snprintf(path, sizeof path, "%s/allowed", dir);
    FILE *f = fopen(path, "w");
    fprintf(f, "%s a agent\n%s b agent\n", k.public_key, server.public_key);
    fclose(f);
    void *context = zmq_ctx_new(), *router = zmq_socket(context, ZMQ_ROUTER);
    struct auth *a = auth_open(context, dir, &e);
    assert_non_null(a);
    assert_true(auth_may_use(a, k.public_key, "a"));
    f = fopen(path, "w");
    fprintf(f, "%s b agent\n", server.public_key);
    fclose(f);
    assert_true(auth_may_use(a, k.public_key, "a")); /* not read yet */
    assert_int_equal(auth_reload(a, &n, &e), 0);
    assert_int_equal(n, 1);
    assert_false(auth_may_use(a, k.public_key, "a"));
    f = fopen(path, "w");
    fprintf(f, "%s b agent\n%s c agent\n", server.public_key, server.public_key);
    fclose(f);
    assert_int_equal(auth_reload(a, &n, &e), -1);
    assert_non_null(strstr(e.text, "twice"));
    assert_true(auth_may_use(a, server.public_key, "b"));
    end(context, router, &a);
    static const char *const FILES[] = {"allowed", "coordinator.key", "coordinator.pub"};
    for (size_t i = 0; i < 3; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", dir, FILES[i]);
        (void)unlink(path);
    }
    assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_admits),
        cmocka_unit_test(test_self_test_finds_open_door),
        cmocka_unit_test(test_reload),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
