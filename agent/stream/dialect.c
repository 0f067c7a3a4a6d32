#include "agent/stream/dialect.h"

static const struct dialect *const dialects[API_N] = {
#define X(id, symbol, ...) [API_##id] = &dialect_##symbol,
#include "common/plan/api.def"
#undef X
};

const struct dialect *dialect_for(enum plan_api api)
{
    return (unsigned)api < API_N ? dialects[api] : NULL;
}
