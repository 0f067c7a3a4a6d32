#include "coordinator/answer/stream_words.h"

#include <math.h>
#include <string.h>

#include "common/human.h"
#include "common/plan/plan_api.h"
#include "common/text.h"
#include "coordinator/answer/answer_say.h"
#include "coordinator/answer/lengths.h"
#include "coordinator/answer/verdict.h"

#define LENGTH_OFF 0.1         /* lengths further from what was asked for are reported */
#define TEMPLATE_TOKENS 32     /* a chat template may add so many to any prompt */
#define ENDS_TELL 0.01         /* of the answers that ended in a way that changes what the numbers mean */
#define GATHERED_TELL 0.1      /* of the token events, or of the answers */
#define MOSTLY_GATHERED 0.5    /* of the token events: a buffer, and not what piled up for once */
#define BUFFERED 0.33          /* of the token events: a rule of what sends them, which two at a time are too */
#define AGAIN_TELL 2           /* times that each record was sent */
#define UNKNOWN_TELL 0.01      /* events per request that no API knows, before they are said */
#define FIRST_MOST 200         /* bytes of the server's words; the reports have all of them */
#define COMPLETIONS_DEFAULT 16 /* tokens, where a request of OpenAI's completions has no limit */
#define AFTER_TELL 0.1         /* of a slot's time without a token at its end */
#define AFTER_MORE_MS 10

static bool off(const struct answer_length *l, double least)
{
    return l->asked > 0 && l->got > 0 && fabs(l->got / l->asked - 1) > LENGTH_OFF && fabs(l->got - l->asked) > least;
}

/* Usage counts less than what came. */
static bool usage_is_short(const struct answer *a)
{
    return a->events_tokens > 0 && (double)a->events > (1 + LENGTH_OFF) * (double)a->events_tokens;
}

/* A point's verdict says it. */
static bool usage_is_reason(const struct point *points, size_t n)
{
    for (size_t i = 0; i < n; i++)
        for (uint32_t k = 0; k < points[i].verdict.n_reasons; k++)
            if (strstr(points[i].verdict.reason[k], "usage cannot be right")) return true;
    return false;
}

/* The server's own words; the reports have all of them. */
static void say_example(struct answer *a, const char *before, enum remark_kind kind)
{
    char words[FIRST_MOST + 4];
    if (a->remark[kind]) answer_say(a, "%s: \"%s\". ", before, text_cut(a->remark[kind]->text, FIRST_MOST, words));
}

/* Several tokens an event, or text where plateau does not look: what is divided by usage is then not what was seen. */
static void say_pace(struct answer *a)
{
    char n[HUMAN_THINGS_MAX];
    bool unknown = (double)a->counters[COUNTER_UNKNOWN_EVENTS] > UNKNOWN_TELL * (double)a->requests;
    if (!a->events_paced || (double)a->tokens_seen <= (1 + LENGTH_OFF) * (double)a->events_paced) return;
    answer_say(a, "Usage counts %s, ", human_things((double)a->tokens_seen, "output token", n));
    answer_say(a, "and text came in %s: token/s, lengths and TPOT follow usage",
               human_things((double)a->events_paced, "event", n));
    answer_say(a,
               unknown ? "; TPOT is too short, and TTFT may be too long, where the unknown events hold text. " : ". ");
}

/* What the server counts is believed within reason; where it is not, or is not what came, that is said. */
static void say_counts(const struct point *points, size_t n_points, struct answer *a)
{
    char n[HUMAN_THINGS_MAX];
    if ((double)a->tokens_seen < (1 - LENGTH_OFF) * (double)a->tokens) {
        answer_say(a, "Usage counts %s", human_things((double)a->tokens, "output token", n));
        answer_say(
            a,
            ", and %s came in events: the others, such as hidden reasoning, are in token/s and in no gap between "
            "tokens. ",
            human_count(a->tokens_seen, n));
    }
    if (usage_is_short(a)) {
        answer_say(a, "Usage counts %s", human_things((double)a->events_tokens, "output token", n));
        answer_say(a, ", though text came in %s: token/s and lengths follow usage. ",
                   human_things((double)a->events, "event", n));
    }
    if ((double)a->counters[COUNTER_USAGE_BEYOND] > LENGTH_OFF * (double)a->tokens)
        answer_say(a,
                   "The total of usage has %s beyond its input and output tokens, such as hidden reasoning or a cached "
                   "prompt: no figure holds them. ",
                   human_things((double)a->counters[COUNTER_USAGE_BEYOND], "token", n));
    say_pace(a);
    uint64_t doubted = a->counters[COUNTER_USAGE_DOUBTED], unknown = a->counters[COUNTER_UNKNOWN_EVENTS];
    if (doubted && !usage_is_reason(points, n_points)) {
        char what[VERDICT_USAGE_WORDS];
        answer_say(a, "The usage of %s cannot be right and was not taken: %s. ",
                   human_things((double)doubted, "request", n), verdict_usage_words(a->counters, what, sizeof what));
    }
    if (a->remark[REMARK_USAGE_UNREAD]) say_example(a, "The first usage that cannot be read", REMARK_USAGE_UNREAD);
    if ((double)unknown > UNKNOWN_TELL * (double)a->requests) {
        answer_say(a, "%s %s nothing that this API knows. ", human_things((double)unknown, "event", n),
                   unknown == 1 ? "is" : "are");
        say_example(a, "The first", REMARK_UNKNOWN_EVENT);
    }
}

