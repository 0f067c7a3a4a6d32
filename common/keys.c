#include "common/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <sys/mman.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

enum { FILE_MAX = 2 << 20 };
#define CERT_PUBLIC "public-key = \""
#define CERT_SECRET "secret-key = \""
#define NOT_A_KEY_FILE                                                                                                 \
    "%s is not a key file. Such a file has a line \"public KEY\" and a line \"secret KEY\" of 40 characters each "     \
    "(plateau keys makes it), or is a CZMQ certificate with public-key and secret-key"

int key_pair_new(struct key_pair *ret, struct err *e)
{
    if (zmq_curve_keypair(ret->public_key, ret->secret_key))
        return err_set(e, ERR_INTERNAL, "cannot make keys: this libzmq has no CURVE (%s)", zmq_strerror(zmq_errno()));
    return 0;
}

void key_pair_clear(struct key_pair *k)
{
    sodium_memzero(k, sizeof *k);
}

static int path_of(char *buf, size_t n, const char *dir, const char *who, const char *ending, struct err *e)
{
    int did = snprintf(buf, n, "%s/%s%s", dir, who, ending);
    if (did < 0 || (size_t)did >= n) return err_set(e, ERR_USAGE, "the path of the key folder is too long");
    return 0;
}

int key_file_new(const char *dir, const char *who, const char *ending, unsigned mode, const char *text, struct err *e)
{
    char path[4096];
    if (path_of(path, sizeof path, dir, who, ending, e)) return -1;
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, (mode_t)mode);
    if (fd < 0)
        return err_set(e, ERR_USAGE, "cannot make %s: %s%s", path, strerror(errno),
                       errno == EEXIST ? "; keys are never overwritten, remove it first" : "");
    size_t n = strlen(text);
    ssize_t did = write(fd, text, n);
    int bad = did != (ssize_t)n || fsync(fd);
    if (close(fd) || bad) {
        (void)unlink(path);
        return err_set(e, ERR_IO, "cannot write %s: %s", path, strerror(errno));
    }
    return 0;
}

int key_pair_save(const struct key_pair *k, const char *dir, const char *who, struct err *e)
{
    char text[200];
    (void)snprintf(text, sizeof text, "public %s\nsecret %s\n", k->public_key, k->secret_key);
    int rc = key_file_new(dir, who, ".key", 0600, text, e);
    sodium_memzero(text, sizeof text);
    if (rc) return -1;
    (void)snprintf(text, sizeof text, "%s\n", k->public_key);
    return key_file_new(dir, who, ".pub", 0644, text, e);
}

/* Reads a whole small file; NUL-terminated; caller frees after zeroing. */
static char *read_file(const char *path, bool secret, size_t *ret_n, struct err *e)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st)) {
        (void)err_set(e, ERR_SECRET, "cannot read %s: %s", path, strerror(errno));
        if (fd >= 0) (void)close(fd);
        return NULL;
    }
    /* A mounted Kubernetes secret belongs to root and gives its group read access; nobody else may look, and nobody may
     * write. */
    if (secret && (st.st_mode & (S_IRWXO | S_IWGRP | S_IXGRP))) {
        (void)err_set(e, ERR_SECRET, "%s may be read or changed by others (mode %03o); chmod 600 it", path,
                      (unsigned)(st.st_mode & 0777));
        (void)close(fd);
        return NULL;
    }
    char *text = st.st_size <= FILE_MAX ? malloc(FILE_MAX + 1) : NULL;
    size_t n = 0;
    while (text && n < FILE_MAX) {
        ssize_t did = read(fd, text + n, FILE_MAX - n);
        if (did <= 0) break;
        n += (size_t)did;
    }
    (void)close(fd);
    if (!text) {
        (void)err_set(e, ERR_SECRET, "%s is too large", path);
        return NULL;
    }
    text[n] = 0;
    *ret_n = n;
    return text;
}

static bool is_key(const char *s, size_t n)
{
    uint8_t raw[32];
    char text[KEY_TEXT];
    if (n != KEY_TEXT - 1) return false;
    memcpy(text, s, n);
    text[n] = 0;
    bool ok = zmq_z85_decode(raw, text) != NULL;
    sodium_memzero(raw, sizeof raw);
    sodium_memzero(text, sizeof text);
    return ok;
}

