/* What a retry is for: [429, 503, reset]. */
#include <string.h>

#include "common/args.h"
#include "common/failure.h"
#include "common/plan/plan_key.h"

_Static_assert(FAILURE_N <= 32, "labels are bits of 32");
#define FORMS "a list of HTTP statuses and labels of failures, such as [429, 503, reset]"

/* A label is no reason when its request had output already, when sending again cannot help, or when its time is over.
 */
static bool can_be_retried(enum failure f)
{
    return f != FAILURE_TIMEOUT_IDLE && f != FAILURE_TIMEOUT_TOTAL && f != FAILURE_REFUSED && f != FAILURE_HTTP_3XX &&
           f != FAILURE_MALFORMED;
}

static int one_label(struct reader *r, const struct node *c, struct plan_retries *p)
{
    const char *names[FAILURE_N];
    size_t n = 0;
    for (int i = 0; i < FAILURE_N; i++) {
        bool good = can_be_retried((enum failure)i);
        if (strcmp(c->text, FAILURES[i].name) == 0) {
            if (!good)
                return node_refuse(c, false, r->e, "a request that failed as %s is not sent again", FAILURES[i].name);
            p->labels |= UINT32_C(1) << i;
            return 0;
        }
        if (good) names[n++] = FAILURES[i].name;
    }
    const char *near = args_nearest(c->text, names, n);
    if (near) return node_refuse(c, false, r->e, "unknown label; did you mean \"%s\"?", near);
    return node_refuse(c, false, r->e,
                       "expected an HTTP status from 400 to 599 or a label such as reset, got \"%.40s\"", c->text);
}

static int after_read(struct reader *r, const struct plan_key *k, const struct node *n, void *at)
{
    static const struct plan_key STATUS = {.name = "status", .least = 400, .most = 599};
    struct plan_retries *p = at;
    (void)k;
    if (!n) {
        p->status[0] = 429;
        p->status[1] = 503;
        p->n_status = 2;
        return 0;
    }
    if (n->kind != NODE_SEQ || n->n == 0) return read_expected(r, n, FORMS);
    for (const struct node *c = n->first; c; c = c->next) {
        double status;
        if (c->kind == NODE_TEXT) {
            if (one_label(r, c, p)) return -1;
            continue;
        }
        if (c->kind != NODE_INT) return read_expected(r, c, "an HTTP status from 400 to 599 or a label such as reset");
        if (scalar_read_number(r, &STATUS, c, &status)) return -1;
        if (p->n_status == RETRY_STATUS_MAX)
            return node_refuse(c, false, r->e, "more than %d statuses", RETRY_STATUS_MAX);
        p->status[p->n_status++] = (uint16_t)status;
    }
    return 0;
}

static struct node *after_write(struct tree *t, const struct plan_key *k, const void *at)
{
    const struct plan_retries *p = at;
    (void)k;
    if (p->max == 0) return NULL;
    struct node *all = node_new(t, NODE_SEQ);
    for (uint32_t i = 0; i < p->n_status; i++)
        node_add(t, all, node_new_whole(t, p->status[i]));
    for (int i = 0; i < FAILURE_N; i++)
        if (p->labels & UINT32_C(1) << i) node_add(t, all, node_new_text(t, FAILURES[i].name));
    return all;
}
const struct key_type KEY_RETRY_AFTER = {
    "list of statuses and labels",
    "\"type\": \"array\", \"minItems\": 1, \"items\": {\"type\": [\"integer\", \"string\"]}", after_read, after_write};
