#include "coordinator/report/compare_report.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/human.h"
#include "coordinator/answer/load_axis.h"
#include "coordinator/report/report_parts.h"

static const enum figure SHOWN[] = {FIGURE_OUTPUT, FIGURE_TTFT_P50, FIGURE_TTFT_P99, FIGURE_TPOT_P50, FIGURE_E2E_P50};
enum { N_SHOWN = sizeof SHOWN / sizeof *SHOWN };

#define CHANGE_WORDS (3 * HUMAN_MAX + 24)
/* "-4.8 % (-5.2 % … -4.4 %)", "+12 % (too few samples)" */
static const char *percent(const struct change *c, char buf[CHANGE_WORDS])
{
    char rel[HUMAN_MAX], lo[HUMAN_MAX], hi[HUMAN_MAX];
    if (isnan(c->rel)) return "n/a";
    (void)snprintf(buf, CHANGE_WORDS, "%s (too few samples)", human_change(c->rel, rel));
    if (isnan(c->lo)) return buf;
    (void)snprintf(buf, CHANGE_WORDS, "%s (%s … %s)", human_change(c->rel, rel), human_change(c->lo, lo),
                   human_change(c->hi, hi));
    return buf;
}

static const char *mark(enum compare_say s)
{
    static const char *const marks[] = {"", " better", " WORSE", ""};
    return marks[s];
}

/* A verdict stands on what was measured, and that may be less than the plan asks for. */
static void state_line(const char *state, const char *run, struct buf *out)
{
    if (!state[0]) return;
    (void)buf_printf(out, "Of %s: ", run);
    (void)buf_puts(out, state);
    (void)buf_puts(out, ".\n");
}

/* Which of the two runs' figures of a load are of stages that were cut short or miss an agent. */
static const char *cut_mark(const struct compare_load *l, const char *a, const char *b, char buf[64])
{
    if (!l->cut_a && !l->cut_b) return "";
    (void)snprintf(buf, 64, " (%s%s%s cut short)", l->cut_a ? a : "", l->cut_a && l->cut_b ? " and " : "",
                   l->cut_b ? b : "");
    return buf;
}

static size_t cut_loads(const struct comparison *c)
{
    size_t n = 0;
    for (size_t i = 0; i < c->n_loads; i++)
        n += c->loads[i].cut_a || c->loads[i].cut_b;
    return n;
}

static void verdict_line(const struct comparison *c, const char *a, const char *b, struct buf *out)
{
    bool any = false;
    char before[HUMAN_MAX], after[HUMAN_MAX], loads[HUMAN_THINGS_MAX], over[COMPARE_OVERRUN_WORDS];
    char beside[COMPARE_BESIDE_WORDS];
    if (c->one_run) {
        (void)buf_printf(out, "%s against %s: both folders hold the same run, so there is nothing to compare.\n", b, a);
        return;
    }
    if (c->question[0]) {
        (void)buf_printf(out, "%s against %s: not the same question, so there is no verdict: ", b, a);
        (void)buf_puts(out, c->question);
        (void)buf_puts(out, ".\n");
        return;
    }
    (void)buf_printf(out, "%s against %s: %s", b, a, compare_say_name(c->say));
    for (int m = 0; m < FIGURE_N; m++) {
        const struct change *d = &c->overall[m];
        char text[CHANGE_WORDS];
        if (FIGURES[m].compare != FIGURE_HEADLINE || (d->say != COMPARE_BETTER && d->say != COMPARE_WORSE)) continue;
        (void)buf_printf(out, "%s %s %s", any ? "," : ":", FIGURES[m].key, percent(d, text));
        any = true;
    }
    if (compare_overrun_words(&c->overrun, a, b, over)[0]) {
        (void)buf_printf(out, "%s %s", any ? "," : ":", over);
        any = true;
    }
    if (c->errors_rose)
        (void)buf_printf(out, "%s failed requests rose from %s to %s", any ? "," : ":",
                         human_percent(c->errors_a, before), human_percent(c->errors_b, after));
    if (compare_beside_words(c, beside)[0]) (void)buf_printf(out, "; worse beside it: %s", beside);
    size_t cut = cut_loads(c);
    if (cut)
        (void)buf_printf(out, "; of the %s of both, %zu %s of stages that were cut short or miss an agent",
                         human_things((double)c->n_loads, "load", loads), cut, cut == 1 ? "is" : "are");
    if (c->missing && c->n_loads)
        (void)buf_printf(out, "; latencies are compared at %zu of %s that both tried", c->n_loads,
                         human_things((double)(c->n_loads + c->missing), "load", loads));
    (void)buf_puts(out, ".\n");
}

