/* Bytes of a connection on their way to nghttp2. What nearly all of them are, data that only continues a stream,
 * is taken here: nghttp2 would do no more than call back, at ten times the cost, and count the bytes. */
#pragma once
#include "agent/transport/http2_session.h"

/* What nghttp2 has not seen of a connection is announced to the server as taken when it is so much. */
#define HTTP2_PAST_MAX (1u << 28)
#define HTTP2_UPDATE_BYTES 13u

/* As conn_receive. Where several streams share a read its frames get a stamp each, as far as they were sent one by one.
 */
ssize_t http2_receive(struct h2_conn *c, bool more);
/* What it gave. 0, or nghttp2's error. */
int http2_read(struct h2_conn *c, const void *bytes, size_t n);
/* Writes the announcement (a WINDOW_UPDATE) where it is due; how many bytes it has. Only between two frames. */
size_t http2_put_update(struct h2_conn *c, uint8_t *to);
