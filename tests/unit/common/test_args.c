#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/args.h"
#include "common/wire.h"
#include "common/log.h"

static bool flag;
static const char *text;
static uint32_t u32;
static uint64_t u64;
static double number;
static int64_t duration;
static struct arg_list many;
static const struct arg TABLE[] = {
    {"insecure", ARG_FLAG, &flag, NULL, "no encryption"},
    {"listen", ARG_TEXT, &text, "ADDR:PORT", "where to listen"},
    {"slots", ARG_U32, &u32, "N", "how many slots"},
    {"seed", ARG_U64, &u64, "N", "the seed"},
    {"rate", ARG_DOUBLE, &number, "X", "how often"},
    {"ttft", ARG_DURATION, &duration, "TIME", "time to the first token"},
    {"some32", ARG_U32_ABOVE_0, &u32, "N", "at least one"},
    {"some64", ARG_U64_ABOVE_0, &u64, "N", "at least one"},
    {"some", ARG_DOUBLE_ABOVE_0, &number, "X", "more than none"},
    {"span", ARG_DURATION_ABOVE_0, &duration, "TIME", "more than none"},
    {"set", ARG_MANY, &many, "PATH=VALUE", "change the plan"},
    {NULL, ARG_FLAG, NULL, NULL, NULL},
};
static const struct args ARGS = {"plateau test", "PLAN [options]", "Tests the command line.", TABLE, 1, 2};

static const char *words[100];
static size_t n_words;
static struct err e;

/* Parses words that end with NULL; returns what args_parse returns. */
static int parse(const char *first, ...)
{
    char *argv[100] = {(char[]){"test"}};
    static char copy[100][200];
    int argc = 1;
    va_list ap;
    va_start(ap, first);
    for (const char *w = first; w && argc < 100; w = va_arg(ap, const char *), argc++) {
        (void)snprintf(copy[argc], sizeof copy[argc], "%s", w);
        argv[argc] = copy[argc];
    }
    va_end(ap);
    flag = false;
    text = NULL;
    u32 = 0;
    u64 = 0;
    number = 0;
    duration = 0;
    many.n = 0;
    e = (struct err){0};
    return args_parse(&ARGS, argc, argv, words, &n_words, &e);
}

static void refused(int rc, const char *why)
{
    assert_int_equal(rc, -1);
    assert_int_equal(e.code, ERR_USAGE);
    if (!strstr(e.text, why)) fail_msg("\"%s\" says nothing of \"%s\"", e.text, why);
}

static void test_every_kind(void **state)
{
    (void)state;
    assert_int_equal(parse("plan.yaml", "--insecure", "--listen", "127.0.0.1:1", "--slots=7", "--seed",
                           "18446744073709551615", "--rate", "2.5", "--ttft=250ms", "--set", "a=1", "--set=b=2",
                           "other", NULL),
                     0);
    assert_true(flag && u32 == 7 && u64 == UINT64_MAX && number == 2.5 && duration == 250000000);
    assert_string_equal(text, "127.0.0.1:1");
    assert_int_equal(many.n, 2);
    assert_string_equal(many.item[0], "a=1");
    assert_string_equal(many.item[1], "b=2");
    assert_int_equal(n_words, 2);
    assert_string_equal(words[0], "plan.yaml");
    assert_string_equal(words[1], "other");
    assert_int_equal(parse("--", "--insecure", "-x", NULL), 0);
    assert_true(!flag && n_words == 2);
    assert_int_equal(parse("-", "--listen", "--insecure", NULL),
                     0); /* a value may look like an option; "-" is a word */
    assert_true(!flag && n_words == 1);
    assert_string_equal(text, "--insecure");
    assert_int_equal(parse("p", "--listen=", NULL), 0);
    assert_string_equal(text, "");
}

static void test_every_error(void **state)
{
    (void)state;
    refused(parse("p", "--insecure=1", NULL), "--insecure takes no value");
    refused(parse("p", "--listen", NULL), "--listen needs a value: ADDR:PORT");
    static const char *const NO_U32[] = {
        "", "-1", " 1", " -1", "+1", "1.5", "4294967296", "x", "1x", "0x10", "99999999999999999999999"};
    for (size_t i = 0; i < sizeof NO_U32 / sizeof *NO_U32; i++)
        refused(parse("p", "--slots", NO_U32[i], NULL), "--slots: expected a whole number from 0 to 4294967295, got");
    refused(parse("p", "--seed", "18446744073709551616", NULL), "whole number");
    refused(parse("p", "--seed", " -5", NULL), "whole number");
    static const char *const NO_DOUBLE[] = {"", "-1", "-0", "nan", "inf", "1e999", "1.5x", " 1", "0x1p3", "+1"};
    for (size_t i = 0; i < sizeof NO_DOUBLE / sizeof *NO_DOUBLE; i++)
        refused(parse("p", "--rate", NO_DOUBLE[i], NULL), "--rate: expected a number >= 0, got");
    refused(parse("p", "--ttft", "250", NULL), "--ttft: expected a duration such as 250ms");
    refused(parse("p", "--log-level", "loud", NULL), "--log-level: expected debug, info, warn, error or off");
    refused(parse(NULL), "too few arguments");
    refused(parse("a", "b", "c", NULL), "too many arguments");
    refused(parse("p", "-i", NULL), "unknown option -i");
    char *argv[2 * (ARG_LIST_MAX + 1) + 2];
    int argc = 0;
    static char w[3][10] = {"test", "--set", "a=1"};
    argv[argc++] = w[0];
    for (int i = 0; i <= ARG_LIST_MAX; i++) {
        argv[argc++] = w[1];
        argv[argc++] = w[2];
    }
    static const char *room[2 * (ARG_LIST_MAX + 1) + 2];
    many.n = 0;
    refused(args_parse(&ARGS, argc, argv, room, &n_words, &e), "--set: given more than 64 times");
}

