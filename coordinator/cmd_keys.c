/* plateau keys DIR: the keys of a control plane and of signed plans, made once, never overwritten. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/args.h"
#include "common/keys.h"
#include "common/log.h"
#include "common/sign.h"
#include "coordinator/cmd.h"

enum { PATH_ROOM = 4096, NAME_ROOM = 64 };

static int path_of(char *ret, const char *dir, const char *name, struct err *e)
{
    int n = snprintf(ret, PATH_ROOM, "%s/%s", dir, name);
    return n > 0 && n < PATH_ROOM ? 0 : err_set(e, ERR_USAGE, "the path of the key folder is too long");
}

static int make_folder(const char *dir, struct err *e)
{
    struct stat st;
    if (mkdir(dir, 0700) == 0) return 0;
    if (errno != EEXIST || stat(dir, &st)) return err_set(e, ERR_USAGE, "cannot make %s: %s", dir, strerror(errno));
    if (!S_ISDIR(st.st_mode)) return err_set(e, ERR_USAGE, "%s is not a folder", dir);
    if (st.st_mode & (S_IRWXG | S_IRWXO))
        return err_set(e, ERR_USAGE, "%s may be entered by others (mode %03o); chmod 700 it", dir,
                       (unsigned)(st.st_mode & 0777));
    return 0;
}

/* Before the first is written, so that a folder never holds half of two sets. */
static int check_free(const char *dir, const char *const *names, struct err *e)
{
    char path[PATH_ROOM];
    struct stat st;
    for (; *names; names++) {
        if (path_of(path, dir, *names, e)) return -1;
        if (lstat(path, &st) == 0)
            return err_set(e, ERR_USAGE, "%s is there already; keys are never overwritten: choose another folder",
                           path);
    }
    return 0;
}

/* A name may end with *, and is one word. */
static int check_name(const char *name, bool star, struct err *e)
{
    size_t n = strlen(name), plain = n && star && name[n - 1] == '*' ? n - 1 : n;
    if (n == 0 || n >= NAME_ROOM || name[0] == '.' || name[0] == '#' ||
        strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") < plain)
        return err_set(e, ERR_USAGE, "\"%s\" is not an agent's name: letters, digits, . _ -%s", name,
                       star ? ", and * at the end for any" : "");
    return 0;
}

static int allow(const char *dir, const char *public_key, const char *name, bool first, struct err *e)
{
    char path[PATH_ROOM];
    if (path_of(path, dir, "allowed", e)) return -1;
    FILE *f = fopen(path, first ? "wxe" : "ae");
    if (!f) return err_set(e, ERR_USAGE, "cannot write %s: %s", path, strerror(errno));
    if (first) (void)fputs("# whom the coordinator admits: PUBLIC-KEY NAME ROLE; NAME may end with *\n", f);
    (void)fprintf(f, "%s %s agent\n", public_key, name);
    bool bad = ferror(f) != 0;
    return fclose(f) || bad ? err_set(e, ERR_IO, "cannot write %s", path) : 0;
}

static int make_pair(const char *dir, const char *who, char ret_public[KEY_TEXT], struct err *e)
{
    struct key_pair k;
    if (key_pair_new(&k, e)) return -1;
    int rc = key_pair_save(&k, dir, who, e);
    memcpy(ret_public, k.public_key, KEY_TEXT);
    key_pair_clear(&k);
    return rc;
}

static int make_all(const char *dir, const char *name, struct err *e)
{
    static const char *const FILES[] = {"coordinator.key", "coordinator.pub", "agent.key",   "agent.pub",
                                        "allowed",         "plan.sign",       "plan.verify", NULL};
    char public_key[KEY_TEXT];
    if (check_name(name, true, e) || make_folder(dir, e) || check_free(dir, FILES, e)) return -1;
    if (make_pair(dir, "coordinator", public_key, e) || make_pair(dir, "agent", public_key, e)) return -1;
    if (allow(dir, public_key, name, true, e) || sign_keys_save(dir, "plan", e)) return -1;
    printf("%s: coordinator.key, coordinator.pub, allowed   plateau run --keys %s\n"
           "%s: agent.key, coordinator.pub                  plateau-agent --keys %s\n"
           "%s: plan.sign                                   plateau sign PLAN --key %s/plan.sign\n"
           "%s: plan.verify                                 plateau-agent --require-signed %s/plan.verify\n"
           "Keys are secret where the name ends in .key or .sign.\n",
           dir, dir, dir, dir, dir, dir, dir, dir);
    return 0;
}

/* One more agent with a key of its own: DIR/NAME is what it needs, and can be revoked without the others. */
static int add_agent(const char *dir, const char *name, struct err *e)
{
    static const char *const FILES[] = {"agent.key", "agent.pub", "coordinator.pub", NULL};
    char server[KEY_TEXT], public_key[KEY_TEXT], own[PATH_ROOM], path[PATH_ROOM];
    if (check_name(name, false, e) || key_public_load(dir, "coordinator", server, e)) return -1;
    if (path_of(own, dir, name, e) || make_folder(own, e) || check_free(own, FILES, e)) return -1;
    if (path_of(path, own, "coordinator.pub", e) || make_pair(own, "agent", public_key, e)) return -1;
    FILE *f = fopen(path, "wxe");
    if (!f) return err_set(e, ERR_USAGE, "cannot make %s: %s", path, strerror(errno));
    (void)fprintf(f, "%s\n", server);
    if (fclose(f)) return err_set(e, ERR_IO, "cannot write %s", path);
    if (allow(dir, public_key, name, false, e)) return -1;
    printf("%s: for plateau-agent --name %s --keys; a running coordinator admits it after a SIGHUP\n", own, name);
    return 0;
}

int cmd_keys(int argc, char **argv)
{
    static const char *agents, *add;
    static const struct arg TABLE[] = {
        {"agents", ARG_TEXT, &agents, "NAME", "what the agents with this key may call themselves; may end with * (*)"},
        {"add", ARG_TEXT, &add, "NAME", "make DIR/NAME with a key for one more agent, and allow it"},
        {NULL, ARG_FLAG, NULL, NULL, NULL},
    };
    static const struct args ARGS = {
        .program = "plateau keys",
        .usage = "DIR [options]",
        .about =
            "Makes DIR with the keys of a control plane (coordinator, agents, list of those allowed) and of signed "
            "plans.\n"
            "Nothing is ever overwritten.",
        .table = TABLE,
        .least = 1,
        .most = 1,
    };
    const char *dir;
    size_t n;
    struct err e = {0};
    int rc = args_parse(&ARGS, argc, argv, &dir, &n, &e);
    if (rc == 1) return 0;
    if (rc == 0 && add && agents) rc = err_set(&e, ERR_USAGE, "--add and --agents: one of them");
    (void)umask(022);
    if (rc == 0) rc = add ? add_agent(dir, add, &e) : make_all(dir, agents ? agents : "*", &e);
    if (rc == 0) return 0;
    log_error("%s", e.text);
    return err_exit_status(&e);
}