/* Without usage a token event stands for a token, and an answer that is not streamed for nothing. */
static void say_no_usage(const struct plan *plan, struct answer *a)
{
    char n[HUMAN_MAX], all[HUMAN_THINGS_MAX];
    uint64_t none = a->counters[COUNTER_USAGE_NONE];
    if (!((double)none > ENDS_TELL * (double)a->answered)) return;
    answer_say(a, "%s of %s came without usage: ", human_count(none, n),
               human_things((double)a->answered, "answer", all));
    answer_say(a, plan->target.whole ? "how many tokens they have is not known, and no figure of tokens holds them. "
                                     : "each of their events is counted as one token, though it may hold several. ");
}

/* Throughput of the input then rests on the plan's lengths. */
static void say_input(struct answer *a)
{
    char n[HUMAN_MAX], all[HUMAN_THINGS_MAX];
    uint64_t asked = a->counters[COUNTER_INPUT_ASKED];
    if (!((double)asked > ENDS_TELL * (double)a->answered)) return;
    answer_say(a, "The input tokens of %s of %s are those that the plan asks for: usage gives none, or 0. ",
               human_count(asked, n), human_things((double)a->answered, "answer", all));
}

/* How answers ended, where that is more than their API's marker and what was asked for. */
static void say_ends(const struct plan *plan, struct answer *a)
{
    char n[HUMAN_MAX], all[HUMAN_THINGS_MAX];
    uint64_t unmarked = a->counters[COUNTER_ENDED_BY_BODY] + a->counters[COUNTER_ENDED_BY_FINISH];
    (void)human_things((double)a->answered, "answer", all);
    if (plan->target.end == END_AUTO && !plan->target.whole && a->answered && !unmarked)
        answer_say(a, "Answers ended with the end marker of their API (target.end: auto). ");
    if (unmarked)
        answer_say(a, "%s of %s ended without the end marker of their API, with %s (target.end: auto). ",
                   human_count(unmarked, n), all,
                   a->counters[COUNTER_ENDED_BY_FINISH] > a->counters[COUNTER_ENDED_BY_BODY] ? "their finish reason"
                                                                                             : "their body");
    if ((double)a->counters[COUNTER_SHORT_BY_LENGTH] > ENDS_TELL * (double)a->answered)
        answer_say(
            a,
            "%s of %s reached a limit of tokens before the one that was asked for: the server has its own, such as the "
            "context. ",
            human_count(a->counters[COUNTER_SHORT_BY_LENGTH], n), all);
    if ((double)a->counters[COUNTER_FROM_CACHE] > ENDS_TELL * (double)a->answered)
        answer_say(a,
                   "%s of %s came from a cache before the server, as their headers say (such as x-cache: HIT): what is "
                   "measured of them is that cache. ",
                   human_count(a->counters[COUNTER_FROM_CACHE], n), all);
    if ((double)a->counters[COUNTER_NO_TEXT] > LENGTH_OFF * (double)a->answered)
        answer_say(a, "%s of %s had no visible text, only reasoning or tool calls. ",
                   human_count(a->counters[COUNTER_NO_TEXT], n), all);
    if ((double)a->counters[COUNTER_REFUSALS] > ENDS_TELL * (double)a->answered)
        answer_say(a, "%s of %s refused to answer, in a text that says so (refusal): they count as ok. ",
                   human_count(a->counters[COUNTER_REFUSALS], n), all);
    (void)human_things((double)a->requests, "answer", all); /* those that failed have a reason too */
    if ((double)a->counters[COUNTER_FINISH_OTHER] > ENDS_TELL * (double)a->requests) {
        answer_say(a, "%s of %s ended with a finish reason that plateau does not know%s",
                   human_count(a->counters[COUNTER_FINISH_OTHER], n), all, a->remark[REMARK_FINISH_OTHER] ? "" : ". ");
        say_example(a, "", REMARK_FINISH_OTHER);
    }
    if ((double)a->counters[COUNTER_FINISH_FILTER] > ENDS_TELL * (double)a->answered)
        answer_say(a, "%s of %s were ended by a content filter. ", human_count(a->counters[COUNTER_FINISH_FILTER], n),
                   all);
}

