/* An arena: many small allocations that live and die together. Memory comes zeroed and aligned; a declared maximum
 * bounds what hostile input can make us allocate. */
#pragma once
#include <stddef.h>

struct arena;

struct arena *arena_new(size_t max);  /* NULL without memory; max in bytes */
void arena_destroy(struct arena **a); /* frees everything at once; accepts NULL */

/* Zeroed, aligned for any type. NULL without memory, over the arena's limit, or when `a` is NULL. */
void *arena_alloc(struct arena *a, size_t n);
void *arena_array(struct arena *a, size_t n, size_t size);  /* the same for n elements, overflow checked */
char *arena_text(struct arena *a, const char *s, size_t n); /* a copy, NUL-terminated */
