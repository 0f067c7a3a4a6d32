/* A captured HTTP response (tests/data/streams): its status, and its body without the chunk framing. */
#pragma once
#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct capture {
    char *body;
    size_t n;
    int status;
    bool complete; /* the framing's end was seen */
};

static inline char *capture_read_file(const char *path, size_t *ret_n)
{
    FILE *f = fopen(path, "rb");
    assert(f);
    size_t cap = 1u << 20;
    char *bytes = malloc(cap);
    assert(bytes);
    *ret_n = fread(bytes, 1, cap - 1, f);
    bytes[*ret_n] = '\0';
    (void)fclose(f);
    return bytes;
}

static inline void capture_load(struct capture *c, const char *name)
{
    char path[512];
    size_t n;
    (void)snprintf(path, sizeof path, TEST_DATA "/streams/%s.txt", name);
    char *file = capture_read_file(path, &n), *end = file + n;
    char *head = strstr(file, "### RESPONSE\n");
    assert(head);
    head += strlen("### RESPONSE\n");
    char *body = strstr(head, "\r\n\r\n");
    assert(body);
    *body = '\0';
    body += 4;
    *c = (struct capture){.body = malloc(n + 1), .status = (int)strtol(head + strlen("HTTP/1.1 "), NULL, 10)};
    assert(c->body);
    if (!strcasestr(head, "transfer-encoding: chunked")) {
        c->n = (size_t)(end - body);
        memcpy(c->body, body, c->n);
        c->complete = true;
    }
    while (!c->complete && body < end) {
        char *line;
        size_t len = strtoul(body, &line, 16);
        body = line + 2; /* CR LF */
        if (len == 0) {
            c->complete = true;
            break;
        }
        assert(len <= (size_t)(end - body));
        memcpy(c->body + c->n, body, len);
        c->n += len;
        body += len + 2;
        while (body < end && (*body == '\r' || *body == '\n'))
            body++;
    }
    c->body[c->n] = '\0';
    free(file);
}

static inline void capture_clear(struct capture *c)
{
    free(c->body);
    c->body = NULL;
}
