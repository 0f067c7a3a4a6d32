/* plateau: one program, its commands in a table. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/args.h"
#include "common/wire.h"
#include "coordinator/cmd.h"

enum { STATUS_USAGE = 2 };

static const struct command {
    const char *name, *what;
    int (*run)(int argc, char **argv);
} COMMANDS[] = {
    {"run", "run a plan over agents and report", cmd_run},
    {"probe", "send one request of a plan and show what came", cmd_probe},
    {"plan", "print the plan that the same options of run make", cmd_plan},
    {"init", "write a first plan, commented", cmd_init},
    {"check", "validate a plan and print it resolved", cmd_check},
    {"report", "make the reports of a run again", cmd_report},
    {"export", "write a run in the form of another tool", cmd_export},
    {"keys", "make the keys of a control plane and of signed plans", cmd_keys},
    {"sign", "sign a plan for agents that run signed plans only", cmd_sign},
    {"compare", "say what changed between runs", cmd_compare},
};
enum { N = sizeof COMMANDS / sizeof *COMMANDS };

static void usage(FILE *to)
{
    fputs("plateau: finds the plateau of an LLM endpoint's throughput, and proves it\n\nplateau COMMAND [options]\n\n",
          to);
    for (unsigned i = 0; i < N; i++)
        fprintf(to, "  %-10s %s\n", COMMANDS[i].name, COMMANDS[i].what);
    fputs("\nplateau help COMMAND lists a command's options, with examples.\n"
          "Exit status: 0 passed, 1 could not be done, 2 bad plan or usage,\n"
          "3 measurement invalid, 4 agents lost, 99 an SLO gate failed or could not be\n"
          "decided, 130 or 143 ended by a signal.\n",
          to);
}

/* plateau(1): the commands; each has a page of its own, plateau-run(1) … */
static void manual(void)
{
    printf(".TH plateau 1 \"\" \"plateau %s\" plateau\n.SH NAME\nplateau \\- finds the plateau of an LLM endpoint's "
           "throughput, "
           "and proves it\n.SH SYNOPSIS\n.B plateau\nCOMMAND [options]\n.SH COMMANDS\n",
           PLATEAU_VERSION);
    for (unsigned i = 0; i < N; i++)
        printf(".TP\n.BR plateau\\-%s (1)\n%s\n", COMMANDS[i].name, COMMANDS[i].what);
    fputs(".SH EXIT STATUS\n0 passed, 1 could not be done, 2 bad plan or usage, 3 measurement invalid, 4 agents lost, "
          "99 an SLO "
          "gate failed or could not be decided, 130 or "
          "143 ended by a signal.\n",
          stdout);
}

static int unknown(const char *word)
{
    const char *names[N];
    for (unsigned i = 0; i < N; i++)
        names[i] = COMMANDS[i].name;
    const char *near = args_nearest(word, names, N);
    fprintf(stderr, "plateau: there is no command \"%s\"", word);
    if (near) fprintf(stderr, "; did you mean \"%s\"?", near);
    fputs("\n\n", stderr);
    usage(stderr);
    return STATUS_USAGE;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        usage(stderr);
        return STATUS_USAGE;
    }
    bool help = strcmp(argv[1], "help") == 0;
    if (strcmp(argv[1], "--help") == 0 || (help && argc == 2)) {
        usage(stdout);
        return 0;
    }
    if (strcmp(argv[1], "--manual") == 0) {
        manual();
        return 0;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("plateau %s, tables %016" PRIx64 "\n", PLATEAU_VERSION, wire_fingerprint());
        return 0;
    }
    static char option[] = "--help";
    char *asked[] = {argv[help ? 2 : 1], option, NULL}; /* `help run` is `run --help` */
    for (unsigned i = 0; i < N; i++)
        if (strcmp(asked[0], COMMANDS[i].name) == 0)
            return help ? COMMANDS[i].run(2, asked) : COMMANDS[i].run(argc - 1, argv + 1);
    return unknown(asked[0]);
}
