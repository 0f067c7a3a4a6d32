/* Signed plans: Ed25519 (libsodium), detached. The signature covers the exact bytes of the wire plan, the run, the
 * agents it is for and an expiry. So it cannot be used for another run, another fleet or another day.
 *
 * The envelope is text, one field per line. All but its last line is signed:
 *     plateau-signature 1
 *     run RUN-ID               (* = any)
 *     audience NAME-PREFIX     (* = any agent)
 *     expires 2026-12-31T00:00:00Z
 *     plan SHA-256 of the plan's canonical JSON
 *     signature BASE64
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"

#define SIGN_PUBLIC_BYTES 32
#define SIGN_ENVELOPE_MAX 2048

/* DIR/<who>.sign (secret seed, 0600) and DIR/<who>.verify (public, base64). */
ERR_CHECKED int sign_keys_save(const char *dir, const char *who, struct err *e);
ERR_CHECKED int sign_public_load(const char *path, uint8_t ret[SIGN_PUBLIC_BYTES], struct err *e);

struct sign_claim {
    const char *run, *audience; /* "*" = any */
    int64_t expires_wall_ns;
    const char *plan_hash; /* 64 hex digits */
};
/* Appends the envelope. `secret_path` is a *.sign file. */
ERR_CHECKED int sign_make(const char *secret_path, const struct sign_claim *c, struct buf *out, struct err *e);

/* Hostile bytes in. 0 when the envelope is signed by this key, names this plan, run and agent, and has not expired at
 * `wall_ns`; else the sentence says which of these it is. */
ERR_CHECKED int sign_check(const uint8_t key[SIGN_PUBLIC_BYTES], const void *envelope, size_t n, const char *plan_hash,
                           const char *run, const char *agent, int64_t wall_ns, struct err *e);
