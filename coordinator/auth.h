/* Who may speak on the control plane: CURVE on the socket, and a ZAP handler (RFC 27) in a thread of its own that
 * admits the keys of a list. A peer's identity is the public key that it has proved to own: ZeroMQ puts it on each of
 * its messages (User-Id). Each message is checked against the current list, since taking a key off the list does not
 * end a connection.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"
#include "common/keys.h"

struct auth;
/* `dir`: a folder of `plateau keys`. Before any socket of the context is bound. */
ERR_CHECKED struct auth *auth_open(void *context, const char *dir, struct err *e);
/* The same with keys that only live in memory: one key that may use `name`. Takes the secret of `server`. */
ERR_CHECKED struct auth *auth_open_with(void *context, struct key_pair *server, const char *allowed_public,
                                        const char *name, struct err *e);
ERR_CHECKED int auth_protect(struct auth *a, void *socket, struct err *e); /* before it is bound */
/* Dials `endpoint` with an unknown key: an error unless the handler refuses it. Takes a few seconds at most.
 */
ERR_CHECKED int auth_self_test(struct auth *a, const char *endpoint, struct err *e);
/* The name that the list has for a message's sender; false: the sender is no longer on the list. */
bool auth_name(struct auth *a, const char *user, char *ret, size_t n);
/* May the sender say HELLO by this name? */
bool auth_may_use(struct auth *a, const char *user, const char *name);
/* Reads the list again; on failure the old one stays. 0 without a folder. */
ERR_CHECKED int auth_reload(struct auth *a, size_t *ret_n, struct err *e);
bool auth_has_folder(const struct auth *a);
void auth_server_key(const struct auth *a, char ret_public[KEY_TEXT]);
/* The context has been shut down (zmq_ctx_shutdown): joins the thread. */
void auth_close(struct auth **a);
