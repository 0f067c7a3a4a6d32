/* Reads msgpack from outside: one value at a time, of the kind the caller expects, out of a slice of bytes. It
 * allocates nothing and builds no tree, so no count and no depth decides how much memory is used; a count is refused
 * when it exceeds the bytes left (each element takes at least one). Every function returns 0, or -1 when the bytes are
 * cut off, of another kind or out of range; then the reader has not moved. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/text.h"

struct unpack {
    const uint8_t *at, *end;
};

int unpack_array(struct unpack *u, uint32_t *ret_n);
int unpack_u64(struct unpack *u, uint64_t *ret);
int unpack_u32(struct unpack *u, uint32_t *ret);
int unpack_i64(struct unpack *u, int64_t *ret);
int unpack_double(struct unpack *u, double *ret); /* finite */
int unpack_bool(struct unpack *u, bool *ret);
/* Slices of the bytes, not terminated. Text is valid UTF-8 without control characters (NUL, newline, escape …). */
int unpack_text(struct unpack *u, uint32_t max, const char **ret, uint32_t *ret_n);
int unpack_bytes(struct unpack *u, uint32_t max, const uint8_t **ret, uint32_t *ret_n);
