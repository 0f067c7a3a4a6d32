/* Keys of the control plane (CurveZMQ: Curve25519 pairs in Z85, 40 characters each) and the coordinator's list of
 * admitted keys.
 *
 * A key folder as `plateau keys DIR` makes it: coordinator.key, coordinator.pub, agent.key, agent.pub, allowed. A *.key
 * file has two lines, `public Z85` and `secret Z85`, mode 0600; a *.pub file has the public key alone. `allowed` has
 * one line per key: PUBLIC NAME ROLE. NAME is an agent's name and may end with * (one key for a fleet of pods), ROLE is
 * agent. Lines that begin with # are comments.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"

#define KEY_TEXT 41 /* 40 characters and NUL */
#define KEYS_ALLOWED_MAX 10000

struct key_pair {
    char public_key[KEY_TEXT], secret_key[KEY_TEXT];
};
struct key_allowed {
    char public_key[KEY_TEXT];
    char name[64];
};
struct key_list {
    struct key_allowed *item;
    size_t n;
};

/* CZMQ certificates (zcert), which other tools make, are read in place of either: FILE_secret as *.key, FILE as *.pub.
 */

/* A new pair; -1 when the library has no CURVE. */
ERR_CHECKED int key_pair_new(struct key_pair *ret, struct err *e);
/* Zeroes the secret so that the compiler cannot leave it out. */
void key_pair_clear(struct key_pair *k);

/* Makes the file DIR/<who><ending> with this text, or nothing: it is never overwritten, and a half-written one is
 * removed. */
ERR_CHECKED int key_file_new(const char *dir, const char *who, const char *ending, unsigned mode, const char *text,
                             struct err *e);

/* Makes DIR/<who>.key (0600, refuses to overwrite) and DIR/<who>.pub. */
ERR_CHECKED int key_pair_save(const struct key_pair *k, const char *dir, const char *who, struct err *e);
/* Reads DIR/<who>.key; refuses a file that others can read or write (group and others), unless it is a mounted secret
 * owned by root or us with only read bits for the group. */
ERR_CHECKED int key_pair_load(const char *dir, const char *who, struct key_pair *ret, struct err *e);
ERR_CHECKED int key_public_load(const char *dir, const char *who, char ret_public[KEY_TEXT], struct err *e);

/* Keys that are in no file, for processes we start: their pair and the coordinator's public key in a descriptor of
 * memory (close-on-exec; -1 on failure). */
ERR_CHECKED int key_bundle_make(const struct key_pair *pair, const char *server_public, struct err *e);
ERR_CHECKED int key_bundle_read(int fd, struct key_pair *ret_own, char ret_server[KEY_TEXT],
                                struct err *e); /* several may read it; closes theirs */

/* Reads DIR/allowed; an error names file and line. The list is sorted by key and has each key once. */
ERR_CHECKED int key_list_load(const char *dir, struct key_list *ret, struct err *e);
ERR_CHECKED int key_list_parse(const char *file, const char *text, size_t n, struct key_list *ret, struct err *e);
void key_list_clear(struct key_list *l);
/* The entry of a public key, or NULL. */
const struct key_allowed *key_list_find(const struct key_list *l, const char *public_key);
/* May this entry call itself `name`? */
bool key_allowed_name(const struct key_allowed *a, const char *name);
