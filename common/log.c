#include "common/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
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

/* Columns of the terminal that standard error is; 0: it is none. Asked each time, since its size may change. */
static unsigned terminal_width(void)
{
    struct winsize w = {0};
    if (!isatty(STDERR_FILENO)) return 0;
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col >= 20 ? w.ws_col : 80;
}

/* Columns of a text, or of its first word. */
static size_t columns(const char *s, bool word)
{
    size_t n = 0;
    for (; *s && !(word && *s == ' '); s++)
        n += ((unsigned char)*s & 0xc0) != 0x80; /* not the middle of a character */
    return n;
}

/* Breaks a line between words, so that a terminal does not break it inside one; what follows is indented, so that no
 * text from outside can look like a line of its own. A word that is longer than a line is left to the terminal. */
static void put_wrapped(FILE *f, const char *s, size_t at, size_t indent, size_t width)
{
    while (*s) {
        size_t blanks = strspn(s, " "), wide = columns(s + blanks, true), bytes = strcspn(s + blanks, " ");
        if (at > indent && at + blanks + wide > width) {
            fprintf(f, "\n%*s", (int)indent, "");
            at = indent;
        } else {
            fprintf(f, "%*s", (int)blanks, "");
            at += blanks;
        }
        fwrite(s + blanks, 1, bytes, f);
        at += wide;
        s += blanks + bytes;
    }
}

/* For a person at a terminal: the time of day, and no line that wraps. What was written without an end of line, the
 * coordinator's progress, is wiped away first: agents of this machine log to the same terminal. */
static void put_for_terminal(FILE *f, const struct tm *tm, enum log_level level, const char *text, unsigned width)
{
    char when[16], *clean = NULL;
    size_t size = 0;
    (void)strftime(when, sizeof when, "%H:%M:%S", tm);
    FILE *t = open_memstream(&clean, &size);
    if (!t) return;
    put_escaped(t, text, false);
    if (fclose(t) == 0) {
        int n = fprintf(f, "\r\x1b[K%s %-5s %s: ", when, NAMES[level], L.program) - 4; /* less what wipes */
        put_wrapped(f, clean, n > 0 ? (size_t)n : 0, strlen(when) + 7, width - 1); /* some wrap at the last column */
        fputc('\n', f);
    }
    free(clean);
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
    unsigned width = terminal_width();
    if (L.json) {
        fprintf(f, "{\"time\":\"%s.%03ldZ\",\"level\":\"%s\",\"program\":\"%s\",\"pid\":%d,\"msg\":\"", when,
                ts.tv_nsec / 1000000, NAMES[level], L.program, (int)getpid());
        put_escaped(f, text, true);
        fputs("\"}\n", f);
    } else if (width) {
        put_for_terminal(f, &tm, level, text, width);
    } else {
        if (isatty(STDERR_FILENO)) fputs("\r\x1b[K", f); /* another program of this run may have a live line there */
        fprintf(f, "%s.%03ldZ %-5s %s: ", when, ts.tv_nsec / 1000000, NAMES[level], L.program);
        put_escaped(f, text, false);
        fputc('\n', f);
    }
    if (fclose(f) == 0 && write(STDERR_FILENO, line, size) < 0) { /* there is no place left to report it */
    }
    free(line);
}
