#include "agent/wording.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "agent/stream/error_header.h"
#include "agent/stream/stranger.h"
#include "common/text.h"

#define VALUE_MOST 200 /* bytes of a header's value: an address that is cut leads nowhere */

bool wording_is_limit(const char *name, size_t n)
{
    return (n == 11 && strncasecmp(name, "retry-after", n) == 0) || text_holds(name, n, "ratelimit") ||
           text_holds(name, n, "rate-limit") || (n > 8 && strncasecmp(name, "x-envoy-", 8) == 0);
}

void wording_add_header(char *list, size_t size, const char *name, size_t name_n, const char *value, size_t value_n)
{
    char line[VALUE_MOST + 80];
    size_t at = strlen(list);
    bool cut = value_n > VALUE_MOST;
    int n = snprintf(line, sizeof line, "%s%.*s: %.*s%s", at ? ", " : "", (int)(name_n < 60 ? name_n : 60), name,
                     (int)(cut ? VALUE_MOST : value_n), value, cut ? "…" : "");
    if (n > 0 && at + (size_t)n < size) failure_words(list + at, size - at, line, strlen(line));
}

void wording_header(struct wording *w, const void *who, const char *name, size_t name_n, const char *value,
                    size_t value_n)
{
    bool location = name_n == 8 && strncasecmp(name, "location", name_n) == 0;
    bool error = error_header_tells(name, name_n, value, value_n);
    if (!location && !error && !wording_is_limit(name, name_n)) return;
    if (w->limits_who != who) {
        w->limits_who = who;
        w->limits[0] = w->errors[0] = '\0';
    }
    char *list = error ? w->errors : w->limits;
    wording_add_header(list, sizeof w->limits, name, name_n, value, value_n);
}

void wording_begin(struct wording *w, bool whole)
{
    w->limits_who = NULL;
    w->whole = whole;
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

void wording_hear_event(struct wording *w, const void *who, const char *data, size_t n)
{
    wording_drop(w, who);
    if (n > 0) wording_hear(w, who, data, n);
}

/* A read or a break may have cut a secret: its head is then at the end of the text, or its tail at the beginning. Fewer
 * than 4 characters reveal nothing. */
static size_t hide_cut(char *bytes, size_t n, const struct wording_secret *secret)
{
    enum { TELLS = 4 };
    size_t most = secret->n < n ? secret->n : n, k = most;
    while (k >= TELLS && memcmp(bytes + n - k, secret->text, k) != 0)
        k--;
    if (k >= TELLS) n -= k;
    k = most < n ? most : n;
    while (k >= TELLS && memcmp(bytes, secret->text + secret->n - k, k) != 0)
        k--;
    if (k >= TELLS) memset(bytes, '*', k);
    return n;
}

/* A text without the secrets: its new length. `cut`: there was more of it. */
static size_t hide_secrets(char *bytes, size_t n, bool cut, const struct wording_secret *secrets, size_t n_secrets)
{
    size_t longest = 0;
    for (size_t i = 0; i < n_secrets; i++) {
        n = failure_hide(bytes, n, secrets[i].text, secrets[i].n);
        n = hide_cut(bytes, n, &secrets[i]);
        if (secrets[i].n > longest) longest = secrets[i].n;
    }
    if (!cut) return n;
    return n > longest ? n - longest : 0; /* half a secret may stand at the cut */
}

void wording_clean(char *bytes, size_t n, bool cut, const struct wording_secret *secrets, size_t n_secrets, char *ret,
                   size_t size)
{
    failure_words(ret, size, bytes, hide_secrets(bytes, n, cut, secrets, n_secrets));
}

/* Labels by which an answer is not what was asked for: the server's words do not say what is wrong. */
static bool is_odd(enum failure label)
{
    return label == FAILURE_MALFORMED || label == FAILURE_TRUNCATED || label == FAILURE_EMPTY;
}

static bool is_timeout(enum failure label)
{
    return label == FAILURE_TIMEOUT_FIRST_TOKEN || label == FAILURE_TIMEOUT_IDLE || label == FAILURE_TIMEOUT_TOTAL;
}

/* The agent's own words first, then those of the server that a person can read. */
static void put_odd(struct wording *w, bool heard, const char *why, struct failure_sample *s)
{
    bool readable = true;
    const char *name = NULL;
    enum stranger_place at = s->status == 0 ? STRANGER_HEAD : w->whole ? STRANGER_ANSWER : STRANGER_STREAM;
    if (heard && s->label == FAILURE_MALFORMED && (!why || s->status == 0))
        name = stranger_name(w->bytes, w->n, at, !w->full, &readable);
    else if (heard)
        (void)stranger_name(w->bytes, w->n, STRANGER_STREAM, false, &readable);
    if (!name) name = why;
    if (s->status == 202 && s->label != FAILURE_TRUNCATED)
        name = "the server only took the request (status 202), as a job to be asked for later, and plateau wants the "
               "answer on the same connection";
    if (!name) name = "";
    size_t n = strlen(name);
    memcpy(s->text, name, n); /* a constant text: far shorter */
    s->text[n] = '\0';
    if (!heard || !readable || w->n == 0) return;
    size_t gap = n > 0 ? 2 : 0;
    failure_words(s->text + n + gap, sizeof s->text - n - gap, w->bytes, w->n);
    if (s->text[n + gap]) memcpy(s->text + n, ": ", gap); /* not before blanks only */
}

/* "[retry-after: 2] ", "[location: https://…] " or "[x-stream-error: out of memory] " before the text. */
static void put_headers(struct wording *w, const struct wording_secret *secrets, size_t n_secrets,
                        struct failure_sample *s)
{
    char both[sizeof s->text], list[sizeof w->errors + sizeof w->limits + 2];
    bool limits = s->status >= 300 && w->limits[0];
    w->limits_who = NULL;
    size_t n = (size_t)snprintf(list, sizeof list, "%s%s%s", w->errors, limits && w->errors[0] ? ", " : "",
                                limits ? w->limits : "");
    if (n == 0) return;
    for (size_t i = 0; i < n_secrets; i++)
        n = failure_hide(list, n, secrets[i].text, secrets[i].n);
    size_t room = sizeof both - n - sizeof "[] …";
    int len = snprintf(both, sizeof both, "[%.*s]%s%s", (int)n, list, s->text[0] ? " " : "",
                       text_cut(s->text, room, (char[sizeof s->text + 4]){0}));
    if (len > 0 && (size_t)len < sizeof both) memcpy(s->text, both, (size_t)len + 1);
}

void wording_take(struct wording *w, const void *who, const struct wording_secret *secrets, size_t n_secrets,
                  const char *why, struct failure_sample *s)
{
    bool heard = w->who == who;
    s->text[0] = '\0';
    if (heard) {
        w->n = hide_secrets(w->bytes, w->n, w->full, secrets, n_secrets);
        w->who = NULL;
    }
    if (is_odd(s->label))
        put_odd(w, heard, why, s);
    else if (why && is_timeout(s->label))
        failure_words(s->text, sizeof s->text, why, strlen(why)); /* what was heard are signs of life */
    else if (heard)
        failure_words(s->text, sizeof s->text, w->bytes, w->n);
    if (!s->text[0] && why) failure_words(s->text, sizeof s->text, why, strlen(why));
    if (w->limits_who == who) put_headers(w, secrets, n_secrets, s);
    w->seen[s->label] = true;
    if (s->text[0] && (heard || why)) w->done[s->label] = true;
}

void wording_drop(struct wording *w, const void *who)
{
    if (w->who == who) w->who = NULL;
}
