#include "agent/host.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define CGROUP_PATH 1024
#define FILE_TEXT 8192

/* Reads a small file whole; returns 0 with text, -1 when it is not there. */
static int read_text(const char *path, char *ret, size_t n)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return -1;
    size_t len = 0;
    while (len < n - 1) {
        ssize_t got = read(fd, ret + len, n - 1 - len);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) break;
        len += (size_t)got;
    }
    ret[len] = '\0';
    close(fd);
    return len > 0 ? 0 : -1;
}

double host_parse_cpu_max(const char *text)
{
    char *end;
    double quota = strtod(text, &end);
    if (end == text || quota <= 0) return 0; /* "max" */
    double period = strtod(end, NULL);
    return period > 0 ? quota / period : 0;
}

/* Whether the comma-separated list [list, end) holds the word. */
static int list_holds(const char *list, const char *end, const char *word)
{
    size_t len = strlen(word);
    while (list < end) {
        const char *comma = memchr(list, ',', (size_t)(end - list));
        const char *stop = comma ? comma : end;
        if ((size_t)(stop - list) == len && memcmp(list, word, len) == 0) return 1;
        list = stop + 1;
    }
    return 0;
}

int host_parse_cgroup(const char *text, const char *controller, char *ret_path, size_t n)
{
    for (const char *line = text; *line;) {
        const char *eol = strchrnul(line, '\n');
        const char *c1 = memchr(line, ':', (size_t)(eol - line));
        const char *c2 = c1 ? memchr(c1 + 1, ':', (size_t)(eol - c1 - 1)) : NULL;
        if (c2) {
            int found =
                controller ? list_holds(c1 + 1, c2, controller) : (c2 == c1 + 1 && c1 == line + 1 && *line == '0');
            size_t len = (size_t)(eol - c2 - 1);
            if (found && len < n) {
                memcpy(ret_path, c2 + 1, len);
                ret_path[len] = '\0';
                return 0;
            }
        }
        line = *eol ? eol + 1 : eol;
    }
    return -1;
}

uint64_t host_parse_stat(const char *text, const char *key)
{
    size_t len = strlen(key);
    for (const char *line = text; line && *line;) {
        if (strncmp(line, key, len) == 0 && line[len] == ' ') return strtoull(line + len + 1, NULL, 10);
        line = strchr(line, '\n');
        if (line) line++;
    }
    return 0;
}

uint32_t host_usable(uint32_t cpus, double quota)
{
    uint32_t n = cpus ? cpus : 1;
    if (quota > 0 && ceil(quota) < n) n = (uint32_t)ceil(quota);
    return n ? n : 1;
}

/* Where the cgroup's files are: folder of the hierarchy and path in it. In a container the path of /proc/self/cgroup
 * may not exist below the mount; the walk upwards then ends at the mount itself, which is the container's own. */
struct cgroup {
    int version; /* 0: none */
    const char *mount;
    char path[CGROUP_PATH];
};

static struct cgroup cgroup_find(void)
{
    struct cgroup cg = {0};
    char text[FILE_TEXT];
    if (read_text("/proc/self/cgroup", text, sizeof text) < 0) return cg;
    if (host_parse_cgroup(text, "cpu", cg.path, sizeof cg.path) == 0) {
        cg.version = 1;
        cg.mount =
            access("/sys/fs/cgroup/cpu,cpuacct", F_OK) == 0 ? "/sys/fs/cgroup/cpu,cpuacct" : "/sys/fs/cgroup/cpu";
    } else if (host_parse_cgroup(text, NULL, cg.path, sizeof cg.path) == 0) {
        cg.version = 2;
        cg.mount = "/sys/fs/cgroup";
    }
    return cg;
}

static int cgroup_read(const struct cgroup *cg, const char *file, char *text, size_t n)
{
    char path[CGROUP_PATH + 128];
    int len = snprintf(path, sizeof path, "%s%s/%s", cg->mount, strcmp(cg->path, "/") == 0 ? "" : cg->path, file);
    return len > 0 && (size_t)len < sizeof path ? read_text(path, text, n) : -1;
}