static void say_other_model(struct answer *a)
{
    char n[HUMAN_MAX], all[HUMAN_THINGS_MAX];
    if (!a->remark[REMARK_OTHER_MODEL]) return;
    answer_say(a, "A model of another name answered");
    if (a->counters[COUNTER_OTHER_MODEL])
        answer_say(a, " %s of %s", human_count(a->counters[COUNTER_OTHER_MODEL], n),
                   human_things((double)a->requests, "request", all));
    answer_say(a, ": %s. ", a->remark[REMARK_OTHER_MODEL]->text);
}

/* Then nothing is known of the times between tokens. */
static void say_at_once(struct answer *a)
{
    char n[HUMAN_MAX], all[HUMAN_THINGS_MAX];
    answer_say(a,
               "%s of %s came all at once: a proxy buffers the stream, a cache answers, or the server sends whole "
               "answers. Their TTFT is the "
               "time of the whole answer, and they have no TPOT and no ITL. ",
               human_count(a->counters[COUNTER_AT_ONCE], n), human_things((double)a->answered, "answer", all));
}

/* What had piled up while answers stopped comes together when they go on: that is no buffer, which gathers most of all
 * events. */
static bool stalls_gather(const struct answer *a)
{
    const struct stalls *s = &a->stalls;
    if (!s->at || !(s->usual_ms > 0) || a->gathered > MOSTLY_GATHERED) return false;
    double piled = (double)s->gaps * (1 + s->more) * 1e3 * s->longest_s / s->usual_ms;
    return (double)a->counters[COUNTER_GATHERED] <= piled;
}

/* The gaps between tokens are then those of a buffer. */
static void say_gathered(struct answer *a)
{
    if ((double)a->counters[COUNTER_AT_ONCE] > GATHERED_TELL * (double)a->answered) {
        say_at_once(a);
        return;
    }
    if (!(a->gathered > GATHERED_TELL) || stalls_gather(a)) return;
    if (a->gathered > BUFFERED)
        answer_say_percent(
            a, "", a->gathered,
            " of the token events came in one read with the one before: a proxy buffers the stream, or the server "
            "sends several at once. TTFT and the gaps between tokens are the buffer's. ");
    else
        answer_say_percent(a, "", a->gathered,
                           " of the token events came in one read with the one before: the server, or something in "
                           "front of it, now and then held tokens back and sent several at once. The gaps between "
                           "tokens are in part those. ");
}

/* Gateways send a blank at once, and some servers begin all answers before they continue any. */
static void say_first_alone(struct answer *a)
{
    char n[3][HUMAN_MAX], all[HUMAN_THINGS_MAX];
    uint64_t alone = a->counters[COUNTER_FIRST_ALONE];
    if (!((double)alone > GATHERED_TELL * (double)a->answered)) return;
    double first = (double)a->counters[COUNTER_FIRST_ALONE_TTFT_NS] / 1e6 / (double)alone;
    double second = first + (double)a->counters[COUNTER_FIRST_ALONE_GAP_NS] / 1e6 / (double)alone;
    answer_say(a,
               "In %s of %s the first token event came alone, after %s ms on average, and the second after %s ms: TTFT "
               "tells when an answer begins, and not when its text comes. ",
               human_count(alone, n[0]), human_things((double)a->answered, "answer", all), human_number(first, n[1]),
               human_number(second, n[2]));
}

/* One gap among thousands is in no percentile, and its user has seen it. */
static void say_stalls(struct answer *a)
{
    const struct stalls *s = &a->stalls;
    char n[HUMAN_THINGS_MAX], answers[HUMAN_THINGS_MAX], load[LOAD_LABEL];
    if (!s->at || (a->gathered > GATHERED_TELL && !stalls_gather(a)))
        return; /* the gaps are a buffer's, which is said */
    if ((double)a->counters[COUNTER_FIRST_ALONE] > GATHERED_TELL * (double)a->answered) return; /* so are these */
    answer_say(a, "Answers stopped in the middle: in stage %u (load %s) %s", s->at->stage + 1,
               load_label(&s->at->requested, load), human_things((double)s->gaps, "gap", n));
    answer_say_number(a, " of ", s->least_s, " s and more");
    answer_say(a, " in %s", human_things((double)s->answers, "answer", answers));
    answer_say_number(a, ", the longest ", s->longest_s, " s");
    answer_say_number(a, ", where half of all gaps are below ", s->usual_ms, " ms");
    if (s->at_once) answer_say(a, "; half of the streams and more stopped at once");
    if (s->hidden) answer_say_number(a, "; the p99 of ", s->p99_ms, " ms does not show them");
    if (s->more) answer_say(a, "; the same in %s", human_things(s->more, "other stage", n));
    answer_say(a, ". ");
}

