#include "coordinator/local.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"

#define TERM_WAIT_NS (2 * NS_PER_S)

struct local_agent {
    pid_t pid; /* 0: reaped */
    char name[32];
};
struct local {
    struct local_agent agent[LOCAL_MAX];
    size_t n;
};

/* Where this program lies. Without /proc, as in a bare chroot, by the name under which it was started. */
static int self_path(char ret[PATH_MAX], struct err *e)
{
    ssize_t len = readlink("/proc/self/exe", ret, PATH_MAX - 1);
    unsigned long started = getauxval(AT_EXECFN); /* the kernel's pointer to that name, as a number */
    const char *name = NULL;
    if (len >= 0) {
        ret[len] = 0;
        return 0;
    }
    memcpy(&name, &started, sizeof name);
    if (name && realpath(name, ret)) return 0;
    return err_set(e, ERR_IO,
                   "--local looks for plateau-agent beside plateau, and cannot find out where plateau lies: /proc is "
                   "not mounted, and \"%s\" leads nowhere. Start plateau by its full path, or mount /proc",
                   name ? name : "");
}

static int program_path(char *ret, size_t n, struct err *e)
{
    char self[PATH_MAX];
    if (self_path(self, e)) return -1;
    char *slash = strrchr(self, '/');
    if (slash) *slash = 0;
    if ((size_t)snprintf(ret, n, "%s/plateau-agent", self) >= n || access(ret, X_OK))
        return err_set(e, ERR_USAGE, "--local needs plateau-agent beside plateau: %s: %s", ret, strerror(errno));
    return 0;
}

/* Runs in the child, between fork and exec. A group of its own: Ctrl-C at the terminal is the coordinator's to handle.
 */
static void become(const char *path, const char *endpoint, const char *name, const char *keys, int bundle,
                   const char *data, const char *allow, pid_t parent)
{
    sigset_t none;
    char fd[16];
    sigemptyset(&none);
    (void)setpgid(0, 0);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent) _exit(127);
    if (bundle >= 0) {
        (void)snprintf(fd, sizeof fd, "%d", bundle);
        (void)fcntl(bundle, F_SETFD, 0);
        keys = fd;
    }
    const char *argv[16] = {"plateau-agent", "--connect", endpoint, "--name", name, "--log-level", "warn"};
    size_t n = 7;
    if (keys) {
        argv[n++] = bundle >= 0 ? "--keys-fd" : "--keys";
        argv[n++] = keys;
    }
    if (data) {
        argv[n++] = "--data";
        argv[n++] = data;
        argv[n++] = "--data-checked"; /* shelf_fill has made or checked them: not once more by each agent */
    }
    if (allow) {
        argv[n++] = "--allow";
        argv[n++] = allow;
    }
    char *const *words;
    memcpy(&words, &(const char *const *){argv}, sizeof words); /* exec changes nothing, but its type does not say so */
    (void)execv(path, words);
    _exit(127);
}

struct local *local_open(size_t n, const char *endpoint, const char *keys, int bundle, const char *data,
                         const char *allow, struct err *e)
{
    char path[PATH_MAX + 32];
    if (n > LOCAL_MAX) {
        (void)err_set(e, ERR_USAGE, "--local: at most %u agents", LOCAL_MAX);
        return NULL;
    }
    struct local *l = calloc(1, sizeof *l);
    if (!l) {
        (void)err_set(e, ERR_NOMEM, "no memory");
        return NULL;
    }
    if (program_path(path, sizeof path, e)) {
        free(l);
        return NULL;
    }
    pid_t self = getpid();
    for (size_t i = 0; i < n; i++) {
        struct local_agent *a = &l->agent[l->n];
        (void)snprintf(a->name, sizeof a->name, "local-%zu", i + 1);
        a->pid = fork();
        if (a->pid == 0) become(path, endpoint, a->name, keys, bundle, data, allow, self);
        if (a->pid < 0) {
            (void)err_set(e, ERR_LIMIT, "cannot start agent %s: %s", a->name, strerror(errno));
            local_close(&l);
            return NULL;
        }
        l->n++;
    }
    return l;
}

static void describe(int status, char *ret, size_t n)
{
    if (WIFSIGNALED(status))
        (void)snprintf(ret, n, "was killed by signal %d", WTERMSIG(status));
    else if (WEXITSTATUS(status) == 127)
        (void)snprintf(ret, n, "could not be started");
    else
        (void)snprintf(ret, n, "exited with status %d", WEXITSTATUS(status));
}

bool local_reap(struct local *l, char *ret_name, size_t name_n, char *ret_how, size_t how_n)
{
    for (size_t i = 0; l && i < l->n; i++) {
        int status;
        if (l->agent[i].pid <= 0 || waitpid(l->agent[i].pid, &status, WNOHANG) != l->agent[i].pid) continue;
        l->agent[i].pid = 0;
        (void)snprintf(ret_name, name_n, "%s", l->agent[i].name);
        describe(status, ret_how, how_n);
        return true;
    }
    return false;
}

size_t local_living(const struct local *l)
{
    size_t n = 0;
    for (size_t i = 0; l && i < l->n; i++)
        n += l->agent[i].pid > 0;
    return n;
}

static void signal_all(struct local *l, int sig)
{
    for (size_t i = 0; i < l->n; i++)
        if (l->agent[i].pid > 0) (void)kill(l->agent[i].pid, sig);
}

void local_close(struct local **l)
{
    char name[32], how[64];
    if (!*l) return;
    signal_all(*l, SIGTERM);
    signal_all(*l, SIGCONT); /* a stopped one cannot end */
    int64_t until = clock_mono_ns() + TERM_WAIT_NS;
    while (local_living(*l)) {
        if (local_reap(*l, name, sizeof name, how, sizeof how)) continue;
        if (clock_mono_ns() >= until) signal_all(*l, SIGKILL);
        (void)nanosleep(&(struct timespec){.tv_nsec = 5 * NS_PER_MS}, NULL);
    }
    free(*l);
    *l = NULL;
}
