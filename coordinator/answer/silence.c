#include "coordinator/answer/silence.h"

#include <math.h>
#include <stdio.h>

#include "common/human.h"

#define WINDOW_KEPT 0.95 /* a stage that was ended after so much of its window was not ended too soon */

double silence_s(struct hist *const hist[METRIC_N], const struct plan_stage *requested)
{
    const struct hist *cut = hist ? hist[METRIC_CUT_AGE] : NULL;
    return fmax((double)requested->duration_ns, cut && cut->count ? (double)cut->max : 0) / 1e9;
}

static bool came(const uint64_t c[COUNTER_N], const struct plan *plan)
{
    return c[COUNTER_OK] || c[COUNTER_EVENTS] || (plan->target.whole && c[COUNTER_BYTES_IN]);
}

bool silence_words(const uint64_t c[COUNTER_N], struct hist *const hist[METRIC_N], const struct plan_stage *requested,
                   const struct plan *plan, const char *why, char *buf, size_t n)
{
    double waited = silence_s(hist, requested), warmup = ceil((double)requested->warmup_ns / 1e9);
    char s[HUMAN_MAX], open[HUMAN_THINGS_MAX], length[HUMAN_MAX], hangs[160];
    if (c[COUNTER_ABORTED] == 0 || came(c, plan)) return false;
    (void)snprintf(hangs, sizeof hangs,
                   "The server hangs, or answers take longer than the stage: then make load.duration at least %s s",
                   human_number(warmup + STAGE_ANSWERS * ceil(waited), length));
    (void)snprintf(buf, n,
                   "nothing was measured: not one %s came within %s s, and %s %s still open when the drain ended. %s",
                   c[COUNTER_BYTES_IN] ? "token" : "byte of an answer", human_number(waited, s),
                   human_things((double)c[COUNTER_ABORTED], "request", open), c[COUNTER_ABORTED] == 1 ? "was" : "were",
                   why ? why : hangs);
    return true;
}

bool silence_cut_words(const uint64_t c[COUNTER_N], const struct plan_stage *requested, char *buf, size_t n)
{
    double window = (double)(requested->duration_ns - requested->warmup_ns) / 1e9,
           at = (double)c[COUNTER_MEASURED_NS] / 1e9;
    char s[HUMAN_MAX], all[HUMAN_MAX], of[HUMAN_MAX + 8] = "";
    if (counters_failed(c) || c[COUNTER_WIN_FAILED] || (window > 0 && at >= WINDOW_KEPT * window)) return false;
    if (at > 0 && window > 0) (void)snprintf(of, sizeof of, " of %s s", human_number(window, all));
    if (at > 0)
        (void)snprintf(buf, n,
                       "nothing was measured: the stage was cut short %s s into its window%s, and no request due in it "
                       "had ended by then",
                       human_number(at, s), of);
    else
        (void)snprintf(buf, n, "nothing was measured: the stage was cut short before its window began");
    return true;
}
