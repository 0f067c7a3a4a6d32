#!/usr/bin/env bash
# Guess:   a program that makes a CZMQ socket keeps its own handlers of SIGINT and SIGTERM, or the default ones.
# Instead: the first zsock_new replaces both handlers of the process by CZMQ's, also those that the program had set before.
# So:      call zsys_handler_set (NULL) or set ZSYS_SIGHANDLER=false before the first socket, or set handlers after it.
. "$(dirname "$0")/lib.sh"
debian libczmq-dev gcc
cat >"$dir/t.c" <<'C'
#include <czmq.h>
#include <signal.h>
static void mine (int s) { (void) s; }
static const char *whose (int s) {
    struct sigaction a;
    sigaction (s, NULL, &a);
    return a.sa_handler == mine ? "mine" : a.sa_handler == SIG_DFL ? "default" : "another";
}
int main (void) {
    signal (SIGTERM, mine);
    printf ("%s %s\n", whose (SIGINT), whose (SIGTERM));
    zsock_t *s = zsock_new (ZMQ_ROUTER);
    printf ("%s %s\n", whose (SIGINT), whose (SIGTERM));
    zsock_destroy (&s);
    return 0;
}
C
gcc -o "$dir/t" "$dir/t.c" -lczmq -lzmq
guess "default mine, before and after"
mapfile -t out < <("$dir/t")
is "SIGINT and SIGTERM before the first socket" "${out[0]}" "default mine"
is "after zsock_new" "${out[1]}" "another another"
