/* The log: one line per event on standard error, as text or as JSON lines; at a terminal broken between words where it
 * ends, with the time of day alone. Thread-safe. Only shells (mains, links, the
 * run) log; pure modules return errors. Nothing logs on the token path. */
#pragma once
#include <stdbool.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR, LOG_OFF };

/* `program` must outlive the log. Call once, before threads start. */
void log_init(const char *program, enum log_level level, bool json);

/* Whether lines are JSON: then nothing else belongs on standard error. */
bool log_is_json(void);

/* "debug", "info", "warn", "error", "off"; returns -1 when the word is none of them. */
int log_level_parse(const char *word, enum log_level *ret_level);

void log_msg(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define log_debug(...) log_msg(LOG_DEBUG, __VA_ARGS__)
#define log_info(...) log_msg(LOG_INFO, __VA_ARGS__)
#define log_warn(...) log_msg(LOG_WARN, __VA_ARGS__)
#define log_error(...) log_msg(LOG_ERROR, __VA_ARGS__)
