#include "coordinator/tokenizer/tokenizer.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utf8proc.h>

#include "common/word_list.h"
#include "coordinator/tokenizer/tokenizer_json.h"

#define TEXT_MAX (128u << 20) /* with a blank before it */

/* ---- made and ended ---- */

void tokenizer_destroy(struct tokenizer **tt)
{
    struct tokenizer *t = *tt;
    if (!t) return;
    bpe_destroy(&t->bpe);
    added_clear(&t->added);
    buf_clear(&t->with_blank);
    free(t);
    *tt = NULL;
}

/* The texts of added tokens that are looked for in normalised text. */
static int normalize_added(struct tokenizer *t)
{
    for (size_t i = 0; t->nfc && i < t->added.n; i++) {
        struct added_token *a = &t->added.token[i];
        utf8proc_uint8_t *out = NULL;
        if (!a->normalized) continue;
        utf8proc_ssize_t n = utf8proc_map((const utf8proc_uint8_t *)a->text, (utf8proc_ssize_t)a->len, &out,
                                          UTF8PROC_STABLE | UTF8PROC_COMPOSE);
        if (n <= 0) {
            free(out);
            return -1;
        }
        free(a->text);
        a->text = (char *)out;
        a->len = (size_t)n;
    }
    added_seal(&t->added);
    return 0;
}

struct tokenizer *tokenizer_parse(const char *json, size_t n, const char *name, struct err *e)
{
    struct tokenizer *t = calloc(1, sizeof *t);
    if (!t) {
        (void)err_set(e, ERR_NOMEM, "no memory for a tokenizer");
        return NULL;
    }
    t->with_blank = (struct buf)BUF_INIT(TEXT_MAX);
    int rc = tokenizer_json_read(t, json, n, name, e);
    if (!rc && normalize_added(t)) rc = err_set(e, ERR_PLAN, "%.200s: an added token is not UTF-8", name);
    if (rc) tokenizer_destroy(&t);
    return t;
}

struct tokenizer *tokenizer_read(const char *path, char ret_sha256[65], struct err *e)
{
    struct stat st;
    struct tokenizer *t = NULL;
    void *map = MAP_FAILED;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st))
        (void)err_set(e, ERR_PLAN, "%.300s: cannot be opened: %s", path, strerror(errno));
    else if (!S_ISREG(st.st_mode) || st.st_size == 0)
        (void)err_set(e, ERR_PLAN, "%.300s: is %s", path,
                      S_ISDIR(st.st_mode) ? "a folder: name the tokenizer.json in it" : "empty, or not a file");
    else if (st.st_size > (off_t)TOKENIZER_FILE_MAX)
        (void)err_set(e, ERR_PLAN, "%.300s: is larger than %u MiB: not a tokenizer.json", path,
                      TOKENIZER_FILE_MAX >> 20);
    else if ((map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0)) == MAP_FAILED)
        (void)err_set(e, ERR_NOMEM, "%.300s: cannot be mapped: %s", path, strerror(errno));
    else if ((t = tokenizer_parse(map, (size_t)st.st_size, path, e)) && ret_sha256) {
        unsigned char sum[crypto_hash_sha256_BYTES];
        crypto_hash_sha256(sum, map, (size_t)st.st_size);
        (void)sodium_bin2hex(ret_sha256, 65, sum, sizeof sum);
    }
    if (map != MAP_FAILED) (void)munmap(map, (size_t)st.st_size);
    if (fd >= 0) (void)close(fd);
    return t;
}

uint32_t tokenizer_beside(const struct tokenizer *t)
{
    return t->beside;
}

void tokenizer_describe(const struct tokenizer *t, struct buf *out)
{
    (void)buf_printf(out, "byte-level BPE, split as %s, %zu tokens, %zu merges", split_name(t->split), t->n_tokens,
                     t->n_merges);
    if (t->nfc) (void)buf_puts(out, ", normal form C");
    if (t->beside) (void)buf_printf(out, ", %u more around a text", t->beside);
}

/* ---- counting: added tokens · normal form · added tokens · pieces · merges ---- */

