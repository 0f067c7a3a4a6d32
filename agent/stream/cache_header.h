/* Headers by which caches between the client and the model say that the answer is theirs. Pure. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

/* "x-cache: Hit from cloudfront", "cf-aig-cache-status: HIT", "cache-status: name; hit". Not a cache of prompts or
 * prefixes, whose answers are made anew. */
bool cache_header_hits(const char *name, size_t name_n, const char *value, size_t value_n);
