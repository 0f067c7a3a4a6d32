#include "agent/stream/cache_header.h"

#include <ctype.h>
#include <strings.h>

#include "common/text.h"

/* A word that ends so: HIT, TCP_MEM_HIT, RefreshHit. */
static bool has_hit(const char *value, size_t n)
{
    for (size_t end = 3; end <= n; end++) {
        bool last = end == n || !isalnum((unsigned char)value[end]);
        if (last && strncasecmp(value + end - 3, "hit", 3) == 0) return true;
    }
    return false;
}

bool cache_header_hits(const char *name, size_t name_n, const char *value, size_t value_n)
{
    static const char *const OTHER[] = {"prompt", "prefix", "kv-cache"};
    if (!text_holds(name, name_n, "cache") || !has_hit(value, value_n)) return false;
    for (size_t i = 0; i < sizeof OTHER / sizeof *OTHER; i++)
        if (text_holds(name, name_n, OTHER[i])) return false;
    return true;
}
