/* A histogram in the public HdrHistogram V2 encoding (https://github.com/HdrHistogram/HdrHistogram,
 * "V2EncodingCookieBase"), so that its tools read our files: cookie, payload length, offset, digits, lowest, highest,
 * ratio (big endian), then zig-zag LEB128 counts, where a negative number is a run of empty buckets. Exact sum, min and
 * max are not part of it. */
#pragma once
#include "common/hist.h"

int hdr_v2_encode(const struct hist *h, struct buf *out);            /* the plain form */
int hdr_v2_encode_compressed(const struct hist *h, struct buf *out); /* cookie, length, zlib of the plain form */
