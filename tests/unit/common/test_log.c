#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/log.h"

/* What one call writes to standard error. */
static char *line_of(enum log_level level, const char *text)
{
    static char line[8192];
    int saved = dup(STDERR_FILENO);
    FILE *f = tmpfile();
    assert_true(saved >= 0 && f);
    assert_int_equal(dup2(fileno(f), STDERR_FILENO), STDERR_FILENO);
    log_msg(level, "%s", text);
    assert_int_equal(dup2(saved, STDERR_FILENO), STDERR_FILENO);
    close(saved);
    rewind(f);
    size_t n = fread(line, 1, sizeof line - 1, f);
    line[n] = 0;
    fclose(f);
    return line;
}

static void ends_with(const char *line, const char *end)
{
    size_t n = strlen(line), m = strlen(end);
    if (n < m || strcmp(line + n - m, end)) fail_msg("%s does not end with %s", line, end);
}

static const char NASTY[] = "a\n\x1b[31m\"b\\\r\t\x7f\xc3\xa4\xff\xc2\x9b"
                            "2J";

static void test_text_is_one_clean_line(void **state)
{
    (void)state;
    log_init("prog", LOG_INFO, false);
    char *line = line_of(LOG_WARN, NASTY);
    ends_with(line, "Z warn  prog: a\\x0a\\x1b[31m\"b\\\\x0d\\x09\\x7f\xc3\xa4\\xff\\xc2\\x9b2J\n");
    assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
}

/* One object, only the escapes that JSON knows, no byte that is not UTF-8. */
static void test_json(void **state)
{
    (void)state;
    log_init("prog", LOG_DEBUG, true);
    char *line = line_of(LOG_ERROR, NASTY);
    ends_with(line, "\"msg\":\"a\\u000a\\u001b[31m\\\"b\\\\\\u000d\\u0009\\u007f\xc3\xa4\\u00ff\\u00c2\\u009b2J\"}\n");
    assert_memory_equal(line, "{\"time\":\"20", 11);
    assert_non_null(strstr(line, "Z\",\"level\":\"error\",\"program\":\"prog\",\"pid\":"));
    ends_with(line_of(LOG_INFO, ""), "\"msg\":\"\"}\n");
}

static void test_long_text_is_cut(void **state)
{
    (void)state;
    log_init("prog", LOG_INFO, true);
    char text[4001];
    memset(text, '\xa4', 4000); /* every other byte of ä */
    for (int i = 0; i < 4000; i += 2)
        text[i] = '\xc3';
    text[4000] = 0;
    char *line = line_of(LOG_INFO, text);
    ends_with(line, "\xc3\xa4\\u00c3\"}\n"); /* cut inside a character: still JSON */
    assert_in_range(strlen(line), 1000, 1300);
}

static void test_levels(void **state)
{
    (void)state;
    static const char *const WORDS[] = {"debug", "info", "warn", "error", "off"};
    for (int i = 0; i < 5; i++) {
        enum log_level level;
        assert_int_equal(log_level_parse(WORDS[i], &level), 0);
        assert_int_equal(level, i);
        log_init("prog", level, false);
        for (int l = LOG_DEBUG; l < LOG_OFF; l++)
            assert_int_equal(*line_of((enum log_level)l, "x") != 0, l >= i);
        assert_string_equal(line_of(LOG_OFF, "x"), "");
    }
    enum log_level level;
    assert_int_equal(log_level_parse("WARN", &level), -1);
    assert_int_equal(log_level_parse("", &level), -1);
}

/* What one call writes to a terminal of so many columns. */
static char *terminal_line(unsigned short columns, const char *text)
{
    static char line[8192];
    struct termios raw;
    int master = posix_openpt(O_RDWR | O_NOCTTY), saved = dup(STDERR_FILENO);
    assert_true(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
    int slave = open(ptsname(master), O_RDWR | O_NOCTTY);
    assert_true(slave >= 0 && tcgetattr(slave, &raw) == 0);
    cfmakeraw(&raw); /* the terminal adds nothing of its own */
    assert_int_equal(tcsetattr(slave, TCSANOW, &raw), 0);
    assert_int_equal(ioctl(slave, TIOCSWINSZ, &(struct winsize){.ws_row = 24, .ws_col = columns}), 0);
    assert_int_equal(dup2(slave, STDERR_FILENO), STDERR_FILENO);
    log_msg(LOG_WARN, "%s", text);
    assert_int_equal(dup2(saved, STDERR_FILENO), STDERR_FILENO);
    ssize_t n = read(master, line, sizeof line - 1);
    assert_true(n > 0);
    line[n] = 0;
    (void)close(slave);
    (void)close(master);
    (void)close(saved);
    return line;
}

/* No line is longer than the terminal, words stay whole, and nothing but the first line begins at the left. */
static void test_terminal(void **state)
{
    (void)state;
    static const char TEXT[] =
        "request_failed: stage 1, http_5xx, status 503 from 127.0.0.1:8000: {\"message\":\"x\"}\n. "
        "Der Server l\xc3\xa4uft noch nicht, sagt er";
    log_init("plateau run", LOG_INFO, false);
    char *line = terminal_line(60, TEXT);
    assert_memory_equal(line, "\r\x1b[K", 4);
    char *save = NULL;
    int lines = 0;
    for (char *l = strtok_r(line + 4, "\n", &save); l; l = strtok_r(NULL, "\n", &save), lines++) {
        size_t columns = 0;
        for (const char *c = l; *c; c++)
            columns += ((unsigned char)*c & 0xc0) != 0x80;
        assert_true(columns < 60);
        assert_int_equal(strspn(l, " "), lines ? 15 : 0);
    }
    assert_in_range(lines, 3, 5);
    line = terminal_line(60, TEXT);
    assert_non_null(strstr(line, " warn  plateau run: request_failed: "));
    assert_non_null(strstr(line, "{\"message\":\"x\"}\\x0a.")); /* an end of line from outside ends none */
    line = terminal_line(200, "short");
    assert_string_equal(line + 12, " warn  plateau run: short\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_text_is_one_clean_line), cmocka_unit_test(test_json),
                                       cmocka_unit_test(test_long_text_is_cut), cmocka_unit_test(test_levels),
                                       cmocka_unit_test(test_terminal)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
