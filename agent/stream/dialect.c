#include "agent/stream/dialect.h"

extern const struct dialect dialect_openai_chat, dialect_openai_completions, dialect_databricks;

static const struct dialect *const dialects[API_N] = {
    [API_OPENAI_CHAT] = &dialect_openai_chat,
    [API_OPENAI_COMPLETIONS] = &dialect_openai_completions,
    [API_DATABRICKS] = &dialect_databricks,
};

const struct dialect *dialect_for(enum plan_api api)
{
    return (unsigned)api < API_N ? dialects[api] : 0;
}
