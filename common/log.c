#include "common/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/text.h"

static const char *const NAMES[] = {"debug", "info", "warn", "error", "off"};
static struct {
    const char *program;
    enum log_level level;
    bool json;
} L = {"plateau", LOG_INFO, false};

void log_init(const char *program, enum log_level level, bool json)
{
    L.program = program;
    L.level = level;
    L.json = json;
}

bool log_is_json(void)
{
    return L.json;
}

int log_level_parse(const char *word, enum log_level *ret_level)
{
    for (unsigned i = 0; i < sizeof NAMES / sizeof *NAMES; i++)
        if (strcmp(word, NAMES[i]) == 0) {
            *ret_level = (enum log_level)i;
            return 0;
        }
    return -1;
}

/* Control characters would let a hostile peer forge lines or drive a terminal; JSON wants its own escapes, and no bytes
 * that are not UTF-8. */
static void put_escaped(FILE *f, const char *s, bool json)
{
    for (size_t left = strlen(s); left;) {
        size_t len = text_char(s, left);
        if (len == 0)
            fprintf(f, json ? "\\u%04x" : "\\x%02x", (unsigned char)*s);
        else if (json && (*s == '"' || *s == '\\'))
            fprintf(f, "\\%c", *s);
        else
            fwrite(s, 1, len, f);
        s += len ? len : 1;
        left -= len ? len : 1;
    }
}

void log_msg(enum log_level level, const char *fmt, ...)
{
    if (level < L.level || level >= LOG_OFF) return;
    char text[1024];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);

    struct timespec ts;
    struct tm tm;
    char when[32];
    clock_gettime(CLOCK_REALTIME, &ts);
    gmtime_r(&ts.tv_sec, &tm);
    (void)strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%S", &tm);

    char *line = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&line, &size); /* one write a line, so that lines of threads do not mix */
    if (!f) return;
    if (L.json) {
        fprintf(f, "{\"time\":\"%s.%03ldZ\",\"level\":\"%s\",\"program\":\"%s\",\"pid\":%d,\"msg\":\"", when,
                ts.tv_nsec / 1000000, NAMES[level], L.program, (int)getpid());
        put_escaped(f, text, true);
        fputs("\"}\n", f);
    } else {
        fprintf(f, "%s.%03ldZ %-5s %s: ", when, ts.tv_nsec / 1000000, NAMES[level], L.program);
        put_escaped(f, text, false);
        fputc('\n', f);
    }
    if (fclose(f) == 0 && write(STDERR_FILENO, line, size) < 0) { /* there is no place left to report it */
    }
    free(line);
}
