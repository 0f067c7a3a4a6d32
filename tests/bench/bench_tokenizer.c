/* A tokenizer at work: bench_tokenizer FILE TEXTS [--ids]. TEXTS holds a JSON string a line. Without --ids it says how
 * long the file took to read and the texts to count, with it the tokens of each text, a line each (for
 * tests/real/tokenizer.sh, which compares them with those of the public library). */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/json_scan.h"
#include "coordinator/tokenizer/tokenizer.h"

static int put_ids(struct tokenizer *t, const char *text, size_t n, struct bpe_ids *ids)
{
    ids->n = 0;
    int64_t got = tokenizer_encode(t, text, n, ids);
    if (got != (int64_t)ids->n || got != tokenizer_count(t, text, n)) return -1;
    for (size_t i = 0; i < ids->n; i++)
        (void)printf("%s%" PRIu32, i ? " " : "", ids->id[i]);
    (void)putchar('\n');
    return 0;
}

int main(int argc, char **argv)
{
    struct err e = {.code = ERR_NONE};
    char *line = NULL, *text = NULL;
    size_t room = 0, bytes = 0, len;
    int64_t tokens = 0, from, read, counting = 0;
    struct bpe_ids ids = {0};
    if (argc < 3) return 2;
    from = clock_mono_ns();
    struct tokenizer *t = tokenizer_read(argv[1], NULL, &e);
    read = clock_mono_ns() - from;
    FILE *f = fopen(argv[2], "re");
    if (!t || !f) {
        (void)fprintf(stderr, "%s\n", t ? argv[2] : e.text);
        return 1;
    }
    int rc = 0;
    for (ssize_t n; rc == 0 && (n = getline(&line, &room, f)) > 0;) {
        struct json j;
        json_begin(&j, line, (size_t)n);
        text = realloc(text, (size_t)n);
        if (!text || json_next(&j) != JSON_STRING || !json_decode(&j, text, &len)) {
            rc = 1;
        } else if (argc > 3) {
            rc = put_ids(t, text, len, &ids) ? 1 : 0;
        } else {
            from = clock_mono_ns();
            int64_t got = tokenizer_count(t, text, len);
            counting += clock_mono_ns() - from;
            tokens += got;
            bytes += len;
            rc = got < 0;
        }
    }
    if (rc == 0 && argc == 3)
        (void)printf("read in %.1f ms; %zu bytes are %" PRId64 " tokens, counted in %.1f ms: %.1f MB/s\n",
                     (double)read / 1e6, bytes, tokens, (double)counting / 1e6,
                     (double)bytes * 1e3 / (double)(counting ? counting : 1));
    free(line);
    free(text);
    free(ids.id);
    (void)fclose(f);
    tokenizer_destroy(&t);
    return rc;
}
