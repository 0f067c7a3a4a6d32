#include "agent/stream/finish_word.h"

#include "common/finish.h"
#include "common/json_scan.h"
#include "common/text.h"

/* The first member whose name holds `name` and whose word no table knows. */
static const char *find(const char *data, size_t n, const char *name, size_t *ret_n)
{
    struct json j;
    bool named = false;
    json_begin(&j, data, n);
    for (enum json_token t; (t = json_next(&j)) != JSON_BAD && t != JSON_END;) {
        if (t == JSON_STRING && named && finish_of(j.text, j.len) == FINISH_OTHER) {
            *ret_n = j.len;
            return j.text;
        }
        named = t == JSON_KEY && text_holds(j.text, j.len, name);
    }
    return NULL;
}

const char *finish_word_find(const char *data, size_t n, size_t *ret_n)
{
    static const char *const NAMES[] = {"reason", "stop", "finish", "status"}; /* the surest first */
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        const char *word = find(data, n, NAMES[i], ret_n);
        if (word) return word;
    }
    *ret_n = n;
    return data;
}
