#include "common/sign.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/keys.h"

#define B64 sodium_base64_VARIANT_ORIGINAL
#define HEADLINE "plateau-signature 1\n"

int sign_keys_save(const char *dir, const char *who, struct err *e)
{
    if (sodium_init() < 0) return err_set(e, ERR_INTERNAL, "libsodium does not start");
    uint8_t pk[crypto_sign_PUBLICKEYBYTES], sk[crypto_sign_SECRETKEYBYTES];
    char text[sodium_base64_ENCODED_LEN(crypto_sign_SECRETKEYBYTES, B64) + 1];
    crypto_sign_keypair(pk, sk);
    sodium_bin2base64(text, sizeof text - 1, sk, sizeof sk, B64);
    size_t n = strlen(text);
    text[n] = '\n', text[n + 1] = 0;
    int rc = key_file_new(dir, who, ".sign", 0600, text, e);
    sodium_memzero(sk, sizeof sk);
    sodium_bin2base64(text, sizeof text - 1, pk, sizeof pk, B64);
    n = strlen(text);
    text[n] = '\n', text[n + 1] = 0;
    if (rc == 0) rc = key_file_new(dir, who, ".verify", 0644, text, e);
    sodium_memzero(text, sizeof text);
    return rc;
}

/* One base64 line of exactly n bytes. */
static int load_base64(const char *path, bool secret, uint8_t *ret, size_t n, struct err *e)
{
    char text[256] = "";
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st)) {
        if (fd >= 0) (void)close(fd);
        return err_set(e, ERR_SECRET, "cannot read %s: %s", path, strerror(errno));
    }
    ssize_t got = read(fd, text, sizeof text - 1);
    (void)close(fd);
    if (secret && (st.st_mode & (S_IRWXO | S_IWGRP | S_IXGRP)))
        return err_set(e, ERR_SECRET, "%s may be read or changed by others; chmod 600 it", path);
    size_t len = got > 0 ? strcspn(text, "\r\n") : 0, out = 0;
    int bad = sodium_base642bin(ret, n, text, len, NULL, &out, NULL, B64) || out != n;
    sodium_memzero(text, sizeof text);
    return bad ? err_set(e, ERR_SECRET, "%s is not a signing key: one line of base64, %zu bytes", path, n) : 0;
}

int sign_public_load(const char *path, uint8_t ret[SIGN_PUBLIC_BYTES], struct err *e)
{
    return load_base64(path, false, ret, SIGN_PUBLIC_BYTES, e);
}

static bool word(const char *s)
{
    size_t n = strlen(s);
    return n > 0 && n < 200 && strpbrk(s, " \t\r\n") == NULL;
}

int sign_make(const char *secret_path, const struct sign_claim *c, struct buf *out, struct err *e)
{
    uint8_t sk[crypto_sign_SECRETKEYBYTES], sig[crypto_sign_BYTES];
    char when[32], b64[sodium_base64_ENCODED_LEN(crypto_sign_BYTES, B64)];
    if (!word(c->run) || !word(c->audience))
        return err_set(e, ERR_USAGE, "a run and an audience are one word each, or *");
    if (sodium_init() < 0) return err_set(e, ERR_INTERNAL, "libsodium does not start");
    if (load_base64(secret_path, true, sk, sizeof sk, e)) return -1;
    size_t from = out->len;
    (void)buf_printf(out, HEADLINE "run %s\naudience %s\nexpires %s\nplan %s\n", c->run, c->audience,
                     clock_wall_text(c->expires_wall_ns, when, sizeof when), c->plan_hash);
    if (!out->bad) crypto_sign_detached(sig, NULL, out->data + from, out->len - from, sk);
    sodium_memzero(sk, sizeof sk);
    sodium_bin2base64(b64, sizeof b64, sig, sizeof sig, B64);
    (void)buf_printf(out, "signature %s\n", b64);
    return out->bad ? err_set(e, ERR_NOMEM, "no memory for a signature") : 0;
}

/* The value of the next line if it begins with `name` and a space; moves *at past the line. */
static int field(const char **at, const char *name, char *ret, size_t room, struct err *e)
{
    size_t n = strlen(name), len;
    const char *nl = strchr(*at, '\n');
    if (!nl || strncmp(*at, name, n) != 0 || (*at)[n] != ' ' || (len = (size_t)(nl - *at) - n - 1) == 0 || len >= room)
        return err_set(e, ERR_REFUSED, "the plan's signature is malformed: no field \"%s\"", name);
    memcpy(ret, *at + n + 1, len);
    ret[len] = 0;
    *at = nl + 1;
    return 0;
}

static int wall_parse(const char *text, int64_t *ret_ns)
{
    struct tm tm = {0};
    const char *end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    if (!end || *end) return -1;
    *ret_ns = (int64_t)timegm(&tm) * NS_PER_S;
    return 0;
}

static bool covers(const char *pattern, const char *name)
{
    size_t n = strlen(pattern);
    if (n && pattern[n - 1] == '*') return strncmp(pattern, name, n - 1) == 0;
    return strcmp(pattern, name) == 0;
}

int sign_check(const uint8_t key[SIGN_PUBLIC_BYTES], const void *envelope, size_t n, const char *plan_hash,
               const char *run, const char *agent, int64_t wall_ns, struct err *e)
{
    char text[SIGN_ENVELOPE_MAX + 1], has_run[256], audience[256], expires[64], plan[80], b64[128];
    uint8_t sig[crypto_sign_BYTES];
    size_t len = 0;
    int64_t until;
    if (n == 0)
        return err_set(e, ERR_REFUSED,
                       "this agent runs signed plans only (--require-signed), and the plan carries no signature");
    if (n > SIGN_ENVELOPE_MAX || memchr(envelope, 0, n))
        return err_set(e, ERR_REFUSED, "the plan's signature is malformed");
    if (sodium_init() < 0) return err_set(e, ERR_INTERNAL, "libsodium does not start");
    memcpy(text, envelope, n);
    text[n] = 0;
    if (strncmp(text, HEADLINE, sizeof HEADLINE - 1) != 0)
        return err_set(e, ERR_REFUSED, "the plan's signature is of another version");
    const char *at = text + sizeof HEADLINE - 1;
    if (field(&at, "run", has_run, sizeof has_run, e) || field(&at, "audience", audience, sizeof audience, e) ||
        field(&at, "expires", expires, sizeof expires, e) || field(&at, "plan", plan, sizeof plan, e))
        return -1;
    size_t signed_n = (size_t)(at - text);
    if (field(&at, "signature", b64, sizeof b64, e)) return -1;
    if (*at || sodium_base642bin(sig, sizeof sig, b64, strlen(b64), NULL, &len, NULL, B64) || len != sizeof sig)
        return err_set(e, ERR_REFUSED, "the plan's signature is malformed");
    /* nothing that the envelope says is believed before this */
    if (crypto_sign_verify_detached(sig, (const uint8_t *)text, signed_n, key))
        return err_set(e, ERR_REFUSED, "the plan's signature is not by the key this agent trusts");
    if (strcmp(plan, plan_hash) != 0)
        return err_set(e, ERR_REFUSED, "the signature is for another plan (%.12s…, this is %.12s…)", plan, plan_hash);
    if (!covers(has_run, run)) return err_set(e, ERR_REFUSED, "the signature is for run %s, this is %s", has_run, run);
    if (!covers(audience, agent))
        return err_set(e, ERR_REFUSED, "the signature is for agents %s, this is %s", audience, agent);
    if (wall_parse(expires, &until) || wall_ns >= until)
        return err_set(e, ERR_REFUSED, "the signature expired at %s", expires);
    return 0;
}
