#include "agent/probe_words.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/stream/model_name.h"
#include "agent/wording.h"
#include "common/clock.h"
#include "common/failure_sample.h"
#include "common/human.h"
#include "common/plan/plan_api.h"
#include "common/text.h"
#include "common/url.h"

#define WORDS_MOST 400 /* bytes of the answer's words in an error */

void probe_words_header(struct probe_seen *s, const char *name, size_t name_n, const char *value, size_t value_n)
{
    if (text_is_word(name, name_n, "content-type")) failure_words(s->type, sizeof s->type, value, value_n);
    if (text_is_word(name, name_n, "content-encoding")) failure_words(s->encoding, sizeof s->encoding, value, value_n);
    if (text_is_word(name, name_n, "server")) failure_words(s->server, sizeof s->server, value, value_n);
    if (text_is_word(name, name_n, "location")) failure_words(s->location, sizeof s->location, value, value_n);
    if (text_is_word(name, name_n, "retry-after")) failure_words(s->retry_after, sizeof s->retry_after, value, value_n);
    if (wording_is_limit(name, name_n)) wording_add_header(s->limits, sizeof s->limits, name, name_n, value, value_n);
}

/* ---- lines ---- */

static double ms(int64_t ns)
{
    return (double)ns / 1e6;
}

static void put_tokens(const struct probe_seen *s, struct buf *out)
{
    if (s->first_token_ns >= 0 && s->events > 0)
        (void)buf_printf(out, "tokens: the first after %.0f ms, %" PRIu32 " events with tokens in %.0f ms",
                         ms(s->first_token_ns), s->events, ms(s->last_token_ns));
    else
        (void)buf_printf(out, "tokens: none was seen");
    if (s->thoughts > 0) (void)buf_printf(out, " (%" PRIu32 " of them only with reasoning)", s->thoughts);
    bool body = s->ended_by == STREAM_END_BODY;
    (void)buf_puts(out, s->whole && s->end
                            ? s->finish ? "; one answer, with a finish reason" : "; one answer, not streamed"
                        : s->end      ? body ? "; ended with its body" : "; ended by its end marker"
                        : s->finish   ? "; a finish reason, no end marker"
                        : s->complete ? "; the body ended without an end marker"
                                      : "; cut before its end");
    if (s->doubted)
        (void)buf_puts(out, "; a usage that cannot be right, which a run does not take\n");
    else if (s->usage)
        (void)buf_printf(out, "; usage: %" PRIu32 " in, %" PRIu32 " out\n", s->tokens_in, s->tokens_out);
    else
        (void)buf_puts(out, s->whole ? "; no usage: how many tokens it has is not known\n"
                                     : "; no usage: each event counts as one token\n");
}

/* Whether the words are the server's alone; else they begin with our own, which say what is wrong with the answer. */
static bool is_said(const struct probe_seen *s)
{
    enum failure label = (enum failure)(s->outcome - COUNTER_FAILED_FIRST);
    return FAILURES[label].by == FAILURE_BY_STATUS || label == FAILURE_STREAM_ERROR || s->status == 407;
}

void probe_words_lines(const struct probe_seen *s, struct buf *out)
{
    const struct plan_target *t = s->target;
    (void)buf_printf(out, "POST %.900s, api %s, model %.200s", t->url, PLAN_APIS[t->api].name,
                     t->n_models ? t->models[0].name : "-");
    if (t->n_models > 1) (void)buf_printf(out, ", the first of %zu; the others were not asked for", t->n_models);
    (void)buf_putc(out, '\n');
    (void)buf_printf(out, "%s, %s%s%s", s->address, s->http, s->tls ? " over " : "", s->tls ? s->tls : "");
    if (s->status == 0) {
        (void)buf_printf(out, ": no answer%s%s\n", s->words[0] ? ": " : "", s->words);
        return;
    }
    (void)buf_printf(out, ": status %ld, %s", s->status, s->type[0] ? s->type : "no Content-Type");
    if (s->server[0]) (void)buf_printf(out, ", Server: %s", s->server);
    if (s->headers_ns >= 0) (void)buf_printf(out, ", headers after %.0f ms", ms(s->headers_ns));
    (void)buf_puts(out, "\n");
    if (s->status >= 200 && s->status <= 299 && !s->words[0]) put_tokens(s, out);
    if (s->location[0]) (void)buf_printf(out, "it points to %s\n", s->location);
    if (s->limits[0]) (void)buf_printf(out, "limits: %s\n", s->limits);
    if (s->model[0] && t->n_models && !model_name_is_same(t->models[0].name, s->model))
        (void)buf_printf(out, "asked for the model %.200s, answered by %s\n", t->models[0].name, s->model);
    if (s->words[0]) (void)buf_printf(out, "%s: %s\n", is_said(s) ? "the server says" : "what came", s->words);
}

