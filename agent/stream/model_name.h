/* The model that an answer names, against the one that was asked for. Pure. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

/* The model that an event or a whole answer names: its member `model` (Gemini: `modelVersion`), or that of its
 * `message` or `response`. NULL when it names none; else a slice of `data`, as JSON writes it. */
const char *model_name_find(const char *data, size_t n, size_t *ret_n);

/* Whether two names may well be of one model: they differ in case, a folder or organisation in front, the ending .gguf,
 * or a version after it ("gpt-4o" and "gpt-4o-2024-08-06", "llama3" and "llama3:latest"). */
bool model_name_is_same(const char *asked, const char *named);
