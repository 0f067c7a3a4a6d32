/* An HTTP/1.x response (RFC 9112), read as bytes arrive; pure. The body is handed out as slices of the caller's bytes.
 * Interim responses (1xx) are skipped, and of trailers nothing matters here. Of a head only its status, how the body
 * ends, and whether the connection may be used again are kept.
 *
 * Strict where a mistake could shift the body's frame: an unknown transfer coding, lengths that contradict each other,
 * a chunk that does not end where it said, a header line without a name. Lines may end with LF alone. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP1_LINE_MAX 256u /* of a line that matters; others may be longer */
/* Bytes of a head with its interim responses, of a trailer, of one chunk's first line. */
#define HTTP1_HEAD_MAX 65536u

/* The text of `why` for an answer whose body is compressed. */
#define HTTP1_ENCODED "the body has a Content-Encoding that nobody asked for"

/* … and of bytes that are none of HTTP/1. */
#define HTTP1_NONE "no HTTP/1 answer"

enum http1_result {
    HTTP1_BAD = -1, /* not HTTP/1; every later call returns it too */
    HTTP1_MORE,     /* all bytes taken, the response continues */
    HTTP1_BODY,     /* a piece of the body; call again */
    HTTP1_DONE,     /* the response is complete; what follows is not its own */
};

enum { /* states */
       HTTP1_AT_STATUS,
       HTTP1_AT_HEADER,
       HTTP1_AT_LENGTH, /* in a body of this length, … */
       HTTP1_AT_CLOSE,  /* … one that ends with the connection */
       HTTP1_AT_CHUNK,  /* before a chunk's size */
       HTTP1_AT_CHUNK_BYTES,
       HTTP1_AT_CHUNK_END,
       HTTP1_AT_TRAILER,
       HTTP1_AT_END,
       HTTP1_AT_BAD
};

struct http1 {
    uint8_t state, name; /* name: of the header line before, if it matters */
    bool old, close, keep, chunked, has_length;
    uint16_t status;   /* 0: none yet */
    const char *why;   /* after HTTP1_BAD, or what else is odd: a constant text; NULL: nothing */
    uint32_t taken;    /* against HTTP1_HEAD_MAX */
    uint32_t line_len; /* of the line that is not yet whole */
    uint64_t left;     /* bytes left of the body or of the chunk */
    /* Set by the caller after http1_begin: hears each header and trailer (cut at HTTP1_LINE_MAX); NULL: nobody. */
    void (*header)(void *arg, const char *name, size_t name_n, const char *value, size_t value_n);
    void *header_arg;
    bool connect; /* set likewise: the request is a CONNECT, and after a 2xx head comes what is none of HTTP's */
    char line[HTTP1_LINE_MAX + 2];
};

void http1_begin(struct http1 *h);

/* Reads from *at up to end, moving *at. With HTTP1_BODY the piece is *ret, *ret_n, inside the caller's bytes. */
enum http1_result http1_next(struct http1 *h, const char **at, const char *end, const char **ret, size_t *ret_n);

extern const uint8_t HTTP1_HEX[256]; /* a hexadecimal digit's value and 16; 0: it is none */

/* What most reads hold: from *at on a whole chunk whose size is nothing but digits. Returns its bytes, *ret_n of them,
 * and moves *at past it; NULL: something else is there, for http1_next. Inline, as a token nearly always has a chunk
 * of its own. */
static inline const char *http1_chunk(struct http1 *h, const char **at, const char *end, size_t *ret_n)
{
    const char *p = *at, *most = p + 5; /* no read is as long as five digits say */
    size_t n = 0;
    if (h->state != HTTP1_AT_CHUNK || h->line_len > 0 || end - p < 8) return NULL;
    for (unsigned d; (d = HTTP1_HEX[(unsigned char)*p]) != 0 && p < most; p++)
        n = n << 4 | (d & 15);
    if (n == 0 || end - p < 4 || (size_t)(end - p) - 4 < n || p[0] != '\r' || p[1] != '\n') return NULL;
    p += 2;
    if (p[n] != '\r' || p[n + 1] != '\n') return NULL;
    h->taken = 2; /* as http1_next would have counted */
    *at = p + n + 2;
    *ret_n = n;
    return p;
}

/* After HTTP1_BODY, when all bytes are taken: does the response continue? As http1_next would say, but it costs no
 * call. */
static inline bool http1_goes_on(const struct http1 *h)
{
    return h->state < HTTP1_AT_END;
}

/* The connection ended: HTTP1_DONE when that is how this body ends, or it had ended before; HTTP1_MORE: cut. */
enum http1_result http1_closed(struct http1 *h);

/* After HTTP1_DONE: may another request be sent on the connection? */
bool http1_keep_alive(const struct http1 *h);
