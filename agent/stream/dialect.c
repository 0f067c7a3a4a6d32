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

/* A number of the target's body. */
static uint32_t body_number_of(const char *body, const char *key)
{
    struct json j;
    uint32_t n = 0;
    if (!body) return 0;
    json_begin(&j, body, strlen(body));
    if (json_next(&j) != JSON_OBJECT) return 0;
    while (json_next(&j) == JSON_KEY) {
        bool is = json_is(&j, key, strlen(key));
        enum json_token t = json_next(&j);
        if (is && t == JSON_NUMBER && !json_u32(&j, &n)) n = 0;
        (void)json_leave(&j, t);
    }
    return n;
}

void dialect_open(const struct plan_target *t, struct dialect *ret)
{
    *ret = *dialect_for(t->api);
    ret->whole = t->whole || ret->no_tokens;
    ret->ends_with_finish = t->end == END_FINISH;
    ret->ends_with_body = ret->ends_with_body || t->end == END_CLOSE;
    ret->omit = t->omit;
    ret->unlimited = !plan_target_limits(t);
    ret->choices = body_number_of(t->body, "n");
    if (ret->open) ret->open(t, ret);
    ret->ends_as_learnt = t->end == END_AUTO && !ret->ends_with_body && !ret->whole; /* else nothing is unknown */
}
