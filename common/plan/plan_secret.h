/* What a plan must not contain. */
#pragma once
#include <stdbool.h>

/* Whether a text looks like a key rather than the name of one: an authorization scheme, or a prefix that providers give
 * their keys. */
bool secret_is_likely(const char *s);
