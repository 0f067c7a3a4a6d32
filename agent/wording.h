/* The server's own words about the first failed request of each label in a stage (common/failure_sample.h): a body that
 * is no stream, or the line of a stream that is an error. One buffer serves one request at a time, so that
 * nothing is allocated, and a server that fails thousands of requests at once costs nothing. Pure. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "common/failure_sample.h"

struct wording {
    const void *who; /* the request whose words these are; NULL: free */
    size_t n;
    bool full;            /* there was more */
    bool whole;           /* whole answers are asked for, not streams */
    bool seen[FAILURE_N]; /* a sample was taken */
    bool done[FAILURE_N]; /* … and has words */
    char bytes[4096];
    const void *limits_who; /* the request whose headers told of limits or of an error last … */
    char limits[300];       /* … and what they said; clean text in one line */
    char errors[300];       /* … of these, what tells of an error */
};

/* A header that tells of limits: Retry-After, x-ratelimit-…, x-envoy-…. */
bool wording_is_limit(const char *name, size_t n);
/* A header or trailer of an answer as it comes. What tells of an error (error_header.h) stands before the server's
 * words of any failure; what tells of limits or of another place (Location), before those of a failure by status. */
void wording_header(struct wording *w, const void *who, const char *name, size_t name_n, const char *value,
                    size_t value_n);
/* Appends "name: value" to a list of them, whole or not at all. */
void wording_add_header(char *list, size_t size, const char *name, size_t name_n, const char *value, size_t value_n);

/* Whether a sample of this failed request is wanted. */
bool wording_wants(const struct wording *w, const void *who, enum failure label);
void wording_begin(struct wording *w, bool whole); /* a stage begins */
/* Bytes of an answer that is no stream. */
void wording_hear(struct wording *w, const void *who, const char *bytes, size_t n);
/* The data of the event by which a stream failed; what was heard of it before is no error. */
void wording_hear_event(struct wording *w, const void *who, const char *data, size_t n);
/* The request has ended: its words as one clean line without the secrets, into `s->text` (its label and status are
 * set). `why`: what the agent knows of it, may be NULL. It is the text where the server said nothing, and stands before
 * the server's words where the stream broke the rules: "a second Transfer-Encoding", "an HTML page: <html>…". Sets seen
 * and done. */
struct wording_secret {
    const char *text;
    size_t n;
};
void wording_take(struct wording *w, const void *who, const struct wording_secret *secrets, size_t n_secrets,
                  const char *why, struct failure_sample *s);
/* A text that a server sent, as one clean line without the secrets; the agent's own bytes are changed. `cut`: there was
 * more of it. */
void wording_clean(char *bytes, size_t n, bool cut, const struct wording_secret *secrets, size_t n_secrets, char *ret,
                   size_t size);
void wording_drop(struct wording *w, const void *who); /* it ended well */