static bool key_named(const char *text, const char *name, char ret[KEY_TEXT])
{
    const char *at = strstr(text, name);
    if (at) at += strlen(name);
    if (!at || !is_key(at, strcspn(at, "\"\r\n"))) return false;
    memcpy(ret, at, KEY_TEXT - 1);
    ret[KEY_TEXT - 1] = 0;
    return true;
}

/* CZMQ writes a secret key of zeros when it saves a certificate that it read from a public key. */
static bool is_pair(const struct key_pair *k)
{
    char derived[KEY_TEXT];
    return zmq_curve_public(derived, k->secret_key) == 0 && strcmp(derived, k->public_key) == 0;
}

int key_pair_load(const char *dir, const char *who, struct key_pair *ret, struct err *e)
{
    char path[4096];
    size_t n;
    if (path_of(path, sizeof path, dir, who, ".key", e)) return -1;
    char *text = read_file(path, true, &n, e);
    if (!text) return -1;
    int rc = -1;
    bool cert = strstr(text, "public-key") != NULL; /* its comments may hold any words */
    if (!key_named(text, cert ? CERT_PUBLIC : "public ", ret->public_key) ||
        !key_named(text, cert ? CERT_SECRET : "secret ", ret->secret_key))
        (void)err_set(e, ERR_SECRET, NOT_A_KEY_FILE, path);
    else if (!is_pair(ret))
        (void)err_set(e, ERR_SECRET, "%s: its secret key does not belong to its public key", path);
    else
        rc = 0;
    if (rc) key_pair_clear(ret);
    sodium_memzero(text, FILE_MAX + 1);
    free(text);
    return rc;
}

int key_public_load(const char *dir, const char *who, char ret_public[KEY_TEXT], struct err *e)
{
    char path[4096];
    size_t n;
    if (path_of(path, sizeof path, dir, who, ".pub", e)) return -1;
    char *text = read_file(path, false, &n, e);
    if (!text) return -1;
    size_t len = strcspn(text, " \r\n");
    int rc = 0;
    if (is_key(text, len)) {
        memcpy(ret_public, text, KEY_TEXT - 1);
        ret_public[KEY_TEXT - 1] = 0;
    } else if (!key_named(text, CERT_PUBLIC, ret_public))
        rc = err_set(e, ERR_SECRET, "%s is not a public key: 40 characters in one line", path);
    free(text);
    return rc;
}

static int parse_line(const char *file, size_t line, const char *s, size_t n, struct key_allowed *ret, struct err *e)
{
    char text[256], role[16], extra[2];
    if (n >= sizeof text) return err_set(e, ERR_USAGE, "%s:%zu: the line is too long", file, line);
    memcpy(text, s, n);
    text[n] = 0;
    int fields = sscanf(text, "%40s %63s %15s %1s", ret->public_key, ret->name, role, extra);
    if (fields != 3) return err_set(e, ERR_USAGE, "%s:%zu: expected \"PUBLIC-KEY NAME agent\"", file, line);
    if (!is_key(ret->public_key, strlen(ret->public_key)))
        return err_set(e, ERR_USAGE, "%s:%zu: \"%s\" is not a public key", file, line, ret->public_key);
    if (strcmp(role, "agent") != 0)
        return err_set(e, ERR_USAGE, "%s:%zu: unknown role \"%s\"; the role is agent", file, line, role);
    const char *star = strchr(ret->name, '*');
    if (star && star[1]) return err_set(e, ERR_USAGE, "%s:%zu: a * stands only at the end of a name", file, line);
    return 0;
}

int key_bundle_make(const struct key_pair *pair, const char *server_public, struct err *e)
{
    char text[3 * KEY_TEXT];
    (void)snprintf(text, sizeof text, "%s %s %s", pair->public_key, pair->secret_key, server_public);
    int fd = memfd_create("keys", MFD_CLOEXEC);
    bool bad = fd < 0 || write(fd, text, sizeof text) != (ssize_t)sizeof text;
    sodium_memzero(text, sizeof text);
    if (!bad) return fd;
    (void)err_set(e, ERR_IO, "cannot hand over keys: %s", strerror(errno));
    if (fd >= 0) (void)close(fd);
    return -1;
}