static int64_t encode_pieces(struct tokenizer *t, const char *text, size_t n, struct bpe_ids *ids)
{
    int64_t all = 0;
    for (size_t at = 0, end; at < n; at = end) {
        end = split_next(t->split, text, n, at);
        int64_t got = bpe_encode(t->bpe, text + at, end - at, ids);
        if (got < 0) return -1;
        all += got;
    }
    return all;
}

static int64_t encode_blank(struct tokenizer *t, const char *text, size_t n, struct bpe_ids *ids)
{
    if (!t->prefix_space || text[0] == ' ') return encode_pieces(t, text, n, ids);
    buf_reset(&t->with_blank);
    if (buf_putc(&t->with_blank, ' ') || buf_put(&t->with_blank, text, n)) {
        t->with_blank.bad = false;
        return -1;
    }
    return encode_pieces(t, buf_str(&t->with_blank), n + 1, ids);
}

static int64_t encode_part(struct tokenizer *t, bool normalized, const char *text, size_t n, struct bpe_ids *ids);

/* Text below U+0300 is in normal form C. */
static int64_t encode_normalized(struct tokenizer *t, const char *text, size_t n, struct bpe_ids *ids)
{
    size_t i = 0;
    while (t->nfc && i < n && (unsigned char)text[i] < 0xcc)
        i++;
    if (!t->nfc || i == n) return encode_part(t, true, text, n, ids);
    utf8proc_uint8_t *out = NULL;
    utf8proc_ssize_t len =
        utf8proc_map((const utf8proc_uint8_t *)text, (utf8proc_ssize_t)n, &out, UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    int64_t got = len == UTF8PROC_ERROR_NOMEM ? -1
                  : len < 0                   ? encode_part(t, true, text, n, ids) /* no UTF-8 */
                                              : encode_part(t, true, (const char *)out, (size_t)len, ids);
    free(out);
    return got;
}

/* Added tokens of one kind, and what is between them. */
static int64_t encode_part(struct tokenizer *t, bool normalized, const char *text, size_t n, struct bpe_ids *ids)
{
    size_t done = 0, from = 0, begin = 0, end = 0;
    int64_t all = 0, got = 0;
    for (bool more = true; more && got >= 0; done = end) {
        const struct added_token *a = added_next(&t->added, normalized, text, n, done, &from, &begin, &end);
        more = a != NULL;
        if (!a) begin = end = n;
        got = begin <= done ? 0
              : normalized  ? encode_blank(t, text + done, begin - done, ids)
                            : encode_normalized(t, text + done, begin - done, ids);
        all += got + more;
        if (a && ids && bpe_ids_put(ids, a->id)) got = -1;
    }
    return got < 0 ? -1 : all;
}

int64_t tokenizer_encode(struct tokenizer *t, const char *text, size_t n, struct bpe_ids *ids)
{
    return encode_part(t, false, text, n, ids);
}

int64_t tokenizer_count(struct tokenizer *t, const char *text, size_t n)
{
    return encode_part(t, false, text, n, NULL);
}

/* ---- words ---- */

uint32_t tokenizer_words(struct tokenizer *t, uint8_t ret[32])
{
    char text[2 * WORD_LIST_N * WORD_LIST_CHARS];
    uint32_t n = 0;
    size_t len = 0;
    memset(ret, 0, 32);
    for (uint32_t i = 0; i < WORD_LIST_N; i++) {
        char word[WORD_LIST_CHARS] = {' '};
        memcpy(word + 1, WORD_LIST + (size_t)i * WORD_LIST_CHARS, WORD_LIST_CHARS - 1);
        if (tokenizer_count(t, word, sizeof word) != 1 || tokenizer_count(t, word + 1, sizeof word - 1) != 1) continue;
        ret[i / 8] |= (uint8_t)(1u << i % 8);
        memcpy(text + len, word, sizeof word);
        len += sizeof word;
        n++;
    }
    /* in a row, and in the other order */
    for (uint32_t i = 0; i < n; i++)
        memcpy(text + len + (size_t)i * WORD_LIST_CHARS, text + len - (size_t)(i + 1) * WORD_LIST_CHARS,
               WORD_LIST_CHARS);
    bool apart = tokenizer_count(t, text, 2 * len) == 2 * (int64_t)n &&
                 (n == 0 || tokenizer_count(t, text + 1, len - 1) == (int64_t)n);
    return apart ? n : 0;
}
