/* The head of every request to a target, as nghttp2 takes it: made once, except for the length. */
#pragma once
#include <nghttp2/nghttp2.h>

#include "agent/transport/target.h"

struct http2_head {
    nghttp2_nv *fields; /* values are the target's; the last one is the length */
    size_t n;
    char *names; /* path, and the fields' names in lower case, one after the other */
    char length[24];
    char **sessions; /* values that hold the session's name: the target's, with room for another name */
    size_t n_sessions, *session_at;
};

int http2_head_init(struct http2_head *h, const struct target *target); /* `target` is borrowed; -1 without memory */
void http2_head_clear(struct http2_head *h);
void http2_head_set_length(struct http2_head *h, size_t n);
void http2_head_set_session(struct http2_head *h, const char *session); /* TARGET_SESSION characters; NULL: zeros */
