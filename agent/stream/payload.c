#include "agent/stream/payload.h"

#include <stdlib.h>
#include <string.h>

void payload_reset(struct payload *p)
{
    buf_reset(&p->text);
    p->n = 0;
    p->chars = 0;
    p->made = NULL;
}

void payload_clear(struct payload *p)
{
    buf_clear(&p->text);
    free(p->words);
    *p = (struct payload)PAYLOAD_INIT(p->text.max);
}

void payload_put_words(struct payload *p, const struct words *w, uint32_t n)
{
    if (p->n + n > p->room) {
        uint32_t room = 2 * (p->n + n);
        struct payload_words *more = realloc(p->words, room * sizeof *more);
        if (!more) {
            p->text.bad = true;
            return;
        }
        p->words = more;
        p->room = room;
    }
    for (uint32_t i = 0; i < n; i++) {
        p->words[p->n++] = (struct payload_words){.at = p->text.len, .words = w[i]};
        p->chars += WORDS_CHARS(w[i].n);
    }
}

void payload_begin(struct payload_rest *r, const struct payload *p)
{
    *r = (struct payload_rest){.of = p, .left = payload_size(p)};
}

/* The words that come next, entered; NULL: text comes, *ret_run bytes of it. */
static const struct words *enter(struct payload_rest *r, size_t *ret_run)
{
    const struct payload *p = r->of;
    while (r->next < p->n && p->words[r->next].at == r->at) {
        const struct words *w = &p->words[r->next].words;
        if (!r->inside) words_begin(&r->words, w);
        r->inside = r->words.taken < WORDS_CHARS(w->n);
        if (r->inside) return w;
        r->next++;
    }
    *ret_run = (r->next < p->n ? p->words[r->next].at : p->text.len) - r->at;
    return NULL;
}

/* What comes next of a body that is made. */
static const char *next_made(const struct payload_rest *r)
{
    return r->of->made ? r->of->made + payload_size(r->of) - r->left : NULL;
}

size_t payload_next(struct payload_rest *r, char *room, size_t n, const char **ret)
{
    size_t run = 0, made = 0;
    if ((*ret = next_made(r)) != NULL) {
        run = r->left;
        r->left = 0;
        return run;
    }
    const struct words *w = r->left > 0 ? enter(r, &run) : NULL;
    if (!w) {
        *ret = buf_str(&r->of->text) + r->at;
        r->at += run;
        r->left -= run;
        return run;
    }
    do
        made += words_read(&r->words, w, room + made, n - made);
    while (made < n && made < r->left && (w = enter(r, &run)) != NULL);
    *ret = room;
    r->left -= made;
    return made;
}

size_t payload_read(struct payload_rest *r, char *out, size_t n)
{
    size_t done = 0;
    const char *made = next_made(r);
    if (n > r->left) n = r->left;
    if (made) {
        if (out) memcpy(out, made, n);
        done = n;
    }
    while (done < n) {
        size_t run = 0;
        const struct words *w = enter(r, &run);
        if (w) {
            run = words_read(&r->words, w, out ? out + done : NULL, n - done);
        } else {
            if (run > n - done) run = n - done;
            if (out) memcpy(out + done, buf_str(&r->of->text) + r->at, run);
            r->at += run;
        }
        done += run;
    }
    r->left -= n;
    return n;
}