int key_bundle_read(int fd, struct key_pair *ret_own, char ret_server[KEY_TEXT], struct err *e)
{
    char text[3 * KEY_TEXT] = "";
    bool bad = pread(fd, text, sizeof text, 0) != (ssize_t)sizeof text; /* the offset is shared with the others */
    (void)close(fd);
    text[sizeof text - 1] = 0;
    const char *part[3] = {text, text + KEY_TEXT, text + (size_t)2 * KEY_TEXT};
    for (int i = 0; i < 3; i++) {
        text[(i + 1) * KEY_TEXT - 1] = 0;
        bad = bad || !is_key(part[i], strlen(part[i]));
    }
    if (!bad) {
        memcpy(ret_own->public_key, part[0], KEY_TEXT);
        memcpy(ret_own->secret_key, part[1], KEY_TEXT);
        memcpy(ret_server, part[2], KEY_TEXT);
    }
    sodium_memzero(text, sizeof text);
    return bad ? err_set(e, ERR_SECRET, "descriptor %d holds no keys", fd) : 0;
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const struct key_allowed *)a)->public_key, ((const struct key_allowed *)b)->public_key);
}

/* Sorted, since a key is looked up for every message. A key that stands twice would outlive the removal of one line. */
static int sort(const char *file, struct key_list *l, struct err *e)
{
    qsort(l->item, l->n, sizeof *l->item, by_key);
    for (size_t i = 1; i < l->n; i++)
        if (by_key(&l->item[i - 1], &l->item[i]) == 0)
            return err_set(e, ERR_USAGE, "%s: the key %s stands there twice", file, l->item[i].public_key);
    return 0;
}

/* One line of the file: nothing, a comment, or a key. */
static int add_line(const char *file, size_t line, const char *s, size_t len, struct key_list *l, struct err *e)
{
    size_t blank = 0;
    if (memchr(s, 0, len)) return err_set(e, ERR_USAGE, "%s:%zu: not text", file, line);
    while (blank < len && strchr(" \t\r", s[blank]))
        blank++;
    if (blank == len || s[blank] == '#') return 0;
    if (l->n == KEYS_ALLOWED_MAX)
        return err_set(e, ERR_USAGE, "%s:%zu: more than %d keys", file, line, KEYS_ALLOWED_MAX);
    struct key_allowed *more = realloc(l->item, (l->n + 1) * sizeof *more);
    if (!more) return err_set(e, ERR_NOMEM, "%s:%zu: no memory for another key", file, line);
    l->item = more;
    if (parse_line(file, line, s, len, &l->item[l->n], e)) return -1;
    l->n++;
    return 0;
}

int key_list_parse(const char *file, const char *text, size_t n, struct key_list *ret, struct err *e)
{
    size_t line = 0;
    int rc = 0;
    *ret = (struct key_list){0};
    for (const char *s = text, *end = text + n; s < end && !rc;) {
        const char *nl = memchr(s, '\n', (size_t)(end - s));
        rc = add_line(file, ++line, s, (size_t)((nl ? nl : end) - s), ret, e);
        s = nl ? nl + 1 : end;
    }
    if (!rc && ret->n == 0) rc = err_set(e, ERR_USAGE, "%s admits nobody: a line is \"PUBLIC-KEY NAME agent\"", file);
    if (!rc) rc = sort(file, ret, e);
    if (rc) key_list_clear(ret);
    return rc;
}

int key_list_load(const char *dir, struct key_list *ret, struct err *e)
{
    char path[4096];
    size_t n;
    *ret = (struct key_list){0};
    if (path_of(path, sizeof path, dir, "allowed", "", e)) return -1;
    char *text = read_file(path, false, &n, e);
    if (!text) return -1;
    int rc = key_list_parse(path, text, n, ret, e);
    free(text);
    return rc;
}

void key_list_clear(struct key_list *l)
{
    free(l->item);
    *l = (struct key_list){0};
}

const struct key_allowed *key_list_find(const struct key_list *l, const char *public_key)
{
    struct key_allowed want;
    if (l->n == 0 || strlen(public_key) >= sizeof want.public_key) return NULL;
    memcpy(want.public_key, public_key, strlen(public_key) + 1);
    return bsearch(&want, l->item, l->n, sizeof want, by_key);
}

bool key_allowed_name(const struct key_allowed *a, const char *name)
{
    size_t n = strlen(a->name);
    if (n && a->name[n - 1] == '*') return strncmp(a->name, name, n - 1) == 0;
    return strcmp(a->name, name) == 0;
}
