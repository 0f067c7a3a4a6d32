/* A plan from a few options (quick.def): the text of a commented plan file, which is then read like any other. Pure. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "common/args.h"
#include "common/buf.h"

struct quick {
    const char *url, *model, *api, *concurrency, *rate, *key_env; /* NULL: not given */
    bool search;
    uint32_t input, output; /* 0: not given; nobody can give it */
    int64_t duration_ns;    /* 0: not given; nobody can give it */
    struct arg_list slo, header;
};
/* Whether any of the options was given. */
bool quick_given(const struct quick *q);
/* The plan as YAML with comments. ERR_USAGE with a sentence when the options make none; what a plan file may not say
 * either is found when the text is read. */
ERR_CHECKED int quick_plan(const struct quick *q, struct buf *out, struct err *e);
