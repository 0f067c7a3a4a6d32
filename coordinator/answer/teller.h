/* Where sentences go one by one: what a run breaks of a set of rules. */
#pragma once

struct teller {
    void (*tell)(void *arg, const char *sentence);
    void *arg;
};

/* A sentence of at most 399 bytes; what does not fit is cut. */
void teller_say(const struct teller *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
