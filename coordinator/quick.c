#include "coordinator/quick.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/clock.h"
#include "common/plan/node.h"
#include "common/url.h"

#define CONCURRENCY "1,2,4,8,16,32"
#define INPUT 512u
#define OUTPUT 128u
#define DURATION_NS (10 * NS_PER_S)
#define SEARCH_NS (120 * NS_PER_S)
#define SEARCH_TO 1024u
#define SECRET "keep API keys out of plans: put the key into an environment variable and give --key-env NAME"

bool quick_given(const struct quick *q)
{
    return q->url || q->model || q->api || q->concurrency || q->rate || q->key_env || q->search || q->input ||
           q->output || q->duration_ns || q->slo.n || q->header.n;
}

/* A text of the command line as YAML reads it back, whatever is in it. */
static void put_text(struct buf *out, const char *s)
{
    json_text(out, s, strlen(s));
}

/* "1,2,4" as a list, "8" as it is. Only the characters of numbers and rates are allowed; the reader of plans judges the
 * rest. */
static int put_list(struct buf *out, const char *option, const char *s, struct err *e)
{
    bool many = strchr(s, ',') != NULL;
    if (!*s || strspn(s, "0123456789.,/smh ") != strlen(s))
        return err_set(e, ERR_USAGE, "--%s: expected a number or a list such as 1,2,4,8, got \"%.40s\"", option, s);
    (void)buf_printf(out, many ? "[" : "");
    for (; *s; s++) {
        if (*s == ' ') continue;
        (void)buf_putc(out, *s);
        if (*s == ',') (void)buf_putc(out, ' ');
    }
    (void)buf_puts(out, many ? "]" : "");
    return 0;
}

static bool is_secret(const char *name, size_t n)
{
    static const char *const NAMES[] = {"authorization", "api-key", "x-api-key"};
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++)
        if (strlen(NAMES[i]) == n && strncasecmp(NAMES[i], name, n) == 0) return true;
    return false;
}

static int put_headers(const struct quick *q, struct buf *out, struct err *e)
{
    if (q->header.n) (void)buf_puts(out, "  headers:\n");
    for (size_t i = 0; i < q->header.n; i++) {
        const char *h = q->header.item[i], *colon = strchr(h, ':');
        size_t n = colon ? (size_t)(colon - h) : 0;
        if (n == 0) return err_set(e, ERR_USAGE, "--header: expected 'NAME: VALUE', got \"%.40s\"", h);
        if (is_secret(h, n)) return err_set(e, ERR_USAGE, "--header %.*s: " SECRET, (int)n, h);
        (void)buf_puts(out, "    ");
        json_text(out, h, n);
        (void)buf_puts(out, ": ");
        put_text(out, colon + 1 + strspn(colon + 1, " "));
        (void)buf_putc(out, '\n');
    }
    return 0;
}

static int put_target(const struct quick *q, struct buf *out, struct err *e)
{
    (void)buf_puts(out, "target:\n  url: ");
    put_text(out, q->url);
    (void)buf_puts(out, "   # without a path it gets that of its api\n  model: ");
    put_text(out, q->model);
    if (q->api) {
        (void)buf_puts(out, "\n  api: ");
        put_text(out, q->api);
    }
    (void)buf_putc(out, '\n');
    if (q->key_env) {
        (void)buf_puts(out, "  auth: {bearer: {env: ");
        put_text(out, q->key_env);
        (void)buf_puts(out, "}}   # each agent reads the key from its own environment\n");
    }
    return put_headers(q, out, e);
}

static int put_load(const struct quick *q, struct buf *out, struct err *e)
{
    char words[32];
    (void)buf_puts(out, "\nload:\n");
    if (q->search) {
        (void)buf_puts(out, q->slo.n ? "  # doubles the load until a gate fails, then narrows it down\n"
                                       "  search: {maximize: output_tokens_per_second, within: slo, "
                                     : "  # doubles the load until throughput stops rising, then narrows it down\n"
                                       "  search: {plateau: {");
        (void)buf_printf(out, "over: concurrency, from: 1, to: %u%s}\n", SEARCH_TO, q->slo.n ? "" : "}");
        (void)clock_duration_text(q->duration_ns ? q->duration_ns
                                  : q->slo.n     ? SEARCH_NS
                                                 : DURATION_NS,
                                  words, sizeof words);
        (void)buf_printf(out,
                         q->slo.n ? "  duration: {auto: {limit: %s}}   # each load runs until its gates are decided\n"
                                  : "  duration: %s   # of each load\n",
                         words);
        return 0;
    }
    (void)buf_puts(out, q->rate ? "  rate: " : "  concurrency: ");
    if (put_list(out, q->rate ? "rate" : "concurrency",
                 q->rate          ? q->rate
                 : q->concurrency ? q->concurrency
                                  : CONCURRENCY,
                 e))
        return -1;
    (void)buf_printf(
        out,
        "   # %s; a list is a sweep, one stage each\n  duration: %s   # of each stage; the first tenth is warm-up\n",
        q->rate ? "open loop: requests per second, whether they are answered or not"
                : "closed loop: requests in flight, over all agents",
        clock_duration_text(q->duration_ns ? q->duration_ns : DURATION_NS, words, sizeof words));
    return 0;
}

static void put_slo(const struct quick *q, struct buf *out)
{
    if (!q->slo.n) {
        (void)buf_puts(out, "\n# Gates decide the exit status; a sweep then says how much load keeps them.\n"
                            "# slo:\n#   run: [ttft.p99 < 800ms, errors.rate < 1%]\n");
        return;
    }
    (void)buf_puts(out, "\n# Gates decide the exit status.\nslo:\n  run:\n");
    for (size_t i = 0; i < q->slo.n; i++) {
        (void)buf_puts(out, "    - ");
        put_text(out, q->slo.item[i]);
        (void)buf_putc(out, '\n');
    }
}

int quick_plan(const struct quick *q, struct buf *out, struct err *e)
{
    struct url url;
    struct err why = {0};
    if (!q->url) return err_set(e, ERR_USAGE, "--url is needed: the endpoint, such as http://127.0.0.1:8000");
    if (url_parse(q->url, &url, &why) < 0)
        return err_set(e, ERR_USAGE, "--url: %s%s", why.text,
                       strstr(q->url, "://") ? "" : ", such as http://127.0.0.1:8000");
    if (!q->model) return err_set(e, ERR_USAGE, "--model is needed: the model's name, as the endpoint knows it");
    if (q->concurrency && q->rate)
        return err_set(e, ERR_USAGE,
                       "--concurrency holds requests in flight, --rate sends them on a schedule: give one");
    if (q->search && (q->concurrency || q->rate))
        return err_set(e, ERR_USAGE, "--search chooses the loads itself: give no --concurrency or --rate");
    (void)buf_puts(
        out, "# A plan of plateau. Check it with `plateau check FILE`, run it with `plateau run FILE --local 1`.\n"
             "# Every other key and its default: `plateau check FILE` prints the plan with all of them.\n"
             "plan: 1\nname: ");
    put_text(out, q->model);
    (void)buf_puts(out, "   # title of the report\n\n");
    if (put_target(q, out, e)) return -1;
    (void)buf_printf(out,
                     "\nworkload:   # prompts are made from the seed; no two begin alike\n"
                     "  synthetic: {input_tokens: %" PRIu32 ", output_tokens: %" PRIu32 "}\n",
                     q->input ? q->input : INPUT, q->output ? q->output : OUTPUT);
    if (put_load(q, out, e)) return -1;
    put_slo(q, out);
    return out->bad ? err_set(e, ERR_USAGE, "the options are too long for a plan") : 0;
}
