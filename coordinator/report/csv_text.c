#include "coordinator/report/csv_text.h"

#include <math.h>
#include <string.h>

void csv_number(struct buf *b, double v)
{
    (void)buf_putc(b, ',');
    if (isfinite(v)) (void)buf_printf(b, "%.9g", v);
}

void csv_text(struct buf *b, const char *s)
{
    (void)buf_puts(b, ",\"");
    if (*s && strchr("=+-@\t\r", *s)) (void)buf_putc(b, '\'');
    for (; *s; s++) {
        if (*s == '"') (void)buf_putc(b, '"');
        (void)buf_putc(b, *s);
    }
    (void)buf_putc(b, '"');
}
