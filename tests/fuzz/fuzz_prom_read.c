/* A metrics page: read or refused; what is given are slices of the input, and labels read back. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/answer/prom_read.h"
#include "coordinator/answer/server_side.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

struct input {
    const char *text;
    size_t n, samples;
};

static bool look(void *arg, const struct prom_line *s)
{
    struct input *in = arg;
    char value[32];
    if (s->name < in->text || s->name + s->name_n > in->text + in->n || !s->name_n) abort();
    if (s->labels && (s->labels < s->name || s->labels + s->labels_n > in->text + in->n)) abort();
    (void)prom_read_label(s, "engine", value, sizeof value);
    in->samples++;
    return in->samples < 1000;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    char *copy = malloc(n + 1); /* exact, so that a read past the end is seen */
    struct err e;
    struct server_sample s = {0};
    struct server_stage stage;
    if (!copy) return 0;
    memcpy(copy, bytes, n);
    struct input in = {copy, n, 0};
    char *exact = realloc(copy, n ? n : 1);
    in.text = exact;
    (void)prom_read(exact, n, look, &in, &e);
    if (server_read(exact, n, &s, &e) == 0) server_stage_compute(&s, 1, 0, 1, &stage);
    free(exact);
    return 0;
}
