#include "common/plan.h"

struct plan *plan_load(const char *file, const char *yaml, size_t n, const char *const *set, size_t n_set, struct err *e)
{
    (void)file, (void)yaml, (void)n, (void)set, (void)n_set;
    (void)err_set(e, ERR_PLAN, "no loader yet");
    return 0;
}
