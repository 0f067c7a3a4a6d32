#include "agent/transport/http2_head.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void add_field(struct http2_head *h, const char *name, const char *value, bool secret)
{
    nghttp2_nv *f = &h->fields[h->n++];
    *f = (nghttp2_nv){.name = (uint8_t *)(uintptr_t)name,
                      .value = (uint8_t *)(uintptr_t)value,
                      .namelen = strlen(name),
                      .valuelen = strlen(value),
                      .flags = NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE};
    if (secret) f->flags |= NGHTTP2_NV_FLAG_NO_INDEX;
}

static char *put_lower(char *to, const char *from)
{
    while (*from)
        *to++ = (char)tolower((unsigned char)*from++);
    *to++ = '\0';
    return to;
}

/* A header with the session's name in it, which the next request changes. */
static int add_session(struct http2_head *h, const char *name, const struct target_header *line)
{
    char *own = strdup(line->value);
    if (!own) return -1;
    add_field(h, name, own, line->secret);
    h->fields[h->n - 1].flags = NGHTTP2_NV_FLAG_NO_COPY_NAME;
    h->session_at[h->n_sessions] = line->at;
    h->sessions[h->n_sessions++] = own;
    return 0;
}

/* The target's own headers; their names in lower case go to `to`. */
static int add_headers(struct http2_head *h, const struct target *target, char *to)
{
    for (size_t i = 0; i < target->n_headers; i++) {
        const struct target_header *line = &target->headers[i];
        const char *name = to;
        to = put_lower(to, line->name);
        if (!line->session)
            add_field(h, name, line->value, line->secret);
        else if (add_session(h, name, line) < 0)
            return -1;
    }
    return 0;
}

int http2_head_init(struct http2_head *h, const struct target *target)
{
    struct url u;
    size_t n = 1;
    if (url_parse(target->plan->url, &u, NULL) < 0) return -1;
    for (size_t i = 0; i < target->n_headers; i++)
        n += strlen(target->headers[i].name) + 1;
    size_t path = strlen(u.path) + 2;
    h->names = malloc(n + path);
    h->fields = calloc(target->n_headers + 5, sizeof *h->fields);
    h->sessions = calloc(target->n_headers + 1, sizeof *h->sessions);
    h->session_at = calloc(target->n_headers + 1, sizeof *h->session_at);
    if (!h->names || !h->fields || !h->sessions || !h->session_at) return -1;
    (void)snprintf(h->names, path, "%s%s", *u.path == '/' ? "" : "/", u.path);
    add_field(h, ":method", "POST", false);
    add_field(h, ":scheme", u.tls ? "https" : "http", false);
    add_field(h, ":authority", target->authority, false);
    add_field(h, ":path", h->names, false);
    if (add_headers(h, target, h->names + path) < 0) return -1;
    add_field(h, "content-length", h->length, false);
    h->fields[h->n - 1].flags = NGHTTP2_NV_FLAG_NO_COPY_NAME;
    return 0;
}

void http2_head_clear(struct http2_head *h)
{
    for (size_t i = 0; i < h->n_sessions; i++)
        free(h->sessions[i]);
    free(h->sessions);
    free(h->session_at);
    free(h->fields);
    free(h->names);
}

void http2_head_set_length(struct http2_head *h, size_t n)
{
    h->fields[h->n - 1].valuelen = (size_t)snprintf(h->length, sizeof h->length, "%zu", n);
}

void http2_head_set_session(struct http2_head *h, const char *session)
{
    static const char NOBODY[TARGET_SESSION + 1] = "0000000000000000";
    for (size_t i = 0; i < h->n_sessions; i++)
        memcpy(h->sessions[i] + h->session_at[i], session ? session : NOBODY, TARGET_SESSION);
}
