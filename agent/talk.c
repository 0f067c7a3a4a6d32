#include "agent/talk.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TALK_STREAM = 18, TALK_NAMES }; /* own branches of the stage's seed */
#define TALK_TEXT_MAX (64u << 20)
#define CHARS_PER_TOKEN 4u /* of English text, roughly, as for data sets */

struct talk *talks_begin(struct talks *t, const struct plan_sessions *p, uint64_t seed)
{
    struct talk *k = t->ended;
    if (k)
        t->ended = k->next;
    else if (!(k = calloc(1, sizeof *k)) || due_heap_reserve(&t->thinking, t->made + 1)) {
        free(k);
        return NULL;
    } else
        t->made++;
    struct talk kept = *k;
    *k = (struct talk){.text = kept.text, .messages = kept.messages, .said = kept.said, .room = kept.room};
    k->text.max = TALK_TEXT_MAX;
    buf_reset(&k->text);
    k->due.owner = k;
    k->plan = p;
    k->number = ++t->begun;
    t->open++;
    (void)snprintf(k->name, sizeof k->name, "%016" PRIx64, rng_mix(seed, TALK_NAMES, 0, k->number));
    rng_seed(&k->rng, rng_mix(seed, TALK_STREAM, 0, k->number));
    double turns = dist_sample(&p->turns, &k->rng);
    k->turns = turns >= 1 ? (uint32_t)(turns + 0.5) : 0;
    return k;
}

static int say(struct talk *k, const char *role, const char *text, size_t n, bool escaped)
{
    if (k->n == k->room) {
        uint32_t room = k->room ? 2 * k->room : 8;
        struct talk_message *m = realloc(k->messages, room * sizeof *m);
        if (m) k->messages = m;
        struct dialect_message *said = realloc(k->said, room * sizeof *said);
        if (said) k->said = said;
        if (!m || !said) return -1;
        k->room = room;
    }
    k->messages[k->n] = (struct talk_message){.role = role, .at = k->text.len, .len = n, .escaped = escaped};
    if (n && buf_put(&k->text, text, n)) return -1;
    k->n++;
    return 0;
}

static bool is_user(const struct dialect_message *m)
{
    return strcmp(m->role, "user") == 0;
}

/* Of a recorded conversation: the message of the user's turn number `turn`, and the answer after it. */
static size_t find_turn(const struct dialect_request *r, uint32_t turn)
{
    size_t i = 0;
    for (uint32_t n = 0; i < r->n_messages; i++)
        if (is_user(&r->messages[i]) && ++n == turn) break;
    return i;
}

static uint32_t turns_of(const struct dialect_request *r)
{
    uint32_t n = 0;
    for (size_t i = 0; i < r->n_messages; i++)
        n += is_user(&r->messages[i]);
    return n;
}

static uint32_t tokens_of(size_t chars)
{
    return (uint32_t)((chars + CHARS_PER_TOKEN - 1) / CHARS_PER_TOKEN);
}

/* All that was said so far, as a request takes it. */
static void show(struct talk *k, struct dialect_request *r)
{
    for (uint32_t i = 0; i < k->n; i++) {
        const struct talk_message *m = &k->messages[i];
        k->said[i] = (struct dialect_message){
            .role = m->role, .text = buf_str(&k->text) + m->at, .len = m->len, .escaped = m->escaped};
    }
    r->messages = k->said;
    r->n_messages = k->n;
}

/* What the server knows of this prompt is the one before, and what it answered; of the first turn its source says it.
 */
static void take_known(struct talk *k, struct dialect_request *r, uint32_t input)
{
    if (k->turn > 1) r->repeated = k->known;
    k->sent = k->known = input;
}

/* A record of several turns: the answer asked for is as long as the recorded one, unless the plan sets a length. */
static int recorded_turn(struct talk *k, struct dialect_request *r, uint32_t *input)
{
    size_t at = find_turn(r, k->turn), chars = 0;
    const struct dialect_message *asked = &r->messages[at], *answer = at + 1 < r->n_messages ? asked + 1 : NULL;
    if (!k->plan->recorded) {
        for (size_t i = 0; k->turn == 1 && i < at; i++)
            if (say(k, r->messages[i].role, r->messages[i].text, r->messages[i].len, false)) return -1;
        if (say(k, "user", asked->text, asked->len, false)) return -1;
        k->tokens += tokens_of(asked->len);
        *input = k->tokens;
    } else {
        for (size_t i = 0; i <= at; i++)
            chars += r->messages[i].len;
        *input = tokens_of(chars);
    }
    take_known(k, r, *input);
    if (r->output_tokens == 0 && answer && strcmp(answer->role, "assistant") == 0)
        r->output_tokens = tokens_of(answer->len);
    if (k->plan->recorded)
        r->n_messages = at + 1;
    else
        show(k, r);
    return 0;
}

int talk_turn(struct talk *k, struct dialect_request *r, uint32_t *input)
{
    uint32_t recorded = turns_of(r);
    k->turn++;
    if (recorded > 1 || r->n_messages > 1) {
        if (k->turns == 0 || k->turns > recorded) k->turns = recorded;
        return recorded_turn(k, r, input);
    }
    if (k->turns == 0) k->turns = 1;
    if (say(k, "user", r->messages[0].text, r->messages[0].len, false)) return -1;
    k->tokens += *input;
    *input = k->tokens;
    take_known(k, r, *input);
    show(k, r);
    return 0;
}

bool talk_answered(struct talk *k, const struct buf *answer, uint32_t output_tokens)
{
    if (k->turn >= k->turns) return false;
    if (k->plan->recorded) return true;
    k->tokens += output_tokens;
    k->known = k->tokens;
    return !answer->bad && say(k, "assistant", buf_str(answer), answer->len, true) == 0;
}

void talk_forget(struct talk *k)
{
    k->known = k->sent;
}

int64_t talk_think(struct talk *k)
{
    double ns = dist_sample(&k->plan->think_time, &k->rng);
    return ns > 0 ? (int64_t)ns : 0;
}

void talks_wait(struct talks *t, struct talk *k, int64_t at)
{
    due_heap_add(&t->thinking, &k->due, at);
}

struct talk *talks_due(struct talks *t, int64_t now)
{
    struct due_entry *e = due_heap_first(&t->thinking);
    if (!e || e->at > now) return NULL;
    due_heap_remove(&t->thinking, e);
    return e->owner;
}

void talks_end(struct talks *t, struct talk *k)
{
    due_heap_remove(&t->thinking, &k->due);
    k->n = 0;
    k->next = t->ended;
    t->ended = k;
    t->open--;
}

void talks_restart(struct talks *t)
{
    for (struct due_entry *e; (e = due_heap_first(&t->thinking)) != NULL;)
        talks_end(t, e->owner);
    t->begun = 0;
}

void talks_clear(struct talks *t)
{
    talks_restart(t);
    for (struct talk *k; (k = t->ended) != NULL;) {
        t->ended = k->next;
        buf_clear(&k->text);
        free(k->messages);
        free(k->said);
        free(k);
    }
    due_heap_clear(&t->thinking);
    *t = (struct talks){0};
}
