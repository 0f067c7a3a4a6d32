#include "tests/unit/agent/recorder_world.h"

/* A first sign, and the text only after a long time, where text comes for long after it: the first gap is out of
 * proportion with the others and with TTFT. */
static void test_first_alone_of_long_answers(void **state)
{
    (void)state;
    static const struct {
        int ttft_ms, first_ms, gap_ms, events, together; /* so many events in a read */
        uint64_t alone;
    } rows[] = {{6, 394, 20, 64, 1, 1},    {6, 94, 10, 64, 1, 1},
                {6, 394, 20, 64, 4, 1},                              /* a gateway's blank, and a server that bundles */
                {400, 60, 20, 64, 1, 0},                             /* a second token that waits a little */
                {1000, 150, 20, 64, 1, 0},                           /* and one that changes little of TTFT */
                {30, 20, 20, 64, 1, 0},    {30, 100, 100, 64, 8, 0}, /* a server that sends eight at once */
                {30, 50, 50, 64, 5, 0},    {6, 394, 20, 7, 1, 0}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fresh(NULL);
        begin(1000 * MS, 1000 * MS);
        int64_t at = 1000 + rows[i].ttft_ms;
        feed(TOKEN, at * MS);
        at += rows[i].first_ms;
        for (int k = 1; k < rows[i].events; k++) {
            feed(TOKEN, at * MS);
            if (k % rows[i].together == 0) at += rows[i].gap_ms;
        }
        feed(DONE, at * MS);
        end(END_COMPLETE, 200, at * MS, COUNTER_OK);
        if (counted(COUNTER_FIRST_ALONE) != rows[i].alone) fail_msg("row %zu", i);
        assert_int_equal(counted(COUNTER_FIRST_ALONE_TTFT_NS), rows[i].alone * (uint64_t)rows[i].ttft_ms * MS);
        assert_int_equal(counted(COUNTER_FIRST_ALONE_GAP_NS), rows[i].alone * (uint64_t)rows[i].first_ms * MS);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_first_alone_of_long_answers)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
