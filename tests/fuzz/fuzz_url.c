/* Any text: what is taken gives a host that is part of it, and an authority that is read as the same host and port. */
#include <stdio.h>
#include <string.h>

#include "common/url.h"
#include "tests/fuzz/fuzz_util.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1), again[URL_AUTHORITY_MAX + 8], authority[URL_AUTHORITY_MAX];
    struct url u, v;
    MUST(text);
    if (size) memcpy(text, data, size);
    text[size] = '\0';
    if (url_parse(text, &u, NULL) == 0) {
        MUST(u.port != 0 && *u.host && strstr(text, u.host) && !strpbrk(u.host, "/@[]#?"));
        MUST(u.path >= text && u.path <= text + strlen(text));
        url_authority(&u, authority);
        (void)snprintf(again, sizeof again, "%s%s", u.tls ? "https://" : "http://", authority);
        MUST(url_parse(again, &v, NULL) == 0);
        MUST(v.tls == u.tls && v.port == u.port && v.literal6 == u.literal6 && strcmp(v.host, u.host) == 0);
    }
    free(text);
    return 0;
}
