#include "common/remark.h"

const char *const REMARK_NAMES[REMARK_N] = {
#define REMARK(id, name, meaning) [REMARK_##id] = name,
#include "common/remark.def"
#undef REMARK
};

void remark_put(struct remarks *to, enum remark_kind kind, const struct remark *r)
{
    struct remark *mine = &to->of[kind];
    if (r->text[0] && (!mine->text[0] || r->at_ns < mine->at_ns)) *mine = *r;
}

void remarks_add(struct remarks *to, const struct remarks *from)
{
    for (int k = 0; k < REMARK_N; k++)
        remark_put(to, (enum remark_kind)k, &from->of[k]);
}