/* ---- the verdict ---- */

static bool says_no_key(const char *w)
{
    static const char *const WAYS[] = {"unauthorized", "invalid api key", "incorrect api key", "authentication"};
    for (size_t i = 0; i < sizeof WAYS / sizeof *WAYS; i++)
        if (text_holds(w, strlen(w), WAYS[i])) return true;
    return false;
}

/* Statuses that pass by themselves. */
static bool passes(long status)
{
    bool never = status == 501 || status == 505 || status == 511 || status == 526;
    return status == 408 || status == 409 || status == 425 || status == 429 || (status >= 500 && !never);
}

static const char *who_answers(const struct probe_seen *s)
{
    if (strncmp(s->address, "proxy ", strlen("proxy ")) != 0) return "the target";
    if (s->tls) return "the target"; /* what comes through a tunnel is not the proxy's */
    return s->status == 407 ? "the proxy" : "the proxy, or the target behind it,";
}

static enum probe_verdict judge_status(const struct probe_seen *s, struct err *e)
{
    struct failure_sample f = {.label = (enum failure)(s->outcome - COUNTER_FAILED_FIRST),
                               .status = (uint32_t)s->status};
    char cut[WORDS_MOST + 4], buf[FAILURE_HINT], wait[100] = "";
    bool moved = s->status / 100 == 3 && s->location[0];
    (void)snprintf(f.text, sizeof f.text, "%s", s->words);
    const char *hint = failure_hint(&f, false, buf);
    if (s->retry_after[0])
        (void)snprintf(wait, sizeof wait, "%s It wants a pause first (Retry-After: %s)", human_stop(hint),
                       s->retry_after);
    (void)err_set(e, ERR_NET, "%s answers with status %ld%s%s%s%s%s%s", who_answers(s), s->status,
                  s->words[0] ? ": " : "", text_cut(s->words, WORDS_MOST, cut), hint, moved ? ": " : "",
                  moved ? s->location : "", wait);
    return failure_says_no_model(s->words) || !passes(s->status) ? PROBE_WRONG : PROBE_DOUBT;
}

static bool is_whole_answer(const struct probe_seen *s)
{
    return s->plain && !s->whole && text_holds(s->words, strlen(s->words), "\"choices\"");
}

/* Bytes that are no stream of this API. */
static enum probe_verdict judge_malformed(const struct probe_seen *s, struct err *e)
{
    char cut[WORDS_MOST + 4];
    const char *words = text_cut(s->words, WORDS_MOST, cut);
    if (s->status == 0)
        (void)err_set(e, ERR_NET, "what listens at %s is no HTTP server: %s", s->address, words);
    else if (s->why)
        (void)err_set(e, ERR_NET, "the answer cannot be read: %s%s%s%s", s->why, s->encoding[0] ? " (" : "",
                      s->encoding,
                      s->encoding[0] ? "): switch compression off in the server, or in what stands before it" : "");
    else
        (void)err_set(e, ERR_NET, "the answer is no %s of %s: %s", s->whole ? "answer" : "stream",
                      PLAN_APIS[s->target->api].name, words); /* they begin with what it is */
    return PROBE_WRONG;
}

static enum probe_verdict judge_cut(const struct probe_seen *s, struct err *e)
{
    char cut[WORDS_MOST + 4];
    if (s->events > 0 && s->complete)
        (void)err_set(
            e, ERR_NET,
            "the stream ends without the end marker of %s: every request will count as truncated. target.end: %s "
            "measures such a server%s",
            PLAN_APIS[s->target->api].name, s->finish ? "finish" : "close",
            s->finish ? "" : ", but an answer that breaks off then counts as a whole one");
    else if (s->complete)
        (void)err_set(e, ERR_NET, "the answer ends without a token and without the end marker of %s%s%s",
                      PLAN_APIS[s->target->api].name, s->words[0] ? ": " : "", text_cut(s->words, WORDS_MOST, cut));
    else
        (void)err_set(e, ERR_NET, "the stream was cut before its end, %" PRIu32 " token events had come", s->events);
    return PROBE_DOUBT;
}

