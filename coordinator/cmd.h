/* The words of the command line: one function per word; argv[0] is the word itself. Each returns the exit status of the
 * program. */
#pragma once

int cmd_run(int argc, char **argv);     /* plateau run PLAN … (cmd_run.c) */
int cmd_probe(int argc, char **argv);   /* plateau probe PLAN … (cmd_probe.c) */
int cmd_check(int argc, char **argv);   /* plateau check PLAN … (cmd_check.c) */
int cmd_report(int argc, char **argv);  /* plateau report DIR (cmd_report.c) */
int cmd_plan(int argc, char **argv);    /* plateau plan --url URL … (cmd_plan.c) */
int cmd_init(int argc, char **argv);    /* plateau init [FILE] (cmd_plan.c) */
int cmd_keys(int argc, char **argv);    /* plateau keys DIR (cmd_keys.c) */
int cmd_sign(int argc, char **argv);    /* plateau sign PLAN (cmd_sign.c) */
int cmd_export(int argc, char **argv);  /* plateau export DIR --to FORM (cmd_export.c) */
int cmd_compare(int argc, char **argv); /* plateau compare A B [C …] (cmd_compare.c) */
