/* The answer's text grows by these; what does not fit is cut. */
#pragma once
#include "coordinator/answer/answer.h"

void answer_say(struct answer *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A number, or a share as "12 %", between two pieces of text. */
void answer_say_number(struct answer *a, const char *before, double v, const char *after);
void answer_say_percent(struct answer *a, const char *before, double share, const char *after);
