/* Recorded days. Columns are found by name, times have the unit of their format, and rows keep the order of the file.
 */
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "coordinator/corpus/format.h"
#include "coordinator/corpus/read_number.h"

/* ---- tables ---- */

static const struct table_cell *cell(const struct table *t, size_t wanted)
{
    return t->column[wanted] >= 0 && (size_t)t->column[wanted] < t->n ? &t->cell[t->column[wanted]] : NULL;
}

static enum draft_result lengths_row(const struct plan_data *p, const struct table *t, size_t input, size_t output,
                                     struct draft *d)
{
    const struct table_cell *in = cell(t, input), *out = cell(t, output);
    double a, b;
    if (!in || !read_decimal(in->text, in->len, &a))
        return draft_broken(d, "\"%.*s\" is not a number of input tokens", in ? (int)(in->len > 40 ? 40 : in->len) : 0,
                            in ? in->text : "");
    if (!out || !read_decimal(out->text, out->len, &b))
        return draft_broken(d, "\"%.*s\" is not a number of output tokens",
                            out ? (int)(out->len > 40 ? 40 : out->len) : 0, out ? out->text : "");
    return draft_lengths(d, p, a, b);
}

/* Azure LLM inference traces of 2023 and 2024 and the multimodal one of 2025: the order of columns differs, fractions
 * have 0, 3, 6 or 7 digits, and a time zone may be missing. */
static size_t azure_columns(const struct plan_data *p, const char *ret[TABLE_WANTED_MAX], size_t *ret_needed)
{
    (void)p;
    ret[0] = "TIMESTAMP", ret[1] = "ContextTokens", ret[2] = "GeneratedTokens", ret[3] = "NumImages";
    *ret_needed = 3;
    return 4;
}

static enum draft_result azure_row(const struct plan_data *p, const struct table *t, struct draft *d)
{
    const struct table_cell *time = cell(t, 0), *images = cell(t, 3);
    double n = 0;
    if (!time || !read_timestamp(time->text, time->len, &d->time_ns))
        return draft_broken(d, "\"%.*s\" is not a time such as 2023-11-16 18:17:03.9799600",
                            time ? (int)(time->len > 40 ? 40 : time->len) : 0, time ? time->text : "");
    if (images && read_decimal(images->text, images->len, &n) && n > 0 && n < 1e6) d->images = (uint32_t)n;
    return lengths_row(p, t, 1, 2, d);
}

/* BurstGPT: whole or broken seconds from any origin; _3 has two columns inserted in the middle. */
static size_t burstgpt_columns(const struct plan_data *p, const char *ret[TABLE_WANTED_MAX], size_t *ret_needed)
{
    (void)p;
    ret[0] = "Timestamp", ret[1] = "Request tokens", ret[2] = "Response tokens";
    *ret_needed = 3;
    return 3;
}

static enum draft_result burstgpt_row(const struct plan_data *p, const struct table *t, struct draft *d)
{
    const struct table_cell *time = cell(t, 0);
    if (!time || !read_seconds(time->text, time->len, &d->time_ns))
        return draft_broken(d, "\"%.*s\" is not a time in seconds", time ? (int)(time->len > 40 ? 40 : time->len) : 0,
                            time ? time->text : "");
    return lengths_row(p, t, 1, 2, d);
}

/* ---- lines of JSON with hash ids ---- */

struct hashed {
    double input, output, ms;
    bool has_time, has_input, has_output, has_ids;
};

static bool read_ids(struct json *j, struct hashed *h, struct draft *d)
{
    struct draft_ids ids;
    d->record.n_blocks = 0; /* of a member that is there twice the last counts */
    const char *wrong = draft_ids(d, j, UINT64_C(1) << 32, &ids);
    if (wrong && wrong != d->why) (void)draft_broken(d, "%s", wrong);
    h->has_ids = ids.there;
    return !wrong;
}

/* A number's text of the next value; false when it is none. */
static bool number_next(struct json *j)
{
    return json_enter(j, JSON_NUMBER);
}