/* Nothing came at all. */
static enum probe_verdict judge_silence(const struct probe_seen *s, struct err *e)
{
    char n[HUMAN_MAX];
    int64_t tenths = s->end_ns / (100 * NS_PER_MS);
    const char *waited = human_number((double)tenths / 10, n);
    int64_t first = s->target->timeout_first_token_ns;
    const char *limit = !s->whole && first > 0 && s->end_ns >= first ? " (target.timeouts.first_token)" : "";
    const char *scheme = s->tls ? "" : ": is TLS spoken there, and the URL https://?";
    if (s->outcome == COUNTER_FAILED_RESET && s->end_ns >= NS_PER_S)
        (void)err_set(e, ERR_NET,
                      "%s closes the connection without an answer after %s s: does it, or something between, give up "
                      "on requests that take longer?",
                      s->address, waited);
    else if (s->outcome == COUNTER_FAILED_RESET && s->end_ns >= 0)
        (void)err_set(e, ERR_NET, "%s closes the connection without an answer%s", s->address, scheme);
    else if (s->status == 0)
        (void)err_set(
            e, ERR_NET,
            "%s takes the request and has not answered for %s s%s: is it busy, does it still load its model, or "
            "does it speak another protocol?",
            s->address, waited, limit);
    else
        (void)err_set(e, ERR_NET,
                      "%s answers with status %ld and then sends no token for %s s%s: is it busy, or is "
                      "something between that holds the stream back?",
                      s->address, s->status, waited, limit);
    return PROBE_DOUBT;
}

/* The answer ends well, and without a token. */
static enum probe_verdict judge_empty(const struct probe_seen *s, struct err *e)
{
    char cut[WORDS_MOST + 4];
    bool filter = failure_is_filtered(s->words);
    if (failure_limit_reached(s->words))
        (void)err_set(e, ERR_NET,
                      "the probe, which asks for few output tokens, got no text: %s. Requests of the run need "
                      "output_tokens beyond what hidden reasoning takes",
                      text_cut(s->words, WORDS_MOST, cut));
    else if (s->end || s->finish)
        (void)err_set(e, ERR_NET, "the stream ends well and holds no token%s%s%s",
                      filter ? "" : FAILURES[FAILURE_EMPTY].look,
                      filter        ? ": "
                      : s->words[0] ? " What came: "
                                    : "",
                      text_cut(s->words, WORDS_MOST, cut));
    else
        (void)err_set(e, ERR_NET, "the answer ends well and is empty: does something between take its body away?");
    return PROBE_DOUBT;
}

static enum probe_verdict judge_body(const struct probe_seen *s, struct err *e)
{
    char cut[WORDS_MOST + 4];
    bool model = failure_says_no_model(s->words), key = says_no_key(s->words);
    switch ((int)s->outcome) {
    case COUNTER_FAILED_STREAM_ERROR:
        (void)err_set(e, ERR_NET, "the target answers with status %ld and an error: %s%s", s->status,
                      text_cut(s->words, WORDS_MOST, cut),
                      model ? ". Is target.model a name that this server has?"
                      : key ? ". Is target.auth there, and right?"
                            : "");
        return model || key || (s->plain && !failure_says_later(s->words)) ? PROBE_WRONG : PROBE_DOUBT;
    case COUNTER_FAILED_MALFORMED:
        return judge_malformed(s, e);
    case COUNTER_FAILED_RESET:
    case COUNTER_FAILED_TIMEOUT_FIRST_TOKEN:
        if (s->events == 0 && (s->status == 0 || s->outcome == COUNTER_FAILED_TIMEOUT_FIRST_TOKEN))
            return judge_silence(s, e);
        break;
    case COUNTER_FAILED_TRUNCATED:
        return judge_cut(s, e);
    case COUNTER_FAILED_EMPTY:
        return judge_empty(s, e);
    default:
        break;
    }
    (void)err_set(e, ERR_NET, "the probe's request ended as %s%s%s", COUNTERS[s->outcome].name, s->words[0] ? ": " : "",
                  text_cut(s->words, WORDS_MOST, cut));
    return PROBE_DOUBT;
}

