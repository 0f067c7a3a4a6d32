/* Bytes as base64 text (RFC 4648, padded), by libsodium, whose time does not depend on the bytes. */
#pragma once
#include <stddef.h>

#include "common/buf.h"

int base64_put(struct buf *out, const void *bytes, size_t n); /* appends; keeps no copy. -1 without memory */
