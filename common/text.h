/* Text that comes from outside: what of it may be shown to a person or put into a file. */
#pragma once
#include <stddef.h>

/* Length of the UTF-8 sequence at s (of n > 0 bytes) when it is well formed and no control character, else 0. */
size_t text_char(const char *s, size_t n);
