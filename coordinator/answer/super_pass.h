/* The steady window over super-passes, as MLPerf Endpoints defines it (its rules, section 4.4): a super-pass is one
 * pass over the data set, in order of issue. Pure, and made to be asked again while a stage runs.
 *
 * 1. The ramp is cropped: leading super-passes whose TPOT p50 is more than 5 % off the median of the back half; at most
 * half.
 * 2. A window of at least 4 super-passes grows while TPOT p50 and p90 have no trend (Mann-Kendall with Hamed and Rao's
 *    correction, 5 %; a trend counts from 5 % end to end) and vary little (their CoV is within the bound).
 * 3. The first window that is long enough is the steady one, never the best.
 * 4. A later plateau whose level differs (Pettitt) is an anomaly.
 * 5. Without a window the whole run counts. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#define SUPER_PASS_MAX 512
#define SUPER_PASS_LEAST 4

struct super_pass {
    double begin_s, end_s;     /* first and last issue, from the stage's start */
    double tpot_p50, tpot_p90; /* of its answers */
};
enum super_pass_status { SUPER_PASS_WINDOWABLE, SUPER_PASS_TOO_SHORT, SUPER_PASS_TOO_FEW };
enum super_pass_verdict {
    SUPER_PASS_STEADY,
    SUPER_PASS_DRIFTING_UP,
    SUPER_PASS_DRIFTING_DOWN,
    SUPER_PASS_ANOMALY,
    SUPER_PASS_NOT_FOUND
};
struct super_pass_window {
    enum super_pass_status status;
    enum super_pass_verdict verdict;
    size_t cropped;    /* super-passes of the ramp */
    size_t begin, end; /* [begin, end); empty when none was found */
    double seconds;    /* from its first to its last issue */
    double cov_p50, cov_p90;
};
/* least_s: how long a window must be (600 s up to a concurrency of 32, else 1,200 s; less is "not to the rules").
 * cov: the bound, 0.03, 0.05 or 0.08. n above SUPER_PASS_MAX: only the first so many are used. */
void super_pass_find(const struct super_pass *pass, size_t n, double least_s, double cov,
                     struct super_pass_window *ret);
/* "STEADY STATE", "drifting_up" …; "windowable", "insufficient_duration", "insufficient_passes". */
const char *super_pass_verdict_name(enum super_pass_verdict v);
const char *super_pass_status_name(enum super_pass_status s);
