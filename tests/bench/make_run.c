/* Makes the folder of a run that never was, with all reports: to look at them, and to try tools that read them.
 *     make_run DIR [hostile] [lose] [late] [one] [loops] [search] [mix] [refuse] [many [SECONDS]] */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/report/report.h"
#include "tests/unit/fake_run.h"

int main(int argc, char **argv)
{
    struct fake f = {.agents = 2, .seed = 42};
    struct run_data made, read;
    struct err e = {0};
    int status = 1;
    if (argc < 2) {
        (void)fprintf(
            stderr,
            "usage: make_run DIR [hostile] [lose] [late] [one] [loops] [search] [mix] [refuse] [many [SECONDS]]\n");
        return 2;
    }
    for (int i = 2; i < argc; i++) {
        f.hostile |= strcmp(argv[i], "hostile") == 0;
        f.lose |= strcmp(argv[i], "lose") == 0;
        f.many |= strcmp(argv[i], "many") == 0;
        if (f.many && strtol(argv[i], NULL, 10) > 0) f.duration_s = strtol(argv[i], NULL, 10);
        f.one |= strcmp(argv[i], "one") == 0;
        f.loops |= strcmp(argv[i], "loops") == 0;
        f.search |= strcmp(argv[i], "search") == 0;
        f.mix |= strcmp(argv[i], "mix") == 0;
        f.refuse |= strcmp(argv[i], "refuse") == 0;
        f.late |= strcmp(argv[i], "late") == 0;
    }
    fake_run(&f, argv[1], &made);
    if (store_load(f.store, &read, &e) == 0) {
        if (report_all(&read, argv[1], true, &status, &e)) (void)fprintf(stderr, "make_run: %s\n", e.text);
        run_data_clear(&read);
    } else {
        (void)fprintf(stderr, "make_run: %s\n", e.text);
    }
    store_close(&f.store);
    run_data_clear(&made);
    return status;
}
