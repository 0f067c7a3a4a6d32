#include "coordinator/report/write_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int write_all(int fd, const struct buf *b)
{
    for (size_t at = 0; at < b->len;) {
        ssize_t n = write(fd, b->data + at, b->len - at);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return -1;
        at += (size_t)n;
    }
    return fsync(fd);
}

int write_file_atomic(const char *dir, const char *name, const struct buf *b, struct err *e)
{
    char path[1200], temp[1220];
    int n = snprintf(path, sizeof path, "%s/%s", dir, name);
    if (n < 0 || (size_t)n >= sizeof path) return err_set(e, ERR_USAGE, "%.100s…: the path is too long", dir);
    (void)snprintf(temp, sizeof temp, "%s.tmp", path);
    int fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0) return err_set(e, ERR_IO, "%s: cannot be written: %s", path, strerror(errno));
    int rc = write_all(fd, b), why = errno;
    if (close(fd) && !rc) {
        rc = -1;
        why = errno;
    }
    if (!rc && rename(temp, path)) {
        rc = -1;
        why = errno;
    }
    if (!rc) return 0;
    (void)unlink(temp);
    return err_set(e, ERR_IO, "%s: cannot be written: %s", path, why == ENOSPC ? "the disk is full" : strerror(why));
}

void write_file_sync(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return;
    (void)fsync(fd);
    (void)close(fd);
}
