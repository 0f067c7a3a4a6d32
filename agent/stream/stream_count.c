/* How many tokens a stream came to: what the server counts, as far as it is believed, and what came. */
#include "agent/stream/stream.h"

#define BELIEVED_PER_EVENT 64u
#define BELIEVED_THOUGHT 131072u /* no limit of output tokens need hold for reasoning */
#define BELIEVED_INPUT_FACTOR 8u /* the server adds chat templates, tools and system prompts of its own … */
#define BELIEVED_INPUT_MORE 65536u

static bool is_likely(const struct stream *s, uint64_t n)
{
    return n <= s->asked_tokens + s->asked_tokens / 10 + 16 || n <= (uint64_t)s->events * BELIEVED_PER_EVENT;
}

/* Each event's usage is of that event alone: a sum would be as great as the number of events at least. Or it came
 * once, before the text. */
static bool stands_still(const struct stream *s)
{
    bool runs = s->counted_first != STREAM_NOT_SAID && s->counted != STREAM_NOT_SAID && s->counted > 0;
    runs |= s->usage_at <= s->events / 2;
    uint32_t visible = s->events - s->thoughts; /* reasoning may be left out */
    return runs && visible >= STREAM_FALLS_LEAST && s->usage_out <= visible / 2;
}

static bool is_believed(const struct stream *s)
{
    uint64_t n = s->usage_out;
    if (s->fell || stands_still(s)) return false;
    /* of several answers: llama.cpp counts each in a usage of its own, and none is the sum */
    if (s->dialect->choices > 1 && n < s->events) return false;
    return is_likely(s, n);
}

/* The most bytes that the text of the answer can have. */
static uint64_t text_most(const struct stream *s)
{
    uint64_t other = s->beside + (uint64_t)s->frame * s->events;
    return s->bytes > other ? s->bytes - other : 0;
}

/* A limit is not passed, and a token has a byte at least. */
static bool is_doubtful(const struct stream *s, uint64_t n)
{
    uint64_t asked = s->asked_tokens, most = text_most(s);
    bool limit = !s->dialect->unlimited && asked > 0 && n > asked + asked / 10 + 16;
    return (limit && n > s->events + s->events / 10u + 16) || n > most + most / 10 + 16;
}

/* Tokens after the first token event. */
static uint32_t count_suffix(const struct stream *s, const struct stream_tokens *n)
{
    uint32_t first = s->counted_first, seen = n->seen, events = s->events;
    if (events < 2) return 0;
    if (!n->counted || first == STREAM_NOT_SAID || first == 0)
        return seen - (uint32_t)(((uint64_t)seen + events / 2) / events);
    uint32_t rest = first < s->usage_out ? s->usage_out - first : 0; /* what is hidden came before it */
    return rest < seen ? rest : seen;
}

/* Usage that is not taken, and why. */
static void count_doubts(const struct stream *s, uint64_t input_most, bool counts, struct stream_tokens *ret)
{
    if (s->usage_in > input_most) ret->doubted_in = s->usage_in;
    if (s->usage_cached > ret->input) ret->doubted_cached = s->usage_cached;
    if (!ret->counted && counts) {
        ret->fell = s->fell;
        ret->zero = s->usage_out == 0 && s->end && s->events > 0;
        if (!s->fell) ret->doubted_out = s->usage_out;
    }
    ret->doubted |= ret->doubted_in || ret->doubted_cached || ret->doubted_out || ret->fell || ret->zero;
}

/* What usage's own total has beyond its input and output tokens. Of several answers it may be of another one. */
static uint32_t beyond(const struct stream *s)
{
    uint64_t parts = (uint64_t)s->usage_in + s->usage_out;
    return s->dialect->choices <= 1 && s->usage_total > parts ? (uint32_t)(s->usage_total - parts) : 0;
}

/* Tokens of reasoning that usage's output tokens leave out: by its own numbers, or by what came. */
static uint32_t left_out(const struct stream *s)
{
    uint32_t n = s->usage_out, visible = s->events - s->thoughts, told = s->usage_thought;
    bool less = s->thoughts > 0 && visible > 0 && n < s->events && n <= visible + visible / 10;
    if (told > 0 && s->dialect->thoughts_apart) return 0;                       /* added already */
    if (told > 0 && told == beyond(s) && told <= BELIEVED_THOUGHT) return told; /* its sum says so, as xAI's does */
    if ((told > n || (told > 0 && less)) && is_likely(s, (uint64_t)n + told)) return told;
    return less ? s->thoughts : 0;
}

#define SUMMARY_FACTOR 2u /* reasoning counted so far beyond what came of it was not shown, or as a summary */

/* Tokens of reasoning among `n` that no event showed. Events of a summary hold as many tokens as those of the text. */
static uint32_t hidden(const struct stream *s, uint32_t n)
{
    uint32_t told = s->usage_thought, visible = s->events - s->thoughts;
    if (told >= n || s->thoughts == 0) return told < n ? told : 0;
    uint64_t text = n - told, came = visible ? s->thoughts * (text > visible ? text : visible) / visible : told;
    return told > SUMMARY_FACTOR * came + 16 ? told - (uint32_t)came : 0;
}

/* What usage counts. It may leave out the tokens of reasoning, and the stream may. */
static void count_usage(const struct stream *s, struct stream_tokens *ret)
{
    uint32_t left = left_out(s), n = s->usage_out + left, shown = n - hidden(s, n), more = beyond(s);
    if (more > left) ret->beyond = more - left;
    ret->made = ret->seen = n;
    if (shown < n) ret->seen = shown > s->events ? shown : s->events < n ? s->events : n;
}

static void count_all(const struct stream *s, struct stream_tokens *ret)
{
    bool counts = !s->dialect->no_tokens, whole = counts && s->dialect->whole;
    *ret = (struct stream_tokens){.made = s->events, .seen = s->events, .input = s->prompt_tokens};
    ret->doubted = ret->unread = s->unread;
    ret->unknown = whole;
    ret->input_asked = true;
    if (whole || !counts) ret->made = ret->seen = 0;
    if (!s->usage) return;
    uint64_t input_most = (uint64_t)s->prompt_tokens * BELIEVED_INPUT_FACTOR + BELIEVED_INPUT_MORE;
    ret->input_asked = s->usage_in == 0 || s->usage_in > input_most;
    if (!ret->input_asked) ret->input = s->usage_in;
    if (s->usage_cached <= ret->input) ret->cached = s->usage_cached;
    ret->counted = s->usage_out > 0 && counts && is_believed(s);
    ret->unknown = whole && !ret->counted;
    count_doubts(s, input_most, counts, ret);
    if (ret->counted) count_usage(s, ret);
    ret->over = ret->counted && is_doubtful(s, ret->seen);
}

void stream_count(const struct stream *s, struct stream_tokens *ret)
{
    count_all(s, ret);
    ret->suffix = count_suffix(s, ret);
}
