/* Rerank, as Jina, Cohere, vLLM and others serve it: a query and documents in, a score for each of them out; no tokens.
 * https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html#re-rank-api,
 * https://docs.cohere.com/reference/rerank */
#include <string.h>

#include "agent/stream/body.h"
#include "agent/stream/event_scan.h"

enum { QUERY_WORDS = 8, DOCUMENTS = 8 };

/* Where the word after `words` blanks begins; n when there are fewer. */
static size_t after_words(const char *text, size_t n, unsigned words)
{
    size_t i = 0;
    for (; i < n && words > 0; i++)
        words -= text[i] == ' ';
    return i;
}

/* The prompt is divided: its first words are the query, the rest lies in documents of equal length. A plan that wants
 * others gives `documents` in target.body. */
static void put_documents(struct body_writer *w, const char *text, size_t n)
{
    size_t each = n / DOCUMENTS + 1;
    if (!body_key(w, "documents")) return;
    (void)buf_putc(w->out, '[');
    for (size_t at = 0; at < n || at == 0;) {
        size_t end = n - at > each ? at + each : n;
        end += after_words(text + end, n - end, end < n);
        if (at) (void)buf_putc(w->out, ',');
        body_put_string(w->out, text + at, end - at);
        if (end == 0) break;
        at = end;
    }
    (void)buf_putc(w->out, ']');
}

static int write_body(const struct dialect *d, const struct dialect_request *r, struct buf *out)
{
    struct body_writer w;
    const struct dialect_message *m = &r->messages[r->n_messages - 1];
    if (body_begin(&w, d, r->body, out) != 0) return -1;
    if (r->model && r->model[0]) body_text(&w, "model", r->model, strlen(r->model));
    size_t query = after_words(m->text, m->len, QUERY_WORDS);
    if (query == m->len) query = 0; /* too short to be divided: it is both */
    body_text(&w, "query", m->text, query ? query : m->len);
    put_documents(&w, m->text + query, m->len - query);
    return body_end(&w);
}

static void take_usage(struct event_scan *s)
{
    if (!json_enter(&s->j, JSON_OBJECT)) return;
    while (event_scan_key(s)) {
        bool input =
            JSON_IS(&s->j, "prompt_tokens") || JSON_IS(&s->j, "input_tokens") || JSON_IS(&s->j, "total_tokens");
        if (!input)
            (void)json_skip(&s->j);
        else if (event_scan_count(s, &s->ev->input_tokens))
            s->ev->flags |= EVENT_USAGE;
    }
}

/* Cohere's: {"billed_units": …, "tokens": {"input_tokens": …}}. */
static void take_meta(struct event_scan *s)
{
    if (!json_enter(&s->j, JSON_OBJECT)) return;
    while (event_scan_key(s)) {
        if (JSON_IS(&s->j, "tokens"))
            take_usage(s);
        else
            (void)json_skip(&s->j);
    }
}

static void scan(const struct dialect *d, const struct dialect_event *e, struct event *ret)
{
    struct event_scan s;
    (void)d;
    if (!event_scan_begin(&s, e, ret)) return;
    while (event_scan_key(&s)) {
        if (JSON_IS(&s.j, "results") || JSON_IS(&s.j, "data")) {
            event_scan_results(&s, "relevance_score", "score");
        } else if (JSON_IS(&s.j, "usage")) {
            take_usage(&s);
        } else if (JSON_IS(&s.j, "meta")) {
            take_meta(&s);
        } else {
            event_scan_other(&s);
        }
    }
    event_scan_end(&s);
}

const struct dialect dialect_rerank = {
    .no_tokens = true, .whole = true, .divides = true, .write_body = write_body, .scan = scan};
