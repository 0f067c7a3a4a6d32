#include "agent/stream/model_name.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "common/json_scan.h"

static const char *find_in(struct json *j, bool outer, size_t *ret_n)
{
    const char *found = NULL;
    while (json_next(j) == JSON_KEY) {
        bool name = JSON_IS(j, "model") || JSON_IS(j, "modelVersion"),
             around = outer && (JSON_IS(j, "message") || JSON_IS(j, "response"));
        enum json_token t = json_next(j);
        if (name && t == JSON_STRING && j->len > 0) {
            *ret_n = j->len;
            return j->text;
        }
        if (around && t == JSON_OBJECT)
            found = find_in(j, false, ret_n);
        else
            (void)json_leave(j, t);
        if (found) return found;
    }
    return NULL;
}

const char *model_name_find(const char *data, size_t n, size_t *ret_n)
{
    struct json j;
    json_begin(&j, data, n);
    return json_enter(&j, JSON_OBJECT) ? find_in(&j, true, ret_n) : NULL;
}

/* The last part of a path, without the ending of a file. */
static size_t stem(const char **name)
{
    const char *slash = strrchr(*name, '/');
    if (slash && slash[1]) *name = slash + 1;
    size_t n = strlen(*name);
    return n > 5 && strcasecmp(*name + n - 5, ".gguf") == 0 ? n - 5 : n;
}

static bool is_separator(char c)
{
    return c == '-' || c == ':' || c == '@' || c == '.' || c == '_';
}

/* "2024-08-06", "0613", "20241022", "001", "latest", "v2". One or two digits are another model: llama-3, llama-3.1. */
static bool is_version(const char *p, size_t n)
{
    size_t digits = 0;
    if (n == 6 && strncasecmp(p, "latest", n) == 0) return true;
    if (n > 1 && (*p | 0x20) == 'v' && isdigit((unsigned char)p[1])) return true;
    while (digits < n && isdigit((unsigned char)p[digits]))
        digits++;
    for (size_t i = digits; i < n; i++)
        if (!isdigit((unsigned char)p[i]) && p[i] != '-') return false;
    return digits >= 3;
}

/* Without the version behind: "-latest" stands for any. */
static size_t without_latest(const char *name, size_t n)
{
    return n > 7 && is_separator(name[n - 7]) && strncasecmp(name + n - 6, "latest", 6) == 0 ? n - 7 : n;
}

bool model_name_is_same(const char *asked, const char *named)
{
    size_t a = stem(&asked), b = stem(&named);
    a = without_latest(asked, a);
    b = without_latest(named, b);
    const char *longer = a > b ? asked : named;
    size_t least = a < b ? a : b, most = a > b ? a : b;
    if (strncasecmp(asked, named, least) != 0) return false;
    return least == most ||
           (least > 0 && is_separator(longer[least]) && is_version(longer + least + 1, most - least - 1));
}