/* A change may be what the doubt is about. */
static void doubts(const struct compare_doubts *d, const char *run, struct buf *out)
{
    char points[HUMAN_THINGS_MAX];
    if (!d->n) return;
    (void)buf_printf(out, "Suspect in %s: %s", run, human_things((double)d->n, "point", points));
    if (d->first) (void)buf_printf(out, "%s%s", d->n > 1 ? ", the first since " : ", since ", d->first);
    (void)buf_puts(out, ".\n");
}

static void notes(const struct comparison *c, const char *a, const char *b, struct buf *out)
{
    char noise[HUMAN_MAX], points[HUMAN_THINGS_MAX], failed[2][COMPARE_FAILURES_WORDS];
    if (c->failures_a.ended || c->failures_b.ended)
        (void)buf_printf(out, "Failed requests: %s %s; %s %s%s.\n", a,
                         compare_failures_words(&c->failures_a, failed[0]), b,
                         compare_failures_words(&c->failures_b, failed[1]),
                         c->only_a || c->only_b ? ", at loads that both tried" : "");
    state_line(c->state_a, a, out);
    state_line(c->state_b, b, out);
    if (c->measured[0]) {
        (void)buf_printf(out, "Between %s and %s: ", a, b);
        (void)buf_puts(out, c->measured);
        (void)buf_puts(out, ".\n");
    }
    doubts(&c->doubts_a, a, out);
    doubts(&c->doubts_b, b, out);
    if (c->n_loads == 0) (void)buf_puts(out, "No load was measured in both runs.\n");
    if (!c->repeated && c->n_loads)
        (void)buf_printf(out,
                         "Neither run has repeats that count: runs of one system are assumed to differ by %s "
                         "(sd). load.repeats: 3 would measure it.\n",
                         human_percent(COMPARE_RUN_NOISE, noise));
    if (c->fed)
        (void)buf_puts(out, "Both kept up with the rate, so that throughput and requests per second are those of the "
                            "arrivals, which chance makes: they are called neither better nor worse.\n");
    if (c->only_a || c->only_b)
        (void)buf_printf(out, "Without a point to compare with: %s of the first, %zu of the other.\n",
                         human_things((double)c->only_a, "point", points), c->only_b);
    if (c->left_out_a || c->left_out_b)
        (void)buf_printf(out, "Left out (invalid, or not steady): %s of the first, %zu of the other.\n",
                         human_things((double)c->left_out_a, "point", points), c->left_out_b);
}

const char *compare_found_words(const struct analysis *r, char buf[COMPARE_FOUND_WORDS])
{
    const struct answer *a = &r->answer;
    enum search_goal goal = r->run->plan ? r->run->plan->search.goal : SEARCH_NONE;
    bool slo = goal == SEARCH_SLO, open = slo ? a->slo_open_end : !a->plateau_reached;
    char rate[HUMAN_MAX], load[HUMAN_THINGS_MAX];
    double at = slo ? a->search.load : a->knee; /* as asked for */
    buf[0] = '\0';
    if (goal == SEARCH_NONE) return buf;
    if (slo ? !a->has_slo : !a->has_plateau) {
        (void)snprintf(buf, COMPARE_FOUND_WORDS,
                       slo && a->search.found ? "a load of which no figure is known"
                       : slo                  ? "no load that keeps its gates"
                                              : "no plateau");
        return buf;
    }
    int n = snprintf(buf, COMPARE_FOUND_WORDS, "%s%s%s output token/s", slo ? "" : "a plateau of ",
                     open ? "at least " : "", human_number(slo ? a->slo_tokens_per_s : a->plateau, rate));
    if (isfinite(at))
        n += snprintf(buf + n, COMPARE_FOUND_WORDS - (size_t)n, "%s%s", slo ? " within its gates at " : " from ",
                      human_things(at, load_thing(a->axis), load));
    if (slo && !a->search.confirmed) (void)snprintf(buf + n, COMPARE_FOUND_WORDS - (size_t)n, " (not confirmed)");
    return buf;
}