/* An option whose 0 would be taken for "not given" refuses it, however it is written. */
static void test_above_0(void **state)
{
    (void)state;
    static const char *const ZERO[][2] = {{"--some32", "0"}, {"--some32", "00"}, {"--some64", "0"}, {"--some", "0"},
                                          {"--some", "0.0"}, {"--span", "0"},    {"--span", "0s"}};
    for (size_t i = 0; i < sizeof ZERO / sizeof *ZERO; i++) {
        char why[64];
        (void)snprintf(why, sizeof why, "%s: expected more than 0, got \"%s\"", ZERO[i][0], ZERO[i][1]);
        refused(parse("p", ZERO[i][0], ZERO[i][1], NULL), why);
    }
    refused(parse("p", "--some32", "-1", NULL), "whole number");
    refused(parse("p", "--span", "250", NULL), "expected a duration such as 250ms");
    assert_int_equal(parse("p", "--some32", "1", "--some64", "2", "--some", "0.5", "--span", "1ms", NULL), 0);
    assert_true(u32 == 1 && u64 == 2 && number == 0.5 && duration == 1000000);
    assert_int_equal(parse("p", "--slots", "0", "--rate", "0", "--ttft", "0s", NULL), 0); /* where 0 is a value */
}

static void test_did_you_mean(void **state)
{
    (void)state;
    refused(parse("p", "--insecur", NULL),
            "unknown option --insecur; did you mean --insecure? (plateau test --help lists all)");
    refused(parse("p", "--solts=3", NULL), "did you mean --slots?");
    refused(parse("p", "--hlep", NULL), "did you mean --help?");
    refused(parse("p", "--completely-different", NULL), "unknown option --completely-different (");
    refused(parse("p", "--012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789",
                  NULL),
            "unknown option");
    static const char *const WORDS[] = {"concurrency", "rate", "duration"};
    assert_string_equal(args_nearest("concurency", WORDS, 3), "concurrency");
    assert_string_equal(args_nearest("rtae", WORDS, 3), "rate");
    assert_null(args_nearest("xyz", WORDS, 3));
    assert_null(args_nearest("rate", WORDS, 0));
}

/* What goes to standard output while `flag_` is parsed. */
static const char *printed(const char *flag_)
{
    static char out[8192];
    fflush(stdout);
    int saved = dup(STDOUT_FILENO);
    FILE *f = tmpfile();
    assert_true(saved >= 0 && f);
    assert_int_equal(dup2(fileno(f), STDOUT_FILENO), STDOUT_FILENO);
    int rc = parse(flag_, NULL);
    fflush(stdout);
    assert_int_equal(dup2(saved, STDOUT_FILENO), STDOUT_FILENO);
    close(saved);
    rewind(f);
    out[fread(out, 1, sizeof out - 1, f)] = 0;
    fclose(f);
    assert_int_equal(rc, 1);
    return out;
}

static void test_help_lists_all(void **state)
{
    (void)state;
    const char *out = printed("--help");
    assert_non_null(strstr(out, "plateau test PLAN [options]"));
    assert_non_null(strstr(out, ARGS.about));
    char row[100];
    for (const struct arg *a = TABLE; a->name; a++) {
        (void)snprintf(row, sizeof row, "  --%s%s%s ", a->name, a->value ? " " : "", a->value ? a->value : "");
        if (!strstr(out, row) || !strstr(out, a->help)) fail_msg("--help does not list --%s", a->name);
    }
    static const char *const BUILT_IN[] = {"  --help ", "  --version ", "  --log-json ", "  --log-level LEVEL "};
    for (int i = 0; i < 4; i++)
        assert_non_null(strstr(out, BUILT_IN[i]));
    char version[100];
    (void)snprintf(version, sizeof version, "plateau test " PLATEAU_VERSION ", tables %016" PRIx64 "\n",
                   wire_fingerprint());
    assert_string_equal(printed("--version"), version);
    assert_int_equal(parse("p", NULL), 0); /* the one call leaves nothing for the next */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_kind), cmocka_unit_test(test_every_error),
                                       cmocka_unit_test(test_above_0), cmocka_unit_test(test_did_you_mean),
                                       cmocka_unit_test(test_help_lists_all)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
