#include "coordinator/plan_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int read_all(FILE *f, const char *path, struct buf *out, struct err *e)
{
    char part[65536];
    size_t n;
    while ((n = fread(part, 1, sizeof part, f)) > 0)
        (void)buf_put(out, part, n);
    if (ferror(f)) return err_set(e, ERR_PLAN, "%s: cannot be read: %s", path, strerror(errno));
    return out->bad ? err_set(e, ERR_PLAN, "%s: is larger than %zu bytes", path, out->max) : 0;
}

static int refuse_folder(const char *path, struct err *e)
{
    char file[1200];
    (void)snprintf(file, sizeof file, "%.1100s/run.sqlite", path);
    if (access(file, F_OK) == 0)
        return err_set(e, ERR_PLAN,
                       "%s is the folder of a run, not a plan: plateau report %s shows it, plateau run --resume %s "
                       "continues it",
                       path, path, path);
    return err_set(e, ERR_PLAN, "%s is a folder, not a plan", path);
}

/* Files of ours that are easily taken for a plan. */
static int refuse_other(const char *path, const struct buf *b, struct err *e)
{
    const char *s = buf_str(b);
    if (b->len >= 15 && memcmp(s, "SQLite format 3", 15) == 0)
        return err_set(e, ERR_PLAN, "%s is the data of a run, not a plan: plateau report FOLDER shows it", path);
    if (s[0] == '{' && strstr(s, "\"format\":") && strstr(s, "\"points\": ["))
        return err_set(e, ERR_PLAN,
                       "%s is the summary of a run, not a plan; the run's report.html shows the plan it had", path);
    if (strncmp(s, "<!DOCTYPE html", 14) == 0)
        return err_set(e, ERR_PLAN, "%s is a page, not a plan; a run's report.html shows the plan it had, to be copied",
                       path);
    if (strncmp(s, "run,model,started,", 18) == 0)
        return err_set(e, ERR_PLAN, "%s is the curve of a run, not a plan; the run's report.html shows the plan it had",
                       path);
    return 0;
}

int plan_file_read(const char *path, struct buf *out, struct err *e)
{
    struct stat st;
    bool standard = strcmp(path, "-") == 0;
    if (strncmp(path, "http://", 7) == 0 || strncmp(path, "https://", 8) == 0)
        return err_set(e, ERR_PLAN,
                       "%s is an address, not a plan: plateau run --url %s --model NAME runs without a plan", path,
                       path);
    if (!standard && stat(path, &st) == 0 && S_ISDIR(st.st_mode)) return refuse_folder(path, e);
    FILE *f = standard ? stdin : fopen(path, "re");
    if (!f) return err_set(e, ERR_PLAN, "%s: cannot be opened: %s", path, strerror(errno));
    int rc = read_all(f, standard ? "standard input" : path, out, e);
    if (!standard) (void)fclose(f);
    return rc ? rc : refuse_other(path, out, e);
}

struct plan *plan_file_load(const char *path, const char *const *set, size_t n, struct err *e)
{
    struct buf text = BUF_INIT(PLAN_FILE_MAX);
    struct plan *p = plan_file_read(path, &text, e) ? NULL
                                                    : plan_load(strcmp(path, "-") == 0 ? "standard input" : path,
                                                                buf_str(&text), text.len, set, n, e);
    buf_clear(&text);
    return p;
}