/* Of searches this is the result, and the loads that they tried on the way may have none in common. */
static void found_lines(const struct compare_input *in, struct buf *out)
{
    char words[COMPARE_FOUND_WORDS];
    for (size_t i = 0; i < in->n_runs; i++)
        if (compare_found_words(in->runs[i].a, words)[0])
            (void)buf_printf(out, "The search of %s found %s.\n", in->runs[i].label, words);
}

static void header(const struct compare_input *in, struct buf *out)
{
    for (size_t i = 0; i < in->n_runs; i++) {
        const struct run_data *r = in->runs[i].a->run;
        char points[HUMAN_THINGS_MAX];
        (void)buf_printf(out, "%s = %s: %s, run %s, plan %.12s, %s\n", in->runs[i].label, in->runs[i].dir,
                         r->plan && r->plan->name ? r->plan->name : "unnamed", r->run_id, r->plan_hash,
                         human_things((double)in->runs[i].a->n_points, "point", points));
    }
}

static void load_rows(const struct comparison *c, const char *first, const char *other, struct buf *out)
{
    char a[HUMAN_MAX], b[HUMAN_MAX], text[CHANGE_WORDS], load[64], cut[64];
    for (size_t i = 0; i < c->n_loads; i++)
        for (int m = 0; m < N_SHOWN; m++) {
            const struct change *d = &c->loads[i].change[SHOWN[m]];
            (void)buf_printf(out, "%-14s %-22s %10s %10s   %s%s%s\n", m ? "" : load_label(&c->loads[i].requested, load),
                             FIGURES[SHOWN[m]].key, human_number(d->a, a), human_number(d->b, b), percent(d, text),
                             mark(d->say), isnan(d->rel) ? "" : cut_mark(&c->loads[i], first, other, cut));
        }
}

int compare_text(const struct compare_input *in, struct buf *out, struct err *e)
{
    char text[CHANGE_WORDS];
    header(in, out);
    for (size_t k = 0; k + 1 < in->n_runs; k++) {
        const struct comparison *c = &in->changes[k];
        const char *other = in->runs[k + 1].label;
        if (in->plan_differences[k][0])
            (void)buf_printf(out, "\nThe plans of A and %s differ:\n%s", other, in->plan_differences[k]);
        (void)buf_printf(out, "\n%-14s %-22s %10s %10s   %s\n", "load", "measure", in->runs[0].label, other,
                         "change (95 %)");
        load_rows(c, in->runs[0].label, other, out);
        for (int m = 0; m < N_SHOWN && c->n_loads; m++)
            (void)buf_printf(out, "%-14s %-22s %10s %10s   %s%s\n", m ? "" : "all loads", FIGURES[SHOWN[m]].key, "", "",
                             percent(&c->overall[SHOWN[m]], text),
                             FIGURES[SHOWN[m]].compare == FIGURE_HEADLINE ? mark(c->overall[SHOWN[m]].say) : "");
        notes(c, in->runs[0].label, other, out);
        if (k == 0) found_lines(in, out);
        verdict_line(c, in->runs[0].label, other, out);
    }
    return out->bad ? err_set(e, ERR_NOMEM, "no memory for the comparison") : 0;
}

/* Text from a run's folder or plan stays text in Markdown. */
static void put_md_n(struct buf *out, const char *s, size_t n)
{
    for (; n && *s; s++, n--) {
        if (strchr("\\`*_|<>[]#&", *s)) (void)buf_putc(out, '\\');
        (void)buf_putc(out, *s == '\n' || *s == '\r' ? ' ' : *s);
    }
}

