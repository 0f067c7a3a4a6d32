/* What a stage keeps of the answers that it sees, beside what is counted (common/remark.def), and which secrets must
 * not be in it. */
#include <stdio.h>
#include <string.h>

#include "agent/stage.h"
#include "agent/stream/model_name.h"

#define MODEL_EVENTS 64u /* so many events of a stage without the name of a model are looked at for one */

/* Without the scheme before it: "Bearer ". */
static struct wording_secret secret_of(const char *value)
{
    const char *blank = strchr(value, ' ');
    if (blank) value = blank + 1;
    return (struct wording_secret){value, strlen(value)};
}

size_t stage_secrets(const struct target *t, struct wording_secret ret[static STAGE_SECRETS])
{
    size_t n = 0;
    for (size_t i = 0; i < t->n_headers && n < STAGE_SECRETS; i++) {
        if (!t->headers[i].secret) continue;
        ret[n++] = secret_of(t->headers[i].value);
    }
    if (t->proxy_auth.value && n < STAGE_SECRETS) ret[n++] = secret_of(t->proxy_auth.value);
    return n;
}

void stage_begin_remarks(struct stage *st)
{
    st->look = (struct stream_look){.models = MODEL_EVENTS};
}

/* Takes what was found. `ret` is clean; false when there is none. */
static bool take(struct stage *st, enum remark_kind kind, char *ret, size_t size)
{
    struct stream_look *look = &st->look;
    struct wording_secret secrets[STAGE_SECRETS];
    size_t n = look->n[kind];
    look->n[kind] = 0;
    if (n == 0) return false;
    size_t n_secrets = stage_secrets(st->tr->target, secrets);
    wording_clean(look->bytes[kind], n, n == STREAM_LOOK_BYTES, secrets, n_secrets, ret, size);
    return ret[0] != '\0';
}

static void put(struct stage *st, enum remark_kind kind, struct remark *r)
{
    remark_put(&st->rec.snap->remarks, kind, r);
    st->look.kept[kind] = kind != REMARK_OTHER_MODEL; /* those are counted too */
}

/* "org\/name" is how some write a slash. */
static void unescape(char *name)
{
    for (char *from = name;; from++) {
        if (from[0] == '\\' && from[1] == '/') from++;
        *name++ = *from;
        if (!*from) return;
    }
}

/* The name that the request asked for; a model in the target's body stands in place of ours. */
static const char *asked_name(const struct stage *st, const struct request *r, size_t *ret_n)
{
    const struct plan_target *t = &st->plan->target;
    const char *own = t->body ? model_name_find(t->body, strlen(t->body), ret_n) : NULL;
    if (own) return own;
    const char *name = t->n_models ? t->models[r->choice.model].name : "";
    *ret_n = strlen(name);
    return name;
}

static void take_model(struct stage *st, const struct request *r, struct remark *mark)
{
    char named[160], asked[160];
    struct stream_look *look = &st->look;
    size_t n, named_n = look->n[REMARK_OTHER_MODEL];
    const char *name = asked_name(st, r, &n);
    if (n == named_n && memcmp(name, look->bytes[REMARK_OTHER_MODEL], n) == 0) /* as in nearly all answers */
        look->n[REMARK_OTHER_MODEL] = 0;
    if (!take(st, REMARK_OTHER_MODEL, named, sizeof named) || st->plan->target.n_models == 0) return;
    (void)snprintf(asked, sizeof asked, "%.*s", (int)n, name);
    unescape(asked);
    unescape(named);
    if (!asked[0] || model_name_is_same(asked, named)) return;
    st->rec.snap->counters[COUNTER_OTHER_MODEL]++;
    (void)snprintf(mark->text, sizeof mark->text, "asked for %s, answered by %s", asked, named);
    put(st, REMARK_OTHER_MODEL, mark);
}

void stage_take_remarks(struct stage *st, const struct request *r, int64_t at)
{
    static const enum remark_kind EVENTS[] = {REMARK_UNKNOWN_EVENT, REMARK_USAGE_UNREAD, REMARK_FINISH_OTHER};
    struct remark mark = {.at_ns = at - st->t0};
    st->look.is_new = false;
    for (size_t i = 0; i < sizeof EVENTS / sizeof *EVENTS; i++)
        if (take(st, EVENTS[i], mark.text, sizeof mark.text)) put(st, EVENTS[i], &mark);
    take_model(st, r, &mark);
}