/* One level up; 0 when there is none. */
static int cgroup_up(struct cgroup *cg)
{
    char *slash = strrchr(cg->path, '/');
    if (!slash || strcmp(cg->path, "/") == 0) return 0;
    if (slash == cg->path)
        slash[1] = '\0';
    else
        *slash = '\0';
    return 1;
}

static double cgroup_quota_here(const struct cgroup *cg)
{
    char text[FILE_TEXT];
    if (cg->version == 2) return cgroup_read(cg, "cpu.max", text, sizeof text) == 0 ? host_parse_cpu_max(text) : 0;
    if (cgroup_read(cg, "cpu.cfs_quota_us", text, sizeof text) < 0) return 0;
    double quota = strtod(text, NULL);
    if (quota <= 0 || cgroup_read(cg, "cpu.cfs_period_us", text, sizeof text) < 0) return 0;
    double period = strtod(text, NULL);
    return period > 0 ? quota / period : 0;
}

static double cgroup_quota(void)
{
    double least = 0;
    struct cgroup cg = cgroup_find();
    if (!cg.version) return 0;
    do {
        double here = cgroup_quota_here(&cg);
        if (here > 0 && (least <= 0 || here < least)) least = here;
    } while (cgroup_up(&cg));
    return least;
}

uint64_t host_throttled(void)
{
    uint64_t most = 0;
    char text[FILE_TEXT];
    struct cgroup cg = cgroup_find();
    if (!cg.version) return 0;
    do {
        if (cgroup_read(&cg, "cpu.stat", text, sizeof text) < 0) continue;
        uint64_t here = host_parse_stat(text, "nr_throttled");
        if (here > most) most = here;
    } while (cgroup_up(&cg));
    return most;
}

static uint32_t local_ports(void)
{
    char text[64];
    if (read_text("/proc/sys/net/ipv4/ip_local_port_range", text, sizeof text) < 0) return 28000;
    char *end;
    unsigned long low = strtoul(text, &end, 10), high = strtoul(end, NULL, 10);
    return high >= low && high <= 65535 ? (uint32_t)(high - low + 1) : 28000;
}

static uint32_t affinity_cpus(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) return (uint32_t)CPU_COUNT(&set);
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 ? (uint32_t)n : 1;
}

void host_read(struct host *ret)
{
    struct rlimit r = {0};
    ret->cpus = affinity_cpus();
    ret->quota = cgroup_quota();
    ret->usable = host_usable(ret->cpus, ret->quota);
    ret->descriptors = getrlimit(RLIMIT_NOFILE, &r) == 0 ? (uint64_t)r.rlim_max : 1024;
    ret->ports = local_ports();
}

int host_reserve(uint64_t connections, uint64_t other, uint64_t pairs, struct err *e)
{
    struct rlimit r;
    uint64_t need = connections + other, ports = local_ports();
    if (pairs && connections > ports * pairs)
        return err_set(
            e, ERR_LIMIT,
            "%llu connections need %llu local ports, but one pair of source and destination address has %llu: "
            "use more agents, more source addresses, or widen net.ipv4.ip_local_port_range",
            (unsigned long long)connections, (unsigned long long)(connections / pairs), (unsigned long long)ports);
    if (getrlimit(RLIMIT_NOFILE, &r) < 0) return err_set(e, ERR_IO, "getrlimit: %s", strerror(errno));
    if (r.rlim_cur >= need) return 0;
    if (r.rlim_max >= need) {
        r.rlim_cur = r.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &r) == 0) return 0;
    }
    return err_set(e, ERR_LIMIT,
                   "%llu connections need %llu open files, but the limit is %llu: raise it (ulimit -n, LimitNOFILE=) "
                   "or use more agents",
                   (unsigned long long)connections, (unsigned long long)need, (unsigned long long)r.rlim_max);
}
uint64_t host_spare(uint64_t connections, uint64_t other, uint64_t pairs)
{
    struct rlimit r;
    uint64_t need = connections + other, ports = local_ports() * pairs;
    if (getrlimit(RLIMIT_NOFILE, &r) < 0 || r.rlim_cur <= need || ports <= connections) return 0;
    return r.rlim_cur - need < ports - connections ? r.rlim_cur - need : ports - connections;
}