static void say_tokens(struct answer *a, const char *before, double n)
{
    char b[HUMAN_THINGS_MAX];
    answer_say(a, "%s%s", before, human_things(n, "token", b));
}

/* Where the others fail or are taken back, latencies are those of short requests. */
static void say_others(struct answer *a, const char *what, const struct answer_length *l)
{
    char n[HUMAN_THINGS_MAX];
    if (!(l->planned > 0)) return;
    answer_say(a, "Requests that ended well had asked for %s", human_things(l->asked, what, n));
    answer_say_number(a, " on average, all of them for ", l->planned,
                      l->asked < l->planned ? ": figures are those of the shorter ones. "
                                            : ": figures are those of the longer ones. ");
}

/* Answers are then as long as the server likes, and no other server's need be as long. */
static void say_unasked(const struct plan *plan, struct answer *a)
{
    char n[HUMAN_MAX], all[HUMAN_THINGS_MAX];
    uint64_t unasked = a->counters[COUNTER_WIN_UNASKED_OUT], ok = a->counters[COUNTER_WIN_OK];
    double got = a->length.output.got;
    if (!((double)unasked > LENGTH_OFF * (double)ok) || !(got > 0)) return;
    answer_say(a, "%s of %s asked for no length: ", human_count(unasked, n), human_things((double)ok, "request", all));
    say_tokens(a, "answers had ", got);
    answer_say(a, plan->target.api == API_OPENAI_COMPLETIONS && got <= COMPLETIONS_DEFAULT + 1
                      ? " on average, and servers of openai-completions end them at 16 where no limit is sent. "
                      : " on average, as many as model and server like. ");
}

static void say_lengths(const struct plan *plan, struct answer *a)
{
    say_others(a, "output token", &a->length.output);
    say_others(a, "input token", &a->length.input);
    if (off(&a->length.output, 0)) {
        char n[HUMAN_THINGS_MAX];
        say_tokens(a, "Answers had ", a->length.output.got);
        if (usage_is_short(a))
            answer_say(a, " by usage and %s with text",
                       human_things(a->length.output.got * (double)a->events / (double)a->events_tokens, "event", n));
        answer_say_number(
            a, " on average, ", a->length.output.asked,
            plan_target_limit(&plan->target)
                ? plan->target.template.body ? " asked for in target.template.body. " : " asked for in target.body. "
            : !plan_target_limits(&plan->target) ? " in the plan, whose requests carry another limit or none. "
            : usage_is_short(a)                  ? " tokens asked for. "
                                                 : " asked for. ");
    } else {
        say_unasked(plan, a);
    }
    if (off(&a->length.input, a->length.input.got < a->length.input.asked ? 0 : TEMPLATE_TOKENS)) {
        say_tokens(a, "Prompts had ", a->length.input.got);
        answer_say_number(a, " on average, ", a->length.input.asked,
                          a->length.input_cut ? " were sent: the server leaves a part of them out. "
                                              : lengths_source(plan, a->length.input.got > a->length.input.asked));
    }
}

/* A slot that waits for the response's end gives no tokens: throughput is lower than the tokens' times let expect. */
static void say_after(struct answer *a)
{
    if (!(a->after_share >= AFTER_TELL)) return;
    answer_say_number(a, "After the last token a slot stays taken for ", a->after_ms, " ms on average");
    answer_say_percent(a, ", ", a->after_share, " of its time");
    if (a->open_ms > a->after_ms + AFTER_MORE_MS)
        answer_say_number(a, "; the response stays open for ", a->open_ms, " ms. ");
    else
        answer_say(a, ", until the response ends. ");
}

/* Prompts that come again are what prompt and answer caches live by; whether the users' come again so is for the
 * reader. */
static void say_again(struct answer *a)
{
    char n[HUMAN_THINGS_MAX];
    if (!(a->records_sent >= AGAIN_TELL)) return;
    answer_say(a, "Each of the %s of the data set was asked for ", human_things(a->records, "record", n));
    answer_say_number(a, "", a->records_sent, " times on average: where a prompt comes again, a cache may answer. ");
}

void stream_words(const struct plan *plan, const struct point *points, size_t n, struct answer *a)
{
    say_again(a);
    say_lengths(plan, a);
    say_no_usage(plan, a);
    say_input(a);
    say_counts(points, n, a);
    say_other_model(a);
    say_after(a);
    say_ends(plan, a);
    say_gathered(a);
    say_first_alone(a);
    say_stalls(a);
}
