/* Agents as processes of this machine, started by the coordinator from the program beside its own. Only these are ever
 * signalled, by pid; they die with the coordinator, however it ends. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"

#define LOCAL_MAX 256u

struct local;
/* Starts `n` agents named local-1 … that dial `endpoint`, with the keys of a folder (NULL: none) or of a
 * descriptor (key_bundle_make; -1: none), the folder of the run's data (NULL: none), and a rule of their guards (NULL:
 * none). The caller has SIGCHLD blocked (it reads it from a signalfd). */
ERR_CHECKED struct local *local_open(size_t n, const char *endpoint, const char *keys, int bundle, const char *data,
                                     const char *allow, struct err *e);
/* Reaps one agent that has exited: its name, and how it ended in words. False when none has. */
bool local_reap(struct local *l, char *ret_name, size_t name_n, char *ret_how, size_t how_n);
size_t local_living(const struct local *l);
void local_close(struct local **l); /* asks those that live to end, then kills them; reaps all; at most a few seconds */
