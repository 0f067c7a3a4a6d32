/* What nghttp2 calls while it takes the bytes of a connection apart: heads, data, SETTINGS, GOAWAY and resets become
 * the ends of requests. Inside, nothing is closed and nothing is sent: kind_http2.c does that afterwards. */
#pragma once
#include <nghttp2/nghttp2.h>

#include "agent/transport/conn.h"
#include "agent/transport/http2_head.h"
#include "agent/transport/http2_stream.h"

#define HTTP2_OUT_BYTES (64u * 1024)
#define HTTP2_FRAME_HEAD 9u
/* After so many reads in a row whose frames had one stamp, only each so many-th read asks for more. */
#define HTTP2_ALIKE_MAX 64u
/* So many connections in a row that end by GOAWAY without having processed anything show that none will. */
#define HTTP2_BARREN_MAX 4u
#define HTTP2_LONG_HEAD "a head or trailer of more than 64 KiB"
#define HTTP2_AGAIN "GOAWAY again and again, and no request was processed"
/* Why a server's first bytes were refused; see kind_http2.c. */
#define HTTP2_NOT_SPOKEN "no HTTP/2 is spoken there"

struct h2_conn {
    struct conn c; /* first */
    struct http2_state *o;
    nghttp2_session *session;
    struct list2 open;
    uint32_t streams; /* as the server counts them, including those that we have abandoned */
    uint32_t limit;   /* the smaller of the server's and ours */
    bool greeted, leaving, used;
    bool renew;   /* GOAWAY without an error has come: the server wants another connection in its place */
    bool broken;  /* a write failed: what still comes is read, then the connection ends */
    bool listed;  /* in room[address] */
    bool touched; /* the read under way did more than bring data */
    bool heard;   /* SETTINGS have come, perhaps without a stream allowed */
    struct h2_conn *before, *next; /* there */
    const char *why;               /* what the server did wrong, or GOAWAY's reason */
    uint32_t goaway;               /* its code */
    int64_t since;                 /* when greeting or idling began */
    uint8_t *left;                 /* bytes that the socket did not take */
    size_t left_n, left_at;
    /* for http2_read.c */
    uint32_t past;       /* bytes of data that nghttp2 has not seen, and the server does not know taken */
    uint32_t frame_left; /* bytes to come of the frame under way, which is nghttp2's */
    uint8_t frame_head[HTTP2_FRAME_HEAD], frame_head_n; /* the part of a frame's head that has come */
    int failed;   /* errno of the socket, after the bytes of the last read; 0: none */
    bool in_head; /* a head is under way, in several frames */
};

struct http2_state {
    struct conns conns; /* first */
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *option;
    struct http2_head head;
    struct h2_conn *room[TARGET_ADDRESS_MAX], *room_last[TARGET_ADDRESS_MAX];
    struct list2 waiting[TARGET_ADDRESS_MAX];
    uint32_t pending[TARGET_ADDRESS_MAX]; /* connections that are not greeted yet */
    uint32_t barren[TARGET_ADDRESS_MAX];  /* in a row, that were taken away before they had processed a request */
    uint32_t limit;                       /* streams a connection: ours, or the server's where they are fewer */
    struct stream2 *spare;
    struct err failed;       /* why the first connection failed, of those before any was greeted */
    bool met;                /* one was greeted */
    const uint8_t *read_end; /* of the read under way */
    const uint8_t *part_end; /* of those of its bytes that have the stamp under way */
    uint32_t part;           /* which of conns.parts they are */
    uint32_t alike;          /* reads in a row in which several frames had one stamp */
    uint32_t unasked;        /* reads since then that nobody asked for more than one */
    uint8_t out[HTTP2_OUT_BYTES];
};

/* Makes o->callbacks and o->option. 0, or -1 without memory. */
int http2_session_init(struct http2_state *o);
void http2_session_clear(struct http2_state *o);

/* Bytes of a stream's data, inside the read under way. */
void http2_deliver(const struct h2_conn *c, const struct stream2 *s, const uint8_t *bytes, size_t n);

/* Takes the request off its connection, or out of those that wait, and ends it. */
void http2_end(struct http2_state *o, struct stream2 *s, enum transport_end how, const char *why);
void http2_let_go(struct http2_state *o, struct stream2 *s); /* the same without the end */
/* Gives the rest of a request's body to nghttp2; its user data is the stream. */
ssize_t http2_body(nghttp2_session *session, int32_t id, uint8_t *to, size_t n, uint32_t *flags,
                   nghttp2_data_source *source, void *user);
