#include "agent/stream/dialect.h"

#include <string.h>

#include "common/plan/plan_api.h"

static const struct dialect *const dialects[API_N] = {
#define X(id, symbol, ...) [API_##id] = &dialect_##symbol,
#include "common/plan/api.def"
#undef X
};

const struct dialect *dialect_for(enum plan_api api)
{
    return (unsigned)api < API_N ? dialects[api] : NULL;
}

uint32_t dialect_asked(const struct dialect *d, uint32_t tokens)
{
    uint64_t all = (uint64_t)(d->limit ? d->limit : tokens) * (d->choices > 1 ? d->choices : 1);
    return all < UINT32_MAX ? (uint32_t)all : UINT32_MAX;
}

void dialect_open(const struct plan_target *t, struct dialect *ret)
{
    *ret = *dialect_for(t->api);
    ret->whole = t->whole || ret->no_tokens;
    ret->ends_with_finish = t->end == END_FINISH;
    ret->ends_with_body = ret->ends_with_body || t->end == END_CLOSE;
    ret->omit = t->omit;
    ret->limit = plan_target_limit(t);
    ret->unlimited = ret->limit == 0 && !plan_target_limits(t);
    ret->choices = plan_body_number(t->body, "n");
    if (ret->open) ret->open(t, ret);
    ret->ends_as_learnt = t->end == END_AUTO && !ret->ends_with_body && !ret->whole; /* else nothing is unknown */
}
