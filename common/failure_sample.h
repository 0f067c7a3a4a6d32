/* The first failed request of each label in a stage, with the server's own words: what a person wants to read first
 * when requests fail. At most one per label; one with words is worth more than an earlier one without. Pure. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/failure.h"

#define FAILURE_WORDS 300u /* visible characters of a text at most */

struct failure_sample {
    enum failure label;
    uint32_t status;  /* HTTP; 0: none came */
    int64_t at_ns;    /* when it ended, from the stage's T0 */
    char address[64]; /* of the server, as in per_address */
    char text[640];   /* the server's words, or the transport's reason; may be ""; clean text in one line */
};

struct failure_samples {
    uint32_t n;
    struct failure_sample row[FAILURE_N]; /* [0, n) are set; ascending by label */
};

/* True when `s` was taken: it is the first of its label, or the first with words. */
bool failure_samples_put(struct failure_samples *to, const struct failure_sample *s);
/* The same of all in `from`; of two that are worth the same the earlier one stays, whatever the order of the calls. */
void failure_samples_add(struct failure_samples *to, const struct failure_samples *from);
const struct failure_sample *failure_samples_find(const struct failure_samples *f, enum failure label); /* or NULL */

/* What to look at (failure_hint.c), as the end of a sentence about an answer of this status; may be "". */
const char *failure_status_hint(uint32_t status);
/* The same about this failure: by the server's own words, else by its status, else by its label; may be "", where the
 * words say all. `part`: others were answered well. Returns buf, or a constant. */
#define FAILURE_HINT 280u
const char *failure_hint(const struct failure_sample *s, bool part, char buf[FAILURE_HINT]);
/* The agent's words of an answer without text whose limit of output tokens was reached. */
#define FAILURE_LIMIT_REACHED "a limit of output tokens was reached"
bool failure_limit_reached(const char *text);
/* The server says that it has no such model. */
bool failure_says_no_model(const char *text);
/* The words are those of a server that may take the same request later: it is busy, limits requests, or its upstream
 * failed. */
bool failure_says_later(const char *text);
/* The agent's words of an answer that a content filter ended before its first token. */
#define FAILURE_FILTERED "a content filter ended it before its first token"
bool failure_is_filtered(const char *text);

/* Takes a secret out of bytes that a server may have sent back, in place ("***"); returns the new length. Also one that
 * is escaped as JSON (\/, \u002f) or a URL (%2F) does. */
size_t failure_hide(char *bytes, size_t n, const char *secret, size_t secret_n);
/* One line of at most FAILURE_WORDS visible characters: white space and control characters become single blanks, bytes
 * that are not text become '?'. "…" at its end: there was more. */
void failure_words(char *ret, size_t size, const char *bytes, size_t n);