/* One member, whose key is the last token. False: a list of ids that is none. */
static bool hashed_member(struct json *j, bool milliseconds, struct hashed *h, struct draft *d)
{
    if (JSON_IS(j, "timestamp"))
        h->has_time = number_next(j) && (milliseconds ? read_decimal(j->text, j->len, &h->ms)
                                                      : read_seconds(j->text, j->len, &d->time_ns));
    else if (JSON_IS(j, "input_length"))
        h->has_input = number_next(j) && read_decimal(j->text, j->len, &h->input);
    else if (JSON_IS(j, "output_length"))
        h->has_output = number_next(j) && read_decimal(j->text, j->len, &h->output);
    else if (JSON_IS(j, "hash_ids"))
        return read_ids(j, h, d);
    else
        (void)json_skip(j); /* what is broken stays so, and ends the caller's loop */
    return true;
}

static const char *hashed_missing(const struct hashed *h)
{
    if (!h->has_time) return "\"timestamp\" is missing, or not a number";
    if (!h->has_input) return "\"input_length\" is missing, or not a number";
    if (!h->has_output) return "\"output_length\" is missing, or not a number";
    return h->has_ids ? NULL : "\"hash_ids\" is missing";
}

static enum draft_result hashed_read(const struct plan_data *p, const char *text, size_t n, uint32_t block,
                                     bool milliseconds, struct draft *d)
{
    struct json j;
    struct hashed h = {0};
    enum json_token t;
    json_begin(&j, text, n);
    if (json_next(&j) != JSON_OBJECT) return draft_broken(d, "it is not a JSON object");
    while ((t = json_next(&j)) == JSON_KEY)
        if (!hashed_member(&j, milliseconds, &h, d)) return DRAFT_BROKEN;
    if (t != JSON_OBJECT_END || json_next(&j) != JSON_END) return draft_broken(d, "it is not JSON");
    const char *missing = hashed_missing(&h);
    if (missing) return draft_broken(d, "%s", missing);
    if (!(h.ms >= 0 && h.ms < 1e15)) return draft_broken(d, "a time of %g ms cannot be", h.ms);
    if (milliseconds) d->time_ns = (int64_t)(h.ms * 1e6 + 0.5);
    enum draft_result result = draft_lengths(d, p, h.input, h.output);
    if (result != DRAFT_REQUEST) return result;
    uint32_t wanted = h.input < 1 ? 0 : (d->record.input_tokens + block - 1) / block;
    if (d->record.n_blocks != wanted)
        return draft_broken(d, "it has %u hash ids for %u tokens, which are %u blocks of %u", d->record.n_blocks,
                            d->record.input_tokens, wanted, block);
    d->record.block_tokens = block;
    return DRAFT_REQUEST;
}

static enum draft_result mooncake_read(const struct plan_data *p, const char *text, size_t n, struct draft *d)
{
    return hashed_read(p, text, n, 512, true, d);
}

static enum draft_result bailian_read(const struct plan_data *p, const char *text, size_t n, struct draft *d)
{
    return hashed_read(p, text, n, 16, false, d);
}

const struct format READ_TRACE[TRACE_N] = {
    [TRACE_AZURE] = {"azure", FORM_TABLE, .columns = azure_columns, .row = azure_row},
    [TRACE_BURSTGPT] = {"burstgpt", FORM_TABLE, .columns = burstgpt_columns, .row = burstgpt_row},
    [TRACE_MOONCAKE] = {"mooncake", FORM_LINES, .json = mooncake_read},
    [TRACE_BAILIAN] = {"bailian", FORM_LINES, .json = bailian_read},
    [TRACE_WEKA] = {"weka", FORM_OBJECTS, .json = weka_read},
    [TRACE_TRACELAB] = {"tracelab", FORM_LINES, .split = tracelab_split, .group = tracelab_group},
    [TRACE_MOONCAKE_SESSIONS] = {"mooncake-sessions", FORM_LINES, .split = mooncake_sessions_split,
                                 .group = mooncake_sessions_group},
    [TRACE_OTEL] = {"otel", FORM_OBJECTS, .split = otel_split, .group = otel_group},
    [TRACE_DAG] = {"dag", FORM_LINES, .split = dag_split, .group = dag_group},
};
