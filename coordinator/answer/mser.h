/* MSER-5 (White 1997; White, Cobb & Spratt 2000): how much of a series' beginning is start-up. Batches of five; cuts
 * where the standard error of the mean of what is left is smallest, looking no further than the first half. */
#pragma once
#include <stddef.h>

#define MSER5_LEAST 30 /* of fewer values nothing is cut: the last five batches stay, and one must be left to cut */

/* Number of values to leave out, a multiple of five; n when even a cut of half looks like start-up (the series is too
 * short to judge). */
size_t mser5_cut(const double *x, size_t n);