enum probe_verdict probe_words_judge(const struct probe_seen *s, struct err *e)
{
    if (s->outcome == COUNTER_OK) return PROBE_GOOD;
    if (s->status != 0 && (s->status < 200 || s->status > 299)) return judge_status(s, e);
    return judge_body(s, e);
}

/* ---- other places ---- */

bool probe_words_try_others(const struct probe_seen *s)
{
    if (failure_says_no_model(s->words) || is_whole_answer(s) || (s->outcome == COUNTER_FAILED_MALFORMED && s->why))
        return false;
    return s->status == 404 || s->status == 405 || s->status == 501 || s->status / 100 == 3 ||
           s->outcome == COUNTER_FAILED_MALFORMED;
}

static void add_place(const char *host, size_t host_n, const char *path, const char *more, enum plan_api api,
                      const char *own, struct probe_place ret[PROBE_WORDS_PLACES], uint32_t *n)
{
    struct probe_place *p = &ret[*n];
    if (*n == PROBE_WORDS_PLACES) return;
    int len = snprintf(p->url, sizeof p->url, "%.*s%s%s", (int)host_n, host, path, more);
    if (len < 0 || (size_t)len >= sizeof p->url || strcmp(p->url, own) == 0) return;
    for (uint32_t i = 0; i < *n; i++)
        if (strcmp(ret[i].url, p->url) == 0) return;
    p->api = api;
    (*n)++;
}

/* The API's path on this host: what the plan's path already has of it is not said twice, so that /llm/v1 becomes
 * /llm/v1/chat/completions. */
static void add_joined(const char *host, size_t host_n, const char *path, enum plan_api api, const char *own,
                       struct probe_place ret[PROBE_WORDS_PLACES], uint32_t *n)
{
    const char *wanted = PLAN_APIS[api].path;
    size_t have = strlen(path);
    for (const char *cut = wanted; cut; cut = strchr(cut + 1, '/')) {
        size_t part = (size_t)(cut - wanted);
        if (part > have || strncmp(path + have - part, wanted, part) != 0 || (part == 0 && have > 0)) continue;
        add_place(host, host_n, path, cut, api, own, ret, n);
    }
    add_place(host, host_n, "", wanted, api, own, ret, n);
}

uint32_t probe_words_places(const struct plan_target *t, struct probe_place ret[PROBE_WORDS_PLACES])
{
    static const enum plan_api LIKELY[] = {API_OPENAI_CHAT, API_OPENAI_COMPLETIONS, API_ANTHROPIC, API_OLLAMA, API_TGI};
    struct url u;
    uint32_t n = 0;
    if (url_parse(t->url, &u, NULL)) return 0;
    size_t host_n = (size_t)(u.path - t->url);
    char path[512];
    int len = snprintf(path, sizeof path, "%.*s", (int)strcspn(u.path, "?"), u.path);
    if (len < 0 || (size_t)len >= sizeof path) return 0;
    for (size_t end = strlen(path); end > 0 && path[end - 1] == '/';)
        path[--end] = '\0';
    const char *own = PLAN_APIS[t->api].path;
    if (own[0] && !strchr(own, '{')) add_joined(t->url, host_n, path, t->api, t->url, ret, &n);
    for (size_t i = 0; i < sizeof LIKELY / sizeof *LIKELY; i++) {
        if (LIKELY[i] == t->api) continue;
        size_t have = strlen(path), most = strlen(PLAN_APIS[LIKELY[i]].path);
        bool same = have >= most && strcmp(path + have - most, PLAN_APIS[LIKELY[i]].path) == 0;
        if (same) /* the path is right, and the API is another */
            add_place(t->url, host_n, path, "", LIKELY[i], "", ret, &n);
        else
            add_place(t->url, host_n, "", PLAN_APIS[LIKELY[i]].path, LIKELY[i], "", ret, &n);
    }
    return n;
}
