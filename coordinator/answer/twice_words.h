/* What asks for a second look at a run's figures (look_twice.h), and steps of the curve against its direction, in
 * words.
 */
#pragma once
#include "coordinator/answer/answer.h"

void twice_words(struct answer *a);
/* Runs of one load that are apart: where it has no figure, this stands in its place, before all else. */
void twice_apart_words(struct answer *a);
