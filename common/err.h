/* Errors: a code, a sentence that a user can act on, and the chain of what was being done.
 *
 * A function that can fail takes `struct err *` last and returns 0 or -1 (or a pointer or NULL). The caller owns the
 * struct; it needs no destruction. A NULL `struct err *` is allowed: the sentence is dropped.
 */
#pragma once

enum err_code {
#define X(name, status, text) ERR_##name,
#include "common/err.def"
#undef X
    ERR_N
};

struct err {
    enum err_code code;
    char text[600];
};

/* Stands before every declaration of a function that takes a `struct err *` and returns whether it worked: the compiler
 * warns where the result is dropped. A caller that does not want to know writes err_ignore(f(..., NULL)). */
#define ERR_CHECKED __attribute__((warn_unused_result))
static inline void err_ignore(int result)
{
    (void)result;
}

/* Sets code and sentence. Always returns -1, so that `return err_set(...)` reads well. */
int err_set(struct err *e, enum err_code code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Puts "context: " before the sentence that is there. Always returns -1. */
int err_context(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#ifdef __clang_analyzer__ /* it sees one source at a time, and takes a failure that returns 0 for possible */
#define err_set(...) (err_set(__VA_ARGS__), -1)
#define err_context(...) (err_context(__VA_ARGS__), -1)
#endif

/* Exit status of a program that ends with this error. */
int err_exit_status(const struct err *e);

/* Name of a code ("PLAN"), for logs. */
const char *err_code_name(enum err_code code);
