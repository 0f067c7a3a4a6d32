/* The server's own words about the first failed request of each label in a stage (common/failure_sample.h): a body that
 * is no stream, or the line of a stream that is an error. One buffer listens to one request at a time, so that
 * nothing is allocated, and a server that fails thousands of requests at once costs nothing. Pure. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "common/failure_sample.h"

struct wording {
    const void *who; /* the request whose words these are; NULL: free */
    size_t n;
    bool full;            /* there was more */
    bool seen[FAILURE_N]; /* a sample was taken */
    bool done[FAILURE_N]; /* … and has words */
    char bytes[4096];
};

/* Whether a sample of this failed request is wanted. */
bool wording_wants(const struct wording *w, const void *who, enum failure label);
void wording_begin(struct wording *w); /* a stage begins */
/* Bytes of an answer that is no stream, or (of a stream that broke with them) of the read that has the error. */
void wording_hear(struct wording *w, const void *who, const char *bytes, size_t n);
void wording_hear_stream(struct wording *w, const void *who, const char *bytes, size_t n);
/* The request has ended: its words as one clean line without the secrets, into `s->text` (its label is set). `why`:
 * the text where the server said nothing; may be NULL. Sets seen and done. */
struct wording_secret {
    const char *text;
    size_t n;
};
void wording_take(struct wording *w, const void *who, const struct wording_secret *secrets, size_t n_secrets,
                  const char *why, struct failure_sample *s);
void wording_drop(struct wording *w, const void *who); /* it ended well */
