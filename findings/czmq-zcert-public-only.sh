#!/usr/bin/env bash
# Guess:   zcert_load of a file that holds a public key only gives a certificate that says it has no secret key.
# Instead: the certificate has a secret key of 32 zero bytes (as text: forty zeros), and nothing tells it from a real one. zcert_load also prefers
#          FILE_secret over the FILE that it was asked for.
# So:      a program that needs its own key must compare it with zeros, or check that the public key belongs to it (zmq_curve_public).
. "$(dirname "$0")/lib.sh"
debian libczmq-dev gcc
cat >"$dir/t.c" <<'C'
#include <czmq.h>
int main (void) {
    zcert_t *made = zcert_new ();
    zcert_set_meta (made, "name", "alice");
    zcert_save_public (made, "public");
    zcert_t *read = zcert_load ("public");
    printf ("%s\n%s\n", streq (zcert_public_txt (made), zcert_public_txt (read)) ? "same public key" : "other public key", zcert_secret_txt (read));
    char derived [41];
    zmq_curve_public (derived, zcert_secret_txt (read));
    printf ("%s\n", streq (derived, zcert_public_txt (read)) ? "belongs" : "does not belong");
    zcert_t *other = zcert_new ();
    zcert_save_secret (other, "public_secret");
    zcert_t *again = zcert_load ("public");
    printf ("%s\n", zcert_eq (again, other) ? "FILE_secret" : "FILE");
    zcert_destroy (&made); zcert_destroy (&read); zcert_destroy (&other); zcert_destroy (&again);
    return 0;
}
C
gcc -o "$dir/t" "$dir/t.c" -lczmq -lzmq
guess "no secret key; the file that was asked for"
mapfile -t out < <(cd "$dir" && ./t)
is "public key" "${out[0]}" "same public key"
is "secret key of a public certificate" "${out[1]}" "0000000000000000000000000000000000000000"
is "its public key" "${out[2]}" "does not belong"
is "read where FILE and FILE_secret hold different keys" "${out[3]}" "FILE_secret"
