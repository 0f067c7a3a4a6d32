#include "coordinator/answer/teller.h"

#include <stdarg.h>
#include <stdio.h>

void teller_say(const struct teller *t, const char *fmt, ...)
{
    char text[400];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    t->tell(t->arg, text);
}
