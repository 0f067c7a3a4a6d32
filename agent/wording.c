#include "agent/wording.h"

#include <string.h>
#include <strings.h>

void wording_begin(struct wording *w)
{
    w->who = NULL;
    w->n = 0;
    w->full = false;
    memset(w->seen, 0, sizeof w->seen);
    memset(w->done, 0, sizeof w->done);
}

bool wording_wants(const struct wording *w, const void *who, enum failure label)
{
    return !w->seen[label] || (!w->done[label] && w->who == who);
}

void wording_hear(struct wording *w, const void *who, const char *bytes, size_t n)
{
    if (w->who && w->who != who) return;
    if (!w->who) {
        w->who = who;
        w->n = 0;
        w->full = false;
    }
    size_t room = sizeof w->bytes - w->n, take = n < room ? n : room;
    memcpy(w->bytes + w->n, bytes, take);
    w->n += take;
    w->full |= take < n;
}

/* Of several events in one read, the one that mentions an error; else all of them. */
void wording_hear_stream(struct wording *w, const void *who, const char *bytes, size_t n)
{
    static const char WORD[] = "error";
    for (size_t i = 0; i + sizeof WORD - 1 <= n; i++) {
        if (strncasecmp(bytes + i, WORD, sizeof WORD - 1) != 0) continue;
        size_t from = i, to = i;
        while (from > 0 && bytes[from - 1] != '\n')
            from--;
        if (strncmp(bytes + from, "event:", 6) == 0) { /* its data is the next line */
            const char *next = memchr(bytes + i, '\n', n - i);
            if (next) from = to = (size_t)(next - bytes) + 1;
        }
        while (to < n && bytes[to] != '\n')
            to++;
        if (to - from > 5 && memcmp(bytes + from, "data:", 5) == 0) from += 5;
        wording_drop(w, who); /* what was kept of it before was no error */
        wording_hear(w, who, bytes + from, to - from);
        return;
    }
    wording_hear(w, who, bytes, n);
}

/* A read or a break may have cut a secret: its head is then at the end of the text, or its tail at the beginning. Fewer
 * than 4 characters reveal nothing. */
static void hide_cut(struct wording *w, const struct wording_secret *secret)
{
    enum { TELLS = 4 };
    size_t most = secret->n < w->n ? secret->n : w->n, k = most;
    while (k >= TELLS && memcmp(w->bytes + w->n - k, secret->text, k) != 0)
        k--;
    if (k >= TELLS) w->n -= k;
    k = most < w->n ? most : w->n;
    while (k >= TELLS && memcmp(w->bytes, secret->text + secret->n - k, k) != 0)
        k--;
    if (k >= TELLS) memset(w->bytes, '*', k);
}

void wording_take(struct wording *w, const void *who, const struct wording_secret *secrets, size_t n_secrets,
                  const char *why, struct failure_sample *s)
{
    s->text[0] = '\0';
    if (w->who == who) {
        size_t longest = 0;
        for (size_t i = 0; i < n_secrets; i++) {
            w->n = failure_hide(w->bytes, w->n, secrets[i].text, secrets[i].n);
            hide_cut(w, &secrets[i]);
            if (secrets[i].n > longest) longest = secrets[i].n;
        }
        if (w->full) w->n = w->n > longest ? w->n - longest : 0; /* half a secret may stand at the cut */
        failure_words(s->text, sizeof s->text, w->bytes, w->n);
        w->who = NULL;
    }
    if (!s->text[0] && why) failure_words(s->text, sizeof s->text, why, strlen(why));
    w->seen[s->label] = true;
    if (s->text[0]) w->done[s->label] = true;
}

void wording_drop(struct wording *w, const void *who)
{
    if (w->who == who) w->who = NULL;
}
