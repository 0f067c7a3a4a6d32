/* What a stage keeps of the answers that it sees, beside what is counted (common/remark.def), and which secrets must
 * not be in it. */
#include <stdio.h>
#include <string.h>

#include "agent/stage.h"
#include "agent/stream/model_name.h"
#include "common/text.h"

#define RETRY_WORDS 560  /* bytes of the words of a try that is sent again */
#define WORDS_MOST 160   /* bytes of the words of each status */
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
    st->firsts.n = 0;
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

/* Labels hold several statuses, whose causes differ. Is this the first other one, and can its words be had? */
static bool is_other_status(const struct stage *st, const struct request *r, const struct failure_sample *s)
{
    const struct failure_sample *first = failure_samples_find(&st->firsts, s->label);
    bool heard = !st->wording.who || st->wording.who == r;
    return heard && !st->look.kept[REMARK_OTHER_STATUS] && s->status && first && first->status &&
           s->status != first->status;
}

/* Both, since another worker may have seen them the other way round. */
static void put_status(struct stage *st, const struct failure_sample *s)
{
    const struct failure_sample *first = failure_samples_find(&st->firsts, s->label);
    struct remark mark = {.at_ns = s->at_ns};
    char words[2][WORDS_MOST + 4];
    (void)snprintf(mark.text, sizeof mark.text, "status %u, \"%s\", and status %u, \"%s\"", (unsigned)first->status,
                   text_cut(first->text, WORDS_MOST, words[0]), (unsigned)s->status,
                   text_cut(s->text, WORDS_MOST, words[1]));
    put(st, REMARK_OTHER_STATUS, &mark);
}

void stage_take_failure(struct stage *st, struct request *r, enum failure label, int64_t at)
{
    struct wording_secret secrets[STAGE_SECRETS];
    struct failure_sample s = {.label = label, .at_ns = at - st->t0};
    long status = r->transfer.status;
    s.status = status > 0 && status <= 999 ? (uint32_t)status : 0;
    bool wanted = wording_wants(&st->wording, r, label), other = !wanted && is_other_status(st, r, &s);
    if (!wanted && !other) return;
    size_t n = stage_secrets(st->tr->target, secrets);
    memcpy(s.address, st->tr->target->address[r->transfer.address].text, sizeof s.address);
    wording_take(&st->wording, r, secrets, n, r->transfer.why ? r->transfer.why : r->stream.why, &s);
    if (other) {
        put_status(st, &s);
        return;
    }
    (void)failure_samples_put(&st->firsts, &s);
    (void)failure_samples_put(&st->rec.snap->failures, &s);
}

void stage_take_retry(struct stage *st, struct request *r, enum failure label, int64_t at)
{
    enum remark_kind kind = (enum remark_kind)(REMARK_RETRIED_FIRST + (int)label);
    struct wording *w = &st->wording;
    if (st->look.kept[kind] || (w->who && w->who != r)) return; /* another one's words are being heard */
    struct wording_secret secrets[STAGE_SECRETS];
    struct failure_sample s = {.label = label, .status = (uint32_t)r->transfer.status};
    struct remark mark = {.at_ns = at - st->t0};
    bool seen = w->seen[label], done = w->done[label]; /* of requests that failed for good */
    size_t n = stage_secrets(st->tr->target, secrets), len = 0;
    wording_take(w, r, secrets, n, r->transfer.why ? r->transfer.why : r->stream.why, &s);
    w->seen[label] = seen;
    w->done[label] = done;
    if (s.status) len = (size_t)snprintf(mark.text, sizeof mark.text, "status %u", (unsigned)s.status);
    if (s.text[0])
        (void)snprintf(mark.text + len, sizeof mark.text - len, "%s\"%s\"", len ? ", " : "",
                       text_cut(s.text, RETRY_WORDS, (char[RETRY_WORDS + 4]){0}));
    if (mark.text[0]) put(st, kind, &mark);
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

void stage_hear_event(struct stage *st, struct request *r)
{
    if (!r->stream.error && !r->stream.malformed && st->pool->said_n == 0) return;
    wording_hear_event(&st->wording, r, st->pool->said, st->pool->said_n);
}

void stage_hear(struct stage *st, struct request *r, const char *bytes, size_t n, bool good)
{
    const struct stream *s = &r->stream;
    if (s->t.first_event == 0)
        wording_hear(&st->wording, r, bytes, n); /* the body may be no stream */
    else if (good && (s->error || s->malformed || (s->finish && s->events == 0)))
        stage_hear_event(st, r);
    else if (good && st->wording.who == r)
        wording_drop(&st->wording, r);
}
