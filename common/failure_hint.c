/* What to look at after a failure. A server's own words say more than its status: a guess follows them only where they
 * point at one thing. */
#include <stdio.h>
#include <string.h>

#include "common/failure_sample.h"
#include "common/text.h"

const char *failure_status_hint(uint32_t status)
{
    static const struct {
        uint32_t status;
        const char *words;
    } HINTS[] = {
#define STATUS(status, words) {status, ". " words},
#include "common/http_status.def"
#undef STATUS
    };
    for (size_t i = 0; i < sizeof HINTS / sizeof *HINTS; i++)
        if (HINTS[i].status == status) return HINTS[i].words;
    return status / 100 == 3 ? FAILURES[FAILURE_HTTP_3XX].look : "";
}

/* One of the words between bars. */
static bool holds_one(const char *text, const char *words)
{
    char word[48];
    for (size_t n; *words; words += n + (words[n] == '|')) {
        n = strcspn(words, "|");
        if (snprintf(word, sizeof word, "%.*s", (int)n, words) < (int)sizeof word &&
            text_holds(text, strlen(text), word))
            return true;
    }
    return false;
}

bool failure_limit_reached(const char *text)
{
    return strncmp(text, FAILURE_LIMIT_REACHED, strlen(FAILURE_LIMIT_REACHED)) == 0;
}

bool failure_says_no_model(const char *text)
{
    return holds_one(text, "model") &&
           holds_one(text, "not found|not exist|unknown model|no such model|not a valid model|invalid model");
}

bool failure_says_later(const char *text)
{
    return holds_one(text, "overloaded|capacity|rate limit|rate_limit|throttl|too many requests|try again|temporarily|"
                           "timed out|timeout|unavailable|busy|loading|disconnected");
}

bool failure_is_filtered(const char *text)
{
    return strncmp(text, FAILURE_FILTERED, strlen(FAILURE_FILTERED)) == 0;
}

/* "body.messages.0.content": where a server that checks bodies as FastAPI does has found a fault, without "body". */
static bool find_field(const char *text, char *ret, size_t size)
{
    const char *p = strstr(text, "\"loc\"");
    size_t n = 0;
    p = p ? strchr(p, '[') : NULL;
    if (!p) return false;
    for (p++; *p && *p != ']';) {
        p += strspn(p, " ,\"");
        size_t len = strcspn(p, "\",]");
        bool body = n == 0 && len == 4 && memcmp(p, "body", 4) == 0;
        if (n + len + 2 > size || (len == 0 && *p != ']')) return false;
        if (len > 0 && !body) n += (size_t)snprintf(ret + n, size - n, "%s%.*s", n ? "." : "", (int)len, p);
        p += len;
    }
    return *p == ']' && n > 0;
}

/* `refused`: the server does not take the request as it is. */
static const char *words_hint(const char *text, bool refused)
{
    static const struct {
        bool any;
        const char *words, *sentence;
    } ROWS[] = {
#define SAYS_ANY(words, sentence) {true, words, ". " sentence},
#define SAYS(words, sentence) {false, words, ". " sentence},
#include "common/failure_words.def"
#undef SAYS
#undef SAYS_ANY
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++)
        if ((refused || ROWS[i].any) && holds_one(text, ROWS[i].words)) return ROWS[i].sentence;
    return "";
}

const char *failure_hint(const struct failure_sample *s, bool part, char buf[FAILURE_HINT])
{
    char field[120];
    bool refused = s->status == 400 || s->status == 422;
    if (s->status >= 400 && failure_says_no_model(s->text)) return ". Is target.model a name that this server has?";
    if (refused && find_field(s->text, field, sizeof field)) {
        (void)snprintf(buf, FAILURE_HINT,
                       ". It is about %s of the body: target.omit leaves a key out, and target.body gives it another "
                       "value",
                       field);
        return buf;
    }
    const char *said = s->status >= 400 || s->label == FAILURE_STREAM_ERROR ? words_hint(s->text, refused) : "";
    if (*said || (refused && s->text[0])) return said;
    if (s->label == FAILURE_EMPTY && failure_is_filtered(s->text)) return ""; /* the reason is known */
    if (failure_limit_reached(s->text)) return ". Hidden reasoning counts too: ask for more output_tokens";
    const char *hint = failure_status_hint(s->status);
    if (part && hint == FAILURES[FAILURE_HTTP_3XX].look) /* then the address in the plan is right */
        return ": only a part of the requests is redirected. Does the server send them elsewhere when it is busy?";
    return *hint ? hint : FAILURES[s->label].look;
}
