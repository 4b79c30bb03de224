/* SPDX-License-Identifier: MIT
 * tracefs.c - see tracefs.h. The detached mount: fsopen(2), fsmount(2), Linux 5.2. */
#include "capture/tracefs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

int tac_tracefs_mount(const char *type)
{
    int fs = fsopen(type, FSOPEN_CLOEXEC);
    if (fs < 0)
        return errno == ENODEV || errno == ENOSYS ? -ENOENT : -errno;
    int dir = fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) ? -errno : 0;
    if (!dir) {
        dir = fsmount(fs, FSMOUNT_CLOEXEC, 0);
        dir = dir < 0 ? -errno : dir;
    }
    close(fs);
    return dir;
}

int tac_tracefs_open(void)
{
    static const char *const place[] = {"/sys/kernel/tracing", "/sys/kernel/debug/tracing"};
    for (int i = 0; i < 2; i++) {
        int dir = open(place[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (dir >= 0 && faccessat(dir, "instances", W_OK, 0) == 0)
            return dir;
        if (dir >= 0)
            close(dir);
    }
    return tac_tracefs_mount("tracefs");
}

int tac_tracefs_write(int dir, const char *path, const char *text)
{
    int fd = openat(dir, path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    ssize_t n = write(fd, text, strlen(text));
    int error = n < 0 ? -errno : 0;
    close(fd);
    return error;
}

int tac_tracefs_read(int dir, const char *path, char *buffer, size_t size)
{
    int fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    size_t at = 0;
    ssize_t n;
    while (at + 1 < size && (n = read(fd, buffer + at, size - 1 - at)) > 0)
        at += (size_t)n;
    close(fd);
    buffer[at] = 0;
    return (int)at;
}

/* Instances whose process is gone: it was killed together with its janitor. */
static void remove_stale(int instances)
{
    int fd = dup(instances);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        if (fd >= 0)
            close(fd);
        return;
    }
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        if (strncmp(e->d_name, "tactus-", 7) != 0)
            continue;
        long pid = strtol(e->d_name + 7, NULL, 10);
        if (pid > 0 && kill((pid_t)pid, 0) && errno == ESRCH)
            unlinkat(instances, e->d_name, AT_REMOVEDIR);
    }
    closedir(dir);
}

int tac_tracefs_instance(int root, char *ret_name, size_t size)
{
    int instances = openat(root, "instances", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (instances < 0)
        return -errno;
    remove_stale(instances);
    close(instances);
    snprintf(ret_name, size, "instances/tactus-%d", (int)getpid());
    if (mkdirat(root, ret_name, 0700))
        return errno == EEXIST ? -EBUSY : -errno;
    int dir = openat(root, ret_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return dir < 0 ? -errno : dir;
}
