#include "coordinator/report/page.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "common/base64.h"

enum { NAME_MAX_LEN = 32 };

static bool is_kind(const struct page_file *f, const char *end)
{
    size_t n = strlen(f->name), k = strlen(end);
    return n >= k && strcmp(f->name + n - k, end) == 0;
}

/* " 'sha256-…'" for each file of a kind. */
static void put_hashes(const struct page *p, const char *kind, struct buf *out)
{
    unsigned char hash[crypto_hash_sha256_BYTES];
    for (size_t i = 0; i < p->n_files; i++) {
        if (!is_kind(&p->files[i], kind)) continue;
        (void)crypto_hash_sha256(hash, p->files[i].text, *p->files[i].len);
        (void)buf_puts(out, " 'sha256-");
        if (base64_put(out, hash, sizeof hash)) out->bad = true;
        (void)buf_putc(out, '\'');
    }
}

void page_policy(const struct page *p, struct buf *out)
{
    (void)buf_puts(out, "default-src 'none'; script-src");
    put_hashes(p, "JS", out);
    (void)buf_puts(out, "; style-src");
    put_hashes(p, "CSS", out);
    (void)buf_printf(out, "; img-src data:%s; base-uri 'none'; form-action 'none'",
                     p->connects ? "; connect-src 'self'" : "");
}

static int put_part(const struct page *p, const char *name, struct buf *out)
{
    for (size_t i = 0; i < p->n_files; i++)
        if (strcmp(p->files[i].name, name) == 0) return buf_put(out, p->files[i].text, *p->files[i].len);
    if (strcmp(name, "POLICY") != 0) return p->put(p->arg, name, out);
    page_policy(p, out);
    return 0;
}

int page_fill(const struct page *p, struct buf *out)
{
    const char *at = (const char *)p->frame, *end = at + p->frame_len;
    while (at < end) {
        char name[NAME_MAX_LEN];
        const char *open = strstr(at, "@@"), *close = open ? strstr(open + 2, "@@") : NULL;
        if (!close || close - open - 2 >= (long)sizeof name) break;
        (void)snprintf(name, sizeof name, "%.*s", (int)(close - open - 2), open + 2);
        (void)buf_put(out, at, (size_t)(open - at));
        if (put_part(p, name, out)) out->bad = true;
        at = close + 2;
    }
    (void)buf_put(out, at, (size_t)(end - at));
    return out->bad ? -1 : 0;
}