static void put_md(struct buf *out, const char *s)
{
    put_md_n(out, s, strlen(s));
}

/* Sentences line by line, with what they quote of plans and events. */
static void md_lines(const struct buf *lines, struct buf *out)
{
    for (const char *s = buf_str(lines); *s;) {
        size_t n = strcspn(s, "\n");
        put_md_n(out, s, n);
        (void)buf_putc(out, '\n');
        s += n + (s[n] == '\n');
    }
    out->bad |= lines->bad;
}

static void md_differences(const char *text, struct buf *out)
{
    (void)buf_puts(out, "\nThe plans differ:\n\n");
    while (*text) {
        size_t n = strcspn(text, "\n");
        char line[512];
        snprintf(line, sizeof line, "%.*s", (int)(n < sizeof line ? n : sizeof line - 1), text);
        (void)buf_puts(out, "- ");
        put_md(out, line);
        (void)buf_putc(out, '\n');
        text += n + (text[n] == '\n');
    }
}

/* A row per load and one for all, a column per measure. */
static void md_table(const struct comparison *c, const char *first, const char *other, struct buf *out)
{
    char text[CHANGE_WORDS], load[64], a[HUMAN_MAX], b[HUMAN_MAX], cut[64];
    (void)buf_puts(out, "\n| load |");
    for (int m = 0; m < N_SHOWN; m++)
        (void)buf_printf(out, " %s, %s |", FIGURES[SHOWN[m]].key, FIGURES[SHOWN[m]].unit);
    (void)buf_puts(out, "\n| ---: |");
    for (int m = 0; m < N_SHOWN; m++)
        (void)buf_puts(out, " ---: |");
    for (size_t i = 0; i <= c->n_loads; i++) {
        bool whole = i == c->n_loads;
        (void)buf_printf(out, "\n| %s%s |", whole ? "**all**" : load_label(&c->loads[i].requested, load),
                         whole ? "" : cut_mark(&c->loads[i], first, other, cut));
        for (int m = 0; m < N_SHOWN; m++) {
            const struct change *d = whole ? &c->overall[SHOWN[m]] : &c->loads[i].change[SHOWN[m]];
            if (!whole) (void)buf_printf(out, " %s → %s,", human_number(d->a, a), human_number(d->b, b));
            (void)buf_printf(out, " %s%s |", percent(d, text), mark(d->say));
        }
    }
}

int compare_markdown(const struct compare_input *in, struct buf *out, struct err *e)
{
    static const char *const icons[] = {"➖", "✅", "❌", "❔"};
    for (size_t k = 0; k + 1 < in->n_runs; k++) {
        const struct comparison *c = &in->changes[k];
        struct buf verdict = BUF_INIT(1u << 16), more = BUF_INIT(1u << 16);
        (void)buf_printf(out, "%s### %s ", k ? "\n" : "", icons[c->say]);
        verdict_line(c, in->runs[0].label, in->runs[k + 1].label, &verdict);
        md_lines(&verdict, out);
        md_table(c, in->runs[0].label, in->runs[k + 1].label, out);
        (void)buf_puts(out, "\n\n");
        notes(c, in->runs[0].label, in->runs[k + 1].label, &more);
        if (k == 0) found_lines(in, &more);
        md_lines(&more, out);
        buf_clear(&verdict);
        buf_clear(&more);
        if (in->plan_differences[k][0]) md_differences(in->plan_differences[k], out);
    }
    (void)buf_puts(out, "\n");
    for (size_t i = 0; i < in->n_runs; i++) {
        (void)buf_printf(out, "%s = ", in->runs[i].label);
        put_md(out, in->runs[i].dir);
        (void)buf_printf(out, " (plan %.12s)%s", in->runs[i].a->run->plan_hash,
                         i + 1 < in->n_runs ? ", " : ". Changes with their 95 % intervals.\n");
    }
    return out->bad ? err_set(e, ERR_NOMEM, "no memory for the comparison") : 0;
}
