/* The table of remarks (remark.def) as an enum, and the first remark of each kind in a stage. Pure. */
#pragma once
#include <stdint.h>

enum remark_kind {
#define REMARK(id, name, meaning) REMARK_##id,
#include "common/remark.def"
#undef REMARK
    REMARK_N,
    REMARK_RETRIED_FIRST = REMARK_RETRIED_DNS /* as the labels of failure.def */
};
extern const char *const REMARK_NAMES[REMARK_N];

#define REMARK_TEXT 640u /* bytes with the NUL, as of a failure's words */

struct remark {
    int64_t at_ns;          /* from the stage's T0 */
    char text[REMARK_TEXT]; /* clean text in one line; "": there is none */
};
struct remarks {
    struct remark of[REMARK_N];
};

/* The earlier one stays. */
void remark_put(struct remarks *to, enum remark_kind kind, const struct remark *r);
void remarks_add(struct remarks *to, const struct remarks *from);
