#include "tests/unit/agent/recorder_world.h"

/* The window's time in requests that came to nothing, the drain and the warm-up left out: from 1,000 to 2,000 ms. */
static void test_unserved(void **state)
{
    (void)state;
    static const struct {
        int64_t sent, at, unserved;
        enum transport_end by;
        enum counter outcome;
    } CASES[] = {{500, 60000, 1000, END_ABORTED, COUNTER_ABORTED}, /* hung since the warm-up */
                 {1300, 60000, 700, END_ABORTED, COUNTER_ABORTED},
                 {1300, 1700, 400, END_TIMEOUT_FIRST_TOKEN, COUNTER_FAILED_TIMEOUT_FIRST_TOKEN},
                 {500, 900, 0, END_TIMEOUT_FIRST_TOKEN, COUNTER_FAILED_TIMEOUT_FIRST_TOKEN},
                 {1300, 1700, 0, END_COMPLETE, COUNTER_OK},
                 {1300, 1700, 0, END_CANCELLED, COUNTER_CANCELLED}, /* its user went away */
                 {0, 1700, 0, END_ABORTED, COUNTER_ABORTED}};       /* never sent: in no flight */
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        fresh(NULL);
        begin(CASES[i].sent ? CASES[i].sent * MS : 1200 * MS, CASES[i].sent * MS);
        if (CASES[i].outcome == COUNTER_OK) feed(TOKEN DONE, CASES[i].at * MS);
        end(CASES[i].by, 200, CASES[i].at * MS, CASES[i].outcome);
        if (counted(COUNTER_WIN_UNSERVED_NS) != (uint64_t)(CASES[i].unserved * MS)) fail_msg("case %zu", i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_unserved)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
