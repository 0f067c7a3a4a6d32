/* Bytes as a plan from a coordinator that is not ours: refused with a sentence, or a plan that is written and read as
 * itself and whose distributions give numbers within their limits. */
#include <stdlib.h>
#include <string.h>

#include "common/plan/plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);
static void must(int true_)
{
    if (!true_) abort();
}

static void sample(const struct dist *d)
{
    struct rng r;
    rng_seed(&r, 1);
    for (int i = 0; i < 8; i++) {
        double v = dist_sample(d, &r);
        must(v >= 1 && v <= 1e6);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct err e = {.text = ""};
    struct plan *p = plan_from_json((const char *)bytes, n, &e);
    if (!p) {
        must(e.code != ERR_NONE && e.text[0]);
        return 0;
    }
    char a[65], b[65];
    struct buf out = BUF_INIT(16u << 20);
    must(p->n_stages > 0 && p->n_workloads > 0 && p->target.n_models > 0);
    for (size_t i = 0; i < p->n_workloads; i++) {
        sample(&p->workloads[i].input_tokens);
        sample(&p->workloads[i].output_tokens);
    }
    for (size_t i = 0; i < p->n_stages; i++)
        must(p->stages[i].kind == LOAD_CLOSED ? p->stages[i].concurrency > 0 : p->stages[i].rate_from > 0);
    must(plan_to_json(p, false, &out) == 0);
    struct plan *q = plan_from_json(buf_str(&out), out.len, &e);
    must(q != NULL);
    must(plan_hash(p, a) == 0 && plan_hash(q, b) == 0 && strcmp(a, b) == 0);
    plan_destroy(&q);
    plan_destroy(&p);
    buf_clear(&out);
    return 0;
}
