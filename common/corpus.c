#include "common/corpus.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "a corpus is written as numbers lie in memory"
#endif

#define MAGIC "PLCORP02"
enum { HEAD = 44, MESSAGE_HEAD = 5, FOOTER = 24, WRITE_BYTES = 1 << 20 };

static const char *const ROLES[ROLE_N] = {
    [ROLE_USER] = "user", [ROLE_ASSISTANT] = "assistant", [ROLE_SYSTEM] = "system"};

const char *corpus_role_name(enum corpus_role r)
{
    return (unsigned)r < ROLE_N ? ROLES[r] : "user";
}

/* ---- reading ---- */

struct corpus {
    const uint8_t *bytes;
    uint64_t n, records, index_at;
};

static uint32_t get_u32(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static uint64_t get_u64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

struct corpus *corpus_open(int fd, struct err *e)
{
    struct stat st;
    struct corpus *c = NULL;
    if (fstat(fd, &st) || st.st_size < FOOTER || (uint64_t)st.st_size > CORPUS_MAX) {
        (void)err_set(e, ERR_PLAN, "this is not a corpus: it has %lld bytes", (long long)st.st_size);
        return NULL;
    }
    uint64_t n = (uint64_t)st.st_size;
    void *map = mmap(NULL, n, PROT_READ, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED) {
        (void)err_set(e, ERR_NOMEM, "a corpus of %llu bytes cannot be mapped: %s", (unsigned long long)n,
                      strerror(errno));
        return NULL;
    }
    const uint8_t *foot = (const uint8_t *)map + n - FOOTER;
    uint64_t records = get_u64(foot + 8), index_at = get_u64(foot + 16), room = n - FOOTER;
    if (memcmp(foot, MAGIC, 8) == 0 && records > 0 && index_at <= room && (room - index_at) % 8 == 0 &&
        (room - index_at) / 8 == records)
        c = malloc(sizeof *c);
    else
        (void)err_set(e, ERR_PLAN, "this is not a corpus: its footer is wrong");
    if (c)
        *c = (struct corpus){.bytes = map, .n = n, .records = records, .index_at = index_at};
    else
        (void)munmap(map, n);
    return c;
}

void corpus_close(struct corpus **c)
{
    if (!*c) return;
    void *map;
    memcpy(&map, &(*c)->bytes, sizeof map);
    (void)munmap(map, (*c)->n);
    free(*c);
    *c = NULL;
}

uint64_t corpus_count(const struct corpus *c)
{
    return c->records;
}

const void *corpus_bytes(const struct corpus *c, uint64_t *ret_n)
{
    *ret_n = c->n;
    return c->bytes;
}

bool corpus_is(const struct corpus *c, const char *hash)
{
    uint8_t sum[crypto_generichash_BYTES];
    char hex[CORPUS_HASH_HEX];
    if (sodium_init() < 0 || crypto_generichash(sum, sizeof sum, c->bytes, c->n, NULL, 0)) return false;
    (void)sodium_bin2hex(hex, sizeof hex, sum, sizeof sum);
    return strcmp(hex, hash) == 0;
}

/* The byte after the messages, NULL when they do not fit. */
static const uint8_t *messages_end(const uint8_t *p, const uint8_t *end, uint32_t n)
{
    for (; n > 0; n--) {
        if (end - p < MESSAGE_HEAD || p[0] >= ROLE_N) return NULL;
        uint32_t len = get_u32(p + 1);
        p += MESSAGE_HEAD;
        if ((size_t)(end - p) < len) return NULL;
        p += len;
    }
    return p;
}

int corpus_get(const struct corpus *c, uint64_t i, struct corpus_record *ret)
{
    if (i >= c->records) return -1;
    uint64_t at = get_u64(c->bytes + c->index_at + i * 8);
    if (at > c->index_at || c->index_at - at < HEAD) return -1;
    const uint8_t *p = c->bytes + at;
    uint32_t size = get_u32(p), body = get_u32(p + 28), tree = get_u32(p + 36);
    if (size < HEAD || size > c->index_at - at) return -1;
    *ret = (struct corpus_record){.at_ns = (int64_t)get_u64(p + 4),
                                  .input_tokens = get_u32(p + 12),
                                  .output_tokens = get_u32(p + 16),
                                  .n_messages = get_u32(p + 20),
                                  .n_blocks = get_u32(p + 24),
                                  .block_tokens = get_u32(p + 32),
                                  .repeated_tokens = get_u32(p + 40),
                                  .messages = p + HEAD,
                                  .end = p + size};
    if (ret->at_ns < 0 || ret->n_messages > CORPUS_MESSAGES_MAX) return -1;
    ret->blocks = messages_end(ret->messages, ret->end, ret->n_messages);
    if (!ret->blocks || (size_t)(ret->end - ret->blocks) / 4 < ret->n_blocks) return -1;
    const uint8_t *rest = ret->blocks + (size_t)ret->n_blocks * 4;
    if ((size_t)(ret->end - rest) != (size_t)body + tree) return -1;
    ret->tree = tree ? rest + body : NULL;
    ret->tree_n = tree;
    if (body == 0) return 0;
    if (rest[body - 1] != 0 || memchr(rest, 0, body) != rest + body - 1) return -1;
    ret->body = (const char *)rest;
    return 0;
}

bool corpus_message(const struct corpus_record *r, size_t *at, struct corpus_message *ret)
{
    const uint8_t *p = r->messages + *at;
    if (p >= r->blocks) return false;
    uint32_t len = get_u32(p + 1);
    *ret = (struct corpus_message){(enum corpus_role)p[0], (const char *)p + MESSAGE_HEAD, len};
    *at += MESSAGE_HEAD + (size_t)len;
    return true;
}

uint32_t corpus_block(const struct corpus_record *r, uint32_t i)
{
    return get_u32(r->blocks + (size_t)i * 4);
}

/* ---- writing ---- */

struct corpus_writer {
    FILE *file, *index; /* the index waits in a temporary file of its own */
    uint64_t at, records;
    crypto_generichash_state hash;
    struct buf record;
};

struct corpus_writer *corpus_writer_new(FILE *file, struct err *e)
{
    struct corpus_writer *w = calloc(1, sizeof *w);
    if (!w) {
        (void)err_set(e, ERR_NOMEM, "no memory to write a corpus");
        return NULL;
    }
    w->file = file;
    (void)setvbuf(file, NULL, _IOFBF, WRITE_BYTES);
    w->record = (struct buf)BUF_INIT(CORPUS_RECORD_MAX);
    w->index = tmpfile();
    /* without sodium_init libsodium hashes at half its speed */
    if (!w->index || sodium_init() < 0 || crypto_generichash_init(&w->hash, NULL, 0, crypto_generichash_BYTES)) {
        (void)err_set(e, ERR_IO, "no temporary file for the index of a corpus: %s", strerror(errno));
        corpus_writer_destroy(&w);
    }
    return w;
}

void corpus_writer_destroy(struct corpus_writer **w)
{
    if (!*w) return;
    if ((*w)->index) (void)fclose((*w)->index);
    buf_clear(&(*w)->record);
    free(*w);
    *w = NULL;
}

static int put(struct corpus_writer *w, const void *bytes, size_t n, struct err *e)
{
    if (fwrite(bytes, 1, n, w->file) != n) return err_set(e, ERR_IO, "a corpus cannot be written: %s", strerror(errno));
    (void)crypto_generichash_update(&w->hash, bytes, n);
    w->at += n;
    return w->at > CORPUS_MAX
               ? err_set(e, ERR_LIMIT, "the data are more than %llu GiB", (unsigned long long)(CORPUS_MAX >> 30))
               : 0;
}

int corpus_write(struct corpus_writer *w, const struct corpus_record *r, const struct corpus_message *messages,
                 const uint32_t *blocks, struct err *e)
{
    struct buf *b = &w->record;
    uint32_t body = r->body ? (uint32_t)strlen(r->body) + 1 : 0, zero = 0;
    uint64_t at = w->at;
    buf_reset(b);
    (void)buf_put(b, &zero, 4); /* its size, when that is known */
    (void)buf_put(b, &r->at_ns, 8);
    const uint32_t numbers[] = {r->input_tokens, r->output_tokens, r->n_messages,     r->n_blocks, body,
                                r->block_tokens, r->tree_n,        r->repeated_tokens};
    (void)buf_put(b, numbers, sizeof numbers);
    for (uint32_t i = 0; i < r->n_messages; i++) {
        uint8_t role = (uint8_t)messages[i].role;
        uint32_t len = (uint32_t)messages[i].len;
        (void)buf_put(b, &role, 1);
        (void)buf_put(b, &len, 4);
        if (len) (void)buf_put(b, messages[i].text, len);
    }
    if (r->n_blocks) (void)buf_put(b, blocks, (size_t)r->n_blocks * 4);
    if (body) (void)buf_put(b, r->body, body);
    if (r->tree_n) (void)buf_put(b, r->tree, r->tree_n);
    if (b->bad) return err_set(e, ERR_LIMIT, "a record is larger than %u MiB", CORPUS_RECORD_MAX >> 20);
    uint32_t size = (uint32_t)b->len;
    memcpy(b->data, &size, 4);
    if (fwrite(&at, 8, 1, w->index) != 1)
        return err_set(e, ERR_IO, "the index of a corpus cannot be written: %s", strerror(errno));
    w->records++;
    return put(w, b->data, b->len, e);
}

int corpus_finish(struct corpus_writer *w, char ret_hash[CORPUS_HASH_HEX], struct err *e)
{
    uint8_t part[65536], hash[crypto_generichash_BYTES];
    uint64_t index_at = w->at;
    size_t n;
    if (w->records == 0) return err_set(e, ERR_PLAN, "no request is left");
    if (fseek(w->index, 0, SEEK_SET)) return err_set(e, ERR_IO, "the index of a corpus: %s", strerror(errno));
    while ((n = fread(part, 1, sizeof part, w->index)) > 0)
        if (put(w, part, n, e)) return -1;
    memcpy(part, MAGIC, 8);
    memcpy(part + 8, &w->records, 8);
    memcpy(part + 16, &index_at, 8);
    if (ferror(w->index) || put(w, part, FOOTER, e) || fflush(w->file))
        return err_set(e, ERR_IO, "a corpus cannot be written: %s", strerror(errno));
    (void)crypto_generichash_final(&w->hash, hash, sizeof hash);
    (void)sodium_bin2hex(ret_hash, CORPUS_HASH_HEX, hash, sizeof hash);
    return 0;
}
