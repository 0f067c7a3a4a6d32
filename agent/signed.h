/* How an agent that runs only signed plans (--require-signed) checks each plan and each stage. A signature covers the
 * plan, not the messages that follow it. So a stage must also be one that the signed plan asks for, and begin before
 * the signature expires. Pure. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/plan/plan.h"
#include "common/shard.h"
#include "common/sign.h"

struct signed_plan {
    const uint8_t *key; /* SIGN_PUBLIC_BYTES; NULL: signatures are not asked for, everything passes */
    const char *agent;  /* own name */
    char run_id[64], hash[65];
    char envelope[SIGN_ENVELOPE_MAX];
    size_t n;
};

/* `hash` is the agent's own, of the plan it has unpacked. Keeps the envelope when it is good. */
ERR_CHECKED int signed_accept(struct signed_plan *s, const void *envelope, size_t n, const char *hash,
                              const char *run_id, int64_t wall_ns, struct err *e);

/* A shard of a stage of the accepted plan: not yet expired, and no more than the plan asks of the whole cluster. */
ERR_CHECKED int signed_check_shard(const struct signed_plan *s, const struct plan *p, const struct shard *shard,
                                   int64_t wall_ns, struct err *e);
