/* What a plan has to know of each API a target may speak: the rows of api.def. How it is written and read is
 * agent/stream's. */
#pragma once
#include "common/plan/plan_key.h"

struct plan_api_row {
    const char *name, *path, *path_whole, *header, *header_value, *keys, *media; /* as in api.def */
    int (*check)(struct reader *r, const struct node *map, struct plan_target *t);
};
extern const struct plan_api_row PLAN_APIS[API_N];

/* `key` is one of the words of `keys`. */
bool plan_api_owns(enum plan_api api, const char *key);
/* "image" or "audio" is one of those that a message may hold. */
bool plan_api_takes(enum plan_api api, const char *media);
/* Its answers have tokens: not those of embeddings and of rerank, which come whole. */
bool plan_api_has_tokens(enum plan_api api);
/* The output tokens that a workload asks for are the limit that requests carry: unless the plan leaves that out, or
 * writes one of its own. */
bool plan_target_limits(const struct plan_target *t);
/* The limit of output tokens that the target's body has, or the template's, the least where it has several; 0: none, or
 * no number. It is what requests ask for, whatever a workload says. */
uint32_t plan_target_limit(const struct plan_target *t);
/* Gives the URL its API's path when it has none, refuses a path that is another API's, and runs the API's own check. */
int plan_api_check(struct reader *r, const struct node *map, struct plan_target *t);
/* A prompt goes out as a text, to which a server's tokenizer adds its own tokens (BOS), and not as messages, which a
 * template makes a text of. */
bool plan_target_sends_text(const struct plan_target *t);
/* The number that a target's body has by this key; 0: none, or no body. */
uint32_t plan_body_number(const char *body, const char *key);
