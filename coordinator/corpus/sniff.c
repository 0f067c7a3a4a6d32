#include "coordinator/corpus/sniff.h"

#include <string.h>
#include <strings.h>

#include "coordinator/corpus/table.h"

#define COLUMNS_SHOWN 8u
#define CELL_SHOWN 40u

static bool begins(const char *bytes, size_t n, const char *with, size_t len)
{
    return n >= len && memcmp(bytes, with, len) == 0;
}
#define BEGINS(bytes, n, literal) begins(bytes, n, literal, sizeof(literal) - 1)

const char *sniff_stranger(const char *bytes, size_t n)
{
    if (BEGINS(bytes, n, "\x1f\x8b")) return "it is compressed: unpack it first (gunzip)";
    if (BEGINS(bytes, n, "\x28\xb5\x2f\xfd")) return "it is compressed: unpack it first (unzstd)";
    if (BEGINS(bytes, n,
               "\xfd"
               "7zXZ"))
        return "it is compressed: unpack it first (unxz)";
    if (BEGINS(bytes, n, "BZh")) return "it is compressed: unpack it first (bunzip2)";
    if (BEGINS(bytes, n, "PK\x03\x04")) return "it is a zip archive: unpack it first (unzip)";
    if (BEGINS(bytes, n, "PAR1")) return "it is a Parquet file: write its records as JSON lines first";
    if (BEGINS(bytes, n, "ARROW1")) return "it is an Arrow file: write its records as JSON lines first";
    if (BEGINS(bytes, n, "\xff\xfe") || BEGINS(bytes, n, "\xfe\xff"))
        return "it is UTF-16: convert it to UTF-8 first (iconv -f UTF-16 -t UTF-8)";
    if (BEGINS(bytes, n, "version https://git-lfs"))
        return "it is a pointer of Git LFS and not the file itself: git lfs pull brings that";
    if (n >= 5 && (strncasecmp(bytes, "<!doc", 5) == 0 || strncasecmp(bytes, "<html", 5) == 0))
        return "it is an HTML page: the download brought a page about the file, or an error";
    return NULL;
}

static bool first_line_has(const char *bytes, size_t n, char c)
{
    const char *lf = memchr(bytes, '\n', n);
    return memchr(bytes, c, lf ? (size_t)(lf - bytes) : n) != NULL;
}

const char *sniff_hint(const struct format *f, const char *bytes, size_t n)
{
    if (f->form == FORM_TABLE || n == 0) return "";
    if (*bytes == '[' && f->form == FORM_LINES)
        return ": the file is one JSON array, and this format has an object per line (jq -c '.[]' makes such lines)";
    if (*bytes != '{' && *bytes != '[' && first_line_has(bytes, n, ','))
        return ": comma-separated values have formats of their own";
    if (*bytes == '{' && !memchr(bytes, '}', n)) return ": the file ends in the middle of it";
    return "";
}

/* The format of traces that has these columns. */
static const char *trace_of(const struct table *header)
{
    for (int i = 0; i < TRACE_N; i++) {
        const char *names[TABLE_WANTED_MAX];
        size_t needed = 0, found = 0;
        if (READ_TRACE[i].form != FORM_TABLE) continue;
        (void)READ_TRACE[i].columns(NULL, names, &needed);
        for (size_t k = 0; k < needed; k++)
            found += table_find(header, names[k]) >= 0;
        if (found == needed) return READ_TRACE[i].name;
    }
    return NULL;
}

void sniff_columns(const struct plan_workload *w, const struct table *header, struct buf *out)
{
    const struct table_cell *first = &header->cell[0];
    if (first->len && (first->text[0] == '{' || first->text[0] == '[')) {
        (void)buf_puts(out, ": the file holds JSON, and this format is comma-separated values");
        return;
    }
    (void)buf_puts(out, header->n == 1 ? "; the only column is" : "; the columns are");
    for (size_t i = 0; i < header->n && i < COLUMNS_SHOWN; i++) {
        size_t len = header->cell[i].len < CELL_SHOWN ? header->cell[i].len : CELL_SHOWN;
        (void)buf_printf(out, "%s \"%.*s\"", i ? "," : "", (int)len, header->cell[i].text);
    }
    if (header->n > COLUMNS_SHOWN) (void)buf_printf(out, " and %zu more", header->n - COLUMNS_SHOWN);
    const char *trace = trace_of(header);
    if (header->n == 1 && first->len && memchr(first->text, ';', first->len))
        (void)buf_puts(out, ": columns are divided by commas, not by semicolons");
    else if (trace && w->source == SOURCE_TRACE)
        (void)buf_printf(out, ": these are those of format: %s", trace);
    else if (w->source == SOURCE_DATASET)
        (void)buf_puts(out, ": fields: {prompt: NAME} says which is which");
    else if (first->len && first->text[0] >= '0' && first->text[0] <= '9')
        (void)buf_puts(out, ": the first line must hold the names");
}
