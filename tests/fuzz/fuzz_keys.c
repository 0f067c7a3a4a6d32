/* The list of allowed keys, which people write by hand: no bytes crash its reader, and what it has read can be found by
 * its key, once. */
#include <string.h>

#include "common/keys.h"
#include "tests/fuzz/fuzz_util.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct key_list l;
    struct err e = {0};
    if (key_list_parse("allowed", (const char *)data, size, &l, &e)) {
        MUST(e.code != ERR_NONE && e.text[0] && !l.item && l.n == 0);
        return 0;
    }
    MUST(l.n > 0 && l.n <= KEYS_ALLOWED_MAX);
    for (size_t i = 0; i < l.n; i++) {
        const struct key_allowed *k = &l.item[i];
        MUST(strlen(k->public_key) == KEY_TEXT - 1 && k->name[0] && strlen(k->name) < sizeof k->name);
        MUST(key_list_find(&l, k->public_key) == k);
        size_t n = strlen(k->name);
        if (k->name[n - 1] != '*')
            MUST(key_allowed_name(k, k->name) && !key_allowed_name(k, "*"));
        else
            MUST(key_allowed_name(k, "anybody") == (n == 1 || strncmp(k->name, "anybody", n - 1) == 0));
    }
    MUST(!key_list_find(&l, "") &&
         !key_list_find(&l, "0123456789012345678901234567890123456789012345678901234567890123"));
    key_list_clear(&l);
    return 0;
}
