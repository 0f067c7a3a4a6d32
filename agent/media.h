/* Images and sound made from a seed, as base64: a PNG or WAV that any decoder reads. No two requests have the same, so
 * that no cache of the server can answer. What is alike in all images of a workload (the pixels) is compressed once;
 * each has colours of its own. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "agent/stream/dialect.h"
#include "common/err.h"
#include "common/plan/plan.h"

struct media;
/* Of a workload that wants some. */
ERR_CHECKED struct media *media_new(const struct plan_workload *load, struct err *e);
void media_destroy(struct media **m); /* accepts NULL */
/* Those of one request into ret->media; they live until the next call. -1 without memory. */
int media_make(struct media *m, uint64_t seed, struct dialect_request *ret);
