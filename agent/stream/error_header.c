#include "agent/stream/error_header.h"

#include <string.h>

#include "common/text.h"

static bool is_none(const char *value, size_t n)
{
    static const char *const NONE[] = {"", "0", "none", "null", "nil", "false", "no", "ok", "-", "\"\""};
    for (size_t i = 0; i < sizeof NONE / sizeof *NONE; i++)
        if (text_is_word(value, n, NONE[i])) return true;
    return false;
}

bool error_header_tells(const char *name, size_t name_n, const char *value, size_t value_n)
{
    bool named = text_is_word(name, name_n, "grpc-status") || text_is_word(name, name_n, "grpc-message") ||
                 text_holds(name, name_n, "error") || text_holds(name, name_n, "exception");
    return named && !is_none(value, value_n);
}

bool error_header_is(const char *name, size_t name_n, const char *value, size_t value_n, bool trailer)
{
    bool may_be = trailer ? !text_is_word(name, name_n, "grpc-message") : text_is_word(name, name_n, "grpc-status");
    return may_be && error_header_tells(name, name_n, value, value_n);
}
