#include "coordinator/answer/answer_say.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/human.h"
#include "common/text.h"

/* What is cut is seen to be. */
static void end_cut(struct answer *a)
{
    char whole[sizeof a->text];
    (void)memcpy(whole, a->text, sizeof whole);
    (void)text_cut(whole, sizeof a->text - sizeof "…", a->text);
}

void answer_say(struct answer *a, const char *fmt, ...)
{
    size_t n = strlen(a->text);
    va_list ap;
    va_start(ap, fmt);
    int all = vsnprintf(a->text + n, sizeof a->text - n, fmt, ap);
    va_end(ap);
    if (all >= 0 && n + (size_t)all >= sizeof a->text) end_cut(a);
}

void answer_say_number(struct answer *a, const char *before, double v, const char *after)
{
    char b[HUMAN_MAX];
    answer_say(a, "%s%s%s", before, human_number(v, b), after);
}

void answer_say_percent(struct answer *a, const char *before, double share, const char *after)
{
    char b[HUMAN_MAX];
    answer_say(a, "%s%s%s", before, human_percent(share, b), after);
}
