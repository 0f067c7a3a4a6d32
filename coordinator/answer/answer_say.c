#include "coordinator/answer/answer_say.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/human.h"

void answer_say(struct answer *a, const char *fmt, ...)
{
    size_t n = strlen(a->text);
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(a->text + n, sizeof a->text - n, fmt, ap);
    va_end(ap);
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
