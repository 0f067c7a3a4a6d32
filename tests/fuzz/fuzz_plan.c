/* Text as a plan. Bytes after the first NUL are a --set. What is accepted can be written in every form, and each of
 * them reads as the same plan. */
#include <stdlib.h>
#include <string.h>

#include "common/plan/plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);
static void must(int true_)
{
    if (!true_) abort();
}

static void same(const struct plan *p, struct plan *q)
{
    char a[65], b[65];
    must(q != NULL);
    must(plan_hash(p, a) == 0 && plan_hash(q, b) == 0);
    must(strcmp(a, b) == 0);
    plan_destroy(&q);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct err e = {.text = ""};
    char *copy = malloc(n + 1);
    must(copy != NULL);
    if (n) memcpy(copy, bytes, n);
    copy[n] = 0;
    size_t first = strlen(copy);
    const char *set = first < n ? copy + first + 1 : "";
    struct plan *p = plan_load("fuzz", copy, first, &set, first < n, &e);
    struct buf wrong = BUF_INIT(1u << 20);
    size_t mistakes = plan_mistakes("fuzz", copy, first, &set, first < n, &wrong);
    must((mistakes == 0) == (p != NULL));
    buf_clear(&wrong);
    if (!p) must(e.code != ERR_NONE && e.text[0]);
    if (p) {
        struct buf out = BUF_INIT(16u << 20);
        must(plan_to_json(p, false, &out) == 0);
        same(p, plan_load("json", buf_str(&out), out.len, NULL, 0, &e));
        buf_reset(&out);
        must(plan_to_yaml(p, &out) == 0);
        same(p, plan_load("yaml", buf_str(&out), out.len, NULL, 0, &e));
        buf_reset(&out);
        must(plan_to_json(p, false, &out) == 0);
        same(p, plan_from_json(buf_str(&out), out.len, &e));
        buf_clear(&out);
    }
    plan_destroy(&p);
    free(copy);
    return 0;
}
