#include "agent/stream/finish_word.h"

#include "common/finish.h"
#include "common/json_scan.h"
#include "common/text.h"

/* The first member whose name holds `name` and whose word no table knows. `lists`: or one of whose words, where it has
 * several. */
static const char *find(const char *data, size_t n, const char *name, bool lists, size_t *ret_n)
{
    struct json j;
    bool named = false, list = false;
    json_begin(&j, data, n);
    for (enum json_token t; (t = json_next(&j)) != JSON_BAD && t != JSON_END;) {
        if (t == JSON_STRING && (named || list) && finish_of(j.text, j.len) == FINISH_OTHER) {
            *ret_n = j.len;
            return j.text;
        }
        list = t == JSON_ARRAY ? named && lists : list && t != JSON_ARRAY_END && t != JSON_KEY;
        named = t == JSON_KEY && text_holds(j.text, j.len, name);
    }
    return NULL;
}

const char *finish_word_find(const char *data, size_t n, size_t *ret_n)
{
    static const struct {
        const char *name;
        bool lists;                                                                      /* not of "stop_sequences" */
    } NAMES[] = {{"reason", true}, {"stop", false}, {"finish", true}, {"status", true}}; /* the surest first */
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        const char *word = find(data, n, NAMES[i].name, NAMES[i].lists, ret_n);
        if (word) return word;
    }
    *ret_n = n;
    return data;
}
